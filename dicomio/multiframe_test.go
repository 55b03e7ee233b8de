package dicomio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// places reads the HU of a file in testdata/enhanced that pydicom made.
func places(t *testing.T, name string) []float32 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "enhanced", name))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// TestEnhanced: frames become slices, in the order of their places and in the HU of
// pydicom, however the object is encoded.
func TestEnhanced(t *testing.T) {
	paths, err := filepath.Glob("testdata/enhanced/*.dcm")
	if err != nil || len(paths) < 12 {
		t.Fatalf("%d files (%v)", len(paths), err)
	}
	for _, path := range paths {
		base := filepath.Base(path)
		t.Run(base, func(t *testing.T) {
			all, err := ReadSeries(path, 2)
			if err != nil {
				t.Fatal(err)
			}
			s := all[0]
			if len(s.Slices) != 4 || s.Spacing != 2.5 || s.Grid.DY != 0.75 || s.Grid.DX != 0.5 {
				t.Fatalf("%d slices, spacing %g, grid %v", len(s.Slices), s.Spacing, s.Grid)
			}
			want := places(t, strings.SplitN(base, ".", 2)[0]+".raw")
			for i, sl := range s.Slices {
				if !slices.Equal(sl.HU, want[i*len(sl.HU):(i+1)*len(sl.HU)]) {
					t.Errorf("place %d (%s): other HU than pydicom's", i, sl.File)
				}
				if z := 10 + 2.5*float64(i); sl.Position != [3]float64{-8, -9, z} {
					t.Errorf("place %d at %v, want z %g", i, sl.Position, z)
				}
			}
			if strings.HasPrefix(base, "enhanced") {
				if s.Slices[0].Frame != 2 || s.Slices[0].File != base+" frame 2" {
					t.Errorf("first place is frame %d of %q, want 2", s.Slices[0].Frame, s.Slices[0].File)
				}
			}
		})
	}
}

// enhancedFile gives a test file with the n-th occurrence of old replaced.
func enhancedFile(t *testing.T, name string, old, with []byte) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "enhanced", name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, old) {
		t.Fatalf("%s has no %q", name, old)
	}
	return bytes.Replace(b, old, with, 1)
}

