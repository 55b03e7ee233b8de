package vjp

import (
	"math"
	"slices"
)

func inferIdentity(s *inference, n *node) []value {
	return s.reinterpret(n, s.in(n, 0).shape)
}

// inferCast keeps constants in the narrower type when nothing is lost, so that
// large weights need no conversion.
func inferCast(s *inference, n *node) []value {
	x, to := s.in(n, 0), Type(n.int("to", 0))
	out := value{typ: to, shape: x.shape}
	if k := x.konst; k != nil && (k.typ == to || k.typ == Float16 && to.real() || k.typ == Float && to == Double) {
		out.konst = k
	}
	return []value{out}
}

func evalCast(_ *inference, _ *node, in []*tensor, out *value) *tensor {
	v, ok := in[0].reals()
	if !ok {
		return nil
	}
	if out.typ == Int64 || out.typ == Int32 {
		for i := range v {
			v[i] = math.Trunc(v[i])
		}
	}
	return exact(out.typ, v)
}

func inferReshape(s *inference, n *node) []value {
	x := s.in(n, 0)
	to, given := s.ints(n, 1)
	if !given {
		n.invalid("input 1 is missing")
	}
	shape, infer, known := slices.Clone(to), -1, int64(1)
	for i, d := range shape {
		switch {
		case d == 0 && n.int("allowzero", 0) == 0:
			if i >= len(x.shape) {
				n.invalid("shape %v copies axis %d of %v", to, i, x.shape)
			}
			shape[i] = x.shape[i]
		case d == -1 && infer < 0:
			infer = i
			continue
		}
		known = count(n.op, []int64{known, shape[i]})
	}
	if infer >= 0 {
		if total := count(n.op, x.shape); known == 0 || total%known != 0 {
			n.invalid("shape %v cannot become %v", x.shape, to)
		} else {
			shape[infer] = total / known
		}
	}
	return s.reinterpret(n, shape)
}

func inferFlatten(s *inference, n *node) []value {
	x := s.in(n, 0)
	at := n.int("axis", 1)
	if at != int64(len(x.shape)) {
		at = int64(n.axis(at, len(x.shape)))
	}
	return s.reinterpret(n, []int64{count(n.op, x.shape[:at]), count(n.op, x.shape[at:])})
}

func inferSqueeze(s *inference, n *node) []value {
	x := s.in(n, 0)
	list, given := s.ints(n, 1)
	drop := n.axes(list, len(x.shape))
	shape := []int64{}
	for i, d := range x.shape {
		switch named := slices.Contains(drop, i); {
		case named && d != 1:
			n.invalid("axis %d of %v is not 1", i, x.shape)
		case !named && (given || d != 1):
			shape = append(shape, d)
		}
	}
	return s.reinterpret(n, shape)
}

func inferUnsqueeze(s *inference, n *node) []value {
	x := s.in(n, 0)
	list, _ := s.ints(n, 1)
	if len(list) > maxRank {
		n.invalid("%d new axes", len(list))
	}
	rank := len(x.shape) + len(list)
	add := n.axes(list, rank)
	shape := make([]int64, 0, rank)
	for i, from := 0, 0; i < rank; i++ {
		if slices.Contains(add, i) {
			shape = append(shape, 1)
			continue
		}
		shape = append(shape, x.shape[from])
		from++
	}
	return s.reinterpret(n, shape)
}

func inferExpand(s *inference, n *node) []value {
	to, _ := s.ints(n, 1)
	return one(s.in(n, 0).typ, n.broadcast(s.in(n, 0).shape, to)...)
}

// perm is the order of axes of a Transpose.
func (n *node) perm(rank int) []int64 {
	a := n.attr("perm")
	if a == nil {
		p := make([]int64, rank)
		for i := range p {
			p[i] = int64(rank - 1 - i)
		}
		return p
	}
	if len(a.ints) != rank || len(n.axes(a.ints, rank)) != rank {
		n.invalid("perm %v of %d axes", a.ints, rank)
	}
	return a.ints
}

func inferTranspose(s *inference, n *node) []value {
	x := s.in(n, 0)
	shape := make([]int64, len(x.shape))
	for i, p := range n.perm(len(x.shape)) {
		shape[i] = x.shape[n.axis(p, len(x.shape))]
	}
	return one(x.typ, shape...)
}

