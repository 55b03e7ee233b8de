package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"ctrecon/ct/physics"
)

// write writes the tables as Markdown.
func (t *trial) write(w io.Writer, all []quality) {
	fmt.Fprintf(w, "%s phantom, %d views, noise %g nepers, %d draws, %d x %d pixels of %.3g mm, seed %d\n\n",
		t.phantom.Name, t.sino.Views(), t.sigma, t.draws, t.grid.W, t.grid.H, t.grid.DX, t.seed)
	t.writeNumbers(w, all)
	writeNoise(w, all)
	if len(t.inserts) > 0 {
		t.writeTTF(w, all)
	}
	writeDetections(w, all)
}

// head writes the first two lines of a table.
func head(w io.Writer, columns ...string) {
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
}

func row(w io.Writer, cells ...string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }

func (t *trial) writeNumbers(w io.Writer, all []quality) {
	fmt.Fprintf(w, "CT numbers in HU, measured and deviation:\n\n")
	columns := []string{"region", "nominal"}
	for _, q := range all {
		columns = append(columns, q.method, "deviation")
	}
	head(w, columns...)
	for i, r := range t.regions {
		cells := []string{r.Name, fmt.Sprintf("%.0f", r.HU)}
		for _, q := range all {
			if n := q.regions[i]; n.Pixels > 0 {
				cells = append(cells, fmt.Sprintf("%.1f", n.Mean), fmt.Sprintf("%+.1f", n.Mean-r.HU))
			} else {
				cells = append(cells, "-", "-")
			}
		}
		row(w, cells...)
	}
}

func writeNoise(w io.Writer, all []quality) {
	fmt.Fprintf(w, "\nNoise of the middle region (deviation over draws), the pattern that all draws share, noise power:\n\n")
	head(w, "method", "noise HU", "fixed pattern HU", "water, largest difference from the middle HU", "NPS mean 1/cm", "NPS peak 1/cm", "root of its integral HU", "s")
	for _, q := range all {
		row(w, q.method, fmt.Sprintf("%.2f", q.centre.Noise), fmt.Sprintf("%.2f", q.centre.Pattern), fmt.Sprintf("%+.1f", q.uniformity),
			fmt.Sprintf("%.2f", q.nps.MeanFrequency()), fmt.Sprintf("%.2f", q.nps.PeakFrequency()),
			fmt.Sprintf("%.2f", math.Sqrt(q.nps.Variance())), fmt.Sprintf("%.3g", q.seconds))
	}
}

func (t *trial) writeTTF(w io.Writer, all []quality) {
	fmt.Fprintf(w, "\nTask transfer function: f50 / f10 in 1/cm, and how much of the contrast is left; no figure where the edge has a CNR below %g:\n\n", physics.Trusted)
	columns := []string{"insert", "contrast HU"}
	for _, q := range all {
		columns = append(columns, q.method)
	}
	head(w, columns...)
	seen := 0
	for i, in := range t.inserts {
		if !measurable(all, i) {
			continue
		}
		seen++
		cells := []string{in.Name, fmt.Sprintf("%.0f", in.contrast)}
		for _, q := range all {
			cells = append(cells, q.ttf[i].cell())
		}
		row(w, cells...)
	}
	if seen == 0 {
		row(w, "every insert is too small for its pixels", "")
	}
}

// measurable says whether an insert has pixels enough for an edge; those that
// have none are left out of the table.
func measurable(all []quality, insert int) bool {
	for _, q := range all {
		if q.ttf[insert].CNR > 0 {
			return true
		}
	}
	return false
}

func (m measuredTTF) cell() string {
	if !m.trusted() {
		return fmt.Sprintf("- (CNR %.1f)", m.CNR)
	}
	return fmt.Sprintf("%s / %s, %.0f %%", frequency(m.F50()), frequency(m.F10()), 100*m.kept)
}

func frequency(f float64) string {
	if math.IsInf(f, 1) {
		return "beyond"
	}
	return fmt.Sprintf("%.2f", f)
}

func writeDetections(w io.Writer, all []quality) {
	fmt.Fprint(w, "\nDetectability d' of a disc in the middle by the non-prewhitening observer (NPWE: with the eye), who knows the fixed pattern: from the disc\n"+
		"itself, reconstructed in every draw, and as foretold by the transfer of the insert nearest in contrast:\n\n")
	head(w, "method", "disc", "NPW", "NPWE", "foretold NPW", "NPWE", "by the transfer of")
	for _, q := range all {
		for i, d := range q.found {
			cells := []string{q.method, disc(i), fmt.Sprintf("%.2f", d.seen), fmt.Sprintf("%.2f", d.seenEye)}
			if d.by == nil {
				cells = append(cells, "-", "-", "no insert near that contrast")
			} else {
				cells = append(cells, fmt.Sprintf("%.2f", d.npw), fmt.Sprintf("%.2f", d.npwe), d.by.Name)
			}
			row(w, cells...)
		}
	}
}

// disc names task i.
func disc(i int) string { return fmt.Sprintf("%g mm, %g HU", tasks[i].Diameter, tasks[i].Contrast) }

// writeQuality writes every figure and curve, one a line; no times, so that the
// same command gives the same file.
func writeQuality(name string, t *trial, all []quality) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	w.Write([]string{"method", "quantity", "item", "frequency_1_cm", "value", "unit"})
	for i := range all {
		t.lines(&all[i], func(quantity, item, freq string, v float64, unit string) {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				w.Write([]string{all[i].method, quantity, item, freq, strconv.FormatFloat(v, 'g', 6, 64), unit})
			}
		})
	}
	w.Flush()
	if err = w.Error(); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// lines tells add every figure of a method.
func (t *trial) lines(q *quality, add func(quantity, item, freq string, v float64, unit string)) {
	for i, n := range q.regions {
		if r := t.regions[i]; n.Pixels > 0 {
			add("nominal", r.Name, "", r.HU, "HU")
			add("measured", r.Name, "", n.Mean, "HU")
			add("standard error", r.Name, "", n.SE, "HU")
			add("noise", r.Name, "", n.Noise, "HU")
			add("fixed pattern", r.Name, "", n.Pattern, "HU")
		}
	}
	add("uniformity", "water", "", q.uniformity, "HU")
	add("nps mean frequency", "", "", q.nps.MeanFrequency(), "1/cm")
	add("nps integral", "", "", q.nps.Variance(), "HU^2")
	curve(q.nps.Radial, func(f string, v float64) { add("nps", "", f, v, "HU^2 cm^2") })
	for i, m := range q.ttf {
		in := t.inserts[i].Name
		if m.CNR > 0 {
			add("cnr of edge", in, "", m.CNR, "1")
			add("contrast kept", in, "", m.kept, "1")
		}
		if m.err == nil {
			add("f50", in, "", m.F50(), "1/cm")
			add("f10", in, "", m.F10(), "1/cm")
			curve(m.Curve, func(f string, v float64) { add("ttf", in, f, v, "1") })
		}
	}
	for i, d := range q.found {
		add("d' npw", disc(i), "", d.seen, "1")
		add("d' npwe", disc(i), "", d.seenEye, "1")
		if d.by != nil {
			add("d' npw foretold", disc(i), "", d.npw, "1")
			add("d' npwe foretold", disc(i), "", d.npwe, "1")
		}
	}
}

func curve(c physics.Curve, add func(f string, v float64)) {
	for i, v := range c.Values {
		add(strconv.FormatFloat(float64(i)*c.Step, 'f', 3, 64), v)
	}
}
