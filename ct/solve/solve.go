package solve

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Data is the measured side of a system: the solvers work on W(Ax-y).
type Data struct {
	Y []float32 // rows values; not read where the weight is 0
	W []float32 // rows weights 1/sigma, 0 where nothing was measured; nil means 1 everywhere
}

// Weights writes 1/sigma to dst: 0 where sigma is +Inf (dead, masked). sigma
// must be positive. It panics when the lengths differ.
func Weights(dst, sigma []float32) {
	same("sigma", len(sigma), len(dst))
	for i, s := range sigma {
		dst[i] = 1 / s
	}
}

// Watch follows a solve: it is called after each iteration with the number of
// iterations done and the misfit |W(Ax-y)|^2 per live datum (NaN where it would
// cost a projection). An error ends the solve and is returned; [Stop] ends it
// without an error.
type Watch func(iteration int, misfit float64) error

// Stop is returned by a Watch that has seen enough.
var Stop = errors.New("stop")

// Report tells how a solve ended.
type Report struct {
	Iterations int
	Misfit     float64 // |W(Ax-y)|^2 per live datum at the end, NaN where it was not computed
	Residual   float64 // norm of the gradient relative to the start, NaN for methods that have none
	Converged  bool    // the stopping rule was met before the last iteration allowed
}

// goOn asks the watcher and ctx after an iteration: whether to go on, and the
// error to return if not.
func goOn(ctx context.Context, w Watch, k int, misfit float64) (on bool, err error) {
	if w != nil {
		if err := w(k, misfit); err != nil {
			if errors.Is(err, Stop) {
				return false, nil
			}
			return false, err
		}
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return true, nil
}

// white holds whitened data: w, b = W y and the number of live data.
type white struct {
	w, b []float32
	live int
}

func newWhite(rows int) white {
	return white{w: make([]float32, rows), b: make([]float32, rows)}
}

// set copies d; a datum of weight 0 becomes 0, whatever stands there.
func (v *white) set(d Data) {
	same("data", len(d.Y), len(v.b))
	if d.W != nil {
		same("weights", len(d.W), len(v.w))
	}
	v.live = 0
	for i, y := range d.Y {
		w := float32(1)
		if d.W != nil {
			w = d.W[i]
		}
		v.w[i], v.b[i] = w, 0
		if w != 0 {
			v.b[i] = w * y
			v.live++
		}
	}
}

// misfit is a sum of squares per live datum.
func (v *white) misfit(sum float64) float64 {
	if v.live == 0 {
		return 0
	}
	return sum / float64(v.live)
}

// dot is the inner product in four float64 chains.
func dot(a, b []float32) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += float64(a[0]) * float64(b[0])
		s1 += float64(a[1]) * float64(b[1])
		s2 += float64(a[2]) * float64(b[2])
		s3 += float64(a[3]) * float64(b[3])
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += float64(v) * float64(b[i])
	}
	return s0 + s1 + s2 + s3
}

// axpy adds a*x to y.
func axpy(y []float32, a float32, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += a * x[i]
	}
}

// mul writes a*b to dst.
func mul(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

func same(what string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("solve: %s of %d values, want %d", what, got, want))
	}
}

// ratio is sqrt(a/b), 0 when both are 0.
func ratio(a, b float64) float64 {
	if a <= 0 {
		return 0
	}
	return math.Sqrt(a / b)
}