func inferConcat(s *inference, n *node) []value {
	x := s.in(n, 0)
	at, shape := n.axis(n.int("axis", math.MaxInt64), len(x.shape)), slices.Clone(x.shape)
	for i := 1; i < len(n.in); i++ {
		y := s.in(n, i).shape
		if len(y) != len(shape) {
			n.invalid("shapes %v and %v do not fit", x.shape, y)
		}
		for a, d := range y {
			if a == at {
				shape[a] += d
			} else if d != shape[a] {
				n.invalid("shapes %v and %v do not fit", x.shape, y)
			}
		}
	}
	return one(x.typ, shape...)
}

// inferSplit follows the list of lengths when there is one, else cuts equal
// parts of which the last may be shorter.
func inferSplit(s *inference, n *node) []value {
	x := s.in(n, 0)
	at, parts := n.axis(n.int("axis", 0), len(x.shape)), int64(len(n.out))
	lengths, given := s.ints(n, 1)
	if !given {
		each := (x.shape[at] + parts - 1) / parts
		for rest := x.shape[at]; parts > 0; parts-- {
			lengths = append(lengths, min(each, rest))
			rest -= lengths[len(lengths)-1]
		}
	}
	if len(lengths) != len(n.out) {
		n.invalid("%d lengths for %d outputs", len(lengths), len(n.out))
	}
	outs, sum := make([]value, len(lengths)), int64(0)
	for i, l := range lengths {
		if l < 0 || l > x.shape[at] {
			n.invalid("a part of length %d of %d", l, x.shape[at])
		}
		outs[i] = value{typ: x.typ, shape: slices.Clone(x.shape)}
		outs[i].shape[at] = l
		sum += l
	}
	if sum != x.shape[at] {
		n.invalid("parts %v of an axis of length %d", lengths, x.shape[at])
	}
	return outs
}

// cut is one axis of a Slice: n elements from start in steps.
type cut struct {
	axis           int
	start, step, n int64
}

// cuts are the axes of a Slice with its limits clamped as ONNX says.
func (s *inference) cuts(n *node) []cut {
	shape := s.in(n, 0).shape
	starts, _ := s.ints(n, 1)
	ends, _ := s.ints(n, 2)
	list, given := s.ints(n, 3)
	if !given {
		for i := range starts {
			list = append(list, int64(i))
		}
	}
	steps, given := s.ints(n, 4)
	if !given {
		steps = slices.Repeat([]int64{1}, len(starts))
	}
	if len(ends) != len(starts) || len(list) != len(starts) || len(steps) != len(starts) {
		n.invalid("%d starts, %d ends, %d axes, %d steps", len(starts), len(ends), len(list), len(steps))
	}
	var out []cut
	for i, a := range n.axes(list, len(shape)) {
		out = append(out, n.cut(a, shape[a], starts[i], ends[i], steps[i]))
	}
	return out
}

func (n *node) cut(axis int, length, start, end, step int64) cut {
	if step == 0 || step < -maxElements || step > maxElements {
		n.invalid("step %d", step)
	}
	lo, hi := int64(0), length
	if step < 0 {
		lo, hi = -1, length-1
	}
	clamp := func(v int64) int64 {
		if v < 0 {
			v += length
		}
		return min(max(v, lo), hi)
	}
	c := cut{axis: axis, start: min(max(clamp(start), 0), max(0, length-1)), step: step}
	start, end = clamp(start), clamp(end)
	if step > 0 {
		c.n = max(0, (end-start+step-1)/step)
	} else {
		c.n = max(0, (start-end-step-1)/-step)
	}
	return c
}

func inferSlice(s *inference, n *node) []value {
	x := s.in(n, 0)
	shape := slices.Clone(x.shape)
	for _, c := range s.cuts(n) {
		shape[c.axis] = c.n
	}
	return one(x.typ, shape...)
}

// padding is what a Pad adds before and after each axis; negative cuts.
func (s *inference) padding(n *node) (before, after []int64) {
	rank := len(s.in(n, 0).shape)
	pads, _ := s.ints(n, 1)
	list, given := s.ints(n, 3)
	if !given {
		for i := range rank {
			list = append(list, int64(i))
		}
	}
	axes := n.axes(list, rank)
	if len(pads) != 2*len(axes) {
		n.invalid("%d pads for %d axes", len(pads), len(axes))
	}
	before, after = make([]int64, rank), make([]int64, rank)
	for i, a := range axes {
		before[a], after[a] = pads[i], pads[i+len(axes)]
		if max(before[a], after[a]) > maxElements || min(before[a], after[a]) < -maxElements {
			n.invalid("pads %v", pads)
		}
	}
	return before, after
}

