package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/cmd/ctrecon/internal/node/spool"
	db "ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio"
	"ctrecon/dicomio/dimse"
)

// fullFile is a file on a disk that is full from its second write on.
type fullFile struct {
	*os.File
	full *atomic.Bool
	sync bool // the error comes with Sync, not before
}

func (f fullFile) Write(p []byte) (int, error) {
	if f.full.Load() && !f.sync {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func (f fullFile) Sync() error {
	if f.full.Load() {
		return syscall.ENOSPC
	}
	return f.File.Sync()
}

// TestServeFullDisk: an object that does not fit is refused as out of resources, wherever
// the disk says so; what was acknowledged is there, and the node goes on when there is
// room again.
func TestServeFullDisk(t *testing.T) {
	t.Parallel()
	files := func(full *atomic.Bool, sync bool) spool.Options {
		return spool.Options{Create: func(path string) (spool.File, error) {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			return fullFile{f, full, sync}, err
		}}
	}
	for _, c := range []struct {
		name string
		o    func(full *atomic.Bool) spool.Options
	}{
		{"in a write", func(full *atomic.Bool) spool.Options { return files(full, false) }},
		{"in a sync", func(full *atomic.Bool) spool.Options { return files(full, true) }},
		{"no file can be made", func(full *atomic.Bool) spool.Options {
			return spool.Options{Create: func(path string) (spool.File, error) {
				if full.Load() {
					return nil, syscall.ENOSPC
				}
				return os.Create(path)
			}}
		}},
		{"the reserve is reached", func(full *atomic.Bool) spool.Options {
			return spool.Options{Reserve: 1 << 20, Free: func(string) (int64, error) {
				if full.Load() {
					return 1 << 10, nil
				}
				return 1 << 40, nil
			}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			full := new(atomic.Bool)
			o := nodeOptions(t, t.TempDir(), quickRules)
			o.Spool = c.o(full)
			n := startNode(t, o)
			files := phantomSeries(t, 4, 4)
			n.sendAll("SCANNER", files[0])
			full.Store(true)
			if o.Spool.Free != nil { // known before an association is made
				if !n.Congested() || n.Reconcile().Ready {
					t.Error("a full disk, and the node takes associations")
				}
				if d, err := n.Deposit(t.Context(), "STOW/1", strings.NewReader("x")); err == nil || d.Status.Code != dimse.OutOfResources {
					t.Errorf("deposit: %v, %v", d, err)
				}
			} else if s := n.send("SCANNER", files[1]); s[0].Code != dimse.OutOfResources {
				t.Errorf("status %v, want A700", s[0])
			}
			full.Store(false)
			n.sendAll("SCANNER", files...)
			if j := n.inState(1, db.Done); j.Slices != 4 {
				t.Errorf("job of %d slices, want 4", j.Slices)
			}
			if left, _ := filepath.Glob(filepath.Join(o.Dir, "incoming", "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// program writes a shell script that stands for a job's process that goes wrong in a way
// that ours cannot be made to.
func program(t *testing.T, script string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestServeBadJobs: a job that cannot be done fails at once, one that crashes or hangs is
// tried as often as it may be; each says why, and no other job waits for it.
func TestServeBadJobs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rules, script string
		timeout             time.Duration
		tries               int
		says                string
	}{
		{"a setting that does not fit", quickRules + "slices = \"7:9\"\n", "", 0, 1, "there are slices 0 to 2"},
		{"a crash", quickRules, `echo working >&2; kill -9 $$`, 0, 3, "killed or crashed; its last line: working"},
		{"a crash of the runtime", quickRules, `echo "fatal error: out of memory" >&2; echo "goroutine 1" >&2; exit 2`, 0, 3, "exit code 2: fatal error: out of memory"},
		{"a full disk", quickRules, `echo "ctrecon: no space left" >&2; exit 5`, 0, 3, "exit code 5: no space left"},
		{"no end", quickRules, `sleep 60`, 50 * time.Millisecond, 3, "took too long"},
		{"no result", quickRules, `exit 0`, 0, 3, "the result could not be put in place"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := nodeOptions(t, t.TempDir(), c.rules)
			if c.script != "" {
				o.Program = program(t, c.script)
			}
			o.JobTimeout = c.timeout
			n := startNode(t, o)
			n.sendAll("SCANNER", phantomSeries(t, 3, 4)...)
			j := n.inState(1, db.Failed)
			if j.Tries != c.tries || !strings.Contains(j.Reason, c.says) {
				t.Errorf("after %d tries: %q; want %d and %q", j.Tries, j.Reason, c.tries, c.says)
			}
			if left, _ := filepath.Glob(filepath.Join(o.Dir, "jobs", "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if err := n.RetryJob(j.ID); err != nil {
				t.Fatal(err)
			}
			n.inState(1, db.Failed)
		})
	}
}

// TestServeChangedInput: a bit of a received object that has changed on disk is found
// before anything is made of it.
func TestServeChangedInput(t *testing.T) {
	t.Parallel()
	o := nodeOptions(t, t.TempDir(), quickRules)
	o.Quiet, o.Settle = longWait, longWait
	n := startNode(t, o)
	files := phantomSeries(t, 3, 4)
	n.sendAll("SCANNER", files...)
	kept, _ := filepath.Glob(filepath.Join(o.Dir, "spool", "*", "*.dcm"))
	if len(kept) != 3 {
		t.Fatalf("kept: %v", kept)
	}
	b, err := os.ReadFile(kept[1])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(kept[1], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.StartSeries(filepath.Base(filepath.Dir(kept[1])), "by hand"); err != nil {
		t.Fatal(err)
	}
	if j := n.inState(1, db.Failed); j.Tries != 1 || !strings.Contains(j.Reason, "has changed on disk") {
		t.Errorf("after %d tries: %q", j.Tries, j.Reason)
	}
}

// TestServeStopped: a node that is stopped while a job runs puts it back without counting
// a try; the next run makes it.
func TestServeStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := nodeOptions(t, dir, quickRules)
	good := o.Program
	o.Drain = 10 * time.Millisecond
	o.Program = program(t, `trap 'echo "ctrecon: interrupted; nothing was written" >&2; exit 130' TERM; sleep 60 & wait`)
	n := startNode(t, o)
	n.sendAll("SCANNER", phantomSeries(t, 3, 4)...)
	n.inState(1, db.Running)
	begin := time.Now()
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("the node took %v to stop", took)
	}
	o.Program, o.Drain = good, 5*time.Second
	again := startNode(t, o)
	j := again.inState(1, db.Done)
	if j.Interrupted != 1 || j.Tries != 2 {
		t.Errorf("%d tries, %d interrupted; want 2 and 1", j.Tries, j.Interrupted)
	}
}

// TestServeCancelled: a job that is cancelled while it runs ends soon, leaves nothing, and
// can be tried again.
func TestServeCancelled(t *testing.T) {
	t.Parallel()
	o := nodeOptions(t, t.TempDir(), quickRules)
	o.Program = program(t, `echo "step 1 of 9" >&2; sleep 60`)
	n := startNode(t, o)
	n.sendAll("SCANNER", phantomSeries(t, 3, 4)...)
	j := n.inState(1, db.Running)
	eventually(t, "progress", func() bool { return n.Progress(j.ID) == "step 1 of 9" })
	if err := n.CancelJob(j.ID); err != nil {
		t.Fatal(err)
	}
	n.inState(1, db.Cancelled)
	eventually(t, "ended", func() bool { return n.Progress(j.ID) == "" })
	if err := n.CancelJob(j.ID); err == nil {
		t.Error("cancelled twice")
	}
	if _, ok := n.ResultDir(j.ID); ok {
		t.Error("a cancelled job has a result")
	}
	if err := n.RetryJob("none"); err == nil {
		t.Error("a job that is not there was tried again")
	}
}

// TestServeReload: rules that are wrong change nothing, and are told.
func TestServeReload(t *testing.T) {
	t.Parallel()
	o := nodeOptions(t, t.TempDir(), quickRules)
	n := startNode(t, o)
	if err := os.WriteFile(o.RulesFile, []byte("[[rule]]\nname = \"other\"\nmethods = [\"nothing\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.Reload(); err == nil || !strings.Contains(err.Error(), `method "nothing"`) {
		t.Errorf("wrong rules: %v", err)
	}
	if h := n.Reconcile(); !h.Ready || len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "the former ones hold") {
		t.Errorf("health: %+v", h)
	}
	if _, text := n.RulesText(); text != quickRules {
		t.Errorf("rules that hold: %q", text)
	}
	n.sendAll("SCANNER", phantomSeries(t, 3, 4)...)
	if j := n.inState(1, db.Done); j.Rule != "quick" {
		t.Errorf("rule %q", j.Rule)
	}
}

// TestServeStartAgain: a series for which there was no rule is made when there is one; a
// result that is there is not made again.
func TestServeStartAgain(t *testing.T) {
	t.Parallel()
	o := nodeOptions(t, t.TempDir(), strings.Replace(quickRules, "CT", "MR", 1))
	n := startNode(t, o)
	files := phantomSeries(t, 3, 4)
	n.sendAll("SCANNER", files...)
	head, err := dicomio.Peek(files[0])
	if err != nil {
		t.Fatal(err)
	}
	says := func(note string) func() bool {
		return func() bool { return strings.Contains(n.series(head.Series).Note, note) }
	}
	eventually(t, "no rule", says("no rule fits: rule quick: Modality"))
	if err := os.WriteFile(o.RulesFile, []byte(quickRules), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.Reload(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.StartSeries(head.Series, "by hand"); err != nil {
			t.Fatal(err)
		}
		n.inState(1, db.Done)
	}
	eventually(t, "not again", says("nothing has changed since job"))
	if len(n.jobs()) != 1 || n.series(head.Series).Revision != 1 {
		t.Errorf("%d jobs, revision %d; want 1 and 1", len(n.jobs()), n.series(head.Series).Revision)
	}
	if err := n.StartSeries("1.2.3", "by hand"); !errors.Is(err, node.ErrUnknown) {
		t.Errorf("a series that is not there: %v", err)
	}
}

// TestServeWatch: files in the watch folder are taken once they change no more; what is
// neither DICOM nor a sinogram stays.
func TestServeWatch(t *testing.T) {
	t.Parallel()
	o := nodeOptions(t, t.TempDir(), quickRules)
	o.Watch = t.TempDir()
	n := startNode(t, o)
	files := phantomSeries(t, 3, 4)
	for i, f := range files {
		copyFile(t, f, filepath.Join(o.Watch, string(rune('a'+i))))
	}
	if err := os.WriteFile(filepath.Join(o.Watch, "notes.txt"), []byte("no object"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := n.inState(1, db.Done)
	if j.Slices != 3 {
		t.Errorf("job of %d slices, want 3", j.Slices)
	}
	left, _ := filepath.Glob(filepath.Join(o.Watch, "*"))
	if len(left) != 1 || filepath.Base(left[0]) != "notes.txt" {
		t.Errorf("left in the folder: %v", left)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestServeSinogram: a sinogram with its sidecar becomes a job, the same one when it comes
// again.
func TestServeSinogram(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "phantom")
	if code := command(t.Context(), io.Discard, os.Stderr, "phantom", "--size", "32", "--angles", "12", "--out", dir, "acr"); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	o := nodeOptions(t, t.TempDir(), quickRules+"[[rule]]\nname = \"sinogram\"\nmodality = \"none\"\nviews = 6\nmethods = [\"tv\"]\n")
	o.Watch = t.TempDir()
	n := startNode(t, o)
	copyFile(t, filepath.Join(dir, "sino.npy"), filepath.Join(o.Watch, "scan of someone.npy"))
	copyFile(t, filepath.Join(dir, "sino.npy.json"), filepath.Join(o.Watch, "scan of someone.npy.json"))
	j := n.inState(1, db.Done)
	if d, ok := n.ResultDir(j.ID); !ok || len(dataSums(t, d)) != 4 {
		t.Errorf("result: %v", ok)
	}
	f, err := os.Open(filepath.Join(dir, "sino.npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	id, err := n.UploadSinogram(t.Context(), "without its sidecar.npy", f)
	if err != nil || id == j.ID {
		t.Errorf("other content: job %s, %v", id, err)
	}
	if _, err := n.UploadSinogram(t.Context(), "a.zip", strings.NewReader("no ZIP")); err == nil || !strings.Contains(err.Error(), "no ZIP file") {
		t.Errorf("no ZIP: %v", err)
	}
	if strings.Contains(n.log.String(), "someone") {
		t.Error("the log has the name of a file")
	}
}

// TestServeRetain: what is old goes once it is delivered, not before.
func TestServeRetain(t *testing.T) {
	t.Parallel()
	p := newPACS(t, "PACS")
	dir := t.TempDir()
	rules := quickRules + "destinations = [\"PACS\"]\n" + p.rules("")
	n := startNode(t, nodeOptions(t, dir, rules))
	n.sendAll("SCANNER", phantomSeries(t, 3, 4)...)
	j := n.inState(1, db.Done)
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	o := nodeOptions(t, dir, rules)
	o.Keep = time.Millisecond
	n = startNode(t, o)
	eventually(t, "tried", func() bool {
		for _, d := range n.deliveries("PACS") {
			return d.Status != ""
		}
		return false
	})
	if _, ok := n.ResultDir(j.ID); !ok {
		t.Fatal("the result is gone before it was delivered")
	}
	p.up(t)
	eventually(t, "sent", func() bool { return n.states("PACS")[db.Sent] == objectsOfAJob })
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	n = startNode(t, o)
	eventually(t, "gone", func() bool { return len(n.jobs()) == 0 && n.series(j.Series) == nil })
	for _, kind := range []string{"results", "spool"} {
		eventually(t, kind+" is empty", func() bool {
			left, err := filepath.Glob(filepath.Join(dir, kind, "*", "*"))
			return err == nil && len(left) == 0
		})
	}
}

// TestServeNoPatient: no word about the patient stands in log, audit trail, metrics or the
// store's reasons.
func TestServeNoPatient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNode(t, nodeOptions(t, dir, quickRules+"slices = \"7:9\"\n"))
	files := phantomSeries(t, 4, 4)
	for i, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		const name = "CTRECON^RESEARCH"
		at := strings.Index(string(b), name)
		if at < 0 {
			t.Fatalf("no patient name %q in the phantom", name)
		}
		copy(b[at:], "Secret^PersonABC")
		if i == 3 {
			b = b[:len(b)-100]
		}
		if err := os.WriteFile(f, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.send("SCANNER", files...)
	n.inState(1, db.Failed)
	var metrics strings.Builder
	if err := n.WriteMetrics(&metrics); err != nil {
		t.Fatal(err)
	}
	audit, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	q, err := n.Quarantine()
	if err != nil {
		t.Fatal(err)
	}
	all := n.log.String() + metrics.String() + string(audit) + n.jobs()[0].Reason
	for _, r := range q {
		all += r.Reason
	}
	if len(all) < 2000 {
		t.Errorf("only %d characters were written: the test looks in the wrong place", len(all))
	}
	for _, word := range []string{"Secret", "Person"} {
		if strings.Contains(all, word) {
			t.Errorf("%q was written", word)
		}
	}
}
