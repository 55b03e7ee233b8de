package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// scoreColumns are those of --csv.
var scoreColumns = []string{"file", "site", "method", "psnr_db", "ssim", "rmse_hu", "chi2", "seconds"}

// scoreFile is the CSV file of --csv, or nothing.
type scoreFile struct {
	f *os.File
	w *csv.Writer
}

// openScores opens the file; with --resume what it holds goes into done.
func openScores(c *cli.Context, done map[string]score) (*scoreFile, error) {
	name := c.String("csv")
	switch {
	case name == "" && c.Bool("resume"):
		return nil, usagef("--resume needs --csv FILE")
	case name == "":
		return &scoreFile{}, nil
	}
	fresh := true
	if c.Bool("resume") {
		n, err := readScores(name, done)
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
	s := &scoreFile{f: f, w: csv.NewWriter(f)}
	if fresh {
		s.w.Write(scoreColumns)
	}
	return s, nil
}

// readScores reads rows of a former run; a row that was cut is left out. It
// returns the number of lines.
func readScores(name string, done map[string]score) (int, error) {
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
		if err != nil || n == 0 && strings.Join(row, ",") != strings.Join(scoreColumns, ",") {
			return n, fmt.Errorf("%s: not a table of ctrecon evaluate", filepath.Base(name))
		}
		if s, ok := parseScore(row); ok {
			done[key(s.ref.file, s.method)] = s
		}
	}
}

func parseScore(row []string) (score, bool) {
	if len(row) != len(scoreColumns) {
		return score{}, false
	}
	s := score{ref: reference{file: row[0], site: row[1]}, method: row[2]}
	for k, p := range []*float64{&s.psnr, &s.ssim, &s.rmse, &s.chi2, &s.seconds} {
		v, err := strconv.ParseFloat(row[3+k], 64)
		if err != nil {
			return score{}, false
		}
		*p = v
	}
	return s, true
}

// add appends a row, so that an interrupted run loses nothing.
func (f *scoreFile) add(s score) error {
	if f.f == nil {
		return nil
	}
	g := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	f.w.Write([]string{s.ref.file, s.ref.site, s.method, g(s.psnr), g(s.ssim), g(s.rmse), g(s.chi2), g(s.seconds)})
	f.w.Flush()
	return f.w.Error()
}

func (f *scoreFile) close() {
	if f != nil && f.f != nil {
		f.f.Close()
	}
}

// writeTable writes Markdown: a block a site, and all of them.
func writeTable(w io.Writer, scores []score, methods []string) {
	sites := map[string]bool{}
	for _, s := range scores {
		sites[s.ref.site] = true
	}
	var list []string
	for s := range sites {
		list = append(list, s)
	}
	sort.Strings(list)
	if len(list) > 1 {
		list = append(list, "all")
	}
	fmt.Fprintln(w, "| site | n | method | PSNR dB | SSIM | HU RMSE in body | chi2 | s | worst slice |\n|---|---|---|---|---|---|---|---|---|")
	for _, site := range list {
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
