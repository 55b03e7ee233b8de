package codec

import "fmt"

// encoders compress without loss.
var encoders = map[string]func(px []byte, f Frame) []byte{RLE: encodeRLE, JPEGLS: encodeJPEGLS}

// Encode compresses a frame of uncompressed little endian pixel data, Rows*Cols words
// of BitsAllocated bits, without loss: RLE, or JPEG-LS of up to 16 bits. The result has
// an even length. It panics for another syntax or a wrong length.
func Encode(syntax string, px []byte, f Frame) []byte {
	encode := encoders[syntax]
	if encode == nil || syntax == JPEGLS && f.BitsAllocated > 16 {
		panic(fmt.Sprintf("codec: no encoder of %d bits for %s", f.BitsAllocated, syntax))
	}
	if want := f.Rows * f.Cols * f.BitsAllocated / 8; len(px) != want || f.Rows < 1 || f.Cols < 1 {
		panic(fmt.Sprintf("codec: %d bytes for %d x %d pixels of %d bits", len(px), f.Rows, f.Cols, f.BitsAllocated))
	}
	return even(encode(px, f))
}

// even pads a code stream as a fragment needs it.
func even(b []byte) []byte {
	if len(b)%2 == 1 {
		b = append(b, 0)
	}
	return b
}
