package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/audit"
	db "ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
)

// killsEnv sets how often TestKill kills the node; killSeed repeats a run.
const (
	killsEnv = "CTRECON_KILLS"
	killSeed = "CTRECON_KILL_SEED"
)

func envInt(name string, standard int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return standard
}

// victim is a node in a process of its own that is killed and started again.
type victim struct {
	t           *testing.T
	dir         string
	args        []string
	dimse, http string
	cmd         *exec.Cmd
	ready       chan struct{} // closed when it serves
	tail        *safeBuffer
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start begins the process.
func (v *victim) start() {
	v.t.Helper()
	program, err := os.Executable()
	if err != nil {
		v.t.Fatal(err)
	}
	v.cmd = exec.Command(program, v.args...)
	pipe, err := v.cmd.StderrPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.ready, v.tail = make(chan struct{}), &safeBuffer{}
	ready, tail := v.ready, v.tail
	go func() {
		lines := bufio.NewScanner(pipe)
		lines.Buffer(nil, 1<<20)
		for once := false; lines.Scan(); {
			fmt.Fprintln(tail, lines.Text())
			var line struct{ Msg string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" && !once {
				once = true
				close(ready)
			}
		}
	}()
}

// kill ends it at once, as kill -9 does.
func (v *victim) kill() {
	v.cmd.Process.Kill()
	v.cmd.Wait()
}

func (v *victim) awaitReady() {
	v.t.Helper()
	select {
	case <-v.ready:
	case <-time.After(patience):
		v.t.Fatalf("the node did not start: %s", v.tail.String())
	}
}

// metric reads one number of the node; ok is false while it cannot be read.
func (v *victim) metrics() (map[string]string, bool) {
	r, err := http.Get("http://" + v.http + "/metrics")
	if err != nil {
		return nil, false
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		return nil, false
	}
	out := map[string]string{}
	for line := range strings.SplitSeq(string(b), "\n") {
		if name, value, ok := strings.Cut(line, " "); ok {
			out[name] = value
		}
	}
	return out, true
}

// idle says that nothing is left to do.
func (v *victim) idle() bool {
	m, ok := v.metrics()
	if !ok || m["ctrecon_series_waiting"] != "0" || m[`ctrecon_jobs_open{state="queued"}`] != "0" || m[`ctrecon_jobs_open{state="running"}`] != "0" {
		return false
	}
	for name := range m {
		if strings.HasPrefix(name, "ctrecon_outbox{") {
			return false
		}
	}
	return true
}

// sender sends series until every object is acknowledged, however often the node goes.
type sender struct {
	peer  dimse.Peer
	busy  atomic.Int64 // open associations
	mu    sync.Mutex
	acked map[string]string // SHA-256 by instance
}

func (s *sender) series(ctx context.Context, files []string) {
	for ctx.Err() == nil {
		var todo []dimse.Object
		for _, f := range files {
			o, err := dimse.ReadObject(f)
			s.mu.Lock()
			if err == nil && s.acked[o.SOPInstance] == "" {
				todo = append(todo, o)
			}
			s.mu.Unlock()
		}
		if len(todo) == 0 {
			return
		}
		s.try(ctx, todo)
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *sender) try(ctx context.Context, todo []dimse.Object) {
	a, err := (&dimse.Client{AETitle: "SCANNER", Peer: s.peer, Limits: dimse.Limits{ARTIM: 2 * time.Second, DIMSE: 5 * time.Second}}).Open(ctx, todo)
	if err != nil {
		return
	}
	s.busy.Add(1)
	defer s.busy.Add(-1)
	for _, o := range todo {
		time.Sleep(10 * time.Millisecond)
		status, err := a.Store(ctx, o)
		if err != nil {
			return
		}
		if status.OK() {
			b, err := os.ReadFile(o.Path)
			if err != nil {
				return
			}
			sum := sha256.Sum256(b[o.Offset:])
			s.mu.Lock()
			s.acked[o.SOPInstance] = hex.EncodeToString(sum[:])
			s.mu.Unlock()
		}
	}
	a.Release(ctx)
}

// phase is what the node is doing, in one word or several.
func (v *victim) phase(s *sender, to ...*pacs) string {
	if !isClosed(v.ready) {
		return "starting"
	}
	var all []string
	if s.busy.Load() > 0 {
		all = append(all, "receiving")
	}
	if notEmpty(v.dir, "jobs") {
		all = append(all, "reconstructing")
	}
	for _, p := range to {
		if p.open.Load() > 0 {
			all = append(all, "delivering")
			break
		}
	}
	if all == nil {
		return "waiting"
	}
	return strings.Join(all, "+")
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func notEmpty(parts ...string) bool {
	entries, err := os.ReadDir(filepath.Join(parts...))
	return err == nil && len(entries) > 0
}

// TestKill kills the node at random moments while it receives, reconstructs and delivers.
// In the end no object that it acknowledged is lost, no result is missing at either
// destination, and nothing was delivered twice with different bytes.
func TestKill(t *testing.T) {
	kills := envInt(killsEnv, 4)
	seed := envInt(killSeed, int(time.Now().UnixNano()%1e9))
	rnd := rand.New(rand.NewPCG(uint64(seed), 1))
	pacs, keeper := newPACS(t, "PACS"), newPACS(t, "KEEPER")
	v := newVictim(t, pacs, keeper)
	host, port, _ := net.SplitHostPort(v.dimse)
	number, _ := strconv.Atoi(port)
	node := dimse.Peer{AETitle: "CTRECON", Host: host, Port: number}
	keeper.back = func() dimse.Peer { return node }
	keeper.report = func(r dimse.Commitment) *dimse.CommitmentReport {
		return &dimse.CommitmentReport{Transaction: r.Transaction, Stored: r.Instances}
	}
	pacs.slow, keeper.slow = 5*time.Millisecond, 10*time.Millisecond
	pacs.up(t)
	keeper.up(t)

	const slices = 4
	all := make([][]string, max(3, kills/2))
	for i := range all {
		all[i] = phantomSeries(t, slices, 4+float64(i)/64)
	}
	s := &sender{peer: node, acked: map[string]string{}}
	ctx, stop := context.WithTimeout(t.Context(), time.Duration(kills)*10*time.Second+time.Minute)
	defer stop()
	var senders sync.WaitGroup
	phases := map[string]int{}
	begun := 0
	for k := range kills {
		for ; begun <= k*len(all)/kills; begun++ { // spread over the run
			files := all[begun]
			senders.Go(func() { s.series(ctx, files) })
		}
		v.start()
		if rnd.IntN(8) > 0 {
			v.awaitReady()
		}
		time.Sleep(time.Duration(rnd.IntN(700)) * time.Millisecond)
		v.cmd.Process.Signal(syscall.SIGSTOP) // so that the phase is that of the kill
		phases[v.phase(s, pacs, keeper)]++
		v.kill()
	}
	v.start()
	v.awaitReady()
	senders.Wait()
	for end := time.Now().Add(time.Minute + time.Duration(kills)*2*time.Second); !v.idle(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			m, _ := v.metrics()
			t.Fatalf("seed %d: work is left: %v\n%s", seed, m, v.tail.String())
		}
	}
	v.cmd.Process.Signal(syscall.SIGTERM)
	if err := v.cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, v.tail.String())
	}
	c := v.counted(s, slices, len(all), pacs, keeper)
	t.Logf("seed %d, %d kills, while: %v\n%v", seed, kills, phases, c)
	if len(s.acked) != slices*len(all) || c.lost+c.missing+c.different+c.left > 0 {
		t.Error("something was lost, is missing, or came with different bytes")
	}
	if c.again > 2*kills { // a kill between a destination's status and our commit, one object each
		t.Errorf("%d objects came again, after %d kills and to 2 destinations", c.again, kills)
	}
}

