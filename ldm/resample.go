package ldm

import (
	"context"
	"math"

	"ctrecon/ct"
)

// DataTerm is the measurement as a sampler sees it.
type DataTerm interface {
	// Len is the number of data.
	Len() int
	// Solve writes argmin_u |rho(u) - dy|^2 + |u-u0|^2/r2, rho the residual in
	// units of the noise. dy is a fresh draw of it, nil for none. tol is the
	// relative residual at which the solver stops, after iters iterations at most.
	Solve(ctx context.Context, u, u0, dy []float32, r2, tol float64, iters int) error
	// Chi2 is the mean square of rho(u).
	Chi2(u []float32) float64
}

// Options of Resample. The zero value is not useful; start from DefaultOptions.
type Options struct {
	Steps      int     // noise levels
	Start, End float64 // first and last log noise-to-signal ratio
	Samples    int     // independent samples that are averaged
	Perturb    float64 // 1 draws from the posterior, 0 follows its mode
	Eta        float64 // share of fresh noise, 1 = all
	R2Scale    float64 // factor on the measured error variance
	Iters      int     // of the data step
	Tol        float64
	EndIters   int // of the final pixel refinement, 0 leaves it out
	EndTol     float64
	EndScale   float64 // R2Scale of that refinement
	EndPerturb float64 // Perturb of that refinement: a draw of the data's noise, which keeps a sample from fitting the one that was measured
	EndChi2    float64 // EndScale grows until the chi-square is not above, for what the decoder cannot hold; 0 = it stays

	// Plain encodes the result of the data step itself, not its difference to what
	// the step started from.
	Plain bool
	// Poses draws each sample of another pose of the image (see PoseOf).
	Poses bool
}

// DefaultOptions are the settings chosen on held-out slices.
func DefaultOptions() Options {
	return Options{Steps: 20, Start: 2, End: -7, Samples: 8, Perturb: 1, Eta: 1, R2Scale: 3, Iters: 30, Tol: 1e-2, EndIters: 60, EndTol: 1e-3, EndScale: 0.1, EndPerturb: 1, EndChi2: 1.1, Poses: true}
}

// Resampler draws samples of one slice. It keeps its work space between calls.
type Resampler struct {
	Model Model
	Table ErrorTable
	Opt   Options

	z, z0, zt, zy, eps, noise, hint []float32 // latents
	xt, x                           []float32 // images
	dy                              []float32 // data
	levels                          []float64
	cond                            Condition
}

var _ Sampler = (*Resampler)(nil)

// Steps is the number of noise levels.
func (r *Resampler) Steps() int { return r.Opt.Steps }

// Sample writes one sample of u given the data, in normalised units: a warm
// start noised to the first level, then at each level the network's estimate,
// a draw around it, the data step with the measured error variance, its return
// to the latent by difference, and fresh noise (after ReSample, Song et al.
// 2024, with the changes that docs/results.md ablates). warm is the image to
// start from, fbp the network's other condition (nil: the unconditional prior);
// stream names the random numbers of a step. A second call for data of the same
// size allocates nothing.
func (r *Resampler) Sample(ctx context.Context, u []float32, data DataTerm, warm, fbp []float32, stream func(step uint32) ct.Stream, progress func(step int)) error {
	r.allocate(data.Len())
	r.levels = appendLevels(r.levels[:0], r.Opt.Start, r.Opt.End, r.Opt.Steps)
	levels := r.levels
	if err := r.Model.Encode(ctx, r.zy, warm); err != nil {
		return err
	}
	var cond *Condition
	if fbp != nil {
		copy(r.hint, r.zy)
		r.cond = Condition{Image: fbp, Start: r.hint}
		cond = &r.cond
	}
	r.renoise(levels[0], levels[0], 1, stream(0))
	for i, l := range levels {
		r2, rz2 := r.Table.At(l)
		if err := r.estimate(ctx, l, cond); err != nil {
			return err
		}
		if err := r.consistent(ctx, data, r2*r.Opt.R2Scale, rz2, stream(uint32(3*i+1)), stream(uint32(3*i+2))); err != nil {
			return err
		}
		if i+1 < len(levels) {
			r.renoise(l, levels[i+1], r.Opt.Eta, stream(uint32(3*i+3)))
		}
		if progress != nil {
			progress(i + 1)
		}
	}
	if err := r.Model.Decode(ctx, r.xt, r.zy); err != nil {
		return err
	}
	if r.Opt.EndIters == 0 {
		copy(u, r.xt)
		return nil
	}
	return r.refine(ctx, u, data, stream(uint32(3*len(levels))))
}

