package vjp

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// infer gives the shapes of a node's outputs for inputs of the given shapes or
// constants; "" leaves an input out.
func infer(t *testing.T, opset int64, op string, outs int, in []any, attrs ...attribute) ([]*value, error) {
	t.Helper()
	s := &inference{opset: opset, values: map[string]*value{}, hints: map[string]*port{}}
	n := &node{op: op, name: "n", attrs: attrs}
	for i, x := range in {
		name := fmt.Sprint("x", i)
		switch x := x.(type) {
		case string:
			name = ""
		case []int64:
			s.define("test", name, &value{typ: Float, shape: x})
		case *tensor:
			s.define("test", name, &value{typ: x.typ, shape: x.dims, konst: x})
		}
		n.in = append(n.in, name)
	}
	var list []*value
	for i := range outs {
		n.out = append(n.out, fmt.Sprint("y", i))
	}
	err := func() (err error) {
		defer catch(&err)
		s.node(n)
		for _, o := range n.out {
			list = append(list, s.val(o))
		}
		return nil
	}()
	return list, err
}

func dims(d ...int64) []int64 { return d }
func ints(v ...int64) *tensor { return intTensor(v) }
func scalar(v int64) *tensor  { return &tensor{typ: Int64, raw: intTensor([]int64{v}).raw} }

func reals(v ...float64) *tensor { return realTensor(Float, dims(int64(len(v))), v...) }

