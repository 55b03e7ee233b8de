package dicomio

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suyashkumar/dicom/pkg/tag"
)

// scan is a small scan whose values say where they belong: 100 times the view, 10
// times the row, the column, in thousandths of a neper.
func scan(views int) *ProjectionWriter {
	w := &ProjectionWriter{
		Projections: Projections{
			UID: "1.2.77", Manufacturer: "maker", Shape: "CYLINDRICAL", Rows: 3, Cols: 7, RowSize: 1.5, ColSize: 1.25, Distance: 1000,
			CenterRow: 1, CenterCol: 2.75, FocalSpot: "FFSXYZ", Steps: 16, MuWater: .0192,
		},
		Patient: "NOBODY", Description: "test", Most: 16, Time: time.Unix(0, 0).UTC(),
	}
	for i := range views {
		w.Views = append(w.Views, Projection{Beta: 170 + 22.5*float64(i), Z: 2*float64(i) - 9, Radius: 600, DBeta: .05 * float64(i%2), DZ: -.5 * float64(i%2), DRadius: float64(i % 2)})
	}
	w.Image = func(i int) ([]float32, error) {
		out := make([]float32, 21)
		for k := range out {
			out[k] = float32(100*i+10*(k/7)+k%7) / 1000
		}
		return out, nil
	}
	w.Quanta = func(i int) []float32 { return []float32{1000, 2000, 3000, 4000, 5000, 6000, float32(7000 + i)} }
	return w
}

// written is a scan in a folder.
func written(t testing.TB, w *ProjectionWriter) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "scan")
	if err := w.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestProjections: what is written is read, in every layout, as folder and archive.
func TestProjections(t *testing.T) {
	for _, tt := range []struct {
		name                      string
		implicit, transposed, zip bool
		shape                     string
	}{
		{"explicit, rows first", false, false, false, "CYLINDRICAL"},
		{"implicit, columns first", true, true, false, "FLAT"},
		{"archive", true, false, true, "SPHERICAL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := scan(20)
			w.Implicit, w.Transposed, w.Shape = tt.implicit, tt.transposed, tt.shape
			path := written(t, w)
			if tt.zip {
				path = packed(t, path)
			}
			if !HoldsProjections(path) {
				t.Error("not recognised")
			}
			p, err := ReadProjections(path, 2)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			compareScans(t, p, w)
		})
	}
}

