package radon

import (
	"fmt"
	"math"
	"slices"

	"ctrecon/ct"
)

// FanFBP is filtered backprojection of a fan beam onto one grid, without
// rebinning (Kak and Slaney 1988, chapter 3.4). It has work space, so one
// goroutine uses it at a time.
type FanFBP struct {
	grid     ct.Grid
	geo      ct.Geometry
	fan      Fan
	ramp     *filter
	pre      []float32 // [view][bin] weights before filtering
	coverage FanCoverage
	live     []float32 // a view with its dead bins filled, weighted
	filtered []float32 // a view with fanMargin zeros on either side
	kern     kernel
}

// fanMargin is how far a line of pixels may look beside a view.
const fanMargin = 2*vec + 4

// FanCoverage says how the source positions of a scan cover the turn.
type FanCoverage struct {
	Step float64 // degrees: the usual distance between neighbouring positions
	Arc  float64 // degrees that the positions cover, each standing for its own step; 360 when nothing is missing
	Gap  float64 // degrees: the largest distance between neighbouring positions
	Need float64 // degrees that measure every line through the image at least once: a half turn and the fan
}

// Limited says whether some lines were not measured.
func (c FanCoverage) Limited() bool { return c.Arc < c.Need-1e-6 }

// String is a sentence for a report.
func (c FanCoverage) String() string {
	switch {
	case c.Limited():
		return fmt.Sprintf("source positions cover %.4g of the %.4g degrees that this fan needs, %.3g apart: what the others would show is missing", c.Arc, c.Need, c.Step)
	case c.Arc < 360-1e-6:
		return fmt.Sprintf("source positions cover %.4g degrees, %.3g apart: a short scan", c.Arc, c.Step)
	}
	return fmt.Sprintf("source positions cover the turn, %.3g degrees apart", c.Step)
}

// NewFanFBP plans filtered backprojection of a fan beam: geo has the source
// angles in degrees, and the bins and their spacing in mm on the detector. The
// source must stand outside the image.
//
// Each datum is weighted by the cosine of its fan angle, by the arc that its
// position stands for (half the distance to either neighbour, capped beside a
// gap as in [ViewWeights]), and by its share of a line that was measured twice:
// a half on a full turn, else Parker's smooth weights (Med. Phys. 9, 1982). Views
// are filtered by the band-limited ramp times the window, and backprojected with
// the inverse square of the distance to the source. Where bins are much smaller
// than pixels, filtered views are averaged over a pixel's width.
func NewFanFBP(grid ct.Grid, geo ct.Geometry, fan Fan, opt FBPOptions) (*FanFBP, error) {
	if err := fan.check(grid, geo); err != nil {
		return nil, err
	}
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
	k, err := kernelByName(opt.Kernel)
	if err != nil {
		return nil, err
	}
	geo.Angles = slices.Clone(geo.Angles)
	f := &FanFBP{grid: grid, geo: geo, fan: fan, kern: k}
	f.ramp = newFilter(k, f.taps(opt))
	f.weigh()
	f.live, f.filtered = alloc(geo.Bins), alloc(geo.Bins+2*fanMargin)
	return f, nil
}

// taps are the ramp's, for equal angles instead of equal lengths on a curved
// detector, averaged over a pixel's width where bins are much smaller.
func (f *FanFBP) taps(opt FBPOptions) []float64 {
	bin, pixel := f.fan.atAxis(f.geo.BinSize), min(f.grid.DX, f.grid.DY)
	half := 0
	if bin < 0.6*pixel {
		half = int(math.Ceil(pixel/bin/2 - 0.5))
	}
	taps := rampTaps(f.geo.Bins+half, opt.Window, opt.Cutoff)
	if f.fan.Curved {
		for n := range taps {
			if a := float64(n) * f.geo.BinSize / f.fan.SDD; n > 0 && a < math.Pi {
				taps[n] *= a * a / (math.Sin(a) * math.Sin(a))
			}
		}
	}
	if half == 0 {
		return taps
	}
	out := make([]float64, f.geo.Bins)
	for n := range out {
		for j := -half; j <= half; j++ {
			part := min(1, pixel/bin/2+0.5-math.Abs(float64(j))) // of bin j below the pixel
			out[n] += taps[max(n+j, -n-j)] * part * bin / pixel
		}
	}
	return out
}

// weigh makes the weights of all data.
func (f *FanFBP) weigh() {
	share, start, full := f.cover()
	over := (f.coverage.Arc - 180) / 2 * math.Pi / 180
	for v, deg := range f.geo.Angles {
		beta := math.Mod(math.Mod(deg-start, 360)+360, 360) * math.Pi / 180
		for k := range f.geo.Bins {
			gamma := f.fan.angle(f.geo.S(k))
			w := share[v] * math.Cos(gamma)
			if f.fan.Curved {
				w *= f.fan.SOD * f.fan.SDD / f.geo.BinSize
			} else {
				w /= f.fan.atAxis(f.geo.BinSize)
			}
			if full {
				w /= 2
			} else {
				w *= parker(beta, gamma, over)
			}
			f.pre = append(f.pre, float32(w))
		}
	}
}

