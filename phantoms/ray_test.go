package phantoms

import (
	"math"
	"testing"

	"ctrecon/ct"
)

// A level ray through the solid is the line through the slice at its height.
func TestSolidLevel(t *testing.T) {
	rnd := ct.NewStream(4, 0, 0, 0)
	for _, name := range Names() {
		p, _ := New(name, 0)
		o := p.Solid()
		for i := range 40 {
			z := (rnd.Uniform(uint64(3*i)) - .5) * p.Depth
			deg, s := 180*rnd.Uniform(uint64(3*i+1)), (rnd.Uniform(uint64(3*i+2))-.5)*p.Field
			sin, cos := math.Sincos(deg * math.Pi / 180)
			at := func(t float64) [3]float64 { return [3]float64{s*cos - t*sin, s*sin + t*cos, z} }
			got, want := o.Line(at(-p.Field), at(p.Field)), p.At(z).LineIntegral(deg, s)
			if math.Abs(got-want) > 1e-9 {
				t.Errorf("%s at z %g, %g degrees, s %g: %.12g nepers, the slice has %.12g", name, z, deg, s, got, want)
			}
		}
	}
}

// A slanted ray against the sum of the values along it.
func TestSolidSlanted(t *testing.T) {
	box := Shape{Kind: Rectangle, X: 3, A: 20, B: 12, Deg: 20, HU: 700, C: 9, Z: 2}
	ball := rod(5, 0, 6, 1000)
	ball.Z, ball.C = 8, 10
	lean := rod(-10, 4, 5, 400)
	lean.LeanX, lean.LeanY, lean.Clip = .5, -.25, []Clip{{30, 2}}
	p := one(box)
	p.Shapes = append(p.Shapes, ball, lean)
	o := p.Solid()
	for i, w := range [][2][3]float64{
		{{-80, -11, -17}, {70, 13, 24}}, {{-80, 30, 9}, {90, -40, 3}}, {{5, 0, -60}, {5, 0, 60}}, {{0, 0, 0}, {4, 30, 30}}, {{500, 0, 0}, {600, 1, 1}},
	} {
		const n = 40_000
		length, sum := 0.0, 0.0
		for k := range 3 {
			length += math.Pow(w[1][k]-w[0][k], 2)
		}
		for k := range n {
			f := (float64(k) + .5) / n
			at := func(j int) float64 { return w[0][j] + f*(w[1][j]-w[0][j]) }
			sum += p.MuWater * (1 + p.At(at(2)).HUAt(at(0), at(1))/1000)
		}
		want := sum / n * math.Sqrt(length)
		if got := o.Line(w[0], w[1]); math.Abs(got-want) > 2e-4 {
			t.Errorf("way %d: %g nepers, the values along it give %g", i, got, want)
		}
	}
}

// A point has no length, inside or outside.
func TestSolidPoint(t *testing.T) {
	p, _ := New("head", 0)
	for _, at := range [][3]float64{{}, {0, 0, 500}, {1e4, 0, 0}} {
		if got := p.Solid().Line(at, at); got != 0 {
			t.Errorf("%v: %g nepers", at, got)
		}
	}
}
