package node

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"ctrecon/dicomio/dimse"
)

// metrics are the counters of this run; what the store knows is read from there. None
// has a label that a sender chooses.
type metrics struct {
	auditErrors, noRoom, quarantined atomic.Int64
	arrived                          [outcomes]atomic.Int64
	accepted, refused, bytes         atomic.Int64
	answer                           histogram // of C-STORE, seconds
	jobs                             [verdicts]atomic.Int64
	jobTime                          histogram
	sent                             counters // by destination
	sendErrors                       counters
	reloadErrors                     atomic.Int64
}

// stored counts a C-STORE that was answered.
func (m *metrics) stored(s dimse.Status, size int64, took time.Duration) {
	if s.OK() {
		m.accepted.Add(1)
		m.bytes.Add(size)
	} else {
		m.refused.Add(1)
	}
	m.answer.add(took)
}

// bounds of the buckets of a histogram, seconds.
var bounds = [...]float64{.001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 120, 600, 3600}

// histogram counts times in buckets; the last is for all that are longer.
type histogram struct {
	counts [len(bounds) + 1]atomic.Int64
	sum    atomic.Int64 // nanoseconds
}

func (h *histogram) add(d time.Duration) {
	i := 0
	for i < len(bounds) && d.Seconds() > bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// counters count by a name from the rules.
type counters struct {
	mu sync.Mutex
	by map[string]int64
}

func (c *counters) add(name string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]int64{}
	}
	c.by[name] += n
}

// all is a copy.
func (c *counters) all() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.by)
}
