package dicomio

import (
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ctrecon/dicomio/uid"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

//go:embed confidentiality.txt
var confidentiality string

// actions is table E.1-1 of PS3.15: what the basic profile does with a tag.
var actions = func() map[tag.Tag]string {
	out := map[tag.Tag]string{}
	for line := range strings.Lines(confidentiality) {
		if f := strings.Fields(line); f[0] != "#" {
			for _, s := range f[1:] {
				v, err := strconv.ParseUint(s, 16, 32)
				if err != nil {
					panic(err)
				}
				out[tag.Tag{Group: uint16(v >> 16), Element: uint16(v)}] = f[0]
			}
		}
	}
	return out
}()

// Retain is an option of the profile (PS3.15 A.3): what it keeps.
type Retain struct {
	Name, Code, Meaning string
	keeps               func(t tag.Tag, vr, action string) bool
}

func among(list ...tag.Tag) func(tag.Tag, string, string) bool {
	return func(t tag.Tag, _, _ string) bool { return slices.Contains(list, t) }
}

// temporal are dates and times of what was done; a birth date is none.
func temporal(t tag.Tag, vr, _ string) bool {
	return (vr == "DA" || vr == "TM" || vr == "DT" || t == tag.TimezoneOffsetFromUTC) && t != tag.PatientBirthDate && t != tag.PatientBirthTime
}

// Retained are the options by name.
var Retained = []Retain{
	{"dates", "113106", "Retain Longitudinal Temporal Information Full Dates Option", temporal},
	{"shifted-dates", "113107", "Retain Longitudinal Temporal Information Modified Dates Option", temporal},
	{"patient", "113108", "Retain Patient Characteristics Option", among(tag.PatientAge, tag.PatientSex, tag.PatientSize, tag.PatientWeight, tag.EthnicGroup, tag.SmokingStatus, tag.PregnancyStatus)},
	{"device", "113109", "Retain Device Identity Option", among(tag.DeviceSerialNumber, tag.StationName, tag.DeviceUID, tag.GantryID, tag.DetectorID, tag.PerformedStationName, tag.PerformedStationAETitle)},
	{"uids", "113110", "Retain UIDs Option", func(_ tag.Tag, vr, action string) bool { return vr == "UI" && strings.HasPrefix(action, "U") }},
	{"institution", "113112", "Retain Institution Identity Option", among(tag.InstitutionName, tag.InstitutionAddress, tag.InstitutionCodeSequence, tag.InstitutionalDepartmentName)},
}

// Deidentifier applies the Basic Application Level Confidentiality Profile of PS3.15
// annex E. It is stricter where the standard leaves a choice: private elements, those
// that the dictionary does not know, curves and overlays go; what may be removed is.
type Deidentifier struct {
	key    []byte
	retain []Retain
	done   map[*dicom.Element]*dicom.Element // frames share elements
}

// NewDeidentifier makes one with options by name. With the same secret key the same
// UIDs and patients get the same new ones; without it nobody can tell whether two
// belong together.
func NewDeidentifier(key []byte, options []string) (*Deidentifier, error) {
	d := &Deidentifier{key: key, done: map[*dicom.Element]*dicom.Element{}}
	if len(key) < 16 {
		return nil, fmt.Errorf("a key of %d bytes: 16 are needed", len(key))
	}
	var names []string
	for _, r := range Retained {
		names = append(names, r.Name)
		if slices.Contains(options, r.Name) {
			d.retain = append(d.retain, r)
		}
	}
	for _, o := range options {
		if !slices.Contains(names, o) {
			return nil, fmt.Errorf("%q: there is %s", o, strings.Join(names, ", "))
		}
	}
	if d.has("dates") && d.has("shifted-dates") {
		return nil, fmt.Errorf("dates and shifted-dates exclude each other")
	}
	return d, nil
}

func (d *Deidentifier) has(name string) bool {
	return slices.ContainsFunc(d.retain, func(r Retain) bool { return r.Name == name })
}

func (d *Deidentifier) mac(names ...string) []byte {
	h := hmac.New(sha256.New, d.key)
	for _, n := range names {
		h.Write([]byte(n))
		h.Write([]byte{0})
	}
	return h.Sum(nil)
}

// uid is the new UID for an old one.
func (d *Deidentifier) uid(old string) string {
	if d.has("uids") || old == "" {
		return old
	}
	return uid.OfUUID([16]byte(d.mac("uid", old)), 8)
}

// Series takes the identity out of a series in place: its headers, UIDs, names of
// files and notes that name them. A series with text burned into its pixels is refused.
func (d *Deidentifier) Series(s *Series) error {
	old := make([]string, len(s.Slices))
	for i := range s.Slices {
		sl := &s.Slices[i]
		if textOf(sl.Header, tag.BurnedInAnnotation) == "YES" {
			return &UnsupportedError{sl.File, "(0028,0301) BurnedInAnnotation: text in the pixels cannot be taken out"}
		}
		old[i] = sl.File
		sl.SOPInstance = d.uid(sl.SOPInstance)
		sl.File = fmt.Sprintf("slice %d", i+1)
		sl.Header = d.Header(sl.Header)
	}
	s.UID, s.Description = d.uid(s.UID), ""
	s.Notes = slices.DeleteFunc(s.Notes, func(note string) bool {
		return slices.ContainsFunc(old, func(file string) bool { return strings.Contains(note, file) })
	})
	s.Notes = append(s.Notes, "de-identified: "+strings.Join(d.names(), ", ")+"; the surface of a head in thin slices can still be rendered as a face")
	return nil
}

// names says what was done.
func (d *Deidentifier) names() []string {
	out := []string{"basic profile"}
	for _, r := range d.retain {
		out = append(out, "retain "+r.Name)
	}
	return out
}

// Header is a header without identity.
func (d *Deidentifier) Header(h *dicom.Dataset) *dicom.Dataset {
	patient := strings.Join([]string{textOf(h, tag.IssuerOfPatientID), textOf(h, tag.PatientID), textOf(h, tag.PatientName), textOf(h, tag.PatientBirthDate)}, "\x00")
	out := &dicom.Dataset{}
	for _, e := range h.Elements {
		if e = d.element(e, patient); e != nil {
			out.Elements = append(out.Elements, e)
		}
	}
	put := func(t tag.Tag, v any) {
		out.Elements = slices.DeleteFunc(out.Elements, func(e *dicom.Element) bool { return e.Tag == t })
		e := must(t, v)
		e.ValueLength = 2 // not empty
		out.Elements = append(out.Elements, e)
	}
	pseudonym := hex.EncodeToString(d.mac("patient", patient)[:6])
	put(tag.PatientName, []string{"ANON^" + strings.ToUpper(pseudonym)})
	put(tag.PatientID, []string{"ANON-" + pseudonym})
	put(tag.PatientIdentityRemoved, []string{"YES"})
	put(tag.DeidentificationMethod, d.methods())
	codes := [][]*dicom.Element{code("113100", "DCM", "Basic Application Confidentiality Profile")}
	for _, r := range d.retain {
		codes = append(codes, code(r.Code, "DCM", r.Meaning))
	}
	put(tag.DeidentificationMethodCodeSequence, codes)
	put(tag.LongitudinalTemporalInformationModified, []string{d.dates()})
	slices.SortFunc(out.Elements, func(a, b *dicom.Element) int { return a.Tag.Compare(b.Tag) })
	return out
}

func (d *Deidentifier) methods() []string {
	out := []string{"ctrecon", "PS3.15 basic profile"}
	for _, r := range d.retain {
		out = append(out, "retain "+r.Name)
	}
	return out
}

// dates is the value of LongitudinalTemporalInformationModified.
func (d *Deidentifier) dates() string {
	switch {
	case d.has("dates"):
		return "UNMODIFIED"
	case d.has("shifted-dates"):
		return "MODIFIED"
	}
	return "REMOVED"
}

// Time is the time that objects made of the de-identified header h are dated by: the
// day of work often is that of the scan.
func (d *Deidentifier) Time(h *dicom.Dataset, now time.Time) time.Time {
	switch {
	case d.has("dates"):
		return now
	case d.has("shifted-dates"):
		return now.AddDate(0, 0, -d.days(textOf(h, tag.PatientID)))
	}
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
}

// days that dates of a patient, known by the new ID, are moved back: 1 to 365.
func (d *Deidentifier) days(id string) int {
	return 1 + int(binary.BigEndian.Uint32(d.mac("days", id))%365)
}

// element applies the profile to an element; nil removes it.
func (d *Deidentifier) element(e *dicom.Element, patient string) *dicom.Element {
	if out, ok := d.done[e]; ok {
		return out
	}
	out := d.changed(e, patient)
	d.done[e] = out
	return out
}

func (d *Deidentifier) changed(e *dicom.Element, patient string) *dicom.Element {
	t := e.Tag
	info, err := tag.Find(t)
	if err != nil || t.Group%2 == 1 || t.Group&0xFF00 == 0x5000 || t.Group&0xFF00 == 0x6000 {
		return nil
	}
	action, vr := actions[t], info.VRs[0]
	for _, r := range d.retain {
		if action != "" && r.keeps(t, vr, action) {
			if r.Name == "shifted-dates" && (vr == "DA" || vr == "DT") {
				return d.shifted(e, patient)
			}
			action = ""
		}
	}
	switch {
	case action == "U":
		return d.mapped(e)
	case strings.HasPrefix(action, "X"), action == "D":
		return nil
	case strings.HasPrefix(action, "Z"):
		return withValue(e, []string{""}, 0)
	}
	return d.inside(e, patient)
}

// mapped has the new UIDs.
func (d *Deidentifier) mapped(e *dicom.Element) *dicom.Element {
	v, ok := e.Value.GetValue().([]string)
	if !ok {
		return nil
	}
	out := make([]string, len(v))
	for i, u := range v {
		out[i] = d.uid(u)
	}
	return withValue(e, out, e.ValueLength)
}

// shifted has its dates moved; a value that is no date goes.
func (d *Deidentifier) shifted(e *dicom.Element, patient string) *dicom.Element {
	v, ok := e.Value.GetValue().([]string)
	if !ok {
		return nil
	}
	id := "ANON-" + hex.EncodeToString(d.mac("patient", patient)[:6])
	out := make([]string, len(v))
	for i, s := range v {
		if len(s) < 8 {
			continue
		}
		if day, err := time.Parse("20060102", s[:8]); err == nil {
			out[i] = day.AddDate(0, 0, -d.days(id)).Format("20060102") + s[8:]
		}
	}
	return withValue(e, out, e.ValueLength)
}

// inside applies the profile to the items of a sequence.
func (d *Deidentifier) inside(e *dicom.Element, patient string) *dicom.Element {
	items, ok := e.Value.GetValue().([]*dicom.SequenceItemValue)
	if !ok {
		return e
	}
	var out [][]*dicom.Element
	for _, it := range items {
		var kept []*dicom.Element
		list, _ := it.GetValue().([]*dicom.Element)
		for _, x := range list {
			if x = d.element(x, patient); x != nil {
				kept = append(kept, x)
			}
		}
		out = append(out, kept)
	}
	n := must(e.Tag, out)
	n.ValueLength = e.ValueLength
	return n
}

func withValue(e *dicom.Element, v []string, length uint32) *dicom.Element {
	n, err := dicom.NewElement(e.Tag, v)
	if err != nil { // Z of a sequence or number: it has no empty text
		return nil
	}
	n.ValueLength = length
	return n
}
