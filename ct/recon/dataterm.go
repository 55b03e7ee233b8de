package recon

import (
	"context"
	"math"

	"ctrecon/ct"
	"ctrecon/ct/solve"
	"ctrecon/ldm"
	"ctrecon/radon"
)

// modelError is the discretisation error of data against pixels, in nepers: the
// residual of true images on held-out slices (docs/results.md).
const modelError = 0.004

// linearData is the data term of a linear measurement with Gaussian noise in the
// units of a model: mu = gain*(u+shift), rho = W(A mu - y).
type linearData struct {
	A           solve.LinearOperator
	ridge       *solve.Ridge
	cgls        *solve.CGLS // made when first used
	unit        float64
	bins        int     // of a view
	area        float64 // of the image, mm^2
	gain, shift float64
	y, w, yd    []float32
	mu, sino    []float32
}

var _ ldm.DataTerm = (*linearData)(nil)

func newLinearData(a solve.LinearOperator, ridge *solve.Ridge, s *ct.Sinogram, muWater, pixel float64, rng ldm.Range) *linearData {
	m, n := a.Dims()
	d := &linearData{A: a, ridge: ridge, gain: muWater * rng.Half / 1000, shift: (1000 + rng.Mid) / rng.Half, y: s.Data, bins: s.Bins, area: float64(n) * pixel * pixel,
		w: make([]float32, m), yd: make([]float32, m), mu: make([]float32, n), sino: make([]float32, m)}
	whitenModel(s, d.w)
	sum, n := 0.0, 0
	for _, w := range d.w {
		if w > 0 {
			sum, n = sum+float64(w), n+1
		}
	}
	d.unit = float64(max(1, n)) / sum / (d.gain * pixel)
	return d
}

// whitenModel writes weights of noise and discretisation error together.
func whitenModel(s *ct.Sinogram, w []float32) {
	whiten(s, w)
	for i, v := range w {
		if v > 0 {
			w[i] = float32(1 / math.Hypot(1/float64(v), modelError))
		}
	}
}

func (d *linearData) toUnit(u, mu []float32) {
	for i, v := range mu {
		u[i] = float32(float64(v)/d.gain - d.shift)
	}
}

func (d *linearData) toMu(mu, u []float32) {
	for i, v := range u {
		mu[i] = float32(d.gain * (float64(v) + d.shift))
	}
}

// Len is the number of data.
func (d *linearData) Len() int { return len(d.y) }

// Solve is regularised least squares in mu.
func (d *linearData) Solve(ctx context.Context, u, u0, dy []float32, r2, tol float64, iters int) error {
	copy(d.yd, d.y)
	for i, z := range dy {
		if w := d.w[i]; w > 0 {
			d.yd[i] += z / w
		}
	}
	d.toMu(d.mu, u0)
	_, err := d.ridge.Solve(ctx, d.mu, solve.Data{Y: d.yd, W: d.w}, d.mu, solve.RidgeOptions{Rho: 1 / (r2 * d.gain * d.gain), Tol: tol, MaxIter: iters})
	d.toUnit(u, d.mu)
	return err
}

// response is the mean square of W A u for an image u alone: how strongly the data
// see it.
func (d *linearData) response(u []float32) float64 {
	for i, v := range u {
		d.mu[i] = float32(d.gain * float64(v))
	}
	d.A.Apply(d.sino, d.mu)
	sum, n := 0.0, 0
	for i, w := range d.w {
		if w > 0 {
			z := float64(w) * float64(d.sino[i])
			sum, n = sum+z*z, n+1
		}
	}
	return sum / float64(max(1, n))
}

// residual leaves A mu - y of an image u in sino.
func (d *linearData) residual(u []float32) {
	d.toMu(d.mu, u)
	d.A.Apply(d.sino, d.mu)
	for i, v := range d.y {
		d.sino[i] -= v
	}
}

// Chi2 is the mean square of the weighted residual.
func (d *linearData) Chi2(u []float32) float64 {
	d.residual(u)
	sum, n := 0.0, 0
	for i, w := range d.w {
		if w > 0 {
			z := float64(w) * float64(d.sino[i])
			sum, n = sum+z*z, n+1
		}
	}
	return sum / float64(max(1, n))
}

// Deviation is how far the image u is from the object, in 1/mm, root mean square
// over the grid, with no knowledge of what its error looks like: by the Fourier slice
// theorem the transform of a projected error is a line through the error's own, and
// so the integral of |f| times its power, mean over the views and times pi, is that
// over the plane. That holds for parallel views all around, and about for others.
// What the noise alone adds is taken off; 0 when nothing is left.
func (d *linearData) Deviation(u []float32) float64 {
	d.residual(u)
	sum, views := 0.0, len(d.y)/d.bins
	for i, w := range d.w {
		if w > 0 {
			sum -= radon.Ramp(0) / (float64(w) * float64(w))
		} else {
			d.sino[i] = 0
		}
	}
	for v := range views {
		sum += ramped(d.sino[v*d.bins : (v+1)*d.bins])
	}
	return math.Sqrt(max(0, math.Pi*sum/float64(max(1, views))/d.area))
}

// ramped is the inner product of r and its convolution with the ramp filter, times
// the square of the bins' distance.
func ramped(r []float32) float64 {
	sum := 0.0
	for k := range r {
		tap := radon.Ramp(k)
		if tap == 0 {
			continue
		}
		if k > 0 {
			tap *= 2 // both sides
		}
		part := 0.0
		for i, x := range r[k:] {
			part += float64(x) * float64(r[i])
		}
		sum += tap * part
	}
	return sum
}

var _ ldm.GradientTerm = (*linearData)(nil)

// Gradient writes gain A'W W(A mu - y), that of half the sum of squares, and
// returns their mean.
func (d *linearData) Gradient(g, u []float32) float64 {
	d.residual(u)
	sum, n := 0.0, 0
	for i, w := range d.w {
		z := w * d.sino[i]
		if w > 0 {
			sum, n = sum+float64(z)*float64(z), n+1
		}
		d.sino[i] = w * z
	}
	d.A.Adjoint(g, d.sino)
	for i := range g {
		g[i] *= float32(d.gain)
	}
	return sum / float64(max(1, n))
}

// LeastSquares is CGLS in mu.
func (d *linearData) LeastSquares(ctx context.Context, u, u0 []float32, iters int) error {
	if d.cgls == nil {
		d.cgls = solve.NewCGLS(d.A)
	}
	d.toMu(d.mu, u0)
	_, err := d.cgls.Solve(ctx, d.mu, solve.Data{Y: d.y, W: d.w}, solve.CGLSOptions{MaxIter: iters})
	d.toUnit(u, d.mu)
	return err
}

// Unit is one standard deviation of the data in units of u times pixels.
func (d *linearData) Unit() float64 { return d.unit }
