package dicomio

import (
	"encoding/binary"
	"fmt"

	"github.com/suyashkumar/dicom/pkg/tag"

	"ctrecon/dicomio/codec"
)

// Limits of the preflight walk. The library behind it allocates what a length
// field says and recurses as deep as a file does, so it only ever sees what
// passed here.
const (
	maxDepth    = 32
	maxElements = 200_000
	maxValue    = 64 << 20 // bytes of one value that is not pixel data
	maxPixels   = 1 << 31
)

// layout is what the walk found.
type layout struct {
	syntax       string
	implicit     bool
	order        binary.ByteOrder
	header       []byte // what the library may see: all before the group of pixel data
	pixels       []byte // of the frame, still compressed when the syntax is; nil when there are none
	encapsulated bool
	fragments    [][]byte
	basicOffsets []byte
	extOffsets   []byte
	extLengths   []byte
	late         error // why the pixels cannot be used, if the object is wanted at all
}

// walker goes over the tags of a file without building anything.
type walker struct {
	file     string
	b        []byte
	order    binary.ByteOrder
	implicit bool
	elements int
	unnamed  []unnamed
}

type element struct {
	tag    uint32
	vr     string
	length uint32
	value  int // offset
}

const (
	undefined   = 0xFFFFFFFF
	tagItem     = 0xFFFEE000
	tagItemEnd  = 0xFFFEE00D
	tagSeqEnd   = 0xFFFEE0DD
	tagPixels   = 0x7FE00010
	tagFloatPix = 0x7FE00008
	tagDoublePx = 0x7FE00009
)

// preflight checks the structure of a whole file and finds its pixel data.
func preflight(file string, b []byte) (*layout, error) {
	if len(b) < 132 || string(b[128:132]) != "DICM" {
		return nil, &FormatError{file, "not a DICOM file: no DICM at byte 128"}
	}
	w := &walker{file: file, b: b, order: binary.LittleEndian}
	l := &layout{}
	at, syntaxAt := 132, 0
	for at+2 <= len(b) && binary.LittleEndian.Uint16(b[at:]) == 2 {
		e, err := w.next(at, len(b))
		if err != nil {
			return nil, err
		}
		if e.length == undefined {
			return nil, w.wrong(at, "undefined length in the file meta information")
		}
		if e.tag == 0x00020010 {
			l.syntax, syntaxAt = trimUID(b[e.value:e.value+int(e.length)]), e.value
		}
		at = e.value + int(e.length)
	}
	if err := l.transferSyntax(file); err != nil {
		return nil, err
	}
	if l.syntax == deflated {
		whole, err := inflate(file, b, at)
		if err != nil {
			return nil, err
		}
		w.b = whole
	}
	w.implicit, w.order = l.implicit, l.order
	if err := w.dataset(at, l); err != nil {
		return nil, err
	}
	l.header = w.named(l.plainSyntax(l.header, syntaxAt))
	return l, nil
}

// transferSyntax sets byte order and VR mode, or names a syntax that is not read.
func (l *layout) transferSyntax(file string) error {
	l.order = binary.LittleEndian
	switch l.syntax {
	case "1.2.840.10008.1.2":
		l.implicit = true
	case "1.2.840.10008.1.2.1":
	case "1.2.840.10008.1.2.2":
		l.order = binary.BigEndian
	case "":
		return &FormatError{file, "(0002,0010) TransferSyntaxUID is missing"}
	case deflated:
	case encapsulated:
		l.encapsulated = true
	default:
		if l.encapsulated = codec.Supported(l.syntax); l.encapsulated {
			return nil
		}
		name, ok := syntaxNames[l.syntax]
		if !ok {
			name = "unknown"
		}
		err := &UnsupportedError{file, fmt.Sprintf("transfer syntax %s (%s) is not supported; decompress it, for instance with gdcmconv --raw", l.syntax, name)}
		if !ok || l.syntax == jpipDeflated {
			return err
		}
		l.encapsulated, l.late = true, err // its header is explicit little endian
	}
	return nil
}

