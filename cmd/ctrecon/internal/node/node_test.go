package node

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
)

func TestPause(t *testing.T) {
	for _, c := range []struct {
		first time.Duration
		tries int
		want  time.Duration
	}{
		{5 * time.Second, 0, 5 * time.Second}, {5 * time.Second, 1, 5 * time.Second}, {5 * time.Second, 2, 10 * time.Second},
		{5 * time.Second, 5, 80 * time.Second}, {5 * time.Second, 20, longestPause}, {5 * time.Second, 1 << 30, longestPause}, {time.Hour, 1, longestPause},
	} {
		if got := pause(c.first, c.tries); got != c.want {
			t.Errorf("pause(%v, %d) = %v, want %v", c.first, c.tries, got, c.want)
		}
	}
	seen := map[time.Duration]bool{}
	for range 1000 {
		d := jitter(time.Minute)
		if d < 45*time.Second || d > 75*time.Second {
			t.Fatalf("jitter(1m) = %v, want 45 to 75 s", d)
		}
		seen[d] = true
	}
	if len(seen) < 100 {
		t.Errorf("1000 pauses have %d lengths: many would come back at once", len(seen))
	}
}

// TestReached: a time that lies further ahead than any pause was set before the clock was
// put back.
func TestReached(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name string
		at   time.Time
		want bool
	}{
		{"never set", time.Time{}, true}, {"past", now.Add(-time.Second), true}, {"now", now, true}, {"soon", now.Add(time.Second), false},
		{"the longest pause", now.Add(longestPause * 5 / 4), false}, {"clock put back a day", now.Add(24 * time.Hour), true},
	} {
		if got := reached(c.at, now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestJudgeExit(t *testing.T) {
	for _, c := range []struct {
		name    string
		code    int
		stopped error
		said    string
		want    int
		says    string
	}{
		{"done", 0, nil, "", done, ""},
		{"done while the node stops", 0, errStopping, "", done, ""},
		{"a bug of ours", 1, nil, "ctrecon: a bug of ours: index out of range", broken, "exit code 1: a bug of ours"},
		{"usage", 2, nil, "ctrecon: --slices \"7:9\"", refused, "--slices"},
		{"crash of the runtime", 2, nil, "fatal error: out of memory", broken, "out of memory"},
		{"input", 3, nil, "ctrecon: 1 slice(s) are missing", refused, "missing"},
		{"model", 4, nil, "ctrecon: no ONNX Runtime", broken, "ONNX"},
		{"output", 5, nil, "ctrecon: no space left", broken, "no space left"},
		{"interrupted by us", 130, errStopping, "ctrecon: interrupted", interrupted, "the node stopped"},
		{"killed by us", -1, errStopping, "", interrupted, "the node stopped"},
		{"interrupted by others", 130, nil, "ctrecon: interrupted", interrupted, "outside"},
		{"killed by others", -1, nil, "", broken, "killed or crashed"},
		{"cancelled", -1, errCancelled, "", cancelled, "by hand"},
		{"too long", -1, fmt.Errorf("%w: 1h", errTooLong), "", broken, "took too long: 1h"},
		{"an unknown code", 99, nil, "", broken, "exit code 99"},
	} {
		got := judgeExit(c.code, c.stopped, c.said)
		if got.verdict != c.want || !strings.Contains(got.reason, c.says) {
			t.Errorf("%s: %s, %q; want %s, %q", c.name, verdictNames[got.verdict], got.reason, verdictNames[c.want], c.says)
		}
	}
}

// TestLastLine: the last line is kept, of a crash the first; no line grows without bound.
func TestLastLine(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"one", "ctrecon: no\n", "ctrecon: no"},
		{"the last", "a\nb\n\n  \n", "b"},
		{"a crash", "a\npanic: nil map\n\ngoroutine 1 [running]:\nmain.go:5\n", "panic: nil map"},
		{"without an end", "a\nb", "a"},
		{"long", strings.Repeat("x", 5000) + "\n", strings.Repeat("x", longestLine)},
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			var told []string
			l := &lastLine{tell: func(s string) { told = append(told, s) }}
			for b := []byte(c.in); len(b) > 0; {
				n := min(step, len(b))
				if w, err := l.Write(b[:n]); w != n || err != nil {
					t.Fatalf("%s: Write = %d, %v", c.name, w, err)
				}
				b = b[n:]
			}
			if got := l.verdict(); got != c.want || len(told) == 0 {
				t.Errorf("%s, %d bytes at a time: %q, want %q; told %d lines", c.name, step, got, c.want, len(told))
			}
		}
	}
}

