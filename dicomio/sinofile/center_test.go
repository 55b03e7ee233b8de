package sinofile

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The axis is found to a tenth of a bin in half turns, full turns and fans.
func TestFindCenter(t *testing.T) {
	flat, curved := Fan{SOD: 200, SDD: 350}, Fan{SOD: 200, SDD: 350, Curved: true}
	tests := []struct {
		name   string
		angles []float64
		fan    *Fan
		within float64
	}{
		{"half turn", steps(0, 1, 180), nil, .1},
		{"half turn with its end", steps(0, 1, 181), nil, .1},
		{"half turn, coarse", steps(0, 3, 60), nil, .3},
		{"half turn backwards", steps(90, -1, 180), nil, .1},
		{"full turn", steps(0, 2, 180), nil, .1},
		{"fan, flat", steps(0, 2, 180), &flat, .1},
		{"fan, curved", steps(0, 2, 180), &curved, .1},
		{"fan, 250 degrees", steps(30, 1, 250), &flat, .15},
	}
	for _, tt := range tests {
		for _, offset := range []float64{0, .4, -7.25, 11} {
			t.Run(fmt.Sprint(tt.name, " ", offset), func(t *testing.T) {
				const bins = 96
				data, size := parallel(tt.angles, bins, offset), 1.0
				if tt.fan != nil {
					size = 1.8
					data = fanned(tt.angles, bins, size, offset, *tt.fan)
				}
				path := sino(t, noisy(data, .005), len(tt.angles), bins)
				text := fmt.Sprintf(`{"angles_deg": {"start": %g, "step": %g, "count": %d}}`, tt.angles[0], tt.angles[1]-tt.angles[0], len(tt.angles))
				if err := os.WriteFile(path+".json", []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				s := mustRead(t, path, Options{Axes: "view,bin", Fan: tt.fan, DetectorSpacing: size, FindCenter: true})
				if math.Abs(s.Offset-offset) > tt.within {
					t.Errorf("offset %g, want %g within %g: %q", s.Offset, offset, tt.within, s.Notes)
				}
				wantNote(t, s, "doubt")
				if tt.fan != nil && hasNote(s.Notes, "--clockwise") {
					t.Errorf("the direction was doubted: %q", s.Notes)
				}
			})
		}
	}
}

// A short arc measures no ray twice, and noise agrees nowhere.
func TestFindCenterRefused(t *testing.T) {
	tests := []struct {
		name  string
		data  []float32
		arc   float64
		words string
	}{
		{"90 degrees", parallel(steps(0, 2, 45), 64, 0), 90, "no ray was measured twice"},
		{"noise", noisy(make([]float32, 45*64), 1), 360, "no offset makes rays"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(sino(t, tt.data, 45, 64), Options{Axes: "view,bin", Arc: tt.arc, FindCenter: true})
			wantError(t, err, true, "center", tt.words, "--center OFFSET")
		})
	}
}

// A fan scan whose angles run the other way is noticed.
func TestFanDirection(t *testing.T) {
	f := Fan{SOD: 200, SDD: 350}
	path := sino(t, fanned(steps(0, -3, 120), 96, 1.8, 0, f), 120, 96)
	opt := Options{Axes: "view,bin", Fan: &f, DetectorSpacing: 1.8, Arc: 360}
	wantNote(t, mustRead(t, path, opt), "try --clockwise")
	opt.Clockwise = true
	if s := mustRead(t, path, opt); hasNote(s.Notes, "try --clockwise") || s.Angles[1] != -3 {
		t.Errorf("angle %g, notes %q", s.Angles[1], s.Notes)
	}
}

