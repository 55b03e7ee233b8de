package sinofile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ctrecon/ct"
)

var half180 = steps(0, 4, 45)

// What nothing says is guessed from the data, and every guess is noted.
func TestReadGuess(t *testing.T) {
	data := noisy(parallel(half180, 64, 0), .003)
	path := sino(t, data, 45, 64)
	s := mustRead(t, path, Options{})
	if s.Rows != 1 || s.Views != 45 || s.Bins != 64 || s.Kind != "npy" || s.File != "sino.npy" || s.Row != -1 {
		t.Errorf("%+v", s)
	}
	if got, sigma := s.Slice(0); far(got, data) != 0 || sigma != nil {
		t.Errorf("data differ by %g, sigma %v", far(got, data), sigma)
	}
	if !reflect.DeepEqual(s.Angles, half180) {
		t.Errorf("angles %v", s.Angles)
	}
	if s.BinSize != 1 || !s.BinSizeAssumed || s.MuWater != ct.MuWater || s.Offset != 0 || s.Fan != nil {
		t.Errorf("%+v", s)
	}
	for _, n := range []string{"axes read as view,bin", "taken for line integrals", "45 views over 180 degrees", "detector spacing is not known"} {
		wantNote(t, s, n)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(b); s.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("hash %s", s.SHA256)
	}
}

// permuted writes [row][view][bin] data with its axes in another order.
func permuted(data []float32, n map[axis]int, order []axis) []float32 {
	out := make([]float32, len(data))
	i := 0
	idx := map[axis]int{}
	var walk func(d int)
	walk = func(d int) {
		if d == len(order) {
			out[i] = data[(idx[rowAxis]*n[viewAxis]+idx[viewAxis])*n[binAxis]+idx[binAxis]]
			i++
			return
		}
		for k := range n[order[d]] {
			idx[order[d]] = k
			walk(d + 1)
		}
	}
	walk(0)
	return out
}

// stack is [row][view][bin]: the blobs fade from row to row.
func stack(rows int, angles []float64, bins int) []float32 {
	var out []float32
	for r := range rows {
		for _, v := range parallel(angles, bins, 0) {
			out = append(out, v*(1-.15*float32(r)))
		}
	}
	return out
}

// Every order of the axes is seen in the data, and obeyed when given.
func TestReadAxes(t *testing.T) {
	flat := stack(1, half180, 64)
	deep := stack(4, half180, 64)
	for _, order := range []string{"view,bin", "bin,view", "row,view,bin", "view,row,bin", "view,bin,row", "row,bin,view", "bin,view,row", "bin,row,view"} {
		axes, err := parseAxes(order)
		if err != nil {
			t.Fatal(err)
		}
		n, data := map[axis]int{rowAxis: 1, viewAxis: 45, binAxis: 64}, flat
		var shape []int
		if len(axes) == 3 {
			n[rowAxis], data = 4, deep
		}
		for _, a := range axes {
			shape = append(shape, n[a])
		}
		path := sino(t, permuted(data, n, axes), shape...)
		for _, opt := range []Options{{}, {Axes: order}} {
			t.Run(order+" given "+opt.Axes, func(t *testing.T) {
				s := mustRead(t, path, opt)
				if s.Rows != n[rowAxis] || s.Views != 45 || s.Bins != 64 {
					t.Fatalf("%d x %d x %d: %q", s.Rows, s.Views, s.Bins, s.Notes)
				}
				for r := range s.Rows {
					got, _ := s.Slice(r)
					if d := far(got, data[r*45*64:(r+1)*45*64]); d != 0 {
						t.Errorf("row %d differs by %g", r, d)
					}
				}
			})
		}
	}
}

// Fortran order is undone: axes are named as numpy counts them.
func TestReadFortran(t *testing.T) {
	data := parallel(half180, 64, 0)
	n := map[axis]int{rowAxis: 1, viewAxis: 45, binAxis: 64}
	b := npyBytes("<f4", "(45, 64)", true, encode(dtype{kind: 'f', size: 4}, wide(permuted(data, n, []axis{binAxis, viewAxis}))))
	path := put(t, "sino.npy", b)
	for _, opt := range []Options{{}, {Axes: "view,bin"}} {
		s := mustRead(t, path, opt)
		if got, _ := s.Slice(0); s.Views != 45 || far(got, data) != 0 {
			t.Errorf("%d views, data differ by %g", s.Views, far(got, data))
		}
	}
}

