package node

import (
	"math/rand/v2"
	"time"
)

// longestPause bounds the pause between two tries of anything.
const longestPause = 30 * time.Minute

// giveUp is how long something is tried that may go better later.
const giveUp = 72 * time.Hour

// pause is how long to wait after try number tries, counted from 1: first, and double
// with each try.
func pause(first time.Duration, tries int) time.Duration {
	d := first
	for i := 1; i < tries && d < longestPause; i++ {
		d *= 2
	}
	return min(d, longestPause)
}

// jitter moves a pause by up to a quarter, so that many do not come back at once.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }

// reached says whether a time has come. One further ahead than any pause was set before
// the clock was put back.
func reached(at, now time.Time) bool {
	return !at.After(now) || at.After(now.Add(2*longestPause))
}

// again is the time of the next try.
func (n *Node) again(tries int) time.Time {
	return time.Now().UTC().Add(jitter(pause(n.o.Retry, tries)))
}