// Shapes by the definition of each operator in ONNX's documentation.
func TestShapes(t *testing.T) {
	x := dims(2, 12, 4, 6)
	list := func(name string, v ...int64) attribute { return attrInts64(name, v) }
	tests := []struct {
		op    string
		in    []any
		attrs []attribute
		want  []int64
	}{
		{"Add", []any{x, dims(6)}, nil, x},
		{"Add", []any{dims(4, 1), dims(3, 1, 6)}, nil, dims(3, 4, 6)},
		{"Add", []any{dims(), dims(2)}, nil, dims(2)},
		{"Where", []any{dims(6), dims(4, 1), dims(1, 1, 1)}, nil, dims(1, 4, 6)},
		{"Greater", []any{x, dims()}, nil, x},
		{"Conv", []any{x, dims(5, 12, 3, 3)}, nil, dims(2, 5, 2, 4)},
		{"Conv", []any{x, dims(5, 12, 3, 3)}, []attribute{pads(1, 0, 1, 2)}, dims(2, 5, 4, 6)},
		{"Conv", []any{x, dims(5, 12, 3, 3)}, []attribute{pads(1, 1, 1, 1), strides(2, 3)}, dims(2, 5, 2, 2)},
		{"Conv", []any{x, dims(8, 3, 2, 2)}, []attribute{attrInt("group", 4), list("dilations", 3, 2)}, dims(2, 8, 1, 4)},
		{"ConvTranspose", []any{x, dims(12, 5, 4, 4)}, []attribute{pads(1, 1, 1, 1), strides(2, 2)}, dims(2, 5, 8, 12)},
		{"ConvTranspose", []any{x, dims(12, 2, 3, 3)}, []attribute{strides(2, 2), attrInt("group", 3), list("output_padding", 1, 0)}, dims(2, 6, 10, 13)},
		{"AveragePool", []any{x}, []attribute{list("kernel_shape", 2, 2), strides(2, 2)}, dims(2, 12, 2, 3)},
		{"GlobalAveragePool", []any{x}, nil, dims(2, 12, 1, 1)},
		{"Resize", []any{x, "", reals(1, 1, 2, 1.5)}, nil, dims(2, 12, 8, 9)},
		{"Resize", []any{x, "", "", ints(2, 12, 5, 7)}, nil, dims(2, 12, 5, 7)},
		{"MatMul", []any{dims(5, 1, 2, 3), dims(4, 3, 7)}, nil, dims(5, 4, 2, 7)},
		{"MatMul", []any{dims(3), dims(4, 3, 7)}, nil, dims(4, 7)},
		{"MatMul", []any{dims(4, 2, 3), dims(3)}, nil, dims(4, 2)},
		{"MatMul", []any{dims(3), dims(3)}, nil, dims()},
		{"Gemm", []any{dims(3, 2), dims(5, 3), dims(5)}, []attribute{attrInt("transA", 1), attrInt("transB", 1)}, dims(2, 5)},
		{"Einsum", []any{dims(2, 3, 4), dims(2, 5, 4)}, []attribute{attrText("equation", "b i d, b j d -> b i j")}, dims(2, 3, 5)},
		{"ReduceMean", []any{x, ints(-1, 1)}, nil, dims(2, 1, 4, 1)},
		{"ReduceMean", []any{x, ints(0)}, []attribute{attrInt("keepdims", 0)}, dims(12, 4, 6)},
		{"ReduceSum", []any{x}, nil, dims(1, 1, 1, 1)},
		{"ReduceSum", []any{x}, []attribute{attrInt("noop_with_empty_axes", 1)}, x},
		{"ReduceMax", []any{x, ints(2, 3)}, []attribute{attrInt("keepdims", 0)}, dims(2, 12)},
		{"Reshape", []any{x, ints(0, -1, 3)}, nil, dims(2, 96, 3)},
		{"Reshape", []any{x, ints(-1)}, nil, dims(576)},
		{"Flatten", []any{x}, []attribute{attrInt("axis", -1)}, dims(96, 6)},
		{"Flatten", []any{x}, []attribute{attrInt("axis", 0)}, dims(1, 576)},
		{"Flatten", []any{x}, []attribute{attrInt("axis", 4)}, dims(576, 1)},
		{"Squeeze", []any{dims(1, 3, 1)}, nil, dims(3)},
		{"Squeeze", []any{dims(1, 3, 1), ints(-1)}, nil, dims(1, 3)},
		{"Unsqueeze", []any{dims(3, 4), ints(-1, 0)}, nil, dims(1, 3, 4, 1)},
		{"Expand", []any{dims(3, 1), ints(2, 1, 4)}, nil, dims(2, 3, 4)},
		{"Transpose", []any{x}, nil, dims(6, 4, 12, 2)},
		{"Transpose", []any{x}, []attribute{list("perm", 0, 2, 3, 1)}, dims(2, 4, 6, 12)},
		{"Concat", []any{x, dims(2, 3, 4, 6)}, []attribute{attrInt("axis", -3)}, dims(2, 15, 4, 6)},
		{"Slice", []any{x, ints(1), ints(math.MaxInt64), ints(-3)}, nil, dims(2, 11, 4, 6)},
		{"Slice", []any{x, ints(-1, 0), ints(math.MinInt64, -1), ints(1, 3), ints(-5, 2)}, nil, dims(2, 3, 4, 3)},
		{"Slice", []any{x, ints(0, 2), ints(1, 99)}, nil, dims(1, 10, 4, 6)},
		{"Pad", []any{x, ints(0, 1, 2, -1, 0, 0, 0, 3)}, nil, dims(2, 13, 6, 8)},
		{"Pad", []any{x, ints(1, 2), "", ints(-1)}, nil, dims(2, 12, 4, 9)},
		{"DepthToSpace", []any{x}, []attribute{attrInt("blocksize", 2)}, dims(2, 3, 8, 12)},
		{"SpaceToDepth", []any{x}, []attribute{attrInt("blocksize", 2)}, dims(2, 48, 2, 3)},
		{"Gather", []any{x, ints(3, 1, 0)}, []attribute{attrInt("axis", 1)}, dims(2, 3, 4, 6)},
		{"Gather", []any{x, scalar(1)}, nil, dims(12, 4, 6)},
		{"ArgMax", []any{x}, []attribute{attrInt("axis", 1), attrInt("keepdims", 0)}, dims(2, 4, 6)},
		{"Range", []any{scalar(1), scalar(8), scalar(3)}, nil, dims(3)},
		{"Range", []any{scalar(8), scalar(1), scalar(1)}, nil, dims(0)},
		{"ConstantOfShape", []any{ints(2, 3)}, nil, dims(2, 3)},
		{"BatchNormalization", []any{x, dims(12), dims(12), dims(12), dims(12)}, nil, x},
		{"LayerNormalization", []any{x, dims(6), dims(4, 6)}, nil, x},
	}
	for _, tt := range tests {
		y, err := infer(t, 18, tt.op, 1, tt.in, tt.attrs...)
		if err != nil {
			t.Errorf("%s of %v: %v", tt.op, tt.in, err)
		} else if !slices.Equal(y[0].shape, tt.want) {
			t.Errorf("%s of %v: %v, want %v", tt.op, tt.in, y[0].shape, tt.want)
		}
	}
}

