package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/rules"
	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
)

// Deposited is what became of an object that was handed in.
type Deposited struct {
	SOPClass, SOPInstance, Series string
	Status                        dimse.Status
	Duplicate, Conflict           bool
}

// Health says whether the node can take objects, and what is wrong with it.
type Health struct {
	Ready    bool
	Problems []string
}

// View reads the truth.
func (n *Node) View(f func(tx *store.Tx) error) error { return n.store.View(f) }

// Deposit takes one DICOM file (PS3.10) that came another way than by C-STORE. from
// names the request, and is unique while this process runs; what stands before its first
// slash is the calling title for the rules. Without an error the object is stored.
func (n *Node) Deposit(ctx context.Context, from string, r io.Reader) (Deposited, error) {
	in, err := n.spool.Begin(nil)
	if err != nil {
		return refusal(n.noRoom(err))
	}
	defer in.Discard()
	if _, err := io.Copy(in, &contextReader{ctx, r}); err != nil {
		if in.Err() != nil {
			return refusal(n.noRoom(in.Err()))
		}
		return Deposited{}, err
	}
	if err := in.Seal(); err != nil {
		return refusal(n.noRoom(err))
	}
	o, err := dimse.ReadObject(in.Path())
	if err != nil {
		_, why, _ := strings.Cut(err.Error(), ": ")
		n.quarantine(n.depositor(from), in, object{}, why)
		return refusal(dimse.Status{Code: dimse.CannotUnderstand, Comment: comment(why)})
	}
	sum, err := fileSum(in.Path(), o.Offset)
	if err != nil {
		return refusal(n.noRoom(err))
	}
	d := n.accept(n.depositor(from), in, object{sum: sum, offset: o.Offset})
	if !d.Status.OK() {
		return d, errors.New(d.Status.String())
	}
	return d, nil
}

func refusal(s dimse.Status) (Deposited, error) { return Deposited{Status: s}, errors.New(s.String()) }

// contextReader stops when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (n *Node) depositor(from string) origin {
	calling, _, _ := strings.Cut(from, "/")
	return origin{id: n.boot + "-" + from, calling: calling, called: n.o.AETitle}
}

// DepositEnd tells that a request is over, which brought objects of these series, however
// it ended: its series wait for it.
func (n *Node) DepositEnd(from string, series []string) {
	o := n.depositor(from)
	for _, uid := range series {
		n.touch(o.id, uid)
	}
	n.ended(o, true)
}

// changeJob changes a job in a transaction.
func (n *Node) changeJob(id string, change func(tx *store.Tx, j *store.Job) error) error {
	return n.store.Update(func(tx *store.Tx) error {
		j, ok, err := store.Jobs.Get(tx, id)
		if err == nil && !ok {
			err = fmt.Errorf("job: %w", ErrUnknown)
		}
		if err != nil {
			return err
		}
		return change(tx, j)
	})
}

// RetryJob puts a failed or cancelled job into the queue again.
func (n *Node) RetryJob(id string) error {
	err := n.changeJob(id, func(tx *store.Tx, j *store.Job) error {
		if j.State != store.Failed && j.State != store.Cancelled {
			return fmt.Errorf("job %s is %s: only a failed or cancelled one can be tried again", id, j.State)
		}
		j.State, j.Tries, j.Interrupted, j.Reason, j.Next, j.Ended = store.Queued, 0, 0, "", time.Time{}, time.Time{}
		if err := store.OpenJobs.Put(tx, id, &store.Mark{}); err != nil {
			return err
		}
		return store.Jobs.Put(tx, id, j)
	})
	if err == nil {
		n.note("job tried again by hand", map[string]string{"job": id})
		wake(n.wakeJobs)
	}
	return err
}

// CancelJob ends a job that is not done.
func (n *Node) CancelJob(id string) error {
	err := n.changeJob(id, func(tx *store.Tx, j *store.Job) error {
		if !j.Open() && j.State != store.Failed {
			return fmt.Errorf("job %s is %s already", id, j.State)
		}
		j.Reason = "cancelled by hand"
		return settle(tx, j, store.Cancelled)
	})
	if err != nil {
		return err
	}
	n.note("job cancelled", map[string]string{"job": id})
	n.mu.Lock()
	stop := n.cancels[id]
	n.mu.Unlock()
	if stop != nil {
		stop()
	}
	return nil
}

