package phantoms

import (
	"math"
	"testing"

	"ctrecon/ct"
)

// one is a phantom of some shapes, HU steps of 1000 being water.
func one(s ...Shape) *Phantom {
	return &Phantom{Name: "test", Field: 100, MuWater: ct.MuWater, Shapes: s}
}

// bits are shapes of every kind: whole, turned, clipped by one and more lines.
func bits() map[string]*Phantom {
	return map[string]*Phantom{
		"disc":              one(rod(3, -7, 20, 1000)),
		"ellipse":           one(Shape{X: -5, Y: 4, A: 30, B: 8, Deg: 25, HU: 700}),
		"rectangle":         one(Shape{Kind: Rectangle, X: 6, Y: 9, A: 17, B: 4, Deg: -40, HU: 1200}),
		"half disc":         one(Shape{X: 4, Y: 5, A: 20, B: 20, HU: 1000, Clip: []Clip{{30, 0}}}),
		"wedge of ellipse":  one(Shape{X: -4, Y: 5, A: 25, B: 12, Deg: 70, HU: 900, Clip: []Clip{{30, 3}, {140, 5}}}),
		"slab of ellipse":   one(Shape{X: -4, Y: 5, A: 25, B: 12, Deg: 10, HU: 900, Clip: slab(11, 6)}),
		"clipped rectangle": one(Shape{Kind: Rectangle, X: 2, Y: -9, A: 15, B: 10, Deg: 15, HU: 500, Clip: []Clip{{80, 4}}}),
		"smaller than bins": one(rod(10, 10, .2, 1000)),
	}
}

func all(t *testing.T) map[string]*Phantom {
	m := bits()
	for _, n := range Names() {
		p, err := New(n, 0)
		if err != nil {
			t.Fatal(err)
		}
		m[n] = p
	}
	return m
}

// cover is a detector that sees all of the phantom, at angles of no symmetry and
// at those where rays run along edges and axes.
func cover(p *Phantom, bins int) ct.Geometry {
	return ct.Geometry{Angles: []float64{0, 17.3, 45, 90, 101.7, 180, 222.5, -33}, Bins: bins, BinSize: 1.5 * p.Field / float64(bins), Offset: .3}
}

func TestDiscClosedForm(t *testing.T) {
	const r, x, y = 20.0, 3.0, -7.0
	p := bits()["disc"]
	g := cover(p, 77)
	point, mean := p.Sinogram(g, false), p.Sinogram(g, true)
	f := func(s float64) float64 { // antiderivative of the chord 2 sqrt(r^2-s^2)
		s = max(-r, min(r, s))
		return s*math.Sqrt(r*r-s*s) + r*r*math.Asin(s/r)
	}
	for v, deg := range g.Angles {
		s0 := x*math.Cos(deg*math.Pi/180) + y*math.Sin(deg*math.Pi/180)
		for k := range g.Bins {
			s := g.S(k) - s0
			want := ct.MuWater * 2 * math.Sqrt(max(0, r*r-s*s))
			if got := float64(point.View(v)[k]); math.Abs(got-want) > 1e-6 {
				t.Errorf("view %g, bin %d: point %g, want %g", deg, k, got, want)
			}
			want = ct.MuWater * (f(s+g.BinSize/2) - f(s-g.BinSize/2)) / g.BinSize
			if got := float64(mean.View(v)[k]); math.Abs(got-want) > 1e-6 {
				t.Errorf("view %g, bin %d: mean %g, want %g", deg, k, got, want)
			}
		}
	}
}

func TestRectangleClosedForm(t *testing.T) {
	p := one(Shape{Kind: Rectangle, X: 1, Y: 2, A: 10, B: 5, HU: 1000})
	tests := []struct{ deg, s, chord float64 }{
		{0, 1, 10}, {0, 10.9, 10}, {0, 11.1, 0}, {90, 2, 20}, {90, 6.9, 20}, {90, -3.1, 0},
		{45, 3 / math.Sqrt2, 10 * math.Sqrt2}, // through the centre, from long side to long side
		{45, 17 / math.Sqrt2, math.Sqrt2},     // 1/sqrt 2 below the corner at (11, 7)
	}
	for _, tt := range tests {
		if got, want := p.LineIntegral(tt.deg, tt.s), ct.MuWater*tt.chord; math.Abs(got-want) > 1e-12 {
			t.Errorf("view %g, s %g: %g, want %g", tt.deg, tt.s, got, want)
		}
	}
}