// A doubtful order is refused with the flag that settles it.
func TestReadAxesDoubt(t *testing.T) {
	noise := noisy(make([]float32, 40*40), 1)
	tests := []struct {
		name        string
		data        []float32
		shape       []int
		opt         Options
		unsupported bool
		words       []string
	}{
		{"noise", noise, []int{40, 40}, Options{}, true, []string{"view,bin", "bin,view", "--axes"}},
		{"equal rows", permuted(append(append([]float32{}, parallel(half180, 64, 0)...), parallel(half180, 64, 0)...),
			map[axis]int{rowAxis: 2, viewAxis: 45, binAxis: 64}, []axis{rowAxis, viewAxis, binAxis}), []int{2, 45, 64}, Options{}, true, []string{"--axes"}},
		{"three names for two axes", noise, []int{40, 40}, Options{Axes: "row,view,bin"}, false, []string{"row,view,bin for an array of shape (40, 40)"}},
		{"two names for three axes", noise, []int{2, 20, 40}, Options{Axes: "view,bin"}, false, []string{"view,bin for an array of shape (2, 20, 40)"}},
		{"unknown name", noise, []int{40, 40}, Options{Axes: "view,pixel"}, false, []string{`"pixel"`, "row, view and bin"}},
		{"one bin", noise, []int{1600, 1}, Options{Axes: "view,bin"}, false, []string{"one bin"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(sino(t, tt.data, tt.shape...), tt.opt)
			wantError(t, err, tt.unsupported, tt.words...)
		})
	}
}

// The number of angles settles a square or doubtful array.
func TestReadAxesByAngles(t *testing.T) {
	data := parallel(steps(0, 3, 60), 64, 0)
	n := map[axis]int{rowAxis: 1, viewAxis: 60, binAxis: 64}
	path := sino(t, permuted(data, n, []axis{binAxis, viewAxis}), 64, 60)
	list := filepath.Join(t.TempDir(), "angles.txt")
	if err := os.WriteFile(list, []byte("# degrees\n"+strings.Trim(fmt.Sprint(steps(0, 3, 60)), "[]")), 0o644); err != nil {
		t.Fatal(err)
	}
	s := mustRead(t, path, Options{Angles: list})
	wantNote(t, s, "the number of angles says so")
	if got, _ := s.Slice(0); s.Views != 60 || far(got, data) != 0 {
		t.Errorf("%d views, data differ by %g", s.Views, far(got, data))
	}
}

// One view can be read when its axes are given.
func TestReadOneView(t *testing.T) {
	data := parallel([]float64{30}, 64, 0)
	s := mustRead(t, sino(t, data, 1, 64), Options{Axes: "view,bin", Arc: 180})
	if got, _ := s.Slice(0); s.Views != 1 || far(got, data) != 0 {
		t.Errorf("%d views, data differ by %g", s.Views, far(got, data))
	}
}

// Values that are not finite are refused with their place.
func TestReadNotFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	with := func(i int, v float32) []float32 {
		d := parallel(half180, 64, 0)
		d[i] = v
		return d
	}
	for _, tt := range []struct {
		name  string
		data  []float32
		shape []int
		words string
	}{
		{"NaN", with(7*64+12, nan), []int{45, 64}, "view 7, bin 12: value NaN"},
		{"Inf", with(44*64+63, inf), []int{45, 64}, "view 44, bin 63: value +Inf"},
		{"in a stack", append(parallel(half180, 64, 0), with(64, nan)...), []int{2, 45, 64}, "row 1, view 1, bin 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := Options{Axes: "view,bin"}
			if len(tt.shape) == 3 {
				opt.Axes = "row,view,bin"
			}
			path := sino(t, tt.data, tt.shape...)
			_, err := Read(path, opt)
			wantError(t, err, false, tt.words, "not finite")
			opt.MaskNaN = true
			s := mustRead(t, path, opt)
			wantNote(t, s, "1 values are not finite and were masked")
			_, sigma := s.Slice(s.Rows - 1)
			dead := 0
			for _, v := range sigma {
				if math.IsInf(float64(v), 1) {
					dead++
				}
			}
			if dead != 1 {
				t.Errorf("%d dead data, want 1", dead)
			}
		})
	}
	_, err := Read(sino(t, []float32{nan, nan, inf, nan}, 2, 2), Options{})
	wantError(t, err, false, "no value is finite")
}

