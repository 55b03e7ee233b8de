package radon

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// crew runs the parts of one call on several goroutines. The parts meet at
// barriers, not at the ends of goroutines, because a call has a barrier every
// tenth of a millisecond and waking a thread takes a good part of that. What a
// part computes never depends on how many there are.
type crew struct {
	n     int
	start []func()       // of parts 1 to n-1, made once so that a call allocates nothing
	part  func(part int) // what is being run
	here  atomic.Int32   // parts at the barrier
	turn  atomic.Int32   // barriers passed
	done  sync.WaitGroup
}

func newCrew(n int) *crew {
	c := &crew{n: max(1, n)}
	for i := 1; i < c.n; i++ {
		c.start = append(c.start, func() {
			defer c.done.Done()
			c.part(i)
		})
	}
	return c
}

// run calls part(0) to part(n-1) at the same time and waits for all.
func (c *crew) run(part func(part int)) {
	c.part = part
	c.done.Add(len(c.start))
	for _, f := range c.start {
		go f()
	}
	part(0)
	c.done.Wait()
}

// wait returns when every part has called it.
func (c *crew) wait() {
	turn := c.turn.Load()
	if int(c.here.Add(1)) == c.n {
		c.here.Store(0)
		c.turn.Add(1)
		return
	}
	for i := 0; c.turn.Load() == turn; i++ {
		switch {
		case i > 1<<15: // the processor of another part has other work
			time.Sleep(20 * time.Microsecond)
		case i > 200: // there may be fewer processors than parts
			runtime.Gosched()
		}
	}
}

// share is part's share of n things, from lo to hi, in whole multiples of unit.
func (c *crew) share(part, n, unit int) (lo, hi int) {
	units := (n + unit - 1) / unit
	return min(n, units*part/c.n*unit), min(n, units*(part+1)/c.n*unit)
}
