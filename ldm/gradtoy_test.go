package ldm

import (
	"context"
	"math"

	"ctrecon/ct"

	"gonum.org/v1/gonum/mat"
)

// DecodeVJP and VelocityVJP make toyModel a Differentiable.
func (m *toyModel) DecodeVJP(ctx context.Context, u, dz, z, du []float32) error {
	m.apply(dz, m.dt, du, unit)
	return m.Decode(ctx, u, z)
}

func (m *toyModel) VelocityVJP(ctx context.Context, v, dz, z []float32, l float64, cond *Condition, dv []float32) error {
	if err := m.Velocity(ctx, dz, dv, l, cond); err != nil { // diagonal
		return err
	}
	return m.Velocity(ctx, v, z, l, cond)
}

var _ Differentiable = (*toyModel)(nil)

// gradData is a toyData that can be differentiated; its least squares are exact.
type gradData struct {
	*toyData
	inverse *mat.Dense // of a
	at      []float64  // transpose of a, by row
	asked   int        // gradients
	solved  int        // least squares
}

func newGradData(t *toy) *gradData {
	return &gradData{toyData: newToyData(t, pixel), inverse: pinv(t.a), at: mat.DenseCopyOf(t.a.T()).RawMatrix().Data}
}

var _ GradientTerm = (*gradData)(nil)

// residual sets res to y - A x.
func (d *gradData) residual(u []float32) {
	x := widen(d.wide, u)
	for j := range d.res {
		d.res[j] = d.y[j] - inner(d.a.RawRowView(j), x)/unit
	}
}

func (d *gradData) Gradient(g, u []float32) float64 {
	d.asked++
	d.residual(u)
	m := len(d.res)
	for i := range g {
		g[i] = float32(-inner(d.at[i*m:(i+1)*m], d.res) / (d.sigma * d.sigma * unit))
	}
	return inner(d.res, d.res) / (d.sigma * d.sigma * float64(m))
}

func (d *gradData) LeastSquares(_ context.Context, u, u0 []float32, _ int) error {
	d.solved++
	d.residual(u0)
	for i := range u {
		u[i] = u0[i] + float32(unit*inner(d.inverse.RawRowView(i), d.res))
	}
	return nil
}

func (d *gradData) Unit() float64 { return d.sigma * unit }

// pinv is the pseudo-inverse; singular values below 1e-8 of the largest are none.
func pinv(a mat.Matrix) *mat.Dense {
	var svd mat.SVD
	if !svd.Factorize(a, mat.SVDThin) {
		panic("no singular values")
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	s := svd.Values(nil)
	floor := 1e-8 * s[0]
	for i, x := range s {
		if s[i] = 0; x > floor {
			s[i] = 1 / x
		}
	}
	return mul(&v, diag(s), u.T())
}

// affine is the step z <- p z + q y + sd n of a sampler.
type affine struct {
	p, q *mat.Dense
	sd   float64
	fit  float64 // weight of the latent that the step optimised
}

// lawOf is the law that steps make of the starting noise N(0, I).
func (t *toy) lawOf(steps []affine) law {
	state := law{t.blank(), eye(len(t.s))}
	for _, s := range steps {
		state = state.step(s.p, s.q, scaled(s.sd*s.sd, eye(len(t.s))))
	}
	return state
}

// blank is the gain of a latent that no datum has touched.
func (t *toy) blank() *mat.Dense {
	m, k := t.h.Dims()
	return mat.NewDense(k, m, nil)
}

// follow is the latent that steps make of a sampler's random numbers: its starting
// noise is stream 0, that of step i stream i+1. bound is what float32 may add to a
// mode, and slack, the error of an optimised latent. A step rounds some eight
// times, to 2^-24 of the largest number that it sees; roundings of different steps
// are independent and add in square, slack adds linearly.
func follow(steps []affine, y, slack []float64, stream func(uint32) ct.Stream) (z, bound []float64) {
	k := len(slack)
	n := make([]float32, k)
	stream(0).Normals(n, 0)
	z, bound = widen(make([]float64, k), n), make([]float64, k)
	rounding := make([]float64, k)
	for i, s := range steps {
		stream(uint32(i+1)).Normals(n, 0)
		next, nextBound, nextRounding := make([]float64, k), make([]float64, k), make([]float64, k)
		top := 0.0
		for r := range next {
			for c, x := range s.p.RawRowView(r) {
				next[r] += x * z[c]
				nextBound[r] += math.Abs(x) * bound[c]
				nextRounding[r] += square(x * rounding[c])
			}
			next[r] += inner(s.q.RawRowView(r), y) + s.sd*float64(n[r])
			nextBound[r] += s.fit * slack[r]
			top = max(top, math.Abs(next[r]), math.Abs(z[r]))
		}
		for r, v := range nextRounding {
			nextRounding[r] = math.Sqrt(v + square(8*top/(1<<24)))
		}
		z, bound, rounding = next, nextBound, nextRounding
	}
	for r, v := range rounding {
		bound[r] += v
	}
	return z, bound
}

// solvable sets y to H z for a latent of the prior: a fit can reach it.
func (t *toy) solvable(y []float64) {
	z := widen(make([]float64, len(t.s)), normals(len(t.s), 30))
	for i, s := range t.s {
		z[i] *= math.Sqrt(s)
	}
	for j := range y {
		y[j] = inner(t.h.RawRowView(j), z)
	}
}

// steps names streams by the step of a sampler alone.
func steps(seed uint64) func(step uint32) ct.Stream {
	return func(step uint32) ct.Stream { return ct.NewStream(seed, 0, 0, step) }
}
