package vjp

import (
	"math"
	"math/rand/v2"
	"testing"
)

// normBackward is the gradient of GroupNorm without its affine part, in double.
func normBackward(x, g []float32, rows int, eps float64) []float64 {
	out := make([]float64, len(x))
	n := len(x) / rows
	for r := range rows {
		var mean, variance, mg, mgx float64
		a, b := x[r*n:(r+1)*n], g[r*n:(r+1)*n]
		for _, v := range a {
			mean += float64(v) / float64(n)
		}
		for _, v := range a {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(n)
		}
		s := 1 / math.Sqrt(variance+eps)
		for i, v := range a {
			mg += float64(b[i]) / float64(n)
			mgx += float64(b[i]) * (float64(v) - mean) * s / float64(n)
		}
		for i, v := range a {
			out[r*n+i] = s * (float64(b[i]) - mg - (float64(v)-mean)*s*mgx)
		}
	}
	return out
}

// distance is |got - want| / |want|.
func distance(got []float32, want []float64) float64 {
	diff, size := 0.0, 0.0
	for i, v := range got {
		diff += (float64(v) - want[i]) * (float64(v) - want[i])
		size += want[i] * want[i]
	}
	return math.Sqrt(diff / size)
}

// The norm's short way against its formula in double: long rows (products summed
// by blocks), short rows, several images, a mean far from zero, a deviation far
// below epsilon, and rows without any.
func TestNormGradient(t *testing.T) {
	library(t)
	tests := []struct {
		name      string
		shape     []int64
		mean, dev float64
		bound     float64
	}{
		{"long rows", dims(1, 3, 64*64), 0.5, 1, 1e-6},
		{"short rows", dims(1, 3, 50), 0.5, 1, 1e-6},
		{"two images", dims(2, 3, 64*64), 0.5, 1, 1e-6},
		{"far mean", dims(1, 3, 64*64), 100, 1, 2e-5}, // x itself is rounded to 4e-6 of its deviation
		{"small deviation", dims(1, 3, 64*64), 0, 1e-4, 1e-6},
		{"large deviation", dims(1, 3, 64*64), 0, 1e4, 1e-6},
		{"zero", dims(1, 3, 64*64), 0, 0, 1e-6},
		{"constant", dims(1, 3, 64*64), 1, 0, 1e-6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGraph(18, tt.shape...)
			y := g.op("InstanceNormalization", []string{"x", g.fill(1, 3), g.fill(0, 3)}, attrFloat("epsilon", 1e-5))
			r := newRunner(t, g.model(y), "x")
			rng := rand.New(rand.NewPCG(13, 14))
			x := r.In("x")
			for i := range x {
				x[i] = float32(tt.mean + tt.dev*rng.NormFloat64())
			}
			fillNormal(rng, r.In("d_y"))
			r.Run()
			want := normBackward(x, r.In("d_y"), int(tt.shape[0]*3), float64(float32(1e-5)))
			if e := distance(r.Out("d_x"), want); !(e <= tt.bound) {
				t.Errorf("relative error %.2g, want at most %g", e, tt.bound)
			}
		})
	}
}

// One channel in which a single pixel stands out: the range must come from it.
func TestNormOutlier(t *testing.T) {
	library(t)
	g := newGraph(18, 1, 1, 64*64)
	r := newRunner(t, g.model(g.op("InstanceNormalization", []string{"x", g.fill(1, 1), g.fill(0, 1)})), "x")
	for _, at := range []int{0, 1000, 4095} {
		for _, v := range []float32{-3, 3} {
			x := r.In("x")
			clear(x)
			x[at] = v
			fillNormal(rand.New(rand.NewPCG(1, 2)), r.In("d_y"))
			r.Run()
			want := normBackward(x, r.In("d_y"), 1, float64(float32(1e-5)))
			if e := distance(r.Out("d_x"), want); !(e <= 3e-5) { // ONNX Runtime sums the variance in sequence: its xhat is off by 1e-5 here
				t.Errorf("%g at %d: relative error %.2g", v, at, e)
			}
		}
	}
}
