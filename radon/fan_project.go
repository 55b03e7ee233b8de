package radon

import (
	"fmt"
	"math"

	"ctrecon/ct"
	"ctrecon/ct/solve"
)

// FanProjector maps images of one grid (H*W, mu in 1/mm) to sinograms of a fan
// beam (source positions*bins, nepers) and back. It has work space, so one
// goroutine uses it at a time.
//
// A bin is the mean of a few rays spread over it. A ray steps from line to line
// of the image (rows, or columns of a transposed copy, whichever it crosses more
// steeply) and interpolates linearly between two pixels of each (Joseph, IEEE
// Trans. Med. Imaging 1, 1982). The adjoint spreads the same numbers.
type FanProjector struct {
	grid ct.Grid
	geo  ct.Geometry
	fan  Fan
	sub  int // rays of a bin
	ax   [2]axis
	kern kernel

	weight []float32  // [view][bin][ray]: mm a line, over the number of rays of the bin
	blocks []fanBlock // of rays that are followed together
	alone  []fanRay   // the others that cross the image
	lane   [vec]float32

	img, back  []float32 // the padded images of both axes, one behind the other
	second     int       // where that of columns begins
	pix, datum []float32 // for Gram and Normal, made when first used
}

// fanRay is one ray's way through the padded image of one axis. pos is the place
// of the first pixel to interpolate, with 32 bits of fraction; step leads to the
// next line.
type fanRay struct {
	pos, step int64
	lo, lines int32 // the first line, and how many
	index     int32 // of the ray in [view][bin][ray]
	columns   bool  // lines are columns
}

var (
	_ solve.LinearOperator = (*FanProjector)(nil)
	_ solve.NormalOperator = (*FanProjector)(nil)
	_ solve.GramOperator   = (*FanProjector)(nil)
)

// maxRays bounds the rays of a bin.
const maxRays = 16

// NewFanProjector plans the projection of images on grid along a fan beam: geo
// has the source angles in degrees, and the bins and their spacing in mm on the
// detector. The source must stand outside the image. The plan has 24 bytes a
// ray, and a bin one ray for each pixel that it is wide at the axis, rounded up.
func NewFanProjector(grid ct.Grid, geo ct.Geometry, fan Fan) (*FanProjector, error) {
	return newFanProjector(grid, geo, fan, bestKernel())
}

func newFanProjector(grid ct.Grid, geo ct.Geometry, fan Fan, k kernel) (*FanProjector, error) {
	if err := fan.check(grid, geo); err != nil {
		return nil, err
	}
	geo.Angles = append([]float64(nil), geo.Angles...)
	p := &FanProjector{grid: grid, geo: geo, fan: fan, kern: k}
	p.sub = fanSub(grid, fan.atAxis(geo.BinSize))
	p.ax[0].size(grid.W, grid.H)
	p.ax[1].size(grid.H, grid.W)
	p.second = p.ax[0].padded()
	p.plan()
	n := p.second + p.ax[1].padded()
	p.img, p.back = alloc(n), alloc(n)
	return p, nil
}

// fanSub is the number of rays of a bin of the given width at the axis: one a
// pixel. The interpolation is as wide as two pixels, and more rays blur more than
// they average (TestFanAnalytic: 1.41e-2 with one ray, 1.75e-2 with two).
func fanSub(grid ct.Grid, width float64) int {
	return max(1, min(maxRays, int(math.Ceil(width/min(grid.DX, grid.DY)-0.05))))
}

// atAxis is the size at the axis of rotation of something on the detector.
func (f Fan) atAxis(size float64) float64 { return size * f.SOD / f.SDD }

