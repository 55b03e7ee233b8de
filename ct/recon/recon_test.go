package recon

import (
	"context"
	"errors"
	"math"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/metrics"
	"ctrecon/phantoms"
	"ctrecon/radon"
)

// thorax is a phantom measured with noise, and its truth in HU.
func thorax(t testing.TB, views int, sigma float64) (Slice, []float32) {
	t.Helper()
	p, err := phantoms.New("thorax", 0)
	if err != nil {
		t.Fatal(err)
	}
	grid := ct.Square(96, p.Field/96)
	hu := p.HU(grid)
	m, err := radon.NewMeter(grid, ct.Uniform(views, ct.DefaultBins(grid), grid.DX))
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Measure(hu, ct.MuWater, ct.Noise{Sigma: sigma}, ct.NewStream(1, 0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return Slice{Grid: grid, Sino: s, MuWater: ct.MuWater, Seed: 1}, hu
}

func classical() []string {
	var out []string
	for _, m := range Methods() {
		if !m.Model {
			out = append(out, m.Name)
		}
	}
	return out
}

// TestOrder: on a piecewise smooth object TV beats SIRT beats FBP, by decibels.
func TestOrder(t *testing.T) {
	job, truth := thorax(t, 25, 0.01)
	psnr := map[string]float64{}
	for _, name := range classical() {
		m, err := New(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Reconstruct(context.Background(), job, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		hu := make([]float32, len(truth))
		ct.ImageToHU(hu, r.Image.Pix, ct.MuWater)
		psnr[name] = metrics.PSNR(hu, truth)
		if math.IsNaN(r.Chi2) || r.Chi2 <= 0 || len(r.Settings) == 0 {
			t.Errorf("%s: chi-square %g, settings %v", name, r.Chi2, r.Settings)
		}
	}
	if !(psnr["tv"] > psnr["sirt"]+2 && psnr["sirt"] > psnr["fbp"]+2) {
		t.Errorf("PSNR %v", psnr)
	}
}

// TestTVWeight: with many noisy views TV's own weight holds the noise down, which
// the weight of few views does not.
func TestTVWeight(t *testing.T) {
	job, truth := thorax(t, 240, 0.03)
	psnr := func(o Options) float64 {
		m, err := New("tv", o)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Reconstruct(t.Context(), job, nil)
		if err != nil {
			t.Fatal(err)
		}
		hu := make([]float32, len(truth))
		ct.ImageToHU(hu, r.Image.Pix, ct.MuWater)
		return metrics.PSNR(hu, truth)
	}
	if own, few := psnr(Options{}), psnr(Options{TVWeight: 1}); own < few+1 {
		t.Errorf("%.2f dB by its own weight, %.2f dB with weight 1", own, few)
	}
}

// TestWorkers: the same bits with one and three workers.
func TestWorkers(t *testing.T) {
	job, _ := thorax(t, 12, 0.01)
	run := func(workers int) [4][]float32 {
		var out [4][]float32
		err := Run(context.Background(), Job{Slices: 4, Methods: []string{"fbp", "tv"}, Workers: workers,
			Source: func(i int) (Slice, error) { s := job; s.Index = i; return s, nil },
			Done:   func(i int, _ Slice, r []Result) error { out[i] = r[1].Image.Pix; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	a, b := run(1), run(3)
	for i := range a {
		for k := range a[i] {
			if a[i][k] != b[i][k] {
				t.Fatalf("slice %d, pixel %d: %g and %g", i, k, a[i][k], b[i][k])
			}
		}
	}
}

func TestRunStops(t *testing.T) {
	job, _ := thorax(t, 12, 0.01)
	ctx, cancel := context.WithCancel(context.Background())
	err := Run(ctx, Job{Slices: 1000, Methods: []string{"tv"}, Workers: 2,
		Source: func(i int) (Slice, error) { return job, nil },
		Done:   func(int, Slice, []Result) error { cancel(); return nil }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
}

func TestBadSlices(t *testing.T) {
	good, _ := thorax(t, 12, 0.01)
	nan := good
	nan.Sino.Data = append([]float32(nil), good.Sino.Data...)
	nan.Sino.Data[5] = float32(math.NaN())
	none := good
	none.Sino = ct.Sinogram{}
	for _, name := range classical() {
		for what, job := range map[string]Slice{"a value that is not finite": nan, "no views": none} {
			m, _ := New(name, Options{})
			if _, err := m.Reconstruct(context.Background(), job, nil); err == nil {
				t.Errorf("%s: %s gives no error", name, what)
			}
		}
	}
}
