package vjp

import (
	"slices"
	"strings"
)

// normGrad is the gradient of x through xhat = (x - mean) / sqrt(var + eps) over
// axes, g that of xhat:
//
//	(g - mean(g) - xhat mean(g xhat)) / sqrt(var + eps)
//
// The variance is the mean of a product: ONNX Runtime's ReduceSumSquare sums in
// sequence and loses a digit and a half. Half precision is computed in single, as
// the norms themselves are.
func (b *builder) normGrad(x, g string, axes []int64, eps float64) string {
	typ := b.typ(x)
	if typ == Float16 {
		x, g = b.cast(x, Float), b.cast(g, Float)
	}
	mean := func(v string) string { return b.reduce("ReduceMean", v, axes, true) }
	xc := b.sub(x, mean(x))
	sd := b.un("Sqrt", b.add(mean(b.mul(xc, xc)), b.number(x, eps)))
	rstd := b.un("Reciprocal", sd)
	xhat := b.mul(xc, rstd)
	t := b.mul(xhat, mean(b.mul(g, xhat)))
	return b.cast(b.mul(rstd, b.sub(b.sub(g, mean(g)), t)), typ)
}

// from lists the axes first, first+1, ... of a rank.
func from(first, rank int) []int64 {
	var axes []int64
	for a := first; a < rank; a++ {
		axes = append(axes, int64(a))
	}
	return axes
}

// perChannel gives a vector of channels the shape [1, C, 1, ...].
func (b *builder) perChannel(v string, rank int) string {
	shape := slices.Repeat([]int64{1}, rank)
	shape[1] = b.shape(v)[0]
	return b.reshape(v, shape...)
}

// constantly says whether a tensor is known to hold v everywhere.
func (b *builder) constantly(name string, v float64) bool {
	k := b.val(name).konst
	if k == nil {
		return false
	}
	values, ok := k.reals()
	return ok && !slices.ContainsFunc(values, func(x float64) bool { return x != v })
}

// gradInstanceNorm is for the norms that fold leaves.
func gradInstanceNorm(b *builder, n *node, g []string) []string {
	x, scale, d := n.in[0], n.in[1], g[0]
	rank := len(b.shape(x))
	if !b.constantly(scale, 1) {
		d = b.mul(d, b.perChannel(scale, rank))
	}
	return []string{b.normGrad(x, d, from(2, rank), n.float("epsilon", 1e-5))}
}

// gradGroupNorm: scale and bias are a group's in opset 18, a channel's in 21.
func gradGroupNorm(b *builder, n *node, g []string) []string {
	x, scale, d := n.in[0], n.in[1], g[0]
	shape, groups := b.shape(x), n.int("num_groups", 1)
	flat := []int64{shape[0], groups, count(n.op, shape[1:]) / groups}
	if b.shape(scale)[0] == shape[1] {
		d = b.reshape(b.mul(d, b.perChannel(scale, len(shape))), flat...)
	} else {
		d = b.mul(b.reshape(d, flat...), b.perChannel(scale, 3))
	}
	gx := b.normGrad(b.reshape(x, flat...), d, []int64{2}, n.float("epsilon", 1e-5))
	return []string{b.reshape(gx, shape...)}
}

func gradLayerNorm(b *builder, n *node, g []string) []string {
	x, rank := n.in[0], len(b.shape(n.in[0]))
	axes := from(n.axis(n.int("axis", -1), rank), rank)
	return []string{b.normGrad(x, b.mul(g[0], n.in[1]), axes, n.float("epsilon", 1e-5))}
}

// gradBatchNorm is that of inference: a scale and a shift a channel.
func gradBatchNorm(b *builder, n *node, g []string) []string {
	if n.int("training_mode", 0) != 0 {
		n.unsupported("training_mode")
	}
	scale, variance := n.in[1], n.in[4]
	sd := b.un("Sqrt", b.add(variance, b.number(variance, n.float("epsilon", 1e-5))))
	return []string{b.mul(g[0], b.cast(b.perChannel(b.div(scale, b.cast(sd, b.typ(scale))), len(b.shape(n.in[0]))), b.typ(g[0])))}
}

func (c conv) attributes(before, after []int64) []attribute {
	return []attribute{
		attrInts64("kernel_shape", c.kernel), attrInts64("strides", c.strides), attrInts64("dilations", c.dilations),
		attrInts64("pads", slices.Concat(before, after)), attrInt("group", c.groups),
	}
}

