package ldm

import (
	"math"
	"testing"

	"ctrecon/ct"

	"gonum.org/v1/gonum/mat"
)

// gain is G of the sampler itself: with the same random numbers a sample is an
// affine function of the data, so each column is the difference of two samples.
func (g *rig) gain(t *testing.T) *mat.Dense {
	t.Helper()
	k := len(g.toy.s)
	g.seed = 1 << 40
	clear(g.data.y)
	g.mustSample(t)
	base := append([]float32(nil), g.r.zy...)
	m := mat.NewDense(k, len(g.data.y), nil)
	for j := range g.data.y {
		g.data.y[j] = 1
		g.mustSample(t)
		g.data.y[j] = 0
		for i, z := range g.r.zy {
			m.Set(i, j, float64(z)-float64(base[i]))
		}
	}
	return m
}

func (g *rig) mustSample(t *testing.T) {
	t.Helper()
	if err := g.sample(); err != nil {
		t.Fatal(err)
	}
}

// truth draws z from the prior and y from its measurement.
func (g *rig) truth(z []float64, i uint64, n []float32) {
	ct.NewStream(i, 1, 0, 0).Normals(n, 0)
	for k, s := range g.toy.s {
		z[k] = math.Sqrt(s) * float64(n[k])
	}
	for j := range g.data.y {
		y := g.toy.sigma * float64(n[len(z)+j])
		for k, h := range g.toy.h.RawRowView(j) {
			y += h * z[k]
		}
		g.data.y[j] = y
	}
}

// sampled is what samples of as many truths show.
type sampled struct {
	ratios
	white struct{ single, spread float64 } // e'M^-1 e/k, 1 when the covariance M is right
	end   float64                          // single after the last pixel refinement, where D = I
}

// measured draws n samples; want is the law that whitens them. The spread is
// taken around the sampler's own mean.
func (g *rig) measured(t *testing.T, want law, n int) (r sampled) {
	t.Helper()
	gain, live := g.gain(t), g.toy.live()
	best := mat.Trace(g.toy.post.v)
	z := make([]float64, len(g.toy.s))
	off, around, wide := make([]float64, len(z)), make([]float64, len(z)), make([]float64, len(z))
	normals := make([]float32, len(z)+len(g.data.y))
	single, spread := whitener(g.toy.missed(want)), whitener(want.v)
	for i := range n {
		g.seed = uint64(i)
		g.truth(z, uint64(i), normals)
		g.mustSample(t)
		for k, out := range widen(wide, g.r.zy) {
			off[k] = out - z[k]
			around[k] = out - inner(gain.RawRowView(k), g.data.y)
			r.end += square(float64(g.u[k])/unit - z[k])
		}
		r.single += inner(off, off)
		r.spread += inner(around, around)
		r.white.single += single(off)
		r.white.spread += spread(around)
		for _, j := range live {
			r.chi2 += square((g.data.y[j]-inner(g.toy.h.RawRowView(j), wide))/g.toy.sigma) / float64(len(live))
		}
	}
	r.err = g.toy.meanError(gain) / best
	for _, x := range []*float64{&r.single, &r.spread, &r.end} {
		*x /= best * float64(n)
	}
	for _, x := range []*float64{&r.white.single, &r.white.spread, &r.chi2} {
		*x /= float64(n)
	}
	return r
}

// missed is the covariance of a sample's distance from the truth.
func (t *toy) missed(s law) *mat.Dense {
	b := add(mul(s.g, t.h), -1, eye(len(t.s)))
	return add(add(mul(b, diag(t.s), b.T()), t.sigma*t.sigma, mul(s.g, s.g.T())), 1, s.v)
}

// whitener is e'm^-1 e/k.
func whitener(m *mat.Dense) func(e []float64) float64 {
	var inv mat.Dense
	if err := inv.Inverse(m); err != nil {
		panic(err)
	}
	return func(e []float64) float64 {
		sum := 0.0
		for i, x := range e {
			sum += x * inner(inv.RawRowView(i), e)
		}
		return sum / float64(len(e))
	}
}

// deviation is the relative standard deviation of the mean of n squared lengths
// of N(0, m).
func deviation(m *mat.Dense, n int) float64 {
	return math.Sqrt(2*mat.Trace(mul(m, m))/float64(n)) / mat.Trace(m)
}

