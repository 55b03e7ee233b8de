package vjp

import (
	"math"
	"slices"
)

// Rules: g is the gradient of the output y, named n.out[0]; x is n.in[0].

// gradSum hands g to every input: to a Conv as it is, since it may be one's in the
// layout of Conv, to others late, before the branches emit anything (order.go).
func gradSum(b *builder, n *node, g []string) []string {
	out := make([]string, len(n.in))
	branches := len(slices.DeleteFunc(slices.Clone(n.in), func(x string) bool { return !b.wants(x) }))
	for i, x := range n.in {
		if !b.wants(x) {
			continue
		}
		d := g[0]
		if branches > 1 && b.madeBy("Conv", x) == nil {
			d = b.late(d)
		}
		out[i] = b.unbroadcast(d, b.shape(x))
	}
	return out
}

func gradSub(b *builder, n *node, g []string) []string {
	out := gradSum(b, n, g)
	if out[1] != "" {
		out[1] = b.neg(out[1])
	}
	return out
}

func gradMul(b *builder, n *node, g []string) []string {
	if out := gradSiLU(b, n, g[0]); out != nil {
		return out
	}
	out := make([]string, 2)
	for i, x := range n.in {
		if b.wants(x) {
			out[i] = b.unbroadcast(b.mul(g[0], n.in[1-i]), b.shape(x))
		}
	}
	return out
}

// gradSiLU is the rule of y = x s with s = sigmoid(x): g s (1 + (x - y)), every
// step in the place of the one before. The factor of a norm before x goes in where
// it costs a number a channel. It is nil for other products.
func gradSiLU(b *builder, n *node, g string) []string {
	for i, x := range n.in {
		s := n.in[1-i]
		m := b.madeBy("Sigmoid", s)
		if m == nil || m.in[0] != x || !b.wants(x) {
			continue
		}
		norm, shape, out := b.norms[x], b.shape(x), []string{within, within}
		if norm != nil {
			shape = norm.channelShape(b)
		}
		g = b.lateAs(g, shape)
		v := b.sub(b.reshape(x, shape...), b.reshape(n.out[0], shape...))
		v = b.add(v, b.number(v, 1))
		if norm == nil {
			out[i] = b.mul(g, b.mul(v, s))
			return out
		}
		v = b.mul(v, b.perChannel(norm.factor, len(shape)))
		g = b.mul(g, b.mul(v, b.reshape(s, shape...)))
		b.sums[norm.x] = append(b.sums[norm.x], b.gradNorm(norm, g))
		return out
	}
	return nil
}

// gradDiv: y = u/v gives g/v and -(g/v) y.
func gradDiv(b *builder, n *node, g []string) []string {
	out, q := make([]string, 2), b.div(g[0], n.in[1])
	if b.wants(n.in[0]) {
		out[0] = b.unbroadcast(q, b.shape(n.in[0]))
	}
	if b.wants(n.in[1]) {
		out[1] = b.neg(b.unbroadcast(b.mul(q, n.out[0]), b.shape(n.in[1])))
	}
	return out
}

// pointwise makes the rule of an operator of one tensor from its derivative.
func pointwise(f func(b *builder, n *node, x, y, g string) string) func(*builder, *node, []string) []string {
	return func(b *builder, n *node, g []string) []string {
		return []string{f(b, n, n.in[0], n.out[0], g[0])}
	}
}