// Holes are filled between their neighbours in the view, and carry no weight.
func TestReadMask(t *testing.T) {
	data := parallel(half180, 64, 0)
	dir := t.TempDir()
	mask := make([]float32, 64)
	mask[0], mask[20], mask[21], mask[63] = 1, 1, 1, 1
	full := make([]float32, len(data))
	for v := range 45 {
		copy(full[v*64:], mask)
	}
	for name, m := range map[string][]float32{"bins.npy": mask, "all.npy": full} {
		shape := []int{64}
		if len(m) > 64 {
			shape = []int{45, 64}
		}
		if err := WriteNPY(filepath.Join(dir, name), m, shape...); err != nil {
			t.Fatal(err)
		}
		s := mustRead(t, sino(t, data, 45, 64), Options{Mask: filepath.Join(dir, name), NoiseSigma: .01})
		got, sigma := s.Slice(0)
		for i := range got {
			k := i % 64
			if dead := math.IsInf(float64(sigma[i]), 1); dead != (mask[k] != 0) || !dead && sigma[i] != .01 {
				t.Fatalf("%s: sigma of bin %d is %g", name, k, sigma[i])
			}
		}
		row, want := got[5*64:6*64], data[5*64:6*64]
		for k, w := range map[int]float32{0: want[1], 20: want[19] + (want[22]-want[19])/3, 21: want[19] + 2*(want[22]-want[19])/3, 63: want[62]} {
			if math.Abs(float64(row[k]-w)) > 1e-6 {
				t.Errorf("%s: bin %d filled with %g, want %g", name, k, row[k], w)
			}
		}
		g := s.Sinogram(0)
		if err := g.Check(); err != nil || g.Live() != 45*60 {
			t.Errorf("%s: %d live data (%v)", name, g.Live(), err)
		}
	}
	if err := WriteNPY(filepath.Join(dir, "short.npy"), mask[:63], 63); err != nil {
		t.Fatal(err)
	}
	_, err := Read(sino(t, data, 45, 64), Options{Mask: filepath.Join(dir, "short.npy")})
	wantError(t, err, false, "short.npy: shape (63,) does not fit a detector of 1 rows and 64 bins")
}

// Bins and views that never change are dead; what looks like them but is the
// object stays.
func TestReadDead(t *testing.T) {
	spoil := func(f func(v, k int) bool, value float32) []float32 {
		d := noisy(parallel(half180, 64, 0), .002)
		for i := range d {
			if f(i/64, i%64) {
				d[i] = value
			}
		}
		return d
	}
	tests := []struct {
		name string
		data []float32
		dead int
		note string
	}{
		{"none", spoil(func(v, k int) bool { return false }, 0), 0, ""},
		{"a column", spoil(func(v, k int) bool { return k == 17 }, 0), 45, "all of bin 17"},
		{"a view", spoil(func(v, k int) bool { return v == 30 }, 0), 64, "all of view 30"},
		{"both", spoil(func(v, k int) bool { return v == 30 || k == 17 }, 1.5), 64 + 44, "all of view 30"},
		{"empty ends", spoil(func(v, k int) bool { return k < 6 || k > 58 }, 0), 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mustRead(t, sino(t, tt.data, 45, 64), Options{Axes: "view,bin", Arc: 180})
			dead := 0
			if s.dead != nil {
				dead = s.dead.count()
			}
			if dead != tt.dead {
				t.Errorf("%d dead data, want %d: %q", dead, tt.dead, s.Notes)
			}
			if tt.note != "" {
				wantNote(t, s, tt.note)
			}
		})
	}
}

func TestReadDuplicate(t *testing.T) {
	d := noisy(parallel(half180, 64, 0), .002)
	copy(d[8*64:9*64], d[7*64:8*64])
	s := mustRead(t, sino(t, d, 45, 64), Options{})
	wantNote(t, s, "1 views equal the view before them bit for bit, the first is view 8")
}

// A row of interest is checked and kept.
func TestReadRow(t *testing.T) {
	path := sino(t, stack(4, half180, 64), 4, 45, 64)
	row := 2
	if s := mustRead(t, path, Options{Row: &row}); s.Row != 2 || s.Rows != 4 {
		t.Errorf("row %d of %d", s.Row, s.Rows)
	}
	row = 4
	_, err := Read(path, Options{Row: &row})
	wantError(t, err, false, "row: 4: the file has 4 rows")
}

