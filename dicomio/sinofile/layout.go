package sinofile

import (
	"math"
	"slices"
	"strings"
)

// dim is one axis of the data array.
type dim struct {
	n, stride int
}

// dims are the axes as the format counts them.
func (e *entry) dims() []dim {
	out, stride := make([]dim, len(e.shape)), 1
	for i := len(e.shape) - 1; i >= 0; i-- {
		out[i] = dim{e.shape[i], stride}
		stride *= e.shape[i]
	}
	if e.fortran {
		slices.Reverse(out)
	}
	return out
}

// layout is what each index of the data counts.
type layout struct {
	row, view, bin dim
	rank           int
	order          []axis // of the axes longer than 1 or named, as the format counts them
}

// findLayout decides which axis is which: from the settings, the file, the
// tool's convention, the number of angles, or the data themselves.
func (w *work) findLayout() error {
	all := w.e.dims()
	axes := w.st.axes
	if axes == nil {
		axes = w.told.axes
	}
	if axes == nil && w.st.conv.axes != "" {
		axes, _ = parseAxes(w.st.conv.axes)
		if len(axes) == 3 && len(all) == 2 {
			axes = slices.DeleteFunc(axes, func(a axis) bool { return a == rowAxis })
		}
	}
	if axes != nil {
		return w.namedLayout(all, axes)
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(d dim) bool { return d.n == 1 })
	if len(kept) < 2 && len(all) == 2 {
		kept = all
	}
	switch {
	case len(kept) == 2:
		return w.guessLayout(kept)
	case len(kept) == 3:
		return w.guessLayout(kept)
	}
	return w.bad(w.e.name, "shape %s: a sinogram has two axes (views, bins) or three (rows too)", w.e.written())
}

func (w *work) namedLayout(all []dim, axes []axis) error {
	dims := all
	if len(dims) != len(axes) {
		dims = slices.DeleteFunc(slices.Clone(all), func(d dim) bool { return d.n == 1 })
	}
	if len(dims) != len(axes) {
		return w.bad("axes", "%s for an array of shape %s", axesText(axes), w.e.written())
	}
	w.lay = layout{row: dim{1, 0}, rank: len(axes), order: axes}
	for i, a := range axes {
		*w.lay.of(a) = dims[i]
	}
	return nil
}

func (l *layout) of(a axis) *dim {
	switch a {
	case rowAxis:
		return &l.row
	case viewAxis:
		return &l.view
	}
	return &l.bin
}

func axesText(axes []axis) string {
	parts := make([]string, len(axes))
	for i, a := range axes {
		parts[i] = a.String()
	}
	return strings.Join(parts, ",")
}

// candidate is one way to read the axes.
type candidate struct {
	axes   []axis
	spread float64
}

// wayOut is the factor between the spreads of two readings below which neither
// is believed; on real data they differ by 10 and more.
const wayOut = 3

// leastSpread is what view sums spread by in good data. Equal slices spread by
// nothing when they are read as views, which is no better.
const leastSpread = 0.003

// guessLayout uses that the sum over the bins is the same in every view of a
// parallel beam, and nearly so in a fan: the reading with the smallest spread of
// its view sums is right.
func (w *work) guessLayout(dims []dim) error {
	list := w.candidates(dims)
	if len(list) == 1 {
		w.note("axes read as %s: the number of angles says so", axesText(list[0].axes))
		return w.namedLayout(dims, list[0].axes)
	}
	block := w.sample(dims)
	for i := range list {
		list[i].spread = math.Max(block.spread(list[i].axes), leastSpread)
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		switch {
		case a.spread < b.spread:
			return -1
		case a.spread > b.spread:
			return 1
		}
		return 0
	})
	best, next := list[0], list[1]
	if !(best.spread*wayOut <= next.spread) {
		return w.cannot("axes", "shape %s can be read as %s or as %s (view sums spread by %.3g and %.3g): say which with --axes",
			w.e.written(), axesText(best.axes), axesText(next.axes), best.spread, next.spread)
	}
	w.note("axes read as %s: its view sums spread by %.3g, those of %s by %.3g", axesText(best.axes), best.spread, axesText(next.axes), next.spread)
	return w.namedLayout(dims, best.axes)
}

