package vjp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ctrecon/ldm/onnx"
)

func (g *graph) silu(x string) string { return g.op("Mul", two(x, g.un("Sigmoid", x))) }

// unitNorm is InstanceNormalization without an affine part.
func (g *graph) unitNorm(x string, channels int) string {
	return g.op("InstanceNormalization", []string{x, g.fill(1, channels), g.fill(0, channels)}, attrFloat("epsilon", 1e-3))
}

// Norms that are written anew and those that are not: values and gradients are
// those of the graph as it was.
func TestFold(t *testing.T) {
	library(t)
	one := dims(1, 12, 4, 6)
	tests := []struct {
		name  string
		shape []int64
		make  func(g *graph) string
		kept  int // InstanceNormalization left
	}{
		{"group norm", one, func(g *graph) string { return g.groupNorm("x", 3, one...) }, 0},
		{"group norm and silu", one, func(g *graph) string { return g.silu(g.groupNorm("x", 3, one...)) }, 0},
		{"group norm and silu of two images", image, func(g *graph) string { return g.silu(g.groupNorm("x", 3, image...)) }, 0},
		{"scale and shift from elsewhere", one, func(g *graph) string {
			h := g.op("Mul", two(g.weight(1, 12, 1, 1), g.groupNorm("x", 3, one...)))
			return g.silu(g.op("Add", two(g.un("Exp", g.weight(12, 1, 1)), h)))
		}, 0},
		{"a channel's own scale", one, func(g *graph) string {
			return g.silu(g.op("InstanceNormalization", []string{"x", g.weight(12), g.weight(12)}))
		}, 0},
		{"a channel's own scale, two images", image, func(g *graph) string {
			return g.silu(g.op("InstanceNormalization", []string{"x", g.weight(12), g.weight(12)}))
		}, 1},
		{"two images", image, func(g *graph) string { return g.silu(g.unitNorm("x", 12)) }, 0},
		{"vectors", dims(1, 4, 30), func(g *graph) string { return g.silu(g.unitNorm("x", 4)) }, 0},
		{"rows in pieces", dims(1, 2, 8200), func(g *graph) string { return g.silu(g.unitNorm("x", 2)) }, 0},
		{"long rows that are not cut", dims(1, 2, 8193), func(g *graph) string { return g.unitNorm("x", 2) }, 0},
		{"norm used twice", one, func(g *graph) string {
			h := g.unitNorm("x", 12)
			return g.op("Mul", two(g.op("Mul", two(h, g.weight(12, 1, 1))), g.silu(h)))
		}, 0},
		{"silu and another user", one, func(g *graph) string {
			h := g.groupNorm("x", 3, one...)
			return g.op("Add", two(g.silu(h), g.op("Mul", two(h, h))))
		}, 0},
		{"affine part that depends on the input", one, func(g *graph) string {
			w := g.op("ReduceMean", two("x", g.ints(2, 3)))
			return g.op("Mul", two(g.unitNorm("x", 12), w))
		}, 0},
		{"norm of a norm", one, func(g *graph) string { return g.groupNorm(g.silu(g.groupNorm("x", 3, one...)), 4, one...) }, 0},
		{"norm that nothing asks for", one, func(g *graph) string {
			return g.op("Mul", two("x", g.unitNorm(g.weight(one...), 12)))
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGraph(18, tt.shape...)
			model := g.model(tt.make(g))
			grad, _, err := Build(model, []string{"x"})
			if err != nil {
				t.Fatal(err)
			}
			written := parse(grad)
			norms := slices.DeleteFunc(written.nodes, func(n *node) bool { return n.op != "InstanceNormalization" })
			if len(norms) != tt.kept {
				t.Errorf("%d InstanceNormalization are left, want %d", len(norms), tt.kept)
			}
			r := newRunner(t, model, "x")
			rng := rand.New(rand.NewPCG(7, 8))
			fillNormal(rng, r.In("x"))
			fillNormal(rng, r.In("d_y"))
			sameOutput(t, model, r)
			if err := direction(r, rng); !(err < 1e-4) {
				t.Errorf("gradient is off by %.2g", err)
			}
		})
	}
}

// sameOutput holds the output of a gradient graph against the graph's own.
func sameOutput(t *testing.T, model []byte, r *runner) {
	t.Helper()
	s, err := onnx.NewSession(model, ports(r.Info.Inputs[:1]), ports(r.Info.Outputs[:1]), onnx.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	copy(s.In(0), r.In("x"))
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Run()
	want := make([]float64, len(s.Out(0)))
	for i, v := range s.Out(0) {
		want[i] = float64(v)
	}
	if e := distance(r.Out("y"), want); !(e < 2e-6) {
		t.Errorf("output differs by %.2g", e)
	}
}

// direction is the error of the gradient along a few random directions over its
// size.
func direction(r *runner, rng *rand.Rand) float64 {
	r.value()
	g := append([]float32(nil), r.Out("d_x")...)
	v, worst := make([]float32, len(g)), 0.0
	for range 8 {
		fillNormal(rng, v)
		worst = max(worst, math.Abs(r.Derivative("x", v, 0.003)-dot(g, v))/math.Sqrt(dot(g, g)))
	}
	return worst
}

// Weights of replaced nodes go when nobody else reads them.
func TestFoldDropsWeights(t *testing.T) {
	g := newGraph(18, 1, 12, 4, 6)
	shared := g.fill(1, 12)
	alone := g.fill(0, 12)
	h := g.op("InstanceNormalization", []string{"x", shared, alone})
	grad, _, err := Build(g.model(g.op("Add", two(h, g.op("Reshape", two(shared, g.ints(12, 1, 1)))))), []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(parse(grad).inits, func(t *tensor) bool { return t.name == name })
	}
	if !has(shared) || has(alone) {
		t.Errorf("weights: shared %v, want true; of the norm alone %v, want false", has(shared), has(alone))
	}
}

// Large values: the derivative of a SiLU is 1, 0 or between.
func TestSiLULimits(t *testing.T) {
	library(t)
	g := newGraph(18, 8)
	r := newRunner(t, g.model(g.silu("x")), "x")
	x := []float32{-60, -20, -5, 0, 1, 5, 40, 200}
	copy(r.In("x"), x)
	for i := range r.In("d_y") {
		r.In("d_y")[i] = 1
	}
	r.Run()
	for i, v := range x {
		s := 1 / (1 + math.Exp(-float64(v)))
		if want := s * (1 + float64(v)*(1-s)); !(math.Abs(float64(r.Out("d_x")[i])-want) <= 1e-6) {
			t.Errorf("at %g: %g, want %g", v, r.Out("d_x")[i], want)
		}
	}
}
