package vjp

// Signature reads the inputs and outputs that an ONNX model declares; a free
// axis has length -1. Weights that are listed as inputs (IR version 3) are left
// out. Nodes are not looked at, so that any operator is fine. The error is a
// *FormatError.
func Signature(model []byte) (inputs, outputs []Port, err error) {
	defer catch(&err)
	weights := map[string]bool{}
	msg := message{"model", model}
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		if f.num != modelGraph {
			continue
		}
		g := message{"graph", msg.bytes(f)}
		for f, ok := g.next(); ok; f, ok = g.next() {
			switch f.num {
			case graphInit:
				weights[tensorNameOf(g.bytes(f))] = true
			case graphInput:
				inputs = append(inputs, parsePort(g.bytes(f)).public())
			case graphOutput:
				outputs = append(outputs, parsePort(g.bytes(f)).public())
			}
		}
	}
	if outputs == nil {
		invalid("model", "no graph with outputs: this is no ONNX model")
	}
	kept := inputs[:0]
	for _, p := range inputs {
		if !weights[p.Name] {
			kept = append(kept, p)
		}
	}
	return kept, outputs, nil
}

func (p *port) public() Port { return Port{Name: p.name, Type: p.typ, Shape: p.dims} }

// tensorNameOf reads nothing but the name of a TensorProto.
func tensorNameOf(b []byte) string {
	msg, name := message{"tensor", b}, ""
	for f, ok := msg.next(); ok; f, ok = msg.next() {
		if f.num == tensorName {
			name = msg.text(f)
		}
	}
	return name
}
