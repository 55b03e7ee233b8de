package dicomio

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyashkumar/dicom/pkg/tag"
)

// without leaves slabs out.
func without(all []slab, drop ...int) []slab {
	var out []slab
next:
	for i, s := range all {
		for _, d := range drop {
			if i == d {
				continue next
			}
		}
		out = append(out, s)
	}
	return out
}

// head is a protocol of n slices 5 mm apart and m slices 10 mm apart.
func head(n, m int, number func(i int) int) []slab {
	return stack(n+m, 5, func(i int, s *slab) {
		s.number = number(i)
		if i > n {
			s.z = 5*float64(n) + 10*float64(i-n)
		}
	})
}

func TestGroups(t *testing.T) {
	count := func(i int) int { return i + 1 }
	tilted := "1\\0\\0\\0\\0.9483\\-0.3173"
	twice := func(change func(i int, s *slab)) []slab { // two images at each of four places
		return stack(8, 0, func(i int, s *slab) {
			s.z = float64(2 * (i / 2))
			change(i, s)
		})
	}
	tests := []struct {
		name  string
		slabs []slab
		sizes []int  // slices of each series; nil for an error
		want  string // in the error, or in the notes of the first series; "" for no note
	}{
		{"a series", stack(5, 2.5, nil), []int{5}, ""},
		{"the same from top to bottom", stack(5, -2.5, nil), []int{5}, ""},
		{"a file twice", append(stack(3, 2, nil), stack(3, 2, nil)[1]), []int{3}, "1 slice(s) left out: copies of others"},
		{"one UID for two images", append(stack(3, 2, nil), slab{uid: "1.2.9.2", z: 2, number: 2, fill: 7}), nil, "two different images have one SOP instance UID (02, 04)"},
		{"a copy under another UID", append(stack(3, 2, nil), slab{uid: "1.2.9.99", z: 2, number: 2, fill: 1010}), []int{3}, "1 slice(s) left out: copies of others under other UIDs"},
		{"another image at one place", append(stack(3, 2, nil), slab{uid: "1.2.9.99", z: 2, number: 2, fill: 7}), nil, "two slices at one position (02, 04): several phases"},
		{"two acquisitions", twice(func(i int, s *slab) { s.acquisition = i%2 + 1 }), []int{4, 4}, `acquisition "1" of a series that has 2 at the same places`},
		{"two phases", twice(func(i int, s *slab) { s.temporal = i%2 + 1 }), []int{4, 4}, `temporal position "1" of a series`},
		{"two phases of one place", twice(func(i int, s *slab) { s.z, s.temporal = 0, i+1 }), []int{1, 1, 1, 1, 1, 1, 1, 1}, `temporal position "1" of a series that has 8`},
		{"an acquisition a slice", twice(func(i int, s *slab) { s.acquisition = i }), nil, "neither acquisition nor temporal position"},
		{"a missing slice", without(stack(6, 2.5, nil), 3), nil, "1 slice(s) are missing between 03 and 04: 5 mm where 2.5 mm are usual"},
		{"three missing slices", without(stack(9, 2.5, nil), 3, 4, 5), nil, "3 slice(s) are missing between 03 and 04"},
		{"missing slices of a small stack", without(stack(4, 2.5, nil), 2), nil, "1 slice(s) are missing"},
		{"a missing slice, numbers are of no use", without(stack(6, 2.5, func(i int, s *slab) { s.number, s.uid = 1, string(rune('1'+i)) }), 3), nil, "1 slice(s) are missing"},
		{"a missing slice where distances vary", without(head(6, 6, count), 9), nil, "1 slice(s) are missing between 09 and 10"},
		{"every second slice", without(stack(7, 2.5, nil), 1, 3, 5), []int{4}, ""},
		{"a head from 5 to 10 mm, mostly 5", head(8, 4, count), []int{12}, "the distance of slices varies: 8 x 5 mm, 3 x 10 mm"},
		{"a head from 5 to 10 mm, mostly 10", head(3, 7, count), []int{10}, "the distance of slices varies: 3 x 5 mm, 6 x 10 mm"},
		{"distances that change often", stack(12, 0, func(i int, s *slab) { s.z = float64(i*i) + float64(i) }), []int{12}, "the distance of slices varies: 2 to 22 mm, median 12 mm"},
		{"rounding of positions", stack(5, 0.625, func(i int, s *slab) { s.z = math.Round(s.z*100) / 100 }), []int{5}, ""},
		{"a tilted gantry", stack(4, 2.5, func(i int, s *slab) { s.orientation = tilted }), []int{4}, "gantry tilt of 18.5 degrees"},
		{"upside down is no tilt", stack(4, 2.5, func(i int, s *slab) { s.orientation = "1\\0\\0\\0\\-1\\0" }), []int{4}, ""},
		{"a localizer", append(stack(3, 2, nil), slab{number: 9, kind: "ORIGINAL\\PRIMARY\\LOCALIZER", orientation: "1\\0\\0\\0\\0\\-1", rows: 6}), []int{3}, "1 file(s) left out: a localizer"},
		{"nothing but localizers", []slab{{number: 1, kind: "ORIGINAL\\PRIMARY\\LOCALIZER"}}, nil, "no CT image in it (1 file(s) left out: a localizer)"},
		{"mixed sizes", append(stack(3, 2, nil), slab{number: 4, z: 6, rows: 6}), nil, "slices of 8 x 8 and of 6 x 8 in one series (01, 04)"},
		{"mixed pixels", append(stack(3, 2, nil), slab{number: 4, z: 6, spacing: "0.6\\0.6"}), nil, "pixel sizes 0.5 and 0.6 mm in one series (01, 04)"},
		{"mixed orientation", append(stack(3, 2, nil), slab{number: 4, z: 6, orientation: tilted}), nil, "slices of different orientation"},
		{"mixed rescale", append(stack(3, 2, nil), slab{number: 4, z: 6, slope: "2"}), []int{4}, ""},
		{"two patients, one series UID", append(stack(3, 2, nil), slab{number: 4, z: 6, id: "P2"}), nil, "slices of different patients have one series UID (01, 04)"},
		{"two names, one series UID", append(stack(3, 2, nil), slab{number: 4, z: 6, patient: "C^D"}), nil, "slices of different patients have one series UID (01, 04)"},
		{"two studies, one series UID", append(stack(3, 2, nil), slab{number: 4, z: 6, study: "1.2.77"}), nil, "slices of different studies"},
		{"two frames of reference", append(stack(3, 2, nil), slab{number: 4, z: 6, frame: "1.2.77"}), nil, "slices of different frames of reference"},
		{"two patients", append(stack(3, 2, nil), slab{number: 4, series: "1.2.88", study: "1.2.77", id: "P2"}), []int{3, 1}, "series of 2 patients: a result belongs to the patient of its series"},
		{"a short series that is wrong", append(stack(4, 2, nil), slab{number: 11, series: "1.2.88"}, slab{number: 12, series: "1.2.88", z: 1, rows: 6}), []int{4}, "a series of 2 slice(s) left out: slices of 8 x 8 and of 6 x 8"},
		{"a long series that is wrong", append(without(stack(6, 2, nil), 3), slab{number: 11, series: "1.2.88"}), nil, "1 slice(s) are missing"},
		{"no patient ID", stack(3, 2, func(i int, s *slab) { s.id = " " }), []int{3}, "the slices have no patient ID"},
		{"one slice without a patient ID", stack(3, 2, func(i int, s *slab) { s.id = strings.Repeat(" ", i) }), nil, "different patients"},
		{"a letter in a UID", []slab{{number: 1, study: "1.2.x"}}, []int{1}, "1 file(s) whose (0020,000D) StudyInstanceUID is no UID"},
		{"leading zeros in UIDs", stack(3, 2, func(i int, s *slab) { s.series = "1.02.3" }), []int{3}, "3 file(s) whose (0020,000E) SeriesInstanceUID is no UID"},
		{"two bad UIDs are two series", stack(4, 2, func(i int, s *slab) { s.series = []string{"a", "b"}[i%2] }), []int{2, 2}, "2 file(s) whose (0020,000E) SeriesInstanceUID is no UID"},
		{"a control character in a UID", []slab{{number: 1, study: "1.2\x01.3"}}, nil, "(0020,000D) StudyInstanceUID: not a UID, nor other text: the file is damaged"},
		{"values that are not HU", stack(3, 2, func(i int, s *slab) { s.units = "US" }), nil, `no CT image in it (3 file(s) left out: (0028,1054) RescaleType "US": its values are not Hounsfield units (HU))`},
		{"a map beside the series", append(stack(3, 2, nil), slab{number: 9, series: "1.2.88", units: "US"}), []int{3}, `1 file(s) left out: (0028,1054) RescaleType "US"`},
		{"a map within the series", append(stack(3, 2, nil), slab{number: 4, z: 6, units: "US"}), nil, `one series has images in HU and others with (0028,1054) RescaleType "US" (01, 04)`},
		{"the unit is said", stack(3, 2, func(i int, s *slab) { s.units = "HU" }), []int{3}, ""},
		{"a control character in a name", []slab{{number: 1, patient: "A\x00B"}}, nil, "(0010,0010) PatientName: control characters"},
		{"a slope of 0", []slab{{number: 1, slope: "0"}}, nil, "01: (0028,1053) RescaleSlope: is 0"},
		{"crooked axes", []slab{{number: 1, orientation: "1\\0\\0\\0\\0.5\\0"}}, nil, "not two unit vectors at a right angle"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all, err := ReadSeries(folderOf(t, tt.slabs...), 2)
			if tt.sizes == nil {
				f, u := (*FormatError)(nil), (*UnsupportedError)(nil)
				if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &f) && !errors.As(err, &u) {
					t.Errorf("%v, want %q", err, tt.want)
				}
				if err != nil && (strings.Contains(err.Error(), "A^B") || strings.Contains(err.Error(), "P1") || strings.Contains(err.Error(), "P2")) {
					t.Errorf("%v names a patient", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkSeries(t, all, tt.sizes, tt.want)
		})
	}
}

func checkSeries(t *testing.T, all []*Series, sizes []int, note string) {
	t.Helper()
	if len(all) != len(sizes) {
		t.Fatalf("%d series, want %d", len(all), len(sizes))
	}
	for i, s := range all {
		if len(s.Slices) != sizes[i] {
			t.Errorf("series %d has %d slices, want %d", i, len(s.Slices), sizes[i])
		}
		n := normal(s.Slices[0].Orientation)
		for k := 1; k < len(s.Slices); k++ {
			if along(s.Slices[k].Position, n) <= along(s.Slices[k-1].Position, n) {
				t.Errorf("series %d: slice %d does not lie above slice %d", i, k, k-1)
			}
			if textOf(s.Slices[k].Header, tag.PatientID) != textOf(s.Slices[0].Header, tag.PatientID) {
				t.Errorf("series %d has slices of two patients", i)
			}
		}
	}
	if got := strings.Join(all[0].Notes, "; "); !strings.Contains(got, note) || note == "" && got != "" {
		t.Errorf("notes %q, want %q", got, note)
	}
}

// TestNamedDICOM: a file that is named like DICOM and is none is damaged; other files
// in a folder are left out.
func TestNamedDICOM(t *testing.T) {
	dir := folderOf(t, stack(3, 2, nil)...)
	os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("text"), 0o644)
	os.WriteFile(filepath.Join(dir, ".DS_Store.dcm"), []byte("hidden"), 0o644)
	all, err := ReadSeries(dir, 1)
	if err != nil || len(all[0].Slices) != 3 || !contains(all[0].Notes, "1 file(s) left out: no DICOM file") {
		t.Fatalf("%v, %v", all, err)
	}
	os.WriteFile(filepath.Join(dir, "04.dcm"), slab{number: 4, z: 6}.bytes()[:100], 0o644)
	_, err = ReadSeries(dir, 1)
	if f := (*FormatError)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), "04.dcm: not a DICOM file") {
		t.Errorf("%v", err)
	}
}

// TestPartUIDs: images made of a part of a series have the UIDs that the whole gives
// them, and different images never one.
func TestPartUIDs(t *testing.T) {
	uids := func(slabs []slab) map[string]float64 {
		src, err := ReadSeries(folderOf(t, slabs...), 1)
		if err != nil {
			t.Fatal(err)
		}
		d := derived(len(src[0].Slices))
		d.Source, d.Subject, d.Grid = src[0], "", src[0].Grid
		out := map[string]float64{}
		for i, s := range src[0].Slices {
			out[d.instanceUID(i)] = s.Position[2]
		}
		return out
	}
	whole, part := uids(stack(6, 2, nil)), uids(stack(6, 2, nil)[2:])
	if len(whole) != 6 || len(part) != 4 {
		t.Fatalf("%d and %d UIDs", len(whole), len(part))
	}
	for u, z := range part {
		if got, ok := whole[u]; !ok || got != z {
			t.Errorf("the image at %g has another UID than in the whole series, or that of %g", z, got)
		}
	}
}
