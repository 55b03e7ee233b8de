package ldm

import (
	"context"
	"fmt"
	"math"
	"testing"

	"ctrecon/ct"
)

// repeats are n independent copies of one mode: prior N(0, s), E and D a scale, the
// exact denoiser. One call of a sampler draws n times.
type repeats struct {
	s float64
	n int
}

func (p repeats) Dims() Dims { return Dims{H: 1, W: p.n, Channels: 1, LH: 1, LW: p.n} }

func (p repeats) Encode(_ context.Context, z, u []float32) error {
	for i, v := range u {
		z[i] = v / unit
	}
	return nil
}

func (p repeats) Decode(_ context.Context, u, z []float32) error {
	for i, v := range z {
		u[i] = v * unit
	}
	return nil
}

func (p repeats) Velocity(_ context.Context, v, z []float32, l float64, _ *Condition) error {
	a := Alpha(l)
	w := float32(math.Sqrt(a*(1-a)) * (1 - p.s) / (a*p.s + 1 - a))
	for i, x := range z {
		v[i] = w * x
	}
	return nil
}

// points measures each copy by itself: y = gain x + sigma n.
type points struct {
	gain  []float64
	y     []float64
	sigma float64
}

func (d *points) Len() int { return len(d.y) }

func (d *points) Solve(_ context.Context, u, u0, dy []float32, r2, _ float64, _ int) error {
	r2 /= unit * unit
	for i, g := range d.gain {
		y := d.y[i]
		if dy != nil {
			y += d.sigma * float64(dy[i])
		}
		x := float64(u0[i]) / unit
		u[i] = float32(unit * (x + r2*g/(r2*g*g+d.sigma*d.sigma)*(y-g*x)))
	}
	return nil
}

func (d *points) Chi2(u []float32) float64 {
	sum := 0.0
	for i, g := range d.gain {
		sum += square((d.y[i] - g*float64(u[i])/unit) / d.sigma)
	}
	return sum / float64(len(d.y))
}

// blind measures nothing.
func blind(n int) *points { return &points{gain: make([]float64, n), y: make([]float64, n), sigma: 1} }

// normals are n standard normal numbers of their own stream.
func normals(n int, stream uint32) []float32 {
	x := make([]float32, n)
	ct.NewStream(2024, 1, 0, stream).Normals(x, 0)
	return x
}

// moments checks mean and variance of x against those of N(mean, variance), each
// within five standard errors: sd/sqrt(n) and variance*sqrt(2/n).
func moments(t *testing.T, what string, x []float64, mean, variance float64) {
	t.Helper()
	n := float64(len(x))
	sum, sq := 0.0, 0.0
	for _, v := range x {
		sum += v - mean
		sq += square(v - mean)
	}
	if got, tol := sum/n, 5*math.Sqrt(variance/n); !(math.Abs(got) <= tol) {
		t.Errorf("%s: mean off by %.3g, five standard errors are %.3g", what, got, tol)
	}
	near(t, what+": variance", sq/n, variance, 5*math.Sqrt(2/n))
}

// uncorrelated wants a correlation below five standard errors, 1/sqrt(n).
func uncorrelated(t *testing.T, what string, x, y []float64) {
	t.Helper()
	xy, xx, yy := inner(x, y), inner(x, x), inner(y, y)
	if got, tol := xy/math.Sqrt(xx*yy), 5/math.Sqrt(float64(len(x))); !(math.Abs(got) <= tol) {
		t.Errorf("%s: correlation %.3g, five standard errors are %.3g", what, got, tol)
	}
}

// resampled runs ReSample's stochastic resampling (eq. 13, its noise put right):
// with w = s2/(s2+1-a) the data-consistent latent takes the weight 1, and the
// share (1-w) of the former noise e stays, so that eta^2 = w(2-w).
func resampled(s2, from, to float64, zy, e float32, seed uint64, n int) (out []float32, w float64) {
	noise := 1 - Alpha(to)
	w = 1.0
	if !math.IsInf(s2, 1) {
		w = s2 / (s2 + noise)
	}
	r := Resampler{z: make([]float32, n), zy: make([]float32, n), noise: make([]float32, n)}
	sf, nf := amplitudes(from)
	old := normals(n, 1)
	for i := range r.z {
		r.zy[i] = zy
		r.z[i] = float32(sf*float64(zy) + nf*float64(e*old[i]))
	}
	r.renoise(from, to, math.Sqrt(w*(2-w)), ct.NewStream(seed, 0, 0, 3))
	return r.z, w
}