func inferPad(s *inference, n *node) []value {
	x := s.in(n, 0)
	shape := slices.Clone(x.shape)
	before, after := s.padding(n)
	for i := range shape {
		shape[i] += before[i] + after[i]
	}
	return one(x.typ, shape...)
}

func inferBlocks(s *inference, n *node) []value {
	x, k := s.in(n, 0), n.int("blocksize", 0)
	if len(x.shape) != 4 || k < 1 || k > 1<<15 {
		n.invalid("shape %v with blocks of %d", x.shape, k)
	}
	N, C, H, W := x.shape[0], x.shape[1], x.shape[2], x.shape[3]
	if n.op == "DepthToSpace" {
		if C%(k*k) != 0 {
			n.invalid("%d channels with blocks of %d", C, k)
		}
		return one(x.typ, N, C/(k*k), H*k, W*k)
	}
	if H%k != 0 || W%k != 0 {
		n.invalid("shape %v with blocks of %d", x.shape, k)
	}
	return one(x.typ, N, C*k*k, H/k, W/k)
}

func inferGather(s *inference, n *node) []value {
	x, at := s.in(n, 0), s.in(n, 1)
	a := n.axis(n.int("axis", 0), len(x.shape))
	return one(x.typ, slices.Concat(x.shape[:a], at.shape, x.shape[a+1:])...)
}

func inferConstant(_ *inference, n *node) []value {
	var t *tensor
	for i := range n.attrs {
		switch a := &n.attrs[i]; a.name {
		case "value":
			t = a.t
		case "value_float":
			t = realTensor(Float, nil, n.float(a.name, 0))
		case "value_int":
			t = intTensor([]int64{n.int(a.name, 0)})
			t.dims = nil
		case "value_floats":
			t = &tensor{typ: Float, dims: []int64{int64(len(a.floats))}, raw: (&payload{floats: a.floats}).encode(Float)}
		case "value_ints":
			t = intTensor(a.ints)
		}
	}
	if t == nil {
		n.unsupported("a constant of this kind is not supported")
	}
	return []value{{typ: t.typ, shape: t.dims, konst: readable(t)}}
}

// readable is t, or nil when its values were not read.
func readable(t *tensor) *tensor {
	if t.typ.size() == 0 {
		return nil
	}
	return t
}

func inferShape(s *inference, n *node) []value {
	x := s.in(n, 0).shape
	rank := int64(len(x))
	clamp := func(v int64) int64 {
		if v < 0 {
			v = max(0, v+rank)
		}
		return min(v, rank)
	}
	from := clamp(n.int("start", 0))
	t := intTensor(x[from:max(from, clamp(n.int("end", rank)))])
	return []value{{typ: Int64, shape: t.dims, konst: t}}
}

func inferSize(s *inference, n *node) []value {
	t := intTensor([]int64{count(n.op, s.in(n, 0).shape)})
	t.dims = nil
	return []value{{typ: Int64, konst: t}}
}

func inferConstantOfShape(s *inference, n *node) []value {
	shape, _ := s.ints(n, 0)
	typ := Float
	if a := n.attr("value"); a != nil && a.t != nil {
		typ = a.t.typ
	}
	return one(typ, shape...)
}

func inferRange(s *inference, n *node) []value {
	var lim [3]float64
	for i := range lim {
		v, _ := s.reals(n, i)
		if len(v) != 1 {
			n.invalid("input %d has %d values, want 1", i, len(v))
		}
		lim[i] = v[0]
	}
	length := math.Max(0, math.Ceil((lim[1]-lim[0])/lim[2]))
	if !(length <= maxElements) {
		n.invalid("from %g to %g in steps of %g", lim[0], lim[1], lim[2])
	}
	return one(s.in(n, 0).typ, int64(length))
}

func inferArg(s *inference, n *node) []value {
	x := s.in(n, 0)
	a, shape := n.axis(n.int("axis", 0), len(x.shape)), slices.Clone(x.shape)
	if shape[a] = 1; n.int("keepdims", 1) == 0 {
		shape = slices.Delete(shape, a, a+1)
	}
	return one(Int64, shape...)
}
