package radon

import "math"

// fanBlock is a run of neighbouring rays of one view that the vector kernels
// follow together, a ray a lane. On each line of the image all of them fall into
// one vector of pixels, so that a permutation takes the place of a gather:
//
//	place of lane l on the r-th line = fraction(pos + r*step) + rel[l] + r*slope[l]
//
// counted from the pixel pos + r*step, which lane 0 is on or behind. Lanes are in
// the order of columns. Those behind the last ray repeat it and count nothing.
//
// The adjoint asks, for each pixel of the vector, which rays are nearer than a
// pixel: as places are nearly linear in the lane, these are taps lanes from the
// first one past (pixel - 1 - fraction)/spacing + early on.
type fanBlock struct {
	rel    [vec]float32
	slope  [vec]float32
	pos    int64
	step   int64
	lines  int64
	taps   int64
	space  float32 // spacing of the lanes on the first line
	widen  float32 // its change from line to line
	early  float32 // 1, less what places differ from linear ones, in lanes
	n      int32   // rays
	first  int32   // the ray of lane 0
	stride int32   // from lane to lane in rays: 1 or -1
}

const (
	minBlock = 4  // rays that are worth a block
	maxTaps  = 12 // lanes to a pixel; more rays are as fast one by one
	one32    = 1.0 / (1 << 32)
)

// block cuts the rays of a view into blocks. What does not fit one is followed ray by
// ray.
func (p *FanProjector) block(rays []fanRay) {
	lanes := p.kern.fanLanes()
	for len(rays) > 0 {
		n := 1
		for n < min(lanes, len(rays)) && fit(rays[:n+1], lanes) {
			n++
		}
		if b, ok := newFanBlock(rays[:n], lanes); ok {
			p.blocks = append(p.blocks, b)
		} else {
			for _, r := range rays[:n] {
				if r.lines > 0 {
					p.alone = append(p.alone, r)
				}
			}
		}
		rays = rays[n:]
	}
}

// fit says whether rays lie in one vector of pixels on all lines of any of them.
func fit(rays []fanRay, lanes int) bool {
	a, b := rays[0], rays[len(rays)-1]
	if a.lines == 0 || b.lines == 0 || a.columns != b.columns {
		return false
	}
	lo, hi := union(rays)
	d0, d1 := places(b, lo)-places(a, lo), places(b, hi-1)-places(a, hi-1)
	far := max(math.Abs(d0), math.Abs(d1))
	// The fraction of lane 0 and the pixel behind the last place come on top.
	return d0*d1 > 0 && far < float64(lanes-2)-1e-4
}

// union are the lines that any of the rays crosses.
func union(rays []fanRay) (lo, hi int) {
	lo, hi = math.MaxInt, 0
	for _, r := range rays {
		lo, hi = min(lo, int(r.lo)), max(hi, int(r.lo+r.lines))
	}
	return lo, hi
}

// places is where a ray crosses line r, in pixels of the padded image.
func places(f fanRay, r int) float64 {
	return float64(f.pos+int64(r-int(f.lo))*f.step) * one32
}

// newFanBlock makes the block of rays that fit one. ok is false when they are too few,
// or too many of them near a pixel.
func newFanBlock(rays []fanRay, lanes int) (b fanBlock, ok bool) {
	n := len(rays)
	if n < minBlock {
		return b, false
	}
	lo, hi := union(rays)
	b = fanBlock{n: int32(n), first: rays[0].index, stride: 1, lines: int64(hi - lo)}
	lane := func(l int) fanRay { return rays[min(l, n-1)] }
	if places(rays[n-1], lo) < places(rays[0], lo) {
		b.first, b.stride = rays[n-1].index, -1
		lane = func(l int) fanRay { return rays[max(n-1-l, 0)] }
	}
	base := lane(0)
	b.pos, b.step = base.pos+int64(lo-int(base.lo))*base.step, base.step
	for l := range lanes {
		r := lane(l)
		b.rel[l] = float32(float64(r.pos+int64(lo-int(r.lo))*r.step-b.pos) * one32)
		b.slope[l] = float32(float64(r.step-b.step) * one32)
	}
	return b, b.spread(n, lanes)
}

// spread plans the adjoint of a block of n rays. It says whether few enough of them
// are near a pixel.
func (b *fanBlock) spread(n, lanes int) bool {
	last := float64(b.lines - 1)
	at := func(l int, r float64) float64 { return float64(b.rel[l]) + r*float64(b.slope[l]) }
	s0, s1 := at(n-1, 0)/float64(n-1), at(n-1, last)/float64(n-1)
	off, least := 0.0, min(s0, s1)
	for l := range n {
		for r, s := range map[float64]float64{0: s0, last: s1} {
			off = max(off, math.Abs(at(l, r)/s-float64(l)))
		}
	}
	off += 0.01 // the kernel's reciprocal has 12 bits
	b.space, b.early = float32(s0), float32(1-off)
	if last > 0 {
		b.widen = float32((s1 - s0) / last)
	}
	b.taps = int64(math.Ceil(2/least + 2*off))
	return b.taps <= min(maxTaps, int64(lanes)) // a permutation counts lanes modulo their number
}

// sumBlocks adds the ray sums of all blocks to sinogram dst.
func (p *FanProjector) sumBlocks(dst []float32) {
	for i := range p.blocks {
		b := &p.blocks[i]
		p.kern.fanSum(p.img, b, &p.lane)
		ray := b.first
		for _, sum := range p.lane[:b.n] {
			dst[p.bin(ray)] += p.weight[ray] * sum
			ray += b.stride
		}
	}
}

// spreadBlocks is the transpose of sumBlocks, onto the padded images.
func (p *FanProjector) spreadBlocks(src []float32) {
	for i := range p.blocks {
		b := &p.blocks[i]
		p.lane = [vec]float32{}
		ray := b.first
		for l := range p.lane[:b.n] {
			p.lane[l] = p.weight[ray] * src[p.bin(ray)]
			ray += b.stride
		}
		p.kern.fanSpread(p.back, b, &p.lane)
	}
}
