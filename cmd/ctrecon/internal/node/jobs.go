package node

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/store"
)

// runJobs runs one job after the other until ctx ends.
func (n *Node) runJobs(ctx context.Context) {
	runtime.LockOSThread() // a child dies with the thread that began it
	defer runtime.UnlockOSThread()
	for ctx.Err() == nil {
		j, in, nap := n.claim(time.Now())
		if j != nil {
			wake(n.wakeJobs) // there may be more, for others
			n.runJob(ctx, j, in)
			continue
		}
		select {
		case <-ctx.Done():
		case <-n.wakeJobs:
		case <-time.After(nap):
		}
	}
}

// claim takes the job that is to run next: of the highest priority, the oldest. On a full
// disk none is. Without a job, nap says when to look again.
func (n *Node) claim(now time.Time) (job *store.Job, in *store.Input, nap time.Duration) {
	if ok, _ := n.spool.Room(0); !ok {
		return nil, nil, longestNap
	}
	id, nap := n.nextJob(now)
	if id == "" {
		return nil, nil, nap
	}
	ok := n.update("a job is claimed", func(tx *store.Tx) error {
		j, ok, err := store.Jobs.Get(tx, id)
		if err != nil || !ok || j.State != store.Queued {
			return err
		}
		if in, ok, err = store.Inputs.Get(tx, id); err != nil {
			return err
		}
		if !ok {
			in = &store.Input{}
		}
		j.State, j.Started, j.Tries = store.Running, now.UTC(), j.Tries+1
		job = j
		return store.Jobs.Put(tx, id, j)
	})
	if !ok {
		return nil, nil, longestNap
	}
	return job, in, nap
}

func (n *Node) nextJob(now time.Time) (id string, nap time.Duration) {
	var best *store.Job
	nap = longestNap
	n.view("queued jobs", func(tx *store.Tx) error {
		return store.OpenJobs.Each(tx, "", func(id string, _ *store.Mark) (bool, error) {
			j, ok, err := store.Jobs.Get(tx, id)
			switch {
			case err != nil || !ok || j.State != store.Queued:
			case !reached(j.Next, now):
				nap = min(nap, j.Next.Sub(now))
			case best == nil || before(j, best):
				best = j
			}
			return true, err
		})
	})
	if best == nil {
		return "", nap
	}
	return best.ID, 0
}

// before says whether a runs before b.
func before(a, b *store.Job) bool {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) < 0
}

// runJob makes one try of a job and settles what came of it.
func (n *Node) runJob(ctx context.Context, j *store.Job, in *store.Input) {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	n.running(j.ID, func() { cancel(errCancelled) })
	defer n.running(j.ID, nil)
	// A folder of its own for each try: a child that outlives a killed node disturbs none.
	dir := n.path(jobsDir, fmt.Sprintf("%s-%s-%d", j.ID, n.boot, j.Tries))
	defer os.RemoveAll(dir)
	begin := time.Now()
	end := n.attempt(ctx, own, j, in, dir)
	n.metrics.jobs[end.verdict].Add(1)
	n.metrics.jobTime.add(time.Since(begin))
	n.log.Info("job tried", "job", j.ID, "try", j.Tries, "end", verdictNames[end.verdict], "reason", end.reason, "seconds", time.Since(begin).Seconds())
	os.RemoveAll(dir)
	if end.verdict != done {
		n.notDone(j.ID, end)
		wake(n.wakeJobs)
	}
}

// running notes how a running job is cancelled; nil: it runs no more.
func (n *Node) running(id string, cancel func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.progress, id)
	if cancel == nil {
		delete(n.cancels, id)
		return
	}
	n.cancels[id] = cancel
}

// attempt runs a job in dir and puts its result in place.
func (n *Node) attempt(ctx, own context.Context, j *store.Job, in *store.Input, dir string) ending {
	arg, end := n.layInput(dir, in)
	if end.verdict != done {
		return end
	}
	out := dir + "/out"
	if end := n.child(ctx, own, j, arg, out); end.verdict != done {
		end.reason = strings.ReplaceAll(end.reason, dir+"/", "")
		return end
	}
	if err := n.publish(j, out); err != nil {
		return ending{broken, "the result could not be put in place: " + err.Error()}
	}
	return ending{}
}

// notDone settles a try that gave no result, unless the job was cancelled meanwhile.
func (n *Node) notDone(id string, end ending) {
	var failed *store.Job
	n.update("end of a job", func(tx *store.Tx) error {
		j, ok, err := store.Jobs.Get(tx, id)
		if err != nil || !ok || j.State != store.Running {
			return err
		}
		j.Reason = end.reason
		switch {
		case end.verdict == interrupted:
			j.State, j.Interrupted, j.Next = store.Queued, j.Interrupted+1, time.Time{}
		case end.verdict == refused || j.Tries-j.Interrupted >= n.o.Tries:
			failed = j
			return settle(tx, j, store.Failed)
		default:
			j.State, j.Next = store.Queued, n.again(j.Tries-j.Interrupted)
		}
		return store.Jobs.Put(tx, id, j)
	})
	if failed != nil {
		n.log.Error("job failed", "job", id, "tries", failed.Tries, "reason", failed.Reason)
		n.note("job failed", map[string]string{"job": id, "reason": failed.Reason})
	}
}

// setProgress keeps the last line of a running job.
func (n *Node) setProgress(id, line string) {
	line = strings.TrimSpace(line)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cancels[id] != nil && line != "" {
		n.progress[id] = line
	}
}
