package vjp

import (
	"math"
	"slices"
	"strings"
)

// conv are the attributes of a convolution or pooling over the axes after the
// first two.
type conv struct {
	kernel, strides, dilations, before, after []int64
	groups                                    int64
}

// convOf reads them; kernel is nil when the node must name its own.
func (n *node) convOf(spatial int, kernel []int64) conv {
	if p := n.text("auto_pad", "NOTSET"); p != "NOTSET" {
		n.unsupported("auto_pad %s: export with explicit pads", p)
	}
	c := conv{strides: n.ints("strides", spatial, 1), dilations: n.ints("dilations", spatial, 1), groups: n.int("group", 1)}
	if kernel == nil {
		kernel = n.ints("kernel_shape", spatial, 0)
	}
	c.kernel = kernel
	pads := n.ints("pads", 2*spatial, 0)
	c.before, c.after = pads[:spatial], pads[spatial:]
	for i := range spatial {
		for _, v := range []int64{c.kernel[i], c.strides[i], c.dilations[i], c.before[i] + 1, c.after[i] + 1} {
			if v < 1 || v > 1<<24 {
				n.invalid("kernel %v, strides %v, dilations %v, pads %v", c.kernel, c.strides, c.dilations, pads)
			}
		}
	}
	if c.groups < 1 {
		n.invalid("%d groups", c.groups)
	}
	return c
}

// span is the reach of the kernel along axis i.
func (c conv) span(i int) int64 { return c.dilations[i]*(c.kernel[i]-1) + 1 }

// windows is the number of outputs of a convolution along axis i.
func (n *node) windows(c conv, i int, length int64) int64 {
	room := length + c.before[i] + c.after[i] - c.span(i)
	if room < 0 {
		n.invalid("kernel %v is larger than the input", c.kernel)
	}
	return room/c.strides[i] + 1
}

// weights checks an input and weight of a convolution.
func (s *inference) weights(n *node) (x, w *value) {
	x, w = s.in(n, 0), s.in(n, 1)
	if len(x.shape) < 3 || len(w.shape) != len(x.shape) {
		n.invalid("input %v with weight %v", x.shape, w.shape)
	}
	return x, w
}

func inferConv(s *inference, n *node) []value {
	x, w := s.weights(n)
	c := n.convOf(len(x.shape)-2, w.shape[2:])
	if w.shape[1]*c.groups != x.shape[1] || w.shape[0]%c.groups != 0 {
		n.invalid("input %v with weight %v in %d groups", x.shape, w.shape, c.groups)
	}
	shape := []int64{x.shape[0], w.shape[0]}
	for i, d := range x.shape[2:] {
		shape = append(shape, n.windows(c, i, d))
	}
	return one(x.typ, shape...)
}

func inferConvTranspose(s *inference, n *node) []value {
	x, w := s.weights(n)
	c := n.convOf(len(x.shape)-2, w.shape[2:])
	if n.attr("output_shape") != nil {
		n.unsupported("output_shape: export with explicit pads")
	}
	if w.shape[0] != x.shape[1] || x.shape[1]%c.groups != 0 {
		n.invalid("input %v with weight %v in %d groups", x.shape, w.shape, c.groups)
	}
	extra := n.ints("output_padding", len(c.kernel), 0)
	shape := []int64{x.shape[0], w.shape[1] * c.groups}
	for i, d := range x.shape[2:] {
		if extra[i] < 0 || extra[i] >= max(c.strides[i], c.dilations[i]) {
			n.invalid("output_padding %v with strides %v", extra, c.strides)
		}
		shape = append(shape, (d-1)*c.strides[i]+extra[i]+c.span(i)-c.before[i]-c.after[i])
	}
	return one(x.typ, shape...)
}

