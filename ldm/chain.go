package ldm

import (
	"context"

	"ctrecon/ct"
)

// Sampler draws one sample u (normalised units) given data: warm is an image to
// start from, fbp the network's condition (nil: the unconditional prior), stream
// names the random numbers of a step, progress hears of finished steps (nil for
// nobody). A Sampler is used by one goroutine at a time.
type Sampler interface {
	Sample(ctx context.Context, u []float32, data DataTerm, warm, fbp []float32, stream func(step uint32) ct.Stream, progress func(step int)) error
	// Steps is the number of steps of a sample.
	Steps() int
}

// chain is the work space and the steps that samplers of a noisy latent share.
type chain struct {
	z, z0, eps, noise, zy, start []float32 // latents
	x, y                         []float32 // images
	hint                         []float32
	cond                         Condition
	v                            []float32
}

func (c *chain) allocate(d Dims) {
	if len(c.z) == d.Latent() && len(c.x) == d.Pixels() {
		return
	}
	for _, p := range []*[]float32{&c.z, &c.z0, &c.eps, &c.noise, &c.zy, &c.start, &c.hint, &c.v} {
		*p = make([]float32, d.Latent())
	}
	c.x, c.y = make([]float32, d.Pixels()), make([]float32, d.Pixels())
}

// condition encodes what the network is told; nil without fbp.
func (c *chain) condition(ctx context.Context, m Model, warm, fbp []float32) (*Condition, error) {
	if fbp == nil {
		return nil, nil
	}
	if err := m.Encode(ctx, c.hint, warm); err != nil {
		return nil, err
	}
	c.cond = Condition{Image: fbp, Start: c.hint}
	return &c.cond, nil
}

// denoise sets z0 and eps, the network's estimates of the clean latent and of
// the noise in z, at the signal's share a.
func (c *chain) denoise(ctx context.Context, m Model, a float64, cond *Condition) error {
	l := LogNSR(a)
	if err := m.Velocity(ctx, c.v, c.z, l, cond); err != nil {
		return err
	}
	s, n := amplitudes(l)
	for i, v := range c.v {
		c.z0[i] = float32(s)*c.z[i] - float32(n)*v
		c.eps[i] = float32(s)*v + float32(n)*c.z[i]
	}
	return nil
}

// consistent sets zy, the latent of x = D(z0) after change, by the difference of
// two encodings, which cancels the autoencoder's own error.
func (c *chain) consistent(ctx context.Context, m Model, change func(u []float32) error) error {
	if err := m.Decode(ctx, c.x, c.z0); err != nil {
		return err
	}
	copy(c.y, c.x)
	if err := change(c.y); err != nil {
		return err
	}
	clipUnit(c.x)
	clipUnit(c.y)
	if err := m.Encode(ctx, c.zy, c.y); err != nil {
		return err
	}
	if err := m.Encode(ctx, c.v, c.x); err != nil {
		return err
	}
	for i := range c.zy {
		c.zy[i] += c.z0[i] - c.v[i]
	}
	return nil
}

// mix sets z = signal*clean + old*eps + fresh*n with new noise n of s.
func (c *chain) mix(clean []float32, signal, old, fresh float64, s ct.Stream) {
	if fresh > 0 {
		s.Normals(c.noise, 0)
	}
	for i, v := range clean {
		c.z[i] = float32(signal*float64(v) + old*float64(c.eps[i]))
		if fresh > 0 {
			c.z[i] += float32(fresh) * c.noise[i]
		}
	}
}
