package main

import (
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	db "ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio"
	"ctrecon/dicomio/dimse"
)

// TestServe: a series comes in, its result goes out, once and whole. What comes again
// changes nothing; a late slice makes another revision with other UIDs; a result that is
// sent back is kept, and nothing is made of it.
func TestServe(t *testing.T) {
	t.Parallel()
	p := newPACS(t, "PACS")
	p.up(t)
	n := startNode(t, nodeOptions(t, t.TempDir(), quickRules+`destinations = ["PACS"]`+"\n"+p.rules("")))
	files := phantomSeries(t, 5, 4)
	n.sendAll("SCANNER", files[:4]...)
	first := n.inState(1, db.Done)
	if first.Slices != 4 || !strings.Contains(first.Why, "4 slices at one distance") {
		t.Errorf("job of %d slices because of %q", first.Slices, first.Why)
	}
	dir, ok := n.ResultDir(first.ID)
	if !ok {
		t.Fatal("no result")
	}
	want := dataSums(t, dir)
	if len(want) != first.Objects || len(want) != 10 { // fbp, tv, report, measurements
		t.Errorf("%d objects in the result, the job says %d, want 10", len(want), first.Objects)
	}
	eventually(t, "delivered", func() bool { return n.states("PACS")[db.Sent] == len(want) })
	for uid, sum := range want {
		if got := p.got[uid]; len(got) != 1 || got[0] != sum {
			t.Errorf("%s: at the destination %v, want %s once", uid, got, sum)
		}
	}

	n.sendAll("SCANNER", files[:4]...)
	head, err := dicomio.Peek(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if s := n.series(head.Series); s.Duplicates != 4 || s.Objects != 4 || s.New != 0 {
		t.Errorf("after duplicates: %+v", s)
	}

	n.sendAll("SCANNER", files[4])
	second := n.inState(2, db.Done)
	if second.Slices != 5 || second.Input == first.Input {
		t.Errorf("second revision of %d slices, input %s, first %s", second.Slices, second.Input, first.Input)
	}
	dir2, _ := n.ResultDir(second.ID)
	for uid := range dataSums(t, dir2) {
		if want[uid] != "" {
			t.Errorf("%s is in both revisions", uid)
		}
	}

	n.sendAll("PACS", filepath.Join(dir, "tv"))
	back, err := dicomio.Peek(filepath.Join(dir, "tv", "0001.dcm"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "judged", func() bool { s := n.series(back.Series); return s != nil && s.New == 0 })
	if s := n.series(back.Series); s.Job != "" || !strings.Contains(s.Note, "a result of this program") {
		t.Errorf("own result: job %q, note %q", s.Job, s.Note)
	}
	if all := n.jobs(); len(all) != 2 {
		t.Errorf("%d jobs, want 2", len(all))
	}
}

// TestServeSameAgain: the same job made again, elsewhere and at another time, gives the
// same objects byte by byte.
func TestServeSameAgain(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodeOptions(t, t.TempDir(), quickRules))
	files := phantomSeries(t, 3, 4)
	n.sendAll("SCANNER", files...)
	j := n.inState(1, db.Done)
	dir, _ := n.ResultDir(j.ID)
	in := filepath.Join(t.TempDir(), "series")
	if err := os.Mkdir(in, 0o700); err != nil {
		t.Fatal(err)
	}
	var input *db.Input
	if err := n.View(func(tx *db.Tx) (err error) { input, _, err = db.Inputs.Get(tx, j.ID); return err }); err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(in, filepath.Base(input.Files[i].Name)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "again")
	made := j.Created.Format(time.RFC3339)
	args := append([]string{"--out", out, "--input-id", j.Input + " " + made, "--time", made, "--workers", "1"}, j.Args...)
	if code := command(t.Context(), io.Discard, os.Stderr, append(args, in)...); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	got, want := dataSums(t, out), dataSums(t, dir)
	if !maps.Equal(got, want) {
		for uid := range want {
			if got[uid] != want[uid] {
				t.Errorf("%s: %q and %q", uid, want[uid], got[uid])
			}
		}
	}
}

// TestServeSuspicious: other content under a known UID is kept apart and makes nothing; what
// is not understood lies in quarantine with its reason.
func TestServeSuspicious(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNode(t, nodeOptions(t, dir, quickRules))
	files := phantomSeries(t, 3, 4)
	n.sendAll("SCANNER", files...)
	n.inState(1, db.Done)

	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	other := filepath.Join(t.TempDir(), "other.dcm")
	if err := os.WriteFile(other, b, 0o600); err != nil {
		t.Fatal(err)
	}
	n.sendAll("SCANNER", other)
	n.sendAll("SCANNER", other) // known by now
	head, err := dicomio.Peek(other)
	if err != nil {
		t.Fatal(err)
	}
	if s := n.series(head.Series); s.Conflicts != 1 || s.Duplicates != 1 || s.New != 0 {
		t.Errorf("after a conflict: %+v", s)
	}
	if kept, _ := filepath.Glob(filepath.Join(dir, "conflicts", "*", "*.dcm")); len(kept) != 1 {
		t.Errorf("conflicting objects kept: %v", kept)
	}
	d, err := n.Deposit(t.Context(), "STOW/1", strings.NewReader(string(b)))
	if err != nil || !d.Duplicate || d.Series != head.Series {
		t.Errorf("deposit of a known conflict: %+v, %v", d, err)
	}

	bad := filepath.Join(t.TempDir(), "bad.dcm")
	if err := os.WriteFile(bad, b[:600], 0o600); err != nil {
		t.Fatal(err)
	}
	if s := n.send("SCANNER", bad); s[0].Code != dimse.CannotUnderstand {
		t.Errorf("a broken object: %v", s[0])
	}
	q, err := n.Quarantine()
	if err != nil || len(q) != 1 || q[0].Reason == "" || q[0].From != "SCANNER" || q[0].Command != head.SOPInstance {
		t.Errorf("quarantine: %+v, %v", q, err)
	}
	if len(n.jobs()) != 1 {
		t.Errorf("%d jobs, want 1", len(n.jobs()))
	}
}

// TestServeIncomplete: a series with a gap waits longer; then its job says what is
// missing, without a try again, and the slice that comes late makes it whole.
func TestServeIncomplete(t *testing.T) {
	t.Parallel()
	o := nodeOptions(t, t.TempDir(), quickRules)
	n := startNode(t, o)
	files := phantomSeries(t, 5, 4)
	n.sendAll("SCANNER", files[0], files[1], files[2], files[4])
	j := n.inState(1, db.Failed)
	if j.Slices != 4 || !strings.Contains(j.Why, "although") || !strings.Contains(j.Why, "missing") {
		t.Errorf("%d slices because of %q", j.Slices, j.Why)
	}
	if waited := j.Created.Add(time.Second).Sub(n.series(j.Series).First); waited < 4*o.Quiet {
		t.Errorf("waited for %v, want %v at least", waited, 4*o.Quiet)
	}
	if j.Tries != 1 || !strings.Contains(j.Reason, "1 slice(s) are missing") || strings.Contains(j.Reason, o.Dir) {
		t.Errorf("after %d tries: %q", j.Tries, j.Reason)
	}
	n.sendAll("SCANNER", files[3])
	if j := n.inState(2, db.Done); j.Slices != 5 {
		t.Errorf("second revision of %d slices, want 5", j.Slices)
	}
}

// TestServeOneFolderOneNode: a second node on the same data folder is refused.
func TestServeOneFolderOneNode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startNode(t, nodeOptions(t, dir, quickRules))
	var out strings.Builder
	if code := command(t.Context(), &out, &out, "serve", "--data", dir, "--dimse", "127.0.0.1:0", "--http", "none"); code != exitInput || !strings.Contains(out.String(), "another ctrecon serve uses this data folder") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}