// gradConv: with stride 1 a convolution with swapped channels and reversed taps,
// which ONNX Runtime runs 1.6 times as fast as the transposed convolution that
// any stride has.
func gradConv(b *builder, n *node, g []string) []string {
	x, w := b.shape(n.in[0]), b.val(n.in[1])
	c := n.convOf(len(x)-2, w.shape[2:])
	before, after, extra := make([]int64, len(c.kernel)), make([]int64, len(c.kernel)), make([]int64, len(c.kernel))
	plain := w.konst != nil && w.konst.typ.real() && !b.wants(n.in[1])
	for i := range c.kernel {
		before[i], after[i] = c.span(i)-1-c.before[i], c.span(i)-1-c.after[i]
		plain = plain && c.strides[i] == 1 && before[i] >= 0 && after[i] >= 0
		extra[i] = (x[2+i] + c.before[i] + c.after[i] - c.span(i)) % c.strides[i] // rows that no window reached
	}
	if plain {
		return []string{b.reverseConv(g[0], w, c, before, after)}
	}
	attrs := append(c.attributes(c.before, c.after), attrInts64("output_padding", extra))
	return []string{b.op("ConvTranspose", []string{g[0], n.in[1]}, attrs...)}
}

// reverseConv is the convolution of g with reversed taps. Where g is the gradient
// of a DepthToSpace, it reads that of the large image, by a stride: two to three
// passes over it are saved.
func (b *builder) reverseConv(g string, w *value, c conv, before, after []int64) string {
	weight := w.konst.flipTaps(c.groups)
	if s, ok := b.blocks[g]; ok && c.groups == 1 && !slices.ContainsFunc(c.dilations, func(d int64) bool { return d != 1 }) {
		weight, g = weight.spreadTaps(s.size, s.planes), s.image
		c.kernel, c.strides = weight.dims[2:], slices.Repeat([]int64{s.size}, 2)
		for i := range before {
			before[i], after[i] = before[i]*s.size, after[i]*s.size
		}
	}
	return b.op("Conv", []string{g, b.cast(b.constant(weight), w.typ)}, c.attributes(before, after)...)
}

// gradConvTranspose: the weight [C_in, C_out/groups, taps] is a convolution's
// already.
func gradConvTranspose(b *builder, n *node, g []string) []string {
	c := n.convOf(len(b.shape(n.in[0]))-2, b.shape(n.in[1])[2:])
	return []string{b.op("Conv", []string{g[0], n.in[1]}, c.attributes(c.before, c.after)...)}
}

// gradResize knows nearest upsampling by whole factors that copies blocks: each
// input gets the sum over its block, k*k times the average.
func gradResize(b *builder, n *node, g []string) []string {
	x, y := b.shape(n.in[0]), b.shape(n.out[0])
	factors := make([]int64, len(x))
	whole := n.text("mode", "nearest") == "nearest" && len(x) > 2
	for i := range x {
		factors[i] = y[i] / x[i]
		whole = whole && factors[i]*x[i] == y[i]
	}
	if n.input(3) == "" && n.input(2) != "" {
		for i, f := range first(b.reals(n, 2)) {
			whole = whole && f == float64(factors[i])
		}
	}
	how, round := n.text("coordinate_transformation_mode", "half_pixel"), n.text("nearest_mode", "round_prefer_floor")
	blocks := how == "asymmetric" && round == "floor" ||
		(how == "half_pixel" || how == "pytorch_half_pixel") && strings.HasPrefix(round, "round_prefer")
	if !whole || !blocks || factors[0] != 1 || factors[1] != 1 {
		n.unsupported("%s %v to %v (%s, %s): only nearest upsampling by whole factors has a gradient rule", n.text("mode", "nearest"), x, y, how, round)
	}
	k := factors[2:]
	pool := b.un("AveragePool", g[0], attrInts64("kernel_shape", k), attrInts64("strides", k))
	return []string{b.scale(pool, float64(count(n.op, k)))}
}

func first[T any](v []T, _ bool) []T { return v }

// gradAveragePool knows windows that tile the input: each cell gets its share.
func gradAveragePool(b *builder, n *node, g []string) []string {
	x := b.shape(n.in[0])
	c := n.convOf(len(x)-2, nil)
	for i, k := range c.kernel {
		if c.strides[i] != k || c.dilations[i] != 1 || c.before[i]+c.after[i] != 0 || x[2+i]%k != 0 {
			n.unsupported("windows %v with strides %v on %v: only windows that tile the input have a gradient rule", c.kernel, c.strides, x)
		}
	}
	scales := realTensor(Float, []int64{int64(len(x))}, 1, 1)
	for _, k := range c.kernel {
		scales.raw = append(scales.raw, realTensor(Float, nil, float64(k)).raw...)
	}
	d := b.scale(g[0], 1/float64(count(n.op, c.kernel)))
	return []string{b.op("Resize", []string{d, "", b.constant(scales)}, attrText("mode", "nearest"),
		attrText("coordinate_transformation_mode", "asymmetric"), attrText("nearest_mode", "floor"))}
}
