package radon

import (
	"fmt"

	"ctrecon/ct"
)

// FBPOptions of a filtered backprojection; the zero value is the plain ramp.
type FBPOptions struct {
	Window Window  // empty is RamLak
	Cutoff float64 // fraction of the Nyquist frequency where the window ends, 0 is 1
	Kernel string  // one of Kernels(); empty is the best of this processor
	Phases int     // as in Options
	// Workers as in Options
	Workers int
}

// FBP is filtered backprojection of one geometry onto one grid. It has work
// space, so one goroutine uses it at a time; [FBP.Clone] makes another.
type FBP struct {
	p        *Projector
	ramps    []*filter // one for each part
	scale    []float32 // weight of each view
	coverage Coverage
	filtered []float32
	sino     ct.Sinogram // of the call that runs
	parts    func(part int)
}

// NewFBP plans filtered backprojection: the band-limited ramp (Kak and Slaney
// 1988, chapter 3, eq. 61) times the window, then the adjoint of the Linear
// projector, views weighted by [ViewWeights]. Where bins are much smaller than
// pixels, the adjoint of Strip takes Linear's place: a pixel is then the average
// of the bins that it covers, not a sample.
func NewFBP(grid ct.Grid, geo ct.Geometry, opt FBPOptions) (*FBP, error) {
	if opt.Window == "" {
		opt.Window = RamLak
	}
	if err := opt.Window.check(); err != nil {
		return nil, err
	}
	if opt.Cutoff == 0 {
		opt.Cutoff = 1
	}
	if !(opt.Cutoff > 0 && opt.Cutoff <= 1) {
		return nil, fmt.Errorf("radon: filter cut-off %g: it must be above 0 and at most 1 (of the Nyquist frequency)", opt.Cutoff)
	}
	foot := Linear
	if geo.BinSize < 0.6*min(grid.DX, grid.DY) {
		foot = Strip
	}
	plan, err := newPlan(grid, geo, Options{Footprint: foot, Phases: opt.Phases, Kernel: opt.Kernel, Workers: opt.Workers, backOnly: true})
	if err != nil {
		return nil, err
	}
	p := plan.projector()
	f := &FBP{p: p, ramps: []*filter{newFilter(p.kern, rampTaps(geo.Bins, opt.Window, opt.Cutoff))}}
	weights, cov := ViewWeights(geo.Angles)
	f.coverage = cov
	for _, w := range weights {
		// The footprint carries DX*DY/ds, the filter (unit spacing) 1/ds.
		f.scale = append(f.scale, float32(w/(grid.DX*grid.DY)))
	}
	f.workSpace()
	return f, nil
}

func (f *FBP) workSpace() {
	f.filtered = alloc(f.p.geo.Len())
	for len(f.ramps) < f.p.crew.n {
		f.ramps = append(f.ramps, f.ramps[0].clone())
	}
	f.parts = f.reconstructPart
}

// Clone returns an FBP on the same plan with work space of its own, for another
// goroutine.
func (f *FBP) Clone() *FBP {
	c := *f
	c.p, c.ramps = f.p.Clone(), []*filter{f.ramps[0].clone()}
	c.workSpace()
	return &c
}

// Coverage says how the views cover the half turn, and whether weights were
// capped beside a missing arc.
func (f *FBP) Coverage() Coverage { return f.coverage }

// Grid is the grid of the images.
func (f *FBP) Grid() ct.Grid { return f.p.grid }

// Geometry is the geometry of the sinograms. The caller must not change its
// angles.
func (f *FBP) Geometry() ct.Geometry { return f.p.geo }

// Kernel names the implementation in use, one of Kernels().
func (f *FBP) Kernel() string { return f.p.Kernel() }

// Filter writes the filtered and weighted views of src (views*bins, nepers) to
// dst: what Reconstruct backprojects when no bin is dead. dst and src may be the
// same. It panics when a length is wrong.
func (f *FBP) Filter(dst, src []float32) {
	mustHave("sinogram", dst, f.p.geo.Len())
	mustHave("sinogram", src, f.p.geo.Len())
	f.ramps[0].apply(dst, src, f.scale)
}

// Reconstruct writes the image (H*W, 1/mm) of s to dst. Dead bins (Sigma +Inf)
// are filled by linear interpolation in their view before filtering, with the
// nearest live value at the ends; a view without a live bin is left out, so
// leave such views out of the geometry to have their weight shared. It panics
// when a length is wrong or s has another number of views or bins than the plan.
// No allocation.
func (f *FBP) Reconstruct(dst []float32, s ct.Sinogram) {
	g := f.p.geo
	if s.Views() != g.Views() || s.Bins != g.Bins {
		panic(fmt.Sprintf("radon: sinogram of %d views of %d bins, the plan has %d of %d", s.Views(), s.Bins, g.Views(), g.Bins))
	}
	mustHave("sinogram", s.Data, g.Len())
	mustHave("image", dst, f.p.grid.Len())
	if s.Sigma != nil {
		mustHave("sigma", s.Sigma, g.Len())
	}
	f.sino = s
	f.p.call(f.parts, dst, f.filtered)
	f.sino = ct.Sinogram{}
}

// reconstructPart filters some views, then does its part of the adjoint.
func (f *FBP) reconstructPart(part int) {
	k := f.sino.Bins
	crew := f.p.crew.whole(part)
	lo, hi := crew.share(len(f.scale), together)
	out, in := f.filtered[lo*k:hi*k], f.sino.Data[lo*k:hi*k]
	if f.sino.Sigma != nil {
		f.fill(out, in, f.sino.Sigma[lo*k:hi*k])
		in = out
	}
	f.ramps[part].apply(out, in, f.scale[lo:hi])
	crew.wait()
	f.p.adjointPart(part)
}

// fill copies some views with their dead bins filled.
func (f *FBP) fill(dst, data, sigma []float32) {
	k := f.sino.Bins
	for v := 0; v < len(dst); v += k {
		if !fillDead(dst[v:v+k], data[v:v+k], sigma[v:v+k]) {
			clear(dst[v : v+k])
		}
	}
}

// fillDead copies a view and interpolates linearly over bins of infinite sigma.
// It says whether any bin is live.
func fillDead(dst, data, sigma []float32) bool {
	last := -1 // the last live bin
	for i, s := range sigma {
		if isInf(s) {
			continue
		}
		dst[i] = data[i]
		switch gap := i - last; {
		case last < 0:
			for j := range i {
				dst[j] = data[i]
			}
		case gap > 1:
			for j := 1; j < gap; j++ {
				t := float32(j) / float32(gap)
				dst[last+j] = (1-t)*data[last] + t*data[i]
			}
		}
		last = i
	}
	if last < 0 {
		return false
	}
	for j := last + 1; j < len(dst); j++ {
		dst[j] = data[last]
	}
	return true
}
