package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestWalnut holds the measured walnut to the correlations with the publisher's
// picture that the data's README gives (fan beam FBP .951, rebinned .978), all
// views, and to those that were measured with 25 source positions of 120
// (docs/results.md), less .01. It needs the data: set CTRECON_CTDATA to the folder
// that holds sinograms/walnut.
func TestWalnut(t *testing.T) {
	root := os.Getenv("CTRECON_CTDATA")
	if root == "" {
		t.Skip("CTRECON_CTDATA is not set: the measured walnut is not tested")
	}
	dir := filepath.Join(root, "sinograms", "walnut")
	want := picture(t, filepath.Join(dir, "walnut_published.png"))
	tests := []struct {
		file, method string
		views        []string
		atLeast      float64
	}{
		{"walnut.npy", "fbp", nil, 0.969 - 0.01},
		{"walnut.npy", "fbp", []string{"--angles", "120"}, 0.951 - 0.01}, // without rebinning
		{"walnut_parallel.npy", "fbp", nil, 0.978 - 0.01},
		{"walnut.npy", "fbp", []string{"--angles", "25"}, 0.725 - 0.01},
		{"walnut.npy", "tv", []string{"--angles", "25"}, 0.971 - 0.01},
		{"walnut_parallel.npy", "tv", []string{"--angles", "25"}, 0.95},
	}
	for _, tt := range tests {
		out := filepath.Join(t.TempDir(), "out")
		args := append([]string{"ctrecon", "--quiet", "--keep-arrays", "--method", tt.method, "--out", out}, tt.views...)
		var errs bytes.Buffer
		if code := run(context.Background(), append(args, filepath.Join(dir, tt.file)), io.Discard, &errs); code != exitOK {
			t.Fatalf("%s: exit code %d: %s", tt.file, code, errs.String())
		}
		r := correlation(array(t, filepath.Join(out, tt.method+".npy")), want)
		t.Logf("%s %v, %s: correlation %.4f", tt.file, tt.views, tt.method, r)
		if r < tt.atLeast {
			t.Errorf("%s %v, %s: correlation %.4f, want at least %.3f", tt.file, tt.views, tt.method, r, tt.atLeast)
		}
	}
}

// array reads the values of a .npy file that ctrecon wrote.
func array(t *testing.T, name string) []float64 {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b = b[10+int(b[8])+256*int(b[9]):]
	v := make([]float64, len(b)/4)
	for i := range v {
		v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
	}
	return v
}

func picture(t *testing.T, name string) []float64 {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	var v []float64
	g := im.(*image.Gray16)
	for y := range g.Bounds().Dy() {
		for x := range g.Bounds().Dx() {
			v = append(v, float64(g.At(x, y).(color.Gray16).Y))
		}
	}
	return v
}

// correlation is Pearson's, 0 for pictures of different size.
func correlation(a, b []float64) float64 {
	if len(a) != len(b) {
		return 0
	}
	ma, sa := meanSD(a)
	mb, sb := meanSD(b)
	sum := 0.0
	for i := range a {
		sum += (a[i] - ma) * (b[i] - mb)
	}
	return sum / float64(len(a)) / (sa * sb)
}
