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
	all   barrier
	half  [2]barrier // of the even and the odd parts
	done  sync.WaitGroup
}

func newCrew(n int) *crew {
	c := &crew{n: max(1, n)}
	c.all.n = int32(c.n)
	c.half[0].n, c.half[1].n = int32(c.n+1)/2, int32(c.n/2)
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

// team is a part among those with which it shares work.
type team struct {
	*barrier
	part int
}

// whole is the part among all.
func (c *crew) whole(part int) team { return team{&c.all, part} }

// side is the part among the even or the odd ones.
func (c *crew) side(part int) team { return team{&c.half[part%2], part / 2} }

// share is the part's share of n things, from lo to hi, in whole multiples of unit.
func (t team) share(n, unit int) (lo, hi int) {
	units, parts := (n+unit-1)/unit, int(t.n)
	return min(n, units*t.part/parts*unit), min(n, units*(t.part+1)/parts*unit)
}

// barrier is where n parts wait for each other.
type barrier struct {
	n    int32
	here atomic.Int32 // parts that wait
	turn atomic.Int32 // times that all have come
}

// wait returns when every part has called it.
func (b *barrier) wait() {
	turn := b.turn.Load()
	if b.here.Add(1) == b.n {
		b.here.Store(0)
		b.turn.Add(1)
		return
	}
	for i := 0; b.turn.Load() == turn; i++ {
		switch {
		case i > 1<<15: // the processor of another part has other work
			time.Sleep(20 * time.Microsecond)
		case i > 200: // there may be fewer processors than parts
			runtime.Gosched()
		}
	}
}
