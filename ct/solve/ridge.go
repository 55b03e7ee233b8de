package solve

import (
	"context"
	"math"
)

// Ridge minimises |W(Ax-y)|^2 + rho |x-x0|^2, the data-consistency step of a
// sampler. With x = x0 + A'W z every vector of the conjugate gradients is a
// sinogram and an iteration costs one A A' (the iterates are those of CG on
// images: an inner product of two images A'W a and A'W b is that of a and
// W A A'W b). Without a [GramOperator] it is [CGLS] with damping.
//
// One goroutine uses it at a time.
type Ridge struct {
	op          LinearOperator
	gram        GramOperator
	white       white
	z, s, t     []float32
	dir, u, tmp []float32
	img         []float32
	cgls        *CGLS
}

// NewRidge makes the work space for op: eight sinograms and an image, or that of
// CGLS.
func NewRidge(op LinearOperator) *Ridge {
	g, ok := op.(GramOperator)
	if !ok {
		return &Ridge{op: op, cgls: NewCGLS(op)}
	}
	m, n := op.Dims()
	v := &Ridge{op: op, gram: g, white: newWhite(m), img: make([]float32, n)}
	for _, p := range []*[]float32{&v.z, &v.s, &v.t, &v.dir, &v.u, &v.tmp} {
		*p = make([]float32, m)
	}
	return v
}

// RidgeOptions of a solve. MaxIter is needed.
type RidgeOptions struct {
	Rho     float64 // weight of |x-x0|^2; with whitened data 1/r^2 for a prior deviation r
	Tol     float64 // the solve ends when the gradient has fallen to this part of that at x0
	MaxIter int
	Watch   Watch
}

// Solve writes the minimiser to x, which may be x0. It returns the error of ctx
// or of the watcher, with x as far as it came. Nothing is allocated.
func (v *Ridge) Solve(ctx context.Context, x []float32, d Data, x0 []float32, o RidgeOptions) (Report, error) {
	_, n := v.op.Dims()
	same("image", len(x), n)
	same("x0", len(x0), n)
	if v.cgls != nil {
		if &x[0] == &x0[0] {
			x0 = nil // CGLS keeps the start
		} else {
			copy(x, x0)
		}
		return v.cgls.Solve(ctx, x, d, CGLSOptions{MaxIter: o.MaxIter, Tol: o.Tol, Damp: o.Rho, Ref: x0, Watch: o.Watch})
	}
	v.white.set(d)
	rep, err := v.iterate(ctx, x0, o)
	mul(v.tmp, v.z, v.white.w)
	v.op.Adjoint(v.img, v.tmp)
	x, x0 = x[:len(v.img)], x0[:len(v.img)]
	for i, e := range v.img {
		x[i] = x0[i] + e
	}
	return rep, err
}

func (v *Ridge) iterate(ctx context.Context, x0 []float32, o RidgeOptions) (Report, error) {
	g := v.start(x0)
	first := g
	copy(v.dir, v.s)
	copy(v.u, v.t)
	uu, wu := dot(v.u, v.u), dot(v.dir, v.u)
	rep := Report{}
	for {
		rep.Residual = ratio(g, first)
		rep.Converged = g <= 0 || rep.Residual <= o.Tol
		if rep.Converged || rep.Iterations >= o.MaxIter {
			rep.Misfit = v.misfit(o.Rho)
			return rep, nil
		}
		g, uu, wu = v.step(g, uu, wu, o.Rho)
		rep.Iterations++
		m := math.NaN()
		if o.Watch != nil {
			m = v.misfit(o.Rho)
		}
		if on, err := goOn(ctx, o.Watch, rep.Iterations, m); !on {
			rep.Residual, rep.Misfit = ratio(g, first), v.misfit(o.Rho)
			return rep, err
		}
	}
}

// start sets z = 0, s = W(y-A x0), t = K s and gives <s, t>, the squared norm of
// the gradient in the image.
func (v *Ridge) start(x0 []float32) float64 {
	v.op.Apply(v.tmp, x0)
	for i, w := range v.white.w {
		v.s[i] = v.white.b[i] - w*v.tmp[i]
		v.z[i] = 0
	}
	mul(v.tmp, v.s, v.white.w)
	v.gram.Gram(v.t, v.tmp)
	return v.whiten()
}

// step is one iteration: z and s move along dir, K s is made, the direction is
// renewed. It gives the new <s,t>, <u,u> and <dir,u>.
func (v *Ridge) step(g, uu, wu, rho float64) (gn, uun, wun float64) {
	den := uu + rho*wu
	if den <= 0 {
		return 0, uu, wu
	}
	a := float32(g / den)
	b := a * float32(rho)
	n := len(v.z)
	z, s, dir, u, w, tmp := v.z, v.s[:n], v.dir[:n], v.u[:n], v.white.w[:n], v.tmp[:n]
	for i := range z {
		z[i] += a * dir[i]
		s[i] -= a*u[i] + b*dir[i]
		tmp[i] = w[i] * s[i]
	}
	v.gram.Gram(v.t, v.tmp)
	gn = v.whiten()
	c := float32(gn / g)
	t := v.t[:n]
	for i := range z {
		dir[i] = s[i] + c*dir[i]
		u[i] = t[i] + c*u[i]
	}
	return gn, dot(u, u), dot(dir, u)
}

// whiten completes t = W A A'W s and gives <s, t>.
func (v *Ridge) whiten() float64 {
	mul(v.t, v.t, v.white.w)
	return dot(v.s, v.t)
}

// misfit is |W(y-Ax)|^2 per live datum; the residual is s + rho z.
func (v *Ridge) misfit(rho float64) float64 {
	sum := 0.0
	for i, s := range v.s {
		r := float64(s) + rho*float64(v.z[i])
		sum += r * r
	}
	return v.white.misfit(sum)
}
