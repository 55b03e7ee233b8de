package recon

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/metrics"
	"ctrecon/radon"
)

func golden(t *testing.T, name string) []float32 {
	t.Helper()
	b, err := os.ReadFile("testdata/golden." + name)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// TestAgainstReference: the figures of an independent program on the same data
// (testdata/README.md). FBP differs by its interpolation. The iterative methods
// stop before their limit, on other steps and another projector: the reference's
// own TV moves by .28 dB between 300 and 3000 iterations on such an object, and
// .2 dB is half of what the protocol allows.
func TestAgainstReference(t *testing.T) {
	var want map[string]struct {
		PSNR float64 `json:"psnr"`
		SSIM float64 `json:"ssim"`
		RMSE float64 `json:"hu_rmse"`
	}
	b, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(b, &want)
	}
	if err != nil || len(want) != 5 {
		t.Fatalf("golden.json: %d methods, %v", len(want), err)
	}
	truth := golden(t, "hu")
	grid := ct.Square(64, 1.5)
	s := ct.Sinogram{Geometry: ct.Uniform(25, 95, 1.5), Data: golden(t, "sino"), Noise: ct.Noise{Sigma: 0.01, Source: "given"}}
	for name, w := range want {
		m, err := New(name, Options{TVWeight: 1}) // the protocol's
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Reconstruct(context.Background(), Slice{Grid: grid, Sino: s, MuWater: ct.MuWater}, nil)
		if err != nil {
			t.Fatal(err)
		}
		hu := make([]float32, len(truth))
		ct.ImageToHU(hu, r.Image.Pix, ct.MuWater)
		psnr, ssim := metrics.PSNR(hu, truth), metrics.SSIM(hu, truth, 64)
		bound := 0.2
		if r.Iterations == 0 {
			bound = 0.05
		}
		if math.Abs(psnr-w.PSNR) > bound || math.Abs(ssim-w.SSIM) > 0.005 {
			t.Errorf("%s: %.3f dB, SSIM %.4f; the reference has %.3f dB, %.4f", name, psnr, ssim, w.PSNR, w.SSIM)
		}
	}
}

// TestMeasureAgainstReference: the simulated measurement is the reference's but
// for the rounding of lines: a tenth of the protocol's noise at most.
func TestMeasureAgainstReference(t *testing.T) {
	m, err := radon.NewMeter(ct.Square(64, 1.5), ct.Uniform(25, 95, 1.5))
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Measure(golden(t, "hu"), ct.MuWater, ct.Noise{}, ct.NewStream(1, 0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, v := range golden(t, "clean") {
		d := float64(s.Data[i] - v)
		sum += d * d
	}
	if rms := math.Sqrt(sum / float64(len(s.Data))); rms > 1e-3 {
		t.Errorf("differs by %.2g nepers RMS", rms)
	}
}
