package vjp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func two(x, y string) []string { return []string{x, y} }

// un adds an operator of one input.
func (g *graph) un(op, x string, attrs ...attribute) string { return g.op(op, []string{x}, attrs...) }

func (g *graph) conv(x string, w []int64, attrs ...attribute) string {
	return g.op("Conv", []string{x, g.weight(w...), g.weight(w[0])}, attrs...)
}

// positive is 1 + x*x, for operators that need it.
func (g *graph) positive(x string) string {
	return g.op("Add", two(g.op("Mul", two(x, x)), g.num(1)))
}

func pads(v ...int64) attribute    { return attrInts64("pads", v) }
func strides(v ...int64) attribute { return attrInts64("strides", v) }

// groupNorm is nn.GroupNorm as PyTorch's exporter writes it below opset 21.
func (g *graph) groupNorm(x string, groups int64, shape ...int64) string {
	h := g.op("Reshape", two(x, g.ints(shape[0], groups, -1)))
	h = g.op("InstanceNormalization", []string{h, g.fill(1, int(groups)), g.fill(0, int(groups))}, attrFloat("epsilon", 1e-5))
	h = g.op("Reshape", two(h, g.ints(shape...)))
	return g.op("Add", two(g.op("Mul", two(h, g.weight(shape[1], 1, 1))), g.weight(shape[1], 1, 1)))
}

// attention is single-head attention over positions, [1, 3c, h, w] to [1, c, h, w].
func (g *graph) attention(x string, c, h, w int64) string {
	qkv := g.ops("Split", 3, []string{g.op("Reshape", two(x, g.ints(1, 3*c, h*w))), g.ints(c, c, c)}, attrInt("axis", 1))
	q := g.un("Transpose", qkv[0], attrInts64("perm", []int64{0, 2, 1}))
	s := g.op("Mul", two(g.op("MatMul", two(q, qkv[1])), g.num(1/math.Sqrt(float64(c)))))
	p := g.un("Transpose", g.un("Softmax", s, attrInt("axis", -1)), attrInts64("perm", []int64{0, 2, 1}))
	return g.op("Reshape", two(g.op("MatMul", two(qkv[2], p)), g.ints(1, c, h, w)))
}

var image = []int64{2, 12, 4, 6}

