package sinofile

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// dtype is the type of an array's elements as they lie in a file.
type dtype struct {
	kind byte // 'f' float, 'i' signed, 'u' unsigned, 'b' bool
	size int  // bytes: 1, 2, 4 or 8
	big  bool // most significant byte first
}

func (d dtype) String() string {
	if d.kind == 'b' {
		return "bool"
	}
	name := map[byte]string{'f': "float", 'i': "int", 'u': "uint"}[d.kind]
	s := fmt.Sprintf("%s%d", name, 8*d.size)
	if d.big && d.size > 1 {
		s += " big-endian"
	}
	return s
}

func (d dtype) integer() bool { return d.kind == 'i' || d.kind == 'u' }

// valid says whether the decoder knows the type.
func (d dtype) valid() bool {
	switch d.kind {
	case 'f':
		return d.size == 2 || d.size == 4 || d.size == 8
	case 'i', 'u':
		return d.size == 1 || d.size == 2 || d.size == 4 || d.size == 8
	}
	return d.kind == 'b' && d.size == 1
}

var hostLittle = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// rawBytes is the memory of f.
func rawBytes(f []float32) []byte {
	if len(f) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), 4*len(f))
}

// swapBytes reverses the bytes of each element of the given size.
func swapBytes(b []byte, size int) {
	switch size {
	case 2:
		for i := 0; i+2 <= len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	case 4:
		for i := 0; i+4 <= len(b); i += 4 {
			binary.LittleEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
		}
	case 8:
		for i := 0; i+8 <= len(b); i += 8 {
			binary.LittleEndian.PutUint64(b[i:], binary.BigEndian.Uint64(b[i:]))
		}
	}
}

// convert decodes len(dst) elements of src, which it may reorder in place.
func convert[T float32 | float64](dst []T, src []byte, d dtype) {
	if len(src) != len(dst)*d.size {
		panic(fmt.Sprintf("sinofile: %d bytes for %d elements of %s", len(src), len(dst), d))
	}
	if d.big {
		swapBytes(src, d.size)
	}
	switch d.size {
	case 1:
		convert1(dst, src, d.kind)
	case 2:
		convert2(dst, src, d.kind)
	case 4:
		convert4(dst, src, d.kind)
	case 8:
		convert8(dst, src, d.kind)
	}
}

func convert1[T float32 | float64](dst []T, src []byte, kind byte) {
	for i, b := range src {
		switch {
		case kind == 'i':
			dst[i] = T(int8(b))
		case kind == 'b' && b != 0:
			dst[i] = 1
		default:
			dst[i] = T(b)
		}
	}
}

func convert2[T float32 | float64](dst []T, src []byte, kind byte) {
	le := binary.LittleEndian
	switch kind {
	case 'u':
		for i := range dst {
			dst[i] = T(le.Uint16(src[2*i:]))
		}
	case 'i':
		for i := range dst {
			dst[i] = T(int16(le.Uint16(src[2*i:])))
		}
	default:
		for i := range dst {
			dst[i] = T(half(le.Uint16(src[2*i:])))
		}
	}
}

func convert4[T float32 | float64](dst []T, src []byte, kind byte) {
	le := binary.LittleEndian
	switch kind {
	case 'u':
		for i := range dst {
			dst[i] = T(le.Uint32(src[4*i:]))
		}
	case 'i':
		for i := range dst {
			dst[i] = T(int32(le.Uint32(src[4*i:])))
		}
	default:
		for i := range dst {
			dst[i] = T(math.Float32frombits(le.Uint32(src[4*i:])))
		}
	}
}

func convert8[T float32 | float64](dst []T, src []byte, kind byte) {
	le := binary.LittleEndian
	switch kind {
	case 'u':
		for i := range dst {
			dst[i] = T(le.Uint64(src[8*i:]))
		}
	case 'i':
		for i := range dst {
			dst[i] = T(int64(le.Uint64(src[8*i:])))
		}
	default:
		for i := range dst {
			dst[i] = T(math.Float64frombits(le.Uint64(src[8*i:])))
		}
	}
}

// half decodes an IEEE 754 binary16.
func half(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, frac := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0:
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
