package report

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"io"
	"strings"
)

// A4 in points.
const (
	pageWidth, pageHeight = 595.28, 841.89
	margin                = 40
)

// pdf lays text and one picture out on pages, from the top down, and writes them as a
// PDF 1.4 file with fonts that every reader has.
type pdf struct {
	pages     []bytes.Buffer // content streams
	y         float64        // of the next line's top on the last page
	image     image.Image
	pictureOn int
}

type pdfFont int

const (
	plainFont pdfFont = iota
	bold
)

// helvetica are the widths of the characters from space to tilde in 1/1000 of the size.
var helvetica = [95]int{
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
	333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
}

// width of text in WinAnsi codes; bold is taken as 8 % wider.
func (f pdfFont) width(s string, size float64) float64 {
	n := 0
	for i := range len(s) {
		if c := int(s[i]) - ' '; c >= 0 && c < len(helvetica) {
			n += helvetica[c]
		} else {
			n += 600
		}
	}
	w := float64(n) / 1000 * size
	if f == bold {
		w *= 1.08
	}
	return w
}

// spelled are characters that the standard fonts do not have.
var spelled = strings.NewReplacer("−", "-", "–", "-", "—", "-", "χ", "chi", "σ", "sigma", "θ", "theta", "β", "beta", "λ", "lambda", "μ", "mu", "≤", "<=", "≥", ">=", "…", "...", "→", "->", "’", "'")

// encoded turns UTF-8 into WinAnsi; what it does not have becomes a question mark.
func encoded(s string) string {
	var b strings.Builder
	for _, r := range spelled.Replace(s) {
		switch {
		case r < ' ':
			b.WriteByte(' ')
		case r < 0x7F || r >= 0xA0 && r <= 0xFF:
			b.WriteByte(byte(r))
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// need starts a page when less than h points are left on this one.
func (d *pdf) need(h float64) {
	if len(d.pages) == 0 || d.y-h < margin {
		d.pages = append(d.pages, bytes.Buffer{})
		d.y = pageHeight - margin
	}
}

func (d *pdf) space(h float64) { d.y -= h }

func (d *pdf) heading(s string) {
	d.need(40)
	d.space(5)
	d.text(bold, 10.5, s)
}

// text writes a paragraph.
func (d *pdf) text(f pdfFont, size float64, s string) {
	for _, line := range wrapped(f, size, encoded(s)) {
		d.need(size * 1.3)
		d.show(f, size, margin, line)
		d.y -= size * 1.3
	}
}

// wrapped breaks text at spaces, and words that are wider than the page anywhere.
func wrapped(f pdfFont, size float64, s string) []string {
	const room = pageWidth - 2*margin
	var out []string
	line := ""
	for _, word := range strings.Fields(s) {
		for f.width(word, size) > room {
			n := len(word)
			for f.width(word[:n], size) > room {
				n--
			}
			if line != "" {
				out = append(out, line)
			}
			out, line, word = append(out, word[:n]), "", word[n:]
		}
		if line != "" && f.width(line+" "+word, size) > room {
			out, line = append(out, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(out, line)
}

// show writes a line of WinAnsi codes.
func (d *pdf) show(f pdfFont, size, x float64, s string) {
	s = strings.NewReplacer("\\", "\\\\", "(", "\\(", ")", "\\)").Replace(s)
	fmt.Fprintf(&d.pages[len(d.pages)-1], "BT /F%d %.1f Tf %.2f %.2f Td (%s) Tj ET\n", int(f)+1, size, x, d.y-size, s)
}

// write makes the file: catalog, pages, fonts, picture, then two objects a page.
func (d *pdf) write(w io.Writer) error {
	const first = 6 // object number of the first page
	var kids strings.Builder
	for i := range d.pages {
		fmt.Fprintf(&kids, "%d 0 R ", first+2*i)
	}
	font := "<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>"
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		fmt.Sprintf("<< /Type /Pages /Kids [ %s] /Count %d >>", kids.String(), len(d.pages)),
		fmt.Sprintf(font, "Helvetica"), fmt.Sprintf(font, "Helvetica-Bold"), d.pictureObject(),
	}
	for i := range d.pages {
		resources := "/Font << /F1 3 0 R /F2 4 0 R >>"
		if d.image != nil && i == d.pictureOn {
			resources += " /XObject << /M 5 0 R >>"
		}
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %g %g] /Resources << %s >> /Contents %d 0 R >>", pageWidth, pageHeight, resources, first+2*i+1),
			stream("", d.pages[i].Bytes()))
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n%\xE2\xE3\xCF\xD3\n")
	var offsets []int
	for i, o := range objects {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, at)
	_, err := w.Write(b.Bytes())
	return err
}

// stream is a compressed stream object with more entries in its dictionary.
func stream(entries string, data []byte) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(data) // into memory
	z.Close()
	return fmt.Sprintf("<< %s/Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", entries, b.Len(), b.String())
}

func (d *pdf) pictureObject() string {
	if d.image == nil {
		return "null"
	}
	r := d.image.Bounds()
	px := make([]byte, 0, 3*r.Dx()*r.Dy())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			red, green, blue, _ := d.image.At(x, y).RGBA()
			px = append(px, byte(red>>8), byte(green>>8), byte(blue>>8))
		}
	}
	return stream(fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8 ", r.Dx(), r.Dy()), px)
}
