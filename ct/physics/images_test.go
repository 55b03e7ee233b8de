package physics

import (
	"math"

	"ctrecon/ct"
)

// blurredDisc is a disc of the given contrast under a Gaussian of deviation s,
// sampled at the pixels' centres: at r from the middle its value is the integral
// of rho/s^2 exp(-(rho-r)^2/2s^2) I0e(rho r/s^2) over the disc.
func blurredDisc(g ct.Grid, d Disc, s, contrast float64) []float32 {
	const fine = 40.0 // points a mm
	n := int((d.R + 1.9*d.R) * fine)
	table := make([]float64, n)
	for i := range table {
		r := float64(i) / fine
		const steps = 2000
		for k := range steps {
			rho := d.R * (float64(k) + 0.5) / steps
			if z := (rho - r) / s; math.Abs(z) < 9 {
				table[i] += d.R / steps * rho / (s * s) * math.Exp(-z*z/2) * i0e(rho*r/(s*s))
			}
		}
	}
	out := make([]float32, g.Len())
	for i := range out {
		x, y := g.XY(i/g.W, i%g.W)
		p := math.Hypot(x-d.X, y-d.Y) * fine
		if k := int(p); k+1 < n {
			out[i] = float32(contrast * (table[k] + (p-float64(k))*(table[k+1]-table[k])))
		}
	}
	return out
}

// i0e is exp(-x) I0(x) (Abramowitz and Stegun 9.8.1, 9.8.2; 2e-7).
func i0e(x float64) float64 {
	if x < 3.75 {
		t := x / 3.75
		t *= t
		return math.Exp(-x) * (1 + t*(3.5156229+t*(3.0899424+t*(1.2067492+t*(.2659732+t*(.0360768+t*.0045813))))))
	}
	t := 3.75 / x
	return (.39894228 + t*(.01328592+t*(.00225319+t*(-.00157565+t*(.00916281+t*(-.02057706+t*(.02635537+t*(-.01647633+t*.00392377)))))))) / math.Sqrt(x)
}

// noisy are k copies of base (nil: zeros) with white noise of deviation sd.
func noisy(g ct.Grid, base []float32, k int, sd float64, seed uint64) [][]float32 {
	out := make([][]float32, k)
	for d := range out {
		out[d] = make([]float32, g.Len())
		ct.NewStream(seed, d, 0, 0).Normals(out[d], 0)
		for i := range out[d] {
			out[d][i] *= float32(sd)
			if base != nil {
				out[d][i] += base[i]
			}
		}
	}
	return out
}

// smooth convolves a periodic image of n x n pixels with [1 2 1]/4 both ways: its
// transfer is cos^2(pi fx dx) cos^2(pi fy dx).
func smooth(im []float32, n int) []float32 {
	for range 2 {
		out := make([]float32, len(im))
		for i := range im {
			r, c := i/n, i%n
			a, b := im[r*n+(c+1)%n], im[r*n+(c+n-1)%n]
			out[c*n+r] = im[i]/2 + a/4 + b/4 // transposed: the next pass is the other way
		}
		im = out
	}
	return im
}
