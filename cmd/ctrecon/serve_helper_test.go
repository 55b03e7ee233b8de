package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ctrecon/cmd/ctrecon/internal/node"
	db "ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/ct/recon"
	"ctrecon/dicomio/dimse"
)

// longWait is longer than a test waits.
const longWait = time.Hour

// patience of the tests.
const patience = time.Minute

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// running is a node of the test's process; its jobs are processes of this executable.
type running struct {
	*node.Node
	t    testing.TB
	log  *safeBuffer
	peer dimse.Peer
	stop func() error
}

// safeBuffer is written by many.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// quickRules make little of little.
const quickRules = `
[[rule]]
name = "quick"
modality = "CT"
views = 8
methods = ["tv"]
`

// nodeOptions are for tests: short times, no default rules.
func nodeOptions(t testing.TB, dir, rules string) node.Options {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.toml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return node.Options{Dir: dir, AETitle: "CTRECON", RulesFile: file, Methods: recon.Names(), Program: program, Workers: 1,
		Quiet: 400 * time.Millisecond, Settle: 50 * time.Millisecond, Retry: 50 * time.Millisecond, Drain: 5 * time.Second, Tries: 3,
		Limits: dimse.Limits{ARTIM: 2 * time.Second, DIMSE: 5 * time.Second}}
}

