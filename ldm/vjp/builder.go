package vjp

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// builder appends gradient nodes to a graph. Every node goes through the same
// inference as the graph's own, so that a rule cannot get a shape wrong unseen.
type builder struct {
	*inference
	prefix string
	made   int
	nodes  []*node
	inits  []*tensor
	maker  map[string]*node    // what makes a tensor, of the graph and ours
	views  map[string][]string // reshaped forms of a tensor
	known  map[string]string   // constants by content
	active map[string]bool     // tensors that depend on what is asked for
	sums   map[string][]string

	blocks map[string]blocks // gradients that DepthToSpace got

	forward []*node          // the graph's nodes, with what fold put in their place
	spent   map[*node]bool   // nodes of the graph that fold replaced
	norms   map[string]*norm // by the tensor that they make
	orphans map[string]bool  // tensors that only dropped nodes used
}

func (b *builder) wants(name string) bool { return b.active[name] }

func (b *builder) name(hint string) string {
	b.made++
	return b.prefix + strconv.Itoa(b.made) + "_" + hint
}

// op appends an operator with one output and gives the output's name.
func (b *builder) op(op string, in []string, attrs ...attribute) string {
	out := b.name(op)
	n := &node{op: op, name: out, in: in, out: []string{out}, attrs: attrs}
	b.node(n)
	b.val(out) // stops when the rule made something that is not supported
	b.push(n)
	return out
}

func (b *builder) un(op, x string, attrs ...attribute) string { return b.op(op, []string{x}, attrs...) }
func (b *builder) mul(x, y string) string                     { return b.op("Mul", []string{x, y}) }
func (b *builder) add(x, y string) string                     { return b.op("Add", []string{x, y}) }
func (b *builder) sub(x, y string) string                     { return b.op("Sub", []string{x, y}) }
func (b *builder) div(x, y string) string                     { return b.op("Div", []string{x, y}) }
func (b *builder) neg(x string) string                        { return b.un("Neg", x) }
func (b *builder) typ(name string) Type                       { return b.val(name).typ }

func (b *builder) push(n *node) {
	b.nodes = append(b.nodes, n)
	b.note(n)
}

// note remembers what makes a tensor, for rules that look at their surroundings.
func (b *builder) note(n *node) {
	for _, o := range n.out {
		b.maker[o] = n
	}
	if n.key() == "Reshape" && b.values[n.out[0]].why == nil {
		root := b.root(n.out[0])
		b.views[root] = append(b.views[root], n.out[0])
	}
}

// madeBy is the node that makes a tensor when it is the operator op, else nil.
func (b *builder) madeBy(op, name string) *node {
	if n := b.maker[name]; n != nil && n.key() == op {
		return n
	}
	return nil
}

// prune drops nodes and constants of ours, and nodes that fold replaced, which
// nobody uses.
func (b *builder) prune(outs []Port) {
	live := map[string]bool{}
	for _, p := range outs {
		live[p.Name] = true
	}
	dead := map[*node]bool{}
	for _, n := range slices.Backward(slices.Concat(b.forward, b.nodes)) {
		ours := n.raw == nil || b.spent[n]
		if dead[n] = ours && !slices.ContainsFunc(n.out, func(o string) bool { return live[o] }); dead[n] {
			for _, x := range n.in {
				b.orphans[x] = true
			}
			continue
		}
		for _, x := range n.in {
			live[x] = true
		}
	}
	maps.DeleteFunc(b.orphans, func(x string, _ bool) bool { return live[x] })
	gone := func(n *node) bool { return dead[n] }
	b.nodes, b.forward = slices.DeleteFunc(b.nodes, gone), slices.DeleteFunc(b.forward, gone)
	b.inits = slices.DeleteFunc(b.inits, func(t *tensor) bool { return !live[t.name] })
}

// constant adds an initializer; equal ones are shared while they are small.
func (b *builder) constant(t *tensor) string {
	key := ""
	if len(t.raw) <= small {
		key = fmt.Sprint(t.typ, t.dims, string(t.raw))
		if name, ok := b.known[key]; ok {
			return name
		}
	}
	t.name = b.name("k")
	b.define("gradient", t.name, &value{typ: t.typ, shape: t.dims, konst: t})
	b.inits = append(b.inits, t)
	if key != "" {
		b.known[key] = t.name
	}
	return t.name
}

// number is a constant of the type of x.
func (b *builder) number(x string, v float64) string {
	t := realTensor(b.typ(x), nil, v)
	if t == nil {
		panic(stop{&UnsupportedError{"", x, "gradients of its type are not supported (float, double and float16 are)"}})
	}
	return b.constant(t)
}

func (b *builder) scale(x string, v float64) string { return b.mul(x, b.number(x, v)) }

// root is the tensor of which x is a reshaped view.
func (b *builder) root(x string) string {
	for r := b.madeBy("Reshape", x); r != nil; r = b.madeBy("Reshape", x) {
		x = r.in[0]
	}
	return x
}

// reshape gives x the shape, by a view that is there when there is one.
func (b *builder) reshape(x string, shape ...int64) string {
	root := b.root(x)
	for _, v := range append([]string{x, root}, b.views[root]...) {
		if slices.Equal(b.shape(v), shape) {
			return v
		}
	}
	return b.op("Reshape", []string{root, b.constant(intTensor(shape))})
}

