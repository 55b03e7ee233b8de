package radon

import (
	"fmt"
	"math"
	"slices"

	"ctrecon/ct"
)

// Options of a projector; the zero value is the default.
type Options struct {
	Footprint Footprint
	// Phases is the number of sub-pixel positions that a line may take: more is
	// closer to the footprint's definition and slower. 0 is 4, or for Linear with
	// bins smaller than a pixel as many as keep the step below a third of a bin.
	Phases int
	// Kernel is one of Kernels(); empty is the best of this processor.
	Kernel string
	// Workers is the number of goroutines of one call, 0 is one. The bits of the
	// result do not depend on it. For many slices, a clone each is better.
	Workers int

	backOnly bool // no plan for Apply

	steps int // steps of the weight table between two samples, 0 = 32
	cache int // bytes of buckets to keep hot, 0 = 400 KiB
}

const (
	maxPhases  = 64
	maxWorkers = 1024
	maxRatio   = 64 // of bin size to pixel size, either way
	// lead is the number of zero floats before the first and after the last line
	// of a padded image.
	lead = 64
)

// plan is what depends on grid, geometry and options alone. It is not changed
// after newPlan, so any number of projectors share it.
type plan struct {
	grid     ct.Grid
	geo      ct.Geometry
	kern     kernel
	foot     Footprint
	phases   int
	steps    int
	cache    int
	workers  int
	backOnly bool
	ax       [2]axis

	margin  int // zero floats before the samples of a view
	fineLen int // floats of one interleaved view with its margins
	bkLen   int // floats of the buckets of the largest group
	lineLen int // bins of a view, padded
	tables  map[[2]int64]table
}

// axis is one of the two orientations: lines are rows (|a| >= |b|) or columns.
type axis struct {
	m, n   int // length of a line, number of lines
	stride int
	views  []view
	groups []group
}

// view is the plan of one angle.
type view struct {
	index int        // which view of the sinogram
	blen  int        // floats of a bucket, a multiple of block
	q     []int      // displacement of each line in 1/phases pixel; kept until the groups are made
	k0, n int        // first bin that sees the image, and how many do
	desc  [][2]int32 // for each bin: start of its window, place of its weights; padded to a multiple of descPad
	span  [][2]int32 // for each vector of samples: the bins whose windows touch it
	table
}

// table has the weights of the samples of a window for steps places of the bin
// between two samples, and a row of zeros. Each row has vec zeros on both sides,
// so that the adjoint can read it beside its ends.
type table struct {
	w    []float32
	taps int // of a window
}

// row is where the weights of step i begin.
func (t *table) row(i int) int { return i*(t.taps+2*vec) + vec }

func newPlan(grid ct.Grid, geo ct.Geometry, o Options) (*plan, error) {
	if err := check(grid, geo, o); err != nil {
		return nil, err
	}
	k, err := kernelByName(o.Kernel)
	if err != nil {
		return nil, err
	}
	geo.Angles = append([]float64(nil), geo.Angles...)
	p := &plan{grid: grid, geo: geo, kern: k, foot: o.Footprint, phases: o.Phases, steps: o.steps, cache: o.cache, workers: max(1, o.Workers), backOnly: o.backOnly}
	if p.phases == 0 {
		p.phases = defaultPhases(grid, geo, o.Footprint)
	}
	if p.steps == 0 {
		p.steps = 32
	}
	if p.cache == 0 {
		p.cache = 400 << 10
	}
	p.tables = map[[2]int64]table{}
	p.ax[0].size(grid.W, grid.H)
	p.ax[1].size(grid.H, grid.W)
	p.planViews()
	for t := range p.ax {
		p.group(&p.ax[t])
	}
	p.finish()
	return p, nil
}

