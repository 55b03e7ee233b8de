package metrics

import (
	"math"
	"testing"

	"ctrecon/ct"
)

// images are a body of waves with a hole, a bright spot outside, and a disturbed
// copy. The wanted figures were made once by the protocol's Python reference
// (reference/evaluation/metrics.py) on the same formula, rounded to float32.
func images() (hu, ref []float32, w int) {
	const n = 48
	for i := range n * n {
		r, c := float64(i/n), float64(i%n)
		v := -1000.0
		if (r-23)*(r-23)/400+(c-25)*(c-25)/300 < 1 {
			v = 40 + 60*math.Sin(.5*r)*math.Cos(.3*c)
		}
		if r >= 20 && r < 26 && c >= 20 && c < 26 {
			v = -900
		}
		if r >= 2 && r < 5 && c >= 2 && c < 5 {
			v = 100
		}
		ref = append(ref, float32(v))
		hu = append(hu, float32(v+25*math.Sin(1.7*r+.9*c)+10*math.Cos(r*c/50)))
	}
	return hu, ref, n
}

func TestAgainstReference(t *testing.T) {
	hu, ref, w := images()
	inside := 0
	body := Body(ref, w)
	for _, b := range body {
		if b {
			inside++
		}
	}
	tests := []struct {
		name      string
		got, want float64
	}{
		{"PSNR", PSNR(hu, ref), 41.52717542726974},
		{"SSIM", SSIM(hu, ref, w), 0.9678712564632764},
		{"HU RMSE", RMSE(hu, ref, body), 19.10332741436401},
		{"pixels of the body", float64(inside), 1085},
	}
	for _, tt := range tests {
		if math.Abs(tt.got-tt.want) > 1e-6*math.Abs(tt.want) {
			t.Errorf("%s = %.9g, want %.9g", tt.name, tt.got, tt.want)
		}
	}
}

func TestEqualImages(t *testing.T) {
	_, ref, w := images()
	if got := SSIM(ref, ref, w); math.Abs(got-1) > 1e-12 {
		t.Errorf("SSIM of an image with itself is %g", got)
	}
	if got := RMSE(ref, ref, nil); got != 0 {
		t.Errorf("RMSE of an image with itself is %g", got)
	}
}

func TestChi2LeavesDeadBinsOut(t *testing.T) {
	inf := float32(math.Inf(1))
	s := ct.Sinogram{Data: make([]float32, 3), Sigma: []float32{1, 2, inf}}
	if got := Chi2([]float32{1, 4, 1000}, &s); got != 2.5 {
		t.Errorf("Chi2 = %g, want 2.5", got)
	}
	s = ct.Sinogram{Data: make([]float32, 2), Noise: ct.Noise{Sigma: 2}}
	if got := Chi2([]float32{2, 4}, &s); got != 2.5 {
		t.Errorf("Chi2 = %g, want 2.5", got)
	}
}
