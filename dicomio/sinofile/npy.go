package sinofile

import (
	"encoding/binary"
	"io"
	"strings"
)

const npyMagic = "\x93NUMPY"

// maxNPYHeader bounds the header text, whose own length field allows 4 GiB.
const maxNPYHeader = 1 << 20

// openNPY reads the header of a .npy file, versions 1.0, 2.0 and 3.0 (the format
// is described in numpy/lib/_format_impl.py).
func openNPY(s *source) (*container, error) {
	e, start, err := npyHeader(s.fileName, "", s.section(0, s.size))
	if err != nil {
		return nil, err
	}
	e.room = s.size - start
	e.open = func() (io.Reader, error) { return s.section(start, s.size-start), nil }
	c := &container{source: s, kind: "npy", entries: []*entry{e}}
	if n, ok := product(e.shape); ok && e.problem == nil && n*int64(e.dt.size) < e.room {
		c.note("%d bytes after the array were left out", e.room-n*int64(e.dt.size))
	}
	return c, nil
}

// npyHeader reads a header from r and returns where the data start.
func npyHeader(f fileName, name string, r io.Reader) (*entry, int64, error) {
	var pre [12]byte
	if _, err := io.ReadFull(r, pre[:8]); err != nil || string(pre[:6]) != npyMagic {
		return nil, 0, f.bad(name, "is not a .npy array: it does not start with \\x93NUMPY and a version")
	}
	version, lenBytes := pre[6], 4
	switch {
	case version == 1:
		lenBytes = 2
	case version != 2 && version != 3:
		return nil, 0, f.cannot(name, "version %d.%d of .npy (1.0, 2.0 and 3.0 are known)", version, pre[7])
	}
	if _, err := io.ReadFull(r, pre[8:8+lenBytes]); err != nil {
		return nil, 0, f.bad(name, "the file ends inside the .npy header")
	}
	n := int64(binary.LittleEndian.Uint32(pre[8:]))
	if n > maxNPYHeader {
		return nil, 0, f.bad(name, ".npy header of %d bytes: at most %d are sensible", n, maxNPYHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, 0, f.bad(name, "the file ends inside the .npy header")
	}
	e, err := npyEntry(f, name, string(text))
	return e, 8 + int64(lenBytes) + n, err
}

// npyEntry understands the dictionary of a header. Its keys may stand in any
// order.
func npyEntry(f fileName, name, text string) (*entry, error) {
	v, err := parseLiteral(text)
	if err != nil {
		return nil, f.bad(name, ".npy header: %v", err)
	}
	dict, ok := v.(map[string]any)
	if !ok {
		return nil, f.bad(name, ".npy header: it is not a dictionary")
	}
	for key := range dict {
		if key != "descr" && key != "fortran_order" && key != "shape" {
			return nil, f.bad(name, ".npy header: unknown key %q", key)
		}
	}
	fortran, ok := dict["fortran_order"].(bool)
	if !ok {
		return nil, f.bad(name, ".npy header: fortran_order is missing or neither True nor False")
	}
	shape, err := npyShape(f, name, dict["shape"])
	if err != nil {
		return nil, err
	}
	e := &entry{name: name, shape: shape, fortran: fortran}
	e.dt, err = npyType(f, name, dict["descr"])
	if _, unsupported := err.(*UnsupportedError); unsupported {
		e.problem, err = err, nil
		e.dt = dtype{kind: 'b', size: 1}
	}
	if fortran {
		e.shape = e.order()
	}
	return e, err
}

// maxRank bounds the number of axes.
const maxRank = 32

func npyShape(f fileName, name string, v any) ([]int, error) {
	list, ok := v.([]any)
	if !ok || len(list) > maxRank {
		return nil, f.bad(name, ".npy header: shape is missing or not a tuple of numbers")
	}
	shape := make([]int, len(list))
	for i, d := range list {
		n, ok := d.(int64)
		if !ok || n < 0 {
			return nil, f.bad(name, ".npy header: axis %d of the shape has length %v", i, d)
		}
		shape[i] = int(n)
	}
	if _, ok := product(shape); !ok {
		return nil, f.bad(name, ".npy header: shape %s is larger than any file", shapeText(shape))
	}
	return shape, nil
}

// npyType reads a descr such as "<f4".
func npyType(f fileName, name string, v any) (dtype, error) {
	d, ok := v.(string)
	if !ok {
		if _, list := v.([]any); list {
			return dtype{}, f.cannot(name, "structured elements: save one field as a plain array")
		}
		return dtype{}, f.bad(name, ".npy header: descr is missing or not a text")
	}
	t := strings.TrimLeft(d, "<>=|")
	if len(d)-len(t) > 1 || len(t) < 2 {
		if t == "O" {
			return dtype{}, f.cannot(name, "Python objects inside are never unpickled: save a plain array, numpy.save(..., allow_pickle=False)")
		}
		return dtype{}, f.bad(name, ".npy header: descr %q is no element type", d)
	}
	dt := dtype{kind: t[0], big: d[0] == '>'}
	for _, r := range t[1:] {
		if r < '0' || r > '9' || dt.size > 1000 {
			return dtype{}, f.bad(name, ".npy header: descr %q is no element type", d)
		}
		dt.size = 10*dt.size + int(r-'0')
	}
	if !dt.valid() {
		return dtype{}, f.cannot(name, "elements of type %q (float16, float32, float64, integers and bool are read)", d)
	}
	return dt, nil
}

func (c *container) note(format string, a ...any) { c.notes = append(c.notes, sprintf(format, a...)) }