// startNode runs a node until stop, or the end of the test.
func startNode(t testing.TB, o node.Options) *running {
	t.Helper()
	r := &running{t: t, log: &safeBuffer{}}
	o.Log = slog.New(slog.NewJSONHandler(r.log, nil))
	n, err := node.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Node = n
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.peer = dimse.Peer{AETitle: "CTRECON", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var first, second error
	wg.Go(func() { first = n.Run(ctx) })
	wg.Go(func() {
		second = (&dimse.Server{AETitle: "CTRECON", Handler: n, Congested: n.Congested, Limits: dimse.Limits{Drain: time.Second}}).Serve(ctx, l)
	})
	r.stop = sync.OnceValue(func() error {
		cancel()
		wg.Wait()
		for _, err := range []error{first, second, n.Close()} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

// send sends files and returns their statuses.
func (r *running) send(title string, paths ...string) []dimse.Status {
	r.t.Helper()
	objects, _, err := sendable(paths)
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := (&dimse.Client{AETitle: title, Peer: r.peer}).Open(r.t.Context(), objects)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []dimse.Status
	for _, o := range objects {
		s, err := a.Store(r.t.Context(), o)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := a.Release(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// sendAll sends files that must be taken.
func (r *running) sendAll(title string, paths ...string) {
	r.t.Helper()
	for _, s := range r.send(title, paths...) {
		if s.Code != dimse.Success {
			r.t.Fatalf("an object was refused: %v", s)
		}
	}
}

// jobs are all jobs by the time they were made.
func (r *running) jobs() (out []*db.Job) {
	if err := r.View(func(tx *db.Tx) error {
		return db.Jobs.Each(tx, "", func(_ string, j *db.Job) (bool, error) {
			out = append(out, j)
			return true, nil
		})
	}); err != nil {
		r.t.Fatal(err)
	}
	slices.SortFunc(out, func(a, b *db.Job) int { return a.Revision - b.Revision })
	return out
}

// inState waits until the only job, or the one of a revision, is in a state.
func (r *running) inState(revision int, state string) *db.Job {
	r.t.Helper()
	var got *db.Job
	eventually(r.t, fmt.Sprintf("revision %d is %s", revision, state), func() bool {
		for _, j := range r.jobs() {
			if j.Revision == revision {
				got = j
			}
		}
		return got != nil && got.State == state
	})
	return got
}

// deliveries are those of a destination, by object.
func (r *running) deliveries(to string) map[string]*db.Delivery {
	out := map[string]*db.Delivery{}
	if err := r.View(func(tx *db.Tx) error {
		return db.Deliveries.Each(tx, "", func(_ string, d *db.Delivery) (bool, error) {
			if d.Destination == to {
				out[d.Instance] = d
			}
			return true, nil
		})
	}); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// states counts the deliveries of a destination by state.
func (r *running) states(to string) map[string]int {
	out := map[string]int{}
	for _, d := range r.deliveries(to) {
		out[d.State]++
	}
	return out
}

// series is what the node knows of a series.
func (r *running) series(uid string) (s *db.Series) {
	if err := r.View(func(tx *db.Tx) (err error) {
		s, _, err = db.SeriesTable.Get(tx, uid)
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// oneCommand is held by a command in the test's process: the library of the command line
// has variables of its own.
var oneCommand sync.Mutex

// command runs the program in the test's process.
func command(ctx context.Context, out, errs io.Writer, args ...string) int {
	oneCommand.Lock()
	defer oneCommand.Unlock()
	return run(ctx, append([]string{"ctrecon"}, args...), out, errs)
}

// phantomSeries makes a series of 64 x 64 pixels. Another spacing gives another series.
func phantomSeries(t testing.TB, slices int, spacing float64) (files []string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "series")
	args := []string{"phantom", "--slices", strconv.Itoa(slices), "--size", "64", "--spacing", fmt.Sprint(spacing), "--out", dir, "thorax"}
	if code := command(t.Context(), io.Discard, os.Stderr, args...); code != exitOK {
		t.Fatalf("phantom: exit code %d", code)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.dcm"))
	if err != nil || len(files) != slices {
		files, _ = filepath.Glob(filepath.Join(dir, "*.dcm"))
	}
	if len(files) != slices {
		t.Fatalf("%d files of a phantom, want %d", len(files), slices)
	}
	return files
}

// pacs is a destination that counts what it takes and does as it is told.
type pacs struct {
	title string
	port  int
	// behave is asked before an object is taken, with the number of the try; nil takes all.
	behave func(instance string, try int) (s dimse.Status, abort bool)
	// report tells what is answered to a request of commitment; nil: it is refused.
	report func(r dimse.Commitment) *dimse.CommitmentReport
	back   func() dimse.Peer // where reports go

	silent   func(instance string) bool // breaks off after it has taken an object
	slow     time.Duration              // before an object is answered
	open     atomic.Int64               // 1 while objects come in
	onReport func(dimse.CommitmentReport)

	mu    sync.Mutex
	tries map[string]int
	got   map[string][]string // SHA-256 of each time by instance
	wg    sync.WaitGroup
	end   func()
}

func (p *pacs) Store(_ context.Context, _ dimse.Remote, r dimse.StoreRequest, data io.Reader) dimse.Status {
	p.open.Store(1)
	h := sha256.New()
	_, err := io.Copy(h, data)
	time.Sleep(p.slow)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		return dimse.Status{Code: dimse.CannotUnderstand}
	}
	p.tries[r.SOPInstance]++
	if p.behave != nil {
		s, abort := p.behave(r.SOPInstance, p.tries[r.SOPInstance])
		if abort {
			panic("told to break off") // the server ends the association
		}
		if !s.OK() {
			return s
		}
	}
	p.got[r.SOPInstance] = append(p.got[r.SOPInstance], hex.EncodeToString(h.Sum(nil)))
	if p.silent != nil && p.silent(r.SOPInstance) {
		panic("told to break off instead of an answer")
	}
	return dimse.Status{}
}

func (p *pacs) Commit(_ context.Context, _ dimse.Remote, r dimse.Commitment) dimse.Status {
	if p.report == nil {
		return dimse.Status{Code: dimse.NotAuthorized}
	}
	report := p.report(r)
	if report == nil {
		return dimse.Status{}
	}
	p.wg.Go(func() {
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		(&dimse.Client{AETitle: p.title, Peer: p.back()}).Report(ctx, *report)
	})
	return dimse.Status{}
}

// honest reports what is here.
func (p *pacs) honest(r dimse.Commitment) *dimse.CommitmentReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := &dimse.CommitmentReport{Transaction: r.Transaction}
	for _, i := range r.Instances {
		if len(p.got[i.SOPInstance]) > 0 {
			out.Stored = append(out.Stored, i)
		} else {
			out.Failed = append(out.Failed, dimse.Failure{Reference: i, Reason: dimse.NoSuchInstance})
		}
	}
	return out
}

func (p *pacs) Report(_ context.Context, _ dimse.Remote, r dimse.CommitmentReport) dimse.Status {
	if p.onReport != nil {
		p.onReport(r)
	}
	return dimse.Status{}
}

func (p *pacs) Ended(dimse.Remote, bool) { p.open.Store(0) }

// newPACS has a port, and is down until up.
func newPACS(t *testing.T, title string) *pacs {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &pacs{title: title, port: l.Addr().(*net.TCPAddr).Port, tries: map[string]int{}, got: map[string][]string{}}
}

// up serves until the test ends.
func (p *pacs) up(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- (&dimse.Server{AETitle: p.title, Handler: p, Limits: dimse.Limits{Drain: time.Second}}).Serve(ctx, l)
	}()
	t.Cleanup(func() {
		p.wg.Wait()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// rules name the peer.
func (p *pacs) rules(more string) string {
	return fmt.Sprintf("[[peer]]\nname = %q\naddress = \"%s@127.0.0.1:%d\"\n%s\n", p.title, p.title, p.port, more)
}

// count is how many objects have come, and how many came more than once.
func (p *pacs) count() (objects, repeated int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, sums := range p.got {
		objects++
		if len(sums) > 1 {
			repeated++
		}
	}
	return objects, repeated
}

// dataSums are the SHA-256 of the data sets of a folder by instance.
func dataSums(t *testing.T, dir string) map[string]string {
	t.Helper()
	objects, _, err := sendable([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, o := range objects {
		out[o.SOPInstance] = dataSum(t, o.Path)
	}
	return out
}
