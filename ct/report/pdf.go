package report

import (
	"fmt"
	"image"
	"io"
	"strings"
)

// WritePDF writes the report on few pages of A4: what was done, the metrics by method,
// the parameters, and the montage. What differs between two runs of the same job, times
// and machine, stays out: the same job gives the same bytes. montage may be nil.
func WritePDF(w io.Writer, r *Report, montage image.Image) error {
	d := &pdf{}
	d.text(bold, 16, "Sparse-view CT reconstruction")
	d.text(bold, 10, ResearchUse)
	d.space(6)
	for _, s := range r.sentences() {
		d.text(plainFont, 9.5, s)
	}
	d.metrics(r)
	d.picture(montage)
	sections := []struct {
		name  string
		facts []fact
	}{
		{"Input", r.inputFacts()}, {"Geometry", r.geometryFacts()}, {"Noise", r.noiseFacts()}, {"Model", r.modelFacts()}, {"Metrics", r.protocolFacts()},
		{"Program", []fact{{"Version", r.Tool.Name + " " + r.Tool.Version}, {"Command", shellLine(r.Command)}}},
	}
	for i := range r.Methods {
		m := &r.Methods[i]
		var set []fact
		for _, s := range m.Settings {
			set = append(set, fact{s.Name, s.Value})
		}
		sections = append(sections, struct {
			name  string
			facts []fact
		}{m.Label, set})
	}
	for _, s := range sections {
		if len(s.facts) == 0 {
			continue
		}
		d.heading(s.name)
		for _, f := range s.facts {
			d.text(plainFont, 8.5, f.Name+": "+f.Value)
		}
	}
	if all := r.allWarnings(); len(all) > 0 {
		d.heading("Warnings")
		for _, x := range all {
			d.text(plainFont, 8.5, strings.TrimPrefix(x.Where+": "+x.Text, ": "))
		}
	}
	return d.write(w)
}

// metrics is the table of means by method, without times.
func (d *pdf) metrics(r *Report) {
	var cols []column
	for _, c := range r.columns() {
		if c.Key != "seconds" {
			cols = append(cols, c)
		}
	}
	if len(cols) == 0 {
		return
	}
	d.heading("Metrics: mean over slices ± spread between slices")
	head := []string{"Method"}
	for _, c := range cols {
		head = append(head, strings.TrimSpace(c.Label+" "+c.Unit))
	}
	d.row(bold, head)
	for _, row := range r.methodRows(cols) {
		line := []string{row.Name}
		for _, c := range row.Cells {
			line = append(line, c.Text)
		}
		d.row(plainFont, line)
	}
	d.space(4)
}

// row writes cells in columns of the same width; a cell too wide is cut.
func (d *pdf) row(f pdfFont, cells []string) {
	const size = 8.5
	d.need(size * 1.4)
	wide := (pageWidth - 2*margin) / float64(len(cells))
	for i, c := range cells {
		c = encoded(c)
		for c != "" && f.width(c, size) > wide-4 {
			c = c[:len(c)-1]
		}
		d.show(f, size, margin+wide*float64(i), c)
	}
	d.y -= size * 1.4
}

// picture places an image over the width of the page, or its height.
func (d *pdf) picture(m image.Image) {
	if m == nil {
		return
	}
	b := m.Bounds()
	scale := min((pageWidth-2*margin)/float64(b.Dx()), (pageHeight-2*margin)/float64(b.Dy()))
	w, h := scale*float64(b.Dx()), scale*float64(b.Dy())
	d.space(6)
	d.need(h)
	d.y -= h
	d.image = m
	d.pictureOn = len(d.pages) - 1
	fmt.Fprintf(&d.pages[d.pictureOn], "q %.2f 0 0 %.2f %d %.2f cm /M Do Q\n", w, h, margin, d.y)
	d.space(10)
}
