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
	maxElements = 500_000  // 2,000 frames of a converted series have some 200,000
	maxValue    = 64 << 20 // bytes of one value that is not pixel data
	maxMeta     = 1 << 20
	maxHead     = 128 << 20 // bytes before the pixel data, where only these are read
)

// layout is what the walk found.
type layout struct {
	syntax       string
	implicit     bool
	order        binary.ByteOrder
	class        string   // SOP class
	metaClass    string   // the same of the file meta information
	charset      []string // values of SpecificCharacterSet
	header       []byte   // what the library may see: all before the group of pixel data, made harmless
	pixels       bool     // whether there are any
	end          int      // of the pixel data
	at, length   int      // of pixel data that are not encapsulated
	encapsulated bool
	fragments    [][]byte
	starts       []int // of each fragment's item, from the first one
	basicOffsets []byte
	extOffsets   []byte
	extLengths   []byte
	records      []int   // offsets of the records of a DICOMDIR
	in           *stream // where pixel data are
	foreign      string  // why the object is no CT image, by its class; then the rest is not filled
	late         error   // why the pixels cannot be used, if the object is wanted at all
}

// walker goes over the tags of a file without building anything.
type walker struct {
	file     string
	in       *stream
	order    binary.ByteOrder
	implicit bool
	any      bool                             // objects of all classes are wanted
	head     bool                             // pixels are left alone, whatever they are
	cut      bool                             // in ends before the data set does
	seen     func(w *walker, e element) error // called with each element of the top level, or nil
	elements int
	patches  []patch
	strange  bool // the element walked over has something inside that the library cannot read
	records  []int
}

type element struct {
	tag    uint32
	vr     string
	length uint32
	value  int // offset
}

const (
	genericClass = "1.2.276.0.7230010.3.1.0.1" // dcmtk names it where it found no class: it says nothing

	undefined   = 0xFFFFFFFF
	tagItem     = 0xFFFEE000
	tagItemEnd  = 0xFFFEE00D
	tagSeqEnd   = 0xFFFEE0DD
	tagPixels   = 0x7FE00010
	tagFloatPix = 0x7FE00008
	tagDoublePx = 0x7FE00009

	tagMetaLength = 0x00020000
	tagCharset    = 0x00080005
	tagClass      = 0x00080016
	tagRecords    = 0x00041220
)

// preflight checks the structure of a file and finds its pixel data. It stops at a
// class that is none of CT images, which layout.foreign then names.
func preflight(in *stream) (*layout, error) { return walk(in, false) }

// walk is preflight; any says that objects of all classes are wanted.
func walk(in *stream, any bool) (*layout, error) {
	return (&walker{any: any}).walk(in)
}

// walkSeeing is walk of an object of any class that shows each element of the top
// level to seen.
func walkSeeing(in *stream, seen func(w *walker, e element) error) (*layout, error) {
	return (&walker{any: true, seen: seen}).walk(in)
}

func (w *walker) walk(in *stream) (*layout, error) {
	if err := in.fill(132); err != nil {
		return nil, err
	}
	if len(in.b) < 132 || string(in.b[128:132]) != "DICM" {
		return nil, &FormatError{in.name, "not a DICOM file: no DICM at byte 128"}
	}
	w.file, w.in, w.order = in.name, in, binary.LittleEndian
	l := &layout{}
	at, err := w.meta(l)
	if err != nil {
		return nil, err
	}
	if err := l.transferSyntax(in.name); err != nil {
		if l.foreign = foreign(l.metaClass); l.foreign != "" && !w.any {
			return l, nil
		}
		return nil, err
	}
	if l.metaClass == directory && !w.any { // it has no SOP class in its data set
		l.foreign = foreign(directory)
		return l, nil
	}
	if l.syntax == deflated && w.head {
		if w.in, w.cut, err = peekDeflated(in, at); err != nil {
			return nil, err
		}
	} else if l.syntax == deflated {
		if err := in.fill(in.size); err != nil {
			return nil, err
		}
		whole, err := inflate(in.name, in.b, at)
		if err != nil {
			return nil, err
		}
		w.in = inMemory(in.name, whole)
	}
	w.implicit, w.order = l.implicit, l.order
	if err := w.dataset(at, l); err != nil || l.foreign != "" {
		return l, err
	}
	l.in, l.header, l.records = w.in, w.patched(l.header), w.records
	return l, nil
}

