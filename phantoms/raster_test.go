package phantoms

import (
	"fmt"
	"math"
	"testing"

	"ctrecon/ct"
)

// The raster's mass is the analytic mass, on square and oblong pixels, fine and
// coarse.
func TestMassOfRaster(t *testing.T) {
	for name, p := range all(t) {
		for _, g := range []ct.Grid{ct.Square(256, p.Field/256), {W: 37, H: 64, DX: p.Field / 36.5, DY: p.Field / 62}} {
			sum := 0.0
			for _, v := range p.Raster(g).Pix {
				sum += float64(v) * g.DX * g.DY
			}
			if m := p.Mass(); math.Abs(sum-m) > 1e-6*m {
				t.Errorf("%s, %d x %d: sum %.9g, mass %.9g", name, g.W, g.H, sum, m)
			}
		}
	}
}

// A pixel is the mean of many points of it. A thin part with edges along the grid is
// misjudged by one row of n at most: 1800/n = 38 HU for the largest step.
func TestRasterAgainstSupersampling(t *testing.T) {
	const n = 48
	for name, p := range all(t) {
		g := ct.Grid{W: 41, H: 30, DX: p.Field / 41, DY: p.Field / 30}
		got, frames := p.HU(g), p.frames()
		sumSq := 0.0
		for i := range got {
			x, y := g.XY(i/g.W, i%g.W)
			sum := 0.0
			for a := range n {
				for b := range n {
					sum += huAt(frames, x+((float64(a)+.5)/n-.5)*g.DX, y+((float64(b)+.5)/n-.5)*g.DY)
				}
			}
			d := float64(got[i]) - sum/(n*n)
			sumSq += d * d
			if math.Abs(d) > 60 {
				t.Errorf("%s, pixel %d, %d: %g HU, by points %g", name, i/g.W, i%g.W, got[i], sum/(n*n))
			}
		}
		if rms := math.Sqrt(sumSq / float64(len(got))); rms > 4 {
			t.Errorf("%s: rms difference %g HU", name, rms)
		}
	}
}

// A pixel is the mean of the pixels it is divided into: exactness shows as
// agreement to float32, which sampling cannot give.
func TestRasterRefines(t *testing.T) {
	for name, p := range all(t) {
		const n, k = 48, 5
		coarse := p.HU(ct.Square(n, p.Field/n))
		fine := p.HU(ct.Square(n*k, p.Field/(n*k)))
		for i, got := range coarse {
			sum := 0.0
			for a := range k {
				for b := range k {
					sum += float64(fine[(i/n*k+a)*n*k+i%n*k+b])
				}
			}
			if want := sum / (k * k); math.Abs(float64(got)-want) > 1e-3 {
				t.Errorf("%s, pixel %d, %d: %g HU, mean of its parts %g", name, i/n, i%n, got, want)
			}
		}
	}
}

// Row 0 is the front, column 0 the patient's right.
func TestRasterOrientation(t *testing.T) {
	g := ct.Grid{W: 4, H: 2, DX: 10, DY: 20}
	for i := range g.Len() {
		x, y := g.XY(i/g.W, i%g.W)
		for j, v := range one(rod(x, y, 2, 1000)).Raster(g).Pix {
			want := 0.0
			if i == j {
				want = ct.MuWater * math.Pi * 4 / 200
			}
			if math.Abs(float64(v)-want) > 1e-9 {
				t.Errorf("rod in pixel %d: pixel %d has %g, want %g", i, j, v, want)
			}
		}
	}
}

// HU and mu are one image on two scales; what lies beyond the grid is cut off.
func TestRasterScales(t *testing.T) {
	p, _ := New("thorax", 0)
	p.MuWater = .02
	g := ct.Grid{W: 50, H: 20, DX: 5, DY: 5}
	mu, hu := p.Raster(g), p.HU(g)
	for i := range hu {
		if d := ct.ToHU(float64(mu.Pix[i]), p.MuWater) - float64(hu[i]); math.Abs(d) > 1e-3 {
			t.Errorf("pixel %d: mu and HU differ by %g HU", i, d)
		}
	}
}

func BenchmarkHU(b *testing.B) {
	for _, name := range Names() {
		for _, n := range []int{256, 512} {
			b.Run(fmt.Sprintf("%s/%dx%d", name, n, n), func(b *testing.B) {
				p, _ := New(name, 0)
				for b.Loop() {
					p.HU(ct.Square(n, p.Field/float64(n)))
				}
			})
		}
	}
}

func BenchmarkSinogram(b *testing.B) {
	for _, name := range Names() {
		b.Run(name+"/views=25/bins=367", func(b *testing.B) {
			p, _ := New(name, 0)
			g := ct.Uniform(25, 367, p.Field/256)
			for b.Loop() {
				p.Sinogram(g, true)
			}
		})
	}
}
