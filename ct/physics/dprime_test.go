package physics

import (
	"math"
	"testing"

	"ctrecon/ct"
)

func gauss(height, s float64) func(float64) float64 { // s in cm
	return func(f float64) float64 { return height * math.Exp(-2*math.Pi*math.Pi*s*s*f*f) }
}

func one(float64) float64 { return 1 }

// TestDetectabilityOfGaussians: signal, transfer and root of the noise power are
// Gaussians of s, b and c cm: d'^2 = A^2 pi s^4 (s^2+b^2+c^2)/(s^2+b^2)^2 / N0.
func TestDetectabilityOfGaussians(t *testing.T) {
	tests := []struct {
		name           string
		hu, s, b, c, n float64
	}{
		{"white noise, no blur", 30, 0.3, 0, 0, 2},
		{"blur", 30, 0.3, 0.2, 0, 2},
		{"coloured noise", 100, 0.2, 0.1, 0.15, 5},
		{"noise seen through the same blur", 100, 0.2, 0.1, 0.1, 5},
	}
	for _, tt := range tests {
		w := gauss(tt.hu*2*math.Pi*tt.s*tt.s, tt.s)
		noise := gauss(tt.n, math.Sqrt2*tt.c)
		got := Detectability(w, gauss(1, tt.b), noise, Eye{}, 20)
		q := tt.s*tt.s + tt.b*tt.b
		want := math.Sqrt(tt.hu * tt.hu * math.Pi * math.Pow(tt.s, 4) * (q + tt.c*tt.c) / (q * q) / tt.n)
		if math.Abs(got/want-1) > 1e-4 {
			t.Errorf("%s: d' = %.5f, want %.5f", tt.name, got, want)
		}
	}
}

// TestDetectabilityOfDisc: without blur, in white noise, d'^2 is the disc's energy
// over the noise power (Parseval); the tail beyond top is 2/(pi^2 d top) of it.
func TestDetectabilityOfDisc(t *testing.T) {
	task := Task{Diameter: 6, Contrast: 30}
	const n0, top = 3.0, 200.0
	got := Detectability(task.Spectrum, one, func(float64) float64 { return n0 }, Eye{}, top)
	want := 30 * math.Sqrt(math.Pi*0.36/4/n0)
	if math.Abs(got/want-1) > 1.5/(math.Pi*math.Pi*0.6*top) {
		t.Errorf("d' = %.5f, want %.5f", got, want)
	}
	if got, want := task.Spectrum(0), 30*math.Pi*0.09; math.Abs(got-want) > 1e-9 {
		t.Errorf("spectrum at 0 is %g, want %g", got, want)
	}
	if got := math.Abs(task.Spectrum(1.2196699 / 0.6)); got > 1e-6 { // first zero of J1
		t.Errorf("spectrum at its first zero is %g", got)
	}
}

func TestDetectabilityScales(t *testing.T) {
	task := Task{5, 100}
	noise := gauss(4, 0.1)
	eye := DefaultEye(230)
	base := Detectability(task.Spectrum, gauss(1, .1), noise, eye, 5)
	twice := Detectability(Task{5, 200}.Spectrum, gauss(1, .1), noise, eye, 5)
	loud := Detectability(task.Spectrum, gauss(1, .1), gauss(16, 0.1), eye, 5)
	if math.Abs(twice-2*base) > 1e-9*base || math.Abs(loud-base/2) > 1e-9*base {
		t.Errorf("d' %.4f; twice the contrast %.4f, four times the noise power %.4f", base, twice, loud)
	}
	// In white noise the matched filter is ideal: an eye can only lose.
	white := func(float64) float64 { return 4 }
	npw, npwe := Detectability(task.Spectrum, gauss(1, .1), white, Eye{}, 5), Detectability(task.Spectrum, gauss(1, .1), white, eye, 5)
	if !(npwe < npw) || npwe < 0.3*npw {
		t.Errorf("NPW %.3f, NPWE %.3f", npw, npwe)
	}
}

func TestEye(t *testing.T) {
	e := Eye{Distance: 500, Zoom: 1.5}
	at := func(rho float64) float64 { return rho * 180 / math.Pi / 500 * 1.5 * 10 } // 1/cm in the object
	best, where := 0.0, 0.0
	for rho := 0.01; rho < 20; rho += 0.01 {
		if v := e.Response(at(rho)); v > best {
			best, where = v, rho
		}
	}
	if math.Abs(best-1) > 1e-5 || math.Abs(where-3.3) > 0.05 {
		t.Errorf("largest response %.6f at %.2f cycles a degree, want 1 at 3.3", best, where)
	}
	if got := (Eye{}).Response(7); got != 1 {
		t.Errorf("no eye: %g, want 1", got)
	}
	if got := e.Response(0); got != 0 {
		t.Errorf("response at 0 is %g, want 0", got)
	}
	if a, b := e.Response(2), (Eye{Distance: 1000, Zoom: 3}).Response(2); math.Abs(a-b) > 1e-12 {
		t.Errorf("twice as far and twice as large: %g and %g", a, b)
	}
}

