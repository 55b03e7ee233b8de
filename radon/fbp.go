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
}

// FBP is filtered backprojection of one geometry onto one grid. It has work
// space, so one goroutine uses it at a time; [FBP.Clone] makes another.
type FBP struct {
	p        *Projector
	ramp     *filter
	scale    []float32 // weight of each view
	coverage Coverage
	filtered []float32
	live     []float32 // a view with its dead bins filled
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
	plan, err := newPlan(grid, geo, Options{Footprint: foot, Phases: opt.Phases, Kernel: opt.Kernel})
	if err != nil {
		return nil, err
	}
	p := plan.projector(false)
	f := &FBP{p: p, ramp: newFilter(p.kern, rampTaps(geo.Bins, opt.Window, opt.Cutoff))}
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
	f.filtered, f.live = alloc(f.p.geo.Len()), alloc(f.p.geo.Bins)
}

// Clone returns an FBP on the same plan with work space of its own, for another
// goroutine.
func (f *FBP) Clone() *FBP {
	c := *f
	c.p, c.ramp = f.p.Clone(), f.ramp.clone()
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
	k := f.p.geo.Bins
	for v, s := range f.scale {
		f.ramp.apply(dst[v*k:(v+1)*k], src[v*k:(v+1)*k], s)
	}
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
	if s.Sigma == nil {
		f.Filter(f.filtered, s.Data)
	} else {
		mustHave("sigma", s.Sigma, g.Len())
		f.filterLive(s)
	}
	f.p.Adjoint(dst, f.filtered)
}

func (f *FBP) filterLive(s ct.Sinogram) {
	k := s.Bins
	for v, scale := range f.scale {
		out := f.filtered[v*k : (v+1)*k]
		if !fillDead(f.live, s.Data[v*k:(v+1)*k], s.Sigma[v*k:(v+1)*k]) {
			clear(out)
			continue
		}
		f.ramp.apply(out, f.live, scale)
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