// A line integral is the sum of small steps along the ray, each asked of inside.
func TestLineIntegralAgainstSteps(t *testing.T) {
	for name, p := range bits() {
		f := p.frames()
		for _, deg := range []float64{0, 31, 90, 158} {
			ny, nx := math.Sincos(deg * math.Pi / 180)
			for _, s := range []float64{-8.3, 0.1, 5.7, 14.2} {
				const h = .002
				sum := 0.0
				for tt := -60.0; tt < 60; tt += h {
					sum += h * (huAt(f, s*nx-tt*ny, s*ny+tt*nx) + 1000)
				}
				want := p.MuWater * sum / 1000
				if got := p.LineIntegral(deg, s); math.Abs(got-want) > 2*h*p.MuWater*1.2 {
					t.Errorf("%s, view %g, s %g: %g, by steps %g", name, deg, s, got, want)
				}
			}
		}
	}
}

// Every view sums to the mass, whatever the angle and the bin size.
func TestMassOfViews(t *testing.T) {
	for name, p := range all(t) {
		for _, bins := range []int{31, 400} {
			g := cover(p, bins)
			sino := p.Sinogram(g, true)
			for v, deg := range g.Angles {
				sum := 0.0
				for _, x := range sino.View(v) {
					sum += float64(x) * g.BinSize
				}
				if m := p.Mass(); math.Abs(sum-m) > 1e-6*m {
					t.Errorf("%s, %d bins, view %g: sum %.9g, mass %.9g", name, bins, deg, sum, m)
				}
			}
		}
	}
}

// A bin is the mean of the point values across it. The midpoint rule errs by the
// square-root ends of chords, as h^1.5, and by h at the edges of rectangles.
func TestBinMeanAgainstQuadrature(t *testing.T) {
	const n = 1400
	for name, p := range bits() {
		g := cover(p, 45)
		fine := g
		fine.Bins, fine.BinSize, fine.Offset = g.Bins*n, g.BinSize/n, g.Offset*n
		mean, point := p.Sinogram(g, true), p.Sinogram(fine, false)
		for v, deg := range g.Angles {
			for k, got := range mean.View(v) {
				sum := 0.0
				for _, x := range point.View(v)[k*n : (k+1)*n] {
					sum += float64(x)
				}
				if want := sum / n; math.Abs(float64(got)-want) > 4e-4 {
					t.Errorf("%s, view %g, bin %d: mean %g, quadrature %g", name, deg, k, got, want)
				}
			}
		}
	}
}

// The view at theta of the turned phantom is the view at theta - turn.
func TestRotationLaw(t *testing.T) {
	for name, p := range all(t) {
		for _, averaged := range []bool{false, true} {
			g := cover(p, 150)
			const turn = 37.5
			a := p.Rotate(turn).Sinogram(g, averaged)
			back := g
			back.Angles = make([]float64, g.Views())
			for i, d := range g.Angles {
				back.Angles[i] = d - turn
			}
			b := p.Sinogram(back, averaged)
			for i := range a.Data {
				// a point on the flat end of a bar may fall on either side
				if math.Abs(float64(a.Data[i]-b.Data[i])) > 2e-6 {
					t.Fatalf("%s, averaged %v, view %g, bin %d: %g turned, %g at the angle less %g", name, averaged, g.Angles[i/g.Bins], i%g.Bins, a.Data[i], b.Data[i], turn)
				}
			}
		}
	}
}