// TestDetectabilityAgainstDraws lets the observer work: the template of NPW on
// pictures of filtered noise, whose d' the frequencies must foretell.
func TestDetectabilityAgainstDraws(t *testing.T) {
	const n, dx, sd, draws, hu, s = 48, 1.0, 40.0, 400, 30.0, 3.0 // s in mm
	g := ct.Square(n, dx)
	images := noisy(g, nil, draws, sd, 11)
	signal := make([]float64, g.Len())
	energy := 0.0
	for i := range signal {
		x, y := g.XY(i/n, i%n)
		signal[i] = hu * math.Exp(-(x*x+y*y)/(2*s*s))
		energy += signal[i] * signal[i]
	}
	square := 0.0
	for d := range images {
		images[d] = smooth(images[d], n)
		score := 0.0
		for i, v := range images[d] {
			score += float64(v) * signal[i]
		}
		square += score * score / draws
	}
	seen := energy / math.Sqrt(square)
	nps, err := NewRepeats(g, images).NPS(0, 0, n)
	if err != nil {
		t.Fatal(err)
	}
	w := gauss(hu*2*math.Pi*s*s/100, s/10)
	told := Detectability(w, one, nps.Radial.At, Eye{}, 5)
	if math.Abs(told/seen-1) > 4/math.Sqrt(2*draws) {
		t.Errorf("d' foretold %.2f, seen %.2f", told, seen)
	}
}

// TestSeenInWhiteNoise: there d' is the root of the signal's energy over the
// deviation, whatever the signal, and noise left in the difference of independent
// draws does not raise it.
func TestSeenInWhiteNoise(t *testing.T) {
	const dx, sd, hu, s = 0.9, 20.0, 25.0, 2.0
	g := ct.Square(80, dx)
	signal := make([]float32, g.Len())
	energy := 0.0
	for i := range signal {
		x, y := g.XY(i/80, i%80)
		signal[i] = float32(hu * math.Exp(-((x-9)*(x-9)+(y+4)*(y+4))/(2*s*s)))
		energy += float64(signal[i]) * float64(signal[i])
	}
	want := math.Sqrt(energy) / sd
	tests := []struct {
		name string
		seed uint64 // of the images with the signal; 1 = the same noise
		hu   float32
		tol  float64
	}{
		{"the same noise in both", 1, 1, 0.02},
		{"other noise", 2, 1, 0.08},
		{"four times the signal", 1, 4, 0.02},
	}
	for _, tt := range tests {
		base := make([]float32, len(signal))
		for i, v := range signal {
			base[i] = tt.hu * v
		}
		without := NewRepeats(g, noisy(g, nil, 60, sd, 1))
		with := NewRepeats(g, noisy(g, base, 60, sd, tt.seed))
		nps, err := without.NPS(0, 0, 32)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Seen(with, without, 9, -4, 8, nps, Eye{})
		if err != nil {
			t.Fatal(err)
		}
		if e := got/(want*float64(tt.hu)) - 1; math.Abs(e) > tt.tol {
			t.Errorf("%s: d' = %.3f, want %.3f", tt.name, got, want*float64(tt.hu))
		}
	}
}

// TestSeenIsDetectability where the curves are known: a Gaussian in filtered
// noise, with the eye.
func TestSeenIsDetectability(t *testing.T) {
	const n, dx, sd, hu, s = 48, 1.0, 40.0, 30.0, 3.0
	g := ct.Square(n, dx)
	without := noisy(g, nil, 60, sd, 4)
	with := make([][]float32, len(without))
	for d := range without {
		without[d] = smooth(without[d], n)
		with[d] = make([]float32, g.Len())
		for i := range with[d] {
			x, y := g.XY(i/n, i%n)
			with[d][i] = without[d][i] + float32(hu*math.Exp(-(x*x+y*y)/(2*s*s)))
		}
	}
	a, b := NewRepeats(g, with), NewRepeats(g, without)
	nps, err := b.NPS(0, 0, n)
	if err != nil {
		t.Fatal(err)
	}
	for _, eye := range []Eye{{}, DefaultEye(100)} {
		got, err := Seen(a, b, 0, 0, 30, nps, eye)
		if err != nil {
			t.Fatal(err)
		}
		want := Detectability(gauss(hu*2*math.Pi*s*s/100, s/10), one, nps.Radial.At, eye, 5)
		if math.Abs(got/want-1) > 0.03 {
			t.Errorf("eye %+v: %.3f, by the curves %.3f", eye, got, want)
		}
	}
}

func TestSeenNothing(t *testing.T) {
	g := ct.Square(32, 1)
	r := NewRepeats(g, noisy(g, nil, 4, 1, 1))
	nps, err := r.NPS(0, 0, 16)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Seen(r, r, 0, 0, 5, nps, Eye{}); got != 0 || err != nil {
		t.Errorf("d' of nothing is %g, error %v", got, err)
	}
	if _, err := Seen(r, r, 14, 0, 5, nps, Eye{}); err == nil {
		t.Error("a square beyond the image gives no error")
	}
}
