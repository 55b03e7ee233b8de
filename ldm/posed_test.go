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

// TestPosed: latents and conditions are of the image in its pose, decoded images
// out of it.
func TestPosed(t *testing.T) {
	u := []float32{
		1, 2, 3,
		4, 5, 6}
	for _, c := range []struct {
		pose Pose
		want []float32
	}{
		{Pose{}, u},
		{Pose{Mirror: true}, []float32{3, 2, 1, 6, 5, 4}},
		{Pose{Right: 1}, []float32{3, 1, 2, 6, 4, 5}},
		{Pose{Down: 1}, []float32{4, 5, 6, 1, 2, 3}},
		{Pose{Mirror: true, Right: 1, Down: 3}, []float32{4, 6, 5, 1, 3, 2}},
	} {
		m := &Posed{Model: pictures{3, 2}, Pose: c.pose}
		z, back, v := make([]float32, 6), make([]float32, 6), make([]float32, 6)
		ctx := t.Context()
		if err := m.Encode(ctx, z, u); err != nil || !slices.Equal(z, c.want) {
			t.Errorf("%+v: Encode: %v, %v", c.pose, z, err)
		}
		if err := m.Decode(ctx, back, z); err != nil || !slices.Equal(back, u) {
			t.Errorf("%+v: Decode: %v, %v", c.pose, back, err)
		}
		if err := m.Velocity(ctx, v, z, 0, &Condition{Image: u, Start: z}); err != nil || v[0] != 11*c.want[0] {
			t.Errorf("%+v: Velocity: %v, %v", c.pose, v, err)
		}
		if err := m.Velocity(ctx, v, z, 0, nil); err != nil || v[0] != 0 {
			t.Errorf("%+v: Velocity without condition: %v, %v", c.pose, v, err)
		}
	}
}

// TestPoses: half of them are mirrored, and no two share a place of the grid of
// eight pixels in either direction, or of the grid of four in both.
func TestPoses(t *testing.T) {
	mirrored, right, down, four := 0, map[int]bool{}, map[int]bool{}, map[[2]int]bool{}
	for k := range len(poses) {
		p := PoseOf(k)
		if p.Mirror {
			mirrored++
		}
		right[p.Right%8], down[p.Down%8], four[[2]int{p.Right % 4, p.Down % 4}] = true, true, true
	}
	if mirrored != 4 || len(right) != 8 || len(down) != 8 || len(four) != 8 || PoseOf(8) != PoseOf(0) {
		t.Errorf("%d mirrored, %d, %d and %d places", mirrored, len(right), len(down), len(four))
	}
}
