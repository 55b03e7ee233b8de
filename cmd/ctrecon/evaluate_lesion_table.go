package main

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strings"

	"ctrecon/ct/physics"
)

// shown is the share of a disc's contrast beyond which it counts as seen.
const shown = 0.5

// write writes Markdown: a row a site and method.
func (t *lesionTest) write(w io.Writer) {
	places, used := 0, 0
	for _, r := range t.refs {
		if n := len(t.done[key(r.file, referenceRow)]); n > 0 {
			places, used = places+n, used+1
		}
	}
	fmt.Fprintf(w, "Discs of %g mm and %g HU at %d places in soft tissue of %d slices (%d have no fit place), %d views, noise %g nepers, seed %d\n\n",
		t.task.Diameter, t.task.Contrast, places, used, len(t.refs)-used, t.c.Int("angles"), t.c.Float64("noise-sigma"), t.c.Uint64("seed"))
	head(w, "site", "n", "method", "contrast shown, of the true one", "AUC", "seen", "without: error HU", "invented", "s")
	for _, site := range t.sites() {
		for _, m := range append([]string{referenceRow}, t.methods...) {
			if list := t.of(site, m); len(list) > 0 {
				row(w, append([]string{site, fmt.Sprint(len(list)), m}, t.cells(list)...)...)
			}
		}
	}
	fmt.Fprintf(w, "\nAUC: how often the larger of two values of the disc's contrast, one with and one without it, of different slices, is the one with it, ± standard error. "+
		"Seen and invented: how often the image with, and that without it, shows more than half of its contrast above what the reference has there. "+
		"Error: of the contrast shown without it, mean ± deviation.\n")
}

func (t *lesionTest) sites() []string {
	seen := map[string]bool{}
	for _, r := range t.refs {
		seen[r.site] = true
	}
	var list []string
	for s := range seen {
		list = append(list, s)
	}
	sort.Strings(list)
	if len(list) > 1 {
		list = append(list, "all")
	}
	return list
}

// of lists the findings of a method at a site.
func (t *lesionTest) of(site, method string) []finding {
	var out []finding
	for _, r := range t.refs {
		if site == "all" || r.site == site {
			out = append(out, t.done[key(r.file, method)]...)
		}
	}
	return out
}

// cells are the figures of a row. Contrasts below 0 count downwards.
func (t *lesionTest) cells(list []finding) []string {
	sign := math.Copysign(1, t.task.Contrast)
	var share, with, without, wrong, seconds []float64
	var group []int
	seen, invented := 0.0, 0.0
	for _, f := range list {
		share = append(share, (f.with-f.without)/f.truth)
		with, without = append(with, sign*f.with), append(without, sign*f.without)
		wrong, seconds, group = append(wrong, f.without-f.own), append(seconds, f.seconds), append(group, f.slice)
		if (f.with-f.own)/f.truth > shown {
			seen++
		}
		if (f.without-f.own)/f.truth > shown {
			invented++
		}
	}
	auc := physics.TwoAlternative(with, without, group)
	n := float64(len(list))
	sec, _ := meanSD(seconds)
	return []string{pair("%.2f", share), strings.ReplaceAll(fmt.Sprintf("%.3f ± %.3f", auc.Value, auc.SE), "NaN", "-"), fmt.Sprintf("%.0f %%", 100*seen/n),
		pair("%.1f", wrong), fmt.Sprintf("%.0f %%", 100*invented/n), strings.ReplaceAll(fmt.Sprintf("%.3g", sec), "NaN", "-")}
}

// pair is a mean and a standard deviation.
func pair(format string, v []float64) string {
	m, sd := meanSD(v)
	return fmt.Sprintf(format+" ± "+format, m, sd)
}
