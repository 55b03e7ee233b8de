package models

import (
	"context"
	"fmt"

	"ctrecon/ldm"
	"ctrecon/ldm/onnx"
	"ctrecon/ldm/vjp"
)

// Gradients is a Network that can be differentiated.
type Gradients struct {
	*Network
	dec, unet, enc *onnx.Session
	bundle         *Bundle
	options        onnx.Options
}

var _ ldm.EncoderGradient = (*Gradients)(nil)

// LoadGradients opens a bundle with the gradient graphs of its decoder and UNet,
// which are made from its plain graphs.
func LoadGradients(b *Bundle, o onnx.Options) (*Gradients, error) {
	n, err := Load(b, o)
	if err != nil {
		return nil, err
	}
	g := &Gradients{Network: n, bundle: b, options: o}
	for _, s := range []struct {
		role string
		to   **onnx.Session
	}{{"decoder", &g.dec}, {"unet", &g.unet}} {
		if *s.to, err = gradientSession(b, s.role, "z", o); err != nil {
			g.Close()
			return nil, err
		}
	}
	return g, nil
}

// gradientSession differentiates the graph of a role with respect to an input.
func gradientSession(b *Bundle, role, input string, o onnx.Options) (*onnx.Session, error) {
	graph, err := b.Graph(role)
	if err != nil {
		return nil, err
	}
	grad, info, err := vjp.Build(graph, []string{input})
	if err != nil {
		return nil, fmt.Errorf("bundle %s: gradient of the %s: %w", b.Name, role, err)
	}
	return onnx.NewSession(grad, ports(info.Inputs), ports(info.Outputs), o)
}

func ports(list []vjp.Port) []onnx.Port {
	out := make([]onnx.Port, len(list))
	for i, p := range list {
		out[i] = onnx.Port{Name: p.Name, Shape: p.Shape}
	}
	return out
}

// DecodeVJP writes u = D(z) and dz = J_D(z)' du.
func (g *Gradients) DecodeVJP(ctx context.Context, u, dz, z, du []float32) error {
	copy(g.dec.In(0), z)
	copy(g.dec.In(1), du)
	if err := g.dec.Run(ctx); err != nil {
		return err
	}
	copy(u, g.dec.Out(0))
	copy(dz, g.dec.Out(1))
	return nil
}

// EncodeVJP writes z = E(u) and du = J_E(u)' dz. Its session opens when first
// used: one sampler needs it.
func (g *Gradients) EncodeVJP(ctx context.Context, z, du, u, dz []float32) (err error) {
	if g.enc == nil {
		if g.enc, err = gradientSession(g.bundle, "encoder", "x", g.options); err != nil {
			return err
		}
	}
	copy(g.enc.In(0), u)
	copy(g.enc.In(1), dz)
	if err := g.enc.Run(ctx); err != nil {
		return err
	}
	copy(z, g.enc.Out(0))
	copy(du, g.enc.Out(1))
	return nil
}

// VelocityVJP writes v and dz = J_v(z)' dv at level l.
func (g *Gradients) VelocityVJP(ctx context.Context, v, dz, z []float32, l float64, cond *ldm.Condition, dv []float32) error {
	in := []int{2, 3, 4}
	last := 2
	g.unet.In(1)[0] = float32(l)
	if g.conditioned {
		last = 4
		var start []float32
		if g.start {
			start, last = g.unet.In(in[2]), 5
		}
		fillCondition(cond, g.unet.In(in[0]), g.unet.In(in[1]), start)
	}
	copy(g.unet.In(0), z)
	copy(g.unet.In(last), dv)
	if err := g.unet.Run(ctx); err != nil {
		return err
	}
	copy(v, g.unet.Out(0))
	copy(dz, g.unet.Out(1))
	return nil
}

// Close releases the sessions.
func (g *Gradients) Close() {
	for _, s := range []*onnx.Session{g.dec, g.unet, g.enc} {
		if s != nil {
			s.Close()
		}
	}
	g.Network.Close()
}
