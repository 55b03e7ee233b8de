package vjp

import "slices"

// norm is an instance or group norm of the forward pass with the affine part
// that follows it, written anew. ONNX Runtime's time goes into passes over whole
// tensors, and its InstanceNormalization keeps the deviation for itself: getting
// that back and the affine part cost seven passes, all of it here costs five:
//
//	xc = x - mean(x), r = 1/sqrt(mean(xc^2) + eps), u = factor xc + shift
//
// with factor = r w and shift numbers of a channel.
type norm struct {
	x, xc, r string // r: [G, 1]
	factor   string // [C]
	u        string
	groups   int64 // G; of all images
}

// chain is what find knows of a norm before it is written.
type chain struct {
	in           *node
	last         *node    // makes u
	spent        []*node  // in to last
	scale, shift []string // the affine part as steps: a step multiplies or, with "" for its scale, adds
}

// fold writes the norms on the way of a gradient anew, in the place of the old
// nodes; prune drops what nobody uses then.
func (b *builder) fold(m *model) {
	users := map[string][]*node{}
	for _, n := range m.nodes {
		for _, x := range n.in {
			users[x] = append(users[x], n)
		}
	}
	for _, o := range m.outputs {
		users[o.name] = append(users[o.name], nil, nil) // never a single one
	}
	ends := map[*node]*chain{}
	for _, n := range m.nodes {
		if c := b.find(n, users); c != nil {
			ends[c.last] = c
		}
	}
	for _, n := range m.nodes {
		c := ends[n]
		if c == nil {
			b.forward = append(b.forward, n)
			continue
		}
		reverse := b.nodes
		b.nodes = nil
		b.renew(c)
		b.forward = append(b.forward, b.nodes...)
		b.nodes = reverse
		for _, s := range c.spent {
			b.spent[s] = true
		}
	}
}

// find follows a norm's output through reshaping and numbers of a channel, as
// long as it has one user. It is nil where the rules of the operators must do.
func (b *builder) find(n *node, users map[string][]*node) *chain {
	if n.key() != "InstanceNormalization" || b.values[n.out[0]].why != nil || !b.wants(n.in[0]) || b.wants(n.in[1]) || b.wants(n.in[2]) || b.typ(n.in[0]) == Float16 {
		return nil
	}
	shape := b.shape(n.in[0])
	if len(shape) < 3 {
		return nil
	}
	c := &chain{in: n, last: n, spent: []*node{n}}
	if !b.constantly(n.in[1], 1) || !b.constantly(n.in[2], 0) {
		if shape[0] != 1 {
			return nil
		}
		c.scale, c.shift = []string{n.in[1], ""}, []string{"", n.in[2]}
	}
	for shape[0] == 1 {
		next := users[c.last.out[0]]
		if len(next) != 1 || next[0] == nil || !b.extend(c, next[0], shape[1]) {
			break
		}
		c.last = next[0]
		c.spent = append(c.spent, c.last)
	}
	return c
}

// extend adds a node to the chain when it is a part of the affine one.
func (b *builder) extend(c *chain, n *node, groups int64) bool {
	y := c.last.out[0]
	if b.values[n.out[0]].why != nil {
		return false
	}
	full := b.shape(n.out[0])
	switch n.key() {
	case "Reshape":
		same := len(c.scale) == 0 && n.in[0] == y
		return same && len(full) > 2 && full[0] == 1 && full[1]%groups == 0
	case "Mul", "Add":
		v := n.in[0]
		if v == y {
			v = n.in[1]
		}
		if v == y || b.wants(v) || !perChannelShape(full, b.shape(v)) || !slices.Equal(full, b.shape(y)) {
			return false
		}
		if n.key() == "Mul" {
			c.scale, c.shift = append(c.scale, v), append(c.shift, "")
		} else {
			c.scale, c.shift = append(c.scale, ""), append(c.shift, v)
		}
		return true
	}
	return false
}

// perChannelShape says whether part, broadcast to full, is one number a channel.
func perChannelShape(full, part []int64) bool {
	lead := len(full) - len(part) // the first axis may be left out
	if len(full) < 3 || lead < 0 || lead > 1 || lead == 0 && part[0] != 1 {
		return false
	}
	return part[1-lead] == full[1] && count("", part) == full[1]
}

// renew writes the norm of a chain.
func (b *builder) renew(c *chain) {
	x, u := c.in.in[0], c.last.out[0]
	shape, full := b.shape(x), b.shape(u)
	rows, channels := shape[0]*shape[1], shape[0]*full[1]
	xc := b.center(x, channels)
	r := b.rowProducts(xc, xc)
	r = b.un("Reciprocal", b.un("Sqrt", b.add(r, b.number(x, c.in.float("epsilon", 1e-5)))))
	w, shift := b.compose(c, channels)
	factor := b.expand(r, []int64{rows, channels / rows})
	if w != "" {
		factor = b.mul(r, b.reshape(w, rows, channels/rows))
	}
	if shift == "" {
		shift = b.vector(x, channels, 0)
	}
	n := &norm{x: x, xc: xc, r: r, factor: b.reshape(factor, channels), u: u, groups: rows}
	b.norms[u] = n
	if shape[0] == 1 {
		b.push(b.affineNode(b.reshape(xc, full...), n.factor, shift, u))
		return
	}
	y := b.affine(xc, n.factor, shift)
	b.push(&node{op: "Reshape", name: b.name("Reshape"), in: []string{y, b.constant(intTensor(full))}, out: []string{u}})
}

