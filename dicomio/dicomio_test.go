package dicomio

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	grailbio "github.com/grailbio/go-dicom"
	"github.com/grailbio/go-dicom/dicomtag"

	"ctrecon/ct"
)

// wave is image i of the test series: values that need rounding, and extremes.
func wave(i int, dst []float32) error {
	for k := range dst {
		dst[k] = float32(k%400) - 200.25 + float32(i)
	}
	dst[0], dst[1] = 40000, -40000
	return nil
}

func derived(n int) Derived {
	return Derived{Subject: "0123456789abcdef", Grid: ct.Grid{W: 24, H: 20, DX: 0.7, DY: 0.8}, Spacing: 2.5, Method: "TV 25v", Number: 2, Software: "test",
		Config: "a", Description: "a test", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Images: n, Image: wave}
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tv")
	w, err := WriteSeries(dir, derived(3))
	if err != nil {
		t.Fatal(err)
	}
	if w.Clipped != 6 || len(w.Files) != 3 {
		t.Errorf("%d clipped in %d files, want 6 in 3", w.Clipped, len(w.Files))
	}
	all, err := ReadSeries(dir, 2)
	if err != nil || len(all) != 1 {
		t.Fatalf("ReadSeries: %d series, %v", len(all), err)
	}
	s := all[0]
	if s.Grid != derived(1).Grid || s.Spacing != 2.5 || len(s.Slices) != 3 {
		t.Errorf("read grid %v, spacing %g, %d slices", s.Grid, s.Spacing, len(s.Slices))
	}
	want := make([]float32, s.Grid.Len())
	for i, sl := range s.Slices {
		wave(i, want)
		for k := 2; k < len(want); k++ {
			if d := sl.HU[k] - want[k]; d > 0.5 || d < -0.5 {
				t.Fatalf("slice %d, pixel %d: %g, written %g", i, k, sl.HU[k], want[k])
			}
		}
	}
}