func TestEnhancedRefused(t *testing.T) {
	const base = "enhanced.dcm"
	frames := []byte{0x28, 0, 8, 0, 'I', 'S', 2, 0}
	tests := []struct {
		name string
		b    []byte
		want string
	}{
		{"too few groups", enhancedFile(t, base, join(frames, []byte("4 ")), join(frames, []byte("5 "))), "4 items for 5 frames"},
		{"too many groups", enhancedFile(t, base, join(frames, []byte("4 ")), join(frames, []byte("3 "))), "4 items for 3 frames"},
		{"no frames", enhancedFile(t, base, join(frames, []byte("4 ")), join(frames, []byte("0 "))), "0 is not supported (1 to"},
		{"a frame without a place", enhancedFile(t, base, []byte{0x20, 0, 0x32, 0, 'D', 'S'}, []byte{0x20, 0, 0x31, 0, 'D', 'S'}), "enhanced frame 1: (0020,0032) ImagePositionPatient"},
		{"fewer rows", enhancedFile(t, base, []byte{0x28, 0, 0x10, 0, 'U', 'S', 2, 0, 24}, []byte{0x28, 0, 0x10, 0, 'U', 'S', 2, 0, 23}), "4 frame(s) of 23 x 32 pixels of 16 bits need 5888: the header or the data are wrong"},
		{"more rows", enhancedFile(t, base, []byte{0x28, 0, 0x10, 0, 'U', 'S', 2, 0, 24}, []byte{0x28, 0, 0x10, 0, 'U', 'S', 2, 0, 25}), "the file is cut"},
		{"a table that points beside", enhancedFile(t, "enhanced.table.dcm", []byte{0xFE, 0xFF, 0, 0xE0, 16, 0, 0, 0, 0, 0, 0, 0}, []byte{0xFE, 0xFF, 0, 0xE0, 16, 0, 0, 0, 2, 0, 0, 0}), "no fragment starts at 2, where frame 1 should"},
		{"fragments without marks", enhancedFile(t, "enhanced.marks.dcm", []byte{0xFF, 0xD8, 0xFF}, []byte{0xFF, 0xD7, 0xFF}), "12 fragments without an offset table, the header says 4 frames"},
	}
	for _, tt := range tests {
		_, err := readObject(inMemory("enhanced", tt.b), 2)
		if f := (*FormatError)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestLocalizerFrame: it is left out with a note.
func TestLocalizerFrame(t *testing.T) {
	dir := t.TempDir()
	b := enhancedFile(t, "enhanced.dcm", []byte("DERIVED\\PRIMARY\\VOLUME\\NONE"), []byte("DERIVED\\PRIMARY\\VOLUME\\NONE"))
	at := bytes.LastIndex(b, []byte("VOLUME\\NONE"))
	copy(b[at:], "LOCALIZER  ")
	if err := os.WriteFile(filepath.Join(dir, "x.dcm"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := ReadSeries(dir, 1)
	if err == nil || !strings.Contains(err.Error(), "4 frame(s) left out: a localizer") {
		t.Errorf("%v", err)
	}
}

// TestEnhancedSource: a series made of frames names the object and its frames, and
// keeps what the functional groups say.
func TestEnhancedSource(t *testing.T) {
	src, err := ReadSeries("testdata/enhanced/enhanced.dcm", 1)
	if err != nil {
		t.Fatal(err)
	}
	d := derived(4)
	d.Source, d.Subject, d.Grid = src[0], "", src[0].Grid
	dir := filepath.Join(t.TempDir(), "d")
	if _, err := WriteSeries(dir, d); err != nil {
		t.Fatal(err)
	}
	checkValid(t, dir)
	got := attributes(t, filepath.Join(dir, "0001.dcm"))
	for _, want := range []string{
		"ReferencedFrameNumber = [2]", "KVP = [120.0]", "SliceThickness = [2.5]", "AcquisitionNumber = [7]", "ImagePositionPatient = [-8 -9 10]",
		"ReferencedSOPClassUID = [" + enhancedCT + "]", "PatientID = [ENHANCED]",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "ReferencedSOPInstanceUID"); n != 2 {
		t.Errorf("the object is named %d times, want 2: as the source, and once in its series", n)
	}
}

// large writes an Enhanced CT object of n frames of 512 x 512 words of 16 bits.
func large(t testing.TB, name string, n int) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := enhancedHeader(n, 512, 512)
	b = append(b, 0xE0, 0x7F, 0x10, 0, 'O', 'W', 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(n*512*512*2))
	f.Write(b)
	frame := make([]byte, 512*512*2)
	for i := range n {
		for k := 0; k < len(frame); k += 2 {
			binary.LittleEndian.PutUint16(frame[k:], uint16(1000+i+k%512))
		}
		if _, err := f.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLargeMemory: a large object is not held twice: beyond its HU a read allocates
// a few frames and the header.
func TestLargeMemory(t *testing.T) {
	const n = 60
	name := filepath.Join(t.TempDir(), "large.dcm")
	large(t, name, n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	all, err := ReadSeries(name, 2)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	for i, s := range all[0].Slices {
		if s.HU[0] != float32(1000+i-1024) || s.HU[512*512-1] != float32(1000+i+510-1024) {
			t.Fatalf("slice %d starts with %g and ends with %g HU", i, s.HU[0], s.HU[512*512-1])
		}
	}
	hu := n * 512 * 512 * 4
	if extra := int(after.TotalAlloc-before.TotalAlloc) - hu; extra > 8<<20 {
		t.Errorf("%d bytes allocated beyond the HU, the object has %d", extra, hu/2)
	}
}

// BenchmarkReadEnhanced/512x512x1000 reads an object of 524 MB.
func BenchmarkReadEnhanced(b *testing.B) {
	b.Run("512x512x1000", func(b *testing.B) {
		name := filepath.Join(b.TempDir(), "large.dcm")
		large(b, name, 1000)
		b.SetBytes(1000 * 512 * 512 * 2)
		for b.Loop() {
			if _, err := ReadSeries(name, 2); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			debug.FreeOSMemory()
			b.StartTimer()
		}
		b.ReportMetric(peak(), "MiB-peak")
	})
}
