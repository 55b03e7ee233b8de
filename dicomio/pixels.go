package dicomio

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// airHU replaces pixels outside the scanner's field.
const airHU = -1000

// image is what the header says about the pixels of one slice.
type image struct {
	rows, cols       int
	allocated, bits  int
	signed           bool
	slope, intercept float64
	padLo, padHi     int
	padded           bool
}

// header reads values of a data set; the first wrong one is kept as err.
type header struct {
	file string
	ds   *dicom.Dataset
	err  error
	odd  []oddity // values that were put right
}

func (h *header) fail(t tag.Tag, format string, a ...any) {
	if h.err == nil {
		h.err = &FormatError{h.file, nameOf(t) + ": " + fmt.Sprintf(format, a...)}
	}
}

// text is the first value of a tag as trimmed text, "" when absent or empty.
func (h *header) text(t tag.Tag) string { return textOf(h.ds, t) }

func textOf(ds *dicom.Dataset, t tag.Tag) string {
	v := textsOf(ds, t)
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

func textsOf(ds *dicom.Dataset, t tag.Tag) []string {
	e, err := ds.FindElementByTag(t)
	if err != nil || e.Value == nil {
		return nil
	}
	v, ok := e.Value.GetValue().([]string)
	if !ok {
		return nil
	}
	out := make([]string, len(v))
	for i, s := range v {
		out[i] = strings.Trim(s, " \x00")
	}
	return out
}

// uid is the value of a UI tag; needed says that it must be there. Where the value is
// no UID a lawful one takes its place in the header, so that nothing made from it
// carries the wrong one on. Bytes that no text has are damage.
func (h *header) uid(t tag.Tag, needed bool) string {
	v := strings.Join(textsOf(h.ds, t), "\\")
	switch {
	case v == "" && needed:
		h.fail(t, "is missing")
	case strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }):
		h.fail(t, "not a UID, nor other text: the file is damaged")
	case v != lawful(v):
		h.odd = append(h.odd, oddity{t, noUID})
	}
	h.setUID(t, lawful(v))
	return lawful(v)
}

const noUID = "is no UID (up to 64 digits and dots, no leading zeros): results name one made from it, by which a PACS does not find the original"

// setUID writes a UID where the header has another text, blanks about it included.
func (h *header) setUID(t tag.Tag, v string) {
	for i, e := range h.ds.Elements {
		if e.Tag != t || e.Value == nil {
			continue
		}
		if old, ok := e.Value.GetValue().([]string); ok && v != "" && (len(old) != 1 || old[0] != v) {
			h.replace(i, []string{v})
		}
		return
	}
}

// ints are the values of an integer tag.
func (h *header) ints(t tag.Tag) []int {
	e, err := h.ds.FindElementByTag(t)
	if err != nil || e.Value == nil {
		return nil
	}
	switch v := e.Value.GetValue().(type) {
	case []int:
		return v
	case []string: // IS
		out := make([]int, 0, len(v))
		for _, s := range v {
			n, err := strconv.Atoi(strings.Trim(s, " \x00"))
			if err != nil {
				return nil
			}
			out = append(out, n)
		}
		return out
	}
	return nil
}

// need is the one integer of a tag, between lo and hi.
func (h *header) need(t tag.Tag, lo, hi int) int {
	v := h.ints(t)
	if len(v) == 0 {
		h.fail(t, "is missing")
		return lo
	}
	if v[0] < lo || v[0] > hi {
		h.fail(t, "%d is not supported (%d to %d are)", v[0], lo, hi)
		return lo
	}
	return v[0]
}

// decimals are the n numbers of a DS tag.
func (h *header) decimals(t tag.Tag, n int) []float64 {
	v := textsOf(h.ds, t)
	if len(v) != n {
		h.fail(t, "%d values, %d are needed", len(v), n)
		return make([]float64, n)
	}
	out := make([]float64, n)
	for i, s := range v {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f != f || f > 1e30 || f < -1e30 {
			h.fail(t, "%q is not a number", s)
		}
		out[i] = f
	}
	return out
}

