package radon

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ctrecon/ct/solve/optest"
)

// eachFast runs f on every kernel but the portable one, which is the definition.
func eachFast(t *testing.T, f func(t *testing.T, k kernel)) {
	for _, name := range Kernels() {
		if k, _ := kernelByName(name); k != kernelGo {
			t.Run(name, func(t *testing.T) { f(t, k) })
		}
	}
}

// aligned is n normal numbers that start on a cache line.
func aligned(n int, seed uint64) []float32 {
	a := alloc(n)
	copy(a, optest.Normals(n, seed))
	return a
}

// TestAddUp: sums in the same order have the same bits, for every width of a job,
// number of lines and place of a line, and nothing else is written.
func TestAddUp(t *testing.T) {
	eachFast(t, func(t *testing.T, k kernel) {
		r := rand.New(rand.NewPCG(1, 2))
		base := aligned(9000, 3)
		for trial := range 300 {
			var off []int32
			var jobs []job
			for range 1 + r.IntN(4) {
				j := job{dst: int32(vec * (len(jobs)*60 + r.IntN(5))), list: int32(len(off)), n: int32(1 + r.IntN(14)), vecs: int32(1 + r.IntN(50))}
				for range j.n {
					off = append(off, int32(100+r.IntN(5000))-j.dst)
				}
				jobs = append(jobs, j)
			}
			first, width, add := r.IntN(9), 1+r.IntN(50), trial%2 == 0
			want := aligned(vec*250, 4)
			got := alloc(len(want))
			copy(got, want)
			addUpGo(want, base, jobs, off, first, width, add)
			k.addUp(got, base, jobs, off, first, width, add)
			if !slices.Equal(got, want) {
				t.Fatalf("jobs %+v, vectors %d and %d on, add=%v: not the sums of the portable kernel", jobs, first, width, add)
			}
		}
	})
}

// TestMoves: kernels that move numbers without arithmetic, and back.
func TestMoves(t *testing.T) {
	eachFast(t, func(t *testing.T, k kernel) {
		for _, p := range []int{1, 3, 4, 8, 12, 16} {
			for _, n := range []int{16, 48, 320, 13} {
				src := aligned(p*n, 1)
				want, got, back := alloc(p*n), alloc(p*n), alloc(p*n)
				interleaveGo(want, src, p, n)
				k.interleave(got, src, p, n)
				k.deinterleave(back, got, p, n)
				if !slices.Equal(got, want) || !slices.Equal(back, src) {
					t.Errorf("%d phases of %d: wrong order", p, n)
				}
			}
		}
		for _, s := range [][2]int{{16, 16}, {1, 40}, {40, 1}, {31, 17}, {65, 130}, {8, 24}} {
			for _, add := range []bool{false, true} {
				w, h := s[0], s[1]
				src, want := aligned(h*(w+5), 1), aligned(w*(h+3), 2)
				got := slices.Clone(want)
				transposeGo(want, h+3, src, w, h, w+5, add)
				k.transpose(got, h+3, src, w, h, w+5, add)
				if !slices.Equal(got, want) {
					t.Errorf("%d x %d, add=%v: not the transpose", w, h, add)
				}
			}
		}
	})
}

// TestTransposeDefinition holds the portable transpose, which the others are held
// to, to its definition.
func TestTransposeDefinition(t *testing.T) {
	const w, h = 7, 10
	src, dst := aligned(w*h, 1), make([]float32, w*h)
	for range 2 {
		transposeGo(dst, h, src, w, h, w, dst[0] != 0)
	}
	for i, x := range src {
		if got := dst[i%w*h+i/w]; got != 2*x {
			t.Errorf("row %d, column %d: %g, want %g", i/w, i%w, got, 2*x)
		}
	}
}

// near fails where a and b differ by more than rounding of sums of about 1.
func near(t *testing.T, what string, a, b []float32) {
	t.Helper()
	for i := range b {
		if math.Abs(float64(a[i]-b[i])) > 1e-4 {
			t.Fatalf("%s: value %d is %g, the portable kernel has %g", what, i, a[i], b[i])
		}
	}
}

// TestProducts: kernels that multiply differ by the rounding of fused operations.
func TestProducts(t *testing.T) {
	eachFast(t, func(t *testing.T, k kernel) {
		for _, taps := range []int{16, 32, 48} {
			v := &view{table: table{taps: taps}}
			v.w = alloc(v.row(4) + taps + vec)
			for i := range 4 {
				copy(v.w[v.row(i):][:taps], optest.Normals(taps, uint64(i)))
			}
			const samples = 640
			for i := range 112 {
				v.desc = append(v.desc, [2]int32{int32(5 * i), int32(v.row(i % 4))})
			}
			v.n = len(v.desc)
			v.spans(samples)
			g, y := aligned(samples+taps, 9), aligned(v.n, 8)
			want, got := alloc(v.n), alloc(v.n)
			resampleGo(want, g, v.desc, v.w, taps)
			k.resample(got, g, v.desc, v.w, taps)
			near(t, fmt.Sprintf("resample, %d taps", taps), got, want)
			want, got = alloc(samples), alloc(samples)
			spreadGo(want, 0, y, v)
			k.spread(got, 0, y, v)
			near(t, fmt.Sprintf("spread, %d taps", taps), got, want)
		}
		for _, n := range []int{1, 2, 63, 184} {
			const stride = 192
			base, coef := aligned(n+stride, 5), aligned(together*n, 6)
			want, got := alloc(together*stride), alloc(together*stride)
			tapSumGo(want, stride, base, coef)
			k.tapSum(got, stride, base, coef)
			near(t, fmt.Sprintf("convolution with %d taps", n), got, want)
		}
	})
}
