package ldm

import (
	"context"
	"math"

	"ctrecon/ct"
)

// LatentDPSOptions of the baseline of the ReSample paper.
type LatentDPSOptions struct {
	N    int     // DDIM steps on the 1000-step schedule
	Zeta float64 // step is Zeta times the signal's share, 2.5 for CT
}

// DefaultLatentDPS are the paper's for CT.
func DefaultLatentDPS() LatentDPSOptions { return LatentDPSOptions{N: 1000, Zeta: 2.5} }

// LatentDPS is diffusion posterior sampling in the latent (Chung et al., ICLR
// 2023; Song et al. 2024, eq. 9): DDIM with a step against the gradient of the
// residual's norm, through decoder and network.
type LatentDPS struct {
	Model Differentiable
	Opt   LatentDPSOptions

	chain
	gu, gz, gv []float32
	direction  func(ctx context.Context, data GradientTerm, a float64) (float64, error) // nil: residual
}

var _ Sampler = (*LatentDPS)(nil)

// Steps is the number of DDIM steps.
func (p *LatentDPS) Steps() int { return p.Opt.N }

// Sample draws one sample from pure noise. data must be a GradientTerm.
func (p *LatentDPS) Sample(ctx context.Context, u []float32, data DataTerm, warm, fbp []float32, stream func(step uint32) ct.Stream, progress func(step int)) error {
	term, ok := data.(GradientTerm)
	if !ok {
		return ErrNoGradient
	}
	p.allocate(p.Model.Dims())
	if len(p.gz) != len(p.z) {
		p.gz, p.gv, p.gu = make([]float32, len(p.z)), make([]float32, len(p.z)), make([]float32, len(p.x))
	}
	cond, err := p.condition(ctx, p.Model, warm, fbp)
	if err != nil {
		return err
	}
	stream(0).Normals(p.z, 0)
	for i := range p.Opt.N {
		a, to := alphaAt(time(i, p.Opt.N)), 1.0
		if i+1 < p.Opt.N {
			to = alphaAt(time(i+1, p.Opt.N))
		}
		if err := p.denoise(ctx, p.Model, a, cond); err != nil {
			return err
		}
		scale, err := p.gradient(ctx, term, a, cond)
		if err != nil {
			return err
		}
		p.mix(p.z0, math.Sqrt(to), math.Sqrt(1-to), 0, ct.Stream{})
		for k, g := range p.gz {
			p.z[k] -= float32(scale * float64(g))
		}
		if progress != nil {
			progress(i + 1)
		}
	}
	return p.Model.Decode(ctx, u, p.z)
}

// gradient sets gz to the step's direction with respect to z, and returns its
// factor: direction says what to do with respect to z0, the network's derivative
// carries it on.
func (p *LatentDPS) gradient(ctx context.Context, data GradientTerm, a float64, cond *Condition) (float64, error) {
	direction := p.direction
	if direction == nil {
		direction = p.residual
	}
	scale, err := direction(ctx, data, a)
	if err != nil {
		return 0, err
	}
	l := LogNSR(a)
	if err := p.Model.VelocityVJP(ctx, p.v, p.gz, p.z, l, cond, p.gv); err != nil {
		return 0, err
	}
	s, n := amplitudes(l)
	for i, g := range p.gv { // z0 = s z - n v(z)
		p.gz[i] = float32(s)*g - float32(n)*p.gz[i]
	}
	return scale, nil
}

// residual sets gv to J_D' grad |rho|^2/2 at z0, and returns the factor that
// makes it Zeta times the gradient of the residual's norm over the root of the
// number of data, in units of u times pixels.
func (p *LatentDPS) residual(ctx context.Context, data GradientTerm, a float64) (float64, error) {
	if err := p.Model.Decode(ctx, p.x, p.z0); err != nil {
		return 0, err
	}
	chi2 := data.Gradient(p.gu, p.x)
	if err := p.Model.DecodeVJP(ctx, p.x, p.gv, p.z0, p.gu); err != nil {
		return 0, err
	}
	return p.Opt.Zeta * a * data.Unit() / (float64(data.Len()) * math.Sqrt(chi2+1e-30)), nil
}