// dataset walks the top level.
func (w *walker) dataset(at int, l *layout) error {
	last := uint32(0)
	for at < len(w.b) {
		e, err := w.next(at, len(w.b))
		if err != nil {
			return err
		}
		if e.tag <= last {
			return w.wrong(at, fmt.Sprintf("%s after %s: elements must ascend", name(e.tag), name(last)))
		}
		last = e.tag
		w.note(at, e)
		if e.tag == tagFloatPix || e.tag == tagDoublePx {
			return &UnsupportedError{w.file, "floating point pixel data are not supported"}
		}
		if e.tag >= tagGroupPix && l.header == nil {
			l.header = w.b[:at]
		}
		switch e.tag {
		case tagPixels:
			end, err := w.pixels(at, e, l)
			if err != nil {
				return err
			}
			return w.trailing(end, last)
		case tagExtOffsets, tagExtLengths:
			if err := w.offsetTable(e, l); err != nil {
				return err
			}
		}
		if at, err = w.skip(e, len(w.b), 0); err != nil {
			return err
		}
	}
	if l.header == nil {
		l.header = w.b
	}
	return nil
}

// pixels finds the pixel data and returns the offset after them.
func (w *walker) pixels(at int, e element, l *layout) (int, error) {
	switch {
	case l.encapsulated && e.length != undefined:
		return 0, w.wrong(at, fmt.Sprintf("pixel data of a length, transfer syntax %s needs fragments", l.syntax))
	case l.encapsulated:
		return w.fragments(e, l)
	case e.length == undefined:
		return 0, w.wrong(at, "encapsulated pixel data in an uncompressed transfer syntax")
	}
	end := e.value + int(e.length)
	l.pixels = w.b[e.value:end]
	return end, nil
}

// trailing checks that what follows the pixel data are elements too.
func (w *walker) trailing(at int, last uint32) error {
	for at < len(w.b) {
		e, err := w.next(at, len(w.b))
		if err != nil || e.tag <= last {
			return nil // trailing bytes after whole pixel data harm nobody
		}
		if at, err = w.skip(e, len(w.b), 0); err != nil {
			return err
		}
	}
	return nil
}

// skip returns the offset after the element's value, walking into sequences.
func (w *walker) skip(e element, end, depth int) (int, error) {
	if e.length == undefined || e.vr == "SQ" {
		return w.sequence(e, end, depth)
	}
	if e.length > maxValue {
		return 0, w.wrong(e.value, fmt.Sprintf("%s has a value of %d bytes", name(e.tag), e.length))
	}
	return e.value + int(e.length), nil
}

// sequence walks the items of e. UN of undefined length holds implicit VR.
func (w *walker) sequence(e element, end, depth int) (int, error) {
	if depth >= maxDepth {
		return 0, w.wrong(e.value, fmt.Sprintf("sequences nested more than %d deep", maxDepth))
	}
	if e.vr != "SQ" && e.vr != "UN" {
		return 0, w.wrong(e.value, fmt.Sprintf("%s with VR %s has an undefined length", name(e.tag), e.vr))
	}
	if e.vr == "UN" && !w.implicit {
		return 0, &UnsupportedError{w.file, fmt.Sprintf("%s: a sequence with VR UN is not supported", name(e.tag))}
	}
	stop := end
	if e.length != undefined {
		stop = e.value + int(e.length)
	}
	at := e.value
	for at < stop {
		item, err := w.header(at, stop)
		if err != nil {
			return 0, err
		}
		switch {
		case item.tag == tagSeqEnd && e.length == undefined:
			return item.value, nil
		case item.tag != tagItem:
			return 0, w.wrong(at, fmt.Sprintf("%s inside sequence %s where an item is due", name(item.tag), name(e.tag)))
		}
		if at, err = w.item(item, stop, depth+1); err != nil {
			return 0, err
		}
	}
	if e.length == undefined {
		return 0, w.wrong(at, fmt.Sprintf("sequence %s has no end", name(e.tag)))
	}
	return at, nil
}