// cases are one graph a rule or way through a rule.
var cases = []struct {
	name  string
	shape []int64
	make  func(g *graph) string
}{
	{"conv 3x3", image, func(g *graph) string { return g.conv("x", []int64{5, 12, 3, 3}, pads(1, 1, 1, 1)) }},
	{"conv without pads", image, func(g *graph) string { return g.conv("x", []int64{5, 12, 3, 3}) }},
	{"conv 1x1", image, func(g *graph) string { return g.op("Conv", two("x", g.weight(5, 12, 1, 1))) }},
	{"conv uneven pads", image, func(g *graph) string { return g.conv("x", []int64{5, 12, 3, 2}, pads(0, 1, 2, 0)) }},
	{"conv wide pads", image, func(g *graph) string { return g.conv("x", []int64{5, 12, 3, 3}, pads(3, 3, 3, 3)) }},
	{"conv stride 2", image, func(g *graph) string { return g.conv("x", []int64{5, 12, 3, 3}, pads(1, 1, 1, 1), strides(2, 2)) }},
	{"conv stride 2 odd", []int64{1, 4, 7, 8}, func(g *graph) string { return g.conv("x", []int64{3, 4, 3, 3}, pads(1, 1, 1, 1), strides(2, 2)) }},
	{"conv stride 3", []int64{1, 4, 9, 11}, func(g *graph) string { return g.conv("x", []int64{3, 4, 2, 3}, strides(3, 3)) }},
	{"conv groups", image, func(g *graph) string { return g.conv("x", []int64{8, 3, 3, 3}, pads(1, 1, 1, 1), attrInt("group", 4)) }},
	{"conv depthwise dilated", image, func(g *graph) string {
		return g.conv("x", []int64{12, 1, 3, 3}, pads(2, 2, 2, 2), attrInts64("dilations", []int64{2, 2}), attrInt("group", 12))
	}},
	{"conv 1-d", []int64{2, 3, 9}, func(g *graph) string { return g.conv("x", []int64{4, 3, 3}, pads(1, 1)) }},
	{"conv of a weight that is computed", image, func(g *graph) string {
		return g.op("Conv", two("x", g.un("Tanh", g.weight(5, 12, 3, 3))), pads(1, 1, 1, 1))
	}},
	{"transposed conv", image, func(g *graph) string {
		return g.op("ConvTranspose", []string{"x", g.weight(12, 5, 4, 4), g.weight(5)}, pads(1, 1, 1, 1), strides(2, 2))
	}},
	{"transposed conv groups", image, func(g *graph) string {
		return g.op("ConvTranspose", two("x", g.weight(12, 2, 3, 3)), pads(1, 1, 1, 1), strides(2, 2), attrInt("group", 3), attrInts64("output_padding", []int64{1, 0}))
	}},
	{"group norm, exported", image, func(g *graph) string { return g.groupNorm("x", 3, image...) }},
	{"instance norm", image, func(g *graph) string {
		return g.op("InstanceNormalization", []string{"x", g.weight(12), g.weight(12)})
	}},
	{"instance norm, scale 1", image, func(g *graph) string {
		return g.op("InstanceNormalization", []string{"x", g.fill(1, 12), g.weight(12)}, attrFloat("epsilon", 0.1))
	}},
	{"layer norm", image, func(g *graph) string { return g.op("LayerNormalization", []string{"x", g.weight(6), g.weight(6)}) }},
	{"layer norm of two axes", image, func(g *graph) string {
		return g.op("LayerNormalization", []string{"x", g.weight(4, 6)}, attrInt("axis", -2))
	}},
	{"batch norm", image, func(g *graph) string {
		return g.op("BatchNormalization", []string{"x", g.weight(12), g.weight(12), g.weight(12), g.fill(0.7, 12)})
	}},
	{"silu", image, func(g *graph) string { return g.op("Mul", two("x", g.un("Sigmoid", "x"))) }},
	{"tanh", image, func(g *graph) string { return g.un("Tanh", "x") }},
	{"softplus", image, func(g *graph) string { return g.un("Softplus", "x") }},
	{"gelu by erf", image, func(g *graph) string {
		e := g.un("Erf", g.op("Div", two("x", g.num(math.Sqrt2))))
		return g.op("Mul", two(g.op("Mul", two("x", g.op("Add", two(e, g.num(1))))), g.num(0.5)))
	}},
	{"relu", image, func(g *graph) string { return g.un("Relu", "x") }},
	{"leaky relu", image, func(g *graph) string { return g.un("LeakyRelu", "x", attrFloat("alpha", 0.25)) }},
	{"abs", image, func(g *graph) string { return g.un("Abs", "x") }},
	{"clip", image, func(g *graph) string { return g.op("Clip", []string{"x", g.num(-1.15), g.num(0.55)}) }},
	{"clip above", image, func(g *graph) string { return g.op("Clip", []string{"x", "", g.num(0.55)}) }},
	{"exp, log, sqrt, reciprocal", image, func(g *graph) string {
		p := g.positive("x")
		e := g.un("Log", g.op("Add", two(g.un("Exp", "x"), g.num(1.5))))
		return g.op("Sub", two(g.op("Mul", two(g.un("Sqrt", p), e)), g.un("Reciprocal", p)))
	}},
	{"sin, cos, neg", image, func(g *graph) string {
		return g.op("Mul", two(g.un("Sin", "x"), g.un("Neg", g.un("Cos", "x"))))
	}},
	{"powers", image, func(g *graph) string {
		a := g.op("Pow", two("x", g.num(2)))
		b := g.op("Pow", two("x", g.init(realTensor(Int64, nil, 3))))
		c := g.op("Pow", two(g.positive("x"), g.weight(6)))
		return g.op("Sum", []string{a, b, c})
	}},
	{"broadcast", image, func(g *graph) string {
		a := g.op("Slice", []string{"x", g.ints(0), g.ints(1), g.ints(1)})
		b := g.op("Slice", []string{"x", g.ints(0), g.ints(1), g.ints(2)})
		c := g.op("Slice", []string{"x", g.ints(0), g.ints(1), g.ints(0)})
		return g.op("Div", two(g.op("Mul", two(g.op("Sub", two(a, b)), c)), g.positive(a)))
	}},
	{"broadcast of a lower rank", []int64{4, 6}, func(g *graph) string {
		return g.op("Mul", two(g.op("Add", two("x", g.weight(2, 1, 4, 1))), "x"))
	}},
	{"where", image, func(g *graph) string {
		c := g.op("Greater", two("x", g.num(0.1)))
		row := g.op("Slice", []string{"x", g.ints(0), g.ints(1), g.ints(1)})
		return g.op("Where", []string{c, g.op("Mul", two("x", "x")), row})
	}},
	{"many consumers", image, func(g *graph) string {
		a := g.un("Transpose", g.un("Transpose", "x", attrInts64("perm", []int64{0, 1, 3, 2})), attrInts64("perm", []int64{0, 1, 3, 2}))
		return g.op("Sum", []string{g.op("Mul", two("x", g.un("Sin", "x"))), a, "x", a})
	}},
	{"nearest upsampling", image, func(g *graph) string {
		return g.op("Resize", []string{"x", "", g.init(realTensor(Float, []int64{4}, 1, 1, 2, 3))},
			attrText("mode", "nearest"), attrText("coordinate_transformation_mode", "asymmetric"), attrText("nearest_mode", "floor"))
	}},
	{"nearest upsampling by sizes", image, func(g *graph) string {
		return g.op("Resize", []string{"x", "", "", g.ints(2, 12, 8, 24)}, attrText("mode", "nearest"))
	}},
	{"average pool", image, func(g *graph) string {
		return g.un("AveragePool", "x", attrInts64("kernel_shape", []int64{2, 3}), strides(2, 3))
	}},
	{"global average pool", image, func(g *graph) string { return g.un("GlobalAveragePool", "x") }},
	{"pixel shuffle", image, func(g *graph) string {
		return g.un("DepthToSpace", "x", attrInt("blocksize", 2), attrText("mode", "CRD"))
	}},
	{"depth to space", image, func(g *graph) string { return g.un("DepthToSpace", "x", attrInt("blocksize", 2)) }},
	{"space to depth", image, func(g *graph) string { return g.un("SpaceToDepth", "x", attrInt("blocksize", 2)) }},
	{"pixel unshuffle, exported", image, func(g *graph) string {
		h := g.op("Reshape", two("x", g.ints(2, 12, 2, 2, 3, 2)))
		return g.op("Reshape", two(g.un("Transpose", h, attrInts64("perm", []int64{0, 1, 3, 5, 2, 4})), g.ints(2, 48, 2, 3)))
	}},
	{"attention", []int64{1, 12, 3, 4}, func(g *graph) string { return g.attention("x", 4, 3, 4) }},
	{"log softmax", image, func(g *graph) string { return g.un("LogSoftmax", "x", attrInt("axis", 1)) }},
	{"linear", image, func(g *graph) string { return g.op("MatMul", two("x", g.weight(6, 5))) }},
	{"matmul, both sides", []int64{3, 4, 4}, func(g *graph) string { return g.op("MatMul", two("x", "x")) }},
	{"matmul, batch broadcast", []int64{1, 4, 6}, func(g *graph) string {
		return g.op("MatMul", two(g.op("MatMul", two(g.weight(2, 3, 5, 4), "x")), g.un("Transpose", "x", attrInts64("perm", []int64{0, 2, 1}))))
	}},
	{"matmul of vectors", []int64{6}, func(g *graph) string {
		m := g.op("MatMul", two(g.op("MatMul", two(g.weight(2, 5, 6), "x")), g.weight(5)))
		return g.op("Mul", two(m, g.op("MatMul", two("x", "x"))))
	}},
	{"gemm", []int64{4, 6}, func(g *graph) string {
		return g.op("Gemm", []string{"x", g.weight(5, 6), g.weight(5)}, attrFloat("alpha", 0.5), attrFloat("beta", 2), attrInt("transB", 1))
	}},
	{"gemm, transposed, in all inputs", []int64{4, 4}, func(g *graph) string {
		flags := func(a, b int64) string {
			return g.op("Gemm", []string{"x", g.un("Sin", "x"), "x"}, attrInt("transA", a), attrInt("transB", b), attrFloat("beta", 0.5))
		}
		return g.op("Sum", []string{flags(0, 0), flags(0, 1), flags(1, 0), flags(1, 1)})
	}},
	{"einsum", []int64{2, 3, 4}, func(g *graph) string {
		s := g.op("Einsum", two("x", g.weight(2, 5, 4)), attrText("equation", "bid,bjd->bij"))
		return g.op("Einsum", two(s, "x"), attrText("equation", "bij, bid -> bjd"))
	}},
	{"chunks", image, func(g *graph) string {
		p := g.ops("Split", 3, []string{"x", g.ints(2, 4, 6)}, attrInt("axis", 1))
		q := g.ops("Split", 2, []string{p[2], g.ints(2, 4)}, attrInt("axis", 1))
		return g.op("Concat", []string{g.op("Mul", two(p[0], q[0])), p[1], g.un("Sin", p[1])}, attrInt("axis", 1))
	}},
	{"slice", image, func(g *graph) string {
		return g.op("Slice", []string{"x", g.ints(2, 1, 0), g.ints(9, math.MaxInt64, -2), g.ints(1, 2, -1)})
	}},
	{"slice with steps", image, func(g *graph) string {
		s := g.op("Slice", []string{"x", g.ints(1, 0, 1), g.ints(99, 4, 6), g.ints(1, 2, 3), g.ints(3, 2, 2)})
		return g.op("Mul", two(s, s))
	}},
	{"slice backwards", image, func(g *graph) string {
		s := g.op("Slice", []string{"x", g.ints(-1, 5), g.ints(math.MinInt64, 0), g.ints(1, 3), g.ints(-1, -2)})
		return g.op("Mul", two(s, s))
	}},
	{"gather", image, func(g *graph) string {
		a := g.op("Gather", two("x", g.init(intTensor([]int64{-2}, []int64{}...))), attrInt("axis", 1))
		b := g.op("Gather", two("x", g.ints(3, 4)), attrInt("axis", 1))
		return g.op("Mul", two(g.op("Unsqueeze", two(a, g.ints(1))), b))
	}},
	{"mean, power, root", image, func(g *graph) string {
		m := g.op("ReduceMean", two(g.op("Pow", two("x", g.num(2))), g.ints(1, 3)))
		return g.op("Div", two("x", g.un("Sqrt", g.op("Add", two(m, g.num(0.1))))))
	}},
	{"sums without axes", image, func(g *graph) string {
		a := g.op("ReduceSum", two("x", g.ints(-1, 2)), attrInt("keepdims", 0))
		return g.op("Mul", two(a, g.un("ReduceMean", g.op("Mul", two("x", "x")), attrInt("keepdims", 0))))
	}},
	{"pad", image, func(g *graph) string {
		return g.op("Pad", []string{"x", g.ints(0, 0, 1, -1, 0, 0, -2, 2), g.num(0.5)})
	}},
	{"pad of two axes", image, func(g *graph) string { return g.op("Pad", []string{"x", g.ints(1, 2, 3, 0), "", g.ints(3, -3)}) }},
	{"expand, squeeze, flatten", image, func(g *graph) string {
		e := g.op("Expand", two(g.op("Unsqueeze", two("x", g.ints(2, -1))), g.ints(3, 1, 1, 1, 1, 1, 1)))
		s := g.op("Squeeze", two(g.op("Slice", []string{e, g.ints(0), g.ints(1), g.ints(0)}), g.ints(0)))
		return g.op("MatMul", two(g.un("Flatten", s, attrInt("axis", 2)), g.weight(24, 2)))
	}},
	{"shape arithmetic, as TorchScript leaves it", image, func(g *graph) string {
		dim := func(i int64) string {
			return g.op("Unsqueeze", two(g.op("Gather", two(g.un("Shape", "x"), g.init(intTensor([]int64{i}, []int64{}...)))), g.ints(0)))
		}
		half := g.op("Div", two(dim(1), g.ints(2)))
		h := g.op("Reshape", two("x", g.op("Concat", []string{dim(0), half, g.ints(-1)}, attrInt("axis", 0))))
		return g.op("Mul", two(h, g.op("Expand", two(g.num(0.5), g.un("Shape", h)))))
	}},
}

