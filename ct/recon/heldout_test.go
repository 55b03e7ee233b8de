package recon

import (
	"math"
	"slices"
	"testing"

	"ctrecon/ct"
)

func TestHeldOutViews(t *testing.T) {
	for _, c := range []struct {
		views, n int
		want     []int
	}{{25, 2, []int{6, 18}}, {4, 1, []int{2}}, {3, 0, nil}} {
		if got := HeldOutViews(c.views, c.n); !slices.Equal(got, c.want) {
			t.Errorf("%d of %d: %v, want %v", c.n, c.views, got, c.want)
		}
	}
}

// TestScores: predictions that miss data of deviation s by draws of the claimed
// size have z-scores of mean 0 and deviation 1.
func TestScores(t *testing.T) {
	const bins, k, spread, sigma = 4000, 8, 0.03, 0.01
	geo := ct.Geometry{Angles: []float64{30}, Bins: bins, BinSize: 1}
	held := ct.NewSinogram(geo)
	held.Noise.Sigma = sigma
	n := make([]float32, bins)
	draw := func(step uint32) []float32 { ct.NewStream(7, 0, 0, step).Normals(n, 0); return n }
	for i, z := range draw(0) {
		held.Data[i] = 1 + spread*z // the truth is a draw too
	}
	for i, z := range draw(1) {
		held.Data[i] += float32(math.Hypot(sigma, modelError)) * z
	}
	p := projections{geo: geo}
	p.m.reset(bins)
	for s := range k {
		v := make([]float32, bins)
		for i, z := range draw(uint32(2 + s)) {
			v[i] = 1 + spread*z
		}
		p.m.add(v)
	}
	h := p.scores(&held, []int{3})
	// The variance of k = 8 draws is estimated: z follows Student's t with 7
	// degrees of freedom where the spread dominates, of deviation sqrt(7/5).
	if len(h) != 1 || h[0].View != 3 || h[0].Bins != bins || math.Abs(h[0].ZMean) > 5*1.2/math.Sqrt(bins) || h[0].ZSD < 1 || h[0].ZSD > math.Sqrt(7./5)+0.06 {
		t.Errorf("%+v", h)
	}
	// In nepers: truth, noise and the mean of k draws vary independently.
	if want := math.Sqrt(spread*spread*(1+1./k) + sigma*sigma + modelError*modelError); math.Abs(h[0].RMS/want-1) > 5/math.Sqrt(2*bins) {
		t.Errorf("RMS %v, want %v", h[0].RMS, want)
	}
}

// TestHoldOut: the view that FBP and TV did not see is predicted worse than the
// noise, and TV's prediction is the better one.
func TestHoldOut(t *testing.T) {
	job, _ := thorax(t, 25, 0.01)
	sd := map[string]float64{}
	for _, name := range []string{"fbp", "tv"} {
		m, err := New(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		h, err := HoldOut(t.Context(), m, job, []int{6, 18})
		if err != nil || len(h) != 2 || h[1].Angle != job.Sino.Angles[18] {
			t.Fatalf("%s: %+v, %v", name, h, err)
		}
		sd[name] = h[0].ZSD
	}
	if !(sd["fbp"] > sd["tv"] && sd["tv"] > 1) {
		t.Errorf("deviation of z: %v", sd)
	}
}
