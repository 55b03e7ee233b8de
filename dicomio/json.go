package dicomio

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// maxInline bounds binary values that stand in the DICOM JSON model.
const maxInline = 4 << 10

// JSONElement is an attribute in the DICOM JSON model (PS3.18 annex F).
type JSONElement struct {
	VR           string `json:"vr"`
	Value        []any  `json:"Value,omitempty"`
	InlineBinary []byte `json:"InlineBinary,omitempty"`
}

// JSONObject is a data set in it, by tags such as "0020000D".
type JSONObject map[string]JSONElement

// JSON is the header in the DICOM JSON model, text in UTF-8. Pixels, longer binary values
// and those of private attributes without a known VR are left out, and so are the
// attributes of the file itself (group 0002).
func (h *Head) JSON() JSONObject { return jsonObject(h.data.Elements) }

func jsonObject(all []*dicom.Element) JSONObject {
	out := JSONObject{}
	for _, e := range all {
		if e == nil || e.Tag.Group <= 2 || e.Tag.Element == 0 || e.Tag == tag.PixelData || e.Tag.Group == 0xFFFE {
			continue
		}
		x, ok := jsonElement(e)
		if ok {
			out[fmt.Sprintf("%04X%04X", e.Tag.Group, e.Tag.Element)] = x
		}
	}
	if _, ok := out["00080005"]; ok {
		out["00080005"] = JSONElement{VR: "CS", Value: []any{"ISO_IR 192"}} // what the text is in by now
	}
	return out
}

func jsonElement(e *dicom.Element) (out JSONElement, ok bool) {
	out.VR = e.RawValueRepresentation
	if len(out.VR) != 2 {
		return out, false
	}
	if e.Value == nil {
		return out, true
	}
	switch v := e.Value.GetValue().(type) {
	case []string:
		out.Value = jsonTexts(out.VR, v)
	case []int:
		out.Value = jsonInts(out.VR, v)
	case []float64:
		for _, f := range v {
			out.Value = append(out.Value, jsonNumber(f))
		}
	case []byte:
		if len(v) > maxInline || out.VR == "UN" {
			return out, false
		}
		out.InlineBinary = v
	case []*dicom.SequenceItemValue:
		for _, item := range v {
			elements, _ := item.GetValue().([]*dicom.Element)
			out.Value = append(out.Value, jsonObject(elements))
		}
	default:
		return out, false
	}
	return out, true
}

// jsonTexts turns texts into what their VR wants; an empty one of several is null.
func jsonTexts(vr string, all []string) (out []any) {
	filled := false
	for _, s := range all {
		s = strings.Trim(s, " \x00")
		filled = filled || s != ""
		switch {
		case s == "":
			out = append(out, nil)
		case vr == "PN":
			out = append(out, personName(s))
		case vr == "DS" || vr == "IS":
			if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
				out = append(out, f)
			} else {
				out = append(out, s)
			}
		default:
			out = append(out, s)
		}
	}
	if !filled {
		return nil
	}
	return out
}

// personName has its groups of components apart.
func personName(s string) map[string]string {
	out := map[string]string{}
	for i, part := range strings.SplitN(s, "=", 3) {
		if part != "" {
			out[[]string{"Alphabetic", "Ideographic", "Phonetic"}[i]] = part
		}
	}
	return out
}

func jsonInts(vr string, all []int) (out []any) {
	if vr == "AT" {
		for i := 0; i+1 < len(all); i += 2 {
			out = append(out, fmt.Sprintf("%04X%04X", uint16(all[i]), uint16(all[i+1])))
		}
		return out
	}
	for _, v := range all {
		out = append(out, v)
	}
	return out
}

// jsonNumber is a number, or the word for what JSON has no number for.
func jsonNumber(f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(fmt.Sprintf("%v", f), "+")
	}
	return f
}

// TagOf is the tag of a keyword, or of eight hexadecimal digits, as JSONObject has it; ""
// when the text is neither.
func TagOf(name string) string {
	if info, err := tag.FindByKeyword(name); err == nil {
		return fmt.Sprintf("%04X%04X", info.Tag.Group, info.Tag.Element)
	}
	if v, err := strconv.ParseUint(name, 16, 32); err == nil && len(name) == 8 {
		return fmt.Sprintf("%08X", v)
	}
	return ""
}