func check(grid ct.Grid, geo ct.Geometry, o Options) error {
	if err := grid.Check(); err != nil {
		return fmt.Errorf("radon: %w", err)
	}
	if err := geo.Check(); err != nil {
		return fmt.Errorf("radon: %w", err)
	}
	lo, hi := min(grid.DX, grid.DY), max(grid.DX, grid.DY)
	switch {
	case hi > maxRatio*lo:
		return fmt.Errorf("radon: pixels of %g x %g mm: sides may differ by a factor of %d at most", grid.DX, grid.DY, maxRatio)
	case geo.BinSize > maxRatio*lo || geo.BinSize*maxRatio < hi:
		return fmt.Errorf("radon: bins of %g mm and pixels of %g x %g mm: they may differ by a factor of %d at most",
			geo.BinSize, grid.DX, grid.DY, maxRatio)
	case math.Abs(geo.Offset) > 1<<24:
		return fmt.Errorf("radon: detector offset of %g bins: no object can be seen", geo.Offset)
	case o.Footprint < Strip || o.Footprint > Linear:
		return fmt.Errorf("radon: %v is none of strip, joseph, linear", o.Footprint)
	case o.Workers < 0 || o.Workers > maxWorkers:
		return fmt.Errorf("radon: %d workers: 1 to %d are possible", o.Workers, maxWorkers)
	case o.Phases < 0 || o.Phases > maxPhases:
		return fmt.Errorf("radon: %d phases: 1 to %d are possible", o.Phases, maxPhases)
	}
	return nil
}

// defaultPhases keeps the samples of Linear within a third of a bin, because a
// bin would else fall between them. The other footprints are as wide as a pixel.
func defaultPhases(grid ct.Grid, geo ct.Geometry, f Footprint) int {
	if f != Linear {
		return 4
	}
	return min(maxPhases, max(4, roundUp(int(math.Ceil(3*max(grid.DX, grid.DY)/geo.BinSize-1e-9)), 4)))
}

// size sets the layout of the padded image. Neighbouring lines share their zero
// margin; an odd number of cache lines keeps them out of one cache set.
func (ax *axis) size(m, n int) {
	ax.m, ax.n = m, n
	ax.stride = roundUp(m+reach, 16)
	if ax.stride/16%2 == 0 {
		ax.stride += 16
	}
}

// padded is the length of the padded image.
func (ax *axis) padded() int { return ax.n*ax.stride + 2*lead + vec }

// planViews makes the plan of every view, in the axis that its rays cross more
// steeply.
func (p *plan) planViews() {
	g := p.grid
	for i, deg := range p.geo.Angles {
		s, c := sincos(deg)
		a, b := c*g.DX/p.geo.BinSize, -s*g.DY/p.geo.BinSize
		u0 := -float64(g.W-1)/2*a - float64(g.H-1)/2*b + float64(p.geo.Bins-1)/2 + p.geo.Offset
		t := 0
		if math.Abs(a) < math.Abs(b) {
			t, a, b = 1, b, a
		}
		p.ax[t].views = append(p.ax[t].views, p.planView(&p.ax[t], i, a, b, u0))
	}
}

// sincos reduces the angle in degrees, where it is exact.
func sincos(deg float64) (sin, cos float64) {
	return math.Sincos(math.Mod(deg, 360) * math.Pi / 180)
}

// planView plans the view in which pixel c of line r falls on u = a c + b r + u0
// (bins).
func (p *plan) planView(ax *axis, index int, a, b, u0 float64) view {
	v := view{index: index}
	flip := a < 0 // the detector runs against the main axis
	if flip {
		a, b, u0 = -a, -b, float64(p.geo.Bins-1)-u0
	}
	tau := b / a
	tmin := math.Min(0, tau*float64(ax.n-1))
	q, mean := quantise(ax.n, p.phases, tau, tmin)
	qmax := max(q[0], q[len(q)-1])
	v.q, v.blen = q, roundUp(ax.m+qmax/p.phases+1, block)
	// The mean rounding error moves the grid: without that, ties displace every
	// line the same way (a sixteenth of a pixel at tau = 1/8).
	step := a / float64(p.phases)
	v.table = p.table(step, a, math.Abs(b))
	v.windows(p, step, u0+a*tmin-step*mean, p.phases*(ax.m-1)+qmax)
	if flip {
		v.k0 = p.geo.Bins - v.k0 - v.n
		slices.Reverse(v.desc)
	}
	for len(v.desc)%descPad != 0 {
		v.desc = append(v.desc, [2]int32{0, int32(v.row(p.steps))})
	}
	return v
}

