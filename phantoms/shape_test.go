package phantoms

import (
	"math"
	"testing"

	"ctrecon/ct"
)

// A pixel called within or outside is so at all its points; the raster relies on
// it.
func TestSideIsSafe(t *testing.T) {
	const hx, hy, n = 1.5, 2.25, 9
	for name, p := range bits() {
		f := p.frames()[0]
		reach := f.reach(hx, hy)
		count := map[int]int{}
		for x := -45.0; x < 45; x += 1.7 {
			for y := -45.0; y < 45; y += 1.9 {
				side := f.side(x, y, hx, hy, reach)
				count[side]++
				if side == across {
					continue
				}
				for i := range n * n {
					px := x + hx*(2*float64(i%n)/(n-1)-1)*.999999
					py := y + hy*(2*float64(i/n)/(n-1)-1)*.999999
					if f.inside(f.X+px, f.Y+py) != (side == within) {
						t.Fatalf("%s: pixel at (%g, %g) is called %d, the point (%g, %g) is not", name, x, y, side, px, py)
					}
				}
			}
		}
		if count[outside] == 0 || count[across] == 0 || count[within] == 0 && name != "smaller than bins" {
			t.Errorf("%s: sides %v, each should occur", name, count)
		}
	}
}

// Extent is the farthest point of the unclipped outline along a direction.
func TestExtent(t *testing.T) {
	tests := []struct {
		name string
		s    Shape
		deg  float64
		want float64
	}{
		{"disc", Shape{A: 3, B: 3, Deg: 11}, 77, 3},
		{"ellipse along A", Shape{A: 7, B: 2, Deg: 33}, 33, 7},
		{"ellipse along B", Shape{A: 7, B: 2, Deg: 33}, 123, 2},
		{"ellipse, opposite", Shape{A: 7, B: 2, Deg: 33}, 213, 7},
		{"ellipse at 45", Shape{A: 7, B: 1}, 45, 5},
		{"rectangle along A", Shape{Kind: Rectangle, A: 7, B: 2, Deg: 33}, 33, 7},
		{"rectangle at 45", Shape{Kind: Rectangle, A: 7, B: 2}, 45, 9 / math.Sqrt2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ny, nx := math.Sincos(tt.deg * math.Pi / 180)
			f := tt.s.frame()
			if got := f.extent(nx, ny); math.Abs(got-tt.want) > 1e-12 {
				t.Errorf("extent %g, want %g", got, tt.want)
			}
		})
	}
}

// The bins that a shape can touch hold all of its shadow, and few others.
func TestSpan(t *testing.T) {
	f := rod(4, 0, 3, 1).frame() // shadow 1..7 at 0 degrees
	tests := []struct {
		name   string
		g      ct.Geometry
		k0, k1 int
	}{
		{"bins of 1 mm, edges on the shadow's", ct.Geometry{Bins: 20, BinSize: 1}, 11, 18},
		{"bins of 2 mm", ct.Geometry{Bins: 10, BinSize: 2}, 5, 9},
		{"one bin", ct.Geometry{Bins: 1, BinSize: 50}, 0, 1},
		{"detector to the left", ct.Geometry{Bins: 4, BinSize: 1, Offset: 5}, 4, 4},
		{"detector to the right", ct.Geometry{Bins: 4, BinSize: 1, Offset: -20}, 0, 0},
		{"cut off", ct.Geometry{Bins: 8, BinSize: 1}, 5, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k0, k1, s0 := f.span(tt.g, 1, 0)
			if s0 != 4 || k0 != tt.k0 || k1 != tt.k1 {
				t.Errorf("bins %d to %d about %g, want %d to %d about 4", k0, k1, s0, tt.k0, tt.k1)
			}
		})
	}
}

// The mirror image holds the mirrored points, clips included.
func TestMirrored(t *testing.T) {
	for name, p := range bits() {
		a, b := p.Shapes[0].frame(), p.Shapes[0].mirrored().frame()
		in := 0
		for x := -40.0; x < 40; x += .7 {
			for y := -40.0; y < 40; y += .9 {
				if a.inside(x, y) != b.inside(-x, y) {
					t.Fatalf("%s: (%g, %g) and its mirror image differ", name, x, y)
				}
				if a.inside(x, y) {
					in++
				}
			}
		}
		if in == 0 && name != "smaller than bins" {
			t.Errorf("%s: no point was inside", name)
		}
	}
}

func TestOnEllipse(t *testing.T) {
	const a, b, h = 184, 83, 1e-6
	for _, at := range []float64{-62, -8, 0, 37, 90, 200} {
		x, y, deg := onEllipse(a, b, at)
		if e := x*x/(a*a) + y*y/(b*b); math.Abs(e-1) > 1e-12 {
			t.Errorf("%g degrees: off the ellipse by %g", at, e-1)
		}
		x1, y1, _ := onEllipse(a, b, at+h)
		sin, cos := math.Sincos(deg * math.Pi / 180)
		if cross := (x1-x)*sin - (y1-y)*cos; math.Abs(cross) > 1e-9 {
			t.Errorf("%g degrees: direction %g is not the tangent", at, deg)
		}
	}
}

// A truncated detector and a small grid hold what a large one holds there.
func TestTruncation(t *testing.T) {
	for name, p := range all(t) {
		wide, narrow := cover(p, 160), cover(p, 160)
		wide.Offset, narrow.Offset = 0, 0
		narrow.Bins = 40
		for _, averaged := range []bool{false, true} {
			a, b := p.Sinogram(wide, averaged), p.Sinogram(narrow, averaged)
			for v := range a.Angles {
				for k, x := range b.View(v) {
					if y := a.View(v)[k+60]; math.Abs(float64(x-y)) > 1e-6 {
						t.Fatalf("%s, view %d, bin %d: %g on the narrow detector, %g on the wide", name, v, k, x, y)
					}
				}
			}
		}
		d := p.Field / 80
		big, small := p.HU(ct.Square(80, d)), p.HU(ct.Grid{W: 20, H: 30, DX: d, DY: d})
		for i, x := range small {
			if y := big[(i/20+25)*80+i%20+30]; math.Abs(float64(x-y)) > 1e-3 {
				t.Fatalf("%s, pixel %d: %g HU on the small grid, %g on the large", name, i, x, y)
			}
		}
	}
}
