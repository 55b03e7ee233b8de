package ldm

import (
	"context"
	"math"

	"ctrecon/ct"
)

// ProximalOptions of samplers that correct the decoded estimate in pixels.
type ProximalOptions struct {
	N          int     // steps, uniform in log noise-to-signal ratio
	Start, End float64 // levels
	Iters      int     // of the data step
	R2         float64 // its error variance in normalised units; 0: exp(l)/Lambda
	Lambda     float64
	Fresh      float64 // share of new noise in the variance
}

// DDSOptions are those of decomposed diffusion sampling (Chung et al., ICLR
// 2024): a few conjugate gradients that nearly solve the data, eta 0.85.
func DDSOptions() ProximalOptions {
	return ProximalOptions{N: 50, Start: 5, End: -7, Iters: 5, R2: 0.05, Fresh: 0.85 * 0.85}
}

// DiffPIROptions are those of DiffPIR (Zhu et al., CVPRW 2023): the proximal
// weight follows the noise level, a share zeta of the noise is new.
func DiffPIROptions() ProximalOptions {
	return ProximalOptions{N: 100, Start: 5, End: -7, Iters: 30, Lambda: 7, Fresh: 0.3}
}

// Proximal is a pixel-space sampler on the decoded estimate: at each level the
// clean estimate is decoded, corrected for the data, encoded, and noised again.
type Proximal struct {
	Model Model
	Opt   ProximalOptions

	chain
}

var _ Sampler = (*Proximal)(nil)

// Steps is the number of levels.
func (p *Proximal) Steps() int { return p.Opt.N }

// Sample draws one sample from noise around warm's latent.
func (p *Proximal) Sample(ctx context.Context, u []float32, data DataTerm, warm, fbp []float32, stream func(step uint32) ct.Stream, progress func(step int)) error {
	p.allocate(p.Model.Dims())
	cond, err := p.condition(ctx, p.Model, warm, fbp)
	if err != nil {
		return err
	}
	if err := p.Model.Encode(ctx, p.start, warm); err != nil {
		return err
	}
	levels := Levels(p.Opt.Start, p.Opt.End, p.Opt.N)
	s, n := amplitudes(levels[0])
	p.mix(p.start, s, 0, n, stream(0))
	for i, l := range levels {
		if err := p.denoise(ctx, p.Model, Alpha(l), cond); err != nil {
			return err
		}
		r2 := p.Opt.R2
		if r2 == 0 {
			r2 = math.Exp(l) / p.Opt.Lambda
		}
		step := func(x []float32) error { return data.Solve(ctx, x, x, nil, r2, 1e-3, p.Opt.Iters) }
		if err := p.consistent(ctx, p.Model, step); err != nil {
			return err
		}
		if i+1 < len(levels) {
			p.residualNoise(l)
			s, n := amplitudes(levels[i+1])
			p.mix(p.zy, s, n*math.Sqrt(1-p.Opt.Fresh), n*math.Sqrt(p.Opt.Fresh), stream(uint32(i+1)))
		}
		if progress != nil {
			progress(i + 1)
		}
	}
	copy(u, p.y)
	return nil
}

// residualNoise sets eps to the noise that explains z by the corrected estimate.
func (p *Proximal) residualNoise(l float64) {
	s, n := amplitudes(l)
	for i, zy := range p.zy {
		p.eps[i] = float32((float64(p.z[i]) - s*float64(zy)) / n)
	}
}

// PnPOptions of plug-and-play ADMM (Venkatakrishnan et al., GlobalSIP 2013).
type PnPOptions struct {
	N          int     // iterations
	Start, End float64 // levels of the denoiser, annealed
	R2         float64 // variance of the data step's prior term
	Iters      int
}

// DefaultPnP anneals the denoiser over ten iterations.
func DefaultPnP() PnPOptions {
	return PnPOptions{N: 10, Start: -1, End: -5, R2: 1e-3, Iters: 30}
}

// PnP alternates a data step and the model as a denoiser (autoencoder, UNet,
// autoencoder). It draws nothing: all samples are equal.
type PnP struct {
	Model Model
	Opt   PnPOptions

	chain
	dual []float32
}

var _ Sampler = (*PnP)(nil)

// Steps is the number of iterations.
func (p *PnP) Steps() int { return p.Opt.N }

// Sample starts from warm.
func (p *PnP) Sample(ctx context.Context, u []float32, data DataTerm, warm, fbp []float32, _ func(step uint32) ct.Stream, progress func(step int)) error {
	p.allocate(p.Model.Dims())
	if len(p.dual) != len(p.x) {
		p.dual = make([]float32, len(p.x))
	}
	clear(p.dual)
	cond, err := p.condition(ctx, p.Model, warm, fbp)
	if err != nil {
		return err
	}
	copy(p.x, warm)
	for k, l := range Levels(p.Opt.Start, p.Opt.End, p.Opt.N) {
		for i, v := range p.x {
			p.y[i] = v - p.dual[i]
		}
		if err := data.Solve(ctx, u, p.y, nil, p.Opt.R2, 1e-3, p.Opt.Iters); err != nil {
			return err
		}
		for i, v := range u {
			p.y[i] = max(-1, min(1, v+p.dual[i]))
		}
		if err := p.purify(ctx, l, cond); err != nil {
			return err
		}
		for i, v := range u {
			p.dual[i] += v - p.x[i]
		}
		if progress != nil {
			progress(k + 1)
		}
	}
	return nil
}

// purify sets x to the denoised y.
func (p *PnP) purify(ctx context.Context, l float64, cond *Condition) error {
	if err := p.Model.Encode(ctx, p.z, p.y); err != nil {
		return err
	}
	s, _ := amplitudes(l)
	for i := range p.z {
		p.z[i] *= float32(s)
	}
	if err := p.denoise(ctx, p.Model, Alpha(l), cond); err != nil {
		return err
	}
	return p.Model.Decode(ctx, p.x, p.z0)
}
