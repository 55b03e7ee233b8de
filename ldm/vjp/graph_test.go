package vjp

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ctrecon/ldm/onnx"
)

// graph writes small models for tests: the first input is "x", the last tensor
// made is the output "y" unless ports are named.
type graph struct {
	opset  int64
	nodes  []*node
	inits  []*tensor
	in     []Port
	values []Port // value_info
	rng    *rand.Rand
	count  int
}

func newGraph(opset int64, shape ...int64) *graph {
	g := &graph{opset: opset, rng: rand.New(rand.NewPCG(1, 2))}
	g.in = []Port{{"x", Float, shape}}
	return g
}

func (g *graph) name() string {
	g.count++
	return "t" + strconv.Itoa(g.count)
}

// op adds a node and gives its first output.
func (g *graph) op(op string, in []string, attrs ...attribute) string {
	return g.ops(op, 1, in, attrs...)[0]
}

func (g *graph) ops(op string, outs int, in []string, attrs ...attribute) []string {
	n := &node{op: op, name: "n" + strconv.Itoa(g.count), in: in, attrs: attrs}
	for range outs {
		n.out = append(n.out, g.name())
	}
	g.nodes = append(g.nodes, n)
	return n.out
}

func (g *graph) init(t *tensor) string {
	t.name = g.name()
	g.inits = append(g.inits, t)
	return t.name
}

// weight is a normal random initializer.
func (g *graph) weight(dims ...int64) string {
	v := make([]float64, count("weight", dims))
	for i := range v {
		v[i] = 0.5 * g.rng.NormFloat64()
	}
	return g.init(realTensor(Float, dims, v...))
}

func (g *graph) ints(v ...int64) string { return g.init(intTensor(v)) }
func (g *graph) num(v float64) string   { return g.init(realTensor(Float, nil, v)) }
func (g *graph) fill(v float64, n int) string {
	values := make([]float64, n)
	for i := range values {
		values[i] = v
	}
	return g.init(realTensor(Float, []int64{int64(n)}, values...))
}

// model ends the graph with the output y = last.
func (g *graph) model(last string) []byte {
	g.nodes = append(g.nodes, &node{op: "Identity", name: "end", in: []string{last}, out: []string{"y"}})
	return g.encode([]Port{{Name: "y", Type: Float}})
}

// encode writes the model; the shapes of outputs are left out, as a bare file
// may.
func (g *graph) encode(out []Port) []byte {
	var b []byte
	for _, n := range g.nodes {
		if n.raw == nil {
			b = putBytes(b, graphNode, n.encode())
		} else {
			b = putBytes(b, graphNode, n.raw)
		}
	}
	b = putText(b, graphName, "test")
	for _, t := range g.inits {
		b = putBytes(b, graphInit, t.encode())
	}
	for _, p := range g.in {
		b = putBytes(b, graphInput, p.encode())
	}
	for _, p := range g.values {
		b = putBytes(b, graphValue, p.encode())
	}
	for _, p := range out {
		tensor := putNumber(nil, 1, int64(p.Type))
		b = putBytes(b, graphOutput, putBytes(putText(nil, 1, p.Name), 2, putBytes(nil, 1, tensor)))
	}
	m := putNumber(nil, modelIR, 8)
	m = putBytes(m, modelOpset, putNumber(putText(nil, 1, ""), 2, g.opset))
	return putBytes(m, modelGraph, b)
}

// library finds ONNX Runtime for the tests: the search of ldm/onnx, or the
// lib folder of the source tree, where make puts it.
func library(t testing.TB) {
	t.Helper()
	if os.Getenv(onnx.LibraryEnv) == "" {
		if found, _ := filepath.Glob("../../lib/libonnxruntime.so*"); len(found) > 0 {
			if p, err := filepath.Abs(found[0]); err == nil {
				os.Setenv(onnx.LibraryEnv, p)
			}
		}
	}
	if _, err := onnx.Open(); err != nil {
		t.Skipf("gradients are not run: %v", err)
	}
}

// runner is a gradient graph in a session.
type runner struct {
	t    testing.TB
	S    *onnx.Session
	Info Info
}

func ports(list []Port) []onnx.Port {
	var p []onnx.Port
	for _, x := range list {
		p = append(p, onnx.Port{Name: x.Name, Shape: x.Shape})
	}
	return p
}

func newRunner(t testing.TB, model []byte, wrt ...string) *runner {
	t.Helper()
	grad, info, err := Build(model, wrt)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	s, err := onnx.NewSession(grad, ports(info.Inputs), ports(info.Outputs), onnx.Options{Threads: 1})
	if err != nil {
		t.Fatalf("ONNX Runtime refuses the gradient graph: %v", err)
	}
	t.Cleanup(s.Close)
	return &runner{t, s, info}
}

func (r *runner) In(name string) []float32 {
	for i, p := range r.Info.Inputs {
		if p.Name == name {
			return r.S.In(i)
		}
	}
	r.t.Fatalf("no input %s in %v", name, r.Info.Inputs)
	return nil
}

func (r *runner) Out(name string) []float32 {
	for i, p := range r.Info.Outputs {
		if p.Name == name {
			return r.S.Out(i)
		}
	}
	r.t.Fatalf("no output %s in %v", name, r.Info.Outputs)
	return nil
}

func (r *runner) Run() {
	if err := r.S.Run(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

// value is <dy, y> summed over the outputs that have a cotangent, in double.
func (r *runner) value() float64 {
	r.Run()
	sum := 0.0
	for _, p := range r.Info.Inputs {
		if strings.HasPrefix(p.Name, "d_") {
			sum += dot(r.In(p.Name), r.Out(p.Name[2:]))
		}
	}
	return sum
}

func dot(a, b []float32) float64 {
	s := 0.0
	for i, v := range a {
		s += float64(v) * float64(b[i])
	}
	return s
}

// derivative of <dy, y> along v at x by the five-point formula, error O(h^4).
func (r *runner) Derivative(x string, v []float32, h float64) float64 {
	at := r.In(x)
	keep := append([]float32(nil), at...)
	defer copy(at, keep)
	f := func(k float64) float64 {
		for i := range at {
			at[i] = float32(float64(keep[i]) + k*h*float64(v[i]))
		}
		return r.value()
	}
	return (8*(f(1)-f(-1)) - (f(2) - f(-2))) / (12 * h)
}

func fillNormal(rng *rand.Rand, dst []float32) {
	for i := range dst {
		dst[i] = float32(rng.NormFloat64())
	}
}

// worst compares the gradient by x with differences for every element; it gives
// the largest difference over the largest gradient.
func (r *runner) worst(x string, h float64) float64 {
	r.value()
	g := append([]float32(nil), r.Out("d_"+x)...)
	v, worst, largest := make([]float32, len(g)), 0.0, 0.0
	for i := range g {
		v[i] = 1
		d := r.Derivative(x, v, h)
		v[i] = 0
		worst, largest = max(worst, math.Abs(d-float64(g[i]))), max(largest, math.Abs(d))
	}
	return worst / largest
}
