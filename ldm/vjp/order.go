package vjp

import "slices"

// ONNX Runtime runs nodes in the order of a depth-first search from the ends of
// the graph: among the ends, and among the inputs of a node, the one that was
// added last comes first, and the operators that its optimizer replaces (Conv by
// its blocked form) count as added last. Left alone it runs the whole forward
// pass, keeps every tensor, and reads them again from memory when the backward
// pass comes to them. What depends on the forward pass alone (the derivative of a
// SiLU, the deviations of a norm) is better made where its inputs are still in
// the cache, after which they are dropped: 5 % of the decoder's time. Three
// things bring that order about. Results do not depend on it.
//
//  1. tie: the outputs of the model are no ends of the graph; they are made where
//     the backward pass begins, while what they are made from is in the cache.
//  2. late: a gradient that comes out of a Conv is an operator that was added
//     before what it is multiplied with.
//  3. Rules emit what depends on the forward pass alone after what depends on g.

// tie adds to the cotangent of an output a zero made from one element of it, so
// that the gradients need the output, and first. (It is not a number where the
// output is not finite, as the gradient is then.)
func (b *builder) tie(d string, out Port) string {
	y := out.Name
	for axis, length := range out.Shape {
		if length > 1 {
			y = b.slice(y, axis, 0, 1, 1)
		}
	}
	return b.add(d, b.reshape(b.scale(y, 0)))
}

// late is g, when a Conv makes it as the result of an operator that does nothing.
func (b *builder) late(g string) string {
	if b.madeBy("Conv", g) == nil {
		return g
	}
	return b.op("Reshape", []string{g, b.constant(intTensor(b.shape(g)))})
}

// lateAs is late in another shape.
func (b *builder) lateAs(g string, shape []int64) string {
	if slices.Equal(b.shape(g), shape) {
		return b.late(g)
	}
	return b.op("Reshape", []string{g, b.constant(intTensor(shape))})
}
