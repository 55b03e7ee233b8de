package ldm

import (
	"context"
	"math"
)

// Differentiable is a Model whose networks can be differentiated.
type Differentiable interface {
	Model
	// DecodeVJP writes u = D(z) and dz = J_D(z)' du.
	DecodeVJP(ctx context.Context, u, dz, z, du []float32) error
	// VelocityVJP writes v and dz = J_v(z)' dv at level l.
	VelocityVJP(ctx context.Context, v, dz, z []float32, l float64, cond *Condition, dv []float32) error
}

// GradientTerm is a measurement whose misfit can be differentiated.
type GradientTerm interface {
	DataTerm
	// Gradient writes that of |rho(u)|^2/2 with respect to u, and returns the mean
	// square of rho.
	Gradient(g, u []float32) float64
	// LeastSquares minimises |rho(u)|^2 from u0 by so many iterations of CGLS.
	LeastSquares(ctx context.Context, u, u0 []float32, iters int) error
	// Unit is the residual that one unit of rho stands for, in units of u times
	// pixels: published step sizes are in these.
	Unit() float64
}

// LatentOptions of a descent on |rho(D(z))|^2.
type LatentOptions struct {
	Iters int     // at most
	Rate  float64 // of Adam (Kingma and Ba 2015)
	Stop  float64 // mean square of rho that ends it: below 1 it fits noise
	Floor float64 // mean square of the autoencoder's own residual (Unit squared), added to Stop
}

// latentFit minimises the misfit of a decoded latent by Adam: the latent
// optimisation of ReSample, eq. 14.
type latentFit struct {
	mean, square, grad []float32
	u, gu              []float32
}

// fit moves z until the data are fitted to their noise, and returns the number
// of iterations and the last mean square.
func (f *latentFit) fit(ctx context.Context, m Differentiable, data GradientTerm, z []float32, o LatentOptions) (int, float64, error) {
	d := m.Dims()
	if len(f.mean) != d.Latent() {
		f.mean, f.square, f.grad = make([]float32, d.Latent()), make([]float32, d.Latent()), make([]float32, d.Latent())
		f.u, f.gu = make([]float32, d.Pixels()), make([]float32, d.Pixels())
	}
	clear(f.mean)
	clear(f.square)
	const b1, b2, tiny = 0.9, 0.999, 1e-8
	c1, c2, chi2 := 1.0, 1.0, math.NaN()
	stop := o.Stop + o.Floor/(data.Unit()*data.Unit())
	for k := 1; ; k++ {
		if err := m.Decode(ctx, f.u, z); err != nil {
			return k, chi2, err
		}
		if chi2 = data.Gradient(f.gu, f.u); chi2 <= stop || k > o.Iters {
			return k - 1, chi2, nil
		}
		if err := m.DecodeVJP(ctx, f.u, f.grad, z, f.gu); err != nil {
			return k, chi2, err
		}
		c1, c2 = c1*b1, c2*b2
		for i, g := range f.grad {
			f.mean[i] = b1*f.mean[i] + (1-b1)*g
			f.square[i] = b2*f.square[i] + (1-b2)*g*g
			z[i] -= float32(o.Rate * float64(f.mean[i]) / (1 - c1) / (math.Sqrt(float64(f.square[i])/(1-c2)) + tiny))
		}
	}
}