// imageOf reads the pixel description.
func (h *header) imageOf() image {
	im := image{
		rows: h.need(tag.Rows, 1, 16384), cols: h.need(tag.Columns, 1, 16384),
		allocated: h.need(tag.BitsAllocated, 8, 32), bits: h.need(tag.BitsStored, 1, 32),
	}
	h.need(tag.SamplesPerPixel, 1, 1)
	im.signed = h.need(tag.PixelRepresentation, 0, 1) == 1
	if im.allocated != 8 && im.allocated != 16 && im.allocated != 32 {
		h.fail(tag.BitsAllocated, "%d is not supported (8, 16 and 32 are)", im.allocated)
	}
	if im.bits > im.allocated {
		h.fail(tag.BitsStored, "%d of %d bits allocated", im.bits, im.allocated)
	}
	if b := h.ints(tag.HighBit); len(b) > 0 && b[0] != im.bits-1 {
		h.fail(tag.HighBit, "%d, with %d bits stored it must be %d", b[0], im.bits, im.bits-1)
	}
	if p := h.text(tag.PhotometricInterpretation); p != "MONOCHROME2" && p != "MONOCHROME1" {
		h.fail(tag.PhotometricInterpretation, "%q, a CT image has MONOCHROME2 or MONOCHROME1", p)
	}
	im.slope, im.intercept = h.decimals(tag.RescaleSlope, 1)[0], h.decimals(tag.RescaleIntercept, 1)[0]
	if im.slope == 0 {
		h.fail(tag.RescaleSlope, "is 0")
	}
	if p := h.ints(tag.PixelPaddingValue); len(p) > 0 {
		im.padded, im.padLo, im.padHi = true, im.extend(uint32(p[0])), im.extend(uint32(p[0]))
		if r := h.ints(tag.PixelPaddingRangeLimit); len(r) > 0 {
			other := im.extend(uint32(r[0]))
			im.padLo, im.padHi = min(im.padLo, other), max(im.padHi, other)
		}
	}
	return im
}

// extend masks a stored word to the stored bits and extends its sign.
func (im *image) extend(v uint32) int {
	shift := 32 - im.bits
	if im.signed {
		return int(int32(v<<shift) >> shift)
	}
	return int(v << shift >> shift)
}

// bytes of one frame that is not compressed.
func (im *image) bytes() int { return im.rows * im.cols * im.allocated / 8 }

// hu gives a frame in HU, with a mask of the padding (nil when there is none).
func (im *image) hu(file string, l *layout, px []byte) ([]float32, []bool, error) {
	px, err := im.decode(file, l.syntax, px)
	if err != nil {
		return nil, nil, err
	}
	if len(px) < im.bytes() {
		return nil, nil, &FormatError{file, fmt.Sprintf("a frame of %d bytes, %d x %d pixels of %d bits need %d: the file is cut", len(px), im.rows, im.cols, im.allocated, im.bytes())}
	}
	hu, mask := im.values(px, l.order)
	return hu, mask, nil
}

// values turns the stored words of a frame into HU.
func (im *image) values(px []byte, order binary.ByteOrder) ([]float32, []bool) {
	hu := make([]float32, im.rows*im.cols)
	if im.allocated == 16 && !im.padded && order == binary.LittleEndian {
		im.plain16(hu, px)
		return hu, nil
	}
	var mask []bool
	for i := range hu {
		var v uint32
		switch im.allocated {
		case 8:
			v = uint32(px[i])
		case 16:
			v = uint32(order.Uint16(px[2*i:]))
		default:
			v = order.Uint32(px[4*i:])
		}
		s := im.extend(v)
		if im.padded && s >= im.padLo && s <= im.padHi {
			if mask == nil {
				mask = make([]bool, len(hu))
			}
			mask[i], hu[i] = true, airHU
			continue
		}
		hu[i] = float32(float64(s)*im.slope + im.intercept)
	}
	return hu, mask
}

// plain16 is the loop of values for nearly all files there are.
func (im *image) plain16(hu []float32, px []byte) {
	shift := 32 - im.bits
	if im.signed {
		for i := range hu {
			hu[i] = float32(float64(int32(uint32(binary.LittleEndian.Uint16(px[2*i:]))<<shift)>>shift)*im.slope + im.intercept)
		}
		return
	}
	for i := range hu {
		hu[i] = float32(float64(uint32(binary.LittleEndian.Uint16(px[2*i:]))<<shift>>shift)*im.slope + im.intercept)
	}
}

// upright says whether o are two unit vectors at a right angle.
func upright(o [6]float64) bool {
	r, c := o[0]*o[0]+o[1]*o[1]+o[2]*o[2], o[3]*o[3]+o[4]*o[4]+o[5]*o[5]
	return math.Abs(r-1) < 0.01 && math.Abs(c-1) < 0.01 && math.Abs(o[0]*o[3]+o[1]*o[4]+o[2]*o[5]) < 0.01
}
