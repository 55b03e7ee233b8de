package ldm

import (
	"context"
	"slices"
	"testing"
)

// pictures is a model whose latent is the image itself, and whose velocity is its
// condition.
type pictures struct{ w, h int }

func (p pictures) Dims() Dims { return Dims{H: p.h, W: p.w, Channels: 1, LH: p.h, LW: p.w} }
func (p pictures) Encode(_ context.Context, z, u []float32) error {
	copy(z, u)
	return nil
}
func (p pictures) Decode(_ context.Context, u, z []float32) error {
	copy(u, z)
	return nil
}
func (p pictures) Velocity(_ context.Context, v, _ []float32, _ float64, c *Condition) error {
	clear(v)
	if c != nil {
		for i := range v {
			v[i] = c.Image[i] + 10*c.Start[i]
		}
	}
	return nil
}

func TestMirror(t *testing.T) {
	m := &Mirror{Model: pictures{3, 2}}
	u, mirrored := []float32{1, 2, 3, 4, 5, 6}, []float32{3, 2, 1, 6, 5, 4}
	z, back, v := make([]float32, 6), make([]float32, 6), make([]float32, 6)
	ctx := t.Context()
	if err := m.Encode(ctx, z, u); err != nil || !slices.Equal(z, mirrored) {
		t.Errorf("Encode: %v, %v", z, err)
	}
	if err := m.Decode(ctx, back, z); err != nil || !slices.Equal(back, u) {
		t.Errorf("Decode: %v, %v", back, err)
	}
	if err := m.Velocity(ctx, v, z, 0, &Condition{Image: u, Start: z}); err != nil || v[0] != 3+10*3 {
		t.Errorf("Velocity: %v, %v", v, err)
	}
	if err := m.Velocity(ctx, v, z, 0, nil); err != nil || v[0] != 0 {
		t.Errorf("Velocity without condition: %v, %v", v, err)
	}
}
