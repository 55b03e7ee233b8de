package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	db "ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
)

// TestServeProcess: the real process answers health and metrics, reads its rules again on
// SIGHUP, and on SIGTERM ends in good order while a job runs: the job is done, or waits
// for the next start.
func TestServeProcess(t *testing.T) {
	t.Parallel()
	p, k := newPACS(t, "PACS"), newPACS(t, "KEEPER") // both down
	v := newVictim(t, p, k)
	v.start()
	v.awaitReady()
	get := func(path string) (int, string) {
		t.Helper()
		r, err := http.Get("http://" + v.http + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if code, body := get(path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	rules := v.args[4]
	if err := os.WriteFile(rules, []byte("[[rule]]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v.cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, "wrong rules are told", func() bool {
		_, body := get("/readyz")
		return strings.Contains(body, "the former ones hold")
	})
	peer, err := dimse.ParsePeer("CTRECON@" + v.dimse)
	if err != nil {
		t.Fatal(err)
	}
	s := &sender{peer: peer, acked: map[string]string{}}
	s.series(t.Context(), phantomSeries(t, 8, 4))
	eventually(t, "a job runs", func() bool { return notEmpty(v.dir, "jobs") })
	v.cmd.Process.Signal(syscall.SIGTERM)
	if err := v.cmd.Wait(); err != nil {
		t.Fatalf("SIGTERM: %v\n%s", err, v.tail.String())
	}
	if notEmpty(v.dir, "jobs") || notEmpty(v.dir, "incoming") {
		t.Error("files are left behind")
	}
	st, err := db.Open(v.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.View(func(tx *db.Tx) error {
		return db.Jobs.Each(tx, "", func(id string, j *db.Job) (bool, error) {
			_, err := os.Stat(filepath.Join(v.dir, "results", id))
			if j.State != db.Done || err != nil || j.Tries != 1 { // it had 30 seconds
				t.Errorf("job is %s after %d tries, %v", j.State, j.Tries, err)
			}
			return true, nil
		})
	}); err != nil {
		t.Fatal(err)
	}
}

// TestServeDeposit: what comes by HTTP is taken as what comes by DICOM is; the end of the
// request starts the series.
func TestServeDeposit(t *testing.T) {
	t.Parallel()
	o := nodeOptions(t, t.TempDir(), quickRules+"calling = [\"STOW\"]\n")
	o.Quiet = longWait
	n := startNode(t, o)
	files := phantomSeries(t, 3, 4)
	n.sendAll("SCANNER", files[0]) // the same object by both ways is one
	var series []string
	for i, f := range files {
		r, err := os.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		d, err := n.Deposit(t.Context(), "STOW/1", r)
		r.Close()
		if err != nil || d.Status.Code != dimse.Success || d.Duplicate != (i == 0) || d.Conflict {
			t.Errorf("object %d: %+v, %v", i, d, err)
		}
		series = append(series, d.Series)
	}
	n.DepositEnd("STOW/1", series)
	eventually(t, "judged", func() bool { return n.series(series[0]).New == 0 })
	if s := n.series(series[0]); s.Objects != 3 || !strings.Contains(s.Note, `calling AE title "SCANNER"`) { // the first object decides
		t.Errorf("%d objects, note %q", s.Objects, s.Note)
	}
	if d, err := n.Deposit(t.Context(), "STOW/2", strings.NewReader("no DICOM at all")); err == nil || d.Status.Code != dimse.CannotUnderstand {
		t.Errorf("no DICOM: %+v, %v", d, err)
	}
}
