package vjp

import "slices"

// value is what is known of a tensor before anything runs.
type value struct {
	typ   Type
	shape []int64
	konst *tensor // its values when constant; perhaps in a narrower type, as a float16 weight before its Cast
	why   error   // why the shape is not known
}

// inference finds the types and shapes of a graph's tensors, and the values of
// those from which shapes are made.
type inference struct {
	opset  int64
	values map[string]*value
	hints  map[string]*port // what the file says; used only after operators that are not known
}

// operator is all that is known of one.
type operator struct {
	min, max int // inputs
	outs     int // outputs, 0 for one
	infer    func(s *inference, n *node) []value
	// eval computes small constants; in has a tensor for each input that is given.
	eval func(s *inference, n *node, in []*tensor, out *value) *tensor
	// grad gives the gradient of each input ("" for none) from those of the
	// outputs ("" for zero).
	grad func(b *builder, n *node, g []string) []string
	// flat says that the output is piecewise constant: the chain stops there.
	flat bool
}

// define notes a tensor; each name is given once.
func (s *inference) define(place, name string, v *value) {
	if name == "" {
		invalid(place, "a tensor without a name")
	}
	if s.values[name] != nil {
		invalid(place, "tensor %q is made twice", name)
	}
	s.values[name] = v
}

// val is a tensor whose shape is known; else the reason stops the caller.
func (s *inference) val(name string) *value {
	v := s.values[name]
	if v == nil {
		invalid("tensor", "%q is used but nothing makes it before", name)
	}
	if v.why != nil {
		panic(stop{v.why})
	}
	return v
}

func (s *inference) shape(name string) []int64 { return s.val(name).shape }

// in is input i of a node, which must be given.
func (s *inference) in(n *node, i int) *value {
	if n.input(i) == "" {
		n.invalid("input %d is missing", i)
	}
	return s.val(n.in[i])
}

// ints are the constant integers of input i; given says whether it is there.
func (s *inference) ints(n *node, i int) (v []int64, given bool) {
	if n.input(i) == "" {
		return nil, false
	}
	k := s.in(n, i).konst
	if k == nil {
		n.unsupported("input %q decides the shape and is not a constant: export with static shapes", n.in[i])
	}
	v, ok := k.ints()
	if !ok {
		n.invalid("input %q must be a short list of integers", n.in[i])
	}
	return v, true
}

// reals are the constant real numbers of input i.
func (s *inference) reals(n *node, i int) (v []float64, given bool) {
	if n.input(i) == "" {
		return nil, false
	}
	k := s.in(n, i).konst
	if k == nil {
		n.unsupported("input %q decides the shape and is not a constant: export with static shapes", n.in[i])
	}
	v, ok := k.reals()
	if !ok {
		n.invalid("input %q must be a short list of numbers", n.in[i])
	}
	return v, true
}

// node adds the outputs of a node. What is wrong stops; what is only not
// supported is noted and stops when the shape is asked for.
func (s *inference) node(n *node) {
	for _, name := range n.in {
		if name != "" && s.values[name] == nil {
			invalid(n.op+" "+n.label(), "input %q is made by nothing before the node", name)
		}
	}
	outs, err := s.outputs(n)
	if err != nil && !isUnsupported(err) {
		panic(stop{err})
	}
	for i, name := range n.out {
		if name == "" {
			continue
		}
		v := &value{why: err}
		if err == nil {
			*v = outs[i]
		} else if h := s.hints[name]; h != nil && !h.none && h.free() < 0 {
			count("value_info of "+name, h.dims)
			v = &value{typ: h.typ, shape: h.dims}
		}
		s.define(n.op+" "+n.label(), name, v)
	}
}

