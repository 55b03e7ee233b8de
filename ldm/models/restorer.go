package models

import (
	"context"
	"fmt"
	"slices"

	"ctrecon/ldm"
	"ctrecon/ldm/onnx"
)

// Restoration says how the network of the role restorer is used: it makes an
// image of an FBP at once, in turn with data steps.
type Restoration struct {
	Rounds int `json:"rounds"` // of network and data step
	// Kappa is the mean square of the projected error of its images over what
	// white noise of the same mean square would have.
	Kappa float64 `json:"kappa"`
	// Mirror: its image is the mean of two, one made of the mirror image; a
	// network that saw both sides in training errs differently in each.
	Mirror bool `json:"mirror"`
}

func (r *Restoration) check() error {
	if r == nil {
		return nil
	}
	if r.Rounds < 1 || r.Rounds > 100 {
		return fmt.Errorf("restorer.rounds %d: 1 to 100 are possible", r.Rounds)
	}
	if !(r.Kappa > 0 && r.Kappa < 1e6) {
		return fmt.Errorf("restorer.kappa %g: must be positive", r.Kappa)
	}
	return nil
}

// Restorer is that network in a session. Images are [Height][Width] of
// (HU - Range.Mid)/Range.Half, not clipped.
type Restorer struct {
	Restoration
	Range ldm.Range
	width int
	s     *onnx.Session
}

// LoadRestorer opens the session. The error says when the bundle has none.
func LoadRestorer(b *Bundle, o onnx.Options) (*Restorer, error) {
	if b.Restorer == nil {
		return nil, fmt.Errorf("bundle %s has no network of the role restorer", b.Name)
	}
	d := b.Dims()
	image := []int64{1, 1, int64(d.H), int64(d.W)}
	s, err := open(b, "restorer", []onnx.Port{{Name: "fbp", Shape: image}, {Name: "u", Shape: image}}, []onnx.Port{{Name: "x", Shape: image}}, o)
	if err != nil {
		return nil, err
	}
	return &Restorer{Restoration: *b.Restorer, Range: b.Range(), width: d.W, s: s}, nil
}

// Run writes the network's image to u, from u and the FBP.
func (r *Restorer) Run(ctx context.Context, u, fbp []float32) error {
	f, v := r.s.In(0), r.s.In(1)
	copy(f, fbp)
	copy(v, u)
	if err := r.s.Run(ctx); err != nil {
		return err
	}
	copy(u, r.s.Out(0))
	if !r.Mirror {
		return nil
	}
	r.mirror(f)
	r.mirror(v)
	if err := r.s.Run(ctx); err != nil {
		return err
	}
	copy(v, r.s.Out(0))
	r.mirror(v)
	for i, x := range v {
		u[i] = (u[i] + x) / 2
	}
	return nil
}

// mirror turns an image left to right.
func (r *Restorer) mirror(u []float32) {
	for ; len(u) > 0; u = u[r.width:] {
		slices.Reverse(u[:r.width])
	}
}

// TryRestorer runs the network once on zeros and reports values that are not
// finite.
func TryRestorer(ctx context.Context, b *Bundle, o onnx.Options) error {
	r, err := LoadRestorer(b, o)
	if err != nil {
		return err
	}
	defer r.Close()
	u, fbp := make([]float32, b.Dims().Pixels()), make([]float32, b.Dims().Pixels())
	if err := r.Run(ctx, u, fbp); err != nil {
		return err
	}
	return finite(u)
}

// Close releases the session.
func (r *Restorer) Close() { r.s.Close() }