func newVictim(t *testing.T, pacs, keeper *pacs) *victim {
	t.Helper()
	rules := filepath.Join(t.TempDir(), "rules.toml")
	text := quickRules + "destinations = [\"PACS\", \"KEEPER\"]\n" + pacs.rules("") + keeper.rules("commit = true")
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	v := &victim{t: t, dir: t.TempDir(), dimse: freeAddr(t), http: freeAddr(t)}
	v.args = []string{"serve", "--data", v.dir, "--rules", rules, "--dimse", v.dimse, "--http", v.http, "--workers", "1",
		"--settle-time", "50ms", "--quiet-time", "1s", "--retry-time", "50ms"}
	t.Cleanup(func() {
		if v.cmd != nil && v.cmd.ProcessState == nil {
			v.kill()
		}
	})
	return v
}

// tally is what is found after a run.
type tally struct {
	acked, lost                         int
	series, revisions, objects, missing int
	delivered, again, different, left   int
}

func (c tally) String() string {
	return fmt.Sprintf("objects acknowledged %d, lost %d\nseries %d, revisions %d, objects of results %d, missing at a destination %d\nreceived by destinations %d, again with the same bytes %d, with different bytes %d\nfiles left behind %d",
		c.acked, c.lost, c.series, c.revisions, c.objects, c.missing, c.delivered, c.again, c.different, c.left)
}

// counted holds store, folders and destinations against what was sent.
func (v *victim) counted(s *sender, slices, series int, to ...*pacs) (c tally) {
	v.t.Helper()
	st, err := db.Open(v.dir)
	if err != nil {
		v.t.Fatal(err)
	}
	defer st.Close()
	whole := map[string]bool{}
	err = st.View(func(tx *db.Tx) error {
		for uid, sum := range s.acked {
			c.acked++
			i, ok, err := db.Instances.Get(tx, uid)
			if err != nil {
				return err
			}
			if !ok || i.Sum != sum || !holds(filepath.Join(v.dir, i.File), i.Offset, sum) {
				c.lost++
			}
		}
		return db.Jobs.Each(tx, "", func(_ string, j *db.Job) (bool, error) {
			c.revisions++
			if j.State != db.Done {
				return true, nil
			}
			if j.Slices == slices {
				whole[j.Series] = true
			}
			for uid, sum := range dataSums(v.t, filepath.Join(v.dir, "results", j.ID)) {
				c.objects++
				for _, p := range to {
					if len(p.got[uid]) == 0 || p.got[uid][0] != sum {
						c.missing++
					}
				}
			}
			return true, nil
		})
	})
	if err != nil {
		v.t.Fatal(err)
	}
	c.series = len(whole)
	c.missing += series - len(whole)
	for _, p := range to {
		for _, sums := range p.got {
			c.delivered += len(sums)
			for _, sum := range sums[1:] {
				if sum == sums[0] {
					c.again++
				} else {
					c.different++
				}
			}
		}
	}
	for _, d := range []string{"incoming", "jobs"} {
		if notEmpty(v.dir, d) {
			c.left++
		}
	}
	if _, err := audit.Verify(filepath.Join(v.dir, "audit.log")); err != nil {
		v.t.Error(err)
	}
	return c
}

func holds(path string, offset int64, sum string) bool {
	b, err := os.ReadFile(path)
	if err != nil || int64(len(b)) < offset {
		return false
	}
	got := sha256.Sum256(b[offset:])
	return hex.EncodeToString(got[:]) == sum
}
