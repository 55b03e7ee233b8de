package ldm

import (
	"context"
	"fmt"
	"math"
	"testing"
)

// gains are the diagonal of a toy of modes.
func gains(t *toy) []float64 {
	g := make([]float64, len(t.s))
	for i := range g {
		g[i] = t.a.At(i, i)
	}
	return g
}

// pull is what the data term with error variance r2 (units of x) makes of x.
func pull(x, y, gain, r2, sigma float64) float64 {
	return x + r2*gain/(r2*gain*gain+sigma*sigma)*(y-gain*x)
}

// byHand is the image of a Proximal sample on a toy of modes, each mode by itself.
func byHand(t *toy, opt ProximalOptions, y []float64, warm []float32, seed uint64) []float64 {
	out, g, n := make([]float64, len(t.s)), gains(t), make([]float32, len(t.s))
	levels := Levels(opt.Start, opt.End, opt.N)
	for i, s := range t.s {
		a := Alpha(levels[0])
		steps(seed)(0).Normals(n, 0)
		z := math.Sqrt(a)*float64(warm[i])/unit + math.Sqrt(1-a)*float64(n[i])
		for k, l := range levels {
			a = Alpha(l)
			r2 := opt.R2
			if r2 == 0 {
				r2 = (1 - a) / a / opt.Lambda
			}
			out[i] = pull(math.Sqrt(a)*s/(a*s+1-a)*z, y[i], g[i], r2/(unit*unit), t.sigma)
			if k+1 < len(levels) {
				to := Alpha(levels[k+1])
				e := (z - math.Sqrt(a)*out[i]) / math.Sqrt(1-a)
				steps(seed)(uint32(k+1)).Normals(n, 0)
				z = math.Sqrt(to)*out[i] + math.Sqrt(1-to)*(math.Sqrt(1-opt.Fresh)*e+math.Sqrt(opt.Fresh)*float64(n[i]))
			}
		}
	}
	return out
}

// scale is the data's noise of a toy of modes.
func scale(sigma float64) *toy {
	m := modesToy()
	return newToy(m.s, m.d, m.a, sigma)
}

func proximal(t *testing.T, toy *toy, opt ProximalOptions, seed uint64) (got, y []float64, warm []float32) {
	t.Helper()
	d := newToyData(toy, pixel)
	toy.solvable(d.y)
	warm = make([]float32, 12)
	for i := range warm {
		warm[i] = unit * float32(i%5-2)
	}
	u := make([]float32, 12)
	p := &Proximal{Model: newToyModel(toy), Opt: opt}
	if err := p.Sample(context.Background(), u, d, warm, nil, steps(seed), nil); err != nil {
		t.Fatal(err)
	}
	got = widen(make([]float64, 12), u)
	for i := range got {
		got[i] /= unit
	}
	return got, d.y, warm
}

// TestProximalByHand: one step and many, of DDS and DiffPIR, as by hand. A level
// rounds some ten times, of numbers below ten; where the level falls steeply the
// noise e = (z - sqrt(a) zy)/sqrt(1-a) repeats what was rounded, so errors of up to
// n levels add.
func TestProximalByHand(t *testing.T) {
	of := func(o ProximalOptions, n int) ProximalOptions { o.N = n; return o }
	for _, tt := range []struct {
		name string
		opt  ProximalOptions
	}{
		{"DDS, one step", of(DDSOptions(), 1)},
		{"DDS, two steps", of(DDSOptions(), 2)},
		{"DDS", DDSOptions()},
		{"DiffPIR, one step", of(DiffPIROptions(), 1)},
		{"DiffPIR, two steps", of(DiffPIROptions(), 2)},
		{"DiffPIR", DiffPIROptions()},
		{"no fresh noise", ProximalOptions{N: 20, Start: 5, End: -7, Iters: 5, R2: 0.05}},
		{"all noise fresh", ProximalOptions{N: 20, Start: 5, End: -7, Iters: 5, R2: 0.05, Fresh: 1}},
	} {
		got, y, warm := proximal(t, scale(0.05), tt.opt, 6)
		for i, want := range byHand(scale(0.05), tt.opt, y, warm, 6) {
			if off := math.Abs(got[i] - want); !(off <= float64(tt.opt.N)*1e-6) {
				t.Errorf("%s: mode %d is %.8g, want %.8g (off by %.2g)", tt.name, i, got[i], want, off)
			}
		}
	}
}