// TestSourceSeries: a series made from a series keeps patient, study and places.
func TestSourceSeries(t *testing.T) {
	root := t.TempDir()
	if _, err := WriteSeries(filepath.Join(root, "a"), derived(2)); err != nil {
		t.Fatal(err)
	}
	src, err := ReadSeries(filepath.Join(root, "a"), 1)
	if err != nil {
		t.Fatal(err)
	}
	d := derived(2)
	d.Source, d.Subject = src[0], ""
	if _, err := WriteSeries(filepath.Join(root, "b"), d); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSeries(filepath.Join(root, "b"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].UID == src[0].UID || got[0].UID != d.SeriesUID() {
		t.Errorf("series UID %s, want %s", got[0].UID, d.SeriesUID())
	}
	for i, s := range got[0].Slices {
		if s.Position != src[0].Slices[i].Position {
			t.Errorf("slice %d at %v, source at %v", i, s.Position, src[0].Slices[i].Position)
		}
	}
	checkValid(t, filepath.Join(root, "a"))
	checkValid(t, filepath.Join(root, "b"))
}

// checkValid asks dciodvfy, where it is installed (.ci/run installs it).
func checkValid(t *testing.T, dir string) {
	t.Helper()
	if _, err := exec.LookPath("dciodvfy"); err != nil {
		t.Log("dciodvfy is not installed: files are not validated")
		return
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.dcm"))
	for _, f := range files {
		out, _ := exec.Command("dciodvfy", f).CombinedOutput()
		for _, line := range strings.Split(string(out), "\n") {
			if strings.HasPrefix(line, "Error") {
				t.Errorf("%s: %s", filepath.Base(f), line)
			}
		}
	}
}

func TestUIDs(t *testing.T) {
	a, b := derived(1), derived(1)
	if a.SeriesUID() != b.SeriesUID() {
		t.Error("the same job has two series UIDs")
	}
	b.Config = "b"
	if a.SeriesUID() == b.SeriesUID() {
		t.Error("another configuration has the same series UID")
	}
	if u := a.SeriesUID(); len(u) > 64 || !strings.HasPrefix(u, "2.25.") {
		t.Errorf("UID %q", u)
	}
}

func TestSameBytes(t *testing.T) {
	d := derived(1)
	hu := make([]float32, d.Grid.Len())
	wave(0, hu)
	a, _, err := d.encode(0, hu)
	if err != nil {
		t.Fatal(err)
	}
	b, _, _ := d.encode(0, hu)
	if !bytes.Equal(a, b) {
		t.Error("the same image gives different bytes")
	}
}

// TestSecondReader: another library reads the same pixels and tags.
func TestSecondReader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	if _, err := WriteSeries(dir, derived(1)); err != nil {
		t.Fatal(err)
	}
	ds, err := grailbio.ReadDataSetFromFile(filepath.Join(dir, "0001.dcm"), grailbio.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := ds.FindElementByTag(dicomtag.SeriesDescription)
	if err != nil || e.MustGetString() != "ctrecon TV 25v RESEARCH" {
		t.Errorf("series description %v, %v", e, err)
	}
	px, err := ds.FindElementByTag(dicomtag.PixelData)
	if err != nil {
		t.Fatal(err)
	}
	frame := px.Value[0].(grailbio.PixelDataInfo).Frames[0]
	if len(frame) != 2*24*20 {
		t.Errorf("%d bytes of pixels, want %d", len(frame), 2*24*20)
	}
	if got := int16(uint16(frame[4]) | uint16(frame[5])<<8); got != -198 {
		t.Errorf("third pixel %d, want -198", got)
	}
}

// TestTruncation: a file cut anywhere is an error, never a shorter image.
func TestTruncation(t *testing.T) {
	d := derived(1)
	hu := make([]float32, d.Grid.Len())
	wave(0, hu)
	b, _, err := d.encode(0, hu)
	if err != nil {
		t.Fatal(err)
	}
	for n := 132; n < len(b); n += 64 {
		f, err := readFile("cut", b[:n])
		if err == nil && f.skip == "" {
			t.Errorf("cut after %d of %d bytes: read without an error", n, len(b))
		}
	}
}

func TestRefusals(t *testing.T) {
	root := t.TempDir()
	write := func(name string, n int) string {
		dir := filepath.Join(root, name)
		if _, err := WriteSeries(dir, derived(n)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	gap := write("gap", 5)
	os.Remove(filepath.Join(gap, "0003.dcm"))
	mr := write("mr", 1)
	b, _ := os.ReadFile(filepath.Join(mr, "0001.dcm"))
	os.WriteFile(filepath.Join(mr, "0001.dcm"), bytes.Replace(b, []byte("CS\x02\x00CT"), []byte("CS\x02\x00MR"), 1), 0o644)
	os.Mkdir(filepath.Join(root, "empty"), 0o755)
	tests := []struct{ name, dir, want string }{
		{"a missing slice", gap, "1 slice(s) are missing between 0002.dcm and 0004.dcm"},
		{"another modality", mr, "modality MR is not CT"},
		{"an empty folder", filepath.Join(root, "empty"), "holds no file"},
		{"nothing there", filepath.Join(root, "none"), "no such file or folder"},
	}
	for _, tt := range tests {
		_, err := ReadSeries(tt.dir, 1)
		var f *FormatError
		var u *UnsupportedError
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &f) && !errors.As(err, &u) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestWriteFails: nothing stays behind when the images end in an error.
func TestWriteFails(t *testing.T) {
	root := t.TempDir()
	d := derived(3)
	d.Image = func(i int, dst []float32) error {
		if i == 2 {
			return errors.New("no more")
		}
		return wave(i, dst)
	}
	if _, err := WriteSeries(filepath.Join(root, "x"), d); err == nil {
		t.Error("no error")
	}
	if left, _ := os.ReadDir(root); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	var out *OutputError
	if _, err := WriteSeries(filepath.Join(root, "no", "such"), derived(1)); !errors.As(err, &out) {
		t.Errorf("a missing folder gives %v", err)
	}
}

// FuzzReadFile: no bytes make the reader panic.
func FuzzReadFile(f *testing.F) {
	d := derived(1)
	hu := make([]float32, d.Grid.Len())
	wave(0, hu)
	b, _, err := d.encode(0, hu)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:400])
	if b, err = os.ReadFile("testdata/media/DICOMDIR"); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	names, err := filepath.Glob("testdata/*/*.dcm")
	if err != nil || len(names) < 30 {
		f.Fatalf("%d seeds (%v)", len(names), err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		readObject(inMemory("fuzz", b), 1)
		directoryFiles(inMemory("fuzz", b))
	})
}
