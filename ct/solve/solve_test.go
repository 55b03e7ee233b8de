package solve_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"ctrecon/ct"
	"ctrecon/ct/solve"
)

// dense is a matrix as an operator.
type dense struct {
	rows, cols int
	a          []float32
}

func (d *dense) Dims() (int, int) { return d.rows, d.cols }
func (d *dense) Apply(dst, src []float32) {
	for i := range dst {
		s := 0.0
		for j, x := range src {
			s += float64(d.a[i*d.cols+j]) * float64(x)
		}
		dst[i] = float32(s)
	}
}
func (d *dense) Adjoint(dst, src []float32) {
	for j := range dst {
		s := 0.0
		for i, y := range src {
			s += float64(d.a[i*d.cols+j]) * float64(y)
		}
		dst[j] = float32(s)
	}
}

// gram adds A A' in one pass, so that Ridge takes its other way.
type gram struct {
	*dense
	tmp []float32
}

func (g *gram) Gram(dst, src []float32) {
	g.Adjoint(g.tmp, src)
	g.Apply(dst, g.tmp)
}

// problem is a random well-conditioned system with weights, one datum dead.
func problem(rows, cols int) (*dense, solve.Data, []float32) {
	n := func(step uint32, k int) []float32 {
		v := make([]float32, k)
		ct.NewStream(5, 0, 0, step).Normals(v, 0)
		return v
	}
	d := &dense{rows, cols, n(1, rows*cols)}
	for i := range d.a { // like a projector: no negative entries
		d.a[i] = max(d.a[i], -d.a[i])
	}
	w := n(2, rows)
	for i := range w {
		w[i] = 0.5 + max(w[i], -w[i])
	}
	w[3] = 0
	x := n(3, cols)
	y := make([]float32, rows)
	d.Apply(y, x)
	for i, e := range n(4, rows) {
		y[i] += 0.1 * e
	}
	y[3] = 1e6 // never read
	return d, solve.Data{Y: y, W: w}, n(6, cols)
}

// closedForm solves (A'W^2A + rho) x = A'W^2y + rho x0 by Cholesky.
func closedForm(d *dense, data solve.Data, x0 []float32, rho float64) []float64 {
	m, b := mat.NewSymDense(d.cols, nil), mat.NewVecDense(d.cols, nil)
	for j := range d.cols {
		for k := j; k < d.cols; k++ {
			s := 0.0
			for i := range d.rows {
				w := float64(data.W[i])
				s += w * w * float64(d.a[i*d.cols+j]) * float64(d.a[i*d.cols+k])
			}
			if j == k {
				s += rho
			}
			m.SetSym(j, k, s)
		}
		s := rho * float64(x0[j])
		for i := range d.rows {
			w := float64(data.W[i])
			s += w * w * float64(d.a[i*d.cols+j]) * float64(data.Y[i])
		}
		b.SetVec(j, s)
	}
	var c mat.Cholesky
	c.Factorize(m)
	var x mat.VecDense
	c.SolveVecTo(&x, b)
	return x.RawVector().Data
}

// distance relative to the wanted vector.
func distance(got []float32, want []float64) float64 {
	var d, w float64
	for i := range want {
		e := float64(got[i]) - want[i]
		d, w = d+e*e, w+want[i]*want[i]
	}
	return math.Sqrt(d / w)
}

// TestClosedForm: least squares and its regularised form against Cholesky. The
// bound is float32 rounding (6e-8) times the condition number of A'W^2A, some
// thousands.
func TestClosedForm(t *testing.T) {
	d, data, x0 := problem(40, 12)
	g := &gram{d, make([]float32, 12)}
	const rho = 3.0
	tests := []struct {
		name string
		rho  float64
		run  func(x []float32) (solve.Report, error)
	}{
		{"CGLS", 0, func(x []float32) (solve.Report, error) {
			return solve.NewCGLS(d).Solve(context.Background(), x, data, solve.CGLSOptions{MaxIter: 60, Tol: 1e-7})
		}},
		{"CGLS damped", rho, func(x []float32) (solve.Report, error) {
			return solve.NewCGLS(d).Solve(context.Background(), x, data, solve.CGLSOptions{MaxIter: 60, Tol: 1e-7, Damp: rho, Ref: x0})
		}},
		{"Ridge on images", rho, func(x []float32) (solve.Report, error) {
			return solve.NewRidge(d).Solve(context.Background(), x, data, x0, solve.RidgeOptions{Rho: rho, Tol: 1e-7, MaxIter: 60})
		}},
		{"Ridge on data", rho, func(x []float32) (solve.Report, error) {
			return solve.NewRidge(g).Solve(context.Background(), x, data, x0, solve.RidgeOptions{Rho: rho, Tol: 1e-7, MaxIter: 60})
		}},
	}
	for _, tt := range tests {
		x := make([]float32, 12)
		if _, err := tt.run(x); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if e := distance(x, closedForm(d, data, x0, tt.rho)); e > 2e-4 {
			t.Errorf("%s: relative distance %.2g from the closed form", tt.name, e)
		}
	}
}