func inferAveragePool(s *inference, n *node) []value {
	x := s.in(n, 0)
	if len(x.shape) < 3 {
		n.invalid("input %v", x.shape)
	}
	if n.int("ceil_mode", 0) != 0 {
		n.unsupported("ceil_mode")
	}
	c := n.convOf(len(x.shape)-2, nil)
	shape := slices.Clone(x.shape[:2])
	for i, d := range x.shape[2:] {
		shape = append(shape, n.windows(c, i, d))
	}
	return one(x.typ, shape...)
}

func inferGlobalPool(s *inference, n *node) []value {
	x := s.in(n, 0)
	if len(x.shape) < 3 {
		n.invalid("input %v", x.shape)
	}
	shape := slices.Clone(x.shape)
	for i := range shape[2:] {
		shape[2+i] = 1
	}
	return one(x.typ, shape...)
}

// inferResize takes the sizes when given, else multiplies by the scales.
func inferResize(s *inference, n *node) []value {
	x := s.in(n, 0)
	if n.attr("axes") != nil || n.text("keep_aspect_ratio_policy", "stretch") != "stretch" {
		n.unsupported("axes or keep_aspect_ratio_policy")
	}
	if sizes, given := s.ints(n, 3); given {
		if len(sizes) != len(x.shape) {
			n.invalid("sizes %v for the input %v", sizes, x.shape)
		}
		return one(x.typ, sizes...)
	}
	scales, _ := s.reals(n, 2)
	if len(scales) != len(x.shape) {
		n.invalid("%d scales for the input %v", len(scales), x.shape)
	}
	shape := slices.Clone(x.shape)
	for i, f := range scales {
		if !(f > 0 && f*float64(shape[i]) <= maxElements) {
			n.invalid("scale %g", f)
		}
		shape[i] = int64(math.Floor(float64(shape[i]) * f))
	}
	return one(x.typ, shape...)
}

func inferMatMul(s *inference, n *node) []value {
	x, y := s.in(n, 0), s.in(n, 1)
	a, b := x.shape, y.shape
	if len(a) == 0 || len(b) == 0 {
		n.invalid("shapes %v and %v", a, b)
	}
	var tail []int64
	if len(a) == 1 {
		a = []int64{1, a[0]}
	} else {
		tail = append(tail, a[len(a)-2])
	}
	if len(b) == 1 {
		b = []int64{b[0], 1}
	} else {
		tail = append(tail, b[len(b)-1])
	}
	if a[len(a)-1] != b[len(b)-2] {
		n.invalid("shapes %v and %v do not fit", x.shape, y.shape)
	}
	return one(x.typ, append(n.broadcast(a[:len(a)-2], b[:len(b)-2]), tail...)...)
}

func inferGemm(s *inference, n *node) []value {
	a, b := s.in(n, 0).shape, s.in(n, 1).shape
	if len(a) != 2 || len(b) != 2 {
		n.invalid("shapes %v and %v", a, b)
	}
	m, k, k2, c := a[0], a[1], b[0], b[1]
	if n.int("transA", 0) != 0 {
		m, k = k, m
	}
	if n.int("transB", 0) != 0 {
		k2, c = c, k2
	}
	if k != k2 {
		n.invalid("shapes %v and %v do not fit", a, b)
	}
	if n.input(2) != "" {
		if sum := n.broadcast([]int64{m, c}, s.in(n, 2).shape); !slices.Equal(sum, []int64{m, c}) {
			n.invalid("bias %v for an output %v", s.in(n, 2).shape, []int64{m, c})
		}
	}
	return one(s.in(n, 0).typ, m, c)
}

// reduced are the axes of a reduction: an attribute before opset 18, an input
// since then (13 for ReduceSum).
func (s *inference) reduced(n *node) []int {
	rank := len(s.in(n, 0).shape)
	list, given := s.ints(n, 1)
	if a := n.attr("axes"); a != nil {
		list, given = a.ints, true
	}
	if !given || len(list) == 0 {
		if n.int("noop_with_empty_axes", 0) != 0 {
			return nil
		}
		for i := range rank {
			list = append(list, int64(i))
		}
	}
	return n.axes(list, rank)
}

