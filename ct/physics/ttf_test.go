package physics

import (
	"math"
	"strings"
	"testing"

	"ctrecon/ct"
)

// gaussF50 is f50 in 1/cm of a Gaussian of deviation s mm.
func gaussF50(s float64) float64 { return 10 * math.Sqrt(math.Ln2/2) / (math.Pi * s) }

func TestTTFOfGaussianBlur(t *testing.T) {
	g := ct.Square(96, 0.9)
	tests := []struct {
		name  string
		disc  Disc
		s, hu float64
		tol   float64 // bend of the edge, window and sampling; grows with (s/R)^2
	}{
		{"large insert", Disc{3.3, -4.1, 12.5}, 0.8, 955, 0.006},
		{"more blur", Disc{3.3, -4.1, 12.5}, 1.4, 955, 0.012},
		{"darker than around", Disc{-5.25, 2.5, 12.5}, 0.8, -1000, 0.006},
		{"small contrast", Disc{3.3, -4.1, 12.5}, 1.0, 6, 0.008},
		{"small insert", Disc{3.3, -4.1, 6}, 0.8, 100, 0.015},
		{"middle on a corner of pixels", Disc{0, 0, 12.5}, 1.0, 100, 0.02},
	}
	for _, tt := range tests {
		im := blurredDisc(g, tt.disc, tt.s, tt.hu)
		got, err := NewRepeats(g, [][]float32{im, im}).TTF(tt.disc)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		worst := 0.0
		for i, v := range got.Values {
			f := float64(i) * got.Step / 10
			if want := math.Exp(-2 * math.Pi * math.Pi * tt.s * tt.s * f * f); math.Abs(v-want) > worst {
				worst = math.Abs(v - want)
			}
		}
		if worst > tt.tol {
			t.Errorf("%s: TTF is off by %.4f, bound %.4f", tt.name, worst, tt.tol)
		}
		if want := gaussF50(tt.s); math.Abs(got.F50()-want) > 0.02*want {
			t.Errorf("%s: f50 = %.3f, want %.3f 1/cm", tt.name, got.F50(), want)
		}
		if want := gaussF50(tt.s) * math.Sqrt(math.Ln10/math.Ln2); math.Abs(got.F10()-want) > 0.03*want {
			t.Errorf("%s: f10 = %.3f, want %.3f 1/cm", tt.name, got.F10(), want)
		}
		if math.Abs(got.Contrast-tt.hu) > 0.001*math.Abs(tt.hu) {
			t.Errorf("%s: contrast %.3f, want %.3f HU", tt.name, got.Contrast, tt.hu)
		}
	}
}

// TestTTFInNoise is the reason for Trusted: at that CNR of the mean image the
// standard error of f50 is below 6.5 %, for the large and the small insert of the
// ACR phantom and for sharp and soft images.
func TestTTFInNoise(t *testing.T) {
	g := ct.Square(64, 0.9)
	const hu, draws, seeds = 100.0, 4, 40
	for _, s := range []float64{0.6, 1, 1.5} {
		for _, d := range []Disc{{3.3, -4.1, 12.5}, {3.3, -4.1, 6}} {
			im := blurredDisc(g, d, s, hu)
			square := 0.0
			for seed := range uint64(seeds) {
				sd := hu / Trusted * math.Sqrt(draws)
				got, err := NewRepeats(g, noisy(g, im, draws, sd, seed+1)).TTF(d)
				if err != nil {
					t.Fatal(err)
				}
				if s < d.R/8 && math.Abs(got.CNR-Trusted) > 0.15*Trusted { // some 50 pixels; more blur reaches into them
					t.Errorf("CNR = %.2f, want %.2f", got.CNR, Trusted)
				}
				e := got.F50()/gaussF50(s) - 1
				square += e * e / seeds
			}
			if rms := math.Sqrt(square); rms > 0.065 {
				t.Errorf("R = %g, blur %g mm: standard error of f50 is %.1f %%", d.R, s, 100*rms)
			}
		}
	}
}

func TestTTFDoesNotKnowTheContrast(t *testing.T) {
	g, d := ct.Square(64, 0.9), Disc{1.2, 0.7, 12}
	a := blurredDisc(g, d, 1, 50)
	b := make([]float32, len(a))
	for i, v := range a {
		b[i] = 8*v - 1000 // exact in binary but for rounding
	}
	x, err1 := NewRepeats(g, [][]float32{a, a}).TTF(d)
	y, err2 := NewRepeats(g, [][]float32{b, b}).TTF(d)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for i := range x.Values {
		if math.Abs(x.Values[i]-y.Values[i]) > 1e-4 {
			t.Fatalf("at %.2f: %.6f and %.6f", float64(i)*x.Step, x.Values[i], y.Values[i])
		}
	}
	if math.Abs(y.Contrast-8*x.Contrast) > 1e-3 {
		t.Errorf("contrasts %.4f and %.4f", x.Contrast, y.Contrast)
	}
}

func TestTTFRefuses(t *testing.T) {
	g := ct.Square(64, 0.9)
	flat := make([]float32, g.Len())
	tests := []struct {
		name string
		disc Disc
		want string
	}{
		{"too small", Disc{0, 0, 4}, "5 pixels of 0.9 mm are needed"},
		{"nothing there", Disc{0, 0, 10}, "its edge cannot be seen"},
	}
	for _, tt := range tests {
		_, err := NewRepeats(g, [][]float32{flat, flat}).TTF(tt.disc)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestCurve(t *testing.T) {
	c := Curve{Step: 0.5, Values: []float64{2, 1.5, 0.5, 0.1}}
	for _, tt := range []struct{ f, want float64 }{{0, 2}, {0.25, 1.75}, {0.5, 1.5}, {1.5, 0.1}, {1.6, 0}, {9, 0}, {-1, 0}} {
		if got := c.At(tt.f); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("At(%g) = %g, want %g", tt.f, got, tt.want)
		}
	}
	if got := c.Fall(0.5); math.Abs(got-0.75) > 1e-12 {
		t.Errorf("Fall(.5) = %g, want .75", got)
	}
	if got := c.Fall(0.01); !math.IsInf(got, 1) {
		t.Errorf("Fall(.01) = %g, want +Inf", got)
	}
}
