package main

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ctrecon/ct/physics"
)

// lesionRows runs the test of the drawn slices (6 mm pixels) and gives the table and
// the file's rows, sorted.
func lesionRows(t *testing.T, dir string, args ...string) (string, [][]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "l.csv")
	table, _ := evaluated(t, exitOK, append(append([]string{"--csv", file}, args...), dir)...)
	return table, readCSV(t, file)
}

func readCSV(t *testing.T, file string) [][]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 || !slices.Equal(rows[0], lesionColumns) {
		t.Fatalf("%v, %v", rows, err)
	}
	for i := range rows {
		rows[i] = rows[i][:10] // without seconds
	}
	rows = rows[1:]
	slices.SortFunc(rows, func(a, b []string) int { // slices come as they are done
		return strings.Compare(a[0]+a[2]+a[3], b[0]+b[2]+b[3])
	})
	return rows
}

// difference of with and without of a row.
func difference(t *testing.T, row []string) float64 {
	t.Helper()
	a, err := strconv.ParseFloat(row[8], 64)
	b, err2 := strconv.ParseFloat(row[9], 64)
	if err != nil || err2 != nil {
		t.Fatal(row)
	}
	return b - a
}

// TestLesionLinear: for a linear method the contrast shown goes with the contrast of
// the disc, downwards too, and does not depend on noise.
func TestLesionLinear(t *testing.T) {
	dir := writeSet(t)
	_, base := lesionRows(t, dir, "--lesion", "30,50", "--method", "fbp-hann")
	for _, tt := range []struct {
		name   string
		args   []string
		factor float64
	}{
		{"twice the contrast", []string{"--lesion", "30,100"}, 2},
		{"downwards", []string{"--lesion", "30,-50"}, -1},
		{"ten times the noise", []string{"--lesion", "30,50", "--noise-sigma", "0.1"}, 1},
	} {
		_, rows := lesionRows(t, dir, append(tt.args, "--method", "fbp-hann")...)
		if len(rows) != len(base) {
			t.Fatalf("%s: %d rows, %d before", tt.name, len(rows), len(base))
		}
		for i, r := range rows {
			// float32 data and six digits in the file: .01 HU.
			if got, want := difference(t, r), tt.factor*difference(t, base[i]); math.Abs(got-want) > 0.02+1e-4*math.Abs(want) {
				t.Errorf("%s: %v shows %.3f HU, want %.3f", tt.name, r[:4], got, want)
			}
		}
	}
}

// TestLesionEasy: from many views with little noise a large disc is shown as it is,
// is always seen and never invented; from three views by FBP it is neither.
func TestLesionEasy(t *testing.T) {
	dir := writeSet(t)
	cells := func(args ...string) []string {
		t.Helper()
		table, _ := lesionRows(t, dir, append(args, "--lesion", "40,200", "--places", "2")...)
		for _, l := range strings.Split(table, "\n") {
			if strings.HasPrefix(l, "| all |") && strings.Contains(l, "| fbp |") {
				return strings.Split(l, " | ")
			}
		}
		t.Fatalf("no row of fbp in %s", table)
		return nil
	}
	easy := cells("--angles", "180", "--noise-sigma", "0.0001", "--method", "fbp")
	if share, err := strconv.ParseFloat(strings.Fields(easy[3])[0], 64); err != nil || math.Abs(share-1) > 0.06 || easy[4] != "1.000 ± 0.000" || easy[5] != "100 %" || easy[7] != "0 %" {
		t.Errorf("easy: %q", easy)
	}
	hard := cells("--angles", "3", "--method", "fbp")
	if auc, err := strconv.ParseFloat(strings.Fields(hard[4])[0], 64); err != nil || auc > 0.95 || hard[7] == "0 %" {
		t.Errorf("hard: %q", hard)
	}
}

