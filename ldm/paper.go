package ldm

import (
	"context"
	"errors"
	"math"

	"ctrecon/ct"
)

// ErrNoGradient says that a model has no gradients, which a sampler needs.
var ErrNoGradient = errors.New("this sampler needs gradients of the model's networks")

// PaperOptions are the numbers of ReSample as published (Song et al., ICLR 2024,
// appendix C.2), with switches where paper and released program differ. Times
// are those of the 1000-step schedule.
type PaperOptions struct {
	Steps      int           // DDIM steps; fewer than 1000 skip times
	Pixel      int           // pixel optimisation up to this time, none above
	Latent     int           // latent optimisation up to this time
	Every      int           // times between two optimisations
	Gamma      float64       // of the resampling variance
	Kappa      float64       // of the pixel optimisation
	PixelIters int           // of CGLS
	Fit        LatentOptions // latent optimisation
	PaperS2    bool          // variance by the paper's formula, which runs against the program's
	RightNoise bool          // noise variance w(2-w)(1-a), which the network is told, instead of w(1-a)
	OldTweedie bool          // the program's estimate of the clean latent, with its error
	LookAhead  int           // DDIM steps before an optimisation, 5 in the program
	LateIndex  bool          // these steps use levels one step behind the network's, as in the program
	StepS2     bool          // variance by both ends of a step, as in the program, not by those of one time
	NoisyEnd   bool          // the last step ends at time 0, as in the program, not without noise
	DPS        float64       // weight of the latent DPS term, 0.5 in the program
	Final      bool          // a latent optimisation at the end
}

// DefaultPaper is the paper in working order: CGLS instead of CG on A A', stop at
// the noise level, the program's variance, a final latent optimisation.
func DefaultPaper() PaperOptions {
	return PaperOptions{Steps: 1000, Pixel: 750, Latent: 300, Every: 10, Gamma: 40, Kappa: 0.9, PixelIters: 50, Final: true,
		Fit: LatentOptions{Iters: 500, Rate: 5e-3, Stop: 1}}
}

// Compat changes o to what the "paper" says or what the released "code" does:
// 500 steps, of which every tenth optimises.
func (o PaperOptions) Compat(what string) (PaperOptions, bool) {
	switch what {
	case "":
	case "paper":
		o.PaperS2, o.Final = true, false
	case "code":
		o.Steps, o.Every, o.Pixel, o.Latent, o.Kappa, o.DPS, o.Fit.Stop = 500, 20, 668, 332, 1, 0.5, 0.01
		o.OldTweedie, o.LookAhead, o.LateIndex, o.StepS2, o.NoisyEnd = true, 5, true, true, true
	default:
		return o, false
	}
	return o, true
}

// Paper is ReSample as published: DDIM with, every few steps, an optimisation of
// the clean estimate for the data, in pixels first and in the latent later, and
// stochastic resampling around its result (eq. 13).
type Paper struct {
	Model Differentiable
	Opt   PaperOptions

	chain
	fit    latentFit
	ahead  []float32
	gu, gz []float32
}

var _ Sampler = (*Paper)(nil)

// Steps is the number of DDIM steps.
func (p *Paper) Steps() int { return p.Opt.Steps }

const paperTimes = 1000

var paperAlphas = LDMAlphas(paperTimes)

// alphaAt is the signal's share at time t; 1 before the first.
func alphaAt(t int) float64 {
	if t < 0 {
		return 1
	}
	return paperAlphas[t]
}

// time of step i, of n, from 999 down to 0.
func time(i, n int) int { return (n-i)*paperTimes/n - 1 }

// Sample draws one sample from pure noise; warm is not used without fbp. data
// must be a GradientTerm.
func (p *Paper) Sample(ctx context.Context, u []float32, data DataTerm, warm, fbp []float32, stream func(step uint32) ct.Stream, progress func(step int)) error {
	term, ok := data.(GradientTerm)
	if !ok {
		return ErrNoGradient
	}
	p.allocate(p.Model.Dims())
	cond, err := p.condition(ctx, p.Model, warm, fbp)
	if err != nil {
		return err
	}
	stream(0).Normals(p.z, 0)
	n := p.Opt.Steps
	for i := range n {
		t := time(i, n)
		next := -1
		switch {
		case i+1 < n:
			next = time(i+1, n)
		case p.Opt.NoisyEnd:
			next = 0
		}
		if err := p.step(ctx, term, t, next, cond, stream(uint32(i+1))); err != nil {
			return err
		}
		if progress != nil {
			progress(i + 1)
		}
	}
	if p.Opt.Final {
		if _, _, err := p.fit.fit(ctx, p.Model, term, p.z, p.Opt.Fit); err != nil {
			return err
		}
	}
	return p.Model.Decode(ctx, u, p.z)
}

