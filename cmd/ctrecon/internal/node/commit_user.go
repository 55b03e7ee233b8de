package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/rules"
	"ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
	"ctrecon/dicomio/uid"
)

const (
	// sameAssociation is how long a report is waited for on the association of its request.
	sameAssociation = 10 * time.Second
	// reportWait is after how long without a report commitment is asked again.
	reportWait = 10 * time.Minute
)

// askCommitment asks a destination to keep what it has taken. asked says that there was
// something to ask for.
func (n *Node) askCommitment(ctx context.Context, p rules.Peer) (asked, ok bool) {
	now := time.Now()
	todo := append(n.due(p.Name, store.Sent, now), n.unanswered(p.Name, now)...)
	if len(todo) == 0 {
		return false, true
	}
	return true, n.request(ctx, p, todo)
}

// request asks for commitment of deliveries.
func (n *Node) request(ctx context.Context, p rules.Peer, todo []*store.Delivery) (ok bool) {
	now := time.Now()
	rq := dimse.Commitment{Transaction: uid.Random()}
	for _, d := range todo {
		rq.Instances = append(rq.Instances, dimse.Reference{SOPClass: d.Class, SOPInstance: d.Instance})
		d.State, d.Transaction, d.Next = store.Asked, rq.Transaction, now.UTC().Add(reportWait)
	}
	if !n.keepAll(todo) { // before the request: the report may come before its answer
		return false
	}
	wait, stop := n.lingering(ctx)
	defer stop()
	n.awaitReport(rq.Transaction, stop)
	defer n.awaitReport(rq.Transaction, nil)
	status, report, err := n.client(p).WaitCommitment(wait, rq, sameAssociation)
	switch {
	case report != nil:
		n.reported(*report)
		return true
	case wait.Err() != nil || err == nil && status.OK():
		return true // it came to our own port, or will
	case err == nil:
		return n.notAsked(rq.Transaction, p.Name, errors.New("storage commitment: "+status.String()), true)
	}
	return n.notAsked(rq.Transaction, p.Name, err, refusesForGood(err))
}

// unanswered are deliveries whose report has not come in its time; after giveUp they fail.
func (n *Node) unanswered(to string, now time.Time) (again []*store.Delivery) {
	for _, d := range n.due(to, store.Asked, now) {
		if d.Doubt {
			sendAfterAll(d)
			n.keepDelivered(d, true)
			continue
		}
		if now.Sub(d.Created) > giveUp {
			n.afterError(d, errors.New("no report on storage commitment has come"), true)
			continue
		}
		again = append(again, d)
	}
	return again
}

// awaitReport remembers whom a report on our own port sets free; nil forgets it.
func (n *Node) awaitReport(transaction string, stop func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if stop == nil {
		delete(n.awaited, transaction)
	} else {
		n.awaited[transaction] = stop
	}
}

func (n *Node) keepAll(all []*store.Delivery) bool {
	return n.update("commitment asked", func(tx *store.Tx) error {
		for _, d := range all {
			if err := keepDelivery(tx, d, true); err != nil {
				return err
			}
		}
		return nil
	})
}

// notAsked takes deliveries back to where they were, as the request failed. Where the peer
// will never say, what is in doubt is sent.
func (n *Node) notAsked(transaction, to string, err error, forGood bool) bool {
	n.log.Warn("storage commitment not asked", "destination", to, "reason", err.Error())
	n.settleAsked(transaction, func(d *store.Delivery) bool {
		switch {
		case d.Doubt && forGood:
			sendAfterAll(d)
			return true
		case d.Doubt:
			d.State, d.Transaction = store.Queued, ""
			n.failOnce(d, err, false)
			return d.State != store.Failed
		}
		d.State, d.Transaction = store.Sent, ""
		n.failOnce(d, err, true)
		return d.State != store.Failed
	})
	return false
}

// sendAfterAll settles a doubt: the object has not arrived, or nobody can say.
func sendAfterAll(d *store.Delivery) {
	d.State, d.Transaction, d.Doubt, d.Next = store.Queued, "", false, time.Time{}
}

// settleAsked changes the deliveries of a transaction; change says whether something is
// still to be done. It returns how many there are.
func (n *Node) settleAsked(transaction string, change func(d *store.Delivery) (open bool)) int {
	count := 0
	n.update("commitment", func(tx *store.Tx) error {
		var all []*store.Delivery
		err := store.Outbox.Each(tx, "", func(key string, _ *store.Mark) (bool, error) {
			d, err := deliveryOf(tx, key)
			if d != nil && d.State == store.Asked && d.Transaction == transaction {
				all = append(all, d)
			}
			return true, err
		})
		for _, d := range all {
			open := change(d)
			if err == nil {
				err = keepDelivery(tx, d, open)
			}
		}
		count = len(all)
		return err
	})
	return count
}

// Report takes the report on a request of our own (dimse.Handler).
func (n *Node) Report(_ context.Context, _ dimse.Remote, r dimse.CommitmentReport) dimse.Status {
	if n.reported(r) == 0 {
		return dimse.Status{Code: dimse.NoSuchArgument, Comment: "no such transaction is open"}
	}
	n.mu.Lock()
	stop := n.awaited[r.Transaction]
	n.mu.Unlock()
	if stop != nil {
		stop()
	}
	return dimse.Status{}
}

// reported settles the deliveries of a transaction by its report: what the peer does not
// keep is sent again.
func (n *Node) reported(r dimse.CommitmentReport) int {
	stored, failed := map[string]bool{}, map[string]uint16{}
	for _, i := range r.Stored {
		stored[i.SOPInstance] = true
	}
	for _, f := range r.Failed {
		failed[f.SOPInstance] = f.Reason
	}
	done := map[[2]string]int{}
	count := n.settleAsked(r.Transaction, func(d *store.Delivery) bool {
		if stored[d.Instance] {
			d.State, d.Status, d.Doubt, d.Next = store.Committed, "", false, time.Time{}
			done[[2]string{d.Job, d.Destination}]++
			return false
		}
		if d.Doubt {
			sendAfterAll(d)
			return true
		}
		why := errors.New("the peer's report on storage commitment does not name it")
		if reason, ok := failed[d.Instance]; ok {
			why = fmt.Errorf("the peer does not keep it: %v", dimse.Status{Code: reason})
		}
		d.State = store.Queued
		n.failOnce(d, why, true)
		return d.State != store.Failed
	})
	for k, objects := range done {
		n.note("destination keeps objects", map[string]string{"job": k[0], "destination": k[1], "objects": fmt.Sprint(objects)})
		n.deliveredAll(k[0], k[1])
	}
	if count > 0 {
		wake(n.wakeOut)
	}
	return count
}
