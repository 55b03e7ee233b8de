package vjp

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// Every refusal has its type, names the place and the operator.
func TestErrors(t *testing.T) {
	tests := []struct {
		name string
		make func(g *graph) string
		op   string // of an UnsupportedError, "!" for a FormatError
		says string
	}{
		{"operator without a rule", func(g *graph) string { return g.un("CumSum", "x") }, "CumSum", "not known"},
		{"no path", func(g *graph) string { return g.un("Floor", "x") }, "", "no output depends on it"},
		{"weight depends on the input", func(g *graph) string {
			return g.op("InstanceNormalization", []string{"x", g.op("Reshape", two(g.op("ReduceMean", two("x", g.ints(0, 2, 3))), g.ints(12))), g.weight(12)})
		}, "InstanceNormalization", "input 1"},
		{"exponent depends on the input", func(g *graph) string { return g.op("Pow", two(g.positive("x"), "x")) }, "Pow", "input 1"},
		{"bilinear", func(g *graph) string {
			return g.op("Resize", []string{"x", "", "", g.ints(2, 12, 8, 12)}, attrText("mode", "linear"))
		}, "Resize", "only nearest"},
		{"nearest that does not copy blocks", func(g *graph) string {
			return g.op("Resize", []string{"x", "", "", g.ints(2, 12, 8, 12)}, attrText("coordinate_transformation_mode", "asymmetric"))
		}, "Resize", "only nearest"},
		{"nearest by a fraction", func(g *graph) string {
			return g.op("Resize", []string{"x", "", "", g.ints(2, 12, 6, 9)})
		}, "Resize", "only nearest"},
		{"scale that is rounded to a whole size", func(g *graph) string {
			return g.op("Resize", []string{"x", "", g.init(realTensor(Float, []int64{4}, 1, 1, 2.1, 2))}, attrText("mode", "nearest"))
		}, "Resize", "only nearest"},
		{"overlapping pool", func(g *graph) string { return g.un("AveragePool", "x", attrInts64("kernel_shape", []int64{2, 2})) }, "AveragePool", "tile"},
		{"reflecting pad", func(g *graph) string {
			return g.op("Pad", two("x", g.ints(0, 0, 1, 1, 0, 0, 1, 1)), attrText("mode", "reflect"))
		}, "Pad", "reflect"},
		{"auto_pad", func(g *graph) string {
			return g.conv("x", []int64{4, 12, 3, 3}, attrText("auto_pad", "SAME_UPPER"))
		}, "Conv", "auto_pad"},
		{"scattered gather", func(g *graph) string { return g.op("Gather", two("x", g.ints(0, 2)), attrInt("axis", 1)) }, "Gather", "row"},
		{"shape from data", func(g *graph) string {
			return g.op("Reshape", two("x", g.un("Cast", g.op("ReduceSum", two("x", g.ints())), attrInt("to", 7))))
		}, "Reshape", "not a constant"},
		{"training", func(g *graph) string {
			return g.op("BatchNormalization", []string{"x", g.weight(12), g.weight(12), g.weight(12), g.fill(1, 12)}, attrInt("training_mode", 1))
		}, "BatchNormalization", "training"},
		{"einsum with a repeated label", func(g *graph) string { return g.un("Einsum", "x", attrText("equation", "abcc->ab")) }, "Einsum", "repeated"},
		{"einsum that sums a label", func(g *graph) string { return g.un("Einsum", "x", attrText("equation", "abcd->ab")) }, "Einsum", "summed alone"},
		{"name is taken", func(g *graph) string {
			g.nodes = append(g.nodes, &node{op: "Sin", in: []string{"x"}, out: []string{"d_x"}})
			return "d_x"
		}, "", "the name is needed"},
		{"other domain", func(g *graph) string {
			n := node{op: "Gelu", in: []string{"x"}, out: []string{"z"}}
			g.nodes = append(g.nodes, &node{raw: putText(n.encode(), nodeDomain, "com.microsoft")})
			return "z"
		}, "com.microsoft.Gelu", "not known"},
		{"control flow", func(g *graph) string {
			n := node{op: "Loop", in: []string{"x"}, out: []string{"z"}}
			g.nodes = append(g.nodes, &node{raw: putBytes(n.encode(), nodeAttr, putBytes(putText(nil, attrName, "body"), attrG, nil))})
			return "z"
		}, "Loop", "inside a node"},
		{"input from nowhere", func(g *graph) string { return g.op("Add", two("x", "nobody")) }, "!", `"nobody"`},
		{"made twice", func(g *graph) string {
			g.nodes = append(g.nodes, &node{op: "Sin", in: []string{"x"}, out: []string{"x"}})
			return "x"
		}, "!", "made twice"},
		{"channels that do not fit", func(g *graph) string { return g.conv("x", []int64{4, 11, 3, 3}) }, "!", "Conv"},
		{"shapes that do not fit", func(g *graph) string { return g.op("Add", two("x", g.weight(5))) }, "!", "do not fit"},
		{"too few inputs", func(g *graph) string { return g.op("Conv", []string{"x"}) }, "!", "1 inputs"},
		{"size that does not fit", func(g *graph) string { return g.op("Reshape", two("x", g.ints(5, -1))) }, "!", "cannot become"},
		{"axis", func(g *graph) string { return g.un("Softmax", "x", attrInt("axis", 4)) }, "!", "axis 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGraph(18, image...)
			_, _, err := Build(g.model(tt.make(g)), []string{"x"})
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("error %v, want one with %q", err, tt.says)
			}
			var unsupported *UnsupportedError
			var format *FormatError
			switch {
			case tt.op == "!" && !errors.As(err, &format):
				t.Errorf("%T, want a FormatError", err)
			case tt.op != "!" && (!errors.As(err, &unsupported) || unsupported.Op != tt.op):
				t.Errorf("%T %v, want an UnsupportedError of %q", err, err, tt.op)
			}
		})
	}
}

