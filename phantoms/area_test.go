package phantoms

import (
	"math"
	"testing"

	"ctrecon/ct"
)

func TestDiscArea(t *testing.T) {
	segment := func(d float64) float64 { return math.Acos(d) - d*math.Sqrt(1-d*d) } // beyond distance d
	tests := []struct {
		name string
		g    polygon
		want float64
	}{
		{"polygon around the disc", box(-2, 3, -4, 5), math.Pi},
		{"polygon inside", box(-.5, .5, -.25, .25), .5},
		{"half", box(0, 2, -2, 2), math.Pi / 2},
		{"quarter", box(0, 2, 0, 2), math.Pi / 4},
		{"segment", box(.3, 2, -2, 2), segment(.3)},
		{"strip", box(-.2, .6, -9, 9), math.Pi - segment(.2) - segment(.6)},
		{"disjoint", box(1.5, 2, -2, 2), 0},
		{"corner touches nothing", box(.8, 2, .8, 2), 0},
		{"touches from outside", box(1, 2, -2, 2), 0},
		{"corner inside: square of half the radius", box(.5, 2, .5, 2), cornerArea(.5)},
		{"inscribed square", box(-math.Sqrt2/2, math.Sqrt2/2, -math.Sqrt2/2, math.Sqrt2/2), 2},
		{"tiny, far inside", box(.3, .3+1e-4, .4, .4+1e-4), 1e-8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.g.discArea(); math.Abs(got-tt.want) > 1e-14 {
				t.Errorf("area %.17g, want %.17g", got, tt.want)
			}
		})
	}
}

// cornerArea is the disc's area with x >= a and y >= a: the integral of
// sqrt(1-x^2) - a from a to sqrt(1-a^2).
func cornerArea(a float64) float64 {
	f := func(x float64) float64 { return (x*math.Sqrt(1-x*x)+math.Asin(x))/2 - a*x }
	return f(math.Sqrt(1-a*a)) - f(a)
}

// Cells of any partition add up to the disc, wherever the cuts fall.
func TestDiscAreaAdds(t *testing.T) {
	rnd := ct.NewStream(1, 0, 0, 0)
	for trial := range 50 {
		n := 3 + trial%9
		dx, dy := (rnd.Uniform(uint64(2*trial))-.5)*.3, (rnd.Uniform(uint64(2*trial+1))-.5)*.3
		sum, h := 0.0, 3/float64(n)
		for i := range n {
			for j := range n {
				x, y := -1.5+dx+h*float64(i), -1.5+dy+h*float64(j)
				g := box(x, x+h, y, y+h)
				sum += g.discArea()
			}
		}
		if math.Abs(sum-math.Pi) > 1e-13 {
			t.Fatalf("%d cells moved by %g, %g: sum %.17g, want pi", n*n, dx, dy, sum)
		}
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		name  string
		lines []line
		want  float64
	}{
		{"nothing cut", []line{{1, 0, 5}}, 4},
		{"all cut", []line{{1, 0, -5}}, 0},
		{"half", []line{{1, 0, 0}}, 2},
		{"on an edge", []line{{1, 0, 1}}, 4},
		{"corner off", []line{{math.Sqrt2 / 2, math.Sqrt2 / 2, math.Sqrt2 / 2}}, 3.5},
		{"four corners off", []line{{1, 1, 1}, {-1, 1, 1}, {1, -1, 1}, {-1, -1, 1}}, 2},
		{"the same line twice", []line{{0, 1, .5}, {0, 1, .5}}, 3},
		{"eight lines", []line{{1, 0, .9}, {-1, 0, .9}, {0, 1, .9}, {0, -1, .9}, {1, 1, 1.4}, {-1, 1, 1.4}, {1, -1, 1.4}, {-1, -1, 1.4}},
			1.8*1.8 - 2*.4*.4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := box(-1, 1, -1, 1)
			for _, l := range tt.lines {
				g.cut(l.nx, l.ny, l.d)
			}
			if got := g.area(); math.Abs(got-tt.want) > 1e-14 {
				t.Errorf("area %.17g, want %.17g", got, tt.want)
			}
		})
	}
}

func TestWhole(t *testing.T) {
	tests := []struct {
		name string
		s    Shape
		want float64
	}{
		{"ellipse", Shape{X: 50, Y: -3, A: 7, B: 2, Deg: 33}, math.Pi * 14},
		{"rectangle", Shape{Kind: Rectangle, X: 50, A: 7, B: 2, Deg: 33}, 56},
		{"half ellipse", Shape{A: 7, B: 2, Deg: 33, Clip: []Clip{{71, 0}}}, math.Pi * 7},
		{"half rectangle", Shape{Kind: Rectangle, A: 7, B: 2, Deg: 33, Clip: []Clip{{120, 0}}}, 28},
		{"clipped away", Shape{A: 7, B: 2, Clip: []Clip{{0, -8}}}, 0},
		{"ellipse cut to a slab within it", Shape{A: 7, B: 7, Clip: slab(1, 2)}, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.s.frame()
			if got := f.whole(); math.Abs(got-tt.want) > 1e-12*max(1, tt.want) {
				t.Errorf("area %.17g, want %.17g", got, tt.want)
			}
		})
	}
}

func TestTooManyClipsPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("nine clips were accepted")
		}
	}()
	s := Shape{A: 1, B: 1, Clip: make([]Clip, maxClips+1)}
	s.frame()
}
