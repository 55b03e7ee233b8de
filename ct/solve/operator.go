// Package solve has iterative solvers for linear least squares and its
// regularised forms. It sees a LinearOperator and knows nothing of CT.
//
// Data are float32, sums are float64, nothing is allocated inside an iteration,
// and results do not depend on the number of workers.
package solve

// LinearOperator maps x (cols values) to y (rows values). Both calls overwrite
// dst, keep src, and panic when a length is wrong. Adjoint is the exact
// transpose of Apply in the arithmetic used: <Ax, y> = <x, A'y> to rounding.
type LinearOperator interface {
	Dims() (rows, cols int)
	Apply(dst, src []float32)
	Adjoint(dst, src []float32)
}

// NormalOperator is implemented by operators that compute A'A x in one pass;
// solvers use it when it is there.
type NormalOperator interface {
	Normal(dst, src []float32)
}

// GramOperator is implemented by operators that compute A A' y in one pass.
type GramOperator interface {
	Gram(dst, src []float32)
}