// quantise rounds the displacement tau*r-tmin of every line to 1/phases pixel,
// and gives the mean error in these units.
func quantise(n, phases int, tau, tmin float64) (q []int, mean float64) {
	q = make([]int, n)
	for r := range q {
		t := float64(phases) * (tau*float64(r) - tmin)
		q[r] = max(0, int(math.Floor(t+0.5)))
		mean += float64(q[r]) - t
	}
	return q, mean / float64(n)
}

// table tabulates the footprint. Views of equal steps share it: those mirrored at
// an axis, and for square pixels at a diagonal.
func (p *plan) table(step, a, b float64) table {
	key := [2]int64{int64(math.Round(a * 1e9)), int64(math.Round(b * 1e9))}
	if t, ok := p.tables[key]; ok {
		return t
	}
	h, half := p.foot.shape(a, b, p.grid.DX*p.grid.DY, p.geo.BinSize)
	t := table{taps: roundUp(int(math.Ceil(2*half/step))+1, p.kern.tapUnit())}
	t.w = alloc(t.row(p.steps) + t.taps + vec)
	centre := float64(t.taps-1) / 2
	for i := range p.steps {
		row := t.w[t.row(i):]
		for j := range t.taps {
			x := float64(j) - centre - (float64(i)/float64(p.steps) - 0.5)
			row[j] = float32(h(x * step))
		}
	}
	p.tables[key] = t
	return t
}

// windows finds for every bin where its samples begin. Sample j lies at
// step*j+f0 bins, the last that is not zero is last.
func (v *view) windows(p *plan, step, f0 float64, last int) {
	half := float64(v.taps) / 2 * step
	lo := max(0, int(math.Floor(f0-half)))
	hi := min(p.geo.Bins-1, int(math.Ceil(f0+step*float64(last)+half)))
	centre := float64(v.taps-1) / 2
	v.k0 = lo
	v.desc = make([][2]int32, 0, roundUp(max(0, hi-lo+1), descPad))
	for k := lo; k <= hi; k++ {
		x := (float64(k)-f0)/step - centre + 0.5
		j := int(math.Floor(x))
		f := int(math.Round((x - float64(j)) * float64(p.steps)))
		if f == p.steps {
			j, f = j+1, 0
		}
		if j <= -v.taps || j >= p.phases*v.blen { // sees nothing
			if v.n == 0 {
				v.k0++
			}
			continue
		}
		v.desc = append(v.desc, [2]int32{int32(j), int32(v.row(f))})
		v.n++
	}
}

// spans finds the bins that touch each vector of samples. Window starts rise or
// fall with the bin, so they are a range.
func (v *view) spans(samples int) {
	v.span = make([][2]int32, samples/vec)
	for k, d := range v.desc[:v.n] {
		lo, hi := max(0, int(d[0])), min(samples, int(d[0])+v.taps)
		for b := lo / vec; b*vec < hi; b++ {
			s := &v.span[b]
			if s[1] == 0 {
				s[0] = int32(k)
			}
			s[1] = int32(k + 1)
		}
	}
}

// finish sizes the work space and makes window starts relative to it: a margin
// stands before the samples.
func (p *plan) finish() {
	for t := range p.ax {
		for i := range p.ax[t].views {
			v := &p.ax[t].views[i]
			p.fineLen = max(p.fineLen, p.phases*v.blen)
			p.margin = max(p.margin, roundUp(v.taps, block))
			p.lineLen = max(p.lineLen, len(v.desc))
		}
	}
	p.fineLen = roundUp(p.fineLen+2*p.margin, block)
	p.tables = nil // the views have them
	for t := range p.ax {
		for i := range p.ax[t].views {
			v := &p.ax[t].views[i]
			v.spans(p.phases * v.blen)
			for k := range v.desc {
				v.desc[k][0] += int32(p.margin)
			}
		}
	}
}