// check reports a fan that no ray tracer can work on.
func (f Fan) check(grid ct.Grid, geo ct.Geometry) error {
	if err := grid.Check(); err != nil {
		return fmt.Errorf("radon: %w", err)
	}
	if err := geo.Check(); err != nil {
		return fmt.Errorf("radon: %w", err)
	}
	if !(f.SOD > 0) || !(f.SDD >= f.SOD) || math.IsInf(f.SDD, 1) {
		return fmt.Errorf("radon: fan beam with source to axis %g mm and source to detector %g mm: both must be positive and finite, the second not smaller", f.SOD, f.SDD)
	}
	if r := math.Hypot(float64(grid.W)*grid.DX, float64(grid.H)*grid.DY) / 2; r >= f.SOD {
		return fmt.Errorf("radon: source %g mm from the axis stands in an image that reaches out to %g mm: smaller pixels or fewer of them are needed", f.SOD, r)
	}
	if reach := max(math.Abs(geo.S(0)), math.Abs(geo.S(geo.Bins-1))) + geo.BinSize; f.Curved && reach >= f.SDD*math.Pi/2 {
		return fmt.Errorf("radon: curved detector reaches %.3g degrees from the central ray: 90 at most are possible", reach/f.SDD*180/math.Pi)
	}
	return nil
}

// plan traces all rays.
func (p *FanProjector) plan() {
	p.weight = make([]float32, 0, p.geo.Len()*p.sub)
	view := make([]fanRay, p.geo.Bins*p.sub)
	gamma := make([]float64, 0, p.geo.Bins*p.sub)
	for k := range p.geo.Bins {
		for j := range p.sub {
			u := p.geo.S(k) + ((float64(j)+0.5)/float64(p.sub)-0.5)*p.geo.BinSize
			gamma = append(gamma, p.fan.angle(u))
		}
	}
	for _, deg := range p.geo.Angles {
		sb, cb := sincos(deg)
		for i, g := range gamma {
			sg, cg := math.Sincos(g)
			var w float64
			view[i], w = p.trace(p.fan.SOD*sb, -p.fan.SOD*cb, cb*sg-sb*cg, sb*sg+cb*cg)
			view[i].index = int32(len(p.weight))
			p.weight = append(p.weight, float32(w/float64(p.sub)))
		}
		p.block(view)
	}
}

// trace follows the ray from (x, y) along the unit vector (dx, dy), in mm. weight is
// its length from line to line, mm.
func (p *FanProjector) trace(x, y, dx, dy float64) (ray fanRay, weight float64) {
	g := p.grid
	// In pixels of the image: column c, row r.
	c, r := x/g.DX+float64(g.W-1)/2, float64(g.H-1)/2-y/g.DY
	dc, dr := dx/g.DX, -dy/g.DY
	t := 0
	if math.Abs(dc) > math.Abs(dr) {
		t, c, r, dc, dr = 1, r, c, dr, dc
	}
	ax := &p.ax[t]
	slope := dc / dr
	start := c - r*slope // the place on line 0
	lo, hi := crossed(start, slope, ax)
	ray = fanRay{step: int64(math.Round((float64(ax.stride) + slope) * (1 << 32))), columns: t == 1}
	if lo >= hi {
		return ray, 0
	}
	at := start + float64(lo)*slope
	ray.pos = int64(lead+lo*ax.stride+t*p.second)<<32 + int64(math.Floor(at*(1<<32)))
	ray.lo, ray.lines = int32(lo), int32(hi-lo)
	return ray, 1 / math.Abs(dr)
}

// crossed are the lines on which the place start+slope*line is nearer than a
// pixel to one of the line's.
func crossed(start, slope float64, ax *axis) (lo, hi int) {
	first, last := 0.0, float64(ax.n-1)
	if left, right := -1-start, float64(ax.m)-start; slope != 0 {
		a, b := left/slope, right/slope
		first, last = math.Max(first, min(a, b)), math.Min(last, max(a, b))
	} else if left >= 0 || right <= 0 {
		return 0, 0
	}
	if !(first <= last) {
		return 0, 0
	}
	return int(math.Ceil(first)), int(math.Floor(last)) + 1
}

// Grid is the grid of the images.
func (p *FanProjector) Grid() ct.Grid { return p.grid }

// Geometry is the geometry of the sinograms. The caller must not change its
// angles.
func (p *FanProjector) Geometry() ct.Geometry { return p.geo }

// Dims is the number of data (source positions*bins) and of pixels (H*W).
func (p *FanProjector) Dims() (rows, cols int) { return p.geo.Len(), p.grid.Len() }