// TestResampleLimits: s2 -> infinity forgets the former latent (Proposition 1:
// N(sqrt(a) zy, 1-a)), s2 -> 0 adds no noise at all (a DDIM step).
func TestResampleLimits(t *testing.T) {
	const n, from, to = 20000, 1.0, -0.5
	st, nt := amplitudes(to)
	inf, _ := resampled(math.Inf(1), from, to, 0.7, 1, 5, n)
	other, _ := resampled(math.Inf(1), from, to, 0.7, 3, 5, n)
	moments(t, "infinite s2", offset(inf, st*0.7), 0, nt*nt)
	for i := range inf {
		if inf[i] != other[i] {
			t.Fatalf("infinite s2: number %d depends on the former latent: %g, %g", i, inf[i], other[i])
		}
	}
	zero, _ := resampled(0, from, to, 0.7, 1, 5, n)
	again, _ := resampled(0, from, to, 0.7, 1, 6, n)
	for i, e := range normals(n, 1) {
		if zero[i] != again[i] {
			t.Fatalf("s2 = 0: number %d depends on fresh noise: %g, %g", i, zero[i], again[i])
		}
		if want := st*0.7 + nt*float64(e); math.Abs(float64(zero[i])-want) > 2e-6 {
			t.Fatalf("s2 = 0: number %d is %g, the DDIM step gives %g", i, zero[i], want)
		}
	}
}

// TestResampleVariance: given the former latent, the mean is sqrt(a) zy + (1-w)
// sqrt(1-a) e and the variance w(2-w)(1-a), below 1-a for finite s2 and rising
// with it (Lemma 1); over e it is the 1-a that the network is told, for every s2.
func TestResampleVariance(t *testing.T) {
	const n, zy = 20000, -0.4
	for _, to := range []float64{1.5, -0.5, -6} {
		st, nt := amplitudes(to)
		former := offset(normals(n, 1), 0)
		last := -1.0
		for _, share := range []float64{0, 0.05, 0.3, 1, 10, math.Inf(1)} {
			name := fmt.Sprintf("to %g, s2 = %g (1-a)", to, share)
			out, w := resampled(share*nt*nt, 2, to, zy, 1, 9, n)
			all := offset(out, st*zy)
			moments(t, name+", all", all, 0, nt*nt)
			fresh := make([]float64, n)
			for i := range fresh {
				fresh[i] = all[i] - (1-w)*nt*former[i]
			}
			if share > 0 {
				moments(t, name+", fresh", fresh, 0, w*(2-w)*nt*nt)
				uncorrelated(t, name+", fresh and former noise", fresh, former)
			}
			v := inner(fresh, fresh) / n
			if !(v > last) {
				t.Errorf("%s: variance of fresh noise %g after %g: it must rise with s2", name, v, last)
			}
			last = v
		}
	}
}

// offset is x - by in float64.
func offset(x []float32, by float64) []float64 {
	d := widen(make([]float64, len(x)), x)
	for i := range d {
		d[i] -= by
	}
	return d
}

// noisy draws n latents of the prior and their noisy versions at level l.
func noisy(s, l float64, n int) (z []float64, zl []float32) {
	signal, noise := amplitudes(l)
	a, b := normals(n, 11), normals(n, 12)
	z, zl = make([]float64, n), make([]float32, n)
	for i := range z {
		z[i] = math.Sqrt(s) * float64(a[i])
		zl[i] = float32(signal*z[i] + noise*float64(b[i]))
	}
	return z, zl
}

// TestTweedie: the estimate is the posterior mean: its error has mean 0, is
// uncorrelated with what it was made from, and has the variance of Theorem 2, which
// is s(1-a)/(a s+1-a) for N(0, s).
func TestTweedie(t *testing.T) {
	const n = 20000
	for _, s := range []float64{2, 1, 0.5, 0.05} {
		for _, l := range []float64{-8, -3, 0, 2} {
			name := fmt.Sprintf("prior variance %g, level %g", s, l)
			z, zl := noisy(s, l, n)
			r := Resampler{Model: repeats{s, n}}
			r.allocate(0)
			copy(r.z, zl)
			if err := r.estimate(context.Background(), l, nil); err != nil {
				t.Fatal(err)
			}
			d := offset(r.z0, 0)
			for i := range d {
				d[i] -= z[i]
			}
			a := Alpha(l)
			moments(t, name, d, 0, s*(1-a)/(a*s+1-a))
			uncorrelated(t, name, d, offset(zl, 0))
		}
	}
}