func (w *walker) item(item element, end, depth int) (int, error) {
	stop := end
	if item.length != undefined {
		stop = item.value + int(item.length)
	}
	at := item.value
	for at < stop {
		if item.length == undefined {
			if h, err := w.header(at, stop); err == nil && h.tag == tagItemEnd {
				return h.value, nil
			}
		}
		e, err := w.next(at, stop)
		if err != nil {
			return 0, err
		}
		if at, err = w.skip(e, stop, depth); err != nil {
			return 0, err
		}
	}
	if item.length == undefined {
		return 0, w.wrong(at, "an item has no end")
	}
	return at, nil
}

// header reads tag and 32-bit length of an item or delimiter.
func (w *walker) header(at, end int) (element, error) {
	if at+8 > end {
		return element{}, w.wrong(at, "the file is cut")
	}
	e := element{tag: w.tagAt(at), length: w.order.Uint32(w.b[at+4:]), value: at + 8}
	if e.length != undefined && int64(e.length) > int64(end-e.value) {
		return e, w.wrong(at, fmt.Sprintf("%s needs %d bytes, %d are left: the file is cut or wrong", name(e.tag), e.length, end-e.value))
	}
	return e, nil
}

// next reads the head of the element at at and checks that its value fits.
func (w *walker) next(at, end int) (element, error) {
	if w.elements++; w.elements > maxElements {
		return element{}, w.wrong(at, fmt.Sprintf("more than %d elements", maxElements))
	}
	if at+8 > end {
		return element{}, w.wrong(at, "the file is cut inside an element")
	}
	e := element{tag: w.tagAt(at)}
	if w.implicit && e.tag>>16 != 2 {
		e.length, e.value = w.order.Uint32(w.b[at+4:]), at+8
		e.vr = implicitVR(e.tag, e.length)
	} else if err := w.explicit(&e, at, end); err != nil {
		return e, err
	}
	if e.length != undefined && int64(e.length) > int64(end-e.value) {
		return e, w.wrong(at, fmt.Sprintf("%s needs %d bytes, %d are left: the file is cut or wrong", name(e.tag), e.length, end-e.value))
	}
	return e, nil
}

func (w *walker) explicit(e *element, at, end int) error {
	e.vr = string(w.b[at+4 : at+6])
	switch e.vr {
	case "OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UC", "UN", "UR", "UT", "SV", "UV":
		if at+12 > end {
			return w.wrong(at, "the file is cut inside an element")
		}
		e.length, e.value = w.order.Uint32(w.b[at+8:]), at+12
	case "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US":
		e.length, e.value = uint32(w.order.Uint16(w.b[at+6:])), at+8
	default:
		return w.wrong(at, fmt.Sprintf("%s has VR %q", name(e.tag), e.vr))
	}
	return nil
}

// implicitVR finds what the library will take the element for.
func implicitVR(t, length uint32) string {
	info, err := tag.Find(tag.Tag{Group: uint16(t >> 16), Element: uint16(t)})
	switch {
	case err == nil && len(info.VRs) > 0:
		return info.VRs[0]
	case length == undefined:
		return "SQ"
	}
	return "UN"
}

func (w *walker) tagAt(at int) uint32 {
	return uint32(w.order.Uint16(w.b[at:]))<<16 | uint32(w.order.Uint16(w.b[at+2:]))
}

func (w *walker) wrong(at int, what string) error {
	return &FormatError{w.file, fmt.Sprintf("byte %d: %s", at, what)}
}

// name writes a tag as the standard does.
func name(t uint32) string {
	s := fmt.Sprintf("(%04X,%04X)", t>>16, t&0xFFFF)
	if info, err := tag.Find(tag.Tag{Group: uint16(t >> 16), Element: uint16(t)}); err == nil {
		s += " " + info.Keyword
	}
	return s
}

func trimUID(b []byte) string {
	for len(b) > 0 && (b[len(b)-1] == 0 || b[len(b)-1] == ' ') {
		b = b[:len(b)-1]
	}
	return string(b)
}
