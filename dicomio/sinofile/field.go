package sinofile

import (
	"path/filepath"
	"slices"
)

// field is an array that goes with the projections: flats, darks or a mask.
type field struct {
	name string
	e    *entry
	data []float32
}

// loadFields reads flats, darks and the mask. Names are looked up in the file
// first, then as files.
func (w *work) loadFields() (err error) {
	named := func(r ref, told string) ref {
		if r.name == "" && told != "" && w.st.content != lineIntegrals {
			return ref{name: told, from: told}
		}
		return r
	}
	if w.flat, err = w.loadField(named(w.st.flat, w.told.flat)); err != nil {
		return err
	}
	if w.dark, err = w.loadField(named(w.st.dark, w.told.dark)); err != nil {
		return err
	}
	mask := w.st.mask
	if mask.name == "" {
		mask.name = w.told.mask
	}
	w.mask, err = w.loadField(mask)
	return err
}

func (w *work) loadField(r ref) (*field, error) {
	if r.name == "" {
		return nil, nil
	}
	if e := w.find(r.name); e != nil && e != w.e {
		data, err := w.load32(e)
		return &field{r.name, e, data}, err
	}
	c, err := w.openBeside(r)
	if err != nil {
		return nil, err
	}
	defer func() { c.close() }()
	e, err := c.pick("")
	if err != nil {
		return nil, err
	}
	data, err := c.load32(e)
	return &field{string(c.fileName), e, data}, err
}

// besidePath is where a name from the user or the sidecar leads. A sidecar may
// come from a stranger and must not lead out of its folder.
func (w *work) besidePath(r ref) (string, error) {
	if r.own {
		return r.name, nil
	}
	if !filepath.IsLocal(r.name) {
		return "", w.st.from.bad(r.from, "%q leads out of the sidecar's folder", r.name)
	}
	return filepath.Join(r.dir, r.name), nil
}

func (w *work) openBeside(r ref) (*container, error) {
	path, err := w.besidePath(r)
	if err != nil {
		return nil, err
	}
	src, err := openSource(path, w.limit)
	if err != nil {
		if isSystem(err) {
			return nil, w.st.from.bad(r.from, "%q is neither an array of %s nor a file that can be opened", r.name, w.fileName)
		}
		return nil, err
	}
	c, err := open(src, Raw{}, filepath.Dir(path))
	if err != nil {
		src.close()
		return nil, err
	}
	return c, nil
}

// onDetector averages a field over its frames to [row][bin].
func (w *work) onDetector(f *field) ([]float64, error) {
	out := make([]float64, w.scan.Rows*w.scan.Bins)
	if len(f.data) == 1 {
		for i := range out {
			out[i] = float64(f.data[0])
		}
		return out, nil
	}
	row, bin, frames, ok := w.fieldDims(f)
	if !ok {
		return nil, w.bad(f.name, "shape %s does not fit a detector of %d rows and %d bins", f.e.written(), w.scan.Rows, w.scan.Bins)
	}
	for r := range w.scan.Rows {
		for k := range w.scan.Bins {
			sum := 0.0
			for i := range frames.n {
				sum += float64(f.data[r*row.stride+k*bin.stride+i*frames.stride])
			}
			out[r*w.scan.Bins+k] = sum / float64(frames.n)
		}
	}
	return out, nil
}

// fieldDims finds the detector's axes among those of a field: all of them, or
// all but one, which counts frames and stands where the projections have their
// views or first. A single line serves every row.
func (w *work) fieldDims(f *field) (row, bin, frames dim, ok bool) {
	one := func(d dim) bool { return d.n == 1 }
	have := slices.DeleteFunc(f.e.dims(), one)
	var order []axis
	view := 0
	for _, a := range w.lay.order {
		switch {
		case a == viewAxis:
			view = len(order)
		case a == binAxis, w.lay.row.n > 1:
			order = append(order, a)
		}
	}
	for _, want := range [][]axis{order, {binAxis}} {
		for _, skip := range []int{-1, view, 0} {
			if skip >= 0 && len(want) < len(order) {
				break // frames of another number of rows are no line for every row
			}
			rest := have
			frames = dim{1, 0}
			if skip >= 0 && skip < len(have) {
				frames = have[skip]
				rest = slices.Delete(slices.Clone(have), skip, skip+1)
			}
			if row, bin, ok = w.matches(rest, want); ok {
				return row, bin, frames, true
			}
		}
	}
	return row, bin, frames, false
}

func (w *work) matches(have []dim, want []axis) (row, bin dim, ok bool) {
	if len(have) != len(want) {
		return row, bin, false
	}
	for i, a := range want {
		if have[i].n != w.lay.of(a).n {
			return row, bin, false
		}
		if a == rowAxis {
			row = have[i]
		} else {
			bin = have[i]
		}
	}
	return row, bin, true
}

// splitFrames takes flats and darks out of a stack that mixes them with
// projections, as NXtomo's image_key says: 0 projection, 1 flat, 2 dark.
func (w *work) splitFrames() error {
	if w.told.frames == "" {
		return nil
	}
	s := w.scan
	keys, err := w.load64(w.find(w.told.frames))
	if err != nil {
		return err
	}
	if len(keys) != s.Views {
		return w.bad(w.told.frames, "%d keys for %d frames", len(keys), s.Views)
	}
	if w.angles != nil && len(w.angles) != len(keys) {
		return w.bad(w.angleSource, "%d angles for %d frames", len(w.angles), len(keys))
	}
	size := s.stride.view
	if size != s.Rows*s.Bins {
		return w.cannot(w.e.name, "frames that are not the first axis")
	}
	sums := map[float64][]float64{1: nil, 2: nil}
	number := map[float64]int{}
	kept, angles := 0, []float64{}
	for i, key := range keys {
		frame := w.data[i*size : (i+1)*size]
		switch key {
		case 0:
			copy(w.data[kept*size:], frame)
			if w.angles != nil {
				angles = append(angles, w.angles[i])
			}
			kept++
		case 1, 2:
			sums[key] = addFrame(sums[key], frame)
			number[key]++
		}
	}
	if kept == 0 {
		return w.bad(w.told.frames, "no frame is a projection (key 0)")
	}
	if w.angles != nil {
		w.angles = angles
	}
	w.flat, w.dark = w.meanFrame("flats", sums[1], number[1], w.flat), w.meanFrame("darks", sums[2], number[2], w.dark)
	w.note("%d projections, %d flats and %d darks by %s", kept, number[1], number[2], w.told.frames)
	s.Views, s.data, w.data = kept, w.data[:kept*size], w.data[:kept*size]
	w.lay.view.n = kept
	w.stats = measure(w.data)
	if w.flat != nil {
		w.content = counts
	}
	return nil
}

func addFrame(sum []float64, frame []float32) []float64 {
	if sum == nil {
		sum = make([]float64, len(frame))
	}
	for i, v := range frame {
		sum[i] += float64(v)
	}
	return sum
}

// meanFrame makes a field of summed frames; a field that was given wins.
func (w *work) meanFrame(name string, sum []float64, n int, given *field) *field {
	if given != nil || n == 0 {
		return given
	}
	data := make([]float32, len(sum))
	for i, v := range sum {
		data[i] = float32(v / float64(n))
	}
	return &field{name: name, data: data, e: &entry{name: name, shape: w.e.shape[1:], fortran: w.e.fortran}}
}