func TestChildEnv(t *testing.T) {
	got := childEnv([]string{"PATH=/bin", "CTRECON_SERVE_TOKEN_FILE=x", "CTRECON_ONNXRUNTIME=y"})
	if want := []string{"PATH=/bin", "CTRECON_ONNXRUNTIME=y"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEven(t *testing.T) {
	for _, c := range []struct {
		name             string
		heights          []float64
		images, expected int
		whole            bool
		says             string
	}{
		{"even", []float64{10, 0, 5, 15}, 4, 0, true, "4 slices at one distance of 5 mm"},
		{"as many as the acquisition has", []float64{0, 5, 10}, 3, 3, true, "3 slices"},
		{"fewer than the acquisition has", []float64{0, 5, 10}, 3, 4, false, "3 of 4"},
		{"a gap", []float64{0, 5, 15, 20}, 4, 0, false, "missing"},
		{"twice at a place", []float64{0, 5, 5, 10}, 4, 0, false, "twice"},
		{"all at one place", []float64{5, 5, 5}, 3, 0, false, "one place"},
		{"two", []float64{0, 5}, 2, 0, false, "too few"},
		{"without places", []float64{0, 5}, 3, 0, false, "1 of 3 images do not say"},
		{"rounded", []float64{0, 0.66, 1.33, 2}, 4, 0, true, "4 slices"},
	} {
		whole, says := even(slices.Clone(c.heights), c.images, c.expected)
		if whole != c.whole || !strings.Contains(says, c.says) {
			t.Errorf("%s: %v, %q; want %v, %q", c.name, whole, says, c.whole, c.says)
		}
	}
}

func TestDue(t *testing.T) {
	o := &Options{Quiet: 30 * time.Second, Settle: 3 * time.Second, Longest: 10 * time.Minute}
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	for _, c := range []struct {
		name string
		s    store.Series
		busy bool
		want time.Duration
		says string
	}{
		{"silence", store.Series{First: t0, Last: at(10 * time.Second)}, false, 40 * time.Second, "no object for 30s"},
		{"an association is open", store.Series{First: t0, Last: at(time.Minute)}, true, 10 * time.Minute, "waited"},
		{"whole and released", store.Series{First: t0, Last: at(time.Minute), Released: at(61 * time.Second), Whole: true, Even: "even", Images: 9}, false, 64 * time.Second, "association ended, even"},
		{"whole, the association broke", store.Series{First: t0, Last: at(time.Minute), Whole: true, Even: "even", Images: 9}, false, 90 * time.Second, "no object"},
		{"a gap", store.Series{First: t0, Last: at(time.Minute), Released: at(time.Minute), Even: "a gap", Images: 9}, false, 3 * time.Minute, "although a gap"},
		{"too few to see a gap", store.Series{First: t0, Last: at(time.Minute), Released: at(time.Minute), Even: "too few", Images: 1}, false, 90 * time.Second, "no object"},
		{"trickles in", store.Series{First: t0, Last: at(9*time.Minute + 50*time.Second)}, false, 10 * time.Minute, "waited for 10m"},
		{"somebody said so", store.Series{First: t0, Last: at(time.Minute), Ready: "by hand"}, true, 0, "by hand"},
	} {
		got, why := o.due(&c.s, c.busy)
		if !got.Equal(at(c.want)) || !strings.Contains(why, c.says) {
			t.Errorf("%s: after %v, %q; want %v, %q", c.name, got.Sub(t0), why, c.want, c.says)
		}
	}
}

// TestBefore: priority goes first, then age.
func TestBefore(t *testing.T) {
	t0 := time.Now()
	order := []*store.Job{{ID: "a", Priority: 9, Created: t0.Add(time.Hour)}, {ID: "c", Created: t0}, {ID: "d", Created: t0}, {ID: "b", Created: t0.Add(time.Second)}, {ID: "e", Priority: -1, Created: t0.Add(-time.Hour)}}
	for i := range order {
		for k := range order {
			if got := before(order[i], order[k]); got != (i < k) {
				t.Errorf("%s before %s: %v", order[i].ID, order[k].ID, got)
			}
		}
	}
}

func TestRefusesForGood(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"no connection", errors.New("connection refused"), false},
		{"congestion", fmt.Errorf("peer: %w", &dimse.Rejected{Result: 2, Source: 3, Reason: 1}), false},
		{"our title is not known", fmt.Errorf("peer: %w", &dimse.Rejected{Result: 1, Source: 1, Reason: 3}), true},
		{"the class is not taken", fmt.Errorf("peer: %w", &dimse.NotAccepted{}), true},
		{"broken off", &dimse.Aborted{}, false},
	} {
		if got := refusesForGood(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestNeutral(t *testing.T) {
	for in, want := range map[string]string{"a/b.NPY": "sinogram.npy", "Miller^Ann.h5": "sinogram.h5", "x": "sinogram", "x.p q": "sinogram", "../..": "sinogram", "x.abcdefghi": "sinogram"} {
		if got := neutral(in); got != want {
			t.Errorf("neutral(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestPair: a ZIP holds a sinogram, alone or with its sidecar.
func TestPair(t *testing.T) {
	for _, c := range []struct {
		names         []string
		main, sidecar string
	}{
		{[]string{"s.npy"}, "s.npy", ""},
		{[]string{"s.npy.json", "s.npy"}, "s.npy", "s.npy.json"},
		{[]string{"d/", "d/s.npy", "d/s.npy.json"}, "d/s.npy", "d/s.npy.json"},
		{[]string{"a.npy", "b.npy"}, "", ""},
		{[]string{"a.npy", "a.npy.json", "b"}, "", ""},
		{nil, "", ""},
	} {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, n := range c.names {
			if _, err := w.Create(n); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		main, sidecar, err := pair(z.File)
		name := func(f *zip.File) string {
			if f == nil {
				return ""
			}
			return f.Name
		}
		if name(main) != c.main || name(sidecar) != c.sidecar || (err != nil) != (c.main == "") {
			t.Errorf("%q: %q, %q, %v", c.names, name(main), name(sidecar), err)
		}
	}
}

// TestMetricsText: buckets add up, labels are quoted.
func TestMetricsText(t *testing.T) {
	var h histogram
	for _, d := range []time.Duration{500 * time.Microsecond, time.Millisecond, 3 * time.Millisecond, 2 * time.Hour} {
		h.add(d)
	}
	e := &exposition{}
	e.histogram("x_seconds", "help", &h)
	e.labelled("y", "gauge", "help", "name", map[string]int64{`b"`: 2, "a": 1})
	for _, want := range []string{`ctrecon_x_seconds_bucket{le="0.001"} 2`, `ctrecon_x_seconds_bucket{le="0.005"} 3`, `ctrecon_x_seconds_bucket{le="+Inf"} 4`, "ctrecon_x_seconds_count 4", "ctrecon_y{name=\"a\"} 1\nctrecon_y{name=\"b\\\"\"} 2"} {
		if !strings.Contains(e.b.String(), want) {
			t.Errorf("no %q in\n%s", want, e.b.String())
		}
	}
}