func inferReduce(s *inference, n *node) []value {
	x := s.in(n, 0)
	axes, shape := s.reduced(n), []int64{}
	for i, d := range x.shape {
		switch {
		case !slices.Contains(axes, i):
			shape = append(shape, d)
		case n.int("keepdims", 1) != 0:
			shape = append(shape, 1)
		}
	}
	return one(x.typ, shape...)
}

// inferChannels is the rule of norms with a scale and bias a channel or group.
func inferChannels(s *inference, n *node) []value {
	x := s.in(n, 0)
	if len(x.shape) < 3 {
		n.invalid("input %v", x.shape)
	}
	want := []int64{x.shape[1]}
	if n.op == "GroupNormalization" {
		g := n.int("num_groups", 0)
		if g < 1 || x.shape[1]%g != 0 {
			n.invalid("%d groups of %d channels", g, x.shape[1])
		}
		if s.opset < 21 {
			want[0] = g
		}
	}
	for i := 1; i < len(n.in); i++ {
		if p := s.in(n, i).shape; !slices.Equal(p, want) {
			n.invalid("scale or bias %v, want %v", p, want)
		}
	}
	return one(x.typ, x.shape...)
}

// inferBatchNorm is the rule of inference, where the statistics are inputs.
func inferBatchNorm(s *inference, n *node) []value {
	x := s.in(n, 0)
	if len(x.shape) < 2 {
		n.invalid("input %v", x.shape)
	}
	for i := 1; i < 5; i++ {
		if p := s.in(n, i).shape; !slices.Equal(p, x.shape[1:2]) {
			n.invalid("parameter %v for %d channels", p, x.shape[1])
		}
	}
	return one(x.typ, x.shape...)
}

func inferLast(s *inference, n *node) []value {
	x := s.in(n, 0)
	n.axis(n.int("axis", -1), len(x.shape))
	return one(x.typ, x.shape...)
}

func inferLayerNorm(s *inference, n *node) []value {
	x := s.in(n, 0)
	at := n.axis(n.int("axis", -1), len(x.shape))
	for i := 1; i < len(n.in); i++ {
		if n.in[i] != "" && !slices.Equal(n.broadcast(x.shape, s.in(n, i).shape), x.shape) {
			n.invalid("scale or bias %v for the axes %v", s.in(n, i).shape, x.shape[at:])
		}
	}
	return one(x.typ, x.shape...)
}

// einsum cuts an equation into the labels of each input and of the output.
func (n *node) einsum() (in []string, out string) {
	eq := strings.ReplaceAll(n.text("equation", ""), " ", "")
	left, out, ok := strings.Cut(eq, "->")
	in = strings.Split(left, ",")
	if !ok || strings.Contains(eq, ".") || len(in) != len(n.in) {
		n.unsupported("equation %q: only plain labels with -> are supported", eq)
	}
	for _, labels := range append(slices.Clone(in), out) {
		for i, r := range labels {
			if strings.ContainsRune(labels[:i], r) || !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
				n.unsupported("equation %q: repeated labels are not supported", eq)
			}
		}
	}
	return in, out
}

func inferEinsum(s *inference, n *node) []value {
	in, out := n.einsum()
	length := map[byte]int64{}
	for i, labels := range in {
		shape := s.in(n, i).shape
		if len(shape) != len(labels) {
			n.invalid("input %v for the labels %q", shape, labels)
		}
		for a, d := range shape {
			if had, ok := length[labels[a]]; ok && had != d {
				n.unsupported("label %c has the lengths %d and %d", labels[a], had, d)
			}
			length[labels[a]] = d
		}
	}
	shape := make([]int64, len(out))
	for a := range shape {
		d, ok := length[out[a]]
		if !ok {
			n.invalid("label %c comes from no input", out[a])
		}
		shape[a] = d
	}
	return one(s.in(n, 0).typ, shape...)
}