// Apply writes the line integrals of image src (H*W, 1/mm) to dst (source
// positions*bins, nepers). It overwrites dst, keeps src, and panics when a length
// is wrong. Cost: O(bins*rays*max(H, W)) a view; no allocation.
func (p *FanProjector) Apply(dst, src []float32) {
	mustHave("sinogram", dst, p.geo.Len())
	mustHave("image", src, p.grid.Len())
	w, h := p.grid.W, p.grid.H
	padCopy(p.img[lead:], src, w, h, p.ax[0].stride)
	p.kern.transpose(p.img[p.second+lead:], p.ax[1].stride, src, w, h, w, false)
	clear(dst)
	p.sumBlocks(dst)
	for i := range p.alone {
		r := &p.alone[i]
		dst[p.bin(r.index)] += p.weight[r.index] * r.sum(p.img)
	}
}

// Adjoint backprojects sinogram src (source positions*bins) into image dst
// (H*W): the transpose of Apply with the same weights. It overwrites dst, keeps
// src, and panics when a length is wrong. No allocation.
func (p *FanProjector) Adjoint(dst, src []float32) {
	mustHave("sinogram", src, p.geo.Len())
	mustHave("image", dst, p.grid.Len())
	clear(p.back)
	p.spreadBlocks(src)
	for i := range p.alone {
		r := &p.alone[i]
		r.spread(p.back, p.weight[r.index]*src[p.bin(r.index)])
	}
	w, h := p.grid.W, p.grid.H
	for r := range h {
		copy(dst[r*w:(r+1)*w], p.back[lead+r*p.ax[0].stride:])
	}
	p.kern.transpose(dst, w, p.back[p.second+lead:], h, w, p.ax[1].stride, true)
}

// bin is the datum that a ray belongs to.
func (p *FanProjector) bin(ray int32) int32 {
	if p.sub == 1 { // a division takes as long as eight lines
		return ray
	}
	return ray / int32(p.sub)
}

// fraction turns the low 24 of a position's 32 fractional bits into a float: an
// int32 converts faster than an int64, and float32 has no more.
func fraction(pos int64) float32 { return float32(int32(uint32(pos)>>8)) * (1.0 / (1 << 24)) }

// sum adds up the interpolated pixels of a ray, even and odd lines apart: two
// additions at a time.
func (r *fanRay) sum(img []float32) float32 {
	pos, step := r.pos, r.step
	var even, odd float32
	for range r.lines / 2 {
		a := (*[2]float32)(img[pos>>32:])
		even += a[0] + fraction(pos)*(a[1]-a[0])
		pos += step
		b := (*[2]float32)(img[pos>>32:])
		odd += b[0] + fraction(pos)*(b[1]-b[0])
		pos += step
	}
	if r.lines&1 != 0 {
		a := (*[2]float32)(img[pos>>32:])
		even += a[0] + fraction(pos)*(a[1]-a[0])
	}
	return even + odd
}

// spread is the transpose of sum.
func (r *fanRay) spread(img []float32, y float32) {
	pos, step := r.pos, r.step
	for range r.lines {
		a := (*[2]float32)(img[pos>>32:])
		t := fraction(pos) * y
		a[0] += y - t
		a[1] += t
		pos += step
	}
}

// Normal writes A'A src (image to image) to dst. It overwrites dst, keeps src,
// and panics when a length is wrong. Only the first call allocates.
func (p *FanProjector) Normal(dst, src []float32) {
	if p.datum == nil {
		p.datum = alloc(p.geo.Len())
	}
	p.Apply(p.datum, src)
	p.Adjoint(dst, p.datum)
}

// Gram writes A A' src (sinogram to sinogram) to dst. It overwrites dst, keeps
// src unless they are the same, and panics when a length is wrong. Only the first
// call allocates.
func (p *FanProjector) Gram(dst, src []float32) {
	if p.pix == nil {
		p.pix = alloc(p.grid.Len())
	}
	p.Adjoint(p.pix, src)
	p.Apply(dst, p.pix)
}