// kinks are where a derivative jumps in the cases; inputs stay away from them.
var kinks = []float32{-1.15, 0, 0.1, 0.55}

func awayFromKinks(x []float32) {
	near := func(v float32) bool {
		return slices.ContainsFunc(kinks, func(k float32) bool { return math.Abs(float64(v-k)) < 0.05 })
	}
	for i := range x {
		for near(x[i]) {
			x[i] += 0.1
		}
	}
}

// Every rule against differences of the graph itself, element by element. The
// bound is that of differences in single precision.
func TestRules(t *testing.T) {
	library(t)
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			g := newGraph(18, tt.shape...)
			r := newRunner(t, g.model(tt.make(g)), "x")
			rng := rand.New(rand.NewPCG(3, 4))
			fillNormal(rng, r.In("x"))
			awayFromKinks(r.In("x"))
			fillNormal(rng, r.In("d_y"))
			if e := r.worst("x", 0.02); !(e < 1e-4) {
				t.Errorf("gradient is off by %.2g of its largest element", e)
			} else {
				t.Logf("%.1e", e)
			}
			if got := r.Info.Outputs[1]; got.Name != "d_x" || !slices.Equal(got.Shape, tt.shape) {
				t.Errorf("gradient is %v, want d_x of %v", got, tt.shape)
			}
		})
	}
}