// cover gives each position its part of the turn in radians, and where the arc
// starts (degrees) when it is not a full turn.
func (f *FanFBP) cover() (share []float64, start float64, full bool) {
	half := make([]float64, f.geo.Views()) // ViewWeights works modulo 180 degrees
	for i, a := range f.geo.Angles {
		half[i] = a / 2
	}
	share, c := ViewWeights(half)
	for i := range share {
		share[i] *= 2
	}
	f.coverage = FanCoverage{Step: 2 * c.Step, Arc: 2 * c.Arc, Gap: 2 * c.Gap, Need: 180 + 2*f.seen()*180/math.Pi}
	if !c.Limited() {
		return share, 0, true
	}
	angle, _, _ := distinct(half)
	for i, a := range angle {
		before := a - angle[(i+len(angle)-1)%len(angle)]
		if i == 0 {
			before += 180
		}
		if before == c.Gap {
			start = 2*a - c.Step
		}
	}
	return share, start, false
}

// seen is the fan angle of the circle inscribed in the image, in radians, or the
// detector's where that is smaller.
func (f *FanFBP) seen() float64 {
	r := min(float64(f.grid.W)*f.grid.DX, float64(f.grid.H)*f.grid.DY) / 2
	edge := math.Max(math.Abs(f.geo.S(0)), math.Abs(f.geo.S(f.geo.Bins-1)))
	return min(math.Asin(r/f.fan.SOD), f.fan.angle(edge))
}

// parker is the share of the ray (beta, gamma) in the line that it measures,
// beta counted from the start of an arc of pi+2*over (radians). The other ray of
// the line is (beta+pi-2*gamma, -gamma); their shares sum to 1, and a line that
// the arc has once has all. over is at least half the fan on a complete scan; it
// may be less, also negative, on a limited one.
func parker(beta, gamma, over float64) float64 {
	half := 0.0
	switch {
	case beta < 2*(over+gamma):
		half = beta / (over + gamma)
	case beta <= math.Pi+2*gamma || over <= gamma:
		return 1
	default:
		half = math.Max(0, math.Pi+2*over-beta) / (over - gamma)
	}
	s := math.Sin(math.Pi / 4 * half)
	return s * s
}

// Coverage says how the source positions cover the turn.
func (f *FanFBP) Coverage() FanCoverage { return f.coverage }

// Grid is the grid of the images.
func (f *FanFBP) Grid() ct.Grid { return f.grid }

// Geometry is the geometry of the sinograms. The caller must not change its
// angles.
func (f *FanFBP) Geometry() ct.Geometry { return f.geo }

// Reconstruct writes the image (H*W, 1/mm) of s to dst. Dead bins (Sigma +Inf)
// are filled by linear interpolation in their view before filtering, with the
// nearest live value at the ends; a view without a live bin is left out. It
// panics when a length is wrong or s has another number of views or bins than
// the plan. Cost: O(views*H*W); no allocation.
func (f *FanFBP) Reconstruct(dst []float32, s ct.Sinogram) {
	g := f.geo
	if s.Views() != g.Views() || s.Bins != g.Bins {
		panic(fmt.Sprintf("radon: sinogram of %d views of %d bins, the plan has %d of %d", s.Views(), s.Bins, g.Views(), g.Bins))
	}
	mustHave("sinogram", s.Data, g.Len())
	mustHave("image", dst, f.grid.Len())
	if s.Sigma != nil {
		mustHave("sigma", s.Sigma, g.Len())
	}
	clear(dst)
	for v := range g.Views() {
		lo, hi := v*g.Bins, (v+1)*g.Bins
		if s.Sigma == nil {
			copy(f.live, s.Data[lo:hi])
		} else if !fillDead(f.live, s.Data[lo:hi], s.Sigma[lo:hi]) {
			continue
		}
		for k, w := range f.pre[lo:hi] {
			f.live[k] *= w
		}
		f.ramp.apply(f.filtered[fanMargin:fanMargin+g.Bins], f.live, unscaled)
		f.backproject(dst, v)
	}
}

var unscaled = []float32{1}

