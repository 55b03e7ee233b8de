package dicomio

import (
	"bytes"
	picture "image"
	"image/color"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	grailbio "github.com/grailbio/go-dicom"

	"ctrecon/dicomio/codec"
)

// gradient is the picture of the tests; its width is odd.
func gradient() picture.Image {
	m := picture.NewRGBA(picture.Rect(0, 0, 31, 7))
	for i := range 31 * 7 {
		m.Set(i%31, i/31, color.RGBA{uint8(i), uint8(3 * i), 200, 255})
	}
	return m
}

// onePage is the smallest PDF file that dcm2pdf takes, of an odd length.
const onePage = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n\n"

// measured is a report on one series.
func measured(d *Derived) []Measured {
	sd := 0.25
	return []Measured{{Series: d, Parameters: "lambda 1", Measurements: []Measurement{
		{Concept: ConceptPSNR, Unit: UnitDB, Value: 31.25, Mean: true, SD: &sd}, {Concept: ConceptSSIM, Unit: UnitNone, Value: .875, Mean: true},
		{Concept: ConceptRMSE, Unit: UnitHU, Value: 42}, {Concept: ConceptChi2, Unit: UnitNone, Value: 1.01}, {Concept: ConceptSigma, Unit: UnitNeper, Value: .01},
		{Concept: ConceptViews, Unit: UnitViews, Value: 25}, {Concept: ConceptPhotons, Unit: UnitPhoton, Value: 1e5}, {Concept: ConceptSeconds, Unit: UnitSecond, Value: .5},
	}}}
}

// beside writes every object beside the series of d into dir, and the series itself.
func beside(t *testing.T, dir string, d Derived) {
	t.Helper()
	if _, err := WriteSeries(filepath.Join(dir, "series"), d); err != nil {
		t.Fatal(err)
	}
	named := func(name string, number int) Derived {
		n := d
		n.Method, n.Number, n.Config = name, number, name+d.Config
		return n
	}
	sd := named("TV 25v SD", 3)
	sd.SD = true
	for name, write := range map[string]func(path string) error{
		"enhanced.dcm":    func(p string) error { _, err := WriteEnhanced(p, named("TV 25v enhanced", 101)); return err },
		"enhanced-sd.dcm": func(p string) error { e := sd; e.Number = 102; _, err := WriteEnhanced(p, e); return err },
		"map.dcm":         func(p string) error { return WriteMap(p, sd) },
		"capture.dcm":     func(p string) error { return WriteCapture(p, named("montage", 201), gradient()) },
		"pdf.dcm":         func(p string) error { return WritePDF(p, named("report", 202), []byte(onePage)) },
		"sr.dcm":          func(p string) error { return WriteMeasurements(p, named("measurements", 203), measured(&d)) },
	} {
		if err := write(filepath.Join(dir, name)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// TestBesideValid: dciodvfy has no error in any object beside a series, and dcentvfy
// none between all of them; a second reader takes them.
func TestBesideValid(t *testing.T) {
	media, err := ReadSeries("testdata/media", 1)
	if err != nil {
		t.Fatal(err)
	}
	frames, err := ReadSeries("testdata/enhanced/enhanced.dcm", 1)
	if err != nil {
		t.Fatal(err)
	}
	ascii, err := ReadSeries(folderOf(t, stack(3, 2.5, func(_ int, s *slab) { s.patient, s.acquisition = "Adams^John", 1 })...), 1)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name        string
		source      *Series
		compression string
	}{
		{"of a series", ascii[0], ""}, {"of a series in Latin 1", media[0], ""}, {"of frames", frames[0], ""}, {"of a sinogram", nil, ""},
		{"by RLE", ascii[0], codec.RLE}, {"by JPEG-LS", ascii[0], codec.JPEGLS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := derived(3)
			d.Compression = tt.compression
			if tt.source != nil {
				d.Source, d.Subject, d.Grid, d.Images = tt.source, "", tt.source.Grid, min(3, len(tt.source.Slices))
			}
			dir := t.TempDir()
			beside(t, dir, d)
			checkValid(t, dir)
			checkValid(t, filepath.Join(dir, "series"))
			files, _ := filepath.Glob(filepath.Join(dir, "*.dcm"))
			more, _ := filepath.Glob(filepath.Join(dir, "series", "*.dcm"))
			if len(files) != 6 {
				t.Fatalf("%d files", len(files))
			}
			if _, err := exec.LookPath("dcentvfy"); err == nil {
				if out, err := exec.Command("dcentvfy", append(files, more...)...).CombinedOutput(); err != nil || strings.Contains(string(out), "Error") {
					t.Errorf("dcentvfy: %v\n%s", err, out)
				}
			}
			for _, f := range files {
				if _, err := grailbio.ReadDataSetFromFile(f, grailbio.ReadOptions{}); err != nil && !strings.HasSuffix(f, "map.dcm") { // it does not know FloatPixelData
					t.Errorf("grailbio: %s: %v", filepath.Base(f), err)
				}
			}
		})
	}
}

// TestSameBeside: the same job gives the same bytes.
func TestSameBeside(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	beside(t, a, derived(2))
	beside(t, b, derived(2))
	files, _ := filepath.Glob(filepath.Join(a, "*.dcm"))
	for _, f := range files {
		x, _ := os.ReadFile(f)
		y, err := os.ReadFile(filepath.Join(b, filepath.Base(f)))
		if err != nil || !bytes.Equal(x, y) {
			t.Errorf("%s: other bytes in the second run (%v)", filepath.Base(f), err)
		}
	}
}

// TestEnhancedRoundTrip: an Enhanced CT object has the slices of the series, however
// it is compressed.
func TestEnhancedRoundTrip(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []string{"", codec.RLE, codec.JPEGLS} {
		d := derived(5)
		d.Compression = c
		series, path := filepath.Join(dir, "s"+c), filepath.Join(dir, "e"+c+".dcm")
		if _, err := WriteSeries(series, d); err != nil {
			t.Fatal(err)
		}
		w, err := WriteEnhanced(path, d)
		if err != nil || w.Clipped != 10 {
			t.Fatalf("%v, %d clipped, want 10", err, w.Clipped)
		}
		one, err := ReadSeries(path, 2)
		if err != nil {
			t.Fatal(err)
		}
		many, err := ReadSeries(series, 2)
		if err != nil {
			t.Fatal(err)
		}
		if one[0].Grid != many[0].Grid || one[0].Spacing != many[0].Spacing || len(one[0].Slices) != len(many[0].Slices) {
			t.Fatalf("%q: %d slices of %v, want %d of %v", c, len(one[0].Slices), one[0].Grid, len(many[0].Slices), many[0].Grid)
		}
		for i, s := range one[0].Slices {
			if m := many[0].Slices[i]; !slices.Equal(s.HU, m.HU) || s.Position != m.Position {
				t.Errorf("%q: slice %d has other HU or another place", c, i)
			}
		}
	}
}

// TestMapValues looks at the floats of a parametric map.
func TestMapValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.dcm")
	d := derived(2)
	if err := WriteMap(path, d); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	px := b[len(b)-2*4*d.Grid.Len():]
	if !bytes.Equal(b[len(b)-len(px)-12:len(b)-len(px)-4], []byte{0xE0, 0x7F, 8, 0, 'O', 'F', 0, 0}) {
		t.Fatal("the file does not end with FloatPixelData")
	}
	want := make([]float32, d.Grid.Len())
	for i := range 2 {
		wave(i, want)
		for k, v := range want {
			at := 4 * (i*len(want) + k)
			if bits := math.Float32bits(v); !bytes.Equal(px[at:at+4], []byte{byte(bits), byte(bits >> 8), byte(bits >> 16), byte(bits >> 24)}) {
				t.Fatalf("frame %d, pixel %d is not %g", i, k, v)
			}
		}
	}
}

