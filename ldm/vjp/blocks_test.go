package vjp

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A convolution before DepthToSpace: its gradient is one strided convolution of
// the large image's, for both orders of channels; other cases go through
// SpaceToDepth.
func TestConvBeforeBlocks(t *testing.T) {
	library(t)
	shuffle := func(g *graph, x, mode string, k int64) string {
		return g.un("DepthToSpace", x, attrInt("blocksize", k), attrText("mode", mode))
	}
	tests := []struct {
		name    string
		make    func(g *graph) string
		strided bool
	}{
		{"1 x 1", func(g *graph) string { return shuffle(g, g.conv("x", []int64{8, 12, 1, 1}), "CRD", 2) }, true},
		{"3 x 3", func(g *graph) string {
			return shuffle(g, g.conv("x", []int64{8, 12, 3, 3}, pads(1, 1, 1, 1)), "CRD", 2)
		}, true},
		{"planes", func(g *graph) string {
			return shuffle(g, g.conv("x", []int64{8, 12, 3, 3}, pads(1, 1, 1, 1)), "DCR", 2)
		}, true},
		{"3 x 2 with uneven padding, blocks of 3", func(g *graph) string {
			return shuffle(g, g.conv("x", []int64{18, 12, 3, 2}, pads(2, 0, 0, 1)), "CRD", 3)
		}, true},
		{"through a silu", func(g *graph) string {
			return g.silu(shuffle(g, g.conv("x", []int64{8, 12, 3, 3}, pads(1, 1, 1, 1)), "CRD", 2))
		}, true},
		{"dilation", func(g *graph) string {
			return shuffle(g, g.conv("x", []int64{8, 12, 3, 3}, pads(2, 2, 2, 2), attrInts64("dilations", []int64{2, 2})), "CRD", 2)
		}, false},
		{"groups", func(g *graph) string {
			return shuffle(g, g.conv("x", []int64{8, 6, 1, 1}, attrInt("group", 2)), "CRD", 2)
		}, false},
		{"two users", func(g *graph) string {
			h := g.conv("x", []int64{8, 12, 1, 1})
			return g.op("Add", two(g.un("SpaceToDepth", shuffle(g, h, "CRD", 2), attrInt("blocksize", 2)), h))
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGraph(18, image...)
			model := g.model(tt.make(g))
			r := newRunner(t, model, "x")
			rng := rand.New(rand.NewPCG(9, 10))
			fillNormal(rng, r.In("x"))
			fillNormal(rng, r.In("d_y"))
			if e := direction(r, rng); !(e < 1e-4) {
				t.Errorf("gradient is off by %.2g", e)
			}
			grad, _, err := Build(model, []string{"x"})
			if err != nil {
				t.Fatal(err)
			}
			strided := slices.ContainsFunc(parse(grad).nodes, func(n *node) bool {
				return n.op == "Conv" && n.attr("strides") != nil && n.attr("strides").ints[0] > 1
			})
			if strided != tt.strided {
				t.Errorf("strided convolution: %v, want %v", strided, tt.strided)
			}
		})
	}
}
