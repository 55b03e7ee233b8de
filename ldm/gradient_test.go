package ldm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// slope is a fit of two latents to three data; no latent fits them.
func slope() (*toyModel, *gradData) {
	toy := newToy([]float64{1, 1}, mat.NewDense(3, 2, []float64{1, 0, 0.5, -1, 2, 0.25}), eye(3), 0.5)
	d := newGradData(toy)
	copy(d.y, []float64{1, -2, 0.5})
	return newToyModel(toy), d
}

// descend fits the start of the tests and returns where it ended.
func descend(t *testing.T, f *latentFit, o LatentOptions) (z []float32, iters int, chi2 float64) {
	t.Helper()
	m, d := slope()
	z = []float32{0.3, -0.7}
	iters, chi2, err := f.fit(context.Background(), m, d, z, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Chi2(decoded(m, z)); math.Abs(got-chi2) > 1e-9*got {
		t.Errorf("the fit ended at chi2 %g, but says %g", got, chi2)
	}
	if d.asked != iters+1 {
		t.Errorf("%d iterations asked for %d gradients, want one each and one at the end", iters, d.asked)
	}
	return z, iters, chi2
}

func decoded(m Model, z []float32) []float32 {
	u := make([]float32, m.Dims().Pixels())
	if err := m.Decode(context.Background(), u, z); err != nil {
		panic(err)
	}
	return u
}

// trajectory is Adam on the same misfit by PyTorch 2 in float64 (torch.optim.Adam,
// lr 0.05): latent and mean square after so many steps.
var trajectory = []struct{ z0, z1, chi2 float64 }{
	{0.3, -0.7, 11.490833333333},
	{0.250000000217, -0.650000000044, 11.052708333842},
	{0.202793254975, -0.600026543045, 10.657289251342},
	{0.163335931242, -0.550097960368, 10.297104012316},
	{0.137910798898, -0.500233017650, 9.954524207380},
	{0.128398816361, -0.450450877981, 9.613012081316},
}

// TestAdam: five steps as PyTorch takes them. Each rounds the latent to 2^-25 and
// both means to 2^-24 of themselves, of which a step of 0.05 shows 0.05*2*2^-24.
func TestAdam(t *testing.T) {
	for n, want := range trajectory {
		z, iters, chi2 := descend(t, &latentFit{}, LatentOptions{Iters: n, Rate: 0.05})
		if iters != n {
			t.Errorf("%d iterations, allowed %d and no stop", iters, n)
		}
		for i, w := range []float64{want.z0, want.z1} {
			if off := math.Abs(float64(z[i]) - w); off > float64(n+1)*4e-8 {
				t.Errorf("after %d steps latent %d is %.9g, want %.12g", n, i, z[i], w)
			}
		}
		near(t, fmt.Sprintf("mean square after %d steps", n), chi2, want.chi2, 1e-6)
	}
}

// TestFitStops: at the first latent whose mean square is at most Stop plus Floor in
// units of the noise, or after Iters.
func TestFitStops(t *testing.T) {
	_, d := slope()
	square := d.Unit() * d.Unit()
	tests := []struct {
		name        string
		iters       int
		stop, floor float64
		want        int
	}{
		{"fits already", 9, 11.5, 0, 0},
		{"between step 2 and 3", 9, 10.5, 0, 3},
		{"just reached", 9, 10.2972, 0, 3},
		{"just missed", 9, 10.2970, 0, 4},
		{"by the floor alone", 9, 0, 10.5 * square, 3},
		{"by both", 9, 4, 6.5 * square, 3},
		{"no iterations", 0, 1, 0, 0},
		{"out of iterations", 4, 1, 0, 4},
		{"not below the least square", 300, 0.1, 0, 300},
		{"the floor says so", 300, 1, 5 * square, 18}, // PyTorch: 6.0176 after 17, 5.7720 after 18
	}
	for _, tt := range tests {
		z, iters, chi2 := descend(t, &latentFit{}, LatentOptions{Iters: tt.iters, Rate: 0.05, Stop: tt.stop, Floor: tt.floor})
		if iters != tt.want {
			t.Errorf("%s: %d iterations, want %d", tt.name, iters, tt.want)
		}
		if limit := tt.stop + tt.floor/square; (chi2 <= limit) != (iters < tt.iters) {
			t.Errorf("%s: mean square %g after %d of %d iterations, stop at %g", tt.name, chi2, iters, tt.iters, limit)
		}
		if iters == 0 && (z[0] != 0.3 || z[1] != -0.7) {
			t.Errorf("%s: the latent moved to %v", tt.name, z)
		}
	}
}

// TestFitForgets: moments of an earlier fit, of this size or another, do not count.
func TestFitForgets(t *testing.T) {
	o := LatentOptions{Iters: 7, Rate: 0.05}
	want, _, _ := descend(t, &latentFit{}, o)
	used := &latentFit{}
	descend(t, used, LatentOptions{Iters: 30, Rate: 0.5})
	if got, _, _ := descend(t, used, o); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("after another fit %v, want %v", got, want)
	}
	toy := modesToy()
	d := newGradData(toy)
	if _, _, err := used.fit(context.Background(), newToyModel(toy), d, make([]float32, 12), o); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := descend(t, used, o); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("after a fit of another size %v, want %v", got, want)
	}
}

// TestFitFindsLeastSquares: with enough iterations it ends at the solution of
// D'D z = D'y, and the mean square there is the least.
func TestFitFindsLeastSquares(t *testing.T) {
	m, d := slope()
	z, _, chi2 := descend(t, &latentFit{}, LatentOptions{Iters: 3000, Rate: 0.02})
	best := mul(pinv(m.d), mat.NewDense(3, 1, d.y))
	for i, got := range z {
		near(t, fmt.Sprintf("latent %d", i), float64(got), best.At(i, 0), 1e-5)
	}
	off := add(mat.NewDense(3, 1, d.y), -1, mul(m.d, best))
	near(t, "least mean square", chi2, mat.Trace(mul(off.T(), off))/(3*d.sigma*d.sigma), 1e-6)
}

func TestFitCancelled(t *testing.T) {
	m, d := slope()
	ctx, stop := context.WithCancel(context.Background())
	tr := &tracer{Model: m, DataTerm: d, fail: 4, stop: stop}
	if _, _, err := new(latentFit).fit(ctx, tr, tr, []float32{1, 1}, LatentOptions{Iters: 100, Rate: 0.1}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if len(tr.calls) > 5 {
		t.Errorf("%d calls, of which the fourth saw the end", len(tr.calls))
	}
}
