package radon

import (
	"fmt"
	"testing"

	"ctrecon/ct"
)

// sizes of the benchmarks: image side, views, bins.
var sizes = [][3]int{{256, 25, 367}, {256, 720, 367}, {512, 720, 729}}

func eachSize(b *testing.B, f func(b *testing.B, grid ct.Grid, geo ct.Geometry)) {
	for _, s := range sizes {
		b.Run(fmt.Sprintf("%dx%dx%d/threads=1", s[0], s[1], s[2]), func(b *testing.B) {
			b.ReportAllocs()
			f(b, ct.Square(s[0], 1), ct.Uniform(s[1], s[2], 1))
		})
	}
}

func BenchmarkForward(b *testing.B) {
	eachSize(b, func(b *testing.B, grid ct.Grid, geo ct.Geometry) {
		p, err := New(grid, geo, Options{})
		if err != nil {
			b.Fatal(err)
		}
		x, y := make([]float32, grid.Len()), make([]float32, geo.Len())
		for b.Loop() {
			p.Apply(y, x)
		}
	})
}

func BenchmarkAdjoint(b *testing.B) {
	eachSize(b, func(b *testing.B, grid ct.Grid, geo ct.Geometry) {
		p, err := New(grid, geo, Options{})
		if err != nil {
			b.Fatal(err)
		}
		x, y := make([]float32, grid.Len()), make([]float32, geo.Len())
		for b.Loop() {
			p.Adjoint(x, y)
		}
	})
}

func BenchmarkFBP(b *testing.B) {
	eachSize(b, func(b *testing.B, grid ct.Grid, geo ct.Geometry) {
		f, err := NewFBP(grid, geo, FBPOptions{})
		if err != nil {
			b.Fatal(err)
		}
		x, s := make([]float32, grid.Len()), ct.NewSinogram(geo)
		for b.Loop() {
			f.Reconstruct(x, s)
		}
	})
}
