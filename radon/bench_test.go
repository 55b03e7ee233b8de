package radon

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/solve/optest"
)

// sizes of the benchmarks: image side, views, bins.
var sizes = [][3]int{{256, 25, 367}, {256, 720, 367}, {512, 720, 729}, {1024, 1440, 1459}}

// eachSize runs f on one goroutine and on one for each processor. It reports the
// image data that the adds read, GB/s: pixels * views * 4 bytes.
func eachSize(b *testing.B, f func(b *testing.B, grid ct.Grid, geo ct.Geometry, workers int)) {
	for _, s := range sizes {
		for _, workers := range threads() {
			b.Run(fmt.Sprintf("%dx%dx%d/threads=%d", s[0], s[1], s[2], workers), func(b *testing.B) {
				if testing.Short() && s[0] > 512 {
					b.Skip("large")
				}
				b.ReportAllocs()
				b.SetBytes(int64(4 * s[0] * s[0] * s[1]))
				f(b, ct.Square(s[0], 1), ct.Uniform(s[1], s[2], 1), workers)
			})
		}
	}
}

// threads is 1 and the number of processors.
func threads() []int {
	if n := runtime.NumCPU(); n > 1 {
		return []int{1, n}
	}
	return []int{1}
}

func BenchmarkForward(b *testing.B) {
	eachSize(b, func(b *testing.B, grid ct.Grid, geo ct.Geometry, workers int) {
		p := mustNew(b, grid, geo, Options{Workers: workers})
		x, y := optest.Normals(grid.Len(), 1), make([]float32, geo.Len())
		for b.Loop() {
			p.Apply(y, x)
		}
	})
}

func BenchmarkAdjoint(b *testing.B) {
	eachSize(b, func(b *testing.B, grid ct.Grid, geo ct.Geometry, workers int) {
		p := mustNew(b, grid, geo, Options{Workers: workers})
		x, y := make([]float32, grid.Len()), optest.Normals(geo.Len(), 1)
		for b.Loop() {
			p.Adjoint(x, y)
		}
	})
}

func BenchmarkFBP(b *testing.B) {
	eachSize(b, func(b *testing.B, grid ct.Grid, geo ct.Geometry, workers int) {
		f := mustFBP(b, grid, geo, FBPOptions{Workers: workers})
		x, s := make([]float32, grid.Len()), ct.Sinogram{Geometry: geo, Data: optest.Normals(geo.Len(), 1)}
		for b.Loop() {
			f.Reconstruct(x, s)
		}
	})
}

// BenchmarkBatch projects 64 slices of the protocol's size, shared by clones on
// as many goroutines: the time is that of one slice.
func BenchmarkBatch(b *testing.B) {
	grid, geo := ct.Square(256, 1), ct.Uniform(25, 367, 1)
	const slices = 64
	x, y := optest.Normals(slices*grid.Len(), 1), make([]float32, slices*geo.Len())
	for _, workers := range threads() {
		b.Run(fmt.Sprintf("256x25x367/threads=%d", workers), func(b *testing.B) {
			ops := []*Projector{mustNew(b, grid, geo, Options{})}
			for len(ops) < workers {
				ops = append(ops, ops[0].Clone())
			}
			for b.Loop() {
				var wg sync.WaitGroup
				for w, p := range ops {
					wg.Go(func() {
						for i := w; i < slices; i += workers {
							p.Apply(y[i*geo.Len():(i+1)*geo.Len()], x[i*grid.Len():(i+1)*grid.Len()])
						}
					})
				}
				wg.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*slices), "ns/slice")
		})
	}
}

// BenchmarkGrowth is the cost against the operation count: image side, views, and
// slices one after the other. ns/kadd is the time of a thousand adds.
func BenchmarkGrowth(b *testing.B) {
	for _, s := range [][3]int{
		{128, 90, 1}, {256, 90, 1}, {512, 90, 1}, {1024, 90, 1},
		{256, 25, 1}, {256, 180, 1}, {256, 360, 1}, {256, 720, 1},
		{256, 25, 4}, {256, 25, 16}, {256, 25, 64},
	} {
		b.Run(fmt.Sprintf("side=%d/views=%d/slices=%d", s[0], s[1], s[2]), func(b *testing.B) {
			grid := ct.Square(s[0], 1)
			geo := ct.Uniform(s[1], ct.DefaultBins(grid), 1)
			p := mustNew(b, grid, geo, Options{})
			x, y := optest.Normals(s[2]*grid.Len(), 1), make([]float32, s[2]*geo.Len())
			for b.Loop() {
				for i := range s[2] {
					p.Apply(y[i*geo.Len():(i+1)*geo.Len()], x[i*grid.Len():(i+1)*grid.Len()])
				}
			}
			adds := float64(s[0]*s[0]*s[1]) * float64(s[2])
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/adds*1e3, "ns/kadd")
		})
	}
}

// BenchmarkLimit is the rate, in GB/s of image, at which whole lines of a padded
// image are added, each from any place. L2 has 256 lines of 256 pixels, which do
// not fit the L1 cache: all that Apply would do without blocking, if all else were
// free. L1 has 28 lines, as a strip.
func BenchmarkLimit(b *testing.B) {
	for _, lines := range []int{256, stripLines} {
		for _, tile := range []int{4, 8} {
			b.Run(fmt.Sprintf("L%d/tile=%d", 1+min(1, lines/100), tile), func(b *testing.B) {
				grid := ct.Grid{W: 256, H: lines, DX: 1, DY: 1}
				p := mustNew(b, grid, ct.Uniform(3, 367, 1), Options{})
				p.Apply(make([]float32, p.geo.Len()), optest.Normals(grid.Len(), 1)) // fills the padded image
				ax := &p.ax[0]
				var off []int32
				for r := range ax.n {
					off = append(off, int32(ax.at(r)+r*7%vec)) // no two neighbours alike
				}
				dst := alloc(ax.m)
				jobs := []job{{0, 0, int32(ax.n), int32(ax.m / vec)}}
				b.SetBytes(int64(4 * ax.n * ax.m))
				for b.Loop() {
					for at := 0; at < ax.m/vec; at += tile {
						p.kern.addUp(dst, p.img[0], jobs, off, at, tile, false)
					}
				}
			})
		}
	}
}
