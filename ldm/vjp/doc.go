// Package vjp reads an ONNX graph and writes its vector-Jacobian product as
// another ONNX graph, in ordinary operators, so that any inference build of ONNX
// Runtime computes gradients of a plain export of a decoder, encoder or UNet.
//
// # Words
//
// For a graph y = f(x) and a cotangent dy of y's shape, the gradient is
// dx = J(x)' dy, the derivative of <dy, f(x)>. The written graph has the inputs
// of the old one and d_<y> for every output y that depends on what is asked for;
// its outputs are the old ones and d_<x> for every input x asked for. All shapes
// are those of y and x, and static.
//
// # Method
//
// Reverse-mode differentiation of the graph (Griewank and Walther, Evaluating
// Derivatives, 2nd ed., ch. 3): a sweep forward marks the tensors that depend on
// the inputs asked for, a sweep backward asks one rule an operator for the
// gradients of the marked inputs. Weights cost nothing. Gradients of a tensor
// with several consumers are added in a fixed order, so that bits do not depend
// on threads. Nodes and weights of the old graph are copied byte for byte, and
// weights stored as float16 with a Cast stay so; only instance norms on the way,
// with the affine part after them, are written anew, since the gradient needs
// what they hide (fold.go). Outputs may thus differ from the old graph's by
// rounding.
//
// # Promise
//
// A gradient is right or an error names the node: an operator without a rule, a
// shape that is not static and a path to a weight are never a silent zero. Any
// bytes are read or refused by *FormatError or *UnsupportedError.
package vjp
