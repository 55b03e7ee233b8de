package codec

import "encoding/binary"

// pack writes samples of some bits as words of f.BitsAllocated. Bits above those
// of the code stream repeat the sign when the frame is signed and are 0 otherwise.
func pack(samples []uint16, bits int, f Frame) []byte {
	words := f.BitsAllocated / 8
	out := make([]byte, len(samples)*words)
	shift := 32 - bits
	for i, s := range samples {
		v := uint32(s) << shift
		if f.Signed {
			v = uint32(int32(v) >> shift)
		} else {
			v >>= shift
		}
		switch words {
		case 1:
			out[i] = byte(v)
		case 2:
			binary.LittleEndian.PutUint16(out[2*i:], uint16(v))
		default:
			binary.LittleEndian.PutUint32(out[4*i:], v)
		}
	}
	return out
}

// agree checks what a code stream says of its frame against the data set.
func (f Frame) agree(rows, cols, components, bits int) error {
	switch {
	case rows != f.Rows || cols != f.Cols:
		return wrong("the code stream has %d x %d pixels, the header says %d x %d", rows, cols, f.Rows, f.Cols)
	case components != 1:
		return unsupported("%d components: colour is not supported", components)
	case bits < 1 || bits > f.BitsAllocated:
		return wrong("the code stream has %d bits a pixel, %d are allocated", bits, f.BitsAllocated)
	case bits > 16:
		return unsupported("the code stream has %d bits a pixel (up to 16 are supported)", bits)
	}
	return nil
}
