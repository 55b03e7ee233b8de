package recon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ctrecon/ct"
	"ctrecon/ct/metrics"
	"ctrecon/ldm"
	"ctrecon/ldm/models"
	"ctrecon/ldm/onnx"
	"ctrecon/phantoms"
	"ctrecon/radon"
)

func needRuntime(t testing.TB) {
	t.Helper()
	if os.Getenv(onnx.LibraryEnv) == "" {
		p, err := filepath.Abs("../../lib/libonnxruntime.so.1.31.1")
		if _, e := os.Stat(p); err == nil && e == nil {
			os.Setenv(onnx.LibraryEnv, p) // before the only search for it
		}
	}
	if _, err := onnx.Open(); err != nil {
		t.Skip(err)
	}
}

func tinyModel(t testing.TB) *models.Bundle {
	t.Helper()
	needRuntime(t)
	b, err := models.Open("../../ldm/models/testdata/tiny")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// measured is a phantom on a grid of n pixels a side.
func measured(t testing.TB, n, views int, noise ct.Noise) (Slice, []float32) {
	t.Helper()
	p, err := phantoms.New("thorax", 0)
	if err != nil {
		t.Fatal(err)
	}
	grid := ct.Square(n, p.Field/float64(n))
	hu := p.HU(grid)
	m, err := radon.NewMeter(grid, ct.Uniform(views, ct.DefaultBins(grid), grid.DX))
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Measure(hu, ct.MuWater, noise, ct.NewStream(1, 0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return Slice{Grid: grid, Sino: s, MuWater: ct.MuWater, Seed: 1}, hu
}

func psnr(r Result, truth []float32) float64 {
	hu := make([]float32, len(truth))
	ct.ImageToHU(hu, r.Image.Pix, ct.MuWater)
	return metrics.PSNR(hu, truth)
}

// TestForwardModels: counts, dead bins, a short arc and a narrow detector go
// through the same sampler; what it gives is better than FBP on the same data,
// finite, and has a spread.
func TestForwardModels(t *testing.T) {
	needRuntime(t)
	methods := map[string]Method{"fbp": newFBP("fbp", "ram-lak"), "resample": newDiffusion("resample", Options{Samples: 2, Steps: 4})}
	for _, c := range []struct {
		name  string
		noise ct.Noise
		spoil func(s *ct.Sinogram)
	}{
		{"Gaussian", ct.Noise{Sigma: 0.01}, func(*ct.Sinogram) {}},
		{"counts", ct.Noise{Photons: 1e4}, func(*ct.Sinogram) {}},
		{"dead bins", ct.Noise{Sigma: 0.01}, func(s *ct.Sinogram) {
			s.Sigma = make([]float32, len(s.Data))
			for i := range s.Sigma {
				s.Sigma[i] = 0.01
				if i%s.Bins%17 == 3 {
					s.Sigma[i], s.Data[i] = float32(math.Inf(1)), 0
				}
			}
		}},
		{"90 degrees", ct.Noise{Sigma: 0.01}, func(s *ct.Sinogram) {
			var half []int
			for i := range s.Views() / 2 {
				half = append(half, i)
			}
			*s = s.Subset(half)
		}},
		{"narrow detector", ct.Noise{Sigma: 0.01}, func(s *ct.Sinogram) { *s = narrow(*s, s.Bins*2/3) }},
	} {
		job, truth := measured(t, 64, 26, c.noise)
		c.spoil(&job.Sino)
		got := map[string]Result{}
		for name, m := range methods {
			r, err := m.Reconstruct(t.Context(), job, nil)
			if err != nil {
				t.Fatalf("%s: %s: %v", c.name, name, err)
			}
			got[name] = r
		}
		r := got["resample"]
		if a, b := psnr(r, truth), psnr(got["fbp"], truth); !(a > b) {
			t.Errorf("%s: %.2f dB, FBP %.2f dB", c.name, a, b)
		}
		if r.SD == nil || r.Prior == nil || !(r.Chi2 > 0) {
			t.Errorf("%s: no spread, no prior map or chi-square %g", c.name, r.Chi2)
		}
	}
}

// narrow keeps the middle bins.
func narrow(s ct.Sinogram, bins int) ct.Sinogram {
	g := s.Geometry
	first := (g.Bins - bins) / 2
	g.Bins, g.Offset = bins, float64(g.Bins-1)/2+s.Offset-float64(first)-float64(bins-1)/2
	out := ct.NewSinogram(g)
	out.Noise = s.Noise
	for v := range s.Views() {
		copy(out.View(v), s.View(v)[first:first+bins])
	}
	return out
}

// TestNarrow: bins keep their place.
func TestNarrow(t *testing.T) {
	s := ct.NewSinogram(ct.Geometry{Angles: []float64{0}, Bins: 10, BinSize: 2, Offset: 0.5})
	n := narrow(s, 7)
	if got, want := n.S(0), s.S(1); math.Abs(got-want) > 1e-12 {
		t.Errorf("first bin at %g, want %g", got, want)
	}
}

// TestOtherGrids: an image of another size, or not square, is reconstructed on
// the model's grid and refined on its own.
func TestOtherGrids(t *testing.T) {
	needRuntime(t)
	methods := [2]Method{newFBP("fbp", "ram-lak"), newDiffusion("resample", Options{Samples: 1, Steps: 4})}
	for _, n := range []int{40, 64, 150} {
		job, truth := measured(t, n, 25, ct.Noise{Sigma: 0.01})
		var got [2]float64
		for k, m := range methods {
			r, err := m.Reconstruct(t.Context(), job, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Image.Grid != job.Grid {
				t.Fatalf("%d pixels: grid %v", n, r.Image.Grid)
			}
			got[k] = psnr(r, truth)
		}
		if !(got[1] > got[0]+2) {
			t.Errorf("%d pixels: FBP %.2f, resample %.2f dB", n, got[0], got[1])
		}
	}
}

// TestBinned: groups keep their places and sums, and a dead bin only its group's
// precision.
func TestBinned(t *testing.T) {
	s := ct.NewSinogram(ct.Geometry{Angles: []float64{0, 90}, Bins: 11, BinSize: 1, Offset: 0.25})
	s.Noise.Sigma = 0.02
	s.Sigma = make([]float32, len(s.Data))
	for i := range s.Data {
		s.Data[i], s.Sigma[i] = float32(i), 0.02
	}
	s.Sigma[2] = float32(math.Inf(1))
	out := binned(s, ct.Square(8, 2.1), nil)
	if out.Bins != 5 || out.BinSize != 2 {
		t.Fatalf("%d bins of %g mm", out.Bins, out.BinSize)
	}
	for j := range out.Bins {
		if got, want := out.S(j), (s.S(2*j)+s.S(2*j+1))/2; math.Abs(got-want) > 1e-9 {
			t.Errorf("bin %d at %g, want %g", j, got, want)
		}
	}
	if out.Data[0] != 0.5 || out.Data[1] != 3 || math.Abs(float64(out.Sigma[1])-0.02) > 1e-8 || math.Abs(float64(out.Sigma[0])-0.02/math.Sqrt2) > 1e-8 {
		t.Errorf("data %v, deviations %v", out.Data[:3], out.Sigma[:3])
	}
}

// TestEnlarge: cubic convolution repeats linear functions inside the grid.
func TestEnlarge(t *testing.T) {
	from, to := ct.Square(16, 2), ct.Grid{W: 20, H: 12, DX: 1.1, DY: 1.5}
	src, dst := make([]float32, from.Len()), make([]float32, to.Len())
	f := func(x, y float64) float64 { return 3 + 0.5*x - 0.25*y }
	for r := range from.H {
		for c := range from.W {
			x, y := from.XY(r, c)
			src[r*from.W+c] = float32(f(x, y))
		}
	}
	enlarge(dst, to, src, from)
	for r := range to.H {
		for c := range to.W {
			x, y := to.XY(r, c)
			if got, want := float64(dst[r*to.W+c]), f(x, y); math.Abs(got-want) > 1e-5 {
				t.Fatalf("at %g, %g: %g, want %g", x, y, got, want)
			}
		}
	}
}

// TestDiffusionStops: cancelling in the middle of any sampler ends it within a
// second, with the context's error.
func TestDiffusionStops(t *testing.T) {
	model := tinyModel(t)
	job, _ := measured(t, 64, 25, ct.Noise{Sigma: 0.01})
	for _, info := range Methods() {
		if !info.Model {
			continue
		}
		m, err := New(info.Name, Options{Model: model, Samples: 1000})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var at time.Time
		_, err = m.Reconstruct(ctx, job, func(done, all int, _ float64) {
			if done >= min(3, all-1) && at.IsZero() {
				at = time.Now()
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", info.Name, err)
		}
		if d := time.Since(at); d > time.Second {
			t.Errorf("%s: %v to stop", info.Name, d)
		}
		cancel()
	}
}

func TestTune(t *testing.T) {
	o := ldm.DefaultOptions()
	if err := Tune(&o, []string{"r2-scale=2", "iters=7", "plain-encoding=true"}); err != nil || o.R2Scale != 2 || o.Iters != 7 || !o.Plain {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range []string{"r2-scale=x", "iters=1.5", "nothing=1", "eta", "dps-zeta=x"} {
		if err := Tune(&o, []string{bad}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	job, _ := measured(t, 64, 25, ct.Noise{Sigma: 0.01})
	for _, c := range []struct{ method, set, want string }{{"latent-dps", "dps-zeta=4", "zeta 4"}, {"psld", "psld-omega=3", "omega 3"}, {"psld", "psld-gamma=7", "gamma 7"}} {
		r := reconstructed(t, c.method, Options{Model: tinyModel(t), Steps: 2, Set: []string{c.set}}, job)
		if !strings.Contains(fmt.Sprint(r.Settings), c.want) {
			t.Errorf("%s %s: %v", c.method, c.set, r.Settings)
		}
	}
}
