package vjp_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"ctrecon/ldm/onnx"
	"ctrecon/ldm/vjp"
)

// TestThreads: outputs and gradients of the built-in graphs have the same bits
// with one thread and with two, and in a second run.
func TestThreads(t *testing.T) {
	vjp.Library(t)
	for _, tt := range []struct{ role, x string }{{"decoder", "z"}, {"encoder", "x"}, {"unet", "z"}} {
		t.Run(tt.role, func(t *testing.T) {
			model, info, err := vjp.Build(bundled(t, tt.role), []string{tt.x})
			if err != nil {
				t.Fatal(err)
			}
			var first [][]float32
			for _, threads := range []int{1, 2, 2} {
				got := run(t, model, info, threads)
				if first == nil {
					first = got
				}
				for k := range got {
					for i, v := range got[k] {
						if math.Float32bits(v) != math.Float32bits(first[k][i]) {
							t.Fatalf("%d threads: %s[%d] is %g, with one %g", threads, info.Outputs[k].Name, i, v, first[k][i])
						}
					}
				}
			}
		})
	}
}

// run gives the outputs of a graph for inputs that are always the same.
func run(t *testing.T, model []byte, info vjp.Info, threads int) [][]float32 {
	s, err := onnx.NewSession(model, vjp.Ports(info.Inputs), vjp.Ports(info.Outputs), onnx.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(21, 22))
	for i := range info.Inputs {
		vjp.FillNormal(rng, s.In(i))
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out [][]float32
	for k := range info.Outputs {
		out = append(out, append([]float32(nil), s.Out(k)...))
	}
	return out
}