// Half and full turns, with and without their end, are told apart when no
// angles are given.
func TestGuessAngles(t *testing.T) {
	f := Fan{SOD: 200, SDD: 350}
	tests := []struct {
		name   string
		angles []float64
		fan    *Fan
		note   string
		wrong  bool // the guess cannot be right and must say so
	}{
		{"half turn", steps(0, 3, 60), nil, "60 views over 180", false},
		{"half turn with its end", steps(0, 3, 61), nil, "the last view repeats the first", false},
		{"full turn", steps(0, 3, 120), nil, "120 views over 360", false},
		{"full turn with its end", steps(0, 3, 121), nil, "the last view repeats the first", false},
		{"fan", steps(0, 3, 120), &f, "120 views over 360", false},
		{"fan with its end", steps(0, 3, 121), &f, "the last view repeats the first", false},
		{"quarter turn", steps(0, 2, 45), nil, "do not close that arc", true},
		{"fan of 200 degrees", steps(0, 2, 100), &f, "do not close that arc", true},
	}
	for _, tt := range tests {
		for _, offset := range []float64{0, 3.5} {
			t.Run(fmt.Sprint(tt.name, " ", offset), func(t *testing.T) {
				data, opt := parallel(tt.angles, 96, offset), Options{Axes: "view,bin", Fan: tt.fan}
				if tt.fan != nil {
					data, opt.DetectorSpacing = fanned(tt.angles, 96, 1.8, offset, f), 1.8
				}
				s := mustRead(t, sino(t, noisy(data, .003), len(tt.angles), 96), opt)
				wantNote(t, s, tt.note)
				for i := range s.Angles {
					if !tt.wrong && math.Abs(s.Angles[i]-tt.angles[i]) > 1e-9 {
						t.Fatalf("view %d at %g degrees, want %g: %q", i, s.Angles[i], tt.angles[i], s.Notes)
					}
				}
			})
		}
	}
}

// Lists of angles in files: text, .npy, radians, and every wrong length.
func TestAngleFiles(t *testing.T) {
	data := parallel(half180, 64, 0)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	list := func(angles []float64, sep string) (s string) {
		for _, a := range angles {
			s += fmt.Sprint(a) + sep
		}
		return s
	}
	rad := make([]float32, 45)
	radians := make([]float64, 45)
	for i, a := range half180 {
		radians[i] = a * math.Pi / 180
		rad[i] = float32(radians[i])
	}
	if err := WriteNPY(filepath.Join(dir, "rad.npy"), rad, 45, 1); err != nil {
		t.Fatal(err)
	}
	padded := append(append(steps(0, 0, 9), half180...), steps(176, 0, 9)...)
	good := map[string]string{
		"lines":      write("lines.txt", "# angles\n"+list(half180, "\n")),
		"commas":     write("commas.csv", "\ufeff"+list(half180, ",")),
		"semicolons": write("semi.txt", list(half180, "; ")),
		"radians":    write("rad.txt", list(radians, "\r\n")),
		"npy":        filepath.Join(dir, "rad.npy"),
	}
	for name, path := range good {
		s := mustRead(t, sino(t, data, 45, 64), Options{Angles: path})
		for i, a := range s.Angles {
			if math.Abs(a-half180[i]) > 2e-5 {
				t.Errorf("%s: view %d at %g, want %g", name, i, a, half180[i])
				break
			}
		}
		if name == "radians" || name == "npy" {
			wantNote(t, s, "taken for radians")
		}
	}
	bad := []struct{ name, path, words string }{
		{"too long with runs", write("long.txt", list(padded, " ")), "63 angles for 45 views: the first 10 are all 0 and the last 10 all 176, so entries 10 to 54 may be meant"},
		{"too long", write("plus.txt", list(steps(0, 1, 50), " ")), "50 angles for 45 views"},
		{"too short", write("short.txt", list(steps(0, 4, 44), " ")), "44 angles for 45 views"},
		{"a word", write("word.txt", "0 4 8 twelve"), `line 1: "twelve" is not a number`},
		{"not finite", write("nan.txt", list(half180[:44], "\n")+"NaN"), "view 44 has the angle NaN"},
		{"beyond", write("big.txt", list(half180[:44], "\n")+"1e300"), "view 44 has the angle 1e+300"},
		{"nothing", write("none.txt", "# only a comment\n"), "holds no angle"},
		{"empty", write("empty.txt", ""), "the file is empty"},
	}
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(sino(t, data, 45, 64), Options{Angles: tt.path, Axes: "view,bin"})
			wantError(t, err, false, tt.words)
		})
	}
}