// meta walks the file meta information and returns its end.
func (w *walker) meta(l *layout) (int, error) {
	at, length := 132, 0
	for {
		if err := w.in.fill(at + 2); err != nil {
			return 0, err
		}
		if at+2 > w.in.size || binary.LittleEndian.Uint16(w.in.b[at:]) != 2 {
			break
		}
		e, err := w.next(at, w.in.size)
		if err != nil {
			return 0, err
		}
		if e.length == undefined {
			return 0, w.wrong(at, "undefined length in the file meta information")
		}
		if e.length > maxMeta {
			return 0, w.wrong(at, fmt.Sprintf("%s has a value of %d bytes", name(e.tag), e.length))
		}
		switch e.tag {
		case tagMetaLength:
			if e.vr != "UL" || e.length != 4 {
				return 0, w.wrong(at, "(0002,0000) FileMetaInformationGroupLength is no UL")
			}
			length = e.value
		case 0x00020002:
			if l.metaClass, err = w.uid(e); l.metaClass == genericClass {
				l.metaClass = ""
			}
		case 0x00020010:
			if l.syntax, err = w.uid(e); len(l.syntax) >= len(explicitLittle) && standIn(l.syntax) {
				w.patch(e.value, append([]byte(explicitLittle), make([]byte, int(e.length)-len(explicitLittle))...))
			}
		}
		if err != nil {
			return 0, err
		}
		at = e.value + int(e.length)
	}
	if length > 0 {
		w.patch(length, binary.LittleEndian.AppendUint32(nil, uint32(at-length-4)))
	}
	return at, nil
}

