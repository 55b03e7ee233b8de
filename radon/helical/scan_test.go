package helical

import (
	"errors"
	"math"
	"strings"
	"testing"

	"ctrecon/ct"
)

// TestRay: the ray of (beta, gamma) is the parallel ray theta = beta - gamma,
// s = R sin gamma of radon.Fan; rows rise with z.
func TestRay(t *testing.T) {
	s := clinical(5, 100, 1, 10, []View{{}})
	for _, shape := range []Shape{Cylindrical, Spherical, Flat} {
		s.Shape = shape
		for _, i := range []int{0, 17, 60} {
			for _, col := range []float64{-.5, 10, 179.75, 300.3} {
				from, to := s.Ray(i, 4, col)
				u := (col - s.CenterCol) * s.ColSize
				gamma := u / s.Distance
				if shape == Flat {
					gamma = math.Atan(gamma)
				}
				sin, cos := math.Sincos(s.Views[i].Beta*math.Pi/180 - gamma)
				for _, p := range [][3]float64{from, to} {
					if d := p[0]*cos + p[1]*sin - 595*math.Sin(gamma); math.Abs(d) > 1e-9 {
						t.Errorf("shape %d, view %d, column %g: %g mm beside its parallel ray", shape, i, col, d)
					}
				}
				if from[2] != s.Views[i].Z || to[2] <= from[2] {
					t.Errorf("shape %d: row 4 of 5 goes from z %g to %g", shape, from[2], to[2])
				}
				if shape == Spherical {
					if d := math.Sqrt(math.Pow(to[0]-from[0], 2) + math.Pow(to[1]-from[1], 2) + math.Pow(to[2]-from[2], 2)); math.Abs(d-s.Distance) > 1e-9 {
						t.Errorf("%g mm to the sphere of %g mm", d, s.Distance)
					}
				}
			}
		}
	}
}