// TestBesideFails: an object is not left half written, and none is written over.
func TestBesideFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "e.dcm")
	d := derived(3)
	d.Image = func(i int, dst []float32) error {
		if i == 2 {
			return os.ErrClosed
		}
		return wave(i, dst)
	}
	if _, err := WriteEnhanced(path, d); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("half an object was left")
	}
	if err := WritePDF(path, derived(1), []byte(onePage)); err != nil {
		t.Fatal(err)
	}
	if err := WritePDF(path, derived(1), []byte(onePage)); err == nil {
		t.Error("an object was written over")
	}
	d = derived(1)
	d.Images = 1 << 40
	if _, err := WriteEnhanced(filepath.Join(filepath.Dir(path), "large.dcm"), d); err == nil {
		t.Error("an object of 2 GiB was begun")
	}
}

// TestDcmtkReads: dcmtk prints the report, takes the PDF out and decompresses images.
func TestDcmtkReads(t *testing.T) {
	for _, tool := range []string{"dsrdump", "dcm2pdf", "dcmdump", "dcmdrle", "dcmdjpls"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (package dcmtk): not read by dcmtk", tool)
		}
	}
	dir := t.TempDir()
	d := derived(2)
	beside(t, dir, d)
	out, err := exec.Command("dsrdump", "+Pc", filepath.Join(dir, "sr.dcm")).CombinedOutput()
	if err != nil {
		t.Fatalf("dsrdump: %v\n%s", err, out)
	}
	for _, want := range []string{"Imaging Measurement Report", `"31.25" (dB,UCUM`, `"0.875" (1,UCUM`, `"25" ({views},UCUM`, "Algorithm Parameters\")=\"lambda 1\""} {
		if !strings.Contains(string(out), want) {
			t.Errorf("dsrdump: no %q in\n%s", want, out)
		}
	}
	pdf := filepath.Join(dir, "out.pdf")
	if out, err := exec.Command("dcm2pdf", filepath.Join(dir, "pdf.dcm"), pdf).CombinedOutput(); err != nil {
		t.Fatalf("dcm2pdf: %v\n%s", err, out)
	}
	if b, _ := os.ReadFile(pdf); string(b) != onePage {
		t.Errorf("dcm2pdf took out %d bytes, want %d", len(b), len(onePage))
	}
	plain := filepath.Join(dir, "series", "0001.dcm")
	for syntax, tool := range map[string]string{codec.RLE: "dcmdrle", codec.JPEGLS: "dcmdjpls"} {
		c := derived(2)
		c.Compression = syntax
		sub := t.TempDir()
		beside(t, sub, c)
		if syntax == codec.RLE {
			expand(t, tool, filepath.Join(sub, "capture.dcm"), filepath.Join(dir, "capture.dcm"))
		}
		expand(t, tool, filepath.Join(sub, "series", "0001.dcm"), plain)
		expand(t, tool, filepath.Join(sub, "enhanced.dcm"), filepath.Join(dir, "enhanced.dcm"))
	}
}

// expand decompresses a file with a tool and compares the end, its pixels, with want.
func expand(t *testing.T, tool, packed, want string) {
	t.Helper()
	to := packed + ".plain"
	if out, err := exec.Command(tool, packed, to).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", tool, err, out)
	}
	a, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	pixels := func(b []byte) []byte { return b[bytes.LastIndex(b, []byte{0xE0, 0x7F, 0x10, 0, 'O'})+8:] }
	if !bytes.Equal(pixels(a), pixels(b)) {
		t.Errorf("%s: other pixels in %s", tool, filepath.Base(packed))
	}
}