// backproject adds the filtered view v to the image.
func (f *FanFBP) backproject(dst []float32, v int) {
	g := f.grid
	sin, cos := sincos(f.geo.Angles[v])
	for r := range g.H {
		x, y := g.XY(r, 0)
		l := fanLine{
			e: x*cos + y*sin, de: g.DX * cos, // along the detector's axis
			d: f.fan.SOD - x*sin + y*cos, dd: -g.DX * sin, // from the source
		}
		row := dst[r*g.W : (r+1)*g.W]
		if n := len(row) / vec; f.kern == kernelAVX512 && n > 0 && f.narrow(l, n*vec) {
			f.vectors(row[:n*vec], l)
			l, row = l.from(n*vec), row[n*vec:]
		}
		f.pixels(row, l)
	}
}

// pixels adds the view to a line pixel by pixel.
func (f *FanFBP) pixels(row []float32, l fanLine) {
	centre := float64(f.geo.Bins-1)/2 + f.geo.Offset + 1
	q := f.filtered[fanMargin-1 : fanMargin+f.geo.Bins+1]
	if f.fan.Curved {
		l.curved(row, q, f.fan.SDD/f.geo.BinSize, centre)
	} else {
		l.flat(row, q, f.fan.SOD, f.fan.SDD/f.geo.BinSize, centre)
	}
}

// fanRow is a line of the image for the kernels, in float32: fanLine, then the bin
// perRad*angle (or tangent) + mid, from lo to hi where a view has zeros.
type fanRow struct {
	e, de, d, dd float32
	per, mid     float32
	lo, hi       float32
	sod          float32
	first        int32 // the pixel of a vector that sees the first bin: 0 or 15
}

// vectors adds the view to a line of whole vectors that narrow allows.
func (f *FanFBP) vectors(row []float32, l fanLine) {
	r := fanRow{
		e: float32(l.e), de: float32(l.de), d: float32(l.d), dd: float32(l.dd), sod: float32(f.fan.SOD),
		per: float32(f.fan.SDD / f.geo.BinSize), mid: float32(float64(f.geo.Bins-1)/2 + f.geo.Offset + fanMargin),
		lo: fanMargin - 2, hi: float32(fanMargin + f.geo.Bins + 1),
	}
	if l.turn() < 0 {
		r.first = vec - 1
	}
	f.kern.fanBack(row, f.filtered, &r, f.fan.Curved)
}

// narrow says whether any 16 of the n pixels of a line see less than two vectors of
// bins, each another place, and for a curved detector an angle that the kernel's
// arc tangent is made for.
func (f *FanFBP) narrow(l fanLine, n int) bool {
	end := l.from(n - 1)
	per, turn := f.fan.SDD/f.geo.BinSize, math.Abs(l.turn())
	near, far := min(l.d, end.d), max(math.Hypot(l.d, l.e), math.Hypot(end.d, end.e))
	if f.fan.Curved && max(math.Abs(l.e/l.d), math.Abs(end.e/end.d)) > 0.8 {
		return false
	}
	return per*turn/(near*near)*(vec-1) < 2*vec-2 && per*turn/(far*far) > 1e-2
}

// fanLine is a line of the image seen from the source: pixel c lies e+c*de along
// the detector's axis and d+c*dd along the central ray.
type fanLine struct{ e, de, d, dd float64 }

// from is the line from pixel c on.
func (l fanLine) from(c int) fanLine {
	return fanLine{l.e + float64(c)*l.de, l.de, l.d + float64(c)*l.dd, l.dd}
}

// turn is how the tangent grows along the line, times the square of the distance.
func (l fanLine) turn() float64 { return l.de*l.d - l.e*l.dd }

// flat adds (sod/d)^2 q(e/d) to the pixels, q interpolated linearly.
func (l fanLine) flat(dst, q []float32, sod, perTan, centre float64) {
	e, de, d, dd := float32(l.e), float32(l.de), float32(l.d), float32(l.dd)
	p, mid, s, end := float32(perTan), float32(centre), float32(sod), float32(len(q)-1)
	for c := range dst {
		x := float32(c)
		inv := 1 / (d + x*dd)
		k := (e+x*de)*inv*p + mid
		if !(k >= 0 && k < end) {
			continue
		}
		i := int(k)
		a := (*[2]float32)(q[i:])
		inv *= s
		dst[c] += inv * inv * (a[0] + (k-float32(i))*(a[1]-a[0]))
	}
}

// curved adds q(atan(e/d))/(d^2+e^2) to the pixels, q interpolated linearly.
func (l fanLine) curved(dst, q []float32, perRadian, centre float64) {
	end := float64(len(q) - 1)
	for c := range dst {
		e, d := l.e+float64(c)*l.de, l.d+float64(c)*l.dd
		k := math.Atan(e/d)*perRadian + centre
		if !(k >= 0 && k < end) {
			continue
		}
		i := int(k)
		t := k - float64(i)
		dst[c] += float32(((1-t)*float64(q[i]) + t*float64(q[i+1])) / (d*d + e*e))
	}
}
