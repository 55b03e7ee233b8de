package ldm

import "context"

// Mirror is a Model that sees every image mirrored left to right. A network errs
// differently on the mirror image, so that means over both err less; bodies are
// nearly symmetric and training saw both.
type Mirror struct {
	Model
	buf  []float32
	cond Condition
}

// flip writes the mirror image of src.
func (m *Mirror) flip(dst, src []float32) {
	w := m.Dims().W
	for at := 0; at < len(src); at += w {
		for i, v := range src[at : at+w] {
			dst[at+w-1-i] = v
		}
	}
}

func (m *Mirror) work() []float32 {
	if n := m.Dims().Pixels(); len(m.buf) != n {
		m.buf = make([]float32, n)
	}
	return m.buf
}

// Encode writes the latent of the mirror image of u.
func (m *Mirror) Encode(ctx context.Context, z, u []float32) error {
	b := m.work()
	m.flip(b, u)
	return m.Model.Encode(ctx, z, b)
}

// Decode writes the mirror image of what z stands for.
func (m *Mirror) Decode(ctx context.Context, u, z []float32) error {
	b := m.work()
	if err := m.Model.Decode(ctx, b, z); err != nil {
		return err
	}
	m.flip(u, b)
	return nil
}

// Velocity mirrors the condition's image; its latent comes from Encode.
func (m *Mirror) Velocity(ctx context.Context, v, z []float32, l float64, cond *Condition) error {
	if cond == nil {
		return m.Model.Velocity(ctx, v, z, l, nil)
	}
	b := m.work()
	m.flip(b, cond.Image)
	m.cond = Condition{Image: b, Start: cond.Start}
	return m.Model.Velocity(ctx, v, z, l, &m.cond)
}
