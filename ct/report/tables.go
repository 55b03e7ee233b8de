package report

import (
	"fmt"
	"math"
	"path"
	"strconv"
)

// column is a quantity of the tables, with how it is written.
type column struct {
	Key, Label, Unit, Note string
	Better                 string
	decimals               int // -1: three significant digits
	stat                   func(*Summary) *Stat
	of                     func(*Slice) *float64
	diff                   func(*Comparison) *Diff
}

// columns are the quantities that at least one method has.
func (r *Report) columns() []column {
	all := []column{
		{"psnr", "PSNR", "dB", "higher is better", "higher", 2, func(s *Summary) *Stat { return s.PSNR }, psnr.of, func(c *Comparison) *Diff { return c.PSNR }},
		{"ssim", "SSIM", "", "higher is better", "higher", 4, func(s *Summary) *Stat { return s.SSIM }, ssim.of, func(c *Comparison) *Diff { return c.SSIM }},
		{"rmse", "RMSE", "HU", "lower is better", "lower", 1, func(s *Summary) *Stat { return s.RMSEHU }, rmse.of, func(c *Comparison) *Diff { return c.RMSEHU }},
		{"chi2", "χ² per datum", "", "1 is expected", "one", -1, func(s *Summary) *Stat { return s.Chi2 }, chi2.of, func(c *Comparison) *Diff { return c.Chi2 }},
	}
	for _, m := range r.Measures {
		all = append(all, column{
			Key: m.Name, Label: m.Label, Unit: m.Unit, Note: m.Note, Better: m.Better, decimals: -1,
			stat: func(s *Summary) *Stat { return s.Extra[m.Name] },
			of:   func(s *Slice) *float64 { return extra(s, m.Name) },
			diff: func(*Comparison) *Diff { return nil },
		})
	}
	all = append(all, column{"seconds", "Time", "s", "a slice", "lower", -1, func(s *Summary) *Stat { return s.Seconds }, seconds.of, func(c *Comparison) *Diff { return c.Seconds }})
	var out []column
	for _, c := range all {
		for i := range r.Methods {
			if c.stat(&r.Methods[i].Summary) != nil {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

func (c column) text(v float64) string {
	if c.decimals < 0 {
		return digits(v, 3)
	}
	return minus(strconv.FormatFloat(v, 'f', c.decimals, 64))
}

// cell is one entry of a table; Sort is its bare number for the script.
type cell struct {
	Text, Small, Sort string
	Best              bool
}

type row struct {
	Name  string
	Cells []cell
}

// methodRows is the table of means by method. The best mean of a column is
// marked when there are several methods.
func (r *Report) methodRows(cols []column) []row {
	rows := make([]row, len(r.Methods))
	for i := range r.Methods {
		m := &r.Methods[i]
		rows[i] = row{Name: m.Label, Cells: make([]cell, len(cols))}
		for j, c := range cols {
			rows[i].Cells[j] = c.statCell(c.stat(&m.Summary), m)
		}
	}
	for j, c := range cols {
		if b := r.bestIn(c); b >= 0 {
			rows[b].Cells[j].Best = true
		}
	}
	return rows
}

func (c column) statCell(s *Stat, m *Method) cell {
	if s == nil {
		return cell{Text: "–"}
	}
	out := cell{Text: c.text(s.Mean), Sort: fmt.Sprint(s.Mean)}
	if s.SD != nil {
		out.Text += " ± " + c.text(*s.SD)
	}
	if s.N > 1 && c.Better != "" {
		word := "worst"
		if c.Key == "seconds" {
			word = "longest"
		}
		out.Small = fmt.Sprintf("%s %s, slice %s", word, c.text(s.Worst), path.Base(m.sliceLabel(s.WorstSlice)))
	}
	return out
}

// bestIn is the method with the best mean of c; -1 when nothing is better, or
// one method alone has the column.
func (r *Report) bestIn(c column) int {
	best, bad, n := -1, math.Inf(1), 0
	if c.Better == "" {
		return best
	}
	for i := range r.Methods {
		s := c.stat(&r.Methods[i].Summary)
		if s == nil {
			continue
		}
		if n++; badness(s.Mean, c.Better) < bad {
			best, bad = i, badness(s.Mean, c.Better)
		}
	}
	if n < 2 {
		return -1
	}
	return best
}

// comparisonRows is the table of paired differences to the baseline.
func (r *Report) comparisonRows(cols []column) []row {
	var rows []row
	for i := range r.Comparison {
		c := &r.Comparison[i]
		out := row{Name: r.label(c.Method) + " − " + r.label(c.Baseline)}
		for _, col := range cols {
			out.Cells = append(out.Cells, col.diffCell(col.diff(c), r))
		}
		rows = append(rows, out)
	}
	return rows
}

func (c column) diffCell(d *Diff, r *Report) cell {
	if d == nil {
		return cell{Text: "–"}
	}
	out := cell{Text: c.signed(d.Mean), Sort: fmt.Sprint(d.Mean)}
	if d.Interval95 != nil {
		out.Small = fmt.Sprintf("95 %%: %s to %s; sd %s, n = %d; least good %s, slice %s", c.signed(d.Interval95[0]), c.signed(d.Interval95[1]),
			c.text(*d.SD), d.N, c.signed(d.Worst), path.Base(r.sliceLabel(d.WorstSlice)))
	}
	return out
}

func (r *Report) sliceLabel(index int) string {
	for i := range r.Methods {
		if l := r.Methods[i].sliceLabel(index); l != strconv.Itoa(index) {
			return l
		}
	}
	return strconv.Itoa(index)
}

func (c column) signed(v float64) string {
	if v > 0 {
		return "+" + c.text(v)
	}
	return c.text(v)
}

// sliceRow is a line of the long table: one slice by one method.
type sliceRow struct {
	Index    int
	Label    string
	Method   string
	Cells    []cell
	Warnings []string
}

func (r *Report) sliceRows(cols []column) []sliceRow {
	var rows []sliceRow
	for i := range r.Methods {
		m := &r.Methods[i]
		for k := range m.Slices {
			s := &m.Slices[k]
			out := sliceRow{Index: s.Index, Label: s.Label, Method: m.Label, Warnings: s.Warnings}
			if out.Label == "" {
				out.Label = strconv.Itoa(s.Index)
			}
			for _, c := range cols {
				if v := c.of(s); v != nil {
					out.Cells = append(out.Cells, cell{Text: c.text(*v), Sort: fmt.Sprint(*v)})
				} else {
					out.Cells = append(out.Cells, cell{Text: "–"})
				}
			}
			rows = append(rows, out)
		}
	}
	return rows
}
