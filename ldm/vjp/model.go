package vjp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// The numbers of the fields of ONNX's messages that are read or written
// (onnx/onnx.proto of ONNX 1.23).
const (
	modelIR, modelProducer, modelGraph, modelOpset, modelFunctions = 1, 2, 7, 8, 25

	graphNode, graphName, graphInit, graphInput, graphOutput, graphValue, graphSparse = 1, 2, 5, 11, 12, 13, 15

	nodeIn, nodeOut, nodeName, nodeOp, nodeAttr, nodeDomain = 1, 2, 3, 4, 5, 7

	attrName, attrF, attrI, attrS, attrT, attrG, attrFloats, attrInts, attrKind = 1, 2, 3, 4, 5, 6, 7, 8, 20
	attrGraphs, attrSparse, attrSparses, attrRef                                = 11, 22, 23, 21

	tensorDims, tensorType, tensorSegment, tensorFloats, tensorInt32s, tensorInt64s = 1, 2, 3, 4, 5, 7
	tensorName, tensorRaw, tensorDoubles, tensorUint64s, tensorLocation             = 8, 9, 10, 11, 14
)

// model is what is needed of a ModelProto. Messages that go into the new graph
// unchanged are kept as bytes.
type model struct {
	head    []byte // records of the model that the new one keeps: IR version, opsets, functions
	opset   int64
	nodes   []*node
	inits   []*tensor
	initRaw [][]byte
	inputs  []*port
	outputs []*port
	values  []*port // value_info: shapes of tensors between
}

// port is a ValueInfoProto of a tensor. An axis without a length is -1.
type port struct {
	name string
	typ  Type
	dims []int64
	axes []string // names of free axes
	raw  []byte
	none bool // no tensor, or no shape
}

// attribute of a node; only the field of its kind is set.
type attribute struct {
	name   string
	f      *float32
	i      *int64
	s      []byte
	t      *tensor
	floats []float32
	ints   []int64
}

// node is an operator of a graph.
type node struct {
	op, domain, name string
	in, out          []string
	attrs            []attribute
	raw              []byte
}

// key names the operator, with its domain when that is not ONNX's own.
func (n *node) key() string {
	if n.domain == "" || n.domain == "ai.onnx" {
		return n.op
	}
	return n.domain + "." + n.op
}

// label names the node in errors: its name, or its first output.
func (n *node) label() string {
	switch {
	case n.name != "":
		return strconv.Quote(n.name)
	case len(n.out) > 0:
		return fmt.Sprintf("(output %q)", n.out[0])
	}
	return "(without a name)"
}

// input is the name of input i, empty when it is left out.
func (n *node) input(i int) string {
	if i < len(n.in) {
		return n.in[i]
	}
	return ""
}

func (n *node) attr(name string) *attribute {
	for i := range n.attrs {
		if n.attrs[i].name == name {
			return &n.attrs[i]
		}
	}
	return nil
}

func (n *node) int(name string, def int64) int64 {
	if a := n.attr(name); a != nil && a.i != nil {
		return *a.i
	}
	return def
}

func (n *node) float(name string, def float64) float64 {
	if a := n.attr(name); a != nil && a.f != nil {
		return float64(*a.f)
	}
	return def
}

func (n *node) text(name, def string) string {
	if a := n.attr(name); a != nil && a.s != nil {
		return string(a.s)
	}
	return def
}

// ints is a list attribute, or count times def.
func (n *node) ints(name string, count int, def int64) []int64 {
	if a := n.attr(name); a != nil && len(a.ints) > 0 {
		if len(a.ints) != count {
			n.invalid("attribute %s has %d values, want %d", name, len(a.ints), count)
		}
		return a.ints
	}
	v := make([]int64, count)
	for i := range v {
		v[i] = def
	}
	return v
}

// maxModel is protobuf's own limit.
const maxModel = math.MaxInt32

