package ct

import "math"

// Stream draws random numbers by counter (Philox 4x32-10; Salmon, Moraes, Dror
// and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A number is
// a function of (seed, slice, sample, step, index) alone, so no split of the
// work among workers changes a bit.
type Stream struct {
	key  [2]uint32
	high [2]uint32
}

// NewStream names the numbers of one use: the job's seed, the slice, the sample
// of a K-mean, and the step inside the method. slice and sample must be below
// 65536.
func NewStream(seed uint64, slice, sample int, step uint32) Stream {
	return Stream{
		key:  [2]uint32{uint32(seed), uint32(seed >> 32)},
		high: [2]uint32{step, uint32(slice)&0xffff | uint32(sample)<<16},
	}
}

// Bits are four random words of block i.
func (s Stream) Bits(i uint64) [4]uint32 {
	c := [4]uint32{uint32(i), uint32(i >> 32), s.high[0], s.high[1]}
	k := s.key
	for range 10 {
		p0, p1 := uint64(c[0])*0xD2511F53, uint64(c[2])*0xCD9E8D57
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ k[0], uint32(p1), uint32(p0>>32) ^ c[3] ^ k[1], uint32(p0)}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	return c
}

// Uniform is number i, in the open interval (0, 1), with 53 random bits.
func (s Stream) Uniform(i uint64) float64 {
	b := s.Bits(i >> 1)
	j := i & 1 * 2
	return unit(b[j], b[j+1])
}

func unit(hi, lo uint32) float64 {
	return (float64(uint64(hi)<<21|uint64(lo)>>11) + 0.5) / (1 << 53)
}

// Normals fills dst with standard normal numbers start, start+1, ... of the
// stream (Box and Muller 1958). start must be even.
func (s Stream) Normals(dst []float32, start uint64) {
	if start&1 != 0 {
		panic("ct: Normals must start at an even number")
	}
	for i := 0; i < len(dst); i += 2 {
		b := s.Bits((start + uint64(i)) / 2)
		r := math.Sqrt(-2 * math.Log(unit(b[0], b[1])))
		sin, cos := math.Sincos(2 * math.Pi * unit(b[2], b[3]))
		dst[i] = float32(r * cos)
		if i+1 < len(dst) {
			dst[i+1] = float32(r * sin)
		}
	}
}
