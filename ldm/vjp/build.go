package vjp

import (
	"fmt"
	"slices"
	"strings"
)

// Port is an input or output of a graph.
type Port struct {
	Name  string
	Type  Type
	Shape []int64
}

// Info says how a gradient graph is fed and what it holds.
type Info struct {
	Inputs  []Port // those of the model, then d_<output>
	Outputs []Port // those of the model, then d_<input>
	Forward int    // nodes of the model
	Reverse int    // nodes that the graph has beyond those
}

// Build reads an ONNX model and writes its gradient graph. The inputs of the
// graph are the model's and d_<y>, of y's shape, for every output y that depends
// on an input in wrt; its outputs are the model's and d_<x>, of x's shape, for
// every x in wrt: d_x is the sum over the outputs y of (dy/dx)' d_y.
//
// Weights must lie in the file, shapes must be static (BuildAt sets free ones),
// and a list of weights among the inputs (IR version 3) becomes constant. Errors
// about the model are *FormatError and *UnsupportedError; the latter names an
// operator without a rule.
//
// Cost: time and memory of a few copies of the model; weights of convolutions
// with stride 1 appear twice.
func Build(model []byte, wrt []string) (grad []byte, info Info, err error) {
	return BuildAt(model, wrt, nil)
}

// BuildAt is Build with the shapes of some inputs given, where the model leaves
// axes free.
func BuildAt(model []byte, wrt []string, shapes map[string][]int64) (grad []byte, info Info, err error) {
	defer catch(&err)
	m := parse(model)
	b, inputs, err := start(m, shapes)
	if err != nil {
		return nil, Info{}, err
	}
	if err := check(wrt, inputs); err != nil {
		return nil, Info{}, err
	}
	for _, n := range m.nodes {
		b.node(n)
		b.note(n)
	}
	b.mark(m.nodes, wrt)
	b.fold(m)
	info = Info{Inputs: inputs, Forward: len(m.nodes)}
	for _, o := range m.outputs {
		p := b.outputPort(o)
		info.Outputs = append(info.Outputs, p)
		if b.wants(p.Name) && b.typ(p.Name).real() {
			d := b.seed(p)
			info.Inputs = append(info.Inputs, d)
		}
	}
	b.sweep(m.nodes)
	for _, w := range wrt {
		info.Outputs = append(info.Outputs, b.result(w))
	}
	b.prune(info.Outputs)
	info.Reverse = len(b.forward) + len(b.nodes) - info.Forward
	return b.encode(m, info), info, nil
}

// start makes a builder that knows the model's inputs and weights.
func start(m *model, shapes map[string][]int64) (*builder, []Port, error) {
	b := &builder{
		inference: &inference{opset: m.opset, values: map[string]*value{}, hints: map[string]*port{}},
		prefix:    "vjp", known: map[string]string{}, active: map[string]bool{}, maker: map[string]*node{}, views: map[string][]string{}, sums: map[string][]string{}, blocks: map[string]blocks{}, spent: map[*node]bool{}, orphans: map[string]bool{}, norms: map[string]*norm{},
	}
	for _, t := range m.inits {
		b.define("initializer", t.name, &value{typ: t.typ, shape: t.dims, konst: readable(t)})
	}
	for _, p := range m.values {
		b.hints[p.name] = p
	}
	for b.prefixTaken(m) {
		b.prefix += "x"
	}
	var inputs []Port
	used := 0
	for _, p := range m.inputs {
		if v := b.values[p.name]; v != nil && v.konst != nil {
			continue // a weight that is listed as an input too
		}
		shape, given := shapes[p.name]
		if given {
			used++
		}
		in, err := p.input(shape, given)
		if err != nil {
			return nil, nil, err
		}
		b.define("input", in.Name, &value{typ: in.Type, shape: in.Shape})
		inputs = append(inputs, in)
	}
	if used != len(shapes) {
		return nil, nil, fmt.Errorf("shapes are given for %d inputs, the model has %d of them: %s", len(shapes), used, names(inputs))
	}
	return b, inputs, nil
}

// prefixTaken says whether a tensor of the model starts like our own names.
func (b *builder) prefixTaken(m *model) bool {
	taken := func(s string) bool { return strings.HasPrefix(s, b.prefix) }
	for _, n := range m.nodes {
		if slices.ContainsFunc(n.out, taken) || taken(n.name) {
			return true
		}
	}
	return slices.ContainsFunc(m.inits, func(t *tensor) bool { return taken(t.name) }) ||
		slices.ContainsFunc(m.inputs, func(p *port) bool { return taken(p.name) })
}