// Operators whose meaning changes with the opset.
func TestRulesByOpset(t *testing.T) {
	library(t)
	norm := func(scales int64) func(g *graph) string {
		return func(g *graph) string {
			return g.op("GroupNormalization", []string{"x", g.weight(scales), g.weight(scales)}, attrInt("num_groups", 3))
		}
	}
	tests := []struct {
		name  string
		opset int64
		make  func(g *graph) string
	}{
		{"mean with axes as an attribute", 13, func(g *graph) string {
			return g.op("Mul", two("x", g.un("ReduceMean", g.op("Mul", two("x", "x")), attrInts64("axes", []int64{-1, 1}))))
		}},
		{"instance norm", 13, func(g *graph) string { return g.groupNorm("x", 3, image...) }},
		{"sum with axes as an input", 13, func(g *graph) string {
			return g.op("Mul", two("x", g.op("ReduceSum", two("x", g.ints(2)))))
		}},
		{"reshape that keeps axes", 13, func(g *graph) string { return g.op("Reshape", two("x", g.ints(0, -1, 0))) }},
		{"equal parts", 17, func(g *graph) string {
			p := g.ops("Split", 3, []string{"x"}, attrInt("axis", 1))
			return g.op("Mul", two(p[0], p[2]))
		}},
		{"parts by number", 18, func(g *graph) string {
			p := g.ops("Split", 2, []string{"x"}, attrInt("axis", 3), attrInt("num_outputs", 2))
			return g.op("Mul", two(p[1], p[1]))
		}},
		{"gelu", 20, func(g *graph) string { return g.un("Gelu", "x") }},
		{"gelu by tanh", 20, func(g *graph) string { return g.un("Gelu", "x", attrText("approximate", "tanh")) }},
		{"group norm with a scale a channel", 21, norm(12)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGraph(tt.opset, image...)
			r := newRunner(t, g.model(tt.make(g)), "x")
			rng := rand.New(rand.NewPCG(5, 6))
			fillNormal(rng, r.In("x"))
			fillNormal(rng, r.In("d_y"))
			if e := r.worst("x", 0.02); !(e < 1e-4) {
				t.Errorf("gradient is off by %.2g of its largest element", e)
			}
		})
	}
}

