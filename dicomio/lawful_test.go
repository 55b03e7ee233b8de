package dicomio

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyashkumar/dicom/pkg/tag"
)

func TestLawfulWord(t *testing.T) {
	tests := []struct {
		vr, in, want string
		ok           bool
	}{
		{"AS", "022Y", "022Y", true},
		{"AS", "22Y", "022Y", true},
		{"AS", "6M", "006M", true},
		{"AS", "22", "", false},
		{"AS", "0022Y", "", false},
		{"CS", "HEAD", "HEAD", true},
		{"CS", "Abdomen", "ABDOMEN", true},
		{"CS", "HEAD-NECK", "", false},
		{"CS", "CHESTABDOMENPELVIS", "", false},
		{"DA", "20260102", "20260102", true},
		{"DA", "2026.01.02", "20260102", true},
		{"DA", "20261301", "", false},
		{"DA", "2026", "", false},
		{"TM", "165447.788280", "165447.788280", true},
		{"TM", "16:54:47", "165447", true},
		{"TM", "16", "16", true},
		{"TM", "256000", "", false},
		{"DS", "1.25", "1.25", true},
		{"DS", "1.24999999999999999", "1.25", true},
		{"DS", "-0.333333333333333333", "-0.3333333333333", true},
		{"DS", "1,25", "", false},
		{"DS", "NaN", "", false},
		{"DS", "0x1p3", "", false},
		{"IS", "12", "12", true},
		{"IS", "0000000000012", "12", true},
		{"IS", "1.5", "", false},
		{"SH", strings.Repeat("x", 16), strings.Repeat("x", 16), true},
		{"SH", strings.Repeat("ä", 16), strings.Repeat("ä", 16), true},
		{"SH", strings.Repeat("x", 17), "", false},
		{"LO", strings.Repeat("x", 65), "", false},
	}
	for _, tt := range tests {
		got, ok := lawfulWord(tt.vr, tt.in)
		if ok != tt.ok || ok && (got != tt.want && !(tt.vr == "DS" && len(got) <= 16 && strings.HasPrefix(got, tt.want))) {
			t.Errorf("%s %q is %q, %v; want %q, %v", tt.vr, tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

// TestUnlawfulText: what is made from a series whose header breaks the rules obeys
// them, notes say what was left out, and the patient stays the patient.
func TestUnlawfulText(t *testing.T) {
	long := strings.Repeat("Thorax ", 20)
	dir := t.TempDir()
	for i, s := range stack(2, 2, func(_ int, s *slab) { s.id, s.patient = strings.Repeat("7", 60), "A^B" }) {
		b := with(t, s.bytes(), el(8, 0x20, "DA", "2026.01.02"), el(8, 0x1030, "LO", long), el(8, 0x50, "SH", "an accession number"), el(0x10, 0x40, "CS", "f"),
			el(0x10, 0x1010, "AS", "22Y"), el(0x10, 0x1030, "DS", "71,5"), el(0x18, 0x15, "CS", "Chest"), el(0x18, 0x50, "DS", "1.250000000000000000"), el(0x20, 0x10, "SH", strings.Repeat("d", 64)))
		if err := os.WriteFile(filepath.Join(dir, string(rune('1'+i))), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := ReadSeries(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, note := range []string{
		"2 file(s) whose (0020,0010) StudyID is not what its VR SH may hold: results leave it out",
		"2 file(s) whose (0008,0050) AccessionNumber is not what its VR SH",
		"2 file(s) whose (0010,1030) PatientWeight is not what its VR DS",
		"2 file(s) whose (0008,1030) StudyDescription is longer than the 64 characters of VR LO: results have its start",
	} {
		if !contains(all[0].Notes, note) {
			t.Errorf("no note %q in %q", note, all[0].Notes)
		}
	}
	if len(all[0].Notes) != 4 {
		t.Errorf("%d notes: %q", len(all[0].Notes), all[0].Notes)
	}
	out := filepath.Join(t.TempDir(), "s")
	d := derived(2)
	d.Source, d.Subject, d.Grid = all[0], "", all[0].Grid
	if _, err := WriteSeries(out, d); err != nil {
		t.Fatal(err)
	}
	checkValid(t, out)
	h, err := ReadHeader(filepath.Join(out, "0001.dcm"))
	if err != nil {
		t.Fatal(err)
	}
	for tg, want := range map[tag.Tag]string{
		tag.PatientID: strings.Repeat("7", 60), tag.PatientName: "A^B", tag.PatientSex: "F", tag.PatientAge: "022Y", tag.PatientWeight: "", tag.StudyDate: "20260102",
		tag.StudyID: "", tag.AccessionNumber: "", tag.BodyPartExamined: "CHEST", tag.SliceThickness: "1.25", tag.StudyDescription: strings.TrimSpace(long[:64]),
	} {
		if got := textOf(h, tg); got != want {
			t.Errorf("%s is %q, want %q", nameOf(tg), got, want)
		}
	}
}
