package node

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/store"
)

// circuit keeps a destination that fails from being asked all the time.
type circuit struct {
	failures int
	next     time.Time
}

// fail opens the circuit for a while that grows with each failure in a row.
func (c *circuit) fail(first time.Duration, now time.Time) {
	c.failures++
	c.next = now.Add(jitter(pause(first, c.failures)))
}

// closeCircuits lets every destination be asked again.
func (n *Node) closeCircuits() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.circuits)
}

// dispatch begins a courier for each destination that has something to get, and one for
// each peer that waits for a report, and says when to look again.
func (n *Node) dispatch(ctx context.Context, wg *sync.WaitGroup) time.Duration {
	now := time.Now()
	next := longestNap
	for _, to := range n.destinations() {
		next = min(next, n.courier(wg, "to "+to, now, func(c *circuit) { n.rounds(ctx, to, c) }))
	}
	for _, peer := range n.askers(now) {
		next = min(next, n.courier(wg, "report "+peer, now, func(*circuit) { n.reports(ctx, peer) }))
	}
	return next
}

// courier runs work unless it runs already or its circuit is open, and says when to look
// again.
func (n *Node) courier(wg *sync.WaitGroup, name string, now time.Time, work func(*circuit)) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.circuits[name]
	if c == nil {
		c = &circuit{}
		n.circuits[name] = c
	}
	switch {
	case n.couriers[name]:
		return longestNap
	case !reached(c.next, now):
		return c.next.Sub(now)
	}
	n.couriers[name] = true
	wg.Go(func() {
		defer func() {
			n.mu.Lock()
			delete(n.couriers, name)
			failed := c.failures > 0
			n.mu.Unlock()
			if failed {
				wake(n.wakeOut) // which finds out how long to wait
			}
		}()
		work(c)
	})
	return longestNap
}

// destinations are those that have something in the outbox.
func (n *Node) destinations() (out []string) {
	n.view("outbox", func(tx *store.Tx) error {
		for key := store.Outbox.Seek(tx, ""); key != ""; {
			to := store.Parts(key)[0]
			out = append(out, to)
			key = store.Outbox.Seek(tx, to+"\x0b") // behind all keys that begin with to and a line feed
		}
		return nil
	})
	return out
}

// batch bounds the objects of one association, or of one request of commitment.
const batch = 500

// due are deliveries of a destination in a state whose time has come: those with the
// fewest tries first, so that one at which the peer always breaks off stops no other.
func (n *Node) due(to, state string, now time.Time) (out []*store.Delivery) {
	n.view("deliveries", func(tx *store.Tx) error {
		return store.Outbox.Each(tx, store.Key(to, ""), func(key string, _ *store.Mark) (bool, error) {
			d, err := deliveryOf(tx, key)
			if err == nil && d != nil && d.State == state && reached(d.Next, now) {
				out = append(out, d)
			}
			return len(out) < 20*batch, err
		})
	})
	slices.SortStableFunc(out, func(a, b *store.Delivery) int { return cmp.Compare(a.Tries, b.Tries) })
	return out[:min(len(out), batch)]
}

// deliveryOf is the delivery of a key of the outbox.
func deliveryOf(tx *store.Tx, key string) (*store.Delivery, error) {
	p := store.Parts(key)
	if len(p) != 3 {
		return nil, nil
	}
	d, _, err := store.Deliveries.Get(tx, store.Key(p[1], p[0], p[2]))
	return d, err
}

// rounds serves a destination until nothing is due, it fails, or ctx ends.
func (n *Node) rounds(ctx context.Context, to string, c *circuit) {
	for ctx.Err() == nil {
		now := time.Now()
		more, ok := n.round(ctx, to, now)
		n.mu.Lock()
		if ok {
			*c = circuit{}
		} else {
			c.fail(n.o.Retry, now)
		}
		n.mu.Unlock()
		if !more || !ok {
			return
		}
	}
}

// lingering is a context for what is in progress when ctx ends: it goes on for Drain.
func (n *Node) lingering(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(n.o.Drain, cancel) })
	return out, func() { stop(); cancel() }
}
