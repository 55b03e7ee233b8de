package radon

import (
	"math"

	"ctrecon/ct"
)

// ellipse of an analytic phantom: centre, half axes (mm), rotation in degrees
// (y up), value added inside (1/mm).
type ellipse struct{ x, y, a, b, deg, v float64 }

// sheppLogan is the modified (high-contrast) Shepp-Logan head of half width r.
func sheppLogan(r float64) []ellipse {
	unit := []ellipse{
		{0, 0, .69, .92, 0, 1}, {0, -.0184, .6624, .874, 0, -.8},
		{.22, 0, .11, .31, -18, -.2}, {-.22, 0, .16, .41, 18, -.2},
		{0, .35, .21, .25, 0, .1}, {0, .1, .046, .046, 0, .1}, {0, -.1, .046, .046, 0, .1},
		{-.08, -.605, .046, .023, 0, .1}, {0, -.606, .023, .023, 0, .1}, {.06, -.605, .023, .046, 0, .1},
	}
	for i := range unit {
		e := &unit[i]
		e.x, e.y, e.a, e.b = e.x*r, e.y*r, e.a*r, e.b*r
	}
	return unit
}

// offCentre is a phantom without symmetry, so that mirrors and turns show.
func offCentre(r float64) []ellipse {
	return []ellipse{{.1 * r, -.2 * r, .6 * r, .4 * r, 25, 1}, {.4 * r, .3 * r, .15 * r, .15 * r, 0, 2}, {-.3 * r, .1 * r, .1 * r, .2 * r, 70, -.5}}
}

func disc(x, y, r, mu float64) []ellipse { return []ellipse{{x, y, r, r, 0, mu}} }

// bins are the exact averages of the line integrals over each bin.
func bins(es []ellipse, g ct.Geometry) []float32 {
	out := make([]float32, g.Len())
	for v, deg := range g.Angles {
		for k := range g.Bins {
			lo, hi := g.S(k)-g.BinSize/2, g.S(k)+g.BinSize/2
			sum := 0.0
			for _, e := range es {
				sum += e.integral(deg, hi) - e.integral(deg, lo)
			}
			out[v*g.Bins+k] = float32(sum / g.BinSize)
		}
	}
	return out
}

// shadow is the centre and half width of the ellipse seen along deg.
func (e ellipse) shadow(deg float64) (centre, half float64) {
	sin, cos := math.Sincos(deg * math.Pi / 180)
	sp, cp := math.Sincos((deg - e.deg) * math.Pi / 180)
	return e.x*cos + e.y*sin, math.Hypot(e.a*cp, e.b*sp)
}

// integral of the chords from minus infinity to s.
func (e ellipse) integral(deg, s float64) float64 {
	s0, a := e.shadow(deg)
	x := math.Max(-1, math.Min(1, (s-s0)/a))
	return e.v * e.a * e.b * (x*math.Sqrt(1-x*x) + math.Asin(x))
}

// chord is the line integral at s.
func (e ellipse) chord(deg, s float64) float64 {
	s0, a := e.shadow(deg)
	x := (s - s0) / a
	if x*x >= 1 {
		return 0
	}
	return e.v * e.a * e.b * 2 / a * math.Sqrt(1-x*x)
}

// raster gives pixel averages over n x n points.
func raster(es []ellipse, g ct.Grid, n int) []float32 {
	out := make([]float32, g.Len())
	for _, e := range es {
		sin, cos := math.Sincos(e.deg * math.Pi / 180)
		for i := range out {
			cx, cy := g.XY(i/g.W, i%g.W)
			hits := 0
			for j := range n * n {
				x := cx + ((float64(j%n)+.5)/float64(n)-.5)*g.DX - e.x
				y := cy + ((float64(j/n)+.5)/float64(n)-.5)*g.DY - e.y
				u, w := (x*cos+y*sin)/e.a, (-x*sin+y*cos)/e.b
				if u*u+w*w <= 1 {
					hits++
				}
			}
			out[i] += float32(e.v * float64(hits) / float64(n*n))
		}
	}
	return out
}

// relErr is |got-want| / |want|.
func relErr[T, U float32 | float64](got []T, want []U) float64 {
	d, n := 0.0, 0.0
	for i, w := range want {
		e := float64(got[i]) - float64(w)
		d += e * e
		n += float64(w) * float64(w)
	}
	if n == 0 {
		return math.Sqrt(d)
	}
	return math.Sqrt(d / n)
}

// psnr of got against want for a range of values of 1.
func psnr(got, want []float32) float64 {
	s := 0.0
	for i := range got {
		d := float64(got[i]) - float64(want[i])
		s += d * d
	}
	return -10 * math.Log10(s/float64(len(got)))
}