// TestServeManySenders: series that come interleaved, in any order, on several
// associations at once, each make one job of all their slices, two jobs at a time.
func TestServeManySenders(t *testing.T) {
	t.Parallel()
	o := nodeOptions(t, t.TempDir(), quickRules)
	o.Jobs = 2
	n := startNode(t, o)
	const series, slices, senders = 3, 4, 6
	var all []string
	for i := range series {
		all = append(all, phantomSeries(t, slices, 5+float64(i))...)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	var wg sync.WaitGroup
	for k := range senders {
		wg.Go(func() {
			objects, _, err := sendable(all[2*k : 2*k+2])
			if err != nil {
				t.Error(err)
				return
			}
			a, err := (&dimse.Client{AETitle: "SCANNER", Peer: n.peer}).Open(t.Context(), objects)
			if err != nil {
				t.Error(err)
				return
			}
			for _, o := range objects {
				if s, err := a.Store(t.Context(), o); err != nil || s.Code != dimse.Success {
					t.Errorf("%v, %v", s, err)
				}
			}
			a.Release(t.Context())
		})
	}
	wg.Wait()
	eventually(t, "all done", func() bool {
		done := 0
		for _, j := range n.jobs() {
			if j.State == db.Done && j.Slices == slices {
				done++
			}
		}
		return done == series
	})
}
