package node

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
)

const (
	openCommitments = 1000 // requests without a report that are kept, of all peers
	keptCommitments = 500  // settled ones that are remembered
)

// Reported is the state of a request of commitment that was answered.
const Reported = "reported"

// Commit takes a request that we keep objects (dimse.Handler). The report follows on an
// association of our own, to the peer of the rules that has the caller's title.
func (n *Node) Commit(_ context.Context, from dimse.Remote, r dimse.Commitment) dimse.Status {
	if _, ok := n.rules.Load().Titled(from.Calling); !ok {
		return dimse.Status{Code: dimse.NotAuthorized, Comment: "no peer of this AE title is in the rules: where to report?"}
	}
	key := store.Key(from.Calling, r.Transaction)
	c := &store.Commitment{Peer: from.Calling, Transaction: r.Transaction, Received: time.Now().UTC(), State: store.Queued}
	for _, i := range r.Instances {
		c.Instances = append(c.Instances, [2]string{i.SOPClass, i.SOPInstance})
	}
	status := dimse.Status{}
	err := n.store.Update(func(tx *store.Tx) error {
		_, known, err := store.Commitments.Get(tx, key)
		if err != nil || known { // the answer to the first request was lost
			return err
		}
		if store.Commitments.Len(tx) >= openCommitments+keptCommitments {
			status = dimse.Status{Code: dimse.ResourceLimitation, Comment: "too many requests of commitment are open"}
			return nil
		}
		if err := startWhole(tx, c); err != nil {
			return err
		}
		return store.Commitments.Put(tx, key, c)
	})
	if err != nil {
		n.log.Error("a request of storage commitment could not be kept", "error", err.Error())
		return dimse.Status{Code: dimse.ProcessingFailure, Comment: "the request could not be written to disk"}
	}
	n.note("storage commitment asked of us", map[string]string{"peer": from.Calling, "transaction": r.Transaction, "objects": strconv.Itoa(len(c.Instances))})
	wake(n.wakeOut)
	wake(n.wakeSeries)
	return status
}

// startWhole starts the series whose objects a request names, when all that it names is
// here: the sender has said what it sent.
func startWhole(tx *store.Tx, c *store.Commitment) error {
	series := map[string]bool{}
	for _, x := range c.Instances {
		i, ok, err := store.Instances.Get(tx, x[1])
		if err != nil || !ok {
			return err
		}
		series[i.Series] = true
	}
	for uid := range series {
		s, ok, err := store.SeriesTable.Get(tx, uid)
		if err != nil {
			return err
		}
		if ok && s.New > 0 {
			s.Ready = fmt.Sprintf("all %d objects of the sender's commitment request are here", len(c.Instances))
			if err := store.SeriesTable.Put(tx, uid, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// askers are the titles of peers that wait for a report whose time has come.
func (n *Node) askers(now time.Time) (out []string) {
	n.view("commitments", func(tx *store.Tx) error {
		return store.Commitments.Each(tx, "", func(_ string, c *store.Commitment) (bool, error) {
			if c.State == store.Queued && reached(c.Next, now) && (len(out) == 0 || out[len(out)-1] != c.Peer) {
				out = append(out, c.Peer)
			}
			return true, nil
		})
	})
	return out
}

// reports answers the requests of a peer whose time has come.
func (n *Node) reports(ctx context.Context, peer string) {
	var todo []*store.Commitment
	n.view("commitments", func(tx *store.Tx) error {
		return store.Commitments.Each(tx, store.Key(peer, ""), func(_ string, c *store.Commitment) (bool, error) {
			if c.State == store.Queued && reached(c.Next, time.Now()) {
				todo = append(todo, c)
			}
			return len(todo) < 100, nil
		})
	})
	for _, c := range todo {
		if ctx.Err() != nil {
			return
		}
		n.report(ctx, c)
	}
}

// report answers one request.
func (n *Node) report(ctx context.Context, c *store.Commitment) {
	work, stop := n.lingering(ctx)
	defer stop()
	err := n.tell(work, c)
	if ctx.Err() != nil && err != nil {
		return // the next run asks again
	}
	c.Tries++
	c.Next = n.again(c.Tries)
	switch {
	case err == nil:
		c.State, c.Reason, c.Instances = Reported, fmt.Sprintf("%d objects", len(c.Instances)), nil
		n.note("storage commitment reported", map[string]string{"peer": c.Peer, "transaction": c.Transaction})
	case time.Since(c.Received) > giveUp:
		c.State, c.Reason, c.Instances = store.Failed, err.Error(), nil
		n.note("storage commitment could not be reported", map[string]string{"peer": c.Peer, "transaction": c.Transaction, "reason": err.Error()})
	default:
		c.Reason = err.Error()
		n.log.Warn("storage commitment not reported", "peer", c.Peer, "transaction", c.Transaction, "reason", c.Reason)
	}
	n.update("commitment", func(tx *store.Tx) error {
		if err := store.Commitments.Put(tx, store.Key(c.Peer, c.Transaction), c); err != nil {
			return err
		}
		return trimCommitments(tx)
	})
}

// tell sends a report of what is here now.
func (n *Node) tell(ctx context.Context, c *store.Commitment) error {
	peer, ok := n.rules.Load().Titled(c.Peer)
	if !ok {
		return fmt.Errorf("the rules have no peer of AE title %q any more", c.Peer)
	}
	report := dimse.CommitmentReport{Transaction: c.Transaction}
	for _, x := range c.Instances {
		ref := dimse.Reference{SOPClass: x[0], SOPInstance: x[1]}
		if reason := n.holds(ref); reason == dimse.Success {
			report.Stored = append(report.Stored, ref)
		} else {
			report.Failed = append(report.Failed, dimse.Failure{Reference: ref, Reason: reason})
		}
	}
	status, err := n.client(peer).Report(ctx, report)
	if err == nil && !status.OK() {
		err = fmt.Errorf("the peer answered %v", status)
	}
	return err
}

// holds says whether an object is kept here, and why not.
func (n *Node) holds(r dimse.Reference) (reason uint16) {
	var i *store.Instance
	var ok bool
	if err := n.store.View(func(tx *store.Tx) (err error) {
		i, ok, err = store.Instances.Get(tx, r.SOPInstance)
		return err
	}); err != nil {
		return dimse.ProcessingFailure
	}
	if !ok {
		return dimse.NoSuchInstance
	}
	info, err := os.Stat(n.path(i.File))
	switch {
	case i.Class != r.SOPClass:
		return dimse.ClassInstanceConflict
	case err != nil:
		return dimse.NoSuchInstance
	case info.Size() != i.Bytes:
		return dimse.ProcessingFailure
	}
	return dimse.Success
}

// trimCommitments forgets the oldest of the settled requests.
func trimCommitments(tx *store.Tx) error {
	var settled []*store.Commitment
	err := store.Commitments.Each(tx, "", func(_ string, c *store.Commitment) (bool, error) {
		if c.State != store.Queued {
			settled = append(settled, c)
		}
		return true, nil
	})
	if err != nil || len(settled) <= keptCommitments {
		return err
	}
	oldest := settled[0]
	for _, c := range settled {
		if c.Received.Before(oldest.Received) {
			oldest = c
		}
	}
	return store.Commitments.Delete(tx, store.Key(oldest.Peer, oldest.Transaction))
}