// parse reads a ModelProto.
func parse(b []byte) *model {
	if len(b) > maxModel {
		panic(stop{&UnsupportedError{"", "model", fmt.Sprintf("%d bytes are more than protobuf allows; weights in a file beside it are not read", len(b))}})
	}
	m, msg := &model{}, message{"model", b}
	graphs := 0
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		switch f.num {
		case modelIR, modelFunctions:
			m.head = append(m.head, f.raw...)
		case modelOpset:
			m.head = append(m.head, f.raw...)
			m.addOpset(msg.bytes(f))
		case modelGraph:
			graphs++
			m.addGraph(msg.bytes(f))
		}
	}
	if graphs != 1 {
		invalid("model", "%d graphs: this is no ONNX model", graphs)
	}
	if m.opset < minOpset || m.opset > maxOpset {
		panic(stop{&UnsupportedError{"", "model", fmt.Sprintf("opset %d: %d to %d are supported", m.opset, minOpset, maxOpset)}})
	}
	return m
}

// Opsets whose operators mean what the rules say; 13 gave the reductions their
// axes as inputs, 28 is not read yet.
const minOpset, maxOpset = 13, 27

func (m *model) addOpset(b []byte) {
	msg := message{"opset_import", b}
	domain, version := "", int64(0)
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		switch f.num {
		case 1:
			domain = msg.text(f)
		case 2:
			version = msg.number(f)
		}
	}
	if domain == "" || domain == "ai.onnx" {
		m.opset = version
	}
}

func (m *model) addGraph(b []byte) {
	msg := message{"graph", b}
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		switch f.num {
		case graphNode:
			m.nodes = append(m.nodes, parseNode(msg.bytes(f)))
		case graphInit:
			m.inits = append(m.inits, parseTensor(msg.bytes(f)))
			m.initRaw = append(m.initRaw, f.raw)
		case graphInput:
			m.inputs = append(m.inputs, parsePort(msg.bytes(f)))
		case graphOutput:
			m.outputs = append(m.outputs, parsePort(msg.bytes(f)))
		case graphValue:
			m.values = append(m.values, parsePort(msg.bytes(f)))
		case graphSparse:
			panic(stop{&UnsupportedError{"", "graph", "a sparse initializer is not supported"}})
		}
	}
}

func parseNode(b []byte) *node {
	n, msg := &node{raw: b}, message{"node", b}
	var attrs [][]byte
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		switch f.num {
		case nodeIn:
			n.in = append(n.in, msg.text(f))
		case nodeOut:
			n.out = append(n.out, msg.text(f))
		case nodeName:
			n.name = msg.text(f)
		case nodeOp:
			n.op = msg.text(f)
		case nodeDomain:
			n.domain = msg.text(f)
		case nodeAttr:
			attrs = append(attrs, msg.bytes(f))
		}
	}
	if n.op == "" {
		n.invalid("no operator is named")
	}
	for _, a := range attrs {
		n.attrs = append(n.attrs, n.parseAttr(a))
	}
	return n
}

func (n *node) parseAttr(b []byte) attribute {
	a, msg := attribute{}, message{"attribute of " + n.op + " " + n.label(), b}
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		switch f.num {
		case attrName:
			a.name = msg.text(f)
		case attrF:
			v := msg.float(f)
			a.f = &v
		case attrI:
			v := msg.number(f)
			a.i = &v
		case attrS:
			a.s = bytes.Clone(msg.bytes(f))
			if a.s == nil {
				a.s = []byte{}
			}
		case attrT:
			a.t = parseTensor(msg.bytes(f))
		case attrFloats:
			a.floats = msg.floats(a.floats, f)
		case attrInts:
			a.ints = msg.numbers(a.ints, f)
		case attrG, attrGraphs:
			n.unsupported("a graph inside a node is not supported: export without control flow")
		case attrSparse, attrSparses, attrRef:
			n.unsupported("attribute of a kind that is not supported (field %d)", f.num)
		}
	}
	return a
}