var (
	gradNeg      = pointwise(func(b *builder, _ *node, _, _, g string) string { return b.neg(g) })
	gradIdentity = pointwise(func(_ *builder, _ *node, _, _, g string) string { return g })
	gradExp      = pointwise(func(b *builder, _ *node, _, y, g string) string { return b.mul(g, y) })
	gradLog      = pointwise(func(b *builder, _ *node, x, _, g string) string { return b.div(g, x) })
	gradSqrt     = pointwise(func(b *builder, _ *node, _, y, g string) string { return b.div(b.scale(g, 0.5), y) })
	gradAbs      = pointwise(func(b *builder, _ *node, x, _, g string) string { return b.mul(g, b.un("Sign", x)) })
	gradSin      = pointwise(func(b *builder, _ *node, x, _, g string) string { return b.mul(g, b.un("Cos", x)) })
	gradCos      = pointwise(func(b *builder, _ *node, x, _, g string) string { return b.neg(b.mul(g, b.un("Sin", x))) })
	gradRelu     = pointwise(func(b *builder, _ *node, _, y, g string) string { return b.mul(g, b.un("Sign", y)) })
	gradSoftplus = pointwise(func(b *builder, _ *node, x, _, g string) string { return b.mul(g, b.un("Sigmoid", x)) })
	gradInverse  = pointwise(func(b *builder, _ *node, _, y, g string) string { return b.neg(b.mul(g, b.mul(y, y))) })
	gradSigmoid  = pointwise(func(b *builder, _ *node, _, y, g string) string { return b.mul(g, b.sub(y, b.mul(y, y))) })
	gradTanh     = pointwise(func(b *builder, _ *node, _, y, g string) string {
		return b.mul(g, b.sub(b.number(y, 1), b.mul(y, y)))
	})
	gradCast = pointwise(func(b *builder, _ *node, x, _, g string) string { return b.cast(g, b.typ(x)) })
	gradErf  = pointwise(func(b *builder, _ *node, x, _, g string) string {
		return b.mul(b.scale(g, 2/math.SqrtPi), b.un("Exp", b.neg(b.mul(x, x))))
	})
	gradLeaky = pointwise(func(b *builder, n *node, x, _, g string) string {
		positive := b.op("Greater", []string{x, b.number(x, 0)})
		return b.mul(g, b.where(positive, b.number(x, 1), b.number(x, n.float("alpha", 0.01))))
	})
)

func (b *builder) cast(x string, to Type) string {
	if b.typ(x) == to {
		return x
	}
	return b.un("Cast", x, attrInt("to", int64(to)))
}

// gradGelu: exact, Phi(x) + x phi(x); by tanh, the derivative of
// x (1 + tanh(c (x + 0.044715 x^3))) / 2 (Hendrycks and Gimpel, arXiv:1606.08415).
func gradGelu(b *builder, n *node, g []string) []string {
	x, one := n.in[0], b.number(n.in[0], 1)
	x2 := b.mul(x, x)
	if n.text("approximate", "none") == "none" {
		cdf := b.scale(b.add(b.un("Erf", b.scale(x, math.Sqrt2/2)), one), 0.5)
		pdf := b.scale(b.un("Exp", b.scale(x2, -0.5)), 1/math.Sqrt(2*math.Pi))
		return []string{b.mul(g[0], b.add(cdf, b.mul(x, pdf)))}
	}
	c := math.Sqrt(2 / math.Pi)
	t := b.un("Tanh", b.mul(x, b.add(b.scale(x2, c*0.044715), b.number(x, c))))
	du := b.add(b.scale(x2, 3*c*0.044715), b.number(x, c))
	d := b.add(b.add(t, one), b.mul(b.mul(x, du), b.sub(one, b.mul(t, t))))
	return []string{b.mul(g[0], b.scale(d, 0.5))}
}

// gradClip passes the gradient where x lies between the limits or on them.
func gradClip(b *builder, n *node, g []string) []string {
	x, out := n.in[0], g[0]
	for i, compare := range []string{"GreaterOrEqual", "LessOrEqual"} {
		if limit := n.input(i + 1); limit != "" {
			out = b.where(b.op(compare, []string{x, limit}), out, b.number(x, 0))
		}
	}
	return []string{out}
}

// gradPow: the exponent may be any tensor that is not differentiated.
func gradPow(b *builder, n *node, g []string) []string {
	x, p := n.in[0], b.cast(n.in[1], b.typ(n.in[0]))
	if k := b.val(n.in[1]).konst; k != nil && k.count() == 1 {
		if v, _ := k.at(0); v == 2 {
			return []string{b.unbroadcast(b.mul(g[0], b.scale(x, 2)), b.shape(x))}
		}
	}
	d := b.mul(b.op("Pow", []string{x, b.sub(p, b.number(x, 1))}), p)
	return []string{b.unbroadcast(b.mul(g[0], d), b.shape(x))}
}

func gradWhere(b *builder, n *node, g []string) []string {
	out, zero := make([]string, 3), b.number(g[0], 0)
	if b.wants(n.in[1]) {
		out[1] = b.unbroadcast(b.where(n.in[0], g[0], zero), b.shape(n.in[1]))
	}
	if b.wants(n.in[2]) {
		out[2] = b.unbroadcast(b.where(n.in[0], zero, g[0]), b.shape(n.in[2]))
	}
	return out
}