// Opposite rays agree: p(theta + 180, s) = p(theta, -s).
func TestOppositeRays(t *testing.T) {
	for name, p := range all(t) {
		for _, deg := range []float64{3, 71.3, 140} {
			for s := -p.Field / 2; s < p.Field/2; s += p.Field / 41.7 {
				if a, b := p.LineIntegral(deg, s), p.LineIntegral(deg+180, -s); math.Abs(a-b) > 1e-9 {
					t.Errorf("%s, view %g, s %g: %g and %g", name, deg, s, a, b)
				}
			}
		}
	}
}

func TestScaleAndMuWater(t *testing.T) {
	small, _ := New("thorax", 100)
	big, _ := New("thorax", 250)
	a, b := small.Mass(), big.Mass()
	if want := a * 2.5 * 2.5; math.Abs(b-want) > 1e-9*want {
		t.Errorf("mass %g at 2.5 times the size, want %g", b, want)
	}
	if a, b := 2.5*small.LineIntegral(20, 11), big.LineIntegral(20, 27.5); math.Abs(a-b) > 1e-12 {
		t.Errorf("line integral %g at 2.5 times the size, want %g", b, a)
	}
	big.MuWater *= 2
	if got := big.Mass(); math.Abs(got-2*b) > 1e-9*b {
		t.Errorf("mass %g with twice the attenuation, want %g", got, 2*b)
	}
}

// A fan's rays are lines from the source through the detector, built here from
// points in the plane.
func TestFanRays(t *testing.T) {
	for _, curved := range []bool{false, true} {
		f := Fan{SOD: 500, SDD: 900, Curved: curved}
		for _, beta := range []float64{0, 40, 200} {
			for _, u := range []float64{-300, -20, 0, 150} {
				deg, s := f.Ray(beta, u)
				sb, cb := math.Sincos(beta * math.Pi / 180)
				src := point{f.SOD * sb, -f.SOD * cb}
				across, along := u, f.SDD
				if curved {
					across, along = f.SDD*math.Sin(u/f.SDD), f.SDD*math.Cos(u/f.SDD)
				}
				det := point{src.x - along*sb + across*cb, src.y + along*cb + across*sb}
				for _, q := range []point{src, det} {
					if d := q.x*math.Cos(deg*math.Pi/180) + q.y*math.Sin(deg*math.Pi/180); math.Abs(d-s) > 1e-9 {
						t.Errorf("curved %v, beta %g, u %g: the ray passes at %g, the point at %g", curved, beta, u, s, d)
					}
				}
			}
		}
	}
}

func TestFan(t *testing.T) {
	p, _ := New("thorax", 0)
	fan := Fan{SOD: 600, SDD: 1000}
	g := ct.Geometry{Angles: []float64{0, 75, 300}, Bins: 61, BinSize: 15, Offset: .25}
	sino := p.Fan(fan, g)
	seen := 0
	for v, beta := range g.Angles {
		for k, got := range sino.View(v) {
			deg, s := fan.Ray(beta, g.S(k))
			want := p.LineIntegral(deg, s)
			if math.Abs(float64(got)-want) > 1e-6 {
				t.Errorf("source at %g, bin %d: %g, want %g", beta, k, got, want)
			}
			if want > 0 {
				seen++
			}
		}
	}
	if seen < 60 {
		t.Errorf("only %d rays met the body", seen)
	}
	// From far away a fan is a parallel beam.
	far := Fan{SOD: 1e9, SDD: 1e9}
	a, b := p.Fan(far, g), p.Sinogram(g, false)
	for i := range a.Data {
		if math.Abs(float64(a.Data[i]-b.Data[i])) > 1e-3 {
			t.Errorf("datum %d: %g from far away, %g parallel", i, a.Data[i], b.Data[i])
		}
	}
}

func TestBadGeometryPanics(t *testing.T) {
	p := bits()["disc"]
	calls := map[string]func(){
		"sinogram": func() { p.Sinogram(ct.Geometry{}, true) },
		"fan":      func() { p.Fan(Fan{SOD: 1, SDD: 2}, ct.Geometry{}) },
		"raster":   func() { p.Raster(ct.Grid{}) },
	}
	for name, call := range calls {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}
