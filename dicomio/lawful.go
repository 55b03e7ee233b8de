package dicomio

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// oddity is what is wrong with a value, and what results have instead.
type oddity struct {
	tag  tag.Tag
	what string
}

// oddNotes counts the oddities of files.
func oddNotes(files []*file) []string {
	count := map[oddity]int{}
	for _, f := range files {
		for _, o := range f.odd {
			count[o]++
		}
	}
	var out []string
	for o, n := range count {
		out = append(out, fmt.Sprintf("%d file(s) whose %s %s", n, nameOf(o.tag), o.what))
	}
	sort.Strings(out)
	return out
}

// identity is never changed: a value that breaks the rules still names the patient.
var identity = []tag.Tag{tag.PatientName, tag.PatientID, tag.IssuerOfPatientID}

// lawfulText makes what results copy from the header obey the rules of its VR (PS3.5
// table 6.2-1), since a PACS may refuse an object for a study ID of 20 characters.
// What cannot be put right is taken out of the header.
func (h *header) lawfulText() {
	for _, list := range [][]tag.Tag{subjectRequired, subjectOptional, imageOptional, sliceRequired, sliceOptional} {
		for _, t := range list {
			if !slices.Contains(identity, t) {
				h.lawfulValue(t)
			}
		}
	}
}

func (h *header) lawfulValue(t tag.Tag) {
	i := slices.IndexFunc(h.ds.Elements, func(e *dicom.Element) bool { return e.Tag == t })
	info, err := tag.Find(t)
	if i < 0 || err != nil || h.ds.Elements[i].Value == nil {
		return
	}
	old, ok := h.ds.Elements[i].Value.GetValue().([]string)
	if !ok {
		return
	}
	out, cut := make([]string, len(old)), false
	for k, v := range old {
		v, ok = strings.Trim(v, " \x00"), true
		limit, text := textLimits[info.VRs[0]]
		switch {
		case v == "":
		case text && utf8.RuneCountInString(v) <= limit:
		case text && t != tag.OtherPatientIDs:
			v, cut = string([]rune(v)[:limit]), true
		default:
			v, ok = lawfulWord(info.VRs[0], v)
		}
		if !ok {
			h.odd = append(h.odd, oddity{t, "is not what its VR " + info.VRs[0] + " may hold: results leave it out"})
			h.ds.Elements = slices.DeleteFunc(slices.Clone(h.ds.Elements), func(e *dicom.Element) bool { return e.Tag == t })
			return
		}
		out[k] = v
	}
	if cut {
		h.odd = append(h.odd, oddity{t, fmt.Sprintf("is longer than the %d characters of VR %s: results have its start", textLimits[info.VRs[0]], info.VRs[0])})
	}
	if !slices.Equal(out, old) {
		h.replace(i, out)
	}
}

// replace gives element i other values. The old one may be that of other frames too and
// is kept as it is.
func (h *header) replace(i int, v []string) {
	e := must(h.ds.Elements[i].Tag, v)
	e.ValueLength = uint32(len(strings.Join(v, "\\")))
	h.ds.Elements[i] = e
}

// textLimits are characters of VRs whose text may be cut: descriptions.
var textLimits = map[string]int{"LO": 64, "ST": 1024, "LT": 10240}

// Forms of VRs; older ones have separators in dates and times.
var (
	formAge  = regexp.MustCompile(`^\d{1,3}[DWMY]$`)
	formCode = regexp.MustCompile(`^[A-Z0-9_ ]{1,16}$`)
	formDate = regexp.MustCompile(`^\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$`)
	formTime = regexp.MustCompile(`^([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?$`)
	oldDate  = regexp.MustCompile(`^\d{4}\.\d\d\.\d\d$`)
	oldTime  = regexp.MustCompile(`^\d\d:\d\d(:\d\d(\.\d{1,6})?)?$`)
)

// lawfulWord puts a value of a VR right where it still says the same: zeros in front
// of an age, capitals, a number of fewer characters. ok is false where it cannot.
func lawfulWord(vr, v string) (out string, ok bool) {
	switch vr {
	case "AS":
		return strings.Repeat("0", max(0, 4-len(v))) + v, formAge.MatchString(v)
	case "CS":
		v = strings.ToUpper(v)
		return v, formCode.MatchString(v)
	case "DA":
		if oldDate.MatchString(v) {
			v = strings.ReplaceAll(v, ".", "")
		}
		return v, formDate.MatchString(v)
	case "TM":
		if oldTime.MatchString(v) {
			v = strings.ReplaceAll(v, ":", "")
		}
		return v, formTime.MatchString(v)
	case "DS":
		f, err := strconv.ParseFloat(v, 64)
		if err == nil && len(v) > 16 {
			v = decimal(f)
		}
		return v, err == nil && f-f == 0 && !strings.ContainsAny(v, "xXpP_")
	case "IS":
		n, err := strconv.ParseInt(v, 10, 32)
		if err == nil && len(v) > 12 {
			v = strconv.FormatInt(n, 10)
		}
		return v, err == nil
	case "SH":
		return v, utf8.RuneCountInString(v) <= 16
	case "PN":
		return v, len(v) <= 3*64
	}
	return v, len(v) <= 64
}
