package sinofile

import (
	"math/bits"
	"sync/atomic"
)

// bitmap is a set of places in an array. Its methods may run beside one another.
type bitmap []uint64

func newBitmap(n int) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) has(i int) bool { return b[i>>6]>>(i&63)&1 != 0 }
func (b bitmap) set(i int)      { atomic.OrUint64(&b[i>>6], 1<<(i&63)) }
func (b bitmap) clear(i int)    { atomic.AndUint64(&b[i>>6], ^(1 << (i & 63))) }

func (b bitmap) count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// add sets what other has.
func (b bitmap) add(other bitmap) {
	for i, w := range other {
		b[i] |= w
	}
}