// TestSampler runs Resampler on the toys. The error of its mean is free of
// chance and held to the recursion within 2e-5 (float32). Single and spread are
// within 3 % where samples are cheap, elsewhere within five standard errors, for
// few modes carry most of them; whitened, every mode counts alike (standard error
// at most sqrt(2/(16*2000)) = 0.8 %), and 3 % hold everywhere, as for chi-square.
func TestSampler(t *testing.T) {
	modes, radon := modesToy(), radonToy()
	shipped := DefaultOptions()
	shipped.EndChi2 = 0 // a step that looks at its own result has no Gaussian law
	tests := []struct {
		name string
		toy  *toy
		row  design
		n    int
		tol  float64 // of single and spread, 0: five standard errors
	}{
		{"modes", modes, rowOf(nil), 20000, 0.03},
		{"modes, 5 levels", modes, rowOf(func(d *design) { d.Steps = 5 }), 4000, 0.03},
		{"modes, 10 levels", modes, rowOf(func(d *design) { d.Steps = 10 }), 4000, 0.03},
		{"modes, 40 levels", modes, rowOf(func(d *design) { d.Steps = 40 }), 4000, 0.03},
		{"modes, start -4", modes, rowOf(func(d *design) { d.Start = -4 }), 4000, 0.03},
		{"modes, start 0", modes, rowOf(func(d *design) { d.Start = 0 }), 4000, 0.03},
		{"modes, p 0", modes, rowOf(func(d *design) { d.Perturb = 0 }), 4000, 0.03},
		{"modes, p 0.5", modes, rowOf(func(d *design) { d.Perturb = 0.5 }), 4000, 0.03},
		{"modes, eta 0.85", modes, rowOf(func(d *design) { d.Eta = 0.85 }), 4000, 0.03},
		{"modes, eta 0", modes, rowOf(func(d *design) { d.Eta = 0 }), 4000, 0.03},
		{"modes, p 0, eta 0.85", modes, rowOf(func(d *design) { d.Perturb, d.Eta = 0, 0.85 }), 4000, 0.03},
		{"modes, as shipped", modes, design{Options: shipped, where: latent}, 4000, 0.03},
		{"flat", flatToy(0.5, 0.05), rowOf(nil), 4000, 0.03},
		{"radon, pixel", radon, rowOf(func(d *design) { d.where = pixel }), 2000, 0},
		{"radon, latent", radon, rowOf(nil), 12000, 0.03},
		{"radon, 5 levels", radon, rowOf(func(d *design) { d.Steps = 5 }), 2000, 0},
		{"radon, 10 levels", radon, rowOf(func(d *design) { d.Steps = 10 }), 2000, 0},
		{"radon, p 0", radon, rowOf(func(d *design) { d.Perturb = 0 }), 2000, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := tt.toy.recursion(tt.row)
			want := tt.toy.ratios(l)
			got := newRig(tt.toy, tt.row.where, tt.row.Options).measured(t, l, tt.n)
			single, spread := tt.tol, tt.tol
			if tt.tol == 0 {
				single, spread = 5*deviation(tt.toy.missed(l), tt.n), 5*deviation(l.v, tt.n)
			}
			t.Logf("error %.5f (%.5f), single %.4f (%.4f), spread %.4f (%.4f), chi2 %.4f (%.4f), whitened %.4f %.4f; standard errors %.2g %.2g",
				got.err, want.err, got.single, want.single, got.spread, want.spread, got.chi2, want.chi2,
				got.white.single, got.white.spread, deviation(tt.toy.missed(l), tt.n), deviation(l.v, tt.n))
			near(t, "error", got.err, want.err, 2e-5)
			near(t, "single", got.single, want.single, single)
			near(t, "spread", got.spread, want.spread, spread)
			near(t, "single, whitened", got.white.single, 1, 0.03)
			near(t, "spread, whitened", got.white.spread, 1, 0.03)
			near(t, "chi2", got.chi2, want.chi2, 0.03)
			if tt.toy != radon {
				near(t, "single at the end", got.end, tt.toy.ratios(tt.toy.end(l, tt.row)).single, 0.03)
			}
		})
	}
}

// TestSamplerIsExact: with one prior variance the scalar error of a level is the
// true one, and the sampler's law is the posterior, mode by mode: mean to 1e-3,
// variance within five standard errors, sqrt(2/n) of it.
func TestSamplerIsExact(t *testing.T) {
	const n = 10000
	toy := flatToy(0.5, 0.05)
	g := newRig(toy, latent, rowOf(nil).Options)
	gain := g.gain(t)
	k, m := gain.Dims()
	for i := range k {
		for j := range m {
			if got, want := gain.At(i, j), toy.post.g.At(i, j); math.Abs(got-want) > 1e-3*mat.Max(toy.post.g) {
				t.Errorf("gain of latent %d for datum %d: %g, the posterior's is %g", i, j, got, want)
			}
		}
	}
	clear(g.data.y)
	variance := make([]float64, k)
	for i := range n {
		g.seed = uint64(i)
		g.mustSample(t)
		for j, z := range g.r.zy {
			variance[j] += float64(z) * float64(z) / n
		}
	}
	for i, v := range variance {
		near(t, "variance", v, toy.post.v.At(i, i), 5*math.Sqrt(2.0/n))
	}
}

func square(x float64) float64 { return x * x }