// A sidecar that calls radians degrees is obeyed, and the doubt is noted.
func TestRadiansCalledDegrees(t *testing.T) {
	path := sino(t, parallel(half180, 64, 0), 45, 64)
	if err := os.WriteFile(path+".json", []byte(`{"axes": ["view", "bin"], "angles_deg": {"start": 0, "step": 0.0698, "count": 45}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	s := mustRead(t, path, Options{})
	if s.Angles[1] != .0698 {
		t.Errorf("angle %g", s.Angles[1])
	}
	wantNote(t, s, "look like radians")
}

// Angles may be unsorted, decreasing, and have gaps.
func TestAnglesAnyOrder(t *testing.T) {
	for name, angles := range map[string][]float64{
		"decreasing": steps(180, -4, 45), "two arcs": append(steps(0, 2, 20), steps(60, 2, 25)...), "shuffled": {90, 0, 45, 135, 20, 160, 70, 110},
	} {
		path := sino(t, parallel(angles, 64, 0), len(angles), 64)
		sc := &Sidecar{Axes: []string{"view", "bin"}, AnglesDeg: &Angles{List: angles}}
		if err := WriteSidecar(path+".json", sc); err != nil {
			t.Fatal(err)
		}
		s := mustRead(t, path, Options{})
		if fmt.Sprint(s.Angles) != fmt.Sprint(angles) {
			t.Errorf("%s: %v, want %v", name, s.Angles, angles)
		}
	}
}

// The conventions of tools that were run become ours.
func TestConventions(t *testing.T) {
	n := map[axis]int{rowAxis: 1, viewAxis: 45, binAxis: 64}
	turned := func(d []float32) []float32 { return permuted(d, n, []axis{binAxis, viewAxis}) }
	reversed := func(d []float32) []float32 {
		out := make([]float32, len(d))
		for i := range d {
			out[i/64*64+63-i%64] = d[i]
		}
		return out
	}
	tests := []struct {
		name   string
		data   []float32
		shape  []int
		opt    Options
		want   []float32
		first  float64
		offset float64
	}{
		{"skimage, 64 bins", turned(parallel(half180, 64, .5)), []int{64, 45}, Options{DetectorSpacing: 2}, scale(parallel(half180, 64, .5), 2), 0, .5},
		{"odl", parallel(steps(2, 4, 45), 64, 0), []int{45, 64}, Options{Arc: 180}, parallel(steps(2, 4, 45), 64, 0), 2, 0},
		{"astra", parallel(half180, 64, 0), []int{45, 64}, Options{}, parallel(half180, 64, 0), 0, 0},
		{"gratopy", turned(reversed(parallel(half180, 64, 0))), []int{64, 45}, Options{}, parallel(half180, 64, 0), 0, 0},
		{"tomopy", parallel(half180, 64, 0), []int{45, 1, 64}, Options{}, parallel(half180, 64, 0), 0, 0},
		{"tomopy", parallel(half180, 64, 0), []int{45, 64}, Options{}, parallel(half180, 64, 0), 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opt.Convention, _, _ = strings.Cut(tt.name, ",")
			s := mustRead(t, sino(t, tt.data, tt.shape...), tt.opt)
			got, _ := s.Slice(0)
			if far(got, tt.want) > 1e-6 || s.Angles[0] != tt.first || s.Offset != tt.offset {
				t.Errorf("data differ by %g, first angle %g, offset %g: %q", far(got, tt.want), s.Angles[0], s.Offset, s.Notes)
			}
		})
	}
}

func scale(d []float32, f float32) []float32 {
	out := make([]float32, len(d))
	for i := range d {
		out[i] = f * d[i]
	}
	return out
}

// An offset that is probably a column is noted.
func TestOffsetColumn(t *testing.T) {
	column := 32.0
	s := mustRead(t, sino(t, parallel(half180, 64, .5), 45, 64), Options{Offset: &column})
	wantNote(t, s, "if 32 is a column, the offset is 0.5")
}