// input is the port with its free axes set.
func (p *port) input(shape []int64, given bool) (Port, error) {
	if p.none {
		return Port{}, &UnsupportedError{"", "input " + p.name, "no tensor with a shape"}
	}
	dims := slices.Clone(p.dims)
	if given {
		if len(shape) != len(dims) {
			return Port{}, fmt.Errorf("input %s: shape %v has %d axes, the model %d", p.name, shape, len(shape), len(dims))
		}
		for i, d := range shape {
			if d < 1 || dims[i] >= 0 && dims[i] != d {
				return Port{}, fmt.Errorf("input %s: axis %d is %d, the model has %d", p.name, i, d, dims[i])
			}
		}
		copy(dims, shape)
	} else if i := p.free(); i >= 0 {
		return Port{}, &UnsupportedError{"", "input " + p.name, fmt.Sprintf("axis %d (%s) is free: give its shape, or export with static shapes", i, p.axes[i])}
	}
	if count("input "+p.name, dims) == 0 {
		return Port{}, &UnsupportedError{"", "input " + p.name, "an empty tensor"}
	}
	return Port{p.name, p.typ, dims}, nil
}

func names(ports []Port) string {
	list := make([]string, len(ports))
	for i, p := range ports {
		list[i] = p.Name
	}
	return strings.Join(list, ", ")
}

// check holds the list of inputs asked for against those that are there.
func check(wrt []string, inputs []Port) error {
	if len(wrt) == 0 {
		return fmt.Errorf("no input is named to differentiate by; there are %s", names(inputs))
	}
	for i, w := range wrt {
		at := slices.IndexFunc(inputs, func(p Port) bool { return p.Name == w })
		switch {
		case at < 0:
			return fmt.Errorf("%q is no input of the graph; there are %s", w, names(inputs))
		case slices.Contains(wrt[:i], w):
			return fmt.Errorf("input %q is named twice", w)
		case !inputs[at].Type.real():
			return &UnsupportedError{"", "input " + w, fmt.Sprintf("no gradient for elements of type %d (float, double and float16 are supported)", inputs[at].Type)}
		}
	}
	return nil
}

// outputPort takes the shape of an output from inference, or from the file when
// an unknown operator makes it.
func (b *builder) outputPort(p *port) Port {
	if b.values[p.name] == nil {
		invalid("output "+p.name, "nothing makes it")
	}
	v := b.values[p.name]
	if v.why != nil && !p.none && p.free() < 0 && !b.wants(p.name) {
		return Port{p.name, p.typ, p.dims}
	}
	v = b.val(p.name)
	return Port{p.name, v.typ, v.shape}
}

// free stops when the name of a gradient is taken.
func (b *builder) free(name string) string {
	if b.values[name] != nil {
		panic(stop{&UnsupportedError{"", "tensor " + name, "the name is needed for a gradient: rename the tensor"}})
	}
	return name
}

// seed adds the input with the cotangent of an output.
func (b *builder) seed(p Port) Port {
	d := Port{b.free("d_" + p.Name), p.Type, p.Shape}
	b.define("cotangent", d.Name, &value{typ: d.Type, shape: d.Shape})
	b.sums[p.Name] = append(b.sums[p.Name], b.tie(d.Name, p))
	return d
}

// result names the gradient of an input asked for.
func (b *builder) result(w string) Port {
	g := b.total(w)
	if g == "" {
		panic(stop{&UnsupportedError{"", "input " + w, "no output depends on it by a path along which a derivative exists"}})
	}
	out := b.free("d_" + w)
	v := b.val(w)
	n := &node{op: "Identity", name: b.name("Identity"), in: []string{g}, out: []string{out}}
	b.define("gradient", out, v)
	b.push(n)
	return Port{out, v.typ, v.shape}
}

// encode writes the model: the old graph's nodes and weights as they were, then
// ours.
func (b *builder) encode(m *model, info Info) []byte {
	size := 1 << 16
	for _, n := range m.nodes {
		size += len(n.raw) + 16
	}
	for _, r := range m.initRaw {
		size += len(r)
	}
	for _, t := range b.inits {
		size += len(t.raw) + 128
	}
	graph := make([]byte, 0, size+256*len(b.nodes))
	for _, n := range slices.Concat(b.forward, b.nodes) {
		raw := n.raw
		if raw == nil {
			raw = n.encode()
		}
		graph = putBytes(graph, graphNode, raw)
	}
	graph = putText(graph, graphName, "vjp")
	for i, r := range m.initRaw {
		if !b.orphans[m.inits[i].name] {
			graph = append(graph, r...)
		}
	}
	for _, t := range b.inits {
		graph = putBytes(graph, graphInit, t.encode())
	}
	for _, p := range info.Inputs {
		graph = putBytes(graph, graphInput, p.encode())
	}
	for _, p := range info.Outputs {
		graph = putBytes(graph, graphOutput, p.encode())
	}
	if len(graph) > maxModel-1<<16 {
		panic(stop{&UnsupportedError{"", "model", fmt.Sprintf("its gradient graph has %d bytes, more than protobuf allows", len(graph))}})
	}
	out := make([]byte, 0, len(graph)+len(m.head)+64)
	out = putText(append(out, m.head...), modelProducer, "ctrecon vjp")
	return putBytes(out, modelGraph, graph)
}
