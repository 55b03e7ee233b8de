package radon

import (
	"fmt"

	"ctrecon/ct"
	"ctrecon/ct/solve"
)

// Projector maps images of one grid (H*W, mu in 1/mm) to sinograms of one
// geometry (views*bins, nepers) and back. It has work space, so one goroutine
// uses it at a time; [Projector.Clone] makes another on the same plan.
type Projector struct {
	*plan
	img   [2][]float32 // padded images, for each axis
	back  [2][]float32
	desks []desk    // one for each part of the crew
	sino  []float32 // for Normal, made when first used

	crew                 *crew
	dst, src             []float32 // of the call that runs
	apply, adjoint, gram func(part int)
}

// desk is the work space of one part.
type desk struct {
	bk   []float32 // buckets of one group; Adjoint shares those of the first desk, or two
	fine []float32 // interleaved buckets of one view
	line []float32
}

var (
	_ solve.LinearOperator = (*Projector)(nil)
	_ solve.NormalOperator = (*Projector)(nil)
	_ solve.GramOperator   = (*Projector)(nil)
)

// New plans the projection of images on grid along geo. Any image size, pixel
// shape, list of angles, detector spacing and offset will do, as long as bins
// and pixel sides differ by a factor of 64 at most.
//
// The method (README of the reference prototype; docs/performance.md) is a
// shear-and-add Radon transform: lines displaced by multiples of 1/P pixel, then
// a resampling by the footprint.
func New(grid ct.Grid, geo ct.Geometry, opt Options) (*Projector, error) {
	p, err := newPlan(grid, geo, opt)
	if err != nil {
		return nil, err
	}
	return p.projector(), nil
}

// Clone returns a projector on the same plan with work space of its own, for
// another goroutine. It costs two copies of the image.
func (p *Projector) Clone() *Projector { return p.projector() }

// projector makes work space.
func (p *plan) projector() *Projector {
	pr := &Projector{plan: p, crew: newCrew(p.workers)}
	for range pr.crew.n {
		pr.desks = append(pr.desks, desk{bk: alloc(p.bkLen), fine: alloc(p.fineLen), line: alloc(p.lineLen + vec)})
	}
	for t := range p.ax {
		ax := &p.ax[t]
		if len(ax.views) == 0 {
			continue
		}
		pr.back[t] = alloc(ax.padded())
		if !p.backOnly {
			pr.img[t] = alloc(ax.padded())
		}
	}
	// Made once, because a method value allocates.
	pr.apply, pr.adjoint, pr.gram = pr.applyPart, pr.adjointPart, pr.gramPart
	return pr
}

// Grid is the grid of the images.
func (p *Projector) Grid() ct.Grid { return p.grid }

// Geometry is the geometry of the sinograms. The caller must not change its
// angles.
func (p *Projector) Geometry() ct.Geometry { return p.geo }

// Kernel names the implementation in use, one of Kernels().
func (p *Projector) Kernel() string { return p.kern.String() }

// Dims is the number of data (views*bins) and of pixels (H*W).
func (p *Projector) Dims() (rows, cols int) { return p.geo.Len(), p.grid.Len() }

// mustHave panics unless s has n values.
func mustHave(what string, s []float32, n int) {
	if len(s) != n {
		panic(fmt.Sprintf("radon: %s of %d values, want %d", what, len(s), n))
	}
}

// Apply writes the line integrals of image src (H*W, 1/mm) to dst (views*bins,
// nepers). It overwrites dst, keeps src, and panics when a length is wrong.
// Cost: O(views*H*W); no allocation.
func (p *Projector) Apply(dst, src []float32) {
	rows, cols := p.Dims()
	mustHave("sinogram", dst, rows)
	mustHave("image", src, cols)
	p.call(p.apply, dst, src)
}

// call runs the parts of a call.
func (p *Projector) call(part func(int), dst, src []float32) {
	p.dst, p.src = dst, src
	p.crew.run(part)
	p.dst, p.src = nil, nil
}

func (p *Projector) applyPart(part int) {
	if p.crew.n > 1 {
		crew := p.crew.whole(part)
		for t := range p.ax {
			if lo, hi := crew.share(p.ax[t].n, vec); lo < hi && p.img[t] != nil {
				p.fill(t, lo, hi)
			}
		}
		crew.wait()
	}
	p.project(part, p.crew.n == 1)
}

// fill copies lines lo to hi of axis t into its padded image.
func (p *Projector) fill(t, lo, hi int) {
	w, img := p.grid.W, p.img[t][p.ax[t].at(lo):]
	if t == 0 {
		padCopy(img, p.src[lo*w:hi*w], w, hi-lo, p.ax[0].stride)
		return
	}
	p.kern.transpose(img, p.ax[1].stride, p.src[lo:], hi-lo, p.grid.H, w, false)
}

// project fills the sinogram from the padded images of both axes. Each part has
// every n-th group. With fill, the first group of an axis fills the padded image
// strip by strip on its way, so that a strip is added from the cache that it was
// copied to.
func (p *Projector) project(part int, fill bool) {
	turn := 0
	for t := range p.ax {
		for g := range p.ax[t].groups {
			if turn%p.crew.n == part {
				p.projectGroup(&p.desks[part], t, g, fill && g == 0)
			}
			turn++
		}
	}
}

func (p *Projector) projectGroup(d *desk, t, i int, fill bool) {
	ax, filled := &p.ax[t], 0
	g := &ax.groups[i]
	for _, r := range g.rest {
		clear(d.bk[r[0]:r[1]])
	}
	for s, jobs := range g.strips {
		if end := min(ax.n, roundUp((s+1)*stripLines, vec)); fill && filled < end {
			p.fill(t, filled, end)
			filled = end
		}
		for at := 0; at < g.vecs; at += g.window {
			p.kern.addUp(d.bk, p.img[t], jobs, g.lineOff, at, g.window, s > 0)
		}
	}
	for i, pos := range g.start {
		v := &ax.views[g.lo+i]
		p.detect(d, p.dst[v.index*p.geo.Bins:(v.index+1)*p.geo.Bins], v, d.bk[pos:pos+p.phases*v.blen])
	}
}

// detect turns the buckets of a view into its bins.
func (p *Projector) detect(d *desk, dst []float32, v *view, bk []float32) {
	if v.n == 0 { // set at every call: dst may hold anything
		clear(dst)
		return
	}
	fine := d.fine[p.margin:]
	p.kern.interleave(fine[:len(bk)], bk, p.phases, v.blen)
	clear(fine[len(bk) : len(bk)+p.margin])
	// The list of windows is padded: in place if what that writes is cleared below.
	if end := v.k0 + len(v.desc); end <= len(dst) {
		p.kern.resample(dst[v.k0:end], d.fine, v.desc, v.w, v.taps)
	} else {
		line := d.line[:len(v.desc)]
		p.kern.resample(line, d.fine, v.desc, v.w, v.taps)
		copy(dst[v.k0:], line[:v.n])
	}
	clear(dst[:v.k0])
	clear(dst[v.k0+v.n:])
}
