package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ctrecon/dicomio/dimse"
)

// archive is a peer that keeps objects in memory, refuses the first of them as often
// as it is told, and reports storage commitment to who asks.
type archive struct {
	refuse  int
	back    func() dimse.Peer
	reports sync.WaitGroup

	mu     sync.Mutex
	stored map[string][]byte
	first  func() // called when the first object has come, or nil
}

func (a *archive) Store(_ context.Context, _ dimse.Remote, r dimse.StoreRequest, data io.Reader) dimse.Status {
	b, err := io.ReadAll(data)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil || a.refuse > 0 {
		a.refuse--
		return dimse.Status{Code: dimse.OutOfResources, Comment: "full"}
	}
	a.stored[r.SOPInstance] = b
	if a.first != nil && len(a.stored) == 1 {
		a.first()
	}
	return dimse.Status{}
}

func (a *archive) Commit(_ context.Context, _ dimse.Remote, r dimse.Commitment) dimse.Status {
	report := dimse.CommitmentReport{Transaction: r.Transaction}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, i := range r.Instances {
		if _, ok := a.stored[i.SOPInstance]; ok {
			report.Stored = append(report.Stored, i)
		} else {
			report.Failed = append(report.Failed, dimse.Failure{Reference: i, Reason: 0x0112})
		}
	}
	a.reports.Go(func() {
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		(&dimse.Client{AETitle: "ARCHIVE", Peer: a.back()}).Report(ctx, report)
	})
	return dimse.Status{}
}

func (a *archive) Report(context.Context, dimse.Remote, dimse.CommitmentReport) dimse.Status {
	return dimse.Status{}
}

func (a *archive) Ended(dimse.Remote, bool) {}

// archived runs an archive until the test ends.
func archived(t *testing.T, refuse int, back func() dimse.Peer) (*archive, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &archive{refuse: refuse, back: back, stored: map[string][]byte{}}
	s := &dimse.Server{AETitle: "ARCHIVE", Handler: a, Limits: dimse.Limits{Drain: time.Second}}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		a.reports.Wait()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return a, fmt.Sprintf("ARCHIVE@%s", l.Addr())
}

// objects makes a result with DICOM in it, and a file that is none.
func objects(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if code := run(t.Context(), []string{"ctrecon", "phantom", "--slices", "3", "--size", "64", "--out", filepath.Join(dir, "series"), "thorax"}, io.Discard, os.Stderr); code != exitOK {
		t.Fatalf("phantom: exit code %d", code)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("no DICOM"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSend: what the command says of a peer is what became of the objects.
func TestSend(t *testing.T) {
	dir := objects(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ours := l.Addr().(*net.TCPAddr)
	l.Close()
	for _, c := range []struct {
		name   string
		refuse int
		args   []string // ARCHIVE stands for the peer
		code   int
		stored int
		says   []string
	}{
		{"a folder", 0, []string{"send", "--quiet", "ARCHIVE", dir}, exitOK, 3, []string{"3 of 3 objects stored", "no DICOM objects"}},
		{"a full peer", 99, []string{"send", "--quiet", "ARCHIVE", dir}, exitOutput, 0, []string{"A700", "full", "3 of 3 objects were not stored"}},
		{"one object too much", 1, []string{"send", "--quiet", "ARCHIVE", dir}, exitOutput, 2, []string{"1 of 3 objects were not stored"}},
		{"tried again", 1, []string{"send", "--quiet", "--retry", "1", "ARCHIVE", dir}, exitOK, 3, []string{"3 of 3 objects stored"}},
		{"another title", 0, []string{"send", "--quiet", "OTHER", dir}, exitOutput, 0, []string{"title"}},
		{"commitment", 0, []string{"send", "--quiet", "--commit", "--listen", ours.String(), "ARCHIVE", dir}, exitOK, 3, []string{"the peer keeps 3"}},
		{"nothing to send", 0, []string{"send", "ARCHIVE"}, exitUsage, 0, []string{"nothing to send"}},
		{"no DICOM", 0, []string{"send", "ARCHIVE", filepath.Join(dir, "notes.txt")}, exitInput, 0, []string{"notes.txt"}},
		{"no peer", 0, []string{"send", "somewhere", dir}, exitUsage, 0, []string{"AET@host:port"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, peer := archived(t, c.refuse, func() dimse.Peer { return dimse.Peer{AETitle: "CTRECON", Host: "127.0.0.1", Port: ours.Port} })
			args := []string{"ctrecon"}
			for _, s := range c.args {
				switch s {
				case "ARCHIVE":
					s = peer
				case "OTHER":
					s = strings.Replace(peer, "ARCHIVE", "OTHER", 1)
				}
				args = append(args, s)
			}
			var out bytes.Buffer
			if code := run(t.Context(), args, &out, &out); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if len(a.stored) != c.stored {
				t.Errorf("%d objects at the peer, want %d", len(a.stored), c.stored)
			}
			if n := strings.Count(out.String(), "not recognized"); n > 1 {
				t.Errorf("%d times said that there is no association: %s", n, out.String())
			}
			for _, s := range c.says {
				if !strings.Contains(out.String(), s) {
					t.Errorf("%q does not say %q", out.String(), s)
				}
			}
		})
	}
}

// TestSendInterrupted: what was stored before is told, and the exit code is that of
// an interruption.
func TestSendInterrupted(t *testing.T) {
	dir := objects(t)
	a, peer := archived(t, 0, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a.first = stop
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"ctrecon", "send", "--quiet", "--json", peer, dir}, &out, &errs); code != exitInterrupted || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
	var got struct{ Stored, Failed int }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Stored > 1 || got.Stored+got.Failed != 3 {
		t.Errorf("%s: %v", out.String(), err)
	}
}

// TestEcho: a peer that answers, one that does not know us, and none.
func TestEcho(t *testing.T) {
	_, peer := archived(t, 0, nil)
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"ctrecon", "echo", "--json", peer}, &out, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	var got struct{ Peer, Status string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Status != "0000" || got.Peer != peer {
		t.Errorf("%s: %v", out.String(), err)
	}
	for _, p := range []string{strings.Replace(peer, "ARCHIVE", "OTHER", 1), "ARCHIVE@127.0.0.1:1"} {
		errs.Reset()
		if code := run(t.Context(), []string{"ctrecon", "echo", p}, io.Discard, &errs); code != exitOutput || !strings.Contains(errs.String(), p) {
			t.Errorf("%s: exit code %d, %s", p, code, errs.String())
		}
	}
}
