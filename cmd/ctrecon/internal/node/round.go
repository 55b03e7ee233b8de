package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/rules"
	"ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
)

// round sends what is due on one association, then asks for commitment. more says that
// it did something; ok is false when the destination should be left alone for a while.
func (n *Node) round(ctx context.Context, to string, now time.Time) (more, ok bool) {
	todo := n.due(to, store.Queued, now)
	peer, err := n.destination(to)
	if err != nil {
		n.putOff(todo, err, false)
		return false, false
	}
	more, ok = len(todo) > 0, true
	if peer.Commit {
		if todo, ok = n.clearDoubts(ctx, peer, todo); !ok {
			return more, false
		}
	}
	if len(todo) > 0 {
		ok = n.send(ctx, peer, todo)
	}
	if ok && peer.Commit && ctx.Err() == nil {
		asked, fine := n.askCommitment(ctx, peer)
		more, ok = more || asked, fine
	}
	return more, ok
}

// clearDoubts asks a destination for those objects that it may have already, and marks
// those that are to be sent now: when we are killed, they are in doubt.
func (n *Node) clearDoubts(ctx context.Context, p rules.Peer, todo []*store.Delivery) (send []*store.Delivery, ok bool) {
	var doubtful []*store.Delivery
	for _, d := range todo {
		if d.Doubt {
			doubtful = append(doubtful, d)
		} else {
			send = append(send, d)
		}
	}
	if len(doubtful) > 0 && !n.request(ctx, p, doubtful) {
		return nil, false
	}
	return send, n.setDoubt(send, true)
}

// setDoubt marks deliveries that are about to be sent, or were not.
func (n *Node) setDoubt(all []*store.Delivery, doubt bool) bool {
	if len(all) == 0 {
		return true
	}
	return n.update("doubt", func(tx *store.Tx) error {
		for _, d := range all {
			d.Doubt = doubt
			if err := keepDelivery(tx, d, true); err != nil {
				return err
			}
		}
		return nil
	})
}

// destination is the peer of a name in the rules that hold.
func (n *Node) destination(to string) (rules.Peer, error) {
	peer, ok := n.rules.Load().Peer(to)
	switch {
	case !ok:
		return peer, fmt.Errorf("the rules have no peer %q any more", to)
	case peer.TLS && n.o.TLS == nil:
		return peer, fmt.Errorf("peer %q wants TLS, and the node has no configuration for it", to)
	}
	return peer, nil
}

func (n *Node) client(p rules.Peer) *dimse.Client {
	var secure *tls.Config
	if p.TLS {
		secure = n.o.TLS
	}
	return &dimse.Client{AETitle: n.o.AETitle, Peer: p.Entity, TLS: secure, Limits: n.o.Limits}
}

// send sends deliveries on one association. It is false when the peer could not be
// reached, broke off or is out of resources, and took nothing.
func (n *Node) send(ctx context.Context, p rules.Peer, todo []*store.Delivery) (ok bool) {
	work, stop := n.lingering(ctx)
	defer stop()
	objects, todo := n.readObjects(todo)
	if len(todo) == 0 {
		return true
	}
	a, err := n.client(p).Open(work, objects)
	if err != nil {
		n.putOff(todo, err, refusesForGood(err))
		return false
	}
	taken := 0
	defer func() {
		if p.Commit {
			n.setDoubt(todo, false) // of the rest nothing was sent
		}
	}()
	for i := 0; len(todo) > 0; i++ {
		if ctx.Err() != nil {
			break // the rest is for the next run
		}
		d := todo[0]
		todo = todo[1:]
		status, err := a.Store(work, objects[i])
		n.afterStore(d, status, err, a.Lost())
		if err == nil && status.OK() {
			taken++
		}
		if a.Lost() || err == nil && status.Transient() {
			ok = taken > 0
			break
		}
		ok = true
	}
	if !a.Lost() {
		a.Release(work) // every object has its status: nothing is lost when this fails
	}
	n.log.Info("objects sent", "destination", p.Name, "taken", taken, "of", len(objects))
	return ok || ctx.Err() != nil
}

