package solve_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/solve"
	"ctrecon/radon"
)

// scan is the protocol's size: 256 x 256 pixels, 25 views of 367 bins, noise of
// .01 nepers, on a disc with a hole.
type scan struct {
	op *radon.Projector
	x  []float32 // the truth
	solve.Data
}

const pixel = 1.5

func newScan(tb testing.TB, n, views int) scan { return newScanOf(tb, n, views, 1) }

// newScanOf projects with so many goroutines.
func newScanOf(tb testing.TB, n, views, workers int) scan {
	tb.Helper()
	grid := ct.Square(n, pixel*256/float64(n))
	geo := ct.Uniform(views, ct.DefaultBins(grid), grid.DX)
	op, err := radon.New(grid, geo, radon.Options{Workers: workers})
	if err != nil {
		tb.Fatal(err)
	}
	s := scan{op: op, x: discs(grid)}
	s.Y, s.W = make([]float32, geo.Len()), make([]float32, geo.Len())
	op.Apply(s.Y, s.x)
	noise := make([]float32, len(s.Y))
	ct.NewStream(1, 0, 0, 0).Normals(noise, 0)
	for i := range s.Y {
		s.Y[i] += 0.01 * noise[i]
		s.W[i] = 100
	}
	return s
}

// discs is a body of water with a dense and a hollow insert.
func discs(g ct.Grid) []float32 {
	x := make([]float32, g.Len())
	fov := float64(g.W) * g.DX
	for i := range x {
		px, py := g.XY(i/g.W, i%g.W)
		for _, d := range [][4]float64{{0, 0, .4, ct.MuWater}, {.15, .1, .1, .5 * ct.MuWater}, {-.15, .05, .12, -.8 * ct.MuWater}} {
			dx, dy := px/fov-d[0], py/fov-d[1]
			if dx*dx+dy*dy < d[2]*d[2] {
				x[i] += float32(d[3])
			}
		}
	}
	return x
}

// eachSize runs f on the sizes, with one goroutine for a projection and
// with one for each processor. The vector operations of the solvers use one.
func eachSize(b *testing.B, f func(b *testing.B, s scan)) {
	for _, n := range [][3]int{{256, 25, 367}, {256, 720, 367}, {512, 720, 729}, {1024, 1440, 1459}} {
		threads := []int{1}
		if n := runtime.NumCPU(); n > 1 {
			threads = append(threads, n)
		}
		for _, workers := range threads {
			b.Run(fmt.Sprintf("%dx%dx%d/threads=%d", n[0], n[1], n[2], workers), func(b *testing.B) {
				if testing.Short() && n[1] > 25 {
					b.Skip("large")
				}
				s := newScanOf(b, n[0], n[1], workers)
				b.ReportAllocs()
				f(b, s)
			})
		}
	}
}

func BenchmarkTV300(b *testing.B) {
	b.Run("256x25x367/threads=1", func(b *testing.B) {
		s := newScan(b, 256, 25)
		v := solve.NewTV(s.op, 256, 256)
		x := make([]float32, len(s.x))
		b.ReportAllocs()
		for b.Loop() {
			clear(x)
			v.Solve(context.Background(), x, s.Data, solve.TVOptions{Lambda: 1, Scale: ct.MuWater, MaxIter: 300})
		}
	})
}

func BenchmarkCGLS50(b *testing.B) {
	eachSize(b, func(b *testing.B, s scan) {
		v := solve.NewCGLS(s.op)
		x := make([]float32, len(s.x))
		for b.Loop() {
			clear(x)
			v.Solve(context.Background(), x, s.Data, solve.CGLSOptions{MaxIter: 50})
		}
	})
}

// BenchmarkConsistency is one data step of a sampler at rho = .01 |WA|^2, solved
// to a gradient of 1e-4 of the first, from a prior of half the truth.
func BenchmarkConsistency(b *testing.B) {
	eachSize(b, func(b *testing.B, s scan) {
		v := solve.NewRidge(s.op)
		norm := solve.PowerNorm(s.op, s.W, 30)
		x0, x := make([]float32, len(s.x)), make([]float32, len(s.x))
		for i, t := range s.x {
			x0[i] = t / 2
		}
		var rep solve.Report
		for b.Loop() {
			rep, _ = v.Solve(context.Background(), x, s.Data, x0, solve.RidgeOptions{Rho: .01 * norm * norm, Tol: 1e-4, MaxIter: 100})
		}
		b.ReportMetric(float64(rep.Iterations), "iterations")
	})
}

func BenchmarkSIRT(b *testing.B) {
	b.Run("200/256x25x367/threads=1", func(b *testing.B) {
		s := newScan(b, 256, 25)
		v := solve.NewSIRT(s.op)
		x := make([]float32, len(s.x))
		b.ReportAllocs()
		for b.Loop() {
			clear(x)
			v.Solve(context.Background(), x, s.Data, solve.SIRTOptions{MaxIter: 200, Hi: 1})
		}
	})
}
