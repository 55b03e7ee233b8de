package dicomio

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// peekInflated bounds what is expanded of a deflated data set for its header.
const peekInflated = 64 << 20

// Names of our equipment in what is written. A phantom is an input like any other;
// a result is not.
const (
	Maker        = "ctrecon project"
	Model        = "ctrecon"
	PhantomModel = "ctrecon phantom"
)

// Head is the header of a DICOM object of any class. UIDs are as the object has them.
type Head struct {
	SOPClass, SOPInstance, TransferSyntax string
	Study, Series                         string
	data                                  *dicom.Dataset
}

// Peek checks the structure of a DICOM file of any class up to its pixel data and reads
// its header. Pixels are not looked at, so that a large object costs little; memory is
// bounded by the header. Errors are FormatError or UnsupportedError, and name no patient.
func Peek(path string) (*Head, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &FormatError{filepath.Base(path), "cannot be read: " + plain(err)}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, &FormatError{filepath.Base(path), "cannot be read: " + plain(err)}
	}
	return peek(&stream{name: filepath.Base(path), r: f, size: int(info.Size())})
}

func peek(in *stream) (*Head, error) {
	l, err := (&walker{any: true, head: true}).walk(in)
	if err != nil {
		return nil, err
	}
	ds, _, err := parseHeader(in.name, l)
	if err != nil {
		return nil, err
	}
	h := &Head{TransferSyntax: l.syntax, data: ds, SOPClass: textOf(ds, tag.SOPClassUID), SOPInstance: textOf(ds, tag.SOPInstanceUID),
		Study: textOf(ds, tag.StudyInstanceUID), Series: textOf(ds, tag.SeriesInstanceUID)}
	if h.SOPInstance == "" {
		return nil, &FormatError{in.name, "(0008,0018) SOPInstanceUID is missing"}
	}
	return h, nil
}

// peekDeflated expands the beginning of a deflated data set, whose metadata end at at.
func peekDeflated(in *stream, at int) (whole *stream, cut bool, err error) {
	if err := in.fill(at); err != nil {
		return nil, false, err
	}
	packed := io.MultiReader(bytes.NewReader(in.b[at:]), in.r)
	out := bytes.NewBuffer(append([]byte(nil), in.b[:at]...))
	n, err := io.Copy(out, io.LimitReader(flate.NewReader(packed), peekInflated))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, &FormatError{in.name, fmt.Sprintf("byte %d: deflated data set, wrong or cut after %d expanded bytes", at, n)}
	}
	return inMemory(in.name, out.Bytes()), n == peekInflated, nil
}

// Text is the value of an attribute, named by its keyword as in PS3.6; several values
// are separated by a backslash. It is empty when the object has no such text.
func (h *Head) Text(keyword string) string {
	info, err := tag.FindByKeyword(keyword)
	if err != nil {
		return ""
	}
	e, err := h.data.FindElementByTag(info.Tag)
	if err != nil || e.Value == nil {
		return ""
	}
	switch v := e.Value.GetValue().(type) {
	case []string:
		return strings.Join(textsOf(h.data, info.Tag), `\`)
	case []int:
		return joined(v, strconv.Itoa)
	case []float64:
		return joined(v, func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) })
	}
	return ""
}

func joined[T any](v []T, text func(T) string) string {
	out := make([]string, len(v))
	for i, x := range v {
		out[i] = text(x)
	}
	return strings.Join(out, `\`)
}

// IsKeyword says whether Text knows an attribute of this name.
func IsKeyword(keyword string) bool {
	_, err := tag.FindByKeyword(keyword)
	return err == nil
}

// Ours says that the object is a result of this program, of which none is made again.
func (h *Head) Ours() bool {
	return textOf(h.data, tag.Manufacturer) == Maker && textOf(h.data, tag.ManufacturerModelName) == Model
}

// Image says that the object is of a CT class from which jobs are made.
func (h *Head) Image() bool { return foreign(h.SOPClass) == "" && h.SOPClass != "" }

// Height is the place of the slice along the normal of its plane, mm; ok is false when
// the object does not say.
func (h *Head) Height() (mm float64, ok bool) {
	p, o := numbers(h.Text("ImagePositionPatient")), numbers(h.Text("ImageOrientationPatient"))
	if len(p) != 3 || len(o) != 6 {
		return 0, false
	}
	return along([3]float64(p), normal([6]float64(o))), true
}

// numbers reads the values of a DS; nil when one of them is none.
func numbers(s string) []float64 {
	var out []float64
	for f := range strings.SplitSeq(s, `\`) {
		v, err := strconv.ParseFloat(strings.TrimSpace(f), 64)
		if err != nil || v != v || v-v != 0 {
			return nil
		}
		out = append(out, v)
	}
	return out
}

// IsUID says whether a text is a UID as PS3.5 9.1 wants it.
func IsUID(s string) bool { return s != "" && isUID(s) }
