package dicomio

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"

	"ctrecon/ct"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGoldenAttributes holds every attribute of a written image, pixels apart,
// against testdata/derived.golden: what a PACS sees does not change unnoticed.
func TestGoldenAttributes(t *testing.T) {
	grid := ct.Square(8, 1.5)
	d := Derived{
		Subject: "0123456789abcdef", Grid: grid, Spacing: 2, Method: "TV 25v", Description: "TV from 25 views; lambda 1. Seed 1.", Number: 2,
		Software: "test", Config: "golden", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Images: 2,
		Image: func(i int, dst []float32) error { dst[0] = float32(i); return nil },
	}
	dir := t.TempDir()
	if _, err := WriteSeries(filepath.Join(dir, "s"), d); err != nil {
		t.Fatal(err)
	}
	got := attributes(t, filepath.Join(dir, "s", "0002.dcm"))
	const golden = "testdata/derived.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Errorf("line %d: %q, want %q", i+1, a, b)
		}
	}
}

// attributes lists tag, VR, keyword and value of every element but the pixels.
func attributes(t *testing.T, name string) string {
	t.Helper()
	ds, err := dicom.ParseFile(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(list []*dicom.Element, indent string)
	walk = func(list []*dicom.Element, indent string) {
		for _, e := range list {
			if e.Tag == tag.PixelData {
				continue
			}
			keyword := ""
			if info, err := tag.Find(e.Tag); err == nil {
				keyword = info.Keyword
			}
			if items, ok := e.Value.GetValue().([]*dicom.SequenceItemValue); ok {
				fmt.Fprintf(&b, "%s%v %s %s\n", indent, e.Tag, e.RawValueRepresentation, keyword)
				for _, it := range items {
					walk(it.GetValue().([]*dicom.Element), indent+"  ")
				}
				continue
			}
			fmt.Fprintf(&b, "%s%v %s %s = %v\n", indent, e.Tag, e.RawValueRepresentation, keyword, e.Value)
		}
	}
	walk(ds.Elements, "")
	return b.String()
}
