package ldm

import (
	"fmt"
	"math"
	"testing"
)

// TestLDMAlphas: values computed apart from this code, in decimal arithmetic of 50
// digits (Python's decimal: p *= 1 - (lo + (hi-lo)*t/(n-1))^2 with lo, hi the
// square roots of Decimal("0.0015") and Decimal("0.0195")).
func TestLDMAlphas(t *testing.T) {
	tests := []struct {
		n, t int
		want float64
	}{
		{1000, 0, 0.9985},
		{1000, 1, 9.969944270699749188e-1},
		{1000, 100, 8.231170375773273459e-1},
		{1000, 300, 4.071619840438300428e-1},
		{1000, 500, 1.149220008553228639e-1},
		{1000, 750, 8.334135952504827011e-3},
		{1000, 999, 1.423039751920178539e-4},
		{500, 1, 9.969865680245656247e-1},
		{500, 50, 9.063548656957976779e-1},
		{500, 250, 3.378841625973572396e-1},
		{500, 499, 1.191871150687064046e-2},
		{2, 0, 0.9985},
		{2, 1, 9.790292500000000000e-1},
		{1, 0, 0.9985},
	}
	for _, tt := range tests {
		a := LDMAlphas(tt.n)
		if len(a) != tt.n {
			t.Fatalf("%d steps have %d values", tt.n, len(a))
		}
		// a rounding a factor, of both the product and the factor
		near(t, fmt.Sprintf("LDMAlphas(%d)[%d]", tt.n, tt.t), a[tt.t], tt.want, float64(tt.t+1)*4e-16)
	}
	a := LDMAlphas(1000)
	for i := 1; i < len(a); i++ {
		if !(a[i] < a[i-1] && a[i] > 0) {
			t.Fatalf("a[%d] = %g after %g: the signal's share must fall and stay above 0", i, a[i], a[i-1])
		}
	}
	if got := LDMAlphas(0); len(got) != 0 {
		t.Errorf("no steps: %v", got)
	}
}

// TestPrintedAlphas: the values that the published schedule is known by.
func TestPrintedAlphas(t *testing.T) {
	a := LDMAlphas(1000)
	for i, want := range map[int]float64{0: 0.9985, 300: 0.4072, 500: 0.1149, 750: 0.0083} {
		printed(t, fmt.Sprintf("a[%d]", i), a[i], want, 4)
	}
}

func TestAlpha(t *testing.T) {
	tests := []struct{ l, want float64 }{
		{0, 0.5},
		{math.Log(3), 0.25},
		{-math.Log(3), 0.75},
		{math.Inf(1), 0},
		{math.Inf(-1), 1},
		{50, math.Exp(-50)}, // 1/(1+e^50) to 2e-22
	}
	for _, tt := range tests {
		if got := Alpha(tt.l); math.Abs(got-tt.want) > 1e-15*tt.want {
			t.Errorf("Alpha(%g) = %g, want %g", tt.l, got, tt.want)
		}
	}
}

// TestRoundTrip: LogNSR undoes Alpha. Near a = 1 the share has lost the noise's
// digits: its rounding, 1.1e-16, is e^-l as large relative to 1-a.
func TestRoundTrip(t *testing.T) {
	for l := -20.0; l <= 20; l += 0.37 {
		if got, tol := LogNSR(Alpha(l)), 1e-15*(1+math.Abs(l)+math.Exp(-l)); math.Abs(got-l) > tol {
			t.Errorf("LogNSR(Alpha(%g)) = %.17g, allowed %.2g", l, got, tol)
		}
	}
	for _, a := range LDMAlphas(1000) {
		near(t, "Alpha(LogNSR(a))", Alpha(LogNSR(a)), a, 1e-14)
	}
}

// TestAmplitudes: their squares are the shares of signal and noise, exact at both
// ends: at l = -80 the noise is e^-40, though 1-Alpha(-80) is 0.
func TestAmplitudes(t *testing.T) {
	for _, l := range []float64{-80, -20, -8, -1, 0, 2, 20, 80} {
		s, n := amplitudes(l)
		near(t, fmt.Sprintf("l %g: signal^2+noise^2", l), s*s+n*n, 1, 1e-15)
		near(t, fmt.Sprintf("l %g: noise/signal", l), n/s, math.Exp(l/2), 1e-14)
	}
}

func TestLevels(t *testing.T) {
	tests := []struct {
		name       string
		start, end float64
		n          int
		want       []float64
	}{
		{"down", 2, -8, 5, []float64{2, -0.5, -3, -5.5, -8}},
		{"up", -1, 1, 3, []float64{-1, 0, 1}},
		{"both ends", 2, -7, 2, []float64{2, -7}},
		{"one is the start", 2, -7, 1, []float64{2}},
		{"none", 2, -7, 0, []float64{}},
	}
	for _, tt := range tests {
		got := Levels(tt.start, tt.end, tt.n)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	}
	l := Levels(2, -7, 20)
	for i := range l {
		if want := 2 - 9*float64(i)/19; math.Abs(l[i]-want) > 1e-14 {
			t.Errorf("level %d of the default: %.17g, want %.17g", i, l[i], want)
		}
	}
	if l[19] != -7 {
		t.Errorf("the last level is %.17g, not the end itself", l[19])
	}
}