// Several inputs and outputs: each output has its cotangent, each input asked
// for its gradient, in the order asked for.
func TestSeveralPorts(t *testing.T) {
	library(t)
	g := newGraph(18, 2, 3)
	g.in = append(g.in, Port{"u", Float, []int64{3}}, Port{"w", Float, []int64{3, 4}})
	g.nodes = []*node{
		{op: "Mul", in: two("x", "u"), out: []string{"p"}},
		{op: "MatMul", in: two("p", "w"), out: []string{"q"}},
		{op: "Sin", in: []string{"u"}, out: []string{"s"}},
		{op: "Shape", in: []string{"x"}, out: []string{"n"}},
	}
	model := g.encode([]Port{{"q", Float, nil}, {"p", Float, nil}, {"s", Float, nil}, {"x", Float, nil}})
	r := newRunner(t, model, "w", "u")
	if got := names(r.Info.Inputs); got != "x, u, w, d_q, d_p, d_s" {
		t.Errorf("inputs %s", got)
	}
	if got := names(r.Info.Outputs); got != "q, p, s, x, d_w, d_u" {
		t.Errorf("outputs %s", got)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for i := range r.Info.Inputs {
		fillNormal(rng, r.S.In(i))
	}
	for _, x := range []string{"u", "w"} {
		if e := r.worst(x, 0.02); !(e < 1e-4) {
			t.Errorf("d_%s is off by %.2g of its largest element", x, e)
		}
	}
}

// Weights stored as float16 with a Cast give the gradient of the same weights in
// float32, and the new graph keeps them in half.
func TestHalfWeights(t *testing.T) {
	library(t)
	models, sizes := [2][]byte{}, [2]int{}
	for half := range 2 {
		g := newGraph(18, 1, 16, 6, 6)
		w := g.weight(16, 16, 3, 3)
		full := g.inits[0]
		v := make([]float64, full.count())
		for i := range v {
			x, _ := full.at(i)
			v[i] = fromHalf(toHalf(x))
		}
		*full = *realTensor(Float, full.dims, v...)
		if full.name = w; half == 1 {
			*full = *realTensor(Float16, full.dims, v...)
			full.name = w + "_h"
			g.nodes = append(g.nodes, &node{op: "Cast", name: "cast", in: []string{w + "_h"}, out: []string{w}, attrs: []attribute{attrInt("to", int64(Float))}})
		}
		models[half] = g.model(g.un("Tanh", g.op("Conv", two("x", w), pads(1, 1, 1, 1))))
		grad, _, err := Build(models[half], []string{"x"})
		if err != nil {
			t.Fatal(err)
		}
		sizes[half] = len(grad)
	}
	if sizes[1] > sizes[0]*6/10 {
		t.Errorf("gradient graph has %d bytes with float16 weights, %d with float32", sizes[1], sizes[0])
	}
	var got [2][]float32
	for i, m := range models {
		r := newRunner(t, m, "x")
		rng := rand.New(rand.NewPCG(9, 9))
		fillNormal(rng, r.In("x"))
		fillNormal(rng, r.In("d_y"))
		r.Run()
		got[i] = slices.Clone(r.Out("d_x"))
	}
	if !slices.Equal(got[0], got[1]) {
		t.Error("float16 weights and their values in float32 give different gradients")
	}
}

// The free axes of an export for any size are set by BuildAt.
func TestBuildAt(t *testing.T) {
	library(t)
	g := newGraph(18, 1, 4, -1, -1)
	h := g.conv("x", []int64{4, 4, 3, 3}, pads(1, 1, 1, 1))
	h = g.op("Mul", two(h, g.op("Expand", two(g.num(0.5), g.un("Shape", h)))))
	model := g.model(h)
	_, info, err := BuildAt(model, []string{"x"}, map[string][]int64{"x": {1, 4, 6, 10}})
	if err != nil {
		t.Fatal(err)
	}
	want := []int64{1, 4, 6, 10}
	for _, p := range append(info.Inputs, info.Outputs...) {
		if !slices.Equal(p.Shape, want) {
			t.Errorf("%s has the shape %v, want %v", p.Name, p.Shape, want)
		}
	}
	for name, shapes := range map[string]map[string][]int64{
		"another rank":    {"x": {1, 4, 6}},
		"another channel": {"x": {1, 3, 6, 10}},
		"no such input":   {"x": want, "q": want},
		"an axis of zero": {"x": {1, 4, 0, 10}},
		"axis still free": nil,
		"huge":            {"x": {1, 4, 1 << 40, 1 << 40}},
		"too many in all": {"x": {1, 4, 1 << 20, 1 << 20}},
	} {
		if _, _, err := BuildAt(model, []string{"x"}, shapes); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
