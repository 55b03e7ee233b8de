package dicomio

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/suyashkumar/dicom/pkg/tag"
)

// fileOf writes one file and gives its path.
func fileOf(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.dcm")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReadObject: a file that no job is made from has its pixels all the same, and says
// why not; ReadSeries refuses it.
func TestReadObject(t *testing.T) {
	frames := func(n int, old, with string) []byte {
		b := enhancedFile(t, "enhanced.dcm", []byte(old), []byte(old))
		for range n {
			copy(b[bytes.LastIndex(b, []byte(old)):], with)
		}
		return b
	}
	tests := []struct {
		name       string
		b          []byte
		n          int
		units      string
		note, stop string // of ReadObject, and the error of ReadSeries; "" for none
	}{
		{"a slice", slab{number: 1}.bytes(), 1, "", "", ""},
		{"a localizer", slab{number: 1, kind: "ORIGINAL\\PRIMARY\\LOCALIZER"}.bytes(), 1, "", "1 image(s) that no reconstruction is made from: a localizer", "1 file(s) left out: a localizer"},
		{"another unit", slab{number: 1, units: "US"}.bytes(), 1, "US", "1 image(s) that no reconstruction is made from: (0028,1054) RescaleType \"US\": its values are not Hounsfield units (HU)", "RescaleType \"US\": its values are not Hounsfield units (HU)"},
		{"frames", frames(1, "LO\x02\x00HU", "LO\x02\x00HU"), 4, "", "", ""},
		{"frames in another unit", frames(4, "LO\x02\x00HU", "LO\x02\x00US"), 4, "US", "4 image(s) that no reconstruction is made from: (0028,1054) RescaleType", "4 frame(s) left out: (0028,1054) RescaleType"},
		{"frames partly in another unit", frames(1, "LO\x02\x00HU", "LO\x02\x00US"), 4, "", "1 image(s) that no reconstruction is made from: (0028,1054) RescaleType", "one series has images in HU and others with (0028,1054) RescaleType \"US\" (x.dcm frame 2, x.dcm frame 4)"},
		{"localizer frames", frames(1, "VOLUME\\NONE", "LOCALIZER  "), 4, "", "4 image(s) that no reconstruction is made from: a localizer", "4 frame(s) left out: a localizer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := fileOf(t, tt.b)
			s, err := ReadObject(path, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Slices) != tt.n || s.Slices[0].Units != tt.units || s.Grid.Len() != len(s.Slices[0].HU) {
				t.Errorf("%d images in %q, grid %v; want %d in %q", len(s.Slices), s.Slices[0].Units, s.Grid, tt.n, tt.units)
			}
			if !contains(s.Notes, tt.note) || tt.note == "" && len(s.Notes) > 0 {
				t.Errorf("notes %q, want %q", s.Notes, tt.note)
			}
			checkOrder(t, s, tt.n)
			all, err := ReadSeries(path, 2)
			switch u := (*UnsupportedError)(nil); {
			case tt.stop == "" && (err != nil || len(all[0].Slices) != tt.n):
				t.Errorf("as a series: %v", err)
			case tt.stop != "" && (!errors.As(err, &u) || !strings.Contains(err.Error(), tt.stop)):
				t.Errorf("as a series: error %v, want %q", err, tt.stop)
			}
		})
	}
}

// checkOrder: pixels are there, and frames stand in the order of the file.
func checkOrder(t *testing.T, s *Series, n int) {
	t.Helper()
	if n == 1 { // slab counts from -1024
		for i, v := range s.Slices[0].HU {
			if v != float32(i-1024) {
				t.Fatalf("pixel %d is %g, want %d", i, v, i-1024)
			}
		}
		return
	}
	raw, seen := places(t, "enhanced.raw"), 0
	for i, sl := range s.Slices {
		place := int((sl.Position[2] - 10) / 2.5)
		if sl.Frame == i+1 && slices.Equal(sl.HU, raw[place*len(sl.HU):][:len(sl.HU)]) {
			seen++
		}
	}
	if seen != n {
		t.Errorf("%d of %d frames in order and equal to pydicom", seen, n)
	}
}