// readObjects finds the objects of deliveries; one that is gone fails.
func (n *Node) readObjects(todo []*store.Delivery) (objects []dimse.Object, there []*store.Delivery) {
	for _, d := range todo {
		o, err := dimse.ReadObject(n.path(d.File))
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = errors.New("the object is gone from the data folder")
			}
			d.Doubt = false
			n.afterError(d, err, true)
			continue
		}
		objects, there = append(objects, o), append(there, d)
	}
	return objects, there
}

// refusesForGood says whether the peer will not take this, however often it is asked.
func refusesForGood(err error) bool {
	var no *dimse.NotAccepted
	var rejected *dimse.Rejected
	return errors.As(err, &no) || errors.As(err, &rejected) && !rejected.Transient()
}

// afterStore notes what became of one object. lost says that the association was lost
// before there was an answer: the object stays in doubt.
func (n *Node) afterStore(d *store.Delivery, s dimse.Status, err error, lost bool) {
	switch {
	case err != nil && lost:
		n.afterError(d, err, false)
	case err != nil:
		d.Doubt = false
		n.afterError(d, err, refusesForGood(err))
	case s.OK():
		d.Status, d.Doubt = "", false
		if s.Warning() {
			d.Status = s.String()
		}
		d.State, d.Tries, d.Next = store.Sent, 0, time.Time{}
		peer, _ := n.rules.Load().Peer(d.Destination)
		n.metrics.sent.add(d.Destination, 1)
		n.keepDelivered(d, peer.Commit)
	default:
		d.Doubt = false
		n.afterError(d, errors.New(s.String()), !s.Transient())
	}
}

// afterError puts a delivery off, or gives it up: after Tries where the peer said no for
// good, after giveUp otherwise.
func (n *Node) afterError(d *store.Delivery, err error, forGood bool) {
	n.metrics.sendErrors.add(d.Destination, 1)
	n.failOnce(d, err, forGood)
	n.keepDelivered(d, d.State != store.Failed)
}

func (n *Node) failOnce(d *store.Delivery, err error, forGood bool) {
	d.Tries++
	if forGood {
		d.Refusals++
	}
	d.Status, d.Next = err.Error(), n.again(d.Tries)
	if d.Refusals >= n.o.Tries || time.Since(d.Created) > giveUp {
		d.State = store.Failed
		n.log.Error("delivery failed", "job", d.Job, "destination", d.Destination, "instance", d.Instance, "tries", d.Tries, "reason", d.Status)
		n.note("delivery failed", map[string]string{"job": d.Job, "destination": d.Destination, "instance": d.Instance, "reason": d.Status})
	}
}

// keepDelivered stores a delivery; open says that something is still to be done. When the
// store fails, the object goes out once more.
func (n *Node) keepDelivered(d *store.Delivery, open bool) {
	n.update("delivery", func(tx *store.Tx) error { return keepDelivery(tx, d, open) })
	if !open && d.State != store.Failed {
		n.deliveredAll(d.Job, d.Destination)
	}
}

// putOff notes that a destination could not be reached. Where it may be reached later,
// the deliveries count no tries: the circuit waits for all of them.
func (n *Node) putOff(todo []*store.Delivery, err error, forGood bool) {
	if len(todo) == 0 {
		return
	}
	n.metrics.sendErrors.add(todo[0].Destination, 1)
	n.log.Warn("destination not served", "destination", todo[0].Destination, "objects", len(todo), "reason", err.Error())
	n.update("deliveries put off", func(tx *store.Tx) error {
		for _, d := range todo {
			old, doubt := d.Status, d.Doubt
			d.Doubt = false
			if forGood || time.Since(d.Created) > giveUp {
				n.failOnce(d, err, forGood)
			} else if d.Status = err.Error(); d.Status == old && !doubt {
				continue
			}
			if e := keepDelivery(tx, d, d.State != store.Failed); e != nil {
				return e
			}
		}
		return nil
	})
}

// deliveredAll writes the audit event of a job's last object to a destination.
func (n *Node) deliveredAll(job, to string) {
	left := true
	n.view("outbox", func(tx *store.Tx) error {
		prefix := store.Key(to, job, "")
		left = strings.HasPrefix(store.Outbox.Seek(tx, prefix), prefix)
		return nil
	})
	if !left {
		n.note("result delivered", map[string]string{"job": job, "destination": to})
	}
}
