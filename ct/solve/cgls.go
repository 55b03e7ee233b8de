package solve

import "context"

// CGLS is the conjugate gradient method for least squares (Hestenes and Stiefel
// 1952; Bjorck, Numerical Methods for Least Squares Problems, 1996, alg. 7.4.1)
// with its work space: three images and four sinograms. One goroutine uses it
// at a time.
type CGLS struct {
	op      LinearOperator
	white   white
	r, q    []float32
	s, p, g []float32
}

// NewCGLS makes the work space for op.
func NewCGLS(op LinearOperator) *CGLS {
	m, n := op.Dims()
	return &CGLS{op: op, white: newWhite(m), r: make([]float32, m), q: make([]float32, m),
		s: make([]float32, n), p: make([]float32, n)}
}

// CGLSOptions of a solve. The zero value does nothing: MaxIter is needed.
type CGLSOptions struct {
	MaxIter int
	// Misfit ends the solve when |W(Ax-y)|^2 per live datum has fallen to it: the
	// discrepancy principle is Misfit 1. 0 never ends it.
	Misfit float64
	// Tol ends the solve when the gradient has fallen to this part of its first
	// norm. 0 never ends it.
	Tol   float64
	Damp  float64   // weight of |x-Ref|^2
	Ref   []float32 // nil is the start
	Watch Watch
}

// Solve minimises |W(Ax-y)|^2 + Damp |x-Ref|^2, started at x, which it replaces.
// It returns the error of ctx or of the watcher, with x as far as it came.
// Nothing is allocated, but for a copy of the start at the first damped solve
// without Ref.
func (c *CGLS) Solve(ctx context.Context, x []float32, d Data, o CGLSOptions) (Report, error) {
	same("image", len(x), len(c.s))
	if o.Ref != nil {
		same("reference", len(o.Ref), len(c.s))
	} else if o.Damp != 0 {
		o.Ref = c.copyOf(x)
	}
	c.white.set(d)
	c.op.Apply(c.q, x)
	for i, w := range c.white.w {
		c.r[i] = c.white.b[i] - w*c.q[i]
	}
	gamma := c.gradient(x, o)
	copy(c.p, c.s)
	first := gamma
	rep := Report{Misfit: c.white.misfit(dot(c.r, c.r))}
	for {
		rep.Residual = ratio(gamma, first)
		rep.Converged = gamma == 0 || rep.Misfit <= o.Misfit || rep.Residual <= o.Tol
		if rep.Converged || rep.Iterations >= o.MaxIter {
			return rep, nil
		}
		gamma = c.iterate(x, gamma, o)
		rep.Iterations++
		rep.Misfit = c.white.misfit(dot(c.r, c.r))
		if on, err := goOn(ctx, o.Watch, rep.Iterations, rep.Misfit); !on {
			rep.Residual = ratio(gamma, first)
			return rep, err
		}
	}
}

// copyOf keeps the start as the reference; the space is made once.
func (c *CGLS) copyOf(x []float32) []float32 {
	if c.g == nil {
		c.g = make([]float32, len(x))
	}
	copy(c.g, x)
	return c.g
}

// iterate makes one step and gives the squared norm of the new gradient.
func (c *CGLS) iterate(x []float32, gamma float64, o CGLSOptions) float64 {
	c.op.Apply(c.q, c.p)
	mul(c.q, c.q, c.white.w)
	den := dot(c.q, c.q)
	if o.Damp != 0 {
		den += o.Damp * dot(c.p, c.p)
	}
	if den == 0 { // the direction is in the null space: nothing can be gained
		return 0
	}
	a := float32(gamma / den)
	axpy(x, a, c.p)
	axpy(c.r, -a, c.q)
	next := c.gradient(x, o)
	b := float32(next / gamma)
	p, s := c.p, c.s[:len(c.p)]
	for i := range p {
		p[i] = s[i] + b*p[i]
	}
	return next
}

// gradient writes A'W r - Damp (x-Ref) to s and gives its squared norm.
func (c *CGLS) gradient(x []float32, o CGLSOptions) float64 {
	mul(c.q, c.r, c.white.w)
	c.op.Adjoint(c.s, c.q)
	if o.Damp != 0 {
		damp := float32(o.Damp)
		x, ref := x[:len(c.s)], o.Ref[:len(c.s)]
		for i := range c.s {
			c.s[i] -= damp * (x[i] - ref[i])
		}
	}
	return dot(c.s, c.s)
}