func TestReadObjectRefuses(t *testing.T) {
	mr := bytes.Replace(slab{number: 1}.bytes(), []byte("CS\x02\x00CT"), []byte("CS\x02\x00MR"), 1)
	tests := []struct{ name, path, want string }{
		{"a folder", folderOf(t, stack(2, 1, nil)...), "not one DICOM file"},
		{"nothing", filepath.Join(t.TempDir(), "none"), "no such file or folder"},
		{"text", fileOf(t, []byte("no DICOM at all")), "no DICM at byte 128"},
		{"another modality", fileOf(t, mr), "modality MR is not CT"},
		{"a cut file", fileOf(t, slab{number: 1}.bytes()[:600]), "the file is cut"},
	}
	for _, tt := range tests {
		_, err := ReadObject(tt.path, 1)
		if f, u := (*FormatError)(nil), (*UnsupportedError)(nil); err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &f) && !errors.As(err, &u) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestIsUID(t *testing.T) {
	tests := []struct {
		uid  string
		want bool
	}{
		{"1.2.840.10008.1.2", true},
		{"0.1", true},
		{"2.25." + strings.Repeat("9", 59), true},
		{"2.25." + strings.Repeat("9", 60), false},
		{"1.02.3", false},
		{"1..3", false},
		{"1.2.", false},
		{".1", false},
		{"1.2.x", false},
		{"", false},
		{"1.2 ", false},
		{"1.2\\1.3", false},
	}
	for _, tt := range tests {
		if got := isUID(tt.uid); got != tt.want {
			t.Errorf("isUID(%q) = %v", tt.uid, got)
		}
		if u := lawful(tt.uid); tt.uid != "" && (!isUID(u) || (u == tt.uid) != tt.want || u != lawful(tt.uid)) {
			t.Errorf("lawful(%q) = %q", tt.uid, u)
		}
	}
}

// TestIllegalUIDs: what is made from a series with wrong UIDs has none of them, in any
// of its objects, and the same ones each time.
func TestIllegalUIDs(t *testing.T) {
	hash := strings.Repeat("d", 64)
	bad := []string{hash + "ab", "1.02.7", "1.2.x8", "1..10", "1.2.9.z"}
	dir := folderOf(t, stack(3, 2, func(i int, s *slab) {
		s.study, s.series, s.frame = bad[0], bad[1], bad[3]
		s.uid = bad[4] + string(rune('0'+i))
	})...)
	first, err := ReadSeries(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadSeries(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, tg := range []tag.Tag{tag.StudyInstanceUID, tag.SeriesInstanceUID, tag.SOPInstanceUID, tag.FrameOfReferenceUID} {
		a, b := textOf(first[0].Slices[1].Header, tg), textOf(again[0].Slices[1].Header, tg)
		if a != b || !isUID(a) {
			t.Errorf("%s: %q, and %q when read again", nameOf(tg), a, b)
		}
		if !contains(first[0].Notes, "3 file(s) whose "+nameOf(tg)+" is no UID") {
			t.Errorf("no note of %s in %q", nameOf(tg), first[0].Notes)
		}
	}
	out := t.TempDir()
	d := derived(3)
	d.Source, d.Subject, d.Grid = first[0], "", first[0].Grid
	if _, err := WriteSeries(filepath.Join(out, "s"), d); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteEnhanced(filepath.Join(out, "e.dcm"), d); err != nil {
		t.Fatal(err)
	}
	checkValid(t, filepath.Join(out, "s"))
	checkValid(t, out)
	for _, name := range []string{"s/0001.dcm", "s/0003.dcm", "e.dcm"} {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range bad {
			if bytes.Contains(b, []byte(u)) {
				t.Errorf("%s carries the wrong UID %q", name, u)
			}
		}
	}
}

// TestPaddedUID: a UID that ends in a blank, as some programs pad them, is read without
// and copied without.
func TestPaddedUID(t *testing.T) {
	s, err := ReadSeries(folderOf(t, slab{number: 1, study: "1.2.7 "}), 1)
	if err != nil {
		t.Fatal(err)
	}
	e, err := s[0].Slices[0].Header.FindElementByTag(tag.StudyInstanceUID)
	if err != nil || e.Value.GetValue().([]string)[0] != "1.2.7" || contains(s[0].Notes, "UID") {
		t.Errorf("%v, %v, notes %q", e, err, s[0].Notes)
	}
}