// transferSyntax sets byte order and VR mode, or names a syntax that is not read.
func (l *layout) transferSyntax(file string) error {
	l.order = binary.LittleEndian
	switch l.syntax {
	case "1.2.840.10008.1.2":
		l.implicit = true
	case explicitLittle:
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
	for at < w.in.size {
		e, err := w.next(at, w.in.size)
		if err != nil {
			return err
		}
		if e.tag <= last {
			return w.wrong(at, fmt.Sprintf("%s after %s: elements must ascend", name(e.tag), name(last)))
		}
		last = e.tag
		if err := w.note(at, e, l); err != nil || l.foreign != "" {
			return err
		}
		if (e.tag == tagFloatPix || e.tag == tagDoublePx) && !w.head {
			return &UnsupportedError{w.file, "floating point pixel data are not supported"}
		}
		if e.tag >= tagGroupPix && l.header == nil {
			l.header = w.in.b[:at]
		}
		if w.head && at > maxHead {
			return w.wrong(at, fmt.Sprintf("more than %d MiB before the pixel data", maxHead>>20))
		}
		if w.head && e.tag >= tagFloatPix {
			l.pixels = true
			return nil
		}
		switch e.tag {
		case tagPixels:
			end, err := w.pixels(at, e, l)
			if err != nil {
				return err
			}
			l.end = end
			return nil
		case tagExtOffsets, tagExtLengths:
			if err := w.offsetTable(e, l); err != nil {
				return err
			}
		}
		begin := at
		if at, err = w.skip(e, w.in.size, 0); err != nil {
			return err
		}
		w.cutStrange(begin, at, e)
	}
	if l.header == nil {
		if err := w.in.fill(w.in.size); err != nil {
			return err
		}
		l.header = w.in.b
	}
	return nil
}

// pixels finds the pixel data and returns the offset after them.
func (w *walker) pixels(at int, e element, l *layout) (int, error) {
	l.pixels = true
	switch {
	case l.encapsulated && e.length != undefined:
		return 0, w.wrong(at, fmt.Sprintf("pixel data of a length, transfer syntax %s needs fragments", l.syntax))
	case l.encapsulated:
		if err := w.in.fill(w.in.size); err != nil {
			return 0, err
		}
		return w.fragments(e.value, l)
	case e.length == undefined:
		return 0, w.wrong(at, "encapsulated pixel data in an uncompressed transfer syntax")
	}
	l.at, l.length = e.value, int(e.length)
	return l.at + l.length, nil
}

// skip returns the offset after the element's value, walking into sequences.
func (w *walker) skip(e element, end, depth int) (int, error) {
	switch {
	case e.tag == tagPixels: // of an icon
		w.strange = true
		if e.length == undefined {
			return w.fragments(e.value, &layout{})
		}
	case e.length == undefined || e.vr == "SQ":
		return w.sequence(e, end, depth)
	case e.vr == "OV" || e.vr == "SV" || e.vr == "UV":
		w.strange = true
	}
	if e.length > maxValue {
		return 0, w.wrong(e.value, fmt.Sprintf("%s has a value of %d bytes", name(e.tag), e.length))
	}
	return e.value + int(e.length), nil
}

// sequence walks the items of e. UN of undefined length holds implicit VR (PS3.5 6.2.2).
func (w *walker) sequence(e element, end, depth int) (int, error) {
	if depth >= maxDepth {
		return 0, w.wrong(e.value, fmt.Sprintf("sequences nested more than %d deep", maxDepth))
	}
	if e.vr != "SQ" && e.vr != "UN" {
		return 0, w.wrong(e.value, fmt.Sprintf("%s with VR %s has an undefined length", name(e.tag), e.vr))
	}
	if e.vr == "UN" && !w.implicit {
		order := w.order
		w.strange, w.implicit, w.order = true, true, binary.LittleEndian
		defer func() { w.implicit, w.order = false, order }()
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
		if e.tag == tagRecords && depth == 0 {
			w.records = append(w.records, at)
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
	if err := w.in.fill(at + 8); err != nil {
		return element{}, err
	}
	e := element{tag: w.tagAt(at), length: w.order.Uint32(w.in.b[at+4:]), value: at + 8}
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
	if err := w.in.fill(at + 12); err != nil {
		return element{}, err
	}
	e := element{tag: w.tagAt(at)}
	if w.implicit && e.tag>>16 != 2 {
		e.length, e.value = w.order.Uint32(w.in.b[at+4:]), at+8
		e.vr = implicitVR(e.tag, e.length)
	} else if err := w.explicit(&e, at, end); err != nil {
		return e, err
	}
	if e.length != undefined && int64(e.length) > int64(end-e.value) {
		if w.cut && e.tag >= tagGroupPix {
			return e, nil
		}
		return e, w.wrong(at, fmt.Sprintf("%s needs %d bytes, %d are left: the file is cut or wrong", name(e.tag), e.length, end-e.value))
	}
	return e, nil
}

func (w *walker) explicit(e *element, at, end int) error {
	e.vr = string(w.in.b[at+4 : at+6])
	switch e.vr {
	case "OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UC", "UN", "UR", "UT", "SV", "UV":
		if at+12 > end {
			return w.wrong(at, "the file is cut inside an element")
		}
		e.length, e.value = w.order.Uint32(w.in.b[at+8:]), at+12
	case "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US":
		e.length, e.value = uint32(w.order.Uint16(w.in.b[at+6:])), at+8
		if e.length == 0xFFFF { // the library takes it for an undefined length
			return w.wrong(at, fmt.Sprintf("%s has the odd length 65535", name(e.tag)))
		}
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
	return uint32(w.order.Uint16(w.in.b[at:]))<<16 | uint32(w.order.Uint16(w.in.b[at+2:]))
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

func nameOf(t tag.Tag) string { return name(uint32(t.Group)<<16 | uint32(t.Element)) }

func trimUID(b []byte) string {
	for len(b) > 0 && (b[len(b)-1] == 0 || b[len(b)-1] == ' ') {
		b = b[:len(b)-1]
	}
	return string(b)
}
