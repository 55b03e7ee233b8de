package ldm

import (
	"context"
	"math"

	"ctrecon/ct"
)

// EncoderGradient is a model whose encoder can be differentiated too.
type EncoderGradient interface {
	Differentiable
	// EncodeVJP writes z = E(u) and du = J_E(u)' dz.
	EncodeVJP(ctx context.Context, z, du, u, dz []float32) error
}

// PSLDOptions of posterior sampling with latent diffusion (Rout et al., NeurIPS
// 2023): weights of the residual and of the gluing term, as in its program.
type PSLDOptions struct {
	N            int // DDIM steps on the 1000-step schedule
	Omega, Gamma float64
	Iters        int // of CGLS for the pseudo-inverse
}

// DefaultPSLD are the settings of its super-resolution task.
func DefaultPSLD() PSLDOptions { return PSLDOptions{N: 1000, Omega: 0.9, Gamma: 0.1, Iters: 20} }

// PSLD is LatentDPS with a second gradient that pulls the latent to the encoding
// of its own image with the measured part replaced, z0 - E(w(D(z0))). w is the
// least-squares solution nearest to D(z0), since A'A is no projector for CT.
type PSLD struct {
	Model EncoderGradient
	Opt   PSLDOptions

	LatentDPS      // the chain, with a direction of its own
	u, w, gw, zero []float32
	glue           []float32
}

var _ Sampler = (*PSLD)(nil)

// Steps is the number of DDIM steps.
func (p *PSLD) Steps() int { return p.Opt.N }

// Sample draws one sample from pure noise. data must be a GradientTerm.
func (p *PSLD) Sample(ctx context.Context, u []float32, data DataTerm, warm, fbp []float32, stream func(step uint32) ct.Stream, progress func(step int)) error {
	p.LatentDPS.Model = p.Model
	p.LatentDPS.Opt = LatentDPSOptions{N: p.Opt.N}
	p.LatentDPS.direction = p.both
	return p.LatentDPS.Sample(ctx, u, data, warm, fbp, stream, progress)
}

// both writes into gv the gradient, with respect to z0, of
// omega |residual| + gamma |z0 - E(w)|, the residual in units of u times pixels.
func (p *PSLD) both(ctx context.Context, data GradientTerm, _ float64) (float64, error) {
	if len(p.u) != len(p.x) {
		p.u, p.w, p.gw, p.zero = make([]float32, len(p.x)), make([]float32, len(p.x)), make([]float32, len(p.x)), make([]float32, len(p.x))
		p.glue = make([]float32, len(p.z))
	}
	if err := p.Model.Decode(ctx, p.u, p.z0); err != nil {
		return 0, err
	}
	if err := p.glued(ctx, data); err != nil {
		return 0, err
	}
	chi2 := data.Gradient(p.gu, p.u)
	omega := p.Opt.Omega * data.Unit() / math.Sqrt(float64(data.Len())*chi2+1e-30)
	norm := math.Sqrt(dot(p.glue, p.glue) + 1e-30)
	gamma := p.Opt.Gamma / norm
	for i, g := range p.gu { // one pass through the decoder for both
		p.gu[i] = float32(omega)*g - float32(gamma)*p.gw[i]
	}
	if err := p.Model.DecodeVJP(ctx, p.u, p.gv, p.z0, p.gu); err != nil {
		return 0, err
	}
	for i, e := range p.glue {
		p.gv[i] += float32(gamma) * e
	}
	return 1, nil
}

// glued sets glue = z0 - E(w) and gw = (I - A+A) J_E(w)' glue.
func (p *PSLD) glued(ctx context.Context, data GradientTerm) error {
	if err := data.LeastSquares(ctx, p.w, p.u, p.Opt.Iters); err != nil {
		return err
	}
	if err := p.Model.Encode(ctx, p.glue, p.w); err != nil {
		return err
	}
	for i, e := range p.glue {
		p.glue[i] = p.z0[i] - e
	}
	if err := p.Model.EncodeVJP(ctx, p.v, p.gw, p.w, p.glue); err != nil {
		return err
	}
	// The least-squares solution is affine in its start (CGLS: as far as it has
	// converged); the linear part is the difference of two.
	if err := data.LeastSquares(ctx, p.w, p.gw, p.Opt.Iters); err != nil {
		return err
	}
	if err := data.LeastSquares(ctx, p.gw, p.zero, p.Opt.Iters); err != nil {
		return err
	}
	for i, w := range p.w {
		p.gw[i] = w - p.gw[i]
	}
	return nil
}

func dot(a, b []float32) float64 {
	s := 0.0
	for i, v := range a {
		s += float64(v) * float64(b[i])
	}
	return s
}
