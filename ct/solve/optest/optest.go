// Package optest tests linear operators: one call holds any
// [solve.LinearOperator] to its contract. It is for tests alone.
//
// # What is held
//
// Adjoint is the transpose of Apply; both are linear, overwrite a destination
// full of NaN, keep their source, repeat bit for bit, and panic on a wrong
// length. Normal and Gram, where the operator has them, are the compositions.
// The idea is ODL's (core/diagnostics/operator.py).
package optest

import (
	"fmt"
	"math"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/solve"
)

// Options of a check; the zero value is the default.
type Options struct {
	Adjoint float64 // bound on |<Ax,y>-<x,A'y>| / (|Ax||y|), 0 = 1e-6
	Linear  float64 // bound on |A(ax+bz)-aAx-bAz| / (|a||Ax|+|b||Az|), 0 = 1e-5
	Seed    uint64  // of the random vectors
}

// Check reports to t everything in which op breaks the contract of
// [solve.LinearOperator]. It returns the adjoint mismatch.
func Check(t testing.TB, op solve.LinearOperator, o Options) float64 {
	t.Helper()
	mismatch, errs := Examine(op, o)
	for _, e := range errs {
		t.Error(e)
	}
	return mismatch
}

// Examine is Check without a test: the adjoint mismatch, and what is wrong.
func Examine(op solve.LinearOperator, o Options) (mismatch float64, errs []error) {
	if o.Adjoint == 0 {
		o.Adjoint = 1e-6
	}
	if o.Linear == 0 {
		o.Linear = 1e-5
	}
	rows, cols := op.Dims()
	x, y := Normals(cols, o.Seed), Normals(rows, o.Seed+1)
	c := &checker{}
	ax := c.run("Apply", op.Apply, rows, x)
	aty := c.run("Adjoint", op.Adjoint, cols, y)
	mismatch = Mismatch(ax, y, x, aty)
	if !(mismatch <= o.Adjoint) {
		c.add("adjoint mismatch %.3g, want at most %g", mismatch, o.Adjoint)
	}
	c.linear("Apply", op.Apply, ax, x, Normals(cols, o.Seed+2), o.Linear)
	c.linear("Adjoint", op.Adjoint, aty, y, Normals(rows, o.Seed+3), o.Linear)
	if n, ok := op.(solve.NormalOperator); ok {
		c.same("Normal", c.run("Normal", n.Normal, cols, x), call(op.Adjoint, cols, ax), o.Linear)
	}
	if g, ok := op.(solve.GramOperator); ok {
		c.same("Gram", c.run("Gram", g.Gram, rows, y), call(op.Apply, rows, aty), o.Linear)
	}
	c.lengths("Apply", op.Apply, rows, cols)
	c.lengths("Adjoint", op.Adjoint, cols, rows)
	return mismatch, c.errs
}

// Mismatch is |<Ax,y>-<x,A'y>| relative to the larger of |Ax||y| and |x||A'y|;
// 0 when both are 0. The larger, because a narrow detector may see hardly
// anything of x.
func Mismatch(ax, y, x, aty []float32) float64 {
	d := math.Abs(Dot(ax, y) - Dot(x, aty))
	n := math.Max(math.Sqrt(Dot(ax, ax)*Dot(y, y)), math.Sqrt(Dot(x, x)*Dot(aty, aty)))
	if d == 0 {
		return 0
	}
	return d / n
}

// Dot is the inner product in float64.
func Dot(a, b []float32) float64 {
	s := 0.0
	for i, v := range a {
		s += float64(v) * float64(b[i])
	}
	return s
}

// Normals are n standard normal numbers that depend on seed alone.
func Normals(n int, seed uint64) []float32 {
	x := make([]float32, n)
	ct.NewStream(seed, 0, 0, 0x0b7e57).Normals(x, 0)
	return x
}

type checker struct{ errs []error }

func (c *checker) add(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// run calls f twice into NaN and demands equal bits and an unchanged source.
func (c *checker) run(name string, f func(dst, src []float32), n int, src []float32) []float32 {
	kept := append([]float32(nil), src...)
	first, second := call(f, n, src), call(f, n, src)
	if i := differ(src, kept); i >= 0 {
		c.add("%s changed its source at %d", name, i)
	}
	if i := differ(first, second); i >= 0 {
		c.add("%s: value %d is %g at first and %g when repeated", name, i, first[i], second[i])
	}
	for i, v := range first {
		if math.IsNaN(float64(v)) {
			c.add("%s left value %d of a destination full of NaN", name, i)
			break
		}
	}
	return first
}

func call(f func(dst, src []float32), n int, src []float32) []float32 {
	dst := make([]float32, n)
	for i := range dst {
		dst[i] = float32(math.NaN())
	}
	f(dst, src)
	return dst
}

// differ is the first index at which the bits differ, or -1.
func differ(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

// linear compares f(a x + b z) with a f(x) + b f(z); fx is f(x).
func (c *checker) linear(name string, f func(dst, src []float32), fx, x, z []float32, bound float64) {
	const a, b = 0.75, -1.5
	mix := make([]float32, len(x))
	for i := range mix {
		mix[i] = a*x[i] + b*z[i]
	}
	fz, got := call(f, len(fx), z), call(f, len(fx), mix)
	d := 0.0
	for i, v := range got {
		e := float64(v) - a*float64(fx[i]) - b*float64(fz[i])
		d += e * e
	}
	scale := a*math.Sqrt(Dot(fx, fx)) - b*math.Sqrt(Dot(fz, fz))
	if !(math.Sqrt(d) <= bound*scale) {
		c.add("%s is not linear: |f(ax+bz)-af(x)-bf(z)| is %.3g of the terms, want at most %g", name, math.Sqrt(d)/scale, bound)
	}
}

func (c *checker) same(name string, got, want []float32, bound float64) {
	d := 0.0
	for i, v := range got {
		e := float64(v) - float64(want[i])
		d += e * e
	}
	if n := math.Sqrt(Dot(want, want)); !(math.Sqrt(d) <= bound*n) {
		c.add("%s differs from the composition by %.3g of its norm, want at most %g", name, math.Sqrt(d)/n, bound)
	}
}

// lengths demands a panic for a wrong length of either argument.
func (c *checker) lengths(name string, f func(dst, src []float32), out, in int) {
	for _, n := range [][2]int{{out + 1, in}, {out, in + 1}, {out - 1, in}, {out, in - 1}} {
		if !panics(func() { f(make([]float32, n[0]), make([]float32, n[1])) }) {
			c.add("%s took dst of %d and src of %d values, want a panic: it maps %d to %d", name, n[0], n[1], in, out)
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return
}
