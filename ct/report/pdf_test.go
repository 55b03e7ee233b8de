package report

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// pdfObjects reads a file by its table: every offset must lead to its object.
func pdfObjects(t *testing.T, b []byte) []string {
	t.Helper()
	m := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(b)
	if m == nil {
		t.Fatal("no startxref at the end")
	}
	at, _ := strconv.Atoi(string(m[1]))
	if !bytes.HasPrefix(b[at:], []byte("xref\n0 ")) {
		t.Fatalf("no table at %d", at)
	}
	var out []string
	for i, x := range regexp.MustCompile(`(\d{10}) 00000 n `).FindAllSubmatch(b[at:], -1) {
		o, _ := strconv.Atoi(string(x[1]))
		head := fmt.Sprintf("%d 0 obj\n", i+1)
		if !bytes.HasPrefix(b[o:], []byte(head)) {
			t.Fatalf("object %d is not at %d", i+1, o)
		}
		rest := string(b[o+len(head):])
		out = append(out, rest[:strings.Index(rest, "\nendobj")])
	}
	return out
}

// inflated is the content of a stream object, whose length must be what it says.
func inflated(t *testing.T, o string) []byte {
	t.Helper()
	head, data, ok := strings.Cut(o, "\nstream\n")
	data, end, ok2 := strings.Cut(data, "\nendstream")
	if !ok || !ok2 || end != "" || !strings.Contains(head, fmt.Sprintf("/Length %d ", len(data))) {
		t.Fatalf("no stream of the length that it says: %q", head)
	}
	z, err := zlib.NewReader(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPDF(t *testing.T) {
	r, _ := small()
	r.Methods[1].Settings = []Setting{{"λ (weight)", `a \ (b`}, {"long", strings.Repeat("w", 500)}}
	r.Methods[1].Slices[0].Warnings = []string{"a warning"}
	m := image.NewRGBA(image.Rect(0, 0, 40, 90))
	var b, again bytes.Buffer
	if err := WritePDF(&b, r, m); err != nil {
		t.Fatal(err)
	}
	r.Methods[0].Slices[0].Seconds, r.Created, r.Environment.Seconds = 77, "2026-01-01T00:00:00Z", 5
	r.Finish()
	if err := WritePDF(&again, r, m); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("the time that a job took changes the file")
	}
	objects := pdfObjects(t, b.Bytes())
	if px := inflated(t, objects[4]); len(px) != 3*40*90 {
		t.Errorf("%d bytes of picture, want %d", len(px), 3*40*90)
	}
	var all strings.Builder
	pictures := 0
	for i := 5; i+1 < len(objects); i += 2 {
		page := inflated(t, objects[i+1])
		all.Write(page)
		n := bytes.Count(page, []byte("/M Do"))
		if pictures += n; (n > 0) != strings.Contains(objects[i], "/XObject") {
			t.Errorf("page %d: picture and resources do not fit", i)
		}
		onPage(t, page)
	}
	if pictures != 1 {
		t.Errorf("the picture is drawn %d times", pictures)
	}
	for _, want := range []string{ResearchUse, "(PSNR dB)", "30.50 \xB1 0.71", "lambda \\(weight\\): a \\\\ \\(b", "chi\xB2 per datum", "a warning", "<b>x</b>"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no %q in\n%s", want, all.String())
		}
	}
}

// onPage checks that every line of text stands inside the margins.
func onPage(t *testing.T, page []byte) {
	for _, m := range regexp.MustCompile(`BT /F(\d) ([\d.]+) Tf ([-\d.]+) ([-\d.]+) Td \((.*)\) Tj`).FindAllStringSubmatch(string(page), -1) {
		n := func(s string) float64 {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		f := plainFont
		if m[1] == "2" {
			f = bold
		}
		text := strings.NewReplacer(`\(`, "(", `\)`, ")", `\\`, `\`).Replace(m[5])
		if right := n(m[3]) + f.width(text, n(m[2])); right > pageWidth-margin+1 || n(m[4]) < margin-1 || n(m[4]) > pageHeight-margin {
			t.Errorf("%q ends at %g, height %s", text, right, m[4])
		}
	}
}

// TestPDFEmpty: a report without methods and picture is a file all the same.
func TestPDFEmpty(t *testing.T) {
	var b bytes.Buffer
	if err := WritePDF(&b, &Report{}, nil); err != nil {
		t.Fatal(err)
	}
	if o := pdfObjects(t, b.Bytes()); len(o) != 7 || o[4] != "null" {
		t.Errorf("%d objects, picture %q", len(o), o[4])
	}
}

func TestWrapped(t *testing.T) {
	for _, s := range []string{"", "a", strings.Repeat("word ", 200), strings.Repeat("x", 1000) + " y"} {
		lines := wrapped(plainFont, 9, s)
		if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(s, " ", "") {
			t.Errorf("%.20q: characters were lost", s)
		}
		for _, l := range lines {
			if w := plainFont.width(l, 9); w > pageWidth-2*margin {
				t.Errorf("a line of %g points", w)
			}
		}
	}
	if w := plainFont.width("A", 1000); math.Abs(w-667) > 1e-9 {
		t.Errorf("A is %g wide, Adobe's metrics say 667", w)
	}
}
