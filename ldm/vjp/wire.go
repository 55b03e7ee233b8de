package vjp

import (
	"encoding/binary"
	"math"
)

// Wire kinds of the protobuf encoding; groups are not used by ONNX.
const (
	kindVarint = 0
	kind64     = 1
	kindBytes  = 2
	kind32     = 5
)

// field is one record of a protobuf message. Bytes lie in the message itself.
type field struct {
	num, kind int
	v         uint64 // of the kinds varint, 32 and 64
	b         []byte // of the kind bytes
	raw       []byte // the whole record, tag included
}

// message is a protobuf message; place names it in errors.
type message struct {
	place string
	b     []byte
}

// next cuts the first record off the message. It stops with a FormatError when
// the record runs beyond the message, so that no length is believed.
func (m *message) next() (f field, ok bool) {
	if len(m.b) == 0 {
		return f, false
	}
	start := m.b
	tag := m.varint()
	f.num, f.kind = int(tag>>3), int(tag&7)
	if tag>>3 == 0 || tag>>3 > 1<<29-1 {
		invalid(m.place, "field number %d", tag>>3)
	}
	switch f.kind {
	case kindVarint:
		f.v = m.varint()
	case kind64:
		f.v = binary.LittleEndian.Uint64(m.take(8))
	case kind32:
		f.v = uint64(binary.LittleEndian.Uint32(m.take(4)))
	case kindBytes:
		f.b = m.take(m.varint())
	default:
		invalid(m.place, "field %d has wire type %d", f.num, f.kind)
	}
	f.raw = start[:len(start)-len(m.b)]
	return f, true
}

func (m *message) take(n uint64) []byte {
	if n > uint64(len(m.b)) {
		invalid(m.place, "a field of %d bytes where %d are left: the file is cut or no ONNX model", n, len(m.b))
	}
	b := m.b[:n:n]
	m.b = m.b[n:]
	return b
}

func (m *message) varint() uint64 {
	v, n := binary.Uvarint(m.b)
	if n <= 0 {
		invalid(m.place, "a cut or overlong number: the file is cut or no ONNX model")
	}
	m.b = m.b[n:]
	return v
}

// want stops when the field is not of the kind that its number says.
func (m *message) want(f field, kind int) field {
	if f.kind != kind {
		invalid(m.place, "field %d has wire type %d, want %d", f.num, f.kind, kind)
	}
	return f
}

func (m *message) bytes(f field) []byte  { return m.want(f, kindBytes).b }
func (m *message) text(f field) string   { return string(m.want(f, kindBytes).b) }
func (m *message) number(f field) int64  { return int64(m.want(f, kindVarint).v) }
func (m *message) float(f field) float32 { return math.Float32frombits(uint32(m.want(f, kind32).v)) }

// numbers appends a repeated integer, packed or not.
func (m *message) numbers(dst []int64, f field) []int64 {
	if f.kind == kindVarint {
		return append(dst, int64(f.v))
	}
	p := message{m.place, m.bytes(f)}
	for len(p.b) > 0 {
		dst = append(dst, int64(p.varint()))
	}
	return dst
}

// floats appends a repeated float, packed or not.
func (m *message) floats(dst []float32, f field) []float32 {
	if f.kind == kind32 {
		return append(dst, m.float(f))
	}
	p := message{m.place, m.bytes(f)}
	for len(p.b) > 0 {
		dst = append(dst, math.Float32frombits(binary.LittleEndian.Uint32(p.take(4))))
	}
	return dst
}

// doubles appends a repeated double, packed or not.
func (m *message) doubles(dst []float64, f field) []float64 {
	if f.kind == kind64 {
		return append(dst, math.Float64frombits(f.v))
	}
	p := message{m.place, m.bytes(f)}
	for len(p.b) > 0 {
		dst = append(dst, math.Float64frombits(binary.LittleEndian.Uint64(p.take(8))))
	}
	return dst
}

func putTag(b []byte, num, kind int) []byte {
	return binary.AppendUvarint(b, uint64(num)<<3|uint64(kind))
}

func putNumber(b []byte, num int, v int64) []byte {
	return binary.AppendUvarint(putTag(b, num, kindVarint), uint64(v))
}

func putFloat(b []byte, num int, v float32) []byte {
	return binary.LittleEndian.AppendUint32(putTag(b, num, kind32), math.Float32bits(v))
}

func putBytes(b []byte, num int, v []byte) []byte {
	return append(binary.AppendUvarint(putTag(b, num, kindBytes), uint64(len(v))), v...)
}

func putText(b []byte, num int, v string) []byte {
	return append(binary.AppendUvarint(putTag(b, num, kindBytes), uint64(len(v))), v...)
}
