package dicomio

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"ctrecon/dicomio/codec"
)

// Transfer syntaxes that need more than a byte order.
const (
	explicitLittle = "1.2.840.10008.1.2.1"
	deflated       = "1.2.840.10008.1.2.1.99"
	encapsulated   = "1.2.840.10008.1.2.1.98" // uncompressed, in fragments
	jpipDeflated   = "1.2.840.10008.1.2.4.95"
)

// Inflated data may be deflateFree bytes, and deflateRatio times their size.
const (
	deflateFree  = 64 << 20
	deflateRatio = 100
	maxFragments = 200_000
)

const (
	tagExtOffsets = 0x7FE00001
	tagExtLengths = 0x7FE00002
	tagGroupPix   = 0x7FE00000
)

// syntaxNames are the transfer syntaxes that a message names.
var syntaxNames = map[string]string{
	codec.RLE: "RLE", codec.JPEGBaseline: "JPEG baseline", codec.JPEGExtended: "JPEG extended", "1.2.840.10008.1.2.4.53": "JPEG spectral selection",
	"1.2.840.10008.1.2.4.55": "JPEG progressive", codec.JPEGLossless: "JPEG lossless", codec.JPEGLossless1: "JPEG lossless SV1",
	codec.JPEGLS: "JPEG-LS lossless", codec.JPEGLSNear: "JPEG-LS near-lossless", "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless", "1.2.840.10008.1.2.4.91": "JPEG 2000",
	"1.2.840.10008.1.2.4.92": "JPEG 2000 part 2 lossless", "1.2.840.10008.1.2.4.93": "JPEG 2000 part 2", "1.2.840.10008.1.2.4.94": "JPIP referenced",
	jpipDeflated: "JPIP referenced deflated", "1.2.840.10008.1.2.4.110": "JPEG XL lossless", "1.2.840.10008.1.2.4.111": "JPEG XL recompression",
	"1.2.840.10008.1.2.4.112": "JPEG XL", "1.2.840.10008.1.2.4.201": "HTJ2K lossless", "1.2.840.10008.1.2.4.202": "HTJ2K lossless RPCL",
	"1.2.840.10008.1.2.4.203": "HTJ2K", "1.2.840.10008.1.2.4.100": "MPEG-2", "1.2.840.10008.1.2.8.1": "deflated image frame",
}

// lossy are the transfer syntaxes that may lose something without the header saying so.
var lossy = map[string]bool{codec.JPEGBaseline: true, codec.JPEGExtended: true, codec.JPEGLSNear: true}

// inflate replaces the data set after byte at by its expansion.
func inflate(file string, b []byte, at int) ([]byte, error) {
	packed := b[at:]
	limit := int64(min(maxFileSize, deflateFree+deflateRatio*len(packed)))
	out := bytes.NewBuffer(append([]byte(nil), b[:at]...))
	n, err := io.Copy(out, io.LimitReader(flate.NewReader(bytes.NewReader(packed)), limit+1))
	switch {
	case err != nil:
		return nil, &FormatError{file, fmt.Sprintf("byte %d: deflated data set, wrong or cut after %d expanded bytes", at, n)}
	case n > limit:
		return nil, &FormatError{file, fmt.Sprintf("byte %d: deflated data set: %d bytes expand to more than %d", at, len(packed), limit)}
	}
	return out.Bytes(), nil
}

// plainSyntax is the header for the library: where it does not know the transfer
// syntax, explicit little endian stands in its place.
func (l *layout) plainSyntax(header []byte, at int) []byte {
	if l.syntax != deflated && l.syntax != encapsulated && l.late == nil || len(l.syntax) < len(explicitLittle) {
		return header
	}
	out := append([]byte(nil), header...)
	clear(out[at : at+len(l.syntax)])
	copy(out[at:], explicitLittle)
	return out
}

// fragments reads the items of encapsulated pixel data: an offset table, then the
// fragments of the only frame, up to the delimiter.
func (w *walker) fragments(e element, l *layout) (int, error) {
	at, count := e.value, 0
	for {
		item, err := w.header(at, len(w.b))
		if err != nil {
			return 0, err
		}
		switch {
		case item.tag == tagSeqEnd && count == 0:
			return 0, w.wrong(at, "encapsulated pixel data without an offset table")
		case item.tag == tagSeqEnd:
			return item.value, w.frame(at, l)
		case item.tag != tagItem || item.length == undefined:
			return 0, w.wrong(at, fmt.Sprintf("%s inside encapsulated pixel data where a fragment is due", name(item.tag)))
		case count > maxFragments:
			return 0, w.wrong(at, fmt.Sprintf("more than %d fragments", maxFragments))
		}
		value := w.b[item.value : item.value+int(item.length)]
		if count == 0 {
			l.basicOffsets = value
		} else {
			l.fragments = append(l.fragments, value)
		}
		count++
		at = item.value + int(item.length)
	}
}

// frame checks the offset tables and joins the fragments of the frame.
func (w *walker) frame(at int, l *layout) error {
	if len(l.fragments) == 0 {
		return w.wrong(at, "encapsulated pixel data without a fragment")
	}
	if n := len(l.basicOffsets); n%4 != 0 || n > 0 && binary.LittleEndian.Uint32(l.basicOffsets) != 0 {
		return w.wrong(at, "the basic offset table is wrong: its first frame must start at 0")
	}
	if n := len(l.extOffsets); n%8 != 0 || n > 0 && binary.LittleEndian.Uint64(l.extOffsets) != 0 {
		return w.wrong(at, "the extended offset table is wrong: its first frame must start at 0")
	}
	if n := max(len(l.basicOffsets)/4, len(l.extOffsets)/8); n > 1 && l.late == nil {
		l.late = &UnsupportedError{w.file, fmt.Sprintf("the offset table has %d frames: multi-frame objects are not supported", n)}
	}
	l.pixels = l.fragments[0]
	if len(l.fragments) > 1 {
		l.pixels = bytes.Join(l.fragments, nil)
	}
	if len(l.extLengths) == 8 {
		n := binary.LittleEndian.Uint64(l.extLengths)
		if n > uint64(len(l.pixels)) {
			return w.wrong(at, fmt.Sprintf("the extended offset table has a frame of %d bytes, the fragments have %d: the file is cut or wrong", n, len(l.pixels)))
		}
		l.pixels = l.pixels[:n]
	}
	return nil
}

// offsetTable keeps the extended offset table, which the library cannot read.
func (w *walker) offsetTable(e element, l *layout) error {
	if e.length == undefined {
		return w.wrong(e.value, name(e.tag)+" has an undefined length")
	}
	value := w.b[e.value : e.value+int(e.length)]
	switch e.tag {
	case tagExtOffsets:
		l.extOffsets = value
	case tagExtLengths:
		l.extLengths = value
	}
	return nil
}

// decode turns a compressed frame into the bytes of an uncompressed one.
func (im *image) decode(file string, l *layout) ([]byte, error) {
	if !codec.Supported(l.syntax) {
		return l.pixels, nil
	}
	px, err := codec.Decode(l.syntax, l.pixels, codec.Frame{Rows: im.rows, Cols: im.cols, BitsAllocated: im.allocated, BitsStored: im.bits, Signed: im.signed})
	if err == nil {
		return px, nil
	}
	what := syntaxNames[l.syntax] + " pixel data: " + err.Error()
	if u := (*codec.UnsupportedError)(nil); errors.As(err, &u) {
		return nil, &UnsupportedError{file, what + "; decompress it, for instance with gdcmconv --raw"}
	}
	return nil, &FormatError{file, what}
}