// What is wrong with the question, not with the model.
func TestQuestions(t *testing.T) {
	g := newGraph(18, image...)
	g.in = append(g.in, Port{"i", Int64, []int64{2}})
	model := g.model(g.un("Sin", "x"))
	for _, tt := range []struct {
		wrt  []string
		says string
	}{
		{nil, "there are x, i"}, {[]string{"q"}, `"q" is no input`}, {[]string{"x", "x"}, "twice"},
		{[]string{"i"}, "type 7"}, {[]string{"t1"}, "no input"},
	} {
		if _, _, err := Build(model, tt.wrt); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("wrt %v: error %v, want one with %q", tt.wrt, err, tt.says)
		}
	}
}

// An operator that is not known and not on the way costs nothing when the file
// gives the shape it makes.
func TestUnknownOperatorAside(t *testing.T) {
	g := newGraph(18, 2, 3)
	g.in = append(g.in, Port{"u", Float, []int64{3}})
	g.nodes = []*node{
		{op: "Hardmax", in: []string{"u"}, out: []string{"h"}},
		{op: "Mul", in: two("x", "h"), out: []string{"y"}},
	}
	bare := g.encode([]Port{{Name: "y", Type: Float}})
	var unsupported *UnsupportedError
	if _, _, err := Build(bare, []string{"x"}); !errors.As(err, &unsupported) || unsupported.Op != "Hardmax" {
		t.Errorf("without value_info: error %v, want Hardmax named", err)
	}
	g.values = []Port{{"h", Float, []int64{3}}}
	_, info, err := Build(g.encode([]Port{{Name: "y", Type: Float}}), []string{"x"})
	if err != nil || !slices.Equal(info.Outputs[1].Shape, []int64{2, 3}) {
		t.Errorf("with value_info: %v, error %v", info.Outputs, err)
	}
	if _, _, err := Build(g.encode([]Port{{Name: "y", Type: Float}}), []string{"u"}); !errors.As(err, &unsupported) || unsupported.Op != "Hardmax" {
		t.Errorf("by the other input: error %v, want Hardmax named", err)
	}
}

// The bytes of old nodes and weights go into the new graph as they were, so that
// fields unknown here survive.
func TestKeepsUnknownFields(t *testing.T) {
	g := newGraph(18, 2, 3)
	n := node{op: "Sin", in: []string{"x"}, out: []string{"z"}, name: "s"}
	raw := putText(n.encode(), 77, "kept as it is")
	g.nodes = append(g.nodes, &node{raw: raw})
	model := g.model("z")
	grad, info, err := Build(model, []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(grad, raw) {
		t.Error("a field of a node was lost")
	}
	if info.Forward != 2 || info.Reverse < 2 {
		t.Errorf("%d nodes forward, %d reverse", info.Forward, info.Reverse)
	}
	again, _, _ := Build(model, []string{"x"})
	if !bytes.Equal(grad, again) {
		t.Error("the same model gave different bytes")
	}
}

// Names like ours do not collide with ours.
func TestPrefix(t *testing.T) {
	g := newGraph(18, 2, 3)
	g.nodes = append(g.nodes, &node{op: "Sin", in: []string{"x"}, out: []string{"vjp1_Mul"}})
	if _, _, err := Build(g.model("vjp1_Mul"), []string{"x"}); err != nil {
		t.Error(err)
	}
}
