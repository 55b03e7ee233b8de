package physics

import (
	"math"
	"testing"

	"ctrecon/ct"
)

func TestCTNumberOfKnownPixels(t *testing.T) {
	g := ct.Square(4, 1)
	a, b := make([]float32, 16), make([]float32, 16)
	// The four middle pixels: draws 10 +- 2 on the left, 20 +- 2 on the right.
	for _, i := range []int{5, 9} {
		a[i], b[i] = 12, 8
		a[i+1], b[i+1] = 22, 18
	}
	got := NewRepeats(g, [][]float32{a, b}).CTNumber(Disc{0, 0, 1})
	// Draws have means 17 and 13: SE sqrt(8)/sqrt 2 = 2. A pixel's variance is 8.
	// The mean image varies by 25 about 15, of which 8/2 is noise.
	want := Number{Pixels: 4, Mean: 15, SE: 2, Noise: math.Sqrt(8), Pattern: math.Sqrt(21)}
	for _, x := range []struct {
		name      string
		got, want float64
	}{{"pixels", float64(got.Pixels), 4}, {"mean", got.Mean, want.Mean}, {"SE", got.SE, want.SE}, {"noise", got.Noise, want.Noise}, {"pattern", got.Pattern, want.Pattern}} {
		if math.Abs(x.got-x.want) > 1e-9 {
			t.Errorf("%s = %g, want %g", x.name, x.got, x.want)
		}
	}
	if got := NewRepeats(g, [][]float32{a, b}).CTNumber(Disc{0, 0, 0.1}); got != (Number{}) {
		t.Errorf("a region between pixels gives %+v", got)
	}
}

func TestNoiseAndPatternApart(t *testing.T) {
	g := ct.Square(64, 1)
	waves := make([]float32, g.Len())
	for i := range waves {
		waves[i] = float32(50 + 10*math.Sqrt2*math.Sin(2*math.Pi*float64(i%64)/8)) // rms 10
	}
	got := NewRepeats(g, noisy(g, waves, 16, 30, 7)).CTNumber(Disc{0, 0, 30})
	tests := []struct {
		name           string
		got, want, tol float64
	}{ // 2800 pixels, 16 draws: bounds are five standard errors
		{"mean", got.Mean, 50, 1.2},
		{"noise", got.Noise, 30, 0.6},
		{"pattern", got.Pattern, 10, 1},
		{"standard error", got.SE, 30 / math.Sqrt(16*float64(got.Pixels)), 0.14},
	}
	for _, tt := range tests {
		if math.Abs(tt.got-tt.want) > tt.tol {
			t.Errorf("%s = %.3f, want %.3f", tt.name, tt.got, tt.want)
		}
	}
}

func TestUniformity(t *testing.T) {
	c := Number{Pixels: 1, Mean: 3}
	at := func(v float64) Number { return Number{Pixels: 5, Mean: v} }
	tests := []struct {
		name   string
		others []Number
		want   float64
	}{
		{"nothing else", nil, 0},
		{"darker outside", []Number{at(5), at(-2), at(4)}, -5},
		{"brighter outside", []Number{at(13), at(-2)}, 10},
		{"regions without pixels do not count", []Number{{}, at(4)}, 1},
	}
	for _, tt := range tests {
		if got := Uniformity(c, tt.others); got != tt.want {
			t.Errorf("%s: %g, want %g", tt.name, got, tt.want)
		}
	}
}

func TestRepeatsPanic(t *testing.T) {
	g := ct.Square(2, 1)
	for name, images := range map[string][][]float32{"one image": {make([]float32, 4)}, "a length": {make([]float32, 4), make([]float32, 3)}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			NewRepeats(g, images)
		}()
	}
}
