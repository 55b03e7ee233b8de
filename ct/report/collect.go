package report

import (
	"math"
	"strconv"
)

// warned is one warning with the place that it belongs to.
type warned struct{ Where, Text string }

// allWarnings gathers the warnings of the job, the methods and the slices. The
// same words about several slices become one line.
func (r *Report) allWarnings() []warned {
	var out []warned
	for _, w := range r.Warnings {
		out = append(out, warned{"", w})
	}
	for i := range r.Methods {
		m := &r.Methods[i]
		for _, w := range m.Warnings {
			out = append(out, warned{m.Label, w})
		}
		var order []string
		slices := map[string][]string{}
		for _, s := range m.Slices {
			for _, w := range s.Warnings {
				if slices[w] == nil {
					order = append(order, w)
				}
				slices[w] = append(slices[w], m.sliceLabel(s.Index))
			}
		}
		for _, w := range order {
			out = append(out, warned{m.Label + ", " + slicesText(slices[w]), w})
		}
	}
	return out
}

func slicesText(labels []string) string {
	const named = 6
	text := "slice "
	if len(labels) > 1 {
		text = "slices "
	}
	for i, l := range labels {
		if i == named {
			return text + " and " + strconv.Itoa(len(labels)-named) + " more"
		}
		if i > 0 {
			text += ", "
		}
		text += l
	}
	return text
}

// allMaps are the maps of all methods, each name once.
func (r *Report) allMaps() []MapInfo {
	var out []MapInfo
	seen := map[string]bool{}
	for _, m := range r.Methods {
		for _, x := range m.Maps {
			if !seen[x.Name] {
				seen[x.Name] = true
				out = append(out, x)
			}
		}
	}
	return out
}

// heldOutRow is the z-scores of a held-out view by method, over all slices.
type heldOutRow struct {
	View  int
	Angle float64
	Cells []heldOutCell
}

type heldOutCell struct {
	Mean, SD float64
	Bins     int
}

// heldOutRows pools z-scores over slices: the mean of all bins, and the root of
// their mean square about it.
func (r *Report) heldOutRows() []heldOutRow {
	var rows []heldOutRow
	at := map[int]int{}
	for i := range r.Methods {
		for _, s := range r.Methods[i].Slices {
			for _, h := range s.HeldOut {
				k, ok := at[h.View]
				if !ok {
					k = len(rows)
					at[h.View] = k
					rows = append(rows, heldOutRow{View: h.View, Angle: h.Angle, Cells: make([]heldOutCell, len(r.Methods))})
				}
				rows[k].Cells[i].add(h)
			}
		}
	}
	return rows
}

// add pools two groups of bins by their means and variances.
func (c *heldOutCell) add(h HeldOutView) {
	if h.Bins <= 0 {
		return
	}
	n0, n1 := float64(c.Bins), float64(h.Bins)
	n := n0 + n1
	d := h.ZMean - c.Mean
	v := (n0*c.SD*c.SD+n1*h.ZSD*h.ZSD)/n + d*d*n0*n1/(n*n)
	c.Mean += d * n1 / n
	c.SD, c.Bins = math.Sqrt(v), c.Bins+h.Bins
}

// interesting is the square (row, column, side) whose content the methods
// disagree on most: mean absolute difference to the reference, or between the
// first and the best method without one.
func interesting(r *Report, p Picture) [3]int {
	g := &r.Geometry
	side := max(min(g.Width, g.Height)/4, 1)
	best := p.Methods[r.ranking()[0]].HU
	other := p.Reference
	if other == nil {
		other = p.Methods[r.baseline()].HU
	}
	out, most := [3]int{(g.Height - side) / 2, (g.Width - side) / 2, side}, 0.0
	step := max(side/4, 1)
	for y := 0; y+side <= g.Height; y += step {
		for x := 0; x+side <= g.Width; x += step {
			if e := squareError(best, other, g.Width, x, y, side); e > most {
				out, most = [3]int{y, x, side}, e
			}
		}
	}
	return out
}

// squareError sums |a-b| over a square; values outside -1000 to 1000 HU count
// as the limit, so that metal and the corners do not decide.
func squareError(a, b []float32, width, x0, y0, side int) float64 {
	clip := func(v float32) float64 { return min(max(float64(v), -1000), 1000) }
	var sum float64
	for y := y0; y < y0+side; y++ {
		for x := x0; x < x0+side; x++ {
			sum += math.Abs(clip(a[y*width+x]) - clip(b[y*width+x]))
		}
	}
	return sum
}
