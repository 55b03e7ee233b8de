package main

import (
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPydicom: what is written, read by pydicom and un-rescaled, equals the
// reconstruction to half a HU.
func TestPydicom(t *testing.T) {
	if err := exec.Command("python3", "-c", "import pydicom, numpy").Run(); err != nil {
		t.Skip("python3 with pydicom and numpy was not found")
	}
	dir := t.TempDir()
	var stderr bytes.Buffer
	for _, args := range [][]string{
		{"ctrecon", "phantom", "--slices", "3", "--size", "64", "--out", filepath.Join(dir, "head"), "head"},
		{"ctrecon", "--angles", "25", "--method", "fbp,tv,sirt", "--keep-arrays", "--quiet", "--out", filepath.Join(dir, "out"), filepath.Join(dir, "head")},
	} {
		if code := run(t.Context(), args, io.Discard, &stderr); code != exitOK {
			t.Fatalf("%v: exit code %d: %s", args, code, &stderr)
		}
	}
	out, err := exec.Command("python3", "testdata/pydicom_check.py", filepath.Join(dir, "out"), "fbp", "tv", "sirt").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("sirt 3 images")) {
		t.Fatalf("%v: %s", err, out)
	}
}