// TestUnbiased: when the data say nothing, steps keep the law of the prior at
// every level (Theorem 1's tower rule), whatever share of the noise is fresh:
// no discretisation error.
func TestUnbiased(t *testing.T) {
	const n, s = 20000, 0.5
	levels := Levels(2, -6, 4)
	for _, eta := range []float64{0, 0.3, 0.85, 1} {
		r := Resampler{Model: repeats{s, n}, Opt: Options{Perturb: 1}}
		r.allocate(n)
		_, zl := noisy(s, levels[0], n)
		copy(r.z, zl)
		for i, l := range levels {
			name := fmt.Sprintf("eta %g, level %g", eta, l)
			a := Alpha(l)
			moments(t, name+": noisy latent", offset(r.z, 0), 0, a*s+1-a)
			stepBlind(t, &r, l, s*(1-a)/(a*s+1-a), uint32(10*i))
			moments(t, name+": latent", offset(r.zy, 0), 0, s)
			if i+1 < len(levels) {
				r.renoise(l, levels[i+1], eta, ct.NewStream(1, 0, 0, uint32(10*i+3)))
			}
		}
	}
}

// stepBlind is an estimate and a data step without data.
func stepBlind(t *testing.T, r *Resampler, l, rz2 float64, step uint32) {
	t.Helper()
	ctx := context.Background()
	if err := r.estimate(ctx, l, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.consistent(ctx, blind(len(r.z)), rz2, rz2, ct.NewStream(1, 0, 0, step), ct.NewStream(1, 0, 0, step+1)); err != nil {
		t.Fatal(err)
	}
}

// TestMeanIsTooNarrow: without perturbation a latent lacks just the variance of
// the estimate's error (law of total variance): Proposition 1 holds for a draw of
// the clean latent, not for its mean.
func TestMeanIsTooNarrow(t *testing.T) {
	const n, s = 20000, 0.5
	for _, l := range []float64{2, 0, -2} {
		a := Alpha(l)
		missing := s * (1 - a) / (a*s + 1 - a)
		for _, p := range []float64{0, 0.5, 1} {
			r := Resampler{Model: repeats{s, n}, Opt: Options{Perturb: p}}
			r.allocate(n)
			_, zl := noisy(s, l, n)
			copy(r.z, zl)
			stepBlind(t, &r, l, missing, 0)
			moments(t, fmt.Sprintf("level %g, p %g", l, p), offset(r.zy, 0), 0, s-missing+p*p*missing)
		}
	}
}

// TestDataLimits: samples given y have the posterior's mean and variance for
// noise from nearly none (the datum alone decides) to boundless (the prior alone);
// copies that nothing measures keep the prior's.
func TestDataLimits(t *testing.T) {
	const n, s, gain = 40000, 0.5, 0.8
	for _, sigma := range []float64{1e-3, 0.3, 1e4} {
		d := blind(n)
		d.sigma = sigma
		z, _ := noisy(s, 0, n)
		for i, e := range normals(n, 20) {
			if i%2 == 0 {
				d.gain[i] = gain
			}
			d.y[i] = d.gain[i]*z[i] + sigma*float64(e)
		}
		r := Resampler{Model: repeats{s, n}, Opt: rowOf(nil).Options}
		r.Table = flatToy(s, 1).table(Levels(2, -8, 20))
		u, warm := make([]float32, n), make([]float32, n)
		if err := d.Solve(context.Background(), warm, u, nil, s*unit*unit, 0, 0); err != nil {
			t.Fatal(err)
		}
		stream := func(step uint32) ct.Stream { return ct.NewStream(3, 0, 0, step) }
		if err := r.Sample(context.Background(), u, d, warm, nil, stream, nil); err != nil {
			t.Fatal(err)
		}
		var off, y, free []float64
		for i, x := range r.zy {
			if d.gain[i] == 0 {
				free = append(free, float64(x))
				continue
			}
			off = append(off, float64(x)-s*gain/(s*gain*gain+sigma*sigma)*d.y[i])
			y = append(y, d.y[i])
		}
		name := fmt.Sprintf("sigma %g: ", sigma)
		moments(t, name+"measured, around the posterior's mean", off, 0, s*sigma*sigma/(s*gain*gain+sigma*sigma))
		uncorrelated(t, name+"distance from the posterior's mean and datum", off, y)
		moments(t, name+"not measured", free, 0, s)
	}
}