// endFactor and endTries are the growth of EndScale and how often it grows.
const (
	endFactor = 4
	endTries  = 6
)

// refine writes the decoded image after a last data step in pixels.
func (r *Resampler) refine(ctx context.Context, u []float32, data DataTerm, noise ct.Stream) error {
	r2, _ := r.Table.At(r.Opt.End)
	r2 *= r.Opt.EndScale
	dy := r.dataNoise(r.Opt.EndPerturb, noise)
	for try := 0; ; try++ {
		if err := data.Solve(ctx, r.x, r.xt, dy, r2, r.Opt.EndTol, r.Opt.EndIters); err != nil {
			return err
		}
		if r.Opt.EndChi2 == 0 || try == endTries || data.Chi2(r.x) <= r.Opt.EndChi2 {
			copy(u, r.x)
			return nil
		}
		r2 *= endFactor
	}
}

// estimate sets z0 to Tweedie's posterior mean of the latent at level l.
func (r *Resampler) estimate(ctx context.Context, l float64, cond *Condition) error {
	if err := r.Model.Velocity(ctx, r.eps, r.z, l, cond); err != nil {
		return err
	}
	signal, noise := amplitudes(l)
	for i, z := range r.z {
		r.z0[i] = float32(signal)*z - float32(noise)*r.eps[i]
	}
	return nil
}

// consistent turns z0 into zy, the latent that agrees with the data. The data
// step sees a draw around the estimate and a draw of the data's noise, so that
// its result is a sample, not a mode (perturb and optimise: Papandreou and
// Yuille 2010). Encoding the difference cancels the autoencoder's own error.
func (r *Resampler) consistent(ctx context.Context, data DataTerm, r2, rz2 float64, zs, ys ct.Stream) error {
	copy(r.zt, r.z0)
	if p := r.Opt.Perturb; p > 0 {
		zs.Normals(r.noise, 0)
		for i, n := range r.noise {
			r.zt[i] += float32(p*math.Sqrt(rz2)) * n
		}
	}
	dy := r.dataNoise(r.Opt.Perturb, ys)
	if err := r.Model.Decode(ctx, r.xt, r.zt); err != nil {
		return err
	}
	if err := data.Solve(ctx, r.x, r.xt, dy, r2, r.Opt.Tol, r.Opt.Iters); err != nil {
		return err
	}
	clipUnit(r.x)
	clipUnit(r.xt)
	if err := r.Model.Encode(ctx, r.zy, r.x); err != nil || r.Opt.Plain {
		return err
	}
	if err := r.Model.Encode(ctx, r.noise, r.xt); err != nil {
		return err
	}
	for i := range r.zy {
		r.zy[i] += r.zt[i] - r.noise[i]
	}
	return nil
}

// dataNoise is p times a draw of the data's noise, in units of it; nil for p = 0.
func (r *Resampler) dataNoise(p float64, s ct.Stream) []float32 {
	if p == 0 {
		return nil
	}
	s.Normals(r.dy, 0)
	for i := range r.dy {
		r.dy[i] *= float32(p)
	}
	return r.dy
}

// renoise sets z to zy at level to; eta is the share of fresh noise, the rest is
// the noise that z had at level from.
func (r *Resampler) renoise(from, to, eta float64, s ct.Stream) {
	sf, nf := amplitudes(from)
	st, nt := amplitudes(to)
	old := math.Sqrt(max(0, 1-eta*eta))
	s.Normals(r.noise, 0)
	for i, zy := range r.zy {
		e := 0.0
		if old > 0 {
			e = old * (float64(r.z[i]) - sf*float64(zy)) / nf
		}
		r.z[i] = float32(st*float64(zy) + nt*(e+eta*float64(r.noise[i])))
	}
}

func (r *Resampler) allocate(data int) {
	d := r.Model.Dims()
	if len(r.z) != d.Latent() {
		for _, p := range []*[]float32{&r.z, &r.z0, &r.zt, &r.zy, &r.eps, &r.noise, &r.hint} {
			*p = make([]float32, d.Latent())
		}
		r.xt, r.x = make([]float32, d.Pixels()), make([]float32, d.Pixels())
	}
	if len(r.dy) != data {
		r.dy = make([]float32, data)
	}
}

func clipUnit(u []float32) {
	for i, v := range u {
		u[i] = max(-1, min(1, v))
	}
}
