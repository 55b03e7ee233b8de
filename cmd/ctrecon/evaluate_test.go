package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ctrecon/ct"
	"ctrecon/ldm/onnx"
	"ctrecon/phantoms"
)

// writeSet makes a folder of three slices of 64 x 64 pixels of two patients.
func writeSet(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	index := "file,split,site,patient,pixel_mm\n"
	for i, name := range []string{"thorax", "head", "head"} {
		p, err := phantoms.New(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		grid := ct.Square(64, p.Field/64)
		im := image.NewGray16(image.Rect(0, 0, 64, 64))
		for k, v := range p.Rotate(float64(10 * i)).HU(grid) {
			im.SetGray16(k%64, k/64, color.Gray16{Y: uint16(v + 1024)})
		}
		file := fmt.Sprintf("%s%d.png", name, i)
		f, err := os.Create(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, im); err != nil {
			t.Fatal(err)
		}
		f.Close()
		index += fmt.Sprintf("%s,val,%s,p%d,%g\n", file, name, min(i, 1), grid.DX)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.csv"), []byte(index), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func evaluated(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(t.Context(), append([]string{"ctrecon", "evaluate", "--quiet"}, args...), &out, &errs); got != code {
		t.Fatalf("%v: exit code %d, want %d: %s", args, got, code, &errs)
	}
	return out.String(), errs.String()
}

// withoutTimes cuts the columns that differ from run to run.
func withoutTimes(table string) string {
	var out []string
	for _, l := range strings.Split(table, "\n") {
		if f := strings.Split(l, "|"); len(f) > 9 {
			l = strings.Join(append(f[:8], f[9:]...), "|")
		}
		out = append(out, l)
	}
	return strings.Join(out, "\n")
}

// TestLimitKeepsNoise: a slice among fewer has the scores that it has among all.
func TestLimitKeepsNoise(t *testing.T) {
	dir := writeSet(t)
	rows := func(args ...string) map[string]string {
		file := filepath.Join(t.TempDir(), "s.csv")
		evaluated(t, exitOK, append(args, "--method", "fbp", "--csv", file, dir)...)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, l := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
			f := strings.Split(l, ",")
			out[f[0]+" "+f[2]] = strings.Join(f[3:len(f)-1], ",") // without the seconds
		}
		return out
	}
	all, few := rows(), rows("--limit", "2")
	if len(all) != 6 || len(few) != 4 {
		t.Fatalf("%d and %d rows", len(all), len(few))
	}
	for k, v := range few {
		if all[k] != v {
			t.Errorf("%s: %s among two, %s among all", k, v, all[k])
		}
	}
}

// TestResume: a run that was cut in the middle of a row goes on, and its table is
// that of one run.
func TestResume(t *testing.T) {
	dir, file := writeSet(t), filepath.Join(t.TempDir(), "s.csv")
	picture := filepath.Join(t.TempDir(), "worst.png")
	whole, _ := evaluated(t, exitOK, "--method", "fbp,tv", "--csv", file, "--worst", picture, dir)
	if info, err := os.Stat(picture); err != nil || info.Size() < 1000 {
		t.Errorf("%s: %v", picture, err)
	}
	if strings.Count(whole, "\n| all |") != 2 {
		t.Errorf("table %s", whole)
	}
	// Noise alone leaves 1; coarse pixels of the rotated phantoms leave more.
	var chi2 float64
	if _, after, ok := strings.Cut(whole, "chi2 of the references themselves: "); !ok || !strings.HasSuffix(after, "(n = 3)\n") {
		t.Errorf("no residual of the references in %s", whole)
	} else if _, err := fmt.Sscan(after, &chi2); err != nil || chi2 < 0.9 {
		t.Errorf("chi2 of the references %v, %v", chi2, err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b[:len(b)*2/3], 0o644); err != nil {
		t.Fatal(err)
	}
	again, _ := evaluated(t, exitOK, "--method", "fbp,tv", "--csv", file, "--resume", dir)
	if withoutTimes(again) != withoutTimes(whole) {
		t.Errorf("resumed %s\nwhole %s", again, whole)
	}
	if _, e := evaluated(t, exitUsage, "--resume", dir); !strings.Contains(e, "--resume needs --csv") {
		t.Error(e)
	}
	if err := os.WriteFile(file, []byte("a,b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, e := evaluated(t, exitInput, "--csv", file, "--resume", dir); !strings.Contains(e, "not a table of ctrecon evaluate") {
		t.Error(e)
	}
}

// TestScans: harder scans give worse images.
func TestScans(t *testing.T) {
	dir := writeSet(t)
	rmse := func(args ...string) float64 {
		t.Helper()
		out, _ := evaluated(t, exitOK, append(args, "--method", "tv", dir)...)
		for _, l := range strings.Split(out, "\n") {
			if f := strings.Split(l, "|"); len(f) > 6 && strings.TrimSpace(f[1]) == "all" && strings.TrimSpace(f[3]) == "tv" {
				var v float64
				if _, err := fmt.Sscan(f[6], &v); err != nil {
					t.Fatal(err)
				}
				return v
			}
		}
		t.Fatalf("no row of tv in %s", out)
		return 0
	}
	usual := rmse()
	for _, c := range []struct {
		args  []string
		worse bool
	}{
		{[]string{"--angles", "12"}, true}, {[]string{"--arc", "90"}, true}, {[]string{"--dead", "0.1"}, true}, {[]string{"--bins", "51"}, true},
		{[]string{"--photons", "300"}, true}, {[]string{"--offset", "0.5"}, false},
	} {
		if got := rmse(c.args...); c.worse && got < 1.02*usual || !c.worse && (got < 0.8*usual || got > 1.25*usual) {
			t.Errorf("%v: %.1f HU, usual %.1f", c.args, got, usual)
		}
	}
	if _, e := evaluated(t, exitBug, "--method", "fbp", "--max-rmse", "1", dir); !strings.Contains(e, "mean HU RMSE") {
		t.Error(e)
	}
}

// TestPartial: the rows of means of fewer samples stand before that of all; the
// calibration follows the table.
func TestPartial(t *testing.T) {
	if os.Getenv(onnx.LibraryEnv) == "" {
		os.Setenv(onnx.LibraryEnv, builtLibrary())
	}
	if _, err := onnx.Open(); err != nil {
		t.Skip(err)
	}
	out, _ := evaluated(t, exitOK, "--model", "../../ldm/models/testdata/tiny", "--method", "resample", "--samples", "3", "--steps", "2", "--partial", "1,2", "--coverage", writeSet(t))
	for _, want := range []string{"| all | 3 | resample/1 |", "| all | 3 | resample/2 |", "| all | 3 | resample |", "| p1 | "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if _, e := evaluated(t, exitUsage, "--partial", "0", writeSet(t)); !strings.Contains(e, "positive numbers") {
		t.Error(e)
	}
}
