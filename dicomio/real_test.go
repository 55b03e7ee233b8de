package dicomio

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ctdata is the folder of measured scans, named by CTRECON_CTDATA; it is too
// large for the repository.
func ctdata(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CTRECON_CTDATA")
	if dir == "" {
		t.Skip("CTRECON_CTDATA names no folder with CT series: not tested on real files")
	}
	return filepath.Join(dir, "dicom")
}

// TestRealJPEG2000: a slice of an archive has the HU that pydicom 3.0.2 with OpenJPEG reads.
func TestRealJPEG2000(t *testing.T) {
	s, err := ReadSeries(filepath.Join(ctdata(t), "abdomen_PANCREAS_0001-j2k.zip"), 1)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, v := range s[0].Slices[0].HU {
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		h.Write(b[:])
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != "edf39fedbae86cb6d5d77fa1ec715c01141bd2d89a073bca539ca3f84e514bb8" {
		t.Errorf("SHA-256 of the HU is %s", got)
	}
}

// TestRealCompressed: the first slice of every series, compressed here by dcmtk
// and GDCM where they are installed, has the HU of the uncompressed one.
func TestRealCompressed(t *testing.T) {
	archives, err := filepath.Glob(filepath.Join(ctdata(t), "*.zip"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("%d archives (%v)", len(archives), err)
	}
	commands := [][]string{{"dcmcrle"}, {"dcmcjpeg", "+e1"}, {"dcmcjpeg", "+el", "+sv", "6"}, {"dcmcjpls"}, {"dcmconv", "+td"}, {"gdcmconv", "--j2k"}, {"gdcmconv", "--jpegls"}, {"gdcmconv", "--jpeg"}}
	ran := 0
	for _, a := range archives {
		if strings.HasSuffix(a, "j2k.zip") {
			continue
		}
		plain := filepath.Join(t.TempDir(), "plain.dcm")
		firstSlice(t, a, plain)
		want, err := ReadSeries(plain, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commands {
			if _, err := exec.LookPath(c[0]); err != nil {
				continue
			}
			ran++
			packed := filepath.Join(t.TempDir(), "packed.dcm")
			if out, err := exec.Command(c[0], append(c[1:], plain, packed)...).CombinedOutput(); err != nil {
				t.Fatalf("%s, %v: %v %s", a, c, err, out)
			}
			got, err := ReadSeries(packed, 1)
			if err != nil {
				t.Errorf("%s, %v: %v", filepath.Base(a), c, err)
			} else if !slices.Equal(got[0].Slices[0].HU, want[0].Slices[0].HU) {
				t.Errorf("%s, %v: other pixels", filepath.Base(a), c)
			}
		}
	}
	if ran == 0 {
		t.Skip("neither dcmtk nor GDCM is installed: nothing was compressed")
	}
}

func firstSlice(t *testing.T, archive, to string) {
	t.Helper()
	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".dcm") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err == nil {
			err = os.WriteFile(to, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("%s holds no .dcm", archive)
}

// TestRealStacks: what the reader says of measured series: distances, tilt, notes.
// The head was scanned at 4 mm, then at 7 mm, and its instance numbers run through: no
// slice is missing.
func TestRealStacks(t *testing.T) {
	dir := ctdata(t)
	tests := []struct {
		name    string
		slices  int
		spacing float64
		notes   string
	}{
		{"abdomen_CRLM-CT-1004", 14, 5, ""},
		{"abdomen_PANCREAS_0001-j2k", 1, 0, ""},
		{"chest_LIDC-IDRI-0002", 16, 1.25, ""},
		{"chest_LIDC-IDRI-0314", 16, 1, ""},
		{"head_GE-HiSpeed", 16, 7, "gantry tilt of 18.5 degrees: each slice is reconstructed in its own plane; the distance of slices varies: 4 x 4 mm, 1 x 1.08 mm, 10 x 7 mm"},
		{"phantom_skull-tilt", 16, 2.371, "gantry tilt of 18.5 degrees: each slice is reconstructed in its own plane"},
	}
	for _, tt := range tests {
		all, err := ReadSeries(filepath.Join(dir, tt.name+".zip"), 2)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		s := all[0]
		if got := strings.Join(s.Notes, "; "); len(all) != 1 || len(s.Slices) != tt.slices || math.Abs(s.Spacing-tt.spacing) > 2e-3 || got != tt.notes {
			t.Errorf("%s: %d slices %g mm apart, %q; want %d, %g, %q", tt.name, len(s.Slices), s.Spacing, got, tt.slices, tt.spacing, tt.notes)
		}
	}
}
