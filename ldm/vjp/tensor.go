package vjp

import (
	"encoding/binary"
	"math"
)

// Type is an element type, numbered as ONNX's TensorProto.DataType.
type Type int32

// The types that appear in the graphs of this package.
const (
	Float   Type = 1
	Int32   Type = 6
	Int64   Type = 7
	Bool    Type = 9
	Float16 Type = 10
	Double  Type = 11
)

// size is the bytes of an element, 0 for types whose values are not read.
func (t Type) size() int {
	switch t {
	case 2, 3, Bool: // uint8, int8
		return 1
	case 4, 5, Float16, 16: // uint16, int16, bfloat16
		return 2
	case Float, Int32, 12: // uint32
		return 4
	case Int64, Double, 13: // uint64
		return 8
	}
	return 0
}

// real says whether gradients of the type exist here.
func (t Type) real() bool { return t == Float || t == Float16 || t == Double }

// Limits of what is believed of a shape.
const (
	maxRank     = 16
	maxElements = 1 << 31
)

// small bounds the constants that are computed here; they are shapes and the
// like, never weights.
const small = 4096

// tensor is a constant: little-endian values, row-major.
type tensor struct {
	name string
	typ  Type
	dims []int64
	raw  []byte
}

// count is the number of elements of a shape; it stops above maxElements.
func count(place string, dims []int64) int64 {
	if len(dims) > maxRank {
		invalid(place, "%d axes, more than %d", len(dims), maxRank)
	}
	n := int64(1)
	for _, d := range dims {
		if d < 0 || d > maxElements {
			invalid(place, "an axis of length %d", d)
		}
		if n *= d; n > maxElements {
			invalid(place, "more than %d elements", int64(maxElements))
		}
	}
	return n
}

func (t *tensor) count() int64 { return count(t.name, t.dims) }

// at is element i as a real number; ok says whether the type is one of those
// that are read.
func (t *tensor) at(i int) (v float64, ok bool) {
	le := binary.LittleEndian
	switch t.typ {
	case Float:
		return float64(math.Float32frombits(le.Uint32(t.raw[4*i:]))), true
	case Double:
		return math.Float64frombits(le.Uint64(t.raw[8*i:])), true
	case Float16:
		return fromHalf(le.Uint16(t.raw[2*i:])), true
	case Int64:
		return float64(int64(le.Uint64(t.raw[8*i:]))), true
	case Int32:
		return float64(int32(le.Uint32(t.raw[4*i:]))), true
	case Bool:
		return float64(t.raw[i]), true
	}
	return 0, false
}

// reals are the values of a small tensor.
func (t *tensor) reals() ([]float64, bool) {
	n := t.count()
	if n > small {
		return nil, false
	}
	out := make([]float64, n)
	for i := range out {
		v, ok := t.at(i)
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

// ints are the values of a small int64 or int32 tensor.
func (t *tensor) ints() ([]int64, bool) {
	if t.typ != Int64 && t.typ != Int32 || t.count() > small {
		return nil, false
	}
	out := make([]int64, t.count())
	for i := range out {
		if t.typ == Int64 {
			out[i] = int64(binary.LittleEndian.Uint64(t.raw[8*i:]))
		} else {
			out[i] = int64(int32(binary.LittleEndian.Uint32(t.raw[4*i:])))
		}
	}
	return out, true
}

// realTensor holds values rounded to the type.
func realTensor(typ Type, dims []int64, values ...float64) *tensor {
	t := &tensor{typ: typ, dims: dims}
	le := binary.LittleEndian
	for _, v := range values {
		switch typ {
		case Float:
			t.raw = le.AppendUint32(t.raw, math.Float32bits(float32(v)))
		case Double:
			t.raw = le.AppendUint64(t.raw, math.Float64bits(v))
		case Float16:
			t.raw = le.AppendUint16(t.raw, toHalf(v))
		case Int64:
			t.raw = le.AppendUint64(t.raw, uint64(int64(v)))
		case Int32:
			t.raw = le.AppendUint32(t.raw, uint32(int32(v)))
		case Bool:
			t.raw = append(t.raw, truth(v != 0))
		default:
			return nil
		}
	}
	return t
}

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// intTensor holds int64 values, as a vector unless dims are given.
func intTensor(values []int64, dims ...int64) *tensor {
	if dims == nil {
		dims = []int64{int64(len(values))}
	}
	t := &tensor{typ: Int64, dims: dims}
	for _, v := range values {
		t.raw = binary.LittleEndian.AppendUint64(t.raw, uint64(v))
	}
	return t
}

// fromHalf is the value of an IEEE 754 binary16.
func fromHalf(h uint16) float64 {
	sign, exp, frac := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 != 0 {
		sign = -1
	}
	switch exp {
	case 0:
		return sign * math.Ldexp(frac, -24)
	case 31:
		if frac != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

// toHalf rounds to the nearest binary16, ties to even.
func toHalf(v float64) uint16 {
	var sign uint16
	if math.Signbit(v) {
		sign, v = 1<<15, -v
	}
	switch {
	case math.IsNaN(v):
		return sign | 0x7e00
	case v >= 65520:
		return sign | 0x7c00
	case v < 0x1p-14:
		return sign | uint16(math.RoundToEven(math.Ldexp(v, 24)))
	}
	_, exp := math.Frexp(v) // v in [2^(exp-1), 2^exp)
	frac := math.RoundToEven(math.Ldexp(v, 11-exp))
	return sign | uint16((exp+14)<<10) + uint16(frac) - 1024
}

// flipTaps is the weight of the transposed stride-1 convolution: channels in and
// out swapped inside each group, taps reversed. t is [M, C/groups, taps...].
func (t *tensor) flipTaps(groups int64) *tensor {
	out := &tensor{typ: t.typ, dims: append([]int64(nil), t.dims...), raw: make([]byte, len(t.raw))}
	size, m, c := t.typ.size(), t.dims[0]/groups, t.dims[1]
	taps := 1
	for _, d := range t.dims[2:] {
		taps *= int(d)
	}
	out.dims[0], out.dims[1] = groups*c, m
	for g := int64(0); g < groups; g++ {
		for i := int64(0); i < m; i++ {
			for j := int64(0); j < c; j++ {
				src := t.raw[int((g*m+i)*c+j)*taps*size:]
				dst := out.raw[int((g*c+j)*m+i)*taps*size:]
				for k := 0; k < taps; k++ {
					copy(dst[(taps-1-k)*size:(taps-k)*size], src[k*size:])
				}
			}
		}
	}
	return out
}

// spreadTaps makes of a convolution's weight [M, C*k*k, taps], for an image whose
// k by k blocks were turned into channels, that of the image itself, with stride
// k: [M, C, k*taps]. Channels count [C, k, k], or [k, k, C] where planes is set.
func (t *tensor) spreadTaps(k int64, planes bool) *tensor {
	M, C, height, width := t.dims[0], t.dims[1]/k/k, t.dims[2], t.dims[3]
	r := &tensor{typ: t.typ, dims: []int64{M, C, k * height, k * width}, raw: make([]byte, 0, len(t.raw))}
	size := int64(t.typ.size())
	for to := range t.count() {
		x, y := to%(k*width), to/(k*width)%(k*height)
		c, m := to/(k*width*k*height)%C, to/(k*width*k*height)/C
		from := (c*k+y%k)*k + x%k
		if planes {
			from = (y%k*k+x%k)*C + c
		}
		at := (((m*C*k*k+from)*height+y/k)*width + x/k) * size
		r.raw = append(r.raw, t.raw[at:at+size]...)
	}
	return r
}