// TestFlyingRays: a flying spot moves the rays at the axis by half an element.
func TestFlyingRays(t *testing.T) {
	for mode, want := range map[string][2]float64{"FFSXY": {.35, 0}, "FFSZ": {0, .35}} {
		s, err := Plan{Field: 100, Element: .7, Rows: 4, PerTurn: 64, Mode: mode}.Scan()
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.spots()
		if err != nil {
			t.Fatal(err)
		}
		a, b, k := all[0], all[1], s.Cols/2
		plane := math.Abs(a.edges[k] - b.edges[k])
		height := math.Abs(a.view.DZ + a.slice(1, k, s.Shape, s) - b.view.DZ - b.slice(1, k, s.Shape, s))
		if math.Abs(plane-want[0]) > .004 || math.Abs(height-want[1]) > .004 {
			t.Errorf("%s: rays %.3f mm apart in the plane, %.3f mm along z, want %v", mode, plane, height, want)
		}
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *Scan)
		want   string
	}{
		{"one row", func(s *Scan) { s.Rows = 1 }, "1 rows"},
		{"no width", func(s *Scan) { s.ColSize = 0 }, "0 x 2.2 mm"},
		{"no distance", func(s *Scan) { s.Distance = math.NaN() }, "NaN mm from focal centre"},
		{"centre off the detector", func(s *Scan) { s.CenterCol = 400 }, "central element (column 400"},
		{"centre is no number", func(s *Scan) { s.CenterRow = math.NaN() }, "central element"},
		{"wide fan", func(s *Scan) { s.ColSize = 10 }, "more than 120 degrees"},
		{"three views", func(s *Scan) { s.Views = s.Views[:3] }, "3 view(s)"},
		{"place is no number", func(s *Scan) { s.Views[7].Z = math.NaN() }, "view 7: a position of NaN"},
		{"source behind the detector", func(s *Scan) { s.Views[7].Radius = 2000 }, "view 7: the focal centre is 2000 mm"},
		{"source wanders", func(s *Scan) { s.Views[7].Radius = 590 }, "that of the first view 595 mm"},
		{"spot far away", func(s *Scan) { s.Views[7].DZ = 40 }, "view 7: the focal spot is displaced"},
		{"flying before a sphere", func(s *Scan) { s.Shape, s.Views[7].DZ = Spherical, 1 }, "spherical detector is not supported"},
		{"view missing", func(s *Scan) { s.Views = append(s.Views[:50:50], s.Views[51:]...) }, "views 49 and 50 lie 7.2 degrees apart, 3.6"},
		{"views swapped", func(s *Scan) { s.Views[50], s.Views[51] = s.Views[51], s.Views[50] }, "views are missing or in disorder"},
		{"nothing turns", func(s *Scan) {
			for i := range s.Views {
				s.Views[i].Beta = 3
			}
		}, "does not turn"},
		{"many spots", func(s *Scan) {
			for i := range s.Views {
				s.Views[i].DZ = float64(i%9) / 2
			}
		}, "more than 8 places"},
		{"a stray spot", func(s *Scan) { s.Views[7].DZ = 2 }, "views 6 and 8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := clinical(4, 100, 1.2, 10, []View{{}})
			tt.change(s)
			_, err := NewRebinner(s)
			if err == nil || !strings.Contains(err.Error(), tt.want) && !(tt.name == "a stray spot" && strings.Contains(err.Error(), "1 view(s) only")) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

// TestNoSlices: a table that stands still gives slices within the collimation, too
// short a scan none.
func TestNoSlices(t *testing.T) {
	s := clinical(4, 100, .4, 10, []View{{}})
	if got := rebinner(t, s).Slices(1); got != nil {
		t.Errorf("slices at %v mm of less than half a turn", got)
	}
}

// TestDataErrors: what a scan's reader says is handed on.
func TestDataErrors(t *testing.T) {
	s := clinical(4, 100, 1.2, 3, []View{{}})
	broken := errors.New("view 3 is cut")
	s.Data = func(int) ([]float32, error) { return nil, broken }
	r := rebinner(t, s)
	if _, err := r.Rebin(0, s.Parallel()); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if _, err := r.Rebin(0, ct.Geometry{}); err == nil {
		t.Error("a geometry without views was accepted")
	}
	s.Data = func(int) ([]float32, error) { return make([]float32, 5), nil }
	defer func() {
		if recover() == nil {
			t.Error("a view of a wrong length was accepted")
		}
	}()
	_, _ = r.Rebin(0, s.Parallel())
}

func TestPlanErrors(t *testing.T) {
	good := Plan{Field: 200, Element: 2, Rows: 8, PerTurn: 128, To: 5, Mode: "FFSZ"}
	tests := []struct {
		change func(p *Plan)
		want   string
	}{
		{func(p *Plan) { p.Mode = "FFSQ" }, "there is FFSNONE, FFSZ"},
		{func(p *Plan) { p.Field = 2000 }, "a field of 2000 mm"},
		{func(p *Plan) { p.Element = math.NaN() }, "elements of NaN mm"},
		{func(p *Plan) { p.Rows = 1 }, "1 rows"},
		{func(p *Plan) { p.PerTurn = 3 }, "3 views a turn"},
		{func(p *Plan) { p.From = 6 }, "from 6 to 5 mm"},
		{func(p *Plan) { p.To = 1e7 }, "views: up to 131072"},
	}
	for _, tt := range tests {
		p := good
		tt.change(&p)
		if _, err := p.Scan(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q in it", p, err, tt.want)
		}
	}
}

// TestRadial: bins of a smooth function are its means, whatever the columns; a bin
// beside the detector has no weight.
func TestRadial(t *testing.T) {
	f := func(x float64) float64 { return math.Sin(x/7) + 2 } // integral -7 cos(x/7) + 2 x
	mean := func(a, b float64) float64 {
		return (7*(math.Cos(a/7)-math.Cos(b/7)) + 2*(b-a)) / (b - a)
	}
	edges := make([]float64, 81)
	for i := range edges {
		x := float64(i) - 40
		edges[i] = x + .02*math.Sin(x)
	}
	c := newColumns(80)
	for i := range c.value {
		c.value[i], c.weight[i], c.spread[i] = mean(edges[i], edges[i+1]), 1, 1
	}
	for _, size := range []float64{.4, 1, 2.7} {
		g := ct.Uniform(1, 31, size)
		for _, flip := range []bool{false, true} {
			r := newRadial(edges, g, flip)
			r.integrate(c)
			for k := range g.Bins {
				s := g.S(k)
				if flip {
					s = -s
				}
				got, w, _ := r.bin(k, c)
				if beyond := math.Abs(s)+size/2 > 40; beyond != (w == 0) && math.Abs(s)+size/2 > 41 {
					t.Errorf("bins of %g: weight %g at %g mm", size, w, s)
				} else if want := mean(s-size/2, s+size/2); !beyond && math.Abs(got-want) > 2e-4 {
					t.Errorf("bins of %g: %g at %g mm, want %g (the function is %g there)", size, got, s, want, f(s))
				}
			}
		}
	}
}
