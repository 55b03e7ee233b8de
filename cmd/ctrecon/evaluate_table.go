package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// scoreColumns are those of --csv.
var scoreColumns = []string{"file", "site", "method", "psnr_db", "ssim", "rmse_hu", "chi2", "seconds"}

// rowFile is the CSV file of --csv, or nothing.
type rowFile struct {
	f *os.File
	w *csv.Writer
}

// openRows opens the file of --csv; with --resume take gets each row that it holds.
func openRows(c *cli.Context, columns []string, take func(row []string)) (*rowFile, error) {
	name := c.String("csv")
	switch {
	case name == "" && c.Bool("resume"):
		return nil, usagef("--resume needs --csv FILE")
	case name == "":
		return &rowFile{}, nil
	}
	fresh := true
	if c.Bool("resume") {
		n, err := readRows(name, columns, take)
		if err != nil {
			return nil, inputErr(err)
		}
		fresh = n == 0
	}
	mode := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if fresh {
		mode |= os.O_TRUNC
	}
	f, err := os.OpenFile(name, mode, 0o644)
	if err != nil {
		return nil, outputErr(err)
	}
	s := &rowFile{f: f, w: csv.NewWriter(f)}
	if fresh {
		return s, outputErr(s.add(columns))
	}
	return s, nil
}

// readRows reads rows of a former run; a row that was cut is left out. It
// returns the number of lines.
func readRows(name string, columns []string, take func(row []string)) (int, error) {
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	for n := 0; ; n++ {
		row, err := r.Read()
		if err == io.EOF {
			return n, nil
		}
		if err != nil || n == 0 && strings.Join(row, ",") != strings.Join(columns, ",") {
			return n, fmt.Errorf("%s: not a table of ctrecon evaluate with the columns %s", filepath.Base(name), strings.Join(columns, ","))
		}
		if n > 0 && len(row) == len(columns) {
			take(row)
		}
	}
}

// add appends a row, so that an interrupted run loses nothing.
func (f *rowFile) add(row []string) error {
	if f.f == nil {
		return nil
	}
	f.w.Write(row)
	f.w.Flush()
	return f.w.Error()
}

func (f *rowFile) close() {
	if f != nil && f.f != nil {
		f.f.Close()
	}
}

// figure is how a CSV file holds a figure.
func figure(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// figures reads figures; false where one is none.
func figures(cells []string) ([]float64, bool) {
	out := make([]float64, len(cells))
	for i, s := range cells {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

func (s score) row() []string {
	return []string{s.ref.file, s.ref.site, s.method, figure(s.psnr), figure(s.ssim), figure(s.rmse), figure(s.chi2), figure(s.seconds)}
}

func parseScore(row []string) (score, bool) {
	v, ok := figures(row[3:])
	if !ok {
		return score{}, false
	}
	return score{reference{file: row[0], site: row[1]}, row[2], v[0], v[1], v[2], v[3], v[4]}, true
}

// writeTable writes Markdown: a block a site, and all of them.
func writeTable(w io.Writer, scores []score, methods []string) {
	fmt.Fprintln(w, "| site | n | method | PSNR dB | SSIM | HU RMSE in body | chi2 | s | worst slice |\n|---|---|---|---|---|---|---|---|---|")
	for _, site := range sitesOf(scores) {
		for _, m := range methods {
			writeRow(w, site, m, scores)
		}
	}
}

func writeRow(w io.Writer, site, method string, scores []score) {
	var v [5][]float64
	worst, at := math.Inf(1), ""
	for _, s := range scores {
		if s.method != method || site != "all" && s.ref.site != site {
			continue
		}
		for k, x := range []float64{s.psnr, s.ssim, s.rmse, s.chi2, s.seconds} {
			v[k] = append(v[k], x)
		}
		if s.psnr < worst {
			worst, at = s.psnr, filepath.Base(s.ref.file)
		}
	}
	cell := func(k int, format string) string {
		m, sd := meanSD(v[k])
		return fmt.Sprintf(format+" ± "+format, m, sd)
	}
	chi, _ := meanSD(v[3])
	sec, _ := meanSD(v[4])
	fmt.Fprintf(w, "| %s | %d | %s | %s | %s | %s | %.3g | %.3g | %s %.2f |\n", site, len(v[0]), method, cell(0, "%.2f"), cell(1, "%.3f"), cell(2, "%.1f"), chi, sec, strings.TrimSuffix(at, ".png"), worst)
}

// meanSD are the mean and the population standard deviation.
func meanSD(v []float64) (m, sd float64) {
	for _, x := range v {
		m += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - m) * (x - m) / float64(len(v))
	}
	return m, math.Sqrt(sd)
}

// sitesOf lists the sites, and "all" after them where there is more than one.
func sitesOf(scores []score) []string {
	var list []string
	for _, s := range scores {
		if !slices.Contains(list, s.ref.site) {
			list = append(list, s.ref.site)
		}
	}
	sort.Strings(list)
	if len(list) > 1 {
		list = append(list, "all")
	}
	return list
}