func TestSplitShapes(t *testing.T) {
	tests := []struct {
		outs    int
		lengths any
		want    string // or what the error says
	}{
		{3, "", "[2 4] [2 4] [2 4]"}, {5, "", "[2 3] [2 3] [2 3] [2 3] [2 0]"}, {2, ints(5, 7), "[2 5] [2 7]"},
		{2, ints(5, 6), "of an axis of length 12"}, {3, ints(5, 7), "2 lengths for 3 outputs"}, {2, ints(-1, 13), "a part of length -1"},
	}
	for _, tt := range tests {
		y, err := infer(t, 18, "Split", tt.outs, []any{dims(2, 12), tt.lengths}, attrInt("axis", 1))
		got := fmt.Sprint(err)
		if err == nil {
			var parts []string
			for _, v := range y {
				parts = append(parts, fmt.Sprint(v.shape))
			}
			got = strings.Join(parts, " ")
		}
		if !strings.Contains(got, tt.want) && !strings.Contains(got, "empty tensor") {
			t.Errorf("%d outputs, lengths %v: %s, want %s", tt.outs, tt.lengths, got, tt.want)
		}
	}
}

// Impossible shapes are FormatErrors that say what does not fit.
func TestShapeErrors(t *testing.T) {
	x := dims(2, 12, 4, 6)
	tests := []struct {
		op    string
		in    []any
		attrs []attribute
		says  string
	}{
		{"Add", []any{x, dims(5)}, nil, "do not fit"},
		{"Conv", []any{x, dims(5, 12, 3)}, nil, "with weight"},
		{"Conv", []any{x, dims(5, 12, 7, 7)}, nil, "larger than the input"},
		{"Conv", []any{x, dims(5, 12, 3, 3)}, []attribute{strides(0, 1)}, "strides [0 1]"},
		{"Conv", []any{x, dims(5, 12, 3, 3)}, []attribute{pads(1, 1)}, "2 values, want 4"},
		{"Conv", []any{x, dims(5, 12, 3, 3)}, []attribute{attrInt("group", 0)}, "0 groups"},
		{"ConvTranspose", []any{x, dims(11, 5, 3, 3)}, nil, "with weight"},
		{"ConvTranspose", []any{x, dims(12, 5, 3, 3)}, []attribute{attrInts64("output_padding", []int64{1, 0})}, "output_padding"},
		{"AveragePool", []any{x}, nil, "kernel [0 0]"},
		{"Resize", []any{x, "", reals(1, 1, 2)}, nil, "3 scales"},
		{"Resize", []any{x, "", reals(1, 1, 0, 1)}, nil, "scale 0"},
		{"Resize", []any{x, "", "", ints(1, 2)}, nil, "sizes"},
		{"MatMul", []any{dims(2, 3), dims(4, 5)}, nil, "do not fit"},
		{"MatMul", []any{dims(), dims(4, 5)}, nil, "shapes"},
		{"Gemm", []any{dims(2, 3), dims(3, 4), dims(5, 4)}, nil, "do not fit"},
		{"Gemm", []any{dims(2, 3), dims(3, 4), dims(7, 2, 4)}, nil, "bias"},
		{"ReduceMean", []any{x, ints(1, -3)}, nil, "named twice"},
		{"Reshape", []any{x, ints(-1, -1)}, nil, "length -1"},
		{"Reshape", []any{x, ints(0, 0, 0, 0, 0)}, nil, "copies axis 4"},
		{"Squeeze", []any{x, ints(1)}, nil, "is not 1"},
		{"Transpose", []any{x}, []attribute{attrInts64("perm", []int64{0, 1, 2, 2})}, "named twice"},
		{"Transpose", []any{x}, []attribute{attrInts64("perm", []int64{0, 1})}, "perm"},
		{"Concat", []any{x, dims(2, 3, 4, 5)}, []attribute{attrInt("axis", 1)}, "do not fit"},
		{"Slice", []any{x, ints(0), ints(1, 2)}, nil, "1 starts, 2 ends"},
		{"Slice", []any{x, ints(0), ints(1), ints(0), ints(0)}, nil, "step 0"},
		{"Pad", []any{x, ints(1, 1)}, nil, "2 pads for 4 axes"},
		{"Pad", []any{x, ints(-3, 0, 0, 0, 0, 0, 0, 0)}, nil, "length -1"},
		{"DepthToSpace", []any{x}, []attribute{attrInt("blocksize", 5)}, "blocks of 5"},
		{"DepthToSpace", []any{x}, nil, "blocks of 0"},
		{"GroupNormalization", []any{x, dims(3), dims(3)}, []attribute{attrInt("num_groups", 5)}, "5 groups of 12"},
		{"InstanceNormalization", []any{x, dims(3), dims(12)}, nil, "want [12]"},
		{"LayerNormalization", []any{x, dims(5)}, nil, "do not fit"},
		{"Einsum", []any{x}, []attribute{attrText("equation", "ab->a")}, "for the labels"},
		{"Einsum", []any{dims(2)}, []attribute{attrText("equation", "a->b")}, "no input"},
		{"Expand", []any{dims(1 << 20), ints(1<<20, 1)}, nil, "more than"},
		{"ConstantOfShape", []any{ints(-1)}, nil, "length -1"},
		{"Range", []any{scalar(0), scalar(1), scalar(0)}, nil, "in steps of 0"},
		{"Gather", []any{ints(1, 2), ints(2)}, nil, "index 2 of 2"},
	}
	for _, tt := range tests {
		_, err := infer(t, 18, tt.op, 1, tt.in, tt.attrs...)
		if _, ok := err.(*FormatError); !ok || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s of %v: %T %v, want a FormatError with %q", tt.op, tt.in, err, err, tt.says)
		}
	}
}

