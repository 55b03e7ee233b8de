package dimse

import (
	"net"
	"sync"
	"time"
)

// drainGrace is how long a peer that sends nothing keeps an association while we
// are ending.
const drainGrace = time.Second

// earned is the patience that a byte of a message gives back: a peer that sends
// less than 1,000 bytes a second over a long time is too slow.
const earned = time.Millisecond

// timed is a connection whose reads share a store of patience. Waiting uses it
// up, bytes fill it again up to its size. A peer that sends nothing and one that
// sends a byte a second are both over after that time; our own pauses between
// reads cost the peer nothing.
type timed struct {
	net.Conn
	quick func() // asks the kernel to acknowledge at once

	mu       sync.Mutex
	size     time.Duration
	left     time.Duration
	refill   time.Duration // a byte
	idle     bool          // between messages
	draining bool
	dead     bool
	write    time.Duration // for each write
}

func newTimed(c net.Conn, l Limits) *timed {
	t := &timed{Conn: c, quick: quickACK(c), write: l.DIMSE}
	t.between(l.ARTIM)
	return t
}

// between is the patience for what stands outside of messages.
func (t *timed) between(d time.Duration) { t.patience(d, 0, true) }

// message is the patience inside a message.
func (t *timed) message(d time.Duration) { t.patience(d, earned, false) }

func (t *timed) patience(size, refill time.Duration, idle bool) {
	t.mu.Lock()
	t.size, t.left, t.refill, t.idle = size, size, refill, idle
	t.mu.Unlock()
}

func (t *timed) Read(p []byte) (int, error) {
	start := time.Now()
	if err := t.arm(start); err != nil {
		return 0, err
	}
	n, err := t.Conn.Read(p)
	t.spend(time.Since(start), n)
	if n > 0 {
		t.quick()
	}
	return n, err
}

func (t *timed) arm(now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead {
		return net.ErrClosed
	}
	left := t.left
	if t.idle && t.draining {
		left = min(left, drainGrace)
	}
	return t.SetReadDeadline(now.Add(left))
}

func (t *timed) spend(waited time.Duration, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = min(t.size, t.left-waited+time.Duration(n)*t.refill)
}

func (t *timed) Write(p []byte) (int, error) {
	t.mu.Lock()
	err := net.ErrClosed
	if !t.dead {
		err = t.SetWriteDeadline(time.Now().Add(t.write))
	}
	t.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return t.Conn.Write(p)
}

// hurry shortens the time for writes: the peer hears our last words, or not.
func (t *timed) hurry() {
	t.mu.Lock()
	t.write = min(t.write, drainGrace)
	t.mu.Unlock()
}

// drain lets the message in progress come to its end; the peer has a moment to
// begin another one or to release.
func (t *timed) drain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draining = true
	if t.idle && !t.dead {
		t.SetReadDeadline(time.Now().Add(drainGrace)) // wakes a read that waits longer
	}
}

// interrupt ends reads and writes, now and later.
func (t *timed) interrupt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dead = true
	t.Conn.SetDeadline(time.Unix(1, 0))
}

// halfClose says that nothing more will be sent, where the connection can say it.
func (t *timed) halfClose() {
	if c, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
}
