// Package codec decodes the compressed pixel data of DICOM: one frame of one
// sample a pixel, without any knowledge of data sets.
package codec

import "fmt"

// Transfer syntaxes that Decode knows.
const (
	RLE           = "1.2.840.10008.1.2.5"
	JPEGBaseline  = "1.2.840.10008.1.2.4.50"
	JPEGExtended  = "1.2.840.10008.1.2.4.51"
	JPEGLossless  = "1.2.840.10008.1.2.4.57"
	JPEGLossless1 = "1.2.840.10008.1.2.4.70"
	JPEGLS        = "1.2.840.10008.1.2.4.80"
	JPEGLSNear    = "1.2.840.10008.1.2.4.81"
	JPEG2000Exact = "1.2.840.10008.1.2.4.90"
	JPEG2000      = "1.2.840.10008.1.2.4.91"
)

// MaxPixels bounds a frame: nothing larger is allocated, whatever a header says. A
// decoder needs at most some 14 bytes a pixel.
const MaxPixels = 1 << 24

// Frame is what the data set says about a frame.
type Frame struct {
	Rows, Cols    int
	BitsAllocated int // 8, 16 or 32
	BitsStored    int
	Signed        bool // PixelRepresentation is 1
}

// FormatError says that a frame is wrong: what was found, and where.
type FormatError struct{ What string }

func (e *FormatError) Error() string { return e.What }

// UnsupportedError says that a frame is right but cannot be decoded here.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return e.What }

func wrong(format string, a ...any) error { return &FormatError{fmt.Sprintf(format, a...)} }

func unsupported(format string, a ...any) error { return &UnsupportedError{fmt.Sprintf(format, a...)} }

// decoders are the code streams by transfer syntax.
var decoders = map[string]func(data []byte, f Frame) ([]byte, error){
	RLE: decodeRLE, JPEGBaseline: decodeJPEG, JPEGExtended: decodeJPEG, JPEGLossless: decodeJPEG, JPEGLossless1: decodeJPEG,
	JPEGLS: decodeJPEGLS, JPEGLSNear: decodeJPEGLS, JPEG2000Exact: decodeJPEG2000, JPEG2000: decodeJPEG2000,
}

// Supported says whether Decode knows a transfer syntax.
func Supported(syntax string) bool { return decoders[syntax] != nil }

// Decode gives the bytes that the frame would have as uncompressed little endian
// pixel data: Rows*Cols words of BitsAllocated bits. Words that a code stream
// gives fewer bits than BitsAllocated are extended by their sign when the frame is
// signed. Errors are FormatError and UnsupportedError. A frame whose own header
// disagrees with f is refused before its pixels are allocated.
func Decode(syntax string, data []byte, f Frame) ([]byte, error) {
	decode := decoders[syntax]
	if decode == nil {
		return nil, unsupported("no decoder for transfer syntax %s", syntax)
	}
	if f.Rows < 1 || f.Cols < 1 || f.BitsAllocated != 8 && f.BitsAllocated != 16 && f.BitsAllocated != 32 {
		return nil, wrong("%d x %d pixels of %d bits (8, 16 and 32 are decoded)", f.Rows, f.Cols, f.BitsAllocated)
	}
	if int64(f.Rows)*int64(f.Cols) > MaxPixels {
		return nil, unsupported("%d x %d pixels: compressed frames of up to %d are decoded", f.Rows, f.Cols, MaxPixels)
	}
	return decode(data, f)
}