// Small constants are computed as ONNX defines it, with integers cut toward zero.
func TestConstants(t *testing.T) {
	m := intTensor([]int64{1, 2, 3, 4, 5, 6}, 2, 3)
	tests := []struct {
		op    string
		in    []any
		attrs []attribute
		want  []float64
	}{
		{"Shape", []any{dims(2, 3, 4)}, nil, []float64{2, 3, 4}},
		{"Shape", []any{dims(2, 3, 4)}, []attribute{attrInt("start", -2), attrInt("end", 2)}, []float64{3}},
		{"Size", []any{dims(2, 3, 4)}, nil, []float64{24}},
		{"Add", []any{m, ints(10, 20, 30)}, nil, []float64{11, 22, 33, 14, 25, 36}},
		{"Sub", []any{m, intTensor([]int64{1, 2}, 2, 1)}, nil, []float64{0, 1, 2, 2, 3, 4}},
		{"Mul", []any{ints(3), ints(-4)}, nil, []float64{-12}},
		{"Div", []any{ints(7, -7), ints(2)}, nil, []float64{3, -3}},
		{"Div", []any{reals(7), reals(2)}, nil, []float64{3.5}},
		{"Neg", []any{ints(5)}, nil, []float64{-5}},
		{"Sqrt", []any{reals(16)}, nil, []float64{4}},
		{"Floor", []any{reals(-1.5)}, nil, []float64{-2}},
		{"Ceil", []any{reals(-1.5)}, nil, []float64{-1}},
		{"Equal", []any{ints(1, 2), ints(1, 3)}, nil, []float64{1, 0}},
		{"Where", []any{realTensor(Bool, dims(2), 1, 0), ints(8), ints(9)}, nil, []float64{8, 9}},
		{"Cast", []any{reals(2.9, -2.9)}, []attribute{attrInt("to", int64(Int64))}, []float64{2, -2}},
		{"Cast", []any{ints(3)}, []attribute{attrInt("to", int64(Float))}, []float64{3}},
		{"Gather", []any{m, ints(-1, 0)}, []attribute{attrInt("axis", 1)}, []float64{3, 1, 6, 4}},
		{"Gather", []any{m, scalar(1)}, nil, []float64{4, 5, 6}},
		{"Concat", []any{m, intTensor([]int64{7, 8}, 2, 1)}, []attribute{attrInt("axis", 1)}, []float64{1, 2, 3, 7, 4, 5, 6, 8}},
		{"Slice", []any{m, ints(1), ints(3), ints(1)}, nil, []float64{2, 3, 5, 6}},
		{"Slice", []any{m, ints(-1), ints(math.MinInt64), ints(1), ints(-2)}, nil, []float64{3, 1, 6, 4}},
		{"Transpose", []any{m}, nil, []float64{1, 4, 2, 5, 3, 6}},
		{"Expand", []any{ints(1, 2), ints(2, 1)}, nil, []float64{1, 2, 1, 2}},
		{"Reshape", []any{m, ints(-1)}, nil, []float64{1, 2, 3, 4, 5, 6}},
		{"Unsqueeze", []any{scalar(4), ints(0)}, nil, []float64{4}},
		{"Squeeze", []any{ints(4)}, nil, []float64{4}},
		{"Identity", []any{m}, nil, []float64{1, 2, 3, 4, 5, 6}},
		{"ConstantOfShape", []any{ints(2)}, nil, []float64{0, 0}},
		{"Range", []any{scalar(1), scalar(8), scalar(3)}, nil, []float64{1, 4, 7}},
		{"Constant", nil, []attribute{attrInts64("value_ints", []int64{4, 5})}, []float64{4, 5}},
		{"Constant", nil, []attribute{attrInt("value_int", 4)}, []float64{4}},
		{"Constant", nil, []attribute{attrFloat("value_float", 0.5)}, []float64{0.5}},
		{"Constant", nil, []attribute{{name: "value_floats", floats: []float32{1, 2}}}, []float64{1, 2}},
		{"Constant", nil, []attribute{{name: "value", t: m}}, []float64{1, 2, 3, 4, 5, 6}},
	}
	for _, tt := range tests {
		y, err := infer(t, 18, tt.op, 1, tt.in, tt.attrs...)
		if err != nil || y[0].konst == nil {
			t.Errorf("%s of %v is not computed (%v)", tt.op, tt.in, err)
			continue
		}
		if got, _ := y[0].konst.reals(); !slices.Equal(got, tt.want) || !slices.Equal(y[0].shape, y[0].konst.dims) {
			t.Errorf("%s of %v: %v in the shape %v, want %v", tt.op, tt.in, got, y[0].shape, tt.want)
		}
	}
}