func (s *inference) outputs(n *node) (outs []value, err error) {
	defer catch(&err)
	op := operators[n.key()]
	if op == nil {
		n.unsupported("this operator is not known here")
	}
	if given := len(n.in); given < op.min || given > op.max {
		n.invalid("%d inputs, want %d to %d", given, op.min, op.max)
	}
	if len(n.out) < 1 || len(n.out) > max(1, op.outs) {
		n.invalid("%d outputs, want 1 to %d", len(n.out), max(1, op.outs))
	}
	outs = op.infer(s, n)
	for len(outs) < len(n.out) {
		outs = append(outs, value{why: &UnsupportedError{n.key(), n.label(), "its further outputs are not supported"}})
	}
	for i := range outs {
		if c := count(n.op+" "+n.label(), outs[i].shape); c == 0 && outs[i].typ.real() && outs[i].konst == nil {
			n.unsupported("an empty tensor %v", outs[i].shape)
		}
	}
	if op.eval != nil {
		s.evaluate(n, op, &outs[0])
	}
	return outs, nil
}

// evaluate computes the output when it and all inputs are small constants.
func (s *inference) evaluate(n *node, op *operator, out *value) {
	if out.konst != nil || count(n.op, out.shape) > small {
		return
	}
	in := make([]*tensor, len(n.in))
	for i, name := range n.in {
		if name == "" {
			continue
		}
		in[i] = s.values[name].konst
		if in[i] == nil || in[i].count() > small || in[i].typ.size() == 0 {
			return
		}
	}
	if t := op.eval(s, n, in, out); t != nil {
		t.dims, out.konst = out.shape, t
	}
}

// axis counts a negative axis from the end.
func (n *node) axis(a int64, rank int) int {
	if a < -int64(rank) || a >= int64(rank) {
		n.invalid("axis %d of %d axes", a, rank)
	}
	if a < 0 {
		a += int64(rank)
	}
	return int(a)
}

// axes are different axes, counted from the start.
func (n *node) axes(list []int64, rank int) []int {
	out := make([]int, 0, min(len(list), maxRank))
	for _, a := range list {
		i := n.axis(a, rank)
		if slices.Contains(out, i) {
			n.invalid("axis %d is named twice", i)
		}
		out = append(out, i)
	}
	return out
}

// broadcast is the shape of an element-wise operator.
func (n *node) broadcast(shapes ...[]int64) []int64 {
	var out []int64
	for _, s := range shapes {
		for len(out) < len(s) {
			out = append([]int64{1}, out...)
		}
		lead := len(out) - len(s)
		for i, d := range s {
			switch o := &out[lead+i]; {
			case *o == 1:
				*o = d
			case d != 1 && d != *o:
				n.invalid("shapes %v do not fit", shapes)
			}
		}
	}
	return out
}

func one(typ Type, shape ...int64) []value { return []value{{typ: typ, shape: shape}} }

// likeFirst is the rule of operators that keep the first input's type and shape.
func likeFirst(s *inference, n *node) []value {
	x := s.in(n, 0)
	return one(x.typ, x.shape...)
}

// elementwise is the rule of operators with broadcasting.
func elementwise(s *inference, n *node) []value {
	shapes := make([][]int64, len(n.in))
	for i := range n.in {
		shapes[i] = s.in(n, i).shape
	}
	return one(s.in(n, 0).typ, n.broadcast(shapes...)...)
}

func comparison(s *inference, n *node) []value {
	return one(Bool, elementwise(s, n)[0].shape...)
}

func inferWhere(s *inference, n *node) []value {
	return one(s.in(n, 1).typ, n.broadcast(s.in(n, 0).shape, s.in(n, 1).shape, s.in(n, 2).shape)...)
}

// reinterpret gives the first input's values another shape.
func (s *inference) reinterpret(n *node, shape []int64) []value {
	x := s.in(n, 0)
	out := value{typ: x.typ, shape: shape}
	if count(n.op, shape) != count(n.op, x.shape) {
		n.invalid("shape %v cannot become %v", x.shape, shape)
	}
	if x.konst != nil {
		k := *x.konst
		k.dims = shape
		out.konst = &k
	}
	return []value{out}
}