// center subtracts the mean of each row from x, as [1, G, L]. It does so in the
// shape of x where x is one image's channels, since ONNX Runtime writes over x
// then, when nobody else needs it, but not over a view of it.
func (b *builder) center(x string, channels int64) string {
	shape := b.shape(b.root(x))
	rows := b.shape(x)[0] * b.shape(x)[1]
	flat := b.reshape(x, 1, rows, count("", shape)/rows)
	mean := b.reduce("ReduceMean", flat, []int64{2}, true)
	if len(shape) < 3 || shape[0] != 1 || shape[1] != channels {
		return b.sub(flat, mean)
	}
	mean = b.expand(b.reshape(mean, rows, 1), []int64{rows, channels / rows})
	xc := b.sub(b.root(x), b.perChannel(b.reshape(mean, channels), len(shape)))
	return b.reshape(xc, b.shape(flat)...)
}

// channelShape is u's, or that of all channels of several images: a number of a
// channel fits both on axis 1.
func (n *norm) channelShape(b *builder) []int64 {
	shape, channels := b.shape(n.u), b.shape(n.factor)[0]
	if shape[0] == 1 {
		return shape
	}
	return []int64{1, channels, count("", shape) / channels}
}

// compose makes one factor and one shift, [C] each, of the steps of a chain; ""
// for one and zero.
func (b *builder) compose(c *chain, channels int64) (w, shift string) {
	join := func(op, v, step string) string {
		step = b.reshape(step, channels)
		if v == "" {
			return step
		}
		return b.op(op, []string{v, step})
	}
	for i := range c.scale {
		if s := c.scale[i]; s != "" {
			w = join("Mul", w, s)
			if shift != "" {
				shift = join("Mul", shift, s)
			}
		} else {
			shift = join("Add", shift, c.shift[i])
		}
	}
	return w, shift
}

// rowProducts is the mean of u*v over each row of [1, G, L], as [G, 1]. Rows are
// cut into pieces, each a product of a row and a column of its own: ONNX Runtime
// reads both at the speed of memory and writes nothing, and the sums are short.
func (b *builder) rowProducts(u, v string) string {
	const long = 4096
	rows, size := b.shape(u)[1], b.shape(u)[2]
	pieces := int64(1)
	for size/pieces > long && size%(2*pieces) == 0 {
		pieces *= 2
	}
	if size/pieces > 2*long {
		return b.reshape(b.reduce("ReduceMean", b.mul(u, v), []int64{2}, false), rows, 1)
	}
	cut := []int64{rows * pieces, 1, size / pieces}
	products := b.op("MatMul", []string{b.reshape(u, cut...), b.transpose(b.reshape(v, cut...), 0, 2, 1)})
	return b.op("MatMul", []string{b.reshape(products, rows, pieces), b.reshape(b.vector(u, pieces, 1/float64(size)), pieces, 1)})
}

// gradNorm is the gradient by x from g, that by u times the factor:
//
//	g - xc r^2 mean(g xc) - mean(g),
//
// with means over groups. All but g is one BatchNormalization of xc.
func (b *builder) gradNorm(n *norm, g string) string {
	flat := b.reshape(g, b.shape(n.xc)...)
	slope := b.mul(b.mul(b.rowProducts(flat, n.xc), n.r), n.r)
	mean := b.reduce("ReduceMean", flat, []int64{2}, false)
	gx := b.sub(flat, b.affine(n.xc, b.reshape(slope, n.groups), b.reshape(mean, n.groups)))
	return b.reshape(gx, b.shape(n.x)...)
}

// weigh multiplies g, the gradient by u, with the factor.
func (b *builder) weigh(n *norm, g string) string {
	shape := n.channelShape(b)
	return b.mul(b.lateAs(g, shape), b.perChannel(n.factor, len(shape)))
}

// vector is a constant of n equal numbers of the type of x.
func (b *builder) vector(x string, n int64, v float64) string {
	return b.constant(realTensor(b.typ(x), []int64{n}, slices.Repeat([]float64{v}, int(n))...))
}

// affine is scale*x + shift with one number a channel of x = [1, C, ...], in one
// pass: a BatchNormalization with mean 0 that divides by one.
func (b *builder) affine(x, scale, shift string) string {
	out := b.name("BatchNormalization")
	n := b.affineNode(x, scale, shift, out)
	b.node(n)
	b.push(n)
	return out
}

func (b *builder) affineNode(x, scale, shift, out string) *node {
	const eps = 1e-5 // the smallest that CUDA takes
	channels := b.shape(x)[1]
	in := []string{x, scale, shift, b.vector(x, channels, 0), b.vector(x, channels, 1-eps)}
	return &node{op: "BatchNormalization", name: b.name("BatchNormalization"), in: in, out: []string{out}, attrs: []attribute{attrFloat("epsilon", eps)}}
}