// What would be rounded or is large stays a tensor of known shape without values.
func TestNotComputed(t *testing.T) {
	big := ints(1 << 60)
	for name, in := range map[string][]any{"Add": {big, ints(1)}, "Mul": {ints(1 << 40), ints(1 << 40)}, "Sub": {dims(3), ints(1)}} {
		if y, err := infer(t, 18, name, 1, in); err != nil || y[0].konst != nil {
			t.Errorf("%s of %v: %v, error %v", name, in, y[0].konst, err)
		}
	}
	if y, err := infer(t, 18, "ConstantOfShape", 1, []any{ints(100, 100)}); err != nil || y[0].konst != nil || !slices.Equal(y[0].shape, dims(100, 100)) {
		t.Errorf("a large constant: %v, error %v", y, err)
	}
}

// A float16 weight keeps its values through the Cast, without a copy.
func TestCastKeepsHalf(t *testing.T) {
	half := realTensor(Float16, dims(3), 1, 2, 3)
	y, err := infer(t, 18, "Cast", 1, []any{half}, attrInt("to", int64(Float)))
	if err != nil || y[0].typ != Float || y[0].konst != half {
		t.Errorf("%v, error %v", y, err)
	}
	y, err = infer(t, 18, "Cast", 1, []any{reals(1.0001)}, attrInt("to", int64(Float16)))
	if err != nil || y[0].konst.typ != Float16 || fromHalf(0x3c00) != 1 {
		t.Errorf("%v, error %v", y, err)
	}
}

// Taps are reversed and channels swapped inside each group.
func TestFlipTaps(t *testing.T) {
	w := make([]float64, 4*3*2)
	for i := range w {
		w[i] = float64(i)
	}
	got := realTensor(Float, dims(4, 3, 2), w...).flipTaps(2)
	want := []float64{1, 0, 7, 6, 3, 2, 9, 8, 5, 4, 11, 10, 13, 12, 19, 18, 15, 14, 21, 20, 17, 16, 23, 22}
	if v, _ := got.reals(); !slices.Equal(v, want) || !slices.Equal(got.dims, dims(6, 2, 2)) {
		t.Errorf("%v in %v, want %v", v, got.dims, want)
	}
}