func (b *builder) transpose(x string, perm ...int64) string {
	return b.un("Transpose", x, attrInts64("perm", perm))
}

func (b *builder) expand(x string, shape []int64) string {
	if slices.Equal(b.shape(x), shape) {
		return x
	}
	return b.op("Expand", []string{x, b.constant(intTensor(shape))})
}

// reduce sums or averages over axes and keeps them with length 1, or not.
func (b *builder) reduce(op, x string, axes []int64, keep bool) string {
	dims := attrInt("keepdims", int64(truth(keep)))
	if op == "ReduceSum" || b.opset >= 18 {
		return b.op(op, []string{x, b.constant(intTensor(axes))}, dims)
	}
	return b.un(op, x, attrInts64("axes", axes), dims)
}

// unbroadcast is the transpose of broadcasting shape to g's: it sums over the
// axes that were stretched.
func (b *builder) unbroadcast(g string, shape []int64) string {
	long := b.shape(g)
	var axes []int64
	lead := len(long) - len(shape)
	for i, d := range long {
		if i < lead || shape[i-lead] == 1 && d != 1 {
			axes = append(axes, int64(i))
		}
	}
	if len(axes) > 0 {
		g = b.reduce("ReduceSum", g, axes, true)
	}
	return b.reshape(g, shape...)
}

// slice is x[start : start+n : step] along one axis.
func (b *builder) slice(x string, axis int, start, end, step int64) string {
	in := []string{x}
	for _, v := range []int64{start, end, int64(axis), step} {
		in = append(in, b.constant(intTensor([]int64{v})))
	}
	return b.op("Slice", in)
}

// pad adds zeros; negative lengths cut.
func (b *builder) pad(x string, before, after []int64) string {
	shape := b.shape(x)
	rest := false
	before, after = slices.Clone(before), slices.Clone(after)
	for i := range before {
		if from, to := max(0, -before[i]), shape[i]-max(0, -after[i]); from > 0 || to < shape[i] {
			x = b.slice(x, i, from, to, 1)
		}
		before[i], after[i] = max(0, before[i]), max(0, after[i])
		rest = rest || before[i]+after[i] > 0
	}
	if !rest {
		return x
	}
	return b.op("Pad", []string{x, b.constant(intTensor(slices.Concat(before, after)))}, attrText("mode", "constant"))
}

func (b *builder) where(cond, x, y string) string { return b.op("Where", []string{cond, x, y}) }

// mark finds the tensors that depend on the inputs asked for, by paths along
// which a derivative exists.
func (b *builder) mark(nodes []*node, wrt []string) {
	for _, w := range wrt {
		b.active[w] = true
	}
	for _, n := range nodes {
		if op := operators[n.key()]; op != nil && op.flat || !slices.ContainsFunc(n.in, b.wants) {
			continue
		}
		for _, o := range n.out {
			if v := b.values[o]; v != nil && (v.why != nil || v.typ.real()) {
				b.active[o] = true
			}
		}
	}
}

// total is the sum of the gradients that the consumers of a tensor gave, in the
// order of the sweep; "" when there is none.
func (b *builder) total(name string) string {
	list := b.sums[name]
	if len(list) == 0 {
		return ""
	}
	for len(list) > 1 {
		list = append([]string{b.add(b.late(list[0]), b.late(list[1]))}, list[2:]...)
	}
	b.sums[name] = list
	return list[0]
}

// sweep visits the nodes in reverse and asks each rule for the gradients of its
// inputs.
func (b *builder) sweep(nodes []*node) {
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		g, some := make([]string, len(n.out)), false
		for j, o := range n.out {
			if o != "" && b.active[o] {
				g[j] = b.total(o)
				some = some || g[j] != ""
			}
		}
		if some {
			b.gradient(n, g)
		}
	}
}

// within is what a rule gives for an input whose share another input's gradient
// holds.
const within = "\x00"

// gradient adds what the rule of a node gives to the sums of its inputs. An
// input that is wanted and gets nothing is an error, never a silent zero.
func (b *builder) gradient(n *node, g []string) {
	if norm := b.norms[n.out[0]]; norm != nil {
		b.sums[norm.x] = append(b.sums[norm.x], b.gradNorm(norm, b.weigh(norm, g[0])))
		return
	}
	op := operators[n.key()]
	if op == nil || op.grad == nil {
		n.unsupported("there is no gradient rule for this operator")
	}
	for i, o := range n.out {
		if g[i] != "" {
			b.val(o) // stops with the reason when inference did not know it
		}
	}
	gx := op.grad(b, n, g)
	for i, x := range n.in {
		if x == "" || !b.active[x] || i < len(gx) && gx[i] == within {
			continue
		}
		if i >= len(gx) || gx[i] == "" {
			n.unsupported("there is no gradient rule for input %d (%q); it must be constant", i, x)
		}
		if !slices.Equal(b.shape(gx[i]), b.shape(x)) || b.typ(gx[i]) != b.typ(x) {
			n.unsupported("its gradient has the shape %v, its input %v", b.shape(gx[i]), b.shape(x))
		}
		b.sums[x] = append(b.sums[x], gx[i])
	}
}