// candidates are the readings that the number of angles and the shape allow.
func (w *work) candidates(dims []dim) []candidate {
	readings := []string{"view,bin", "bin,view"}
	if len(dims) == 3 {
		readings = []string{"view,row,bin", "row,view,bin", "view,bin,row", "row,bin,view", "bin,view,row", "bin,row,view"}
	}
	var all, fit []candidate
	for _, r := range readings {
		axes, _ := parseAxes(r)
		c := candidate{axes: axes}
		all = append(all, c)
		views := dims[slices.Index(axes, viewAxis)].n
		if n := w.angleCount(); n > 0 && views == n {
			fit = append(fit, c)
		}
	}
	switch {
	case len(fit) == 0:
		return all
	case len(dims) == 3 && len(fit) == 2:
		return fit[:1] // the views are known; every tool writes rows before bins
	}
	return fit
}

// block is a sample of the data in nepers, or something near to them.
type block struct {
	n    [3]int // the last two are used by arrays of two axes
	data []float64
}

// sample takes at most maxSample values, evenly along each axis.
func (w *work) sample(dims []dim) *block {
	if len(dims) == 2 {
		dims = append([]dim{{1, 0}}, dims...)
	}
	side := 1024
	if dims[0].n > 1 {
		side = 100
	}
	b := &block{}
	for i, d := range dims {
		b.n[i] = min(d.n, side)
	}
	b.data = make([]float64, 0, b.n[0]*b.n[1]*b.n[2])
	for i := range b.n[0] {
		for j := range b.n[1] {
			for k := range b.n[2] {
				v := w.data[i*dims[0].n/b.n[0]*dims[0].stride+j*dims[1].n/b.n[1]*dims[1].stride+k*dims[2].n/b.n[2]*dims[2].stride]
				b.data = append(b.data, w.roughNepers(float64(v)))
			}
		}
	}
	return b
}

// spread is the standard deviation of the view sums over their mean, averaged
// over rows. One view has no spread that could be judged: NaN.
func (b *block) spread(axes []axis) float64 {
	pos := map[axis]int{rowAxis: 0}
	for i, a := range axes {
		pos[a] = i + 3 - len(axes)
	}
	step := [3]int{b.n[1] * b.n[2], b.n[2], 1}
	r, v, k := pos[rowAxis], pos[viewAxis], pos[binAxis]
	if b.n[v] < 2 || b.n[k] < 2 {
		return math.NaN()
	}
	total := 0.0
	for i := range b.n[r] {
		var sum, squares float64
		for j := range b.n[v] {
			s := 0.0
			for m := range b.n[k] {
				s += b.data[i*step[r]+j*step[v]+m*step[k]]
			}
			sum += s
			squares += s * s
		}
		mean := sum / float64(b.n[v])
		sd := math.Sqrt(max(0, squares/float64(b.n[v])-mean*mean))
		total += sd / max(math.Abs(mean), 1e-30)
	}
	return total / float64(b.n[r])
}

// setLayout gives the scan its sizes.
func (w *work) setLayout() error {
	l := w.lay
	s := w.scan
	s.Rows, s.Views, s.Bins = l.row.n, l.view.n, l.bin.n
	s.data = w.data
	s.stride = strides{row: l.row.stride, view: l.view.stride, bin: l.bin.stride}
	if w.st.conv.reverse {
		s.stride.start, s.stride.bin = (s.Bins-1)*s.stride.bin, -s.stride.bin
		w.note("bins were reversed, as %s writes them", "gratopy")
	}
	if s.Bins < 2 {
		return w.bad("axes", "%s of shape %s leaves one bin: a detector has more", axesText(l.order), w.e.written())
	}
	s.Row = -1
	if r := w.st.row; r != nil {
		if *r < 0 || *r >= s.Rows {
			return w.st.from.bad("row", "%d: the file has %d rows, counted from 0", *r, s.Rows)
		}
		s.Row = *r
	}
	return nil
}