// gradReduce spreads g over the axes that were summed or averaged.
func gradReduce(b *builder, n *node, g []string) []string {
	shape := b.shape(n.in[0])
	kept, size := slices.Clone(shape), int64(1)
	for _, a := range b.reduced(n) {
		size *= shape[a]
		kept[a] = 1
	}
	d := b.reshape(g[0], kept...)
	if n.op == "ReduceMean" {
		d = b.scale(d, 1/float64(size))
	}
	return []string{b.expand(d, shape)}
}

func gradGlobalPool(b *builder, n *node, g []string) []string {
	shape := b.shape(n.in[0])
	return []string{b.expand(b.scale(g[0], 1/float64(count(n.op, shape[2:]))), shape)}
}

func gradSoftmax(b *builder, n *node, g []string) []string {
	y := n.out[0]
	axis := []int64{int64(n.axis(n.int("axis", -1), len(b.shape(y))))}
	return []string{b.mul(y, b.sub(g[0], b.reduce("ReduceSum", b.mul(g[0], y), axis, true)))}
}

func gradLogSoftmax(b *builder, n *node, g []string) []string {
	y := n.out[0]
	axis := []int64{int64(n.axis(n.int("axis", -1), len(b.shape(y))))}
	return []string{b.sub(g[0], b.mul(b.un("Exp", y), b.reduce("ReduceSum", g[0], axis, true)))}
}

// gradMatMul: x' is the swap of the last two axes; vectors count as matrices with
// one row or column.
func gradMatMul(b *builder, n *node, g []string) []string {
	x, y, sx, sy := n.in[0], n.in[1], b.shape(n.in[0]), b.shape(n.in[1])
	long := slices.Clone(b.shape(g[0]))
	if len(sy) == 1 {
		y, long = b.reshape(y, sy[0], 1), append(long, 1)
	}
	if len(sx) == 1 {
		x, long = b.reshape(x, 1, sx[0]), slices.Insert(long, len(long)-1, 1)
	}
	d, out := b.reshape(g[0], long...), make([]string, 2)
	if b.wants(n.in[0]) {
		out[0] = b.reshape(b.unbroadcast(b.op("MatMul", []string{d, b.swapLast(y)}), b.shape(x)), sx...)
	}
	if b.wants(n.in[1]) {
		out[1] = b.reshape(b.unbroadcast(b.op("MatMul", []string{b.swapLast(x), d}), b.shape(y)), sy...)
	}
	return out
}

func (b *builder) swapLast(x string) string {
	perm := make([]int64, len(b.shape(x)))
	for i := range perm {
		perm[i] = int64(i)
	}
	k := len(perm)
	perm[k-1], perm[k-2] = perm[k-2], perm[k-1]
	return b.transpose(x, perm...)
}

// gradGemm: y = alpha op(A) op(B) + beta C.
func gradGemm(b *builder, n *node, g []string) []string {
	A, B, out := n.in[0], n.in[1], make([]string, 3)
	ta, tb := n.int("transA", 0) != 0, n.int("transB", 0) != 0
	gemm := func(p, q string, tp, tq bool) string {
		return b.op("Gemm", []string{p, q}, attrFloat("alpha", n.float("alpha", 1)),
			attrInt("transA", int64(truth(tp))), attrInt("transB", int64(truth(tq))))
	}
	if b.wants(A) {
		if out[0] = ""; ta {
			out[0] = gemm(B, g[0], tb, true)
		} else {
			out[0] = gemm(g[0], B, false, !tb)
		}
	}
	if b.wants(B) {
		if tb {
			out[1] = gemm(g[0], A, true, ta)
		} else {
			out[1] = gemm(A, g[0], !ta, false)
		}
	}
	if c := n.input(2); b.wants(c) {
		out[2] = b.unbroadcast(b.scale(g[0], n.float("beta", 1)), b.shape(c))
	}
	return out
}

// gradEinsum contracts g with the other inputs; each label of an input must be
// in the output or in another input.
func gradEinsum(b *builder, n *node, g []string) []string {
	in, y := n.einsum()
	out := make([]string, len(in))
	for i, x := range n.in {
		if !b.wants(x) {
			continue
		}
		args, labels := []string{g[0]}, y
		for j := range in {
			if j != i {
				args, labels = append(args, n.in[j]), labels+","+in[j]
			}
		}
		for _, r := range in[i] {
			if !slices.Contains([]rune(labels), r) {
				n.unsupported("label %c of input %d is summed alone", r, i)
			}
		}
		out[i] = b.op("Einsum", args, attrText("equation", labels+"->"+in[i]))
	}
	return out
}
