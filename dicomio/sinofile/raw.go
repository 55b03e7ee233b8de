package sinofile

import (
	"io"
	"strings"
)

// Raw describes a file without a header. The zero value means that nothing is
// known.
type Raw struct {
	DType       string // "uint16", "float32", "u2", "<f4", ...
	Shape       []int  // slowest axis first
	BigEndian   bool
	HeaderBytes int64 // bytes before the first element
}

// openRaw reads a file as the sidecar or the caller describes it.
func openRaw(s *source, raw Raw) (*container, error) {
	if raw.DType == "" || len(raw.Shape) == 0 {
		return nil, s.cannot("", "the format is not known; for raw data give dtype and shape in a sidecar")
	}
	dt, ok := parseDType(raw.DType)
	if !ok {
		return nil, s.cannot("dtype", "%q is not known (float32, float64, float16, int8 to int64, uint8 to uint64 are)", raw.DType)
	}
	dt.big = dt.big || raw.BigEndian
	for i, d := range raw.Shape {
		if d < 1 {
			return nil, s.bad("shape", "axis %d has length %d", i, d)
		}
	}
	n, ok := product(raw.Shape)
	if !ok || raw.HeaderBytes < 0 || raw.HeaderBytes > s.size {
		return nil, s.bad("shape", "%s after a header of %d bytes is impossible", shapeText(raw.Shape), raw.HeaderBytes)
	}
	need := n * int64(dt.size)
	if need != s.size-raw.HeaderBytes {
		return nil, s.bad("shape", "%s of %s needs %d bytes, and %d follow the header of %d bytes", shapeText(raw.Shape), dt, need, s.size-raw.HeaderBytes, raw.HeaderBytes)
	}
	e := &entry{shape: raw.Shape, dt: dt, room: need}
	e.open = func() (io.Reader, error) { return s.section(raw.HeaderBytes, need), nil }
	return &container{source: s, kind: "raw", entries: []*entry{e}}, nil
}

// parseDType reads the name of an element type: numpy's short or long ones.
func parseDType(name string) (dtype, bool) {
	d := dtype{big: strings.HasPrefix(name, ">")}
	t := strings.TrimLeft(strings.ToLower(name), "<>=|")
	for _, w := range []struct {
		prefix string
		kind   byte
	}{{"float", 'f'}, {"uint", 'u'}, {"int", 'i'}} {
		if bits, ok := strings.CutPrefix(t, w.prefix); ok {
			d.kind = w.kind
			d.size = map[string]int{"8": 1, "16": 2, "32": 4, "64": 8}[bits]
			return d, d.valid()
		}
	}
	if len(t) == 2 {
		d.kind, d.size = t[0], int(t[1]-'0')
	}
	if t == "bool" {
		d.kind, d.size = 'b', 1
	}
	return d, d.valid()
}