// TestProjectionUIDs: a study UID that is none is replaced in what results take over,
// with a note.
func TestProjectionUIDs(t *testing.T) {
	dir := written(t, scan(20))
	edit(t, dir, "*", 0x0020000D, text("1.2.hash"))
	p, err := ReadProjections(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := textOf(p.Header, tag.StudyInstanceUID); got != lawful("1.2.hash") || !contains(p.Notes, "(0020,000D) StudyInstanceUID is no UID") {
		t.Errorf("study %q, notes %q", got, p.Notes)
	}
}

func compareScans(t *testing.T, p *Projections, w *ProjectionWriter) {
	t.Helper()
	if p.UID != w.UID || p.Shape != w.Shape || p.Rows != 3 || p.Cols != 7 || p.CenterRow != 1 || p.CenterCol != 2.75 || p.FocalSpot != "FFSXYZ" || p.Steps != 16 || p.MuWater != .0192 || !p.Photons || len(p.Notes) != 0 {
		t.Errorf("read %+v", p)
	}
	if p.RowSize != 1.5 || p.ColSize != 1.25 || p.Distance != 1000 {
		t.Errorf("detector of %g x %g mm at %g mm", p.ColSize, p.RowSize, p.Distance)
	}
	if got := textOf(p.Header, tag.PatientID); got != "NOBODY" || textOf(p.Header, tag.StudyInstanceUID) == "" || usable(p.Header, tag.FrameOfReferenceUID) != nil {
		t.Errorf("header of patient %q", got)
	}
	if len(p.Views) != len(w.Views) {
		t.Fatalf("%d views, want %d", len(p.Views), len(w.Views))
	}
	for i, v := range p.Views {
		x := w.Views[i]
		turns := math.Remainder(v.Beta-x.Beta, 360)
		if math.Abs(turns) > 1e-4 || math.Abs(v.Z-x.Z) > 1e-5 || v.Radius != 600 || math.Abs(v.DBeta-x.DBeta) > 1e-6 || v.DZ != x.DZ || v.DRadius != x.DRadius {
			t.Errorf("view %d: read %+v, written %+v", i, v, x)
		}
		if i > 0 && math.Abs(v.Beta-p.Views[i-1].Beta-22.5) > 1e-4 {
			t.Errorf("view %d is %g degrees from the last", i, v.Beta-p.Views[i-1].Beta)
		}
		got, err := p.Data(i)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := w.Image(i)
		for k := range want {
			if math.Abs(float64(got[k]-want[k])) > 1.5e-4 {
				t.Fatalf("view %d, datum %d: %g, want %g", i, k, got[k], want[k])
			}
		}
		if q := p.Quanta(i); !slices.Equal(q, w.Quanta(i)) {
			t.Errorf("view %d: photons %v", i, q)
		}
	}
}

func packed(t *testing.T, dir string) string {
	t.Helper()
	name := dir + ".zip"
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	if err := errors.Join(z.AddFS(os.DirFS(dir)), z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestPoses: places in the axes of DICOM-CT-PD, turned by hand. Seen from the table:
// x to the right, y up, z into the gantry, phi counter-clockwise from y; the
// detector's first column is left when it is below, its first row is farthest.
func TestPoses(t *testing.T) {
	for name, o := range poses {
		const phi, rho, col = .4, 600.0, .05 // col: a ray turned counter-clockwise, as for columns above the centre
		patient := func(x, y float64) (float64, float64) {
			return o.left[0]*x + o.left[1]*y, o.front[0]*x + o.front[1]*y
		}
		var v Projection
		o.place(&v, phi, 7, .01, -2)
		sin, cos := math.Sincos(v.Beta * math.Pi / 180)
		x, y := patient(-rho*math.Sin(phi), rho*math.Cos(phi))
		if math.Hypot(rho*sin-x, -rho*cos-y) > 1e-9 {
			t.Errorf("%s: focal centre at (%g, %g), want (%g, %g)", name, rho*sin, -rho*cos, x, y)
		}
		shifted := v.Beta + v.DBeta
		s2, c2 := math.Sincos(shifted * math.Pi / 180)
		x, y = patient(-rho*math.Sin(phi+.01), rho*math.Cos(phi+.01))
		if math.Hypot(rho*s2-x, -rho*c2-y) > 1e-9 {
			t.Errorf("%s: focal spot at (%g, %g), want (%g, %g)", name, rho*s2, -rho*c2, x, y)
		}
		x, y = patient(math.Sin(phi+col), -math.Cos(phi+col)) // direction of that column
		if along := x*cos + y*sin; (along < 0) != v.mirrorCol {
			t.Errorf("%s: columns run along %g of our detector axis, mirrored %v", name, along, v.mirrorCol)
		}
		head := 1.0
		if strings.HasPrefix(name, "FF") {
			head = -1
		}
		if v.Z != 7*head || v.DZ != -2*head || v.mirrorRow != (head > 0) {
			t.Errorf("%s: z %g, spot %g, rows mirrored %v", name, v.Z, v.DZ, v.mirrorRow)
		}
		turn := o.left[0]*o.front[1] - o.left[1]*o.front[0]
		if turn != head { // (left, front, head) is left-handed as the axes are
			t.Errorf("%s: the patient is mirrored", name)
		}
	}
}

// TestFeetFirst: the same files with the patient the other way round.
func TestFeetFirst(t *testing.T) {
	dir := written(t, scan(20))
	edit(t, dir, "*", 0x00185100, func([]byte) []byte { return []byte("FFS ") })
	p, err := ReadProjections(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	if p.CenterRow != 1 || p.CenterCol != 3.25 || math.Abs(p.Views[3].Z-3) > 1e-6 || p.Views[3].Beta > p.Views[2].Beta {
		t.Errorf("centre at row %g, column %g; view 3 at %g mm, %g degrees after %g", p.CenterRow, p.CenterCol, p.Views[3].Z, p.Views[3].Beta, p.Views[2].Beta)
	}
	got, err := p.Data(2)
	if err != nil || math.Abs(float64(got[0])-.226) > 2e-4 {
		t.Errorf("first datum %g, want the last of head first (%v)", got[0], err)
	}
}

// edit changes the value of an element of explicit little endian files; nil leaves
// it out.
func edit(t testing.TB, dir, pattern string, tag uint32, change func(v []byte) []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d files", pattern, len(names))
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		var at, end, head int
		_, err = walkSeeing(inMemory(n, b), func(_ *walker, e element) error {
			if e.tag == tag {
				at, end, head = e.value, e.value+int(e.length), 8
				if e.vr == "OW" {
					head = 12
				}
			}
			return nil
		})
		if err != nil || at == 0 {
			t.Fatalf("%s: no element %08X (%v)", n, tag, err)
		}
		out := slices.Clone(b[:at-head])
		if v := change(slices.Clone(b[at:end])); v != nil {
			out = append(out, b[at-head:at]...)
			if head == 12 {
				binary.LittleEndian.PutUint32(out[at-4:], uint32(len(v)))
			} else {
				binary.LittleEndian.PutUint16(out[at-2:], uint16(len(v)))
			}
			out = append(out, v...)
		}
		if err := os.WriteFile(n, append(out, b[end:]...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func floatBytes(v ...float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// set is a change to a value.
func set(v []byte) func([]byte) []byte { return func([]byte) []byte { return v } }

func text(s string) func([]byte) []byte { return set([]byte(s + strings.Repeat(" ", len(s)%2))) }

// TestBadProjections: each fault is one sentence that names file or view, of one of
// the two kinds.
func TestBadProjections(t *testing.T) {
	const one = "000005.dcm"
	remove := func(t *testing.T, dir string, names ...string) {
		for _, n := range names {
			if err := os.Remove(filepath.Join(dir, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	change := func(pattern string, tag uint32, f func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) { edit(t, dir, pattern, tag, f) }
	}
	tests := []struct {
		name   string
		spoil  func(t *testing.T, dir string)
		want   string
		unsupp bool
	}{
		{"a view is missing", func(t *testing.T, dir string) { remove(t, dir, one) }, "scan: view 5 is missing (InstanceNumber)", false},
		{"views are missing", func(t *testing.T, dir string) { remove(t, dir, one, "000006.dcm", "000007.dcm") }, "views 5 to 7 are missing", false},
		{"a number twice", change(one, 0x00200013, text("4")), "two files have InstanceNumber 4 (000004.dcm, 000005.dcm)", false},
		{"no number", change(one, 0x00200013, set(nil)), "000005.dcm: (0020,0013) InstanceNumber: is missing", false},
		{"another series", change(one, 0x0020000E, text("1.2.78")), "views of different series (000001.dcm, 000005.dcm)", false},
		{"another patient", change(one, 0x00100020, text("SOMEBODY")), "views of different patients", false},
		{"another detector", change("*6.dcm", pdColSize, set(floatBytes(1.3))), "views of different detector geometry", false},
		{"another mode", change(one, pdSpotMode, text("FFSZ")), "views of different focal spot modes", false},
		{"another correction", change(one, pdPhotons, set(nil)), "views of different corrections", false},
		{"an angle is NaN", change(one, pdAngle, set(floatBytes(float32(math.NaN())))), "000005.dcm: (7031,1001) DetectorFocalCenterAngularPosition: value 1 is NaN", false},
		{"a place is infinite", change(one, pdAxial, set(floatBytes(float32(math.Inf(1))))), "(7031,1002) DetectorFocalCenterAxialPosition: value 1 is +Inf", false},
		{"an angle has three bytes too few", change(one, pdAngle, set([]byte{1, 2})), "(7031,1001) DetectorFocalCenterAngularPosition: 2 bytes, not a multiple of 4", false},
		{"two angles", change(one, pdAngle, set(floatBytes(1, 2))), "2 value(s), 1 are needed", false},
		{"no angle", change(one, pdAngle, set(nil)), "(7031,1001) DetectorFocalCenterAngularPosition: is missing", false},
		{"central element of one value", change("*", pdCentral, set(floatBytes(1))), "(7031,1033) DetectorCentralElement: 1 value(s), 2 are needed", false},
		{"photons of too few columns", change("*", pdPhotons, set(floatBytes(1, 2, 3))), "(7033,1065) PhotonStatistics: 3 value(s), 7 are needed", false},
		{"photons below none", change(one, pdPhotons, set(floatBytes(1, 2, 3, 4, 5, 6, -7))), "-7 photons", false},
		{"spot shift missing", change("*", pdSpotAngle, set(nil)), "SourceAngularPositionShift: is missing, the focal spot flies (FFSXYZ)", false},
		{"angle and height of the spot swapped", change("*", pdSpotAngle, set(floatBytes(.6))), "SourceAngularPositionShift: 0.6", false},
		{"detector nearer than the axis", change("*", pdDistance, set(floatBytes(500))), "500 mm from focal centre to detector, the axis is 600 mm away", false},
		{"slope is 0", change(one, 0x00281053, text("0")), "(0028,1053) RescaleSlope: slope 0", false},
		{"slope is NaN", change(one, 0x00281053, text("NaN")), `(0028,1053) RescaleSlope: "NaN" is not a number`, false},
		{"image and detector differ", change(one, 0x00280010, set([]byte{4, 0})), "an image of 4 x 7 for a detector of 3 rows and 7 columns", false},
		{"too few pixels", change(one, tagPixels, func(v []byte) []byte { return v[:40] }), "(7FE0,0010) PixelData: 40 bytes, a view of 3 x 7 needs 42", false},
		{"too many pixels", change(one, tagPixels, func(v []byte) []byte { return append(v, v...) }), "84 bytes, a view of 3 x 7 needs 42", false},
		{"no pixels", change(one, tagPixels, set(nil)), "(7FE0,0010) PixelData: is missing", false},
		{"cut", func(t *testing.T, dir string) {
			b, _ := os.ReadFile(filepath.Join(dir, one))
			os.WriteFile(filepath.Join(dir, one), b[:len(b)-9], 0o644)
		}, "000005.dcm: byte", false},
		{"an image among them", func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(dir, "image"), stack(1, 1, nil)[0].bytes(), 0o644)
		}, "000001.dcm is a projection, image is not: a folder holds one scan", false},
		{"unknown position", change("*", 0x00185100, text("SITTING")), `(0018,5100) PatientPosition: "SITTING"`, false},
		{"axial", change("*", pdType, text("AXIAL")), "a scan of type AXIAL: helical scans are rebinned", true},
		{"parallel", change("*", pdGeometry, text("PARALLEL")), "projection geometry PARALLEL: FANBEAM is read", true},
		{"no logarithm", change("*", pdLog, text("NO")), "raw intensities (LogFlag NO): line integrals are read", true},
		{"a strange detector", change("*", pdShape, text("CONICAL")), `detector shape "CONICAL"`, true},
		{"8 bits", change("*", 0x00280100, set([]byte{8, 0})), "(0028,0100) BitsAllocated: 8", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := written(t, scan(20))
			tt.spoil(t, dir)
			if !HoldsProjections(dir) {
				t.Error("not recognised as projections")
			}
			_, err := ReadProjections(dir, 2)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error %v, want %q in it", err, tt.want)
			}
			var wrong *FormatError
			var right *UnsupportedError
			if errors.As(err, &right) != tt.unsupp || errors.As(err, &wrong) == tt.unsupp {
				t.Errorf("error of kind %T", err)
			}
		})
	}
}

// TestLateErrors: what shows when the pixels are read.
func TestLateErrors(t *testing.T) {
	dir := written(t, scan(20))
	edit(t, dir, "000005.dcm", 0x00281053, text("0.9"))
	p, err := ReadProjections(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Data(4); err == nil || !strings.Contains(err.Error(), "000005.dcm: row 1, column 1: a line integral of") {
		t.Errorf("error %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, "000007.dcm"), 600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Data(6); err == nil || !strings.Contains(err.Error(), "000007.dcm: it was cut since") {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "000008.dcm")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Data(7); err == nil || !strings.Contains(err.Error(), "000008.dcm: cannot be read") {
		t.Errorf("error %v", err)
	}
}

// TestNoProjections: folders of other things, and projections among images.
func TestNoProjections(t *testing.T) {
	dir := t.TempDir()
	if HoldsProjections(dir) || HoldsProjections(filepath.Join(dir, "missing")) {
		t.Error("an empty folder holds projections")
	}
	if _, err := ReadProjections(dir, 1); err == nil || !strings.Contains(err.Error(), "no projection (DICOM-CT-PD) in it") {
		t.Errorf("error %v", err)
	}
	for i, s := range stack(3, 2, nil) {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), s.bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if HoldsProjections(dir) {
		t.Error("images were taken for projections")
	}
	w := scan(4)
	img, _ := w.Image(0)
	if err := os.WriteFile(filepath.Join(dir, "view"), w.encode(0, img), 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := ReadSeries(dir, 1)
	if err != nil || !strings.Contains(strings.Join(all[0].Notes, "; "), "1 file(s) left out: a projection (DICOM-CT-PD)") {
		t.Errorf("a projection among images: %v", err)
	}
}

// TestViewCache: each view is read once while it is kept, and few are kept.
func TestViewCache(t *testing.T) {
	p, err := ReadProjections(written(t, scan(20)), 1)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := p.Data(3)
	b, _ := p.Data(3)
	if &a[0] != &b[0] {
		t.Error("a view was read twice")
	}
	p.Rows, p.Cols = cacheBytes/8, 1 // two views fill the cache
	p.view(4)
	p.view(5)
	if len(p.cache.order) != 2 || p.cache.entries[3] != nil || p.cache.entries[5] == nil {
		t.Errorf("%d views are kept", len(p.cache.order))
	}
}

// FuzzProjection: no bytes bring the parser down, and what it takes is finite.
func FuzzProjection(f *testing.F) {
	for _, w := range []*ProjectionWriter{scan(1), scan(2)} {
		w.Implicit, w.Transposed = len(w.Views) == 2, len(w.Views) == 2
		img, _ := w.Image(0)
		f.Add(w.encode(0, img))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseProjection(inMemory("x", b))
		var wrong *FormatError
		var right *UnsupportedError
		if err != nil {
			if !errors.As(err, &wrong) && !errors.As(err, &right) {
				t.Fatalf("error of kind %T: %v", err, err)
			}
			return
		}
		if p.skip != "" || p.other != "" {
			return
		}
		v, c := p.view, p.common
		for _, x := range []float64{v.Beta, v.Z, v.Radius, v.DBeta, v.DZ, v.DRadius, v.slope, v.intercept, c.rowSize, c.colSize, c.distance, c.central[0], c.central[1], c.water} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("%g was taken: %+v", x, v)
			}
		}
		if v.pixels+2*c.rows*c.cols > len(b) {
			t.Fatalf("%d x %d pixels at %d of %d bytes", c.rows, c.cols, v.pixels, len(b))
		}
		if _, err := v.integrals(b[v.pixels:v.pixels+2*c.rows*c.cols], c.rows, c.cols); err != nil && !errors.As(err, &wrong) {
			t.Fatal(err)
		}
	})
}

// TestProjectionCut: a view that ends anywhere is refused.
func TestProjectionCut(t *testing.T) {
	w := scan(1)
	img, _ := w.Image(0)
	b := w.encode(0, img)
	for n := 132; n < len(b); n += 7 {
		p, err := parseProjection(inMemory("x", b[:n]))
		if err == nil && p.other == "" {
			t.Fatalf("the first %d of %d bytes are a view", n, len(b))
		}
	}
	if _, err := parseProjection(inMemory("x", b)); err != nil {
		t.Error(err)
	}
}
