package ldm

import "context"

// Pose is where a network sees an image: mirrored left to right, then moved
// around the edges by pixels.
type Pose struct {
	Mirror      bool
	Right, Down int
}

// poses are those of the samples of a slice, in turn: every second one mirrored,
// and moved so that the grid of the latents, of 4 pixels, and of 8 with the UNet's,
// lies elsewhere each time.
var poses = [...]Pose{{}, {true, 5, 2}, {false, 2, 5}, {true, 7, 7}, {false, 4, 1}, {true, 1, 3}, {false, 6, 4}, {true, 3, 6}}

// PoseOf is the pose of sample k.
func PoseOf(k int) Pose { return poses[k%len(poses)] }

// Posed is a Model that sees every image in a pose. A network errs differently in
// each, so that means over several err less; bodies are nearly symmetric, training
// saw both sides, and beside a body there is air that can move around the edges.
type Posed struct {
	Model
	Pose Pose
	buf  []float32
	cond Condition
}

// take writes src as the pose shows it.
func (m *Posed) take(dst, src []float32) { m.turn(dst, src, false) }

// undo writes what the pose shows as src.
func (m *Posed) undo(dst, src []float32) { m.turn(dst, src, true) }

func (m *Posed) turn(dst, src []float32, back bool) {
	d, p := m.Dims(), m.Pose
	for row := range d.H {
		to := (row + p.Down) % d.H * d.W
		for col := range d.W {
			c := col
			if p.Mirror {
				c = d.W - 1 - col
			}
			a, b := row*d.W+col, to+(c+p.Right)%d.W
			if back {
				a, b = b, a
			}
			dst[b] = src[a]
		}
	}
}

func (m *Posed) work() []float32 {
	if n := m.Dims().Pixels(); len(m.buf) != n {
		m.buf = make([]float32, n)
	}
	return m.buf
}

// Encode writes the latent of u in the pose.
func (m *Posed) Encode(ctx context.Context, z, u []float32) error {
	b := m.work()
	m.take(b, u)
	return m.Model.Encode(ctx, z, b)
}

// Decode writes what z stands for, out of the pose.
func (m *Posed) Decode(ctx context.Context, u, z []float32) error {
	b := m.work()
	if err := m.Model.Decode(ctx, b, z); err != nil {
		return err
	}
	m.undo(u, b)
	return nil
}

// Velocity shows the condition's image in the pose; its latent comes from Encode.
func (m *Posed) Velocity(ctx context.Context, v, z []float32, l float64, cond *Condition) error {
	if cond == nil {
		return m.Model.Velocity(ctx, v, z, l, nil)
	}
	b := m.work()
	m.take(b, cond.Image)
	m.cond = Condition{Image: b, Start: cond.Start}
	return m.Model.Velocity(ctx, v, z, l, &m.cond)
}