// TestLesionResume: the numbers do not depend on the workers, nor on a run that was
// cut or had fewer slices and goes on; a file of other discs is refused.
func TestLesionResume(t *testing.T) {
	dir, file := writeSet(t), filepath.Join(t.TempDir(), "l.csv")
	args := func(more ...string) []string { return append(more, "--lesion", "30,50", "--method", "tv", dir) }
	evaluated(t, exitOK, args("--workers", "1", "--csv", file)...)
	want := readCSV(t, file)
	whole, _ := evaluated(t, exitOK, args("--workers", "3", "--csv", file)...)
	if got := readCSV(t, file); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("three workers: %v\none: %v", got, want)
	}
	fewer := filepath.Join(t.TempDir(), "fewer.csv")
	evaluated(t, exitOK, args("--limit", "2", "--csv", fewer)...)
	if n := len(readCSV(t, fewer)); n == 0 || n >= len(want) {
		t.Errorf("two slices: %d rows, all: %d", n, len(want))
	}
	evaluated(t, exitOK, args("--csv", fewer, "--resume")...)
	if got := readCSV(t, fewer); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("two slices, then all: %v\nat once: %v", got, want)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b[:len(b)*3/5], 0o644); err != nil {
		t.Fatal(err)
	}
	again, _ := evaluated(t, exitOK, args("--csv", file, "--resume")...)
	cut := func(table string) string { // the column of seconds
		var out []string
		for _, l := range strings.Split(table, "\n") {
			if f := strings.Split(l, "|"); len(f) == 11 {
				l = strings.Join(f[:9], "|")
			}
			out = append(out, l)
		}
		return strings.Join(out, "\n")
	}
	if cut(again) != cut(whole) {
		t.Errorf("resumed %s\nwhole %s", again, whole)
	}
	for _, other := range [][]string{{"--lesion", "30,60"}, {"--lesion", "36,50"}, {"--seed", "2"}} {
		all := append([]string{"--csv", file, "--resume", "--lesion", "30,50", "--method", "tv"}, append(other, dir)...)
		if _, e := evaluated(t, exitInput, all...); !strings.Contains(e, "are of other lesions") {
			t.Errorf("%v: %s", other, e)
		}
	}
}

func TestLesionUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--lesion", "6"}, "as in 6,30"},
		{[]string{"--lesion", "0,30"}, "as in 6,30"},
		{[]string{"--lesion", "6,0"}, "as in 6,30"},
		{[]string{"--lesion", "six,30"}, "as in 6,30"},
		{[]string{"--lesion", "6,NaN"}, "as in 6,30"},
		{[]string{"--lesion", "6,30", "--photons", "1e5"}, "--photons does not go with --lesion"},
		{[]string{"--lesion", "6,30", "--coverage"}, "--coverage does not go with --lesion"},
		{[]string{"--lesion", "6,30", "--places", "0"}, "1 to 100 in a slice"},
		{[]string{"--places", "2"}, "--places belongs to --lesion"},
		{[]string{"--lesion", "6,30", "--phantom", "acr"}, "--lesion belongs to a folder of slices"},
		{[]string{"--lesion", "6,30", "--resume"}, "--resume needs --csv"},
	} {
		args := tt.args
		if !slices.Contains(args, "--phantom") {
			args = append(args, writeSet(t))
		}
		if _, e := evaluated(t, exitUsage, args...); !strings.Contains(e, tt.want) {
			t.Errorf("%v: %s", tt.args, e)
		}
	}
}

// TestLesionCells: the row of findings that can be counted by hand.
func TestLesionCells(t *testing.T) {
	l := &lesionTest{task: physics.Task{Diameter: 6, Contrast: -30}}
	f := func(slice int, own, without, with float64) finding {
		return finding{slice: slice, truth: -24, own: own, without: without, with: with, seconds: 2}
	}
	got := l.cells([]finding{f(0, 4, 4, -20), f(0, 0, -13, -13), f(1, 0, 0, -12), f(1, 10, 10, -26)})
	// Shown 24, 0, 12, 36 of 24; seen where below own - 12; invented once; pairs of
	// different slices: (-20, -13, -12, -26) against (0, 10; 4, -13), all but one right.
	if want := []string{"0.75 ± 0.56", "0.875", "75 %", "-3.2 ± 5.6", "25 %", "2"}; !slices.EqualFunc(got, want, func(a, b string) bool { return strings.HasPrefix(a, b) }) {
		t.Errorf("%q, want %q", got, want)
	}
}
