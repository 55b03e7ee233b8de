package models

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ctrecon/ldm"
	"ctrecon/ldm/onnx"
	"ctrecon/ldm/vjp"
)

// Network is a bundle's three graphs in sessions: an ldm.Model.
type Network struct {
	dims           ldm.Dims
	enc, dec, unet *onnx.Session
	conditioned    bool
	start          bool // the network takes the latent of the warm start too
}

var _ ldm.Model = (*Network)(nil)

// Load opens the sessions of a bundle. The error names the graph that is missing,
// changed, of another shape than the description, or not understood.
func Load(b *Bundle, o onnx.Options) (n *Network, err error) {
	d := b.Dims()
	image := []int64{1, 1, int64(d.H), int64(d.W)}
	latent := []int64{1, int64(d.Channels), int64(d.LH), int64(d.LW)}
	one := []int64{1}
	in := []onnx.Port{{Name: "z", Shape: latent}, {Name: "lognsr", Shape: one}}
	if b.Conditioned() {
		in = append(in, onnx.Port{Name: "cond", Shape: image}, onnx.Port{Name: "flag", Shape: one})
	}
	n = &Network{dims: d, conditioned: b.Conditioned(), start: b.takesStart()}
	if n.start {
		in = append(in, onnx.Port{Name: "start", Shape: latent})
	}
	for _, g := range []struct {
		role    string
		to      **onnx.Session
		in, out []onnx.Port
	}{
		{"encoder", &n.enc, []onnx.Port{{Name: "x", Shape: image}}, []onnx.Port{{Name: "z", Shape: latent}}},
		{"decoder", &n.dec, []onnx.Port{{Name: "z", Shape: latent}}, []onnx.Port{{Name: "x", Shape: image}}},
		{"unet", &n.unet, in, []onnx.Port{{Name: "v", Shape: latent}}},
	} {
		if *g.to, err = open(b, g.role, g.in, g.out, o); err != nil {
			n.Close()
			return nil, err
		}
	}
	return n, nil
}

// open makes the session of a role.
func open(b *Bundle, role string, in, out []onnx.Port, o onnx.Options) (*onnx.Session, error) {
	graph, err := b.Graph(role)
	if err != nil {
		return nil, err
	}
	if err = fits(graph, in, out); err == nil {
		var s *onnx.Session
		if s, err = onnx.NewSession(graph, in, out, o); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("bundle %s: %s: %w", b.Name, role, err)
}

// fits compares the ports that a graph declares with those that the description
// asks for, so that a wrong size is found before anything runs.
func fits(graph []byte, in, out []onnx.Port) error {
	gotIn, gotOut, err := vjp.Signature(graph)
	if err != nil {
		return err
	}
	for _, side := range []struct {
		word string
		got  []vjp.Port
		want []onnx.Port
	}{{"input", gotIn, in}, {"output", gotOut, out}} {
		for _, w := range side.want {
			i := slices.IndexFunc(side.got, func(p vjp.Port) bool { return p.Name == w.Name })
			switch {
			case i < 0:
				return fmt.Errorf("has no %s %s, which bundle.json asks for", side.word, w.Name)
			case side.got[i].Type != vjp.Float:
				return fmt.Errorf("%s %s is not of float32", side.word, w.Name)
			case !sameShape(side.got[i].Shape, w.Shape):
				return fmt.Errorf("%s %s has the shape %v, bundle.json asks for %v: the graph was exported for other images", side.word, w.Name, side.got[i].Shape, w.Shape)
			}
		}
	}
	if len(gotIn) > len(in) {
		return fmt.Errorf("has %d inputs, bundle.json asks for %d", len(gotIn), len(in))
	}
	return nil
}

// sameShape lets a free axis (-1) have any length.
func sameShape(got, want []int64) bool {
	return slices.EqualFunc(got, want, func(g, w int64) bool { return g < 0 || g == w })
}

// Dims are the sizes of images and latents.
func (n *Network) Dims() ldm.Dims { return n.dims }

// Encode writes the latent of u.
func (n *Network) Encode(ctx context.Context, z, u []float32) error { return run(ctx, n.enc, z, u) }

// Decode writes the image of z.
func (n *Network) Decode(ctx context.Context, u, z []float32) error { return run(ctx, n.dec, u, z) }

func run(ctx context.Context, s *onnx.Session, dst, src []float32) error {
	copy(s.In(0), src)
	if err := s.Run(ctx); err != nil {
		return err
	}
	copy(dst, s.Out(0))
	return nil
}

// Velocity writes the network's v at level l.
func (n *Network) Velocity(ctx context.Context, v, z []float32, l float64, cond *ldm.Condition) error {
	n.unet.In(1)[0] = float32(l)
	if n.conditioned {
		var start []float32
		if n.start {
			start = n.unet.In(4)
		}
		fillCondition(cond, n.unet.In(2), n.unet.In(3), start)
	}
	return run(ctx, n.unet, v, z)
}

// fillCondition fills the inputs cond, flag and start (nil where there is none)
// of a UNet; with flag 0 the others are not looked at, so zeros will do.
func fillCondition(c *ldm.Condition, image, flag, start []float32) {
	if c == nil {
		clear(image)
		clear(start)
		flag[0] = 0
		return
	}
	copy(image, c.Image)
	copy(start, c.Start)
	flag[0] = 1
}

// Try runs every network once on zeros and reports values that are not finite.
func (n *Network) Try(ctx context.Context) error {
	u, z, v := make([]float32, n.dims.Pixels()), make([]float32, n.dims.Latent()), make([]float32, n.dims.Latent())
	var cond *ldm.Condition
	if n.conditioned {
		cond = &ldm.Condition{Image: u, Start: z}
	}
	for _, run := range []func() error{
		func() error { return n.Encode(ctx, z, u) },
		func() error { return n.Velocity(ctx, v, z, 0, cond) },
		func() error { return n.Decode(ctx, u, z) },
	} {
		if err := run(); err != nil {
			return err
		}
	}
	return finite(u, z, v)
}

// finite reports values of networks that are not finite.
func finite(outs ...[]float32) error {
	for _, out := range outs {
		for _, x := range out {
			if x-x != 0 {
				return errors.New("a network gives values that are not finite")
			}
		}
	}
	return nil
}

// Close releases the sessions.
func (n *Network) Close() {
	for _, s := range []*onnx.Session{n.enc, n.dec, n.unet} {
		if s != nil {
			s.Close()
		}
	}
}
