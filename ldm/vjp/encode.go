package vjp

// The kinds of attributes that are written, by ONNX's AttributeProto.AttributeType.
const (
	kindAttrFloat  = 1
	kindAttrInt    = 2
	kindAttrString = 3
	kindAttrInts   = 7
)

func attrInt(name string, v int64) attribute { return attribute{name: name, i: &v} }
func attrInts64(name string, v []int64) attribute {
	return attribute{name: name, ints: v}
}
func attrText(name, v string) attribute { return attribute{name: name, s: []byte(v)} }
func attrFloat(name string, v float64) attribute {
	f := float32(v)
	return attribute{name: name, f: &f}
}

func (a *attribute) encode() []byte {
	b := putText(nil, attrName, a.name)
	switch {
	case a.f != nil:
		return putNumber(putFloat(b, attrF, *a.f), attrKind, kindAttrFloat)
	case a.i != nil:
		return putNumber(putNumber(b, attrI, *a.i), attrKind, kindAttrInt)
	case a.s != nil:
		return putNumber(putBytes(b, attrS, a.s), attrKind, kindAttrString)
	}
	for _, v := range a.ints {
		b = putNumber(b, attrInts, v)
	}
	return putNumber(b, attrKind, kindAttrInts)
}

func (n *node) encode() []byte {
	var b []byte
	for _, s := range n.in {
		b = putText(b, nodeIn, s)
	}
	for _, s := range n.out {
		b = putText(b, nodeOut, s)
	}
	b = putText(putText(b, nodeName, n.name), nodeOp, n.op)
	for i := range n.attrs {
		b = putBytes(b, nodeAttr, n.attrs[i].encode())
	}
	return b
}

func (t *tensor) encode() []byte {
	b := make([]byte, 0, len(t.raw)+len(t.name)+64)
	for _, d := range t.dims {
		b = putNumber(b, tensorDims, d)
	}
	b = putText(putNumber(b, tensorType, int64(t.typ)), tensorName, t.name)
	return putBytes(b, tensorRaw, t.raw)
}

// encode writes the ValueInfoProto of a tensor with a static shape.
func (p Port) encode() []byte {
	var shape []byte
	for _, d := range p.Shape {
		shape = putBytes(shape, 1, putNumber(nil, 1, d))
	}
	tensor := putBytes(putNumber(nil, 1, int64(p.Type)), 2, shape)
	return putBytes(putText(nil, 1, p.Name), 2, putBytes(nil, 1, tensor))
}
