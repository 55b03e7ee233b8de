package physics

import (
	"math"
	"strings"
	"testing"

	"ctrecon/ct"
)

func TestNPSOfWhiteNoise(t *testing.T) {
	g := ct.Square(96, 0.8)
	const sd, draws, n = 25.0, 40, 48
	base := make([]float32, g.Len())
	for i := range base {
		base[i] = float32(i % 96 * 10) // a ramp is no noise
	}
	r := NewRepeats(g, noisy(g, base, draws, sd, 3))
	s, err := r.NPS(4, -3, n)
	if err != nil {
		t.Fatal(err)
	}
	flat := sd * sd * 0.08 * 0.08 // variance times the area of a pixel, HU^2 cm^2
	for i, v := range s.Radial.Values {
		ring := math.Max(1, 2*math.Pi*float64(i)/2) // independent frequencies
		if tol := 5 / math.Sqrt(ring*draws/2); math.Abs(v/flat-1) > tol {
			t.Errorf("at %.2f: %.4g, want %.4g within %.0f %%", float64(i)*s.Radial.Step, v, flat, 100*tol)
		}
	}
	if got := s.Variance(); math.Abs(got/(sd*sd)-1) > 5*math.Sqrt2/math.Sqrt(n*n*draws) {
		t.Errorf("integral %.2f, want %.2f", got, sd*sd)
	}
	nyquist := 10 / (2 * 0.8)
	if got := s.MeanFrequency(); math.Abs(got-nyquist/2) > 0.02*nyquist {
		t.Errorf("mean frequency %.3f, want %.3f", got, nyquist/2)
	}
}

// TestNPSIntegralIsVariance: Parseval, exact for any images.
func TestNPSIntegralIsVariance(t *testing.T) {
	g := ct.Grid{W: 40, H: 30, DX: 0.7, DY: 1.1}
	r := NewRepeats(g, noisy(g, nil, 3, 4, 9))
	for _, n := range []int{4, 7, 30} {
		s, err := r.NPS(0, 0, n)
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		for _, im := range r.images {
			for i := range n * n {
				p := ((30-n+1)/2+i/n)*40 + (40-n+1)/2 + i%n
				d := float64(im[p]) - r.mean[p]
				want += d * d / float64(n*n) / 2
			}
		}
		if got := s.Variance(); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%d x %d: integral %.9g, variance %.9g", n, n, got, want)
		}
	}
}

func TestNPSOfFilteredNoise(t *testing.T) {
	const n, dx, sd, draws = 32, 0.9, 10.0, 200
	g := ct.Square(n, dx)
	images := noisy(g, nil, draws, sd, 5)
	for d := range images {
		images[d] = smooth(images[d], n)
	}
	s, err := NewRepeats(g, images).NPS(0, 0, n)
	if err != nil {
		t.Fatal(err)
	}
	top := sd * sd * dx * dx / 100
	for i, v := range s.Plane {
		cx, cy := math.Cos(math.Pi*float64(i%n)/n), math.Cos(math.Pi*float64(i/n)/n)
		want := top * math.Pow(cx*cy, 4)
		if math.Abs(v-want) > 6*math.Sqrt(2./draws)*want+1e-9*top {
			t.Errorf("frequency %d, %d: %.4g, want %.4g", i%n, i/n, v, want)
		}
	}
	if got, want := s.Variance(), sd*sd*9/64; math.Abs(got/want-1) > 0.03 { // (6/16)^2
		t.Errorf("integral %.3f, want %.3f", got, want)
	}
	if s.PeakFrequency() > 2*s.Radial.Step {
		t.Errorf("peak at %.2f, want near 0", s.PeakFrequency())
	}
}

func TestNPSOutside(t *testing.T) {
	g := ct.Square(16, 1)
	r := NewRepeats(g, noisy(g, nil, 2, 1, 1))
	for _, tt := range []struct {
		x, y float64
		n    int
	}{{0, 0, 17}, {5, 0, 8}, {0, -5, 8}, {0, 0, 3}} {
		if _, err := r.NPS(tt.x, tt.y, tt.n); err == nil || !strings.Contains(err.Error(), "not within the image of 16 x 16") {
			t.Errorf("%+v: error %v", tt, err)
		}
	}
}