// RetryDeliveries sends again what could not be delivered of a job.
func (n *Node) RetryDeliveries(job string) error {
	count := 0
	err := n.store.Update(func(tx *store.Tx) error {
		var failed []*store.Delivery
		if err := store.Deliveries.Each(tx, store.Key(job, ""), func(_ string, d *store.Delivery) (bool, error) {
			if d.State == store.Failed {
				failed = append(failed, d)
			}
			return true, nil
		}); err != nil {
			return err
		}
		if count = len(failed); count == 0 {
			return fmt.Errorf("job %s has no failed delivery: %w", loggableID(job), ErrUnknown)
		}
		for _, d := range failed {
			d.State, d.Tries, d.Refusals, d.Next, d.Created, d.Status = store.Queued, 0, 0, time.Time{}, time.Now().UTC(), ""
			if err := keepDelivery(tx, d, true); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		n.note("deliveries tried again by hand", map[string]string{"job": job, "objects": fmt.Sprint(count)})
		n.closeCircuits()
		wake(n.wakeOut)
	}
	return err
}

// maxJobID is longer than the names of jobs are.
const maxJobID = 64

// IsJobID says whether a text could be the name of a job, which names folders and stands
// in logs.
func IsJobID(id string) bool {
	return id != "" && len(id) <= maxJobID && strings.Trim(id, "0123456789abcdef-rs") == ""
}

// loggableID is the name of a job, or the word that it is none.
func loggableID(id string) string {
	if IsJobID(id) {
		return id
	}
	return "(no job)"
}

// Progress is the last line that a running job has written, "" for others.
func (n *Node) Progress(job string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.progress[job]
}

// ResultDir is the folder of a finished job.
func (n *Node) ResultDir(job string) (string, bool) {
	var done bool
	n.view("result", func(tx *store.Tx) error {
		j, ok, err := store.Jobs.Get(tx, job)
		done = ok && j.State == store.Done
		return err
	})
	if !done {
		return "", false
	}
	dir := n.path(resultsDir, job)
	_, err := os.Stat(dir)
	return dir, err == nil
}

// Quarantine lists what was not understood, the newest first.
func (n *Node) Quarantine() ([]spool.Reason, error) { return n.spool.Reasons() }

// RulesText is the file of the rules that hold, and its text; "" for the rules that hold
// without a file.
func (n *Node) RulesText() (file, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.o.RulesFile, n.rulesText
}

// Peers are those of the rules that hold.
func (n *Node) Peers() []rules.Peer { return n.rules.Load().Peers }

// Disk is how many bytes are left on the disk of the data folder, -1 when it does not
// say, and how many the received objects take.
func (n *Node) Disk() (free, used int64) { return n.spool.Free(), n.spool.Used() }

// oldQueue is how long a job may wait before it is told as a problem.
const oldQueue = time.Hour

// Reconcile looks at disk, store, rules and queue.
func (n *Node) Reconcile() Health {
	h := Health{Ready: true}
	wrong := func(fatal bool, format string, a ...any) {
		h.Ready = h.Ready && !fatal
		h.Problems = append(h.Problems, fmt.Sprintf(format, a...))
	}
	if ok, low := n.spool.Room(0); !ok {
		wrong(true, "disk: no room for objects; senders are told to try later")
	} else if low {
		wrong(true, "disk: nearly full; new associations are put off")
	}
	q, err := n.queues()
	if err != nil {
		wrong(true, "store: %v", err)
	}
	if q.oldest > oldQueue {
		wrong(false, "queue: the oldest of %d jobs waits for %v", q.queued, q.oldest.Round(time.Minute))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rulesWrong != "" {
		wrong(false, "rules: %s; the former ones hold", n.rulesWrong)
	}
	return h
}

// Congested says that senders should come later (dimse.Server.Congested).
func (n *Node) Congested() bool {
	ok, low := n.spool.Room(0)
	return !ok || low
}
