package radon

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/solve/optest"
	"ctrecon/phantoms"
)

func mustFan(t testing.TB, grid ct.Grid, geo ct.Geometry, fan Fan) *FanProjector {
	t.Helper()
	return mustFanKernel(t, grid, geo, fan, Kernels()[0])
}

func mustFanKernel(t testing.TB, grid ct.Grid, geo ct.Geometry, fan Fan, kernel string) *FanProjector {
	t.Helper()
	k, err := kernelByName(kernel)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newFanProjector(grid, geo, fan, k)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fanBins are the line integrals of ellipses averaged over n rays of each bin.
func fanBins(es []ellipse, g ct.Geometry, f Fan, n int) []float32 {
	out := make([]float32, g.Len())
	var turned [][2]float64
	for _, e := range es {
		sin, cos := math.Sincos(e.deg * math.Pi / 180)
		turned = append(turned, [2]float64{sin, cos})
	}
	for v, beta := range g.Angles {
		for k := range g.Bins {
			sum := 0.0
			for j := range n {
				deg, s := phantoms.Fan(f).Ray(beta, g.S(k)+((float64(j)+0.5)/float64(n)-0.5)*g.BinSize)
				sin, cos := math.Sincos(deg * math.Pi / 180)
				for i, e := range es { // e.chord(deg, s) with fewer sines
					a := e.a * (cos*turned[i][1] + sin*turned[i][0])
					b := e.b * (sin*turned[i][1] - cos*turned[i][0])
					half := a*a + b*b
					if d := s - e.x*cos - e.y*sin; d*d < half {
						sum += e.v * e.a * e.b * 2 / half * math.Sqrt(half-d*d)
					}
				}
			}
			out[v*g.Bins+k] = float32(sum / float64(n))
		}
	}
	return out
}

var fans = []struct {
	name string
	grid ct.Grid
	geo  ct.Geometry
	fan  Fan
}{
	{"walnut", ct.Square(82, .51), ct.Geometry{Angles: arc(10, 180, -360), Bins: 82, BinSize: 1.4, Offset: .19}, Fan{SOD: 110, SDD: 300}},
	{"curved", ct.Square(64, 1), ct.Geometry{Angles: arc(8, 3, 360), Bins: 101, BinSize: 1.7}, Fan{SOD: 100, SDD: 170, Curved: true}},
	{"oblong pixels, wide bins", ct.Grid{W: 40, H: 90, DX: 2, DY: .8}, ct.Geometry{Angles: arc(9, 0, 360), Bins: 31, BinSize: 9, Offset: -3}, Fan{SOD: 120, SDD: 200}},
	{"tall pixels, narrow bins", ct.Grid{W: 50, H: 11, DX: .5, DY: 3}, ct.Geometry{Angles: arc(7, 0, 210), Bins: 150, BinSize: .6}, Fan{SOD: 60, SDD: 120}},
	{"very wide fan", ct.Square(31, 2), ct.Geometry{Angles: arc(7, 0, 360), Bins: 61, BinSize: 6}, Fan{SOD: 46, SDD: 90}},
	{"one pixel", ct.Square(1, 1), ct.Geometry{Angles: arc(5, 0, 360), Bins: 5, BinSize: 1}, Fan{SOD: 10, SDD: 20}},
	{"one row", ct.Grid{W: 50, H: 1, DX: 1, DY: 1}, ct.Geometry{Angles: arc(9, 0, 360), Bins: 40, BinSize: 3}, Fan{SOD: 100, SDD: 200}},
	{"sees nothing", ct.Square(12, 1), ct.Geometry{Angles: arc(4, 0, 360), Bins: 10, BinSize: 1, Offset: 500}, Fan{SOD: 100, SDD: 200}},
	{"detector at the axis", ct.Square(20, 1), ct.Geometry{Angles: arc(4, 0, 360), Bins: 41, BinSize: 1}, Fan{SOD: 50, SDD: 50}},
}

// TestFanContract holds the projector to the contract of solve.LinearOperator.
func TestFanContract(t *testing.T) {
	eachKernel(t, func(t *testing.T, kernel string) {
		for _, tt := range fans {
			t.Run(tt.name, func(t *testing.T) {
				d := optest.Check(t, mustFanKernel(t, tt.grid, tt.geo, tt.fan, kernel), optest.Options{Seed: 4})
				t.Logf("adjoint mismatch %.2g", d)
			})
		}
	})
}

// TestFanRandom: random fans hold the contract and the definition. The bound of the
// definition is TestFanDefinition's; a sum over a few pixels can be much smaller than
// what it is made of, hence the scale of all rays together.
func TestFanRandom(t *testing.T) {
	cases := 150
	if testing.Short() {
		cases = 30
	}
	eachKernel(t, func(t *testing.T, kernel string) {
		together, alone := 0, 0
		for seed := range cases {
			s, fan := randomFan(uint64(seed))
			p := mustFanKernel(t, s.grid, s.geo, fan, kernel)
			optest.Check(t, p, optest.Options{Seed: uint64(seed)})
			x, got := optest.Normals(s.grid.Len(), 5), make([]float32, s.geo.Len())
			p.Apply(got, x)
			if e := relErr(got, definitionFan(p, x)); !(e <= 2e-6) {
				t.Errorf("seed %d: error %.2g, want 2e-6: %+v %+v %+v", seed, e, s.grid, s.geo, fan)
			}
			together, alone = together+len(p.blocks), alone+len(p.alone)
		}
		t.Logf("%d blocks, %d rays alone", together, alone)
		if (together == 0) != (kernel == "go") || alone == 0 {
			t.Errorf("%d blocks, %d rays alone: both ways are to be tried", together, alone)
		}
	})
}

func randomFan(seed uint64) (shape, Fan) {
	s, _ := randomShape(seed)
	r := rand.New(rand.NewPCG(seed, 2))
	radius := math.Hypot(float64(s.grid.W)*s.grid.DX, float64(s.grid.H)*s.grid.DY) / 2
	fan := Fan{SOD: radius * (1.02 + 3*r.Float64()), Curved: r.IntN(2) == 0}
	fan.SDD = fan.SOD * (1 + 2*r.Float64())
	if fan.Curved { // at most 70 degrees to either side
		s.geo.Offset = max(-3, min(3, s.geo.Offset))
		s.geo.BinSize = min(s.geo.BinSize, 1.2*fan.SDD/float64(s.geo.Bins+8))
	}
	return s, fan
}

// definitionFan is Joseph's ray sum by its definition, in float64: every ray,
// every line, no padding, no fixed point.
func definitionFan(p *FanProjector, x []float32) []float64 {
	g, out := p.grid, make([]float64, p.geo.Len())
	at := func(r, c int) float64 {
		if r < 0 || c < 0 || r >= g.H || c >= g.W {
			return 0
		}
		return float64(x[r*g.W+c])
	}
	for i := range out {
		for j := range p.sub {
			u := p.geo.S(i%p.geo.Bins) + ((float64(j)+0.5)/float64(p.sub)-0.5)*p.geo.BinSize
			deg, s := phantoms.Fan(p.fan).Ray(p.geo.Angles[i/p.geo.Bins], u)
			sin, cos := math.Sincos(deg * math.Pi / 180)
			sum := 0.0
			if math.Abs(sin)/g.DX <= math.Abs(cos)/g.DY {
				for r := range g.H {
					_, y := g.XY(r, 0)
					c := (s-y*sin)/cos/g.DX + float64(g.W-1)/2
					k := int(math.Floor(c))
					f := c - math.Floor(c)
					sum += ((1-f)*at(r, k) + f*at(r, k+1)) * g.DY / math.Abs(cos)
				}
			} else {
				for c := range g.W {
					px, _ := g.XY(0, c)
					r := float64(g.H-1)/2 - (s-px*cos)/sin/g.DY
					k := int(math.Floor(r))
					f := r - math.Floor(r)
					sum += ((1-f)*at(k, c) + f*at(k+1, c)) * g.DX / math.Abs(sin)
				}
			}
			out[i] += sum / float64(p.sub)
		}
	}
	return out
}

// TestFanDefinition: the plan against the definition on white noise. What is left
// is rounding: 24 bits of a fraction and of a sum over some hundred lines.
func TestFanDefinition(t *testing.T) {
	eachKernel(t, func(t *testing.T, kernel string) {
		for _, tt := range fans {
			p := mustFanKernel(t, tt.grid, tt.geo, tt.fan, kernel)
			x, got := optest.Normals(tt.grid.Len(), 5), make([]float32, tt.geo.Len())
			p.Apply(got, x)
			e := relErr(got, definitionFan(p, x))
			t.Logf("%s: error %.2g, %d blocks, %d rays alone", tt.name, e, len(p.blocks), len(p.alone))
			if !(e <= 2e-6) {
				t.Errorf("%s: error %.2g, want 2e-6", tt.name, e)
			}
		}
	})
}

// exactRay is the line integral of the pixel image along (deg, s), with the exact
// length in every pixel.
func exactRay(g ct.Grid, x []float32, deg, s float64) float64 {
	sin, cos := math.Sincos(deg * math.Pi / 180)
	px, py, dx, dy := s*cos, s*sin, -sin, cos // at t = 0, and along t
	var cuts []float64
	for c := range g.W + 1 {
		cuts = append(cuts, ((float64(c)-float64(g.W)/2)*g.DX-px)/dx)
	}
	for r := range g.H + 1 {
		cuts = append(cuts, ((float64(r)-float64(g.H)/2)*g.DY-py)/dy)
	}
	slices.Sort(cuts)
	sum := 0.0
	for i, t := range cuts[1:] {
		mid := (cuts[i] + t) / 2
		c := int(math.Floor((px+mid*dx)/g.DX + float64(g.W)/2))
		r := int(math.Floor(float64(g.H)/2 - (py+mid*dy)/g.DY))
		if c >= 0 && c < g.W && r >= 0 && r < g.H {
			sum += (t - cuts[i]) * float64(x[r*g.W+c])
		}
	}
	return sum
}

// TestFanAnalytic: against exact averages over the bins. The raster itself is most
// of the error: with exact lengths in pixels, averaged over many rays of a bin,
// it is what is called raster here. Strip has 1.06 times that of its raster in
// TestAnalytic; so has Joseph here.
func TestFanAnalytic(t *testing.T) {
	grid, es := ct.Square(128, 1), sheppLogan(64)
	x := raster(es, grid, 8)
	const rays = 8
	for _, fan := range []Fan{{SOD: 250, SDD: 500}, {SOD: 250, SDD: 500, Curved: true}, {SOD: 150, SDD: 300}} {
		for _, bin := range []float64{1, 2, 4} {
			geo := ct.Geometry{Angles: arc(15, 2, 360), Bins: int(210/bin) | 1, BinSize: bin * 2, Offset: .25}
			want := fanBins(es, geo, fan, 32)
			exact := make([]float64, geo.Len())
			for i := range exact {
				for j := range rays {
					u := geo.S(i%geo.Bins) + ((float64(j)+0.5)/rays-0.5)*geo.BinSize
					deg, s := phantoms.Fan(fan).Ray(geo.Angles[i/geo.Bins], u)
					exact[i] += exactRay(grid, x, deg, s) / rays
				}
			}
			got := make([]float32, geo.Len())
			p := mustFan(t, grid, geo, fan)
			p.Apply(got, x)
			e, limit := relErr(got, want), 1.06*relErr(exact, want)
			t.Logf("%+v, bins of %g at the axis (%d rays): %.2e, raster %.2e", fan, bin, p.sub, e, limit/1.06)
			if e > limit {
				t.Errorf("%+v, bins of %g: error %.2e, want at most %.2e", fan, bin, e, limit)
			}
		}
	}
}

// TestFanAgainstPeer: the error of ASTRA's line projector on the geometry of
// BenchmarkFan is 8.74e-3, that of its strips 8.15e-3 (make bench-peers).
func TestFanAgainstPeer(t *testing.T) {
	grid, es := ct.Square(256, 1), sheppLogan(128)
	geo, fan := ct.Geometry{Angles: arc(25, 0, 360), Bins: 367, BinSize: 2}, Fan{SOD: 512, SDD: 1024}
	x, want := raster(es, grid, 8), fanBins(es, geo, fan, 16)
	eachKernel(t, func(t *testing.T, kernel string) {
		got := make([]float32, geo.Len())
		mustFanKernel(t, grid, geo, fan, kernel).Apply(got, x)
		e := relErr(got, want)
		t.Logf("error %.3e", e)
		if !(e <= 8.74e-3) {
			t.Errorf("error %.3e, want at most 8.74e-3", e)
		}
	})
}

func TestFanAllocs(t *testing.T) {
	p := mustFan(t, fans[0].grid, fans[0].geo, fans[0].fan)
	m, n := p.Dims()
	x, y := make([]float32, n), make([]float32, m)
	p.Normal(x, x)
	p.Gram(y, y)
	for name, f := range map[string]func(){
		"Apply": func() { p.Apply(y, x) }, "Adjoint": func() { p.Adjoint(x, y) },
		"Normal": func() { p.Normal(x, x) }, "Gram": func() { p.Gram(y, y) },
	} {
		if a := testing.AllocsPerRun(3, f); a != 0 {
			t.Errorf("%s: %g allocations", name, a)
		}
	}
	if p.Grid() != fans[0].grid || p.Geometry().Bins != 82 {
		t.Errorf("grid %+v, %d bins", p.Grid(), p.Geometry().Bins)
	}
}

func TestNewFanRefuses(t *testing.T) {
	grid, geo := ct.Square(20, 1), ct.Uniform(4, 30, 1)
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		grid ct.Grid
		geo  ct.Geometry
		fan  Fan
		want string
	}{
		{grid, geo, Fan{}, "source to axis 0 mm"},
		{grid, geo, Fan{SOD: 100, SDD: 90}, "the second not smaller"},
		{grid, geo, Fan{SOD: nan, SDD: 90}, "positive and finite"},
		{grid, geo, Fan{SOD: 100, SDD: inf}, "positive and finite"},
		{grid, geo, Fan{SOD: 14, SDD: 90}, "stands in an image"},
		{ct.Grid{}, geo, Fan{SOD: 100, SDD: 200}, "0 x 0 pixels"},
		{grid, ct.Geometry{}, Fan{SOD: 100, SDD: 200}, "no views"},
		{grid, ct.Uniform(4, 400, 1), Fan{SOD: 50, SDD: 100, Curved: true}, "90 at most"},
	}
	for _, tt := range tests {
		_, err := NewFanProjector(tt.grid, tt.geo, tt.fan)
		_, err2 := NewFanFBP(tt.grid, tt.geo, tt.fan, FBPOptions{})
		for _, err := range []error{err, err2} {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v: %v, want an error with %q", tt.fan, err, tt.want)
			}
		}
	}
}

func BenchmarkFan(b *testing.B) {
	for _, s := range [][3]int{{256, 25, 367}, {328, 25, 328}, {512, 720, 729}} {
		grid := ct.Square(s[0], 1)
		geo := ct.Geometry{Angles: arc(s[1], 0, 360), Bins: s[2], BinSize: 2}
		fan := Fan{SOD: float64(2 * s[0]), SDD: float64(4 * s[0])}
		p := mustFan(b, grid, geo, fan)
		f, err := NewFanFBP(grid, geo, fan, FBPOptions{})
		if err != nil {
			b.Fatal(err)
		}
		x, y := make([]float32, grid.Len()), ct.NewSinogram(geo)
		for _, c := range []struct {
			name string
			run  func()
		}{{"forward", func() { p.Apply(y.Data, x) }}, {"adjoint", func() { p.Adjoint(x, y.Data) }}, {"fbp", func() { f.Reconstruct(x, y) }}} {
			b.Run(fmt.Sprintf("%s/%dx%dx%d/threads=1", c.name, s[0], s[1], s[2]), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.run()
				}
			})
		}
	}
}