// step goes from time t to next.
func (p *Paper) step(ctx context.Context, data GradientTerm, t, next int, cond *Condition, s ct.Stream) error {
	a, to := alphaAt(t), alphaAt(next)
	if err := p.denoise(ctx, p.Model, a, cond); err != nil {
		return err
	}
	p.mix(p.z0, math.Sqrt(to), math.Sqrt(1-to), 0, s)
	p.estimate(a)
	if p.Opt.DPS > 0 {
		if err := p.guide(ctx, data, a); err != nil {
			return err
		}
	}
	if t == 0 || t > p.Opt.Pixel || t/p.Opt.Every == next/p.Opt.Every && t%p.Opt.Every != 0 {
		return nil
	}
	if p.Opt.LookAhead > 0 {
		if err := p.look(ctx, t, next, cond); err != nil {
			return err
		}
	}
	if err := p.optimise(ctx, data, t); err != nil {
		return err
	}
	before := t - 1
	if p.Opt.StepS2 {
		before = next
	}
	p.resample(p.Opt.weight(a, alphaAt(before)), to, s)
	return nil
}

// estimate changes z0 to the program's clean estimate where it is asked for: it
// subtracts (1-a) eps where sqrt(1-a) eps is right. Steps use the right one.
func (p *Paper) estimate(a float64) {
	if !p.Opt.OldTweedie {
		return
	}
	e := (math.Sqrt(1-a) - (1 - a)) / math.Sqrt(a)
	for i, v := range p.eps {
		p.z0[i] += float32(e * float64(v))
	}
}

// look replaces z0 by the estimate some DDIM steps ahead; z stays.
func (p *Paper) look(ctx context.Context, t, next int, cond *Condition) error {
	if len(p.ahead) != len(p.z) {
		p.ahead = make([]float32, len(p.z))
	}
	copy(p.ahead, p.z)
	defer copy(p.z, p.ahead)
	for range p.Opt.LookAhead {
		if next < 0 {
			return nil
		}
		if err := p.denoise(ctx, p.Model, alphaAt(next), cond); err != nil {
			return err
		}
		after := max(-1, next-(t-next))
		a, to := alphaAt(next), alphaAt(after)
		if p.Opt.LateIndex {
			a, to = alphaAt(t), a
			s, n := math.Sqrt(a), math.Sqrt(1-a)
			for i, e := range p.eps {
				p.z0[i] = float32((float64(p.z[i]) - n*float64(e)) / s)
			}
		}
		p.mix(p.z0, math.Sqrt(to), math.Sqrt(1-to), 0, ct.Stream{})
		p.estimate(a)
		t, next = next, after
	}
	return nil
}

// guide is the latent DPS term of the program: the gradient of the norm of the
// residual through the decoder, not through the network.
func (p *Paper) guide(ctx context.Context, data GradientTerm, a float64) error {
	if len(p.gz) != len(p.z) {
		p.gz, p.gu = make([]float32, len(p.z)), make([]float32, len(p.x))
	}
	if err := p.Model.Decode(ctx, p.x, p.z0); err != nil {
		return err
	}
	chi2 := data.Gradient(p.gu, p.x)
	if err := p.Model.DecodeVJP(ctx, p.x, p.gz, p.z0, p.gu); err != nil {
		return err
	}
	step := p.Opt.DPS * a * data.Unit() / math.Sqrt(a*chi2*float64(data.Len())+1e-30)
	for i, g := range p.gz {
		p.z[i] -= float32(step * float64(g))
	}
	return nil
}

// optimise sets zy, the clean estimate that agrees with the data.
func (p *Paper) optimise(ctx context.Context, data GradientTerm, t int) error {
	if t <= p.Opt.Latent {
		copy(p.zy, p.z0)
		_, _, err := p.fit.fit(ctx, p.Model, data, p.zy, p.Opt.Fit)
		return err
	}
	if err := p.Model.Decode(ctx, p.x, p.z0); err != nil {
		return err
	}
	if err := data.LeastSquares(ctx, p.y, p.x, p.Opt.PixelIters); err != nil {
		return err
	}
	for i, x := range p.x {
		p.y[i] = x + float32(p.Opt.Kappa)*(p.y[i]-x)
	}
	clipUnit(p.y)
	return p.Model.Encode(ctx, p.zy, p.y)
}

// Weight is the share w = s2/(s2+1-a') of the data at the step from time t, with
// s2 = gamma ((1-a')/c) (1-a/a'), a' at t-1 and c = 1-a, or a by the paper.
func (o PaperOptions) Weight(t int) float64 { return o.weight(alphaAt(t), alphaAt(t-1)) }

// weight is w at the step from the signal's share a to before.
func (o PaperOptions) weight(a, before float64) float64 {
	c := 1 - a
	if o.PaperS2 {
		c = a
	}
	s2 := o.Gamma * (1 - before) / c * (1 - a/before)
	return s2 / (s2 + 1 - before)
}

// resample is eq. 13 at the signal's share a: z becomes
// w sqrt(a) zy + (1-w) z + noise.
func (p *Paper) resample(w, a float64, s ct.Stream) {
	variance := w * (1 - a)
	if p.Opt.RightNoise {
		variance *= 2 - w
	}
	s.Normals(p.noise, 0)
	signal, sd := w*math.Sqrt(a), math.Sqrt(variance)
	for i, zy := range p.zy {
		p.z[i] = float32(signal*float64(zy) + (1-w)*float64(p.z[i]) + sd*float64(p.noise[i]))
	}
}
