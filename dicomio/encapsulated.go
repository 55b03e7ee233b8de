package dicomio

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

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

// standIn says whether the library is told explicit little endian in place of a
// transfer syntax, which is what all of these have: it knows few of them.
func standIn(syntax string) bool {
	_, named := syntaxNames[syntax]
	return syntax == deflated || syntax == encapsulated || named && !codec.Supported(syntax)
}

// fragments reads the items of encapsulated pixel data, which start at at: an offset
// table, then fragments, up to the delimiter. It returns the offset after them.
func (w *walker) fragments(at int, l *layout) (int, error) {
	first := 0
	for count := 0; ; count++ {
		item, err := w.header(at, w.in.size)
		if err != nil {
			return 0, err
		}
		switch {
		case item.tag == tagSeqEnd && count == 0:
			return 0, w.wrong(at, "encapsulated pixel data without an offset table")
		case item.tag == tagSeqEnd && count == 1:
			return 0, w.wrong(at, "encapsulated pixel data without a fragment")
		case item.tag == tagSeqEnd:
			return item.value, nil
		case item.tag != tagItem || item.length == undefined:
			return 0, w.wrong(at, fmt.Sprintf("%s inside encapsulated pixel data where a fragment is due", name(item.tag)))
		case count > maxFragments:
			return 0, w.wrong(at, fmt.Sprintf("more than %d fragments", maxFragments))
		}
		end := item.value + int(item.length)
		if err := w.in.fill(end); err != nil {
			return 0, err
		}
		if count == 0 {
			l.basicOffsets, first = w.in.b[item.value:end], end
		} else {
			l.fragments, l.starts = append(l.fragments, w.in.b[item.value:end]), append(l.starts, at-first)
		}
		at = end
	}
}

// frames gives the compressed bytes of n frames: by the extended offset table, the
// basic one, one fragment a frame, or the marks at which code streams start
// (PS3.5 A.4).
func (l *layout) frames(file string, n int) ([][]byte, error) {
	firsts, err := l.firstFragments(file, n)
	if err != nil {
		return nil, err
	}
	if len(l.extLengths) > 0 && len(l.extLengths) != 8*n {
		return nil, &FormatError{file, fmt.Sprintf("the extended offset table has %d lengths, the header says %d frame(s)", len(l.extLengths)/8, n)}
	}
	out := make([][]byte, n)
	for i, from := range firsts {
		to := len(l.fragments)
		if i+1 < n {
			to = firsts[i+1]
		}
		out[i] = l.fragments[from]
		if to > from+1 {
			out[i] = bytes.Join(l.fragments[from:to], nil)
		}
		if len(l.extLengths) == 0 {
			continue
		}
		k := binary.LittleEndian.Uint64(l.extLengths[8*i:])
		if k > uint64(len(out[i])) {
			return nil, &FormatError{file, fmt.Sprintf("the extended offset table has a frame of %d bytes, its fragments have %d: the file is cut or wrong", k, len(out[i]))}
		}
		out[i] = out[i][:k]
	}
	return out, nil
}

// firstFragments is the index of the first fragment of each frame.
func (l *layout) firstFragments(file string, n int) ([]int, error) {
	switch {
	case len(l.extOffsets) > 0:
		return l.byTable(file, "extended", l.extOffsets, 8, n)
	case len(l.basicOffsets) > 0:
		return l.byTable(file, "basic", l.basicOffsets, 4, n)
	case n == 1:
		return []int{0}, nil
	}
	var out []int
	for i, f := range l.fragments {
		if len(l.fragments) == n || startsStream(f) {
			out = append(out, i)
		}
	}
	if len(out) != n || out[0] != 0 {
		return nil, &FormatError{file, fmt.Sprintf("%d fragments without an offset table, the header says %d frames: where they start cannot be told", len(l.fragments), n)}
	}
	return out, nil
}

// byTable looks the offsets of a table of words up among the fragments.
func (l *layout) byTable(file, kind string, table []byte, word, n int) ([]int, error) {
	if len(table)%word != 0 || len(table)/word != n {
		return nil, &FormatError{file, fmt.Sprintf("the %s offset table is wrong: %d bytes, the header says %d frame(s) of %d bytes each", kind, len(table), n, word)}
	}
	out := make([]int, n)
	for i := range out {
		offset := uint64(binary.LittleEndian.Uint32(table[word*i:]))
		if word == 8 {
			offset = binary.LittleEndian.Uint64(table[word*i:])
		}
		k := sort.Search(len(l.starts), func(k int) bool { return uint64(l.starts[k]) >= offset })
		switch {
		case k == len(l.starts) || uint64(l.starts[k]) != offset:
			return nil, &FormatError{file, fmt.Sprintf("the %s offset table is wrong: no fragment starts at %d, where frame %d should", kind, offset, i+1)}
		case i == 0 && k != 0 || i > 0 && k <= out[i-1]:
			return nil, &FormatError{file, fmt.Sprintf("the %s offset table is wrong: its first frame must start at 0, and offsets ascend", kind)}
		}
		out[i] = k
	}
	return out, nil
}

// offsetTable keeps the extended offset table, which the library cannot read.
func (w *walker) offsetTable(e element, l *layout) error {
	if e.length == undefined {
		return w.wrong(e.value, name(e.tag)+" has an undefined length")
	}
	if e.length > 8*maxFragments {
		return w.wrong(e.value, fmt.Sprintf("more than %d frames", maxFragments))
	}
	end := e.value + int(e.length)
	if err := w.in.fill(end); err != nil {
		return err
	}
	switch e.tag {
	case tagExtOffsets:
		l.extOffsets = w.in.b[e.value:end]
	case tagExtLengths:
		l.extLengths = w.in.b[e.value:end]
	}
	return nil
}

// decode turns a compressed frame into the bytes of an uncompressed one.
func (im *image) decode(file, syntax string, frame []byte) ([]byte, error) {
	if !codec.Supported(syntax) {
		return frame, nil
	}
	px, err := codec.Decode(syntax, frame, codec.Frame{Rows: im.rows, Cols: im.cols, BitsAllocated: im.allocated, BitsStored: im.bits, Signed: im.signed})
	if err == nil {
		return px, nil
	}
	what := syntaxNames[syntax] + " pixel data: " + err.Error()
	if u := (*codec.UnsupportedError)(nil); errors.As(err, &u) {
		return nil, &UnsupportedError{file, what + "; decompress it, for instance with gdcmconv --raw"}
	}
	return nil, &FormatError{file, what}
}

// startsStream tells the first fragment of a JPEG or JPEG 2000 code stream.
func startsStream(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0xFF, 0xD8, 0xFF}) || bytes.HasPrefix(b, []byte{0xFF, 0x4F, 0xFF, 0x51})
}
