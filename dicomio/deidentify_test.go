package dicomio

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

var siteKey = []byte("a key for the tests of 32 bytes.")

// identified is a series that tells all about its patient: every text that must not
// survive has the word SECRET or the date of the scan in it.
func identified(t *testing.T) *Series {
	t.Helper()
	dir := t.TempDir()
	for i := range 3 {
		s := slab{number: i + 1, z: 2.5 * float64(i), patient: "SECRET^Adams", id: "SECRET-7", uid: "1.2.840.113619." + string(rune('1'+i)), series: "1.2.840.113619.8", study: "1.2.840.113619.7", frame: "1.2.840.113619.10"}
		b := s.bytes()
		at := bytes.Index(b, []byte{0x10, 0, 0x20, 0, 'L', 'O'})
		more := join(
			el(0x10, 0x21, "LO", "SECRET issuer"), el(0x10, 0x30, "DA", "19500102"), el(0x10, 0x40, "CS", "F"), el(0x10, 0x1000, "LO", "SECRET other"), el(0x10, 0x1010, "AS", "076Y"),
			el(0x10, 0x1030, "DS", "61.5"), el(0x10, 0x4000, "LT", "SECRET comment"), el(0x11, 0x10, "LO", "SECRET private"), el(0x18, 0x15, "CS", "CHEST"), el(0x18, 0x1000, "LO", "SECRET serial"))
		end := at + 8 + int(b[at+6])
		b = slices.Concat(b[:end], more, b[end:])
		equip := bytes.Index(b, []byte{8, 0, 0x70, 0, 'L', 'O'})
		end = equip + 8 + int(b[equip+6])
		b = slices.Concat(b[:end], el(8, 0x80, "LO", "SECRET hospital"), el(8, 0x90, "PN", "SECRET^Doctor"), el(8, 0x1010, "SH", "SECRET station"), el(8, 0x1030, "LO", "SECRET study"), el(8, 0x103E, "LO", "SECRET series"), b[end:])
		b = bytes.Replace(b, el(8, 0x60, "CS", "CT"), join(el(8, 0x50, "SH", "SECRET"), el(8, 0x60, "CS", "CT")), 1)
		if err := os.WriteFile(filepath.Join(dir, "SECRET"+string(rune('1'+i))+".dcm"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := ReadSeries(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	all[0].Notes = append(all[0].Notes, "a note about SECRET1.dcm", "a note")
	return all[0]
}

// TestDeidentified: of everything that is written, nothing tells who the patient is, all
// of it is valid, and options keep what they say.
func TestDeidentified(t *testing.T) {
	tests := []struct {
		options []string
		has     []string // in the first file of the series
		not     []string
		removed string
	}{
		{nil, []string{"PatientBirthDate = []", "StudyDate = []", "PatientSex = []", "BodyPartExamined = [CHEST]", "113100"}, []string{"76Y", "61.5", "20260102", "1.2.840.113619"}, "REMOVED"},
		{[]string{"patient"}, []string{"PatientAge = [076Y]", "PatientSex = [F]", "PatientWeight = [61.5]", "113108"}, []string{"20260102", "1.2.840.113619"}, "REMOVED"},
		{[]string{"dates", "uids"}, []string{"StudyDate = [20260102]", "StudyInstanceUID = [1.2.840.113619.7]", "FrameOfReferenceUID = [1.2.840.113619.10]", "ReferencedSOPInstanceUID = [1.2.840.113619.1]"}, []string{"76Y"}, "UNMODIFIED"},
		{[]string{"shifted-dates"}, []string{"StudyDate = [202", "StudyTime = [030405]", "PatientBirthDate = []"}, []string{"20260102", "19500102"}, "MODIFIED"},
		{[]string{"device", "institution"}, []string{"DeviceSerialNumber = [SECRET serial]", "InstitutionName = [SECRET hospital]", "StationName = [SECRET station]"}, []string{"SECRET issuer"}, "REMOVED"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(append(tt.options, "basic"), " "), func(t *testing.T) {
			s := identified(t)
			p, err := NewDeidentifier(siteKey, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Series(s); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.Join(s.Notes, " "), "SECRET") || strings.Contains(s.Slices[0].File, "SECRET") || !slices.Contains(s.Notes, "a note") {
				t.Errorf("notes %q, file %q", s.Notes, s.Slices[0].File)
			}
			d := derived(3)
			d.Source, d.Subject, d.Grid, d.Time = s, "", s.Grid, p.Time(s.Slices[0].Header, d.Time)
			dir := t.TempDir()
			beside(t, dir, d)
			checkValid(t, dir)
			checkValid(t, filepath.Join(dir, "series"))
			first := attributes(t, filepath.Join(dir, "series", "0001.dcm"))
			for _, want := range append(tt.has, "PatientIdentityRemoved = [YES]", "PatientName = [ANON^", "LongitudinalTemporalInformationModified = ["+tt.removed+"]") {
				if !strings.Contains(first, want) {
					t.Errorf("no %q in\n%s", want, first)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(first, not) {
					t.Errorf("%q survived in\n%s", not, first)
				}
			}
			if len(tt.options) < 2 {
				unseen(t, dir, "SECRET")
			}
			if !p.has("dates") {
				unseen(t, dir, "20260102")
			}
			if !p.has("uids") {
				unseen(t, dir, "1.2.840.113619")
			}
		})
	}
}

// unseen looks for a word in the bytes of all files.
func unseen(t *testing.T, dir, word string) {
	t.Helper()
	filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			b, err := os.ReadFile(p)
			if err != nil || bytes.Contains(b, []byte(word)) {
				t.Errorf("%s holds %q (%v)", filepath.Base(p), word, err)
			}
		}
		return nil
	})
}

// TestProfileTable: an element with any tag of the table, and with any text tag that is
// private or unknown, does not keep its value; nor does one inside a sequence.
func TestProfileTable(t *testing.T) {
	if len(actions) != 652 {
		t.Errorf("%d actions, the table of 2026c has 652 beside its patterns", len(actions))
	}
	p, err := NewDeidentifier(siteKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for x := range actions {
		info, err := tag.Find(x)
		if err != nil || info.VRs[0] == "SQ" {
			continue
		}
		e, err := dicom.NewElement(x, []string{"1.2.3"})
		if err != nil {
			continue
		}
		e.ValueLength = 6
		tried++
		h := p.Header(&dicom.Dataset{Elements: []*dicom.Element{e, must(tag.ReferencedImageEvidenceSequence, [][]*dicom.Element{{e}})}})
		for _, got := range append(h.Elements, itemsOf(h)...) {
			if got.Tag == x && strings.Contains(strings.Join(textsOf(h, x), "\\"), "1.2.3") {
				t.Errorf("%v, action %s, kept its value", x, actions[x])
			}
		}
	}
	if tried < 400 {
		t.Errorf("%d tags were tried", tried)
	}
	for _, x := range []tag.Tag{{Group: 0x11, Element: 0x1001}, {Group: 0x6000, Element: 0x3000}, {Group: 0x5002, Element: 0x3000}, {Group: 0x18, Element: 0xFFF1}} {
		if p.element(&dicom.Element{Tag: x, Value: must(tag.PatientID, []string{"a"}).Value}, "") != nil {
			t.Errorf("%v was kept", x)
		}
	}
}

func itemsOf(h *dicom.Dataset) []*dicom.Element {
	var out []*dicom.Element
	for _, it := range items(h, tag.ReferencedImageEvidenceSequence) {
		out = append(out, it.Elements...)
	}
	return out
}

// TestDeidentifierKey: the same key gives the same patient and UIDs, another one others,
// and neither can be had without it.
func TestDeidentifierKey(t *testing.T) {
	id := func(key []byte) (string, string) {
		p, err := NewDeidentifier(key, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := identified(t)
		if err := p.Series(s); err != nil {
			t.Fatal(err)
		}
		return textOf(s.Slices[0].Header, tag.PatientID), s.UID
	}
	a, u := id(siteKey)
	b, v := id(siteKey)
	c, w := id([]byte("another key of the same length.."))
	if a != b || u != v || a == c || u == w {
		t.Errorf("%s %s, %s %s with the same key, %s %s with another", a, u, b, v, c, w)
	}
	if hex.EncodeToString([]byte(a)) == "" || u == UID("uid", "1.2.840.113619.8") {
		t.Error("the UID is made without the key")
	}
	for name, options := range map[string][]string{"unknown": {"nothing"}, "both": {"dates", "shifted-dates"}} {
		if _, err := NewDeidentifier(siteKey, options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewDeidentifier([]byte("short"), nil); err == nil {
		t.Error("a short key was taken")
	}
}

// TestShiftedDates: one distance for all dates of a patient, backwards, at most a year.
func TestShiftedDates(t *testing.T) {
	p, err := NewDeidentifier(siteKey, []string{"shifted-dates"})
	if err != nil {
		t.Fatal(err)
	}
	h := p.Header(&dicom.Dataset{Elements: []*dicom.Element{long(tag.StudyDate, "20260102"), long(tag.AcquisitionDateTime, "20260301120000.5"), long(tag.SeriesDate, "about noon"), long(tag.PatientID, "1")}})
	day := func(t tag.Tag) time.Time {
		d, _ := time.Parse("20060102", textOf(h, t)[:8])
		return d
	}
	back := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).Sub(day(tag.StudyDate)).Hours() / 24
	if other := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Sub(day(tag.AcquisitionDateTime)).Hours() / 24; back < 1 || back > 365 || back != other {
		t.Errorf("moved by %g and %g days", back, other)
	}
	if got := textOf(h, tag.SeriesDate); got != "" || !strings.HasSuffix(textOf(h, tag.AcquisitionDateTime), "120000.5") {
		t.Errorf("series date %q", got)
	}
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	if got := now.Sub(p.Time(h, now)).Hours() / 24; got != back {
		t.Errorf("the job is moved by %g days, the study by %g", got, back)
	}
}

func long(t tag.Tag, v string) *dicom.Element {
	e := must(t, []string{v})
	e.ValueLength = uint32(len(v))
	return e
}

// TestBurnedIn: pixels with text in them are refused.
func TestBurnedIn(t *testing.T) {
	s := identified(t)
	s.Slices[1].Header.Elements = append(s.Slices[1].Header.Elements, long(tag.BurnedInAnnotation, "YES"))
	p, _ := NewDeidentifier(siteKey, nil)
	if err := p.Series(s); err == nil || !strings.Contains(err.Error(), "BurnedInAnnotation") {
		t.Errorf("%v", err)
	}
}