// TestSIRTConverges: without a box SIRT goes to zero residual of consistent data,
// with one it stays inside.
func TestSIRTConverges(t *testing.T) {
	d, data, _ := problem(12, 12)
	truth := []float32{0, 1, 2, 0, 1, 3, 0, 1, 2, 5, 0, 1}
	d.Apply(data.Y, truth)
	x := make([]float32, 12)
	rep, err := solve.NewSIRT(d).Solve(context.Background(), x, data, solve.SIRTOptions{MaxIter: 3000, Lo: 0, Hi: 4})
	if err != nil || rep.Iterations != 3000 {
		t.Fatalf("%+v, %v", rep, err)
	}
	for i, v := range x {
		if v < 0 || v > 4 {
			t.Errorf("value %d is %g, outside the box", i, v)
		}
	}
	first := math.Inf(1)
	x = make([]float32, 12)
	solve.NewSIRT(d).Solve(context.Background(), x, data, solve.SIRTOptions{MaxIter: 400, Watch: func(k int, m float64) error {
		if m > first*(1+1e-5) {
			t.Errorf("misfit rose to %g in iteration %d", m, k)
		}
		first = m
		return nil
	}})
	if first > 1 {
		t.Errorf("misfit %g after 400 iterations", first)
	}
}

// TestTVDenoises: with A = identity and a step image, the closed form for one
// edge: each side moves towards the other by lambda times the length of the edge
// over the number of its pixels.
func TestTVDenoises(t *testing.T) {
	const w, h, lambda = 8, 6, 0.6
	id := &dense{w * h, w * h, make([]float32, w*h*w*h)}
	y, want := make([]float32, w*h), make([]float64, w*h)
	for i := range y {
		id.a[i*w*h+i] = 1
		y[i], want[i] = 1, 1+lambda/4
		if i%w >= w/2 {
			y[i], want[i] = 3, 3-lambda/4
		}
	}
	x := make([]float32, w*h)
	if _, err := solve.NewTV(id, w, h).Solve(context.Background(), x, solve.Data{Y: y}, solve.TVOptions{Lambda: lambda, Scale: 1, MaxIter: 2000}); err != nil {
		t.Fatal(err)
	}
	if e := distance(x, want); e > 1e-4 {
		t.Errorf("relative distance %.2g from the closed form: %v", e, x)
	}
}

func TestPowerNorm(t *testing.T) {
	d, data, _ := problem(20, 7)
	m := mat.NewDense(20, 7, nil)
	for i := range 20 {
		for j := range 7 {
			m.Set(i, j, float64(data.W[i])*float64(d.a[i*7+j]))
		}
	}
	var svd mat.SVD
	svd.Factorize(m, mat.SVDNone)
	if got, want := solve.PowerNorm(d, data.W, 100), svd.Values(nil)[0]; math.Abs(got/want-1) > 1e-3 {
		t.Errorf("PowerNorm = %g, want %g", got, want)
	}
}

// TestStops: a watcher's Stop, its error and a cancelled context end a solve.
func TestStops(t *testing.T) {
	d, data, _ := problem(40, 12)
	mine := errors.New("mine")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name  string
		ctx   context.Context
		watch solve.Watch
		want  error
	}{
		{"stop", context.Background(), func(k int, _ float64) error { return solve.Stop }, nil},
		{"an error", context.Background(), func(k int, _ float64) error { return mine }, mine},
		{"a cancelled context", cancelled, nil, context.Canceled},
	}
	for _, tt := range tests {
		x := make([]float32, 12)
		rep, err := solve.NewCGLS(d).Solve(tt.ctx, x, data, solve.CGLSOptions{MaxIter: 50, Watch: tt.watch})
		if !errors.Is(err, tt.want) || rep.Iterations != 1 {
			t.Errorf("%s: %d iterations, %v; want 1, %v", tt.name, rep.Iterations, err, tt.want)
		}
	}
}

// TestNoAllocation: solves on one work space allocate nothing.
func TestNoAllocation(t *testing.T) {
	d, data, x0 := problem(40, 12)
	g := &gram{d, make([]float32, 12)}
	x, ctx := make([]float32, 12), context.Background()
	cgls, ridge, sirt, tv := solve.NewCGLS(d), solve.NewRidge(g), solve.NewSIRT(d), solve.NewTV(d, 4, 3)
	for name, f := range map[string]func(){
		"CGLS":  func() { cgls.Solve(ctx, x, data, solve.CGLSOptions{MaxIter: 5}) },
		"Ridge": func() { ridge.Solve(ctx, x, data, x0, solve.RidgeOptions{Rho: 1, MaxIter: 5}) },
		"SIRT":  func() { sirt.Solve(ctx, x, data, solve.SIRTOptions{MaxIter: 5}) },
		"TV":    func() { tv.Solve(ctx, x, data, solve.TVOptions{Lambda: 1, Scale: 1, MaxIter: 5}) },
	} {
		if n := testing.AllocsPerRun(10, f); n != 0 {
			t.Errorf("%s: %g allocations a solve", name, n)
		}
	}
}