func parsePort(b []byte) *port {
	p, msg := &port{raw: b, none: true}, message{"value_info", b}
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		switch f.num {
		case 1:
			p.name = msg.text(f)
		case 2:
			kind := message{"type of " + p.name, msg.bytes(f)}
			for t, ok := kind.next(); ok; t, ok = kind.next() {
				if t.num == 1 {
					p.tensorType(kind.bytes(t))
				}
			}
		}
	}
	return p
}

// tensorType reads a TypeProto.Tensor.
func (p *port) tensorType(b []byte) {
	msg := message{"type of " + p.name, b}
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		switch f.num {
		case 1:
			p.typ = Type(msg.number(f))
		case 2:
			p.none, p.dims, p.axes = false, nil, nil
			shape := message{msg.place, msg.bytes(f)}
			for d, ok := shape.next(); ok; d, ok = shape.next() {
				if d.num == 1 {
					p.axis(shape.bytes(d))
				}
			}
		}
	}
}

func (p *port) axis(b []byte) {
	msg := message{"shape of " + p.name, b}
	length, name := int64(-1), ""
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		switch f.num {
		case 1:
			length = msg.number(f)
		case 2:
			name = msg.text(f)
		}
	}
	p.dims, p.axes = append(p.dims, max(-1, length)), append(p.axes, name)
}

// free is the first axis without a length, -1 when all have one.
func (p *port) free() int {
	for i, d := range p.dims {
		if d < 0 {
			return i
		}
	}
	return -1
}

// parseTensor reads a TensorProto. The values of types without a size here
// (strings, 4 bits) are left out.
func parseTensor(b []byte) *tensor {
	t, msg := &tensor{}, message{"tensor", b}
	var v payload
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		switch f.num {
		case tensorDims:
			t.dims = msg.numbers(t.dims, f)
		case tensorType:
			t.typ = Type(msg.number(f))
		case tensorName:
			t.name = msg.text(f)
			msg.place = "tensor " + t.name
		case tensorLocation:
			if msg.number(f) != 0 {
				panic(stop{&UnsupportedError{"", msg.place, "its values lie in another file: export with external_data=False"}})
			}
		case tensorSegment:
			panic(stop{&UnsupportedError{"", msg.place, "a tensor in segments is not supported"}})
		default:
			v.read(&msg, f)
		}
	}
	n := count(msg.place, t.dims)
	if size := t.typ.size(); size > 0 {
		t.raw = v.raw
		if !v.isRaw {
			t.raw = v.encode(t.typ)
		}
		if int64(len(t.raw)) != n*int64(size) {
			invalid(msg.place, "%d bytes of values, its shape %v needs %d", len(t.raw), t.dims, n*int64(size))
		}
	}
	return t
}

// payload are a tensor's values in one of the ways that ONNX has for them.
type payload struct {
	raw     []byte
	isRaw   bool
	floats  []float32
	doubles []float64
	ints    []int64
}

func (v *payload) read(msg *message, f field) {
	switch f.num {
	case tensorRaw:
		v.raw, v.isRaw = msg.bytes(f), true
	case tensorFloats:
		v.floats = msg.floats(v.floats, f)
	case tensorDoubles:
		v.doubles = msg.doubles(v.doubles, f)
	case tensorInt32s, tensorInt64s, tensorUint64s:
		v.ints = msg.numbers(v.ints, f)
	}
}

// encode gives the typed values as little-endian bytes.
func (v *payload) encode(typ Type) []byte {
	le, raw := binary.LittleEndian, []byte(nil)
	for _, x := range v.floats {
		raw = le.AppendUint32(raw, math.Float32bits(x))
	}
	for _, x := range v.doubles {
		raw = le.AppendUint64(raw, math.Float64bits(x))
	}
	for _, x := range v.ints {
		switch typ.size() {
		case 1:
			raw = append(raw, byte(x))
		case 2:
			raw = le.AppendUint16(raw, uint16(x))
		case 4:
			raw = le.AppendUint32(raw, uint32(x))
		case 8:
			raw = le.AppendUint64(raw, uint64(x))
		}
	}
	return raw
}