// TestProximalLimits: data without noise decide every mode that they measure, data
// of boundless noise none.
func TestProximalLimits(t *testing.T) {
	for _, opt := range []ProximalOptions{DDSOptions(), DiffPIROptions()} {
		g := gains(modesToy())
		exact, y, warm := proximal(t, scale(1e-5), opt, 6)
		r2 := opt.R2
		if r2 == 0 {
			r2 = math.Exp(opt.End) / opt.Lambda
		}
		free, _, _ := proximal(t, scale(1e9), opt, 6)
		for i, gain := range g {
			if gain == 0 {
				continue
			}
			left := 1e-10 * unit * unit / (r2 * gain * gain) // share of the estimate's error, which is below ten
			if off := math.Abs(exact[i] - y[i]/gain); !(off <= 10*left+1e-6) {
				t.Errorf("measured mode %d is %g, its datum says %g", i, exact[i], y[i]/gain)
			}
		}
		modes := scale(1)
		modes.a.Scale(0, modes.a)
		for i, want := range byHand(modes, opt, y, warm, 6) {
			if off := math.Abs(free[i] - want); !(off <= float64(opt.N)*1e-6) {
				t.Errorf("boundless noise: mode %d is %g, the prior alone gives %g", i, free[i], want)
			}
		}
		if free[0] == exact[0] {
			t.Error("the data do not count")
		}
	}
}

// TestProximalNoise: of the noise of the next level the share Fresh is new, by
// variance, and the rest is what explains the latent by its corrected estimate.
func TestProximalNoise(t *testing.T) {
	const n, s = 20000, 0.5
	for _, opt := range []ProximalOptions{DDSOptions(), DiffPIROptions()} {
		opt.N, opt.Start, opt.End = 2, 1, -1
		var zy, eps, z []float64
		p := &Proximal{Model: repeats{s, n}, Opt: opt}
		note := func(step int) {
			if step == 1 {
				zy, eps, z = offset(p.zy, 0), offset(p.eps, 0), offset(p.z, 0)
			}
		}
		if err := p.Sample(context.Background(), make([]float32, n), blind(n), make([]float32, n), nil, steps(2), note); err != nil {
			t.Fatal(err)
		}
		from, to := Alpha(1), Alpha(-1)
		start := normals(n, 0)
		steps(2)(0).Normals(start, 0)
		fresh := make([]float64, n)
		for i := range fresh {
			before := math.Sqrt(1-from) * float64(start[i])
			if e := (before - math.Sqrt(from)*zy[i]) / math.Sqrt(1-from); math.Abs(e-eps[i]) > 2e-6 {
				t.Fatalf("the noise of %g around %g is %g, not %g", before, zy[i], e, eps[i])
			}
			fresh[i] = z[i] - math.Sqrt(to)*zy[i] - math.Sqrt((1-opt.Fresh)*(1-to))*eps[i]
		}
		name := fmt.Sprintf("fresh share %g", opt.Fresh)
		moments(t, name, fresh, 0, opt.Fresh*(1-to))
		uncorrelated(t, name+", fresh and former noise", fresh, eps)
	}
	near(t, "share of DDS, eta 0.85", DDSOptions().Fresh, 0.85*0.85, 1e-15)
	near(t, "share of DiffPIR, zeta 0.3", DiffPIROptions().Fresh, 0.3, 1e-15)
}

