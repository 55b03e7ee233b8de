package dicomio

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// media copies testdata/media, which dcmgpdir made, and changes it.
func media(t *testing.T, change func(dir string)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "m")
	if err := os.CopyFS(dir, os.DirFS("testdata/media")); err != nil {
		t.Fatal(err)
	}
	change(dir)
	return dir
}

// rewrite replaces the only occurrence of old in a file.
func rewrite(t *testing.T, name, old, with string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil || bytes.Count(b, []byte(old)) != 1 || len(old) != len(with) {
		t.Fatalf("%s has %q %d times (%v)", name, old, bytes.Count(b, []byte(old)), err)
	}
	if err := os.WriteFile(name, bytes.Replace(b, []byte(old), []byte(with), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestDirectory(t *testing.T) {
	first := string([]byte{4, 0, 0x00, 0x12, 'U', 'L', 4, 0})
	tests := []struct {
		name   string
		change func(dir string)
		input  string // inside the folder
		want   string // of the error, or of a note
		slices int
	}{
		{"a folder", func(string) {}, "", "", 4},
		{"the DICOMDIR", func(string) {}, "DICOMDIR", "", 4},
		{"in lower case", func(d string) {
			rename(t, filepath.Join(d, "CT"), filepath.Join(d, "ct"))
			rename(t, filepath.Join(d, "DICOMDIR"), filepath.Join(d, "dicomdir"))
			rename(t, filepath.Join(d, "ct", "IM2"), filepath.Join(d, "ct", "im2.;1"))
		}, "", "", 4},
		{"a file that it does not name", func(d string) {
			os.Link(filepath.Join(d, "CT", "IM1"), filepath.Join(d, "CT", "COPY"))
		}, "", "1 file(s) left out: the DICOMDIR does not name them", 4},
		{"offsets that lead nowhere", func(d string) {
			rewrite(t, filepath.Join(d, "DICOMDIR"), first+"\x98\x01\x00\x00", first+"\x99\x01\x00\x00")
		}, "", "", 4},
		{"an image that was deleted", func(d string) {
			b, _ := os.ReadFile(filepath.Join(d, "DICOMDIR"))
			at := bytes.Index(b, []byte("CT\\IM4"))
			flag := bytes.LastIndex(b[:at], []byte{4, 0, 0x10, 0x14, 'U', 'S', 2, 0, 0xFF, 0xFF})
			b[flag+8], b[flag+9] = 0, 0
			os.WriteFile(filepath.Join(d, "DICOMDIR"), b, 0o644)
		}, "", "1 file(s) left out", 3},
		{"a missing file", func(d string) { os.Remove(filepath.Join(d, "CT", "IM4")) }, "", "DICOMDIR: 1 file(s) of a series are missing: CT/IM4; copy them", 0},
		{"no file", func(d string) { os.RemoveAll(filepath.Join(d, "CT")) }, "", "none of the 4 file(s) that it names is there: CT/IM1, CT/IM2, CT/IM3 and 1 more", 0},
		{"a way out", func(d string) {
			rename(t, filepath.Join(d, "CT", "IM1"), filepath.Join(d, "..", "IM1"))
			rewrite(t, filepath.Join(d, "DICOMDIR"), "CT\\IM1", "..\\IM1")
		}, "", `ReferencedFileID "..\\IM1" is no name inside the folder`, 0},
		{"a path as a name", func(d string) { rewrite(t, filepath.Join(d, "DICOMDIR"), "CT\\IM1", "CT/IM1") }, "", "is no name inside the folder", 0},
		{"a link that leads out", func(d string) {
			rename(t, filepath.Join(d, "CT", "IM1"), filepath.Join(d, "..", "out"))
			if err := os.Symlink("../../out", filepath.Join(d, "CT", "IM1")); err != nil {
				t.Fatal(err)
			}
		}, "", "1 file(s) of a series are missing: CT/IM1", 0},
		{"files that changed places", func(d string) {
			rename(t, filepath.Join(d, "CT", "IM1"), filepath.Join(d, "CT", "X"))
			rename(t, filepath.Join(d, "CT", "IM2"), filepath.Join(d, "CT", "IM1"))
			rename(t, filepath.Join(d, "CT", "X"), filepath.Join(d, "CT", "IM2"))
		}, "", "another object than the DICOMDIR says", 0},
		{"a file that is none", func(d string) { os.WriteFile(filepath.Join(d, "CT", "IM1"), []byte("text"), 0o644) }, "", "CT/IM1: not a DICOM file", 0},
		{"a cut DICOMDIR", func(d string) { os.Truncate(filepath.Join(d, "DICOMDIR"), 900) }, "", "without the DICOMDIR the folder is read as it is", 0},
		{"a DICOMDIR that is a text", func(d string) { os.WriteFile(filepath.Join(d, "DICOMDIR"), []byte("text"), 0o644) }, "", "DICOMDIR: not a DICOM file", 0},
		{"an image as a DICOMDIR", func(d string) { rename(t, filepath.Join(d, "CT", "IM1"), filepath.Join(d, "DICOMDIR")) }, "", "it is named like a DICOMDIR and is none", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := media(t, tt.change)
			for _, path := range []string{filepath.Join(dir, tt.input), zipped(t, dir)} {
				checkDirectory(t, path, tt.want, tt.slices)
			}
		})
	}
}

func checkDirectory(t *testing.T, path, want string, slices int) {
	t.Helper()
	all, err := ReadSeries(path, 2)
	if slices == 0 {
		if f := (*FormatError)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", filepath.Base(path), err, want)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(path), err)
	}
	if got := strings.Join(all[0].Notes, "; "); !strings.Contains(got, want) || want == "" && got != "" {
		t.Errorf("%s: notes %q, want %q", filepath.Base(path), got, want)
	}
	if len(all) != 1 || len(all[0].Slices) != slices {
		t.Errorf("%s: %d series, the first of %d slices; want one of %d", filepath.Base(path), len(all), len(all[0].Slices), slices)
	}
}

// zipped packs a folder as people do: in a folder of its own inside the archive.
func zipped(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		w, err := z.Create("disc/" + filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err == nil {
		err = z.Close()
	}
	name := filepath.Join(t.TempDir(), "m.zip")
	if err == nil {
		err = os.WriteFile(name, b.Bytes(), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestOtherSeriesMissing: a series of the DICOMDIR of which nothing was copied is a
// note, not an error.
func TestOtherSeriesMissing(t *testing.T) {
	dir := media(t, func(d string) {
		record := func(kind string, more ...[]byte) []byte {
			return join(el(4, 0x1400, "UL", 0), el(4, 0x1410, "US", 0xFFFF), el(4, 0x1420, "UL", 0), el(4, 0x1430, "CS", kind), join(more...))
		}
		image := func(id string) []byte { return record("IMAGE", el(4, 0x1500, "CS", id)) }
		series := func(uid string) []byte {
			return record("SERIES", el(8, 0x60, "CS", "CT"), el(0x20, 0xE, "UI", uid))
		}
		b := object(directory, explicitLittle, el(4, 0x1200, "UL", 0),
			sq(4, 0x1220, record("PATIENT"), record("STUDY"), series("1"), image("CT\\IM1"), image("CT\\IM2"), image("CT\\IM3"), image("CT\\IM4"), series("2"), image("MR\\A"), image("MR\\B")))
		os.WriteFile(filepath.Join(d, "DICOMDIR"), b, 0o644)
	})
	checkDirectory(t, dir, "the DICOMDIR names 2 file(s) of other series that are not there: MR/A, MR/B", 4)
}

// TestDirectoryCircle: records that lead in a circle end.
func TestDirectoryCircle(t *testing.T) {
	b, err := os.ReadFile("testdata/media/DICOMDIR")
	if err != nil {
		t.Fatal(err)
	}
	for at := 132; at+12 < len(b); at++ { // every offset of a next record leads to the first one
		if bytes.Equal(b[at:at+8], []byte{4, 0, 0x00, 0x14, 'U', 'L', 4, 0}) {
			binary.LittleEndian.PutUint32(b[at+8:], 408)
		}
	}
	refs, err := directoryFiles(inMemory("DICOMDIR", b))
	if err != nil || len(refs) != 4 {
		t.Errorf("%d references, %v; want the 4 in the order of the file", len(refs), err)
	}
}
