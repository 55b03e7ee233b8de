package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// meter shows how far a job is: a bar on a terminal, a line every few seconds
// elsewhere, nothing when quiet.
type meter struct {
	w     io.Writer
	bar   *progressbar.ProgressBar
	what  string
	total int
	done  int
	last  time.Time
	quiet bool
}

const lineEvery = 5 * time.Second

func newMeter(w io.Writer, what string, total int, quiet bool) *meter {
	m := &meter{w: w, what: what, total: total, quiet: quiet, last: time.Now()}
	if f, ok := w.(*os.File); ok && !quiet && term.IsTerminal(int(f.Fd())) {
		m.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return m
}

// step counts one unit of work; detail tells what it was.
func (m *meter) step(detail string) {
	m.done++
	switch {
	case m.quiet:
	case m.bar != nil:
		m.bar.Describe(m.what + ": " + detail)
		m.bar.Add(1)
	case time.Since(m.last) > lineEvery:
		m.last = time.Now()
		fmt.Fprintf(m.w, "%s: %d of %d, %s\n", m.what, m.done, m.total, detail)
	}
}

// end clears the bar.
func (m *meter) end() {
	if m.bar != nil {
		m.bar.Finish()
	}
}
