package solve

import "context"

// SIRT is the simultaneous iterative reconstruction technique on a box:
// x <- clip(x + C A'R(y-Ax)), with R and C the inverse row and column sums of A
// (van der Sluis and van der Vorst, Linear Algebra Appl. 130, 1990; Gregor and
// Benson, IEEE Trans. Med. Imaging 27, 2008). It needs an operator without
// negative entries. One goroutine uses it at a time.
type SIRT struct {
	op      LinearOperator
	white   white
	rowSums []float32 // inverse, of all rows
	r, c    []float32 // R over live rows, C of them
	e       []float32
	g       []float32
}

// NewSIRT makes the work space for op and its row sums.
func NewSIRT(op LinearOperator) *SIRT {
	m, n := op.Dims()
	v := &SIRT{op: op, white: newWhite(m), rowSums: make([]float32, m), r: make([]float32, m), e: make([]float32, m),
		c: make([]float32, n), g: make([]float32, n)}
	fill(v.g, 1)
	op.Apply(v.rowSums, v.g)
	invert(v.rowSums)
	return v
}

// seen is the smallest row or column sum that counts as seeing anything.
const seen = 1e-6

// invert replaces sums by their inverses, 0 where nothing is seen.
func invert(x []float32) {
	for i, v := range x {
		x[i] = 0
		if v > seen {
			x[i] = 1 / v
		}
	}
}

// SIRTOptions of a solve. MaxIter is needed; a box of zeros is no box.
type SIRTOptions struct {
	MaxIter int
	// Misfit ends the solve when |W(Ax-y)|^2 per live datum has fallen to it. 0
	// never ends it.
	Misfit float64
	Lo, Hi float32 // the box; Lo = Hi means none
	Watch  Watch
}

// Solve iterates from x, which it replaces. The weights of d say which data are
// live and measure the misfit; the iteration itself weighs rows by R, as is
// usual. It returns the error of ctx or of the watcher, with x as far as it
// came. Nothing is allocated.
func (v *SIRT) Solve(ctx context.Context, x []float32, d Data, o SIRTOptions) (Report, error) {
	same("image", len(x), len(v.g))
	v.white.set(d)
	v.weigh()
	rep := Report{Residual: nan}
	for {
		rep.Misfit = v.residual(x)
		if rep.Iterations > 0 {
			if on, err := goOn(ctx, o.Watch, rep.Iterations, rep.Misfit); !on {
				return rep, err
			}
		}
		rep.Converged = rep.Misfit <= o.Misfit
		if rep.Converged || rep.Iterations >= o.MaxIter {
			return rep, nil
		}
		v.op.Adjoint(v.g, v.e)
		update(x, v.g, v.c, o)
		rep.Iterations++
	}
}

// weigh makes R and C for the live rows.
func (v *SIRT) weigh() {
	for i, w := range v.white.w {
		v.r[i], v.e[i] = 0, 0
		if w != 0 {
			v.r[i], v.e[i] = v.rowSums[i], 1
		}
	}
	v.op.Adjoint(v.c, v.e)
	invert(v.c)
}

// residual writes R(y-Ax) to e and gives the misfit.
func (v *SIRT) residual(x []float32) float64 {
	v.op.Apply(v.e, x)
	n := len(v.e)
	r, w, b := v.r[:n], v.white.w[:n], v.white.b[:n]
	sum := 0.0
	for i, ax := range v.e {
		if w[i] == 0 {
			v.e[i] = 0
			continue
		}
		e := b[i] - w[i]*ax
		sum += float64(e) * float64(e)
		v.e[i] = r[i] * e / w[i]
	}
	return v.white.misfit(sum)
}

func update(x, g, c []float32, o SIRTOptions) {
	g, c = g[:len(x)], c[:len(x)]
	if o.Lo == o.Hi {
		for i := range x {
			x[i] += c[i] * g[i]
		}
		return
	}
	for i, v := range x {
		x[i] = min(max(v+c[i]*g[i], o.Lo), o.Hi)
	}
}