// Options win over the sidecar, the sidecar over guesses.
func TestReadPrecedence(t *testing.T) {
	path := sino(t, parallel(half180, 64, 1.5), 45, 64)
	text := `{"geometry": "fan-flat", "axes": ["view", "bin"], "data": "line integrals", "angles_deg": {"start": 10, "step": 4, "count": 45},
		"source_to_origin_mm": 300, "source_to_detector_mm": 500, "detector_spacing_mm": 0.5, "center_column_bins": 33, "photons": 1e5,
		"mu_water_per_mm": 0.02, "image_size": 128, "pixel_size_mm": 0.4, "direction": "cw"}`
	if err := os.WriteFile(path+".json", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := mustRead(t, path, Options{})
	want := Scan{File: "sino.npy", Kind: "npy", SHA256: s.SHA256, Rows: 1, Views: 45, Bins: 64, Angles: s.Angles, BinSize: .5, Offset: 1.5,
		Fan: &Fan{SOD: 300, SDD: 500}, Noise: ct.Noise{Photons: 1e5, Source: "sidecar"}, MuWater: .02, ImageSize: 128, PixelSize: .4, Row: -1}
	got := *s
	got.Notes, got.data, got.stride = nil, nil, strides{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if s.Angles[0] != -10 || s.Angles[44] != -186 {
		t.Errorf("angles %g to %g, want -10 to -186", s.Angles[0], s.Angles[44])
	}
	offset := -2.0
	s = mustRead(t, path, Options{DetectorSpacing: .7, Offset: &offset, Fan: &Fan{SOD: 100, SDD: 200, Curved: true}, NoiseSigma: .03, MuWater: .019,
		ImageSize: 64, PixelSize: .9, Arc: 90})
	if s.BinSize != .7 || s.Offset != -2 || *s.Fan != (Fan{100, 200, true}) || s.Noise != (ct.Noise{Sigma: .03, Source: "given"}) ||
		s.MuWater != .019 || s.ImageSize != 64 || s.PixelSize != .9 || s.Angles[1] != -2 {
		t.Errorf("%+v", s)
	}
	if s = mustRead(t, path, Options{NoSidecar: true}); s.Fan != nil || s.Noise.Known() || s.Angles[0] != 0 {
		t.Errorf("the sidecar was read: %+v", s)
	}
	other := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(other, []byte(`{"detector_spacing_mm": 0.25}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if s = mustRead(t, path, Options{Sidecar: other}); s.BinSize != .25 || s.Fan != nil {
		t.Errorf("the named sidecar was not read: %+v", s)
	}
	if _, err := Read(path, Options{Sidecar: other + "x"}); !os.IsNotExist(err) {
		t.Errorf("a missing sidecar gives %v", err)
	}
}

// Contradictions and impossible settings are refused, each with its place.
func TestReadWrongSettings(t *testing.T) {
	data := parallel(half180, 64, 0)
	far, nan := 700.0, math.NaN()
	tests := []struct {
		name        string
		opt         Options
		unsupported bool
		words       []string
	}{
		{"spacing negative", Options{DetectorSpacing: -1}, false, []string{"detector spacing: -1: it must be positive"}},
		{"spacing beyond", Options{DetectorSpacing: math.Inf(1)}, false, []string{"detector spacing"}},
		{"arc NaN", Options{Arc: nan}, false, []string{"arc: NaN"}},
		{"photons negative", Options{Photons: -5}, false, []string{"photons: -5"}},
		{"SOD above SDD", Options{Fan: &Fan{SOD: 500, SDD: 300}, DetectorSpacing: 1}, false, []string{"source to axis 500 mm"}},
		{"fan without spacing", Options{Fan: &Fan{SOD: 300, SDD: 500}}, true, []string{"--detector-spacing"}},
		{"centre far away", Options{Offset: &far}, false, []string{"offset 700 bins on a detector of 64"}},
		{"centre NaN", Options{Offset: &nan}, false, []string{"center: NaN"}},
		{"data unknown", Options{Data: "mu"}, false, []string{`data: "mu"`}},
		{"unit unknown", Options{AngleUnit: "gon"}, false, []string{`"gon"`}},
		{"convention unknown", Options{Convention: "matlab"}, true, []string{`"matlab" is not known; there is astra, cil`}},
		{"flat missing", Options{Flat: "nowhere.npy"}, false, []string{"nowhere.npy", "neither an array of sino.npy nor a file"}},
		{"angles missing", Options{Angles: "nowhere.txt"}, false, []string{"nowhere.txt", "neither an array"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(sino(t, data, 45, 64), tt.opt)
			wantError(t, err, tt.unsupported, tt.words...)
		})
	}
}

// What is no sinogram file says so in one line.
func TestReadUnknown(t *testing.T) {
	dicom := append(make([]byte, 128), "DICM and more"...)
	for _, tt := range []struct {
		name        string
		file        []byte
		unsupported bool
		words       string
	}{
		{"notes.txt", []byte("hello"), true, "format is not known"},
		{"a.dcm", dicom, true, "is a DICOM file"},
		{"a.npy", []byte("hello"), false, "not a .npy array"},
		{"a.raw", make([]byte, 100), true, "give dtype and shape in a sidecar"},
		{"empty.raw", nil, false, "the file is empty"},
	} {
		_, err := Read(put(t, tt.name, tt.file), Options{})
		wantError(t, err, tt.unsupported, tt.name, tt.words)
	}
	_, err := Read(t.TempDir(), Options{})
	wantError(t, err, true, "not a regular file")
	if _, err := Read(filepath.Join(t.TempDir(), "missing.npy"), Options{}); !os.IsNotExist(err) {
		t.Errorf("a missing file gives %v", err)
	}
}

// Raw data come with a description.
func TestReadRaw(t *testing.T) {
	data := parallel(half180, 64, 0)
	d := dtype{kind: 'f', size: 4, big: true}
	file := append(make([]byte, 100), encode(d, wide(data))...)
	raw := Raw{DType: "float32", Shape: []int{45, 64}, BigEndian: true, HeaderBytes: 100}
	s := mustRead(t, put(t, "a.raw", file), Options{Raw: raw})
	if got, _ := s.Slice(0); s.Kind != "raw" || far(got, data) != 0 {
		t.Errorf("%s, data differ by %g", s.Kind, far(got, data))
	}
	path := put(t, "b.raw", file)
	sc := `{"dtype": ">f4", "shape": [45, 64], "header_bytes": 100, "byte_order": "big"}`
	if err := os.WriteFile(path+".json", []byte(sc), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, _ := mustRead(t, path, Options{}).Slice(0); far(got, data) != 0 {
		t.Errorf("by sidecar, data differ by %g", far(got, data))
	}
	for _, tt := range []struct {
		name        string
		raw         Raw
		unsupported bool
		words       string
	}{
		{"too short", Raw{DType: "float64", Shape: []int{45, 64}}, false, "needs 23040 bytes, and 11620 follow"},
		{"too long", Raw{DType: "uint8", Shape: []int{45, 64}}, false, "needs 2880 bytes, and 11620 follow"},
		{"header beyond", Raw{DType: "uint8", Shape: []int{45, 64}, HeaderBytes: 1 << 40}, false, "impossible"},
		{"header negative", Raw{DType: "uint8", Shape: []int{45, 64}, HeaderBytes: -4}, false, "impossible"},
		{"shape zero", Raw{DType: "uint8", Shape: []int{45, 0}}, false, "axis 1 has length 0"},
		{"shape overflow", Raw{DType: "uint8", Shape: []int{1 << 40, 1 << 40}}, false, "impossible"},
		{"type unknown", Raw{DType: "bfloat16", Shape: []int{45, 64}}, true, `"bfloat16" is not known`},
		{"shape missing", Raw{DType: "uint8"}, true, "give dtype and shape"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(put(t, "a.raw", file), Options{Raw: tt.raw})
			wantError(t, err, tt.unsupported, tt.words)
		})
	}
}

// A sidecar from a stranger cannot name files outside its folder.
func TestReadSidecarLeadsOut(t *testing.T) {
	for _, field := range []string{"flat", "dark", "mask", "angles"} {
		for _, name := range []string{"../secret.npy", "/etc/passwd", "a/../../b"} {
			path := sino(t, parallel(half180, 64, 0), 45, 64)
			if err := os.WriteFile(path+".json", fmt.Appendf(nil, `{%q: %q}`, field, name), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path, Options{})
			wantError(t, err, false, "sino.npy.json: "+field, "leads out of the sidecar's folder")
		}
	}
}

func TestSlicePanics(t *testing.T) {
	s := mustRead(t, sino(t, parallel(half180, 64, 0), 45, 64), Options{})
	for _, row := range []int{-1, 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("row %d was accepted", row)
				}
			}()
			s.Slice(row)
		}()
	}
}
