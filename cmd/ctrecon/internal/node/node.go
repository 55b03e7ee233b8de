package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/audit"
	"ctrecon/cmd/ctrecon/internal/node/rules"
	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
)

// Options of a node; zero values of times and counts mean the defaults.
type Options struct {
	Dir       string
	AETitle   string
	RulesFile string   // "": rules.Default
	Methods   []string // that rules may name
	Program   string   // this executable, which runs jobs
	Spool     spool.Options
	TLS       *tls.Config  // to destinations that want it
	Limits    dimse.Limits // of what we send
	Watch     string       // folder whose files are taken, "" for none

	Quiet      time.Duration // without an object until a series is taken for complete (30 s)
	Settle     time.Duration // the same where an association ended and no slice seems to be missing (3 s)
	Longest    time.Duration // since the first object, whatever happens (30 min)
	Drain      time.Duration // for the job in progress when the node stops (30 s)
	JobTimeout time.Duration // (12 h)
	Retry      time.Duration // before the second try of anything; doubles with each (5 s)
	Jobs       int           // at the same time (1)
	Workers    int           // of a job, 0 for its default
	Keep       time.Duration // results and received objects, 0 for ever
	Tries      int           // of a job or of a refused delivery (4)

	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	standard(&o.Quiet, 30*time.Second)
	standard(&o.Settle, 3*time.Second)
	standard(&o.Longest, 30*time.Minute)
	standard(&o.Drain, 30*time.Second)
	standard(&o.JobTimeout, 12*time.Hour)
	standard(&o.Retry, 5*time.Second)
	standard(&o.Jobs, 1)
	standard(&o.Tries, 4)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func standard[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Node is a running node.
type Node struct {
	o       Options
	log     *slog.Logger
	store   *store.Store
	spool   *spool.Spool
	audit   *audit.Log
	rules   atomic.Pointer[rules.Set]
	metrics metrics
	boot    string

	stripes [64]sync.Mutex
	peeks   chan struct{} // bounds the memory of headers that are looked at

	mu                    sync.Mutex
	open                  map[string]map[string]bool // series by association
	progress              map[string]string          // by job
	rulesText, rulesWrong string                     // of the file that holds, and why a newer one does not
	circuits              map[string]*circuit        // by destination
	awaited               map[string]func()          // by transaction: ends the wait for a report
	cancels               map[string]func()          // of running jobs
	couriers              map[string]bool            // destinations that are served
	seen                  map[string]seenFile        // of the watch folder

	wakeSeries, wakeJobs, wakeOut chan struct{}
}

// Open opens the data folder and puts right what a crash has left.
func Open(o Options) (*Node, error) {
	o = o.withDefaults()
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	n := &Node{o: o, log: o.Log, boot: strconv.FormatInt(time.Now().UnixMilli(), 36), peeks: make(chan struct{}, 4),
		open: map[string]map[string]bool{}, progress: map[string]string{}, cancels: map[string]func(){}, couriers: map[string]bool{}, circuits: map[string]*circuit{}, awaited: map[string]func(){}, seen: map[string]seenFile{},
		wakeSeries: make(chan struct{}, 1), wakeJobs: make(chan struct{}, 1), wakeOut: make(chan struct{}, 1)}
	if err := n.Reload(); err != nil {
		return nil, err
	}
	if err := makeFolders(o.Dir); err != nil {
		return nil, err
	}
	if n.store, err = store.Open(o.Dir); err != nil {
		return nil, err
	}
	if err := n.openFiles(); err != nil {
		n.store.Close()
		return nil, err
	}
	n.note("node started", nil)
	return n, nil
}

// openFiles opens what lies beside the store, which is locked by now.
func (n *Node) openFiles() (err error) {
	if n.spool, err = spool.Open(n.o.Dir, n.o.Spool); err != nil {
		return fmt.Errorf("%s: %w", n.o.Dir, err)
	}
	if n.audit, err = audit.Open(filepath.Join(n.o.Dir, "audit.log")); err != nil {
		return err
	}
	return n.recover()
}

// Reload reads the rules again. On an error the former rules stay.
func (n *Node) Reload() error {
	set, text, err := n.readRules()
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.metrics.reloadErrors.Add(1)
		n.rulesWrong = err.Error()
		return err
	}
	n.rulesText, n.rulesWrong = text, ""
	n.rules.Store(set)
	return nil
}

func (n *Node) readRules() (*rules.Set, string, error) {
	if n.o.RulesFile == "" {
		return rules.Default(), "", nil
	}
	b, err := os.ReadFile(n.o.RulesFile)
	if err != nil {
		return nil, "", fmt.Errorf("%s: the rules cannot be read", n.o.RulesFile)
	}
	set, err := rules.Parse(n.o.RulesFile, string(b), n.o.Methods)
	return set, string(b), err
}

// Run does the node's work until ctx ends; then it waits for what is in progress up to
// Options.Drain. Objects are taken until Close.
func (n *Node) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range n.o.Jobs {
		wg.Go(func() { n.runJobs(ctx) })
	}
	wg.Go(func() { n.loop(ctx, n.wakeSeries, n.startSeries) })
	wg.Go(func() { n.loop(ctx, n.wakeOut, func() time.Duration { return n.dispatch(ctx, &wg) }) })
	if n.o.Watch != "" {
		wg.Go(func() { n.loop(ctx, nil, n.scanFolder) })
	}
	wg.Go(n.sweep)
	wg.Go(func() { n.retain(ctx) })
	wg.Wait()
	return nil
}

// Close closes the data folder, when nothing works with the node any more.
func (n *Node) Close() error {
	n.note("node stopped", nil)
	return errors.Join(n.audit.Close(), n.store.Close())
}

// longestNap bounds how long a loop sleeps, so that a changed clock does no harm.
const longestNap = time.Second

// loop calls work when woken, and when work says that it is time again.
func (n *Node) loop(ctx context.Context, wake chan struct{}, work func() time.Duration) {
	for ctx.Err() == nil {
		t := time.NewTimer(max(10*time.Millisecond, min(longestNap, work())))
		select {
		case <-ctx.Done():
		case <-wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// wake makes a loop look again.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// note writes an audit event. One that cannot be written is counted and logged.
func (n *Node) note(what string, with map[string]string) {
	if err := n.audit.Add(what, with); err != nil {
		n.metrics.auditErrors.Add(1)
		n.log.Error("audit event not written", "event", what, "error", err.Error())
	}
}

// update is a transaction whose failure can only be logged.
func (n *Node) update(what string, f func(tx *store.Tx) error) bool {
	err := n.store.Update(f)
	if err != nil {
		n.log.Error("the store was not changed", "what", what, "error", err.Error())
	}
	return err == nil
}

// view reads the store; what cannot be read is logged.
func (n *Node) view(what string, f func(tx *store.Tx) error) bool {
	err := n.store.View(f)
	if err != nil {
		n.log.Error("the store was not read", "what", what, "error", err.Error())
	}
	return err == nil
}