// TestProximalCalls: the data step is told its error variance, fixed for DDS, e^l
// over lambda for DiffPIR, and its iterations.
func TestProximalCalls(t *testing.T) {
	for _, opt := range []ProximalOptions{DDSOptions(), DiffPIROptions()} {
		opt.N = 4
		s := newScene()
		tr, err := traced(func(m Differentiable) Sampler { return &Proximal{Model: m, Opt: opt} }, s, make([]float32, 12), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		k := 0
		for _, c := range tr.calls {
			if c.what != "solve" {
				continue
			}
			r2 := opt.R2
			if r2 == 0 {
				r2 = math.Exp(Levels(5, -7, 4)[k]) / 7
			}
			near(t, fmt.Sprintf("variance of step %d", k), c.r2, r2, 1e-12)
			if c.iters != opt.Iters || c.drawn {
				t.Errorf("step %d: %d iterations, drawn %t, want %d and no draw", k, c.iters, c.drawn, opt.Iters)
			}
			k++
		}
		if k != opt.N {
			t.Errorf("%d data steps, want %d", k, opt.N)
		}
	}
}

// TestProximalCancelsTheEncodersError: only the difference of two encodings reaches
// the latent after the start.
func TestProximalCancelsTheEncodersError(t *testing.T) {
	const n = 8
	c := chain{}
	c.allocate(Dims{H: 1, W: n, Channels: 1, LH: 1, LW: n})
	for i := range c.z0 {
		c.z0[i] = float32(i)
	}
	half := func(u []float32) error {
		for i := range u {
			u[i] /= 2
		}
		return nil
	}
	if err := c.consistent(context.Background(), biased{repeats{0.5, n}, 3}, half); err != nil {
		t.Fatal(err)
	}
	for i, zy := range c.zy {
		if math.Abs(float64(zy)-float64(i)/2) > 1e-6 {
			t.Errorf("latent %d is %g, want %g", i, zy, float64(i)/2)
		}
	}
}

// plugged is PnP on modes by hand: the data step u, the denoiser v (Wiener's for
// noise of variance e^l) and their running difference.
func plugged(s, gain, y, sigma, warm float64, opt PnPOptions, clip float64) (u float64) {
	v, dual := warm, 0.0
	for _, l := range Levels(opt.Start, opt.End, opt.N) {
		u = pull(v-dual, y, gain, opt.R2/(unit*unit), sigma)
		v = s / (s + math.Exp(l)) * max(-clip, min(clip, u+dual))
		dual += u - v
	}
	return u
}

// TestPnPByHand: one iteration and more; the denoiser's input is clipped to the
// range of images (1/unit in x), the data step's result is not.
func TestPnPByHand(t *testing.T) {
	const n, s, sigma = 6, 0.5, 0.05
	for _, count := range []int{1, 2, 10} {
		opt := DefaultPnP()
		opt.N = count
		d := &points{gain: []float64{1, 0.2, 0.02, 0, 1, 0.5}, y: []float64{1, -2, 0.1, 0, 2 / unit, -1 / unit}, sigma: sigma}
		warm, u := []float32{0.01, 0.02, -0.03, 0.04, 0, 0.3}, make([]float32, n)
		p := &PnP{Model: repeats{s, n}, Opt: opt}
		if err := p.Sample(context.Background(), u, d, warm, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		for i, x := range u {
			want := plugged(s, d.gain[i], d.y[i], sigma, float64(warm[i])/unit, opt, 1/unit)
			if off := math.Abs(float64(x)/unit - want); !(off <= float64(count)*1e-6*(1+math.Abs(want))) {
				t.Errorf("%d iterations: pixel %d is %g, want %g", count, i, float64(x)/unit, want)
			}
		}
	}
}

// TestPnPLimits: data without noise decide the image; without data an iteration
// keeps its start; the denoiser keeps everything when its level is low.
func TestPnPLimits(t *testing.T) {
	const n = 4
	sample := func(sigma float64, opt PnPOptions) []float32 {
		d := &points{gain: []float64{1, 0.2, 0.5, 2}, y: []float64{1, -2, 0.1, 3}, sigma: sigma}
		u := make([]float32, n)
		p := &PnP{Model: repeats{0.5, n}, Opt: opt}
		if err := p.Sample(context.Background(), u, d, []float32{0.1, 0.2, 0.3, 0.4}, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		return u
	}
	one, many := DefaultPnP(), DefaultPnP()
	one.N = 1
	for i, u := range sample(1e-6, many) {
		near(t, fmt.Sprintf("no noise, pixel %d", i), float64(u)/unit, []float64{1, -10, 0.2, 1.5}[i], 1e-5)
	}
	for i, u := range sample(1e9, one) {
		near(t, fmt.Sprintf("no data, pixel %d", i), float64(u), 0.1*float64(i+1), 1e-6)
	}
	faint := many
	faint.Start, faint.End = -40, -40
	for i, u := range sample(1e9, faint) {
		near(t, fmt.Sprintf("no data and no denoiser, pixel %d", i), float64(u), 0.1*float64(i+1), 1e-5)
	}
}
