package radon

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/solve/optest"
)

// shape is a case of the tests that hold for every geometry.
type shape struct {
	name string
	grid ct.Grid
	geo  ct.Geometry
}

func angles(deg ...float64) []float64 { return deg }

var shapes = []shape{
	{"the issue's", ct.Square(256, 1), ct.Uniform(25, 367, 1)},
	{"oblong", ct.Grid{W: 65, H: 33, DX: 1, DY: 1}, ct.Uniform(7, 93, 1)},
	{"one pixel", ct.Square(1, 1), ct.Uniform(4, 3, 1)},
	{"one column", ct.Grid{W: 1, H: 50, DX: 1, DY: 1}, ct.Uniform(9, 20, 1)},
	{"one row", ct.Grid{W: 50, H: 1, DX: 1, DY: 1}, ct.Uniform(9, 20, 1)},
	{"narrow detector", ct.Grid{W: 100, H: 3, DX: 1, DY: 1}, ct.Uniform(9, 11, 1)},
	{"one view", ct.Grid{W: 37, H: 61, DX: .7, DY: .7}, ct.Geometry{Bins: 50, BinSize: 1.1, Offset: 3.3, Angles: angles(10)}},
	{"sees little", ct.Grid{W: 37, H: 61, DX: .7, DY: .7}, ct.Geometry{Bins: 20, BinSize: 1.1, Offset: -60, Angles: angles(10, 100)}},
	{"sees nothing", ct.Grid{W: 37, H: 61, DX: .7, DY: .7}, ct.Geometry{Bins: 20, BinSize: 1.1, Offset: 600, Angles: angles(10, 100)}},
	{"quarter bins, any angle", ct.Square(40, 1), ct.Geometry{Bins: 301, BinSize: .25, Offset: .5, Angles: angles(0, 45, 90, 135, 180, 270, -45, 359.9, 1000)}},
	{"wide bins", ct.Grid{W: 64, H: 48, DX: 1, DY: 1}, ct.Geometry{Bins: 12, BinSize: 9, Offset: .25, Angles: angles(0, 30, 45.0001, 90, 134.999, 200)}},
	{"large", ct.Grid{W: 513, H: 300, DX: 1, DY: 1}, ct.Uniform(3, 601, 1)},
	{"bins of a twentieth", ct.Grid{W: 20, H: 30, DX: 1, DY: 1}, ct.Geometry{Bins: 700, BinSize: .05, Angles: angles(0, 33, 45, 120)}},
	{"bins of thirty", ct.Square(50, 1), ct.Geometry{Bins: 5, BinSize: 30, Offset: 1, Angles: angles(0, 33, 45, 120)}},
	{"flat pixels", ct.Grid{W: 40, H: 90, DX: 2, DY: .8}, ct.Geometry{Bins: 141, BinSize: .9, Offset: -.3, Angles: angles(0, 20, 40, 61, 90, 118, 150, 190)}},
	{"tall pixels", ct.Grid{W: 120, H: 30, DX: .5, DY: 3}, ct.Geometry{Bins: 91, BinSize: 1.3, Angles: angles(0, 5, 30, 80, 90, 100, 175)}},
}

// options are run on every shape.
var options = []Options{
	{},
	{Footprint: Joseph},
	{Footprint: Linear},
	{Footprint: Linear, Phases: 8},
	{Phases: 3},
	{cache: 20000},
	{Workers: 3},
}

// eachKernel runs f on every kernel of this processor.
func eachKernel(t *testing.T, f func(t *testing.T, kernel string)) {
	for _, k := range Kernels() {
		t.Run("kernel="+k, func(t *testing.T) { f(t, k) })
	}
}

func mustNew(t testing.TB, grid ct.Grid, geo ct.Geometry, o Options) *Projector {
	t.Helper()
	p, err := New(grid, geo, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAdjoint holds every kernel, geometry and option to the contract of
// solve.LinearOperator.
func TestAdjoint(t *testing.T) {
	eachKernel(t, func(t *testing.T, kernel string) {
		worst := 0.0
		for _, s := range shapes {
			for _, o := range options {
				o.Kernel = kernel
				t.Run(fmt.Sprintf("%s/%v/phases=%d/cache=%d/workers=%d", s.name, o.Footprint, o.Phases, o.cache, o.Workers), func(t *testing.T) {
					worst = max(worst, optest.Check(t, mustNew(t, s.grid, s.geo, o), optest.Options{}))
				})
			}
		}
		t.Logf("worst adjoint mismatch %.2g", worst)
	})
}

// TestRandom does the same on random geometries. The portable kernel checks
// bounds, so it checks the plan's offsets too.
func TestRandom(t *testing.T) {
	cases := 60
	if testing.Short() {
		cases = 10
	}
	eachKernel(t, func(t *testing.T, kernel string) {
		for seed := range cases {
			s, o := randomShape(uint64(seed))
			o.Kernel = kernel
			t.Run(s.name, func(t *testing.T) {
				optest.Check(t, mustNew(t, s.grid, s.geo, o), optest.Options{})
				if t.Failed() {
					t.Logf("%+v %+v %+v", s.grid, s.geo, o)
				}
			})
		}
	})
}

func randomShape(seed uint64) (shape, Options) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := shape{name: fmt.Sprint("seed=", seed)}
	s.grid = ct.Grid{W: 1 + r.IntN(90), H: 1 + r.IntN(90), DX: math.Exp(r.NormFloat64())}
	s.grid.DY = s.grid.DX
	if r.IntN(2) == 0 {
		s.grid.DY *= math.Exp(r.NormFloat64() / 2)
	}
	s.geo = ct.Geometry{Bins: 1 + r.IntN(150), BinSize: s.grid.DX * math.Exp(r.NormFloat64()), Offset: r.NormFloat64() * 20}
	for range 1 + r.IntN(6) {
		a := r.Float64()*400 - 20
		if r.IntN(3) == 0 {
			a = float64(r.IntN(9)) * 45
		}
		s.geo.Angles = append(s.geo.Angles, a)
	}
	o := Options{Footprint: Footprint(r.IntN(3)), Phases: 1 + r.IntN(8), steps: 1 + r.IntN(40), cache: 1 + r.IntN(40000), Workers: 1 + r.IntN(3)}
	return s, o
}
