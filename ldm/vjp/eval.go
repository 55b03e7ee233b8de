package vjp

import (
	"math"
	"slices"
)

// exact is a tensor of the values, nil when an integer would be rounded.
func exact(typ Type, v []float64) *tensor {
	if !typ.real() {
		for _, x := range v {
			if !(math.Abs(x) <= 1<<53) {
				return nil
			}
		}
	}
	return realTensor(typ, nil, v...)
}

// index maps a flat index of shape out to one of shape in, broadcast.
func index(i int, out, in []int64) int {
	at, stride := 0, 1
	for a := len(out) - 1; a >= 0; a-- {
		d := int(out[a])
		if k := a - len(out) + len(in); k >= 0 {
			if in[k] != 1 {
				at += i % d * stride
			}
			stride *= int(in[k])
		}
		i /= d
	}
	return at
}

// arithmetic makes the evaluation of an element-wise operator; division of
// integers cuts the fraction, as ONNX's does.
func arithmetic(f func(v []float64) float64) func(*inference, *node, []*tensor, *value) *tensor {
	return func(_ *inference, _ *node, in []*tensor, out *value) *tensor {
		n := count("constant", out.shape)
		v, x := make([]float64, n), make([]float64, len(in))
		for i := range v {
			for j, t := range in {
				var ok bool
				if x[j], ok = t.at(index(i, out.shape, t.dims)); !ok || !t.typ.real() && math.Abs(x[j]) > 1<<53 {
					return nil
				}
			}
			if v[i] = f(x); !out.typ.real() {
				v[i] = math.Trunc(v[i])
			}
		}
		return exact(out.typ, v)
	}
}

// pick copies element from(i) of t to element i of the output.
func pick(t *tensor, out *value, from func(i int) int) *tensor {
	size := t.typ.size()
	r := &tensor{typ: t.typ}
	for i := range int(count("constant", out.shape)) {
		at := from(i) * size
		r.raw = append(r.raw, t.raw[at:at+size]...)
	}
	return r
}

func evalExpand(_ *inference, _ *node, in []*tensor, out *value) *tensor {
	return pick(in[0], out, func(i int) int { return index(i, out.shape, in[0].dims) })
}

// strided is pick with a start and a step in elements of t for each output axis.
func strided(t *tensor, out *value, start int, steps []int) *tensor {
	return pick(t, out, func(i int) int {
		at := start
		for a := len(out.shape) - 1; a >= 0; a-- {
			at += i % int(out.shape[a]) * steps[a]
			i /= int(out.shape[a])
		}
		return at
	})
}

func rowMajor(dims []int64) []int {
	steps, s := make([]int, len(dims)), 1
	for a := len(dims) - 1; a >= 0; a-- {
		steps[a] = s
		s *= int(dims[a])
	}
	return steps
}

func evalTranspose(_ *inference, n *node, in []*tensor, out *value) *tensor {
	old := rowMajor(in[0].dims)
	steps := make([]int, len(old))
	for i, p := range n.perm(len(old)) {
		steps[i] = old[n.axis(p, len(old))]
	}
	return strided(in[0], out, 0, steps)
}

func evalGather(_ *inference, n *node, in []*tensor, out *value) *tensor {
	at, ok := in[1].ints()
	if !ok {
		return nil
	}
	x := in[0]
	axis := n.axis(n.int("axis", 0), len(x.dims))
	inner := 1
	for _, d := range x.dims[axis+1:] {
		inner *= int(d)
	}
	for i := range at {
		if at[i] < 0 {
			at[i] += x.dims[axis]
		}
		if at[i] < 0 || at[i] >= x.dims[axis] {
			n.invalid("index %d of %d", at[i], x.dims[axis])
		}
	}
	return pick(x, out, func(i int) int {
		in, rest := i%inner, i/inner
		k, outer := rest%len(at), rest/len(at)
		return (outer*int(x.dims[axis])+int(at[k]))*inner + in
	})
}

func evalConcat(_ *inference, n *node, in []*tensor, out *value) *tensor {
	axis := n.axis(n.int("axis", 0), len(out.shape))
	if slices.ContainsFunc(in, func(t *tensor) bool { return t.typ != in[0].typ }) {
		return nil
	}
	r, outer := &tensor{typ: in[0].typ, raw: []byte{}}, int(count("constant", out.shape[:axis]))
	for o := range outer {
		for _, t := range in {
			part := len(t.raw) / outer
			r.raw = append(r.raw, t.raw[o*part:(o+1)*part]...)
		}
	}
	return r
}

func evalConstantOfShape(_ *inference, n *node, _ []*tensor, out *value) *tensor {
	t := realTensor(Float, []int64{1}, 0)
	if a := n.attr("value"); a != nil && a.t != nil {
		t = a.t
	}
	if len(t.raw) == 0 {
		return nil
	}
	return pick(t, out, func(int) int { return 0 })
}

func evalRange(_ *inference, _ *node, in []*tensor, out *value) *tensor {
	start, ok := in[0].at(0)
	step, ok2 := in[2].at(0)
	if !ok || !ok2 {
		return nil
	}
	v := make([]float64, out.shape[0])
	for i := range v {
		v[i] = start + float64(i)*step
	}
	return exact(out.typ, v)
}

func evalSlice(s *inference, n *node, in []*tensor, out *value) *tensor {
	start, steps := 0, rowMajor(in[0].dims)
	for _, c := range s.cuts(n) {
		start += int(c.start) * steps[c.axis]
		steps[c.axis] *= int(c.step)
	}
	return strided(in[0], out, start, steps)
}
