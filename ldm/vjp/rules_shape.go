package vjp

import "slices"

func gradReshape(b *builder, n *node, g []string) []string {
	return []string{b.reshape(g[0], b.shape(n.in[0])...)}
}

func gradExpand(b *builder, n *node, g []string) []string {
	return []string{b.unbroadcast(g[0], b.shape(n.in[0]))}
}

func gradTranspose(b *builder, n *node, g []string) []string {
	perm := n.perm(len(b.shape(n.in[0])))
	inverse := make([]int64, len(perm))
	for i, p := range perm {
		inverse[n.axis(p, len(perm))] = int64(i)
	}
	return []string{b.transpose(g[0], inverse...)}
}

// gradConcat cuts g; parts that nobody wants cost nothing.
func gradConcat(b *builder, n *node, g []string) []string {
	axis := n.axis(n.int("axis", 0), len(b.shape(g[0])))
	out, at := make([]string, len(n.in)), int64(0)
	for i, x := range n.in {
		width := b.shape(x)[axis]
		if b.wants(x) {
			out[i] = b.slice(g[0], axis, at, at+width, 1)
		}
		at += width
	}
	return out
}

func gradSplit(b *builder, n *node, g []string) []string {
	axis := n.axis(n.int("axis", 0), len(b.shape(n.in[0])))
	parts := make([]string, 0, len(g))
	for i, part := range g {
		if part == "" {
			part = b.expand(b.number(n.in[0], 0), b.shape(n.out[i]))
		}
		parts = append(parts, part)
	}
	return []string{b.op("Concat", parts, attrInt("axis", int64(axis)))}
}

// gradSlice pads with zeros; a step spreads g first by zeros between its
// elements, a negative step turns it around.
func gradSlice(b *builder, n *node, g []string) []string {
	shape, d := b.shape(n.in[0]), g[0]
	before, after := make([]int64, len(shape)), make([]int64, len(shape))
	for _, c := range b.cuts(n) {
		if c.step < 0 {
			d = b.slice(d, c.axis, -1, -maxElements-1, -1)
			c.start, c.step = c.start+(c.n-1)*c.step, -c.step
		}
		d = b.spread(d, c.axis, c.step)
		before[c.axis], after[c.axis] = c.start, shape[c.axis]-c.start-b.shape(d)[c.axis]
	}
	return []string{b.pad(d, before, after)}
}

// spread puts step-1 zeros between the elements along an axis.
func (b *builder) spread(x string, axis int, step int64) string {
	shape := b.shape(x)
	if step == 1 || shape[axis] == 1 {
		return x
	}
	long, after := slices.Insert(slices.Clone(shape), axis+1, 1), make([]int64, len(shape)+1)
	after[axis+1] = step - 1
	d := b.pad(b.reshape(x, long...), make([]int64, len(long)), after)
	flat := slices.Clone(shape)
	flat[axis] *= step
	return b.slice(b.reshape(d, flat...), axis, 0, flat[axis]-step+1, 1)
}

func gradPad(b *builder, n *node, g []string) []string {
	if m := n.text("mode", "constant"); m != "constant" {
		n.unsupported("mode %s: only constant has a gradient rule", m)
	}
	before, after := b.padding(n)
	for i := range before {
		before[i], after[i] = -before[i], -after[i]
	}
	return []string{b.pad(g[0], before, after)}
}

// gradGather knows the case that exports use: one index, or indices in a row.
func gradGather(b *builder, n *node, g []string) []string {
	shape := b.shape(n.in[0])
	axis := n.axis(n.int("axis", 0), len(shape))
	at, ok := []int64(nil), false
	if k := b.val(n.in[1]).konst; k != nil && len(k.dims) < 2 {
		at, ok = k.ints()
	}
	for i := range at {
		if at[i] < 0 {
			at[i] += shape[axis]
		}
		ok = ok && at[i] == at[0]+int64(i)
	}
	if !ok || len(at) == 0 || at[0] < 0 || at[0]+int64(len(at)) > shape[axis] {
		n.unsupported("only a constant index or a constant row of indices has a gradient rule")
	}
	part, before, after := slices.Clone(shape), make([]int64, len(shape)), make([]int64, len(shape))
	part[axis] = int64(len(at))
	before[axis], after[axis] = at[0], shape[axis]-at[0]-part[axis]
	return []string{b.pad(b.reshape(g[0], part...), before, after)}
}

// gradDepthToSpace: SpaceToDepth orders channels as [k, k, C]; mode CRD, which is
// PyTorch's PixelShuffle, has [C, k, k]. Swapping whole planes afterwards is three
// times as fast as a Transpose of single pixels.
func gradDepthToSpace(b *builder, n *node, g []string) []string {
	k, x := n.int("blocksize", 1), b.shape(n.in[0])
	d := b.un("SpaceToDepth", g[0], attrInt("blocksize", k))
	planes := n.text("mode", "DCR") == "DCR"
	if !planes {
		d = b.transpose(b.reshape(d, x[0], k*k, x[1]/k/k, x[2]*x[3]), 0, 2, 1, 3)
		d = b.reshape(d, x...)
	}
	b.blocks[d] = blocks{g[0], k, planes}
	return []string{d}
}

// blocks says that a gradient holds the k by k blocks of an image as channels.
type blocks struct {
	image  string
	size   int64
	planes bool // channels count [k, k, C], not [C, k, k]
}

func gradSpaceToDepth(b *builder, n *node, g []string) []string {
	return []string{b.un("DepthToSpace", g[0], attrInt("blocksize", n.int("blocksize", 1)), attrText("mode", "DCR"))}
}
