package optest

import (
	"math"
	"strings"
	"testing"
)

// dense is a small matrix, and a bug that the test puts in.
type dense struct {
	rows, cols int
	a          []float32
	bug        string
	calls      int
}

func newDense(bug string) *dense {
	return &dense{rows: 5, cols: 3, a: Normals(15, 9), bug: bug}
}

func (d *dense) Dims() (rows, cols int) { return d.rows, d.cols }

func (d *dense) must(dst, src []float32, out, in int) {
	if d.bug != "length" && (len(dst) != out || len(src) != in) {
		panic("wrong length")
	}
}

func (d *dense) Apply(dst, src []float32) {
	d.must(dst, src, d.rows, d.cols)
	d.calls++
	for i := range min(d.rows, len(dst)) {
		s := float32(0)
		for j := range min(d.cols, len(src)) {
			s += d.a[i*d.cols+j] * src[j]
		}
		dst[i] = s
	}
	switch d.bug {
	case "source":
		src[0]++
	case "stale":
		dst[1] = float32(math.NaN())
	case "memory":
		dst[2] += float32(d.calls)
	case "offset":
		dst[0] += 1
	}
}

func (d *dense) Adjoint(dst, src []float32) {
	d.must(dst, src, d.cols, d.rows)
	clear(dst)
	for i := range min(d.rows, len(src)) {
		for j := range min(d.cols, len(dst)) {
			dst[j] += d.a[i*d.cols+j] * src[i]
		}
	}
	if d.bug == "transpose" {
		dst[2] *= 1.001
	}
}

func (d *dense) Gram(dst, src []float32) {
	t := make([]float32, d.cols)
	d.Adjoint(t, src)
	d.Apply(dst, t)
	if d.bug == "gram" {
		dst[4] *= 1.01
	}
}

func (d *dense) Normal(dst, src []float32) {
	t := make([]float32, d.rows)
	d.Apply(t, src)
	d.Adjoint(dst, t)
	if d.bug == "normal" {
		dst[1] *= 1.01
	}
}

func TestExamine(t *testing.T) {
	tests := []struct{ bug, want string }{
		{"", ""},
		{"transpose", "adjoint mismatch"},
		{"source", "changed its source"},
		{"stale", "full of NaN"},
		{"memory", "when repeated"},
		{"offset", "not linear"},
		{"length", "want a panic"},
		{"gram", "Gram differs"},
		{"normal", "Normal differs"},
	}
	for _, tt := range tests {
		t.Run("bug="+tt.bug, func(t *testing.T) {
			_, errs := Examine(newDense(tt.bug), Options{})
			var all []string
			for _, e := range errs {
				all = append(all, e.Error())
			}
			got := strings.Join(all, "\n")
			if tt.want == "" && got != "" {
				t.Errorf("a sound operator is reported: %s", got)
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("reports %q, want something with %q", got, tt.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	if m := Check(t, newDense(""), Options{Seed: 4}); m > 1e-7 {
		t.Errorf("mismatch %g of a dense 5 x 3 matrix, want rounding", m)
	}
}

func TestMismatch(t *testing.T) {
	zero, one := []float32{0}, []float32{1}
	if got := Mismatch(zero, one, one, zero); got != 0 {
		t.Errorf("Mismatch of the zero operator is %g, want 0", got)
	}
	if got := Mismatch([]float32{2}, one, one, one); math.Abs(got-0.5) > 1e-12 {
		t.Errorf("Mismatch(2,1,1,1) = %g, want 0.5", got)
	}
}
