package radon

// The sums of the projector are cut so that what they read stays in the L1 cache,
// where a vector that crosses cache lines costs half of what it does in L2.
//
// Forward, a strip of image lines is read by every view of a group before the
// next strip. The lines of the strip that share a phase are added into their
// bucket in registers, so that a bucket is loaded and stored once for all of
// them. Wide strips are read in windows. Backward, a tile of the image stays in
// L1 while sets of views, whose buckets are read by every line of the tile, are
// added to it.
//
// The figures are the best of a sweep on a core with 48 KB of L1.
const (
	stripLines = 28 // image lines of a strip, forward
	windowVecs = 20 // vectors of its windows, at most
	tileLines  = 48 // image lines of a tile, backward
	tileVecs   = 8  // its vectors
	setViews   = 16 // views of a set
)

// reach is how far a sum may read beside a line: the displacements in a strip
// differ by less than a pixel a line, and sums begin and end on whole vectors.
// Lines share zero margins of that width.
const reach = stripLines + vec - 2

// job is one sum of the kernels: vecs vectors from dst on get n others, whose
// distances from dst begin at place list of a list of offsets.
type job struct{ dst, list, n, vecs int32 }

// group is a run of views whose buckets stay in the L2 cache together.
type group struct {
	lo      int        // its first view
	start   []int      // for each view, where its buckets begin
	len     int        // floats of the buckets
	vecs    int        // vectors of the widest job
	window  int        // vectors of a window
	lineOff []int32    // for each strip of each bucket of each view: the distances to its lines
	strips  [][]job    // [strip] a job for each bucket that has lines in it
	rest    [][2]int32 // parts of the buckets that the first strip does not reach
	sets    []set
}

// set is a run of views of a group whose buckets stay in the L1 cache.
type set struct {
	off  []int32 // [line][view] distance from the line to its bucket
	jobs []job   // [line]
}

// group cuts the views of an axis into groups of equal work whose buckets fit the
// cache, about as many for each worker.
func (p *plan) group(ax *axis) {
	used := 0
	for i := range ax.views {
		used += p.phases * ax.views[i].blen * 4
	}
	nv := len(ax.views)
	n := min(nv, roundUp((used+p.cache-1)/p.cache, max(1, p.workers)))
	for i := range n {
		g := p.makeGroup(ax, nv*i/n, nv*(i+1)/n)
		p.bkLen = max(p.bkLen, g.len+2*block)
		ax.groups = append(ax.groups, g)
	}
	for i := range ax.views {
		ax.views[i].q = nil
	}
}

func (p *plan) makeGroup(ax *axis, lo, hi int) group {
	g := group{lo: lo}
	if !p.backOnly {
		g.strips = make([][]job, (ax.n+stripLines-1)/stripLines)
		g.lineOff = make([]int32, 0, ax.n*(hi-lo))
	}
	for i := lo; i < hi; i++ {
		g.start = append(g.start, g.len)
		g.forward(ax, &ax.views[i], p.phases)
		g.len += p.phases * ax.views[i].blen
	}
	windows := (g.vecs + windowVecs - 1) / windowVecs
	g.window = (g.vecs + windows - 1) / max(1, windows)
	for i := lo; i < hi; i += setViews {
		j := min(i+setViews, hi)
		g.sets = append(g.sets, makeSet(ax, ax.views[i:j], g.start[i-lo:j-lo], p.phases))
	}
	return g
}

// forward adds the jobs of a view whose buckets begin at g.len to each strip.
func (g *group) forward(ax *axis, v *view, phases int) {
	for s := range g.strips {
		r0, r1 := s*stripLines, min(ax.n, (s+1)*stripLines)
		for ph := range phases {
			g.bucket(ax, v, s, r0, r1, ph, phases)
		}
	}
}

// bucket adds the job of the lines of one phase in strip s.
func (g *group) bucket(ax *axis, v *view, s, r0, r1, ph, phases int) {
	at, first := g.len+ph*v.blen, len(g.lineOff)
	lo, hi := v.blen, 0
	for r := r0; r < r1; r++ {
		if d := v.q[r]; d%phases == ph {
			lo, hi = min(lo, d/phases), max(hi, d/phases)
			g.lineOff = append(g.lineOff, int32(ax.at(r)-d/phases-at))
		}
	}
	n := len(g.lineOff) - first
	if n == 0 {
		if s == 0 {
			g.clearLater(at, at+v.blen)
		}
		return
	}
	lo = lo / vec * vec
	vecs := roundUp(hi+ax.m-lo, vec) / vec
	if s == 0 {
		g.clearLater(at, at+lo)
		g.clearLater(at+lo+vecs*vec, at+v.blen)
	}
	g.vecs = max(g.vecs, vecs)
	g.strips[s] = append(g.strips[s], job{int32(at + lo), int32(first), int32(n), int32(vecs)})
}

// clearLater adds floats lo to hi to the rest.
func (g *group) clearLater(lo, hi int) {
	n := len(g.rest)
	switch {
	case lo == hi:
	case n > 0 && int(g.rest[n-1][1]) == lo:
		g.rest[n-1][1] = int32(hi)
	default:
		g.rest = append(g.rest, [2]int32{int32(lo), int32(hi)})
	}
}

// at is where line r begins in the padded image.
func (ax *axis) at(r int) int { return lead + r*ax.stride }

func makeSet(ax *axis, views []view, starts []int, phases int) set {
	s := set{off: make([]int32, 0, ax.n*len(views)), jobs: make([]job, 0, ax.n)}
	vecs := roundUp(ax.m, vec) / vec
	for r := range ax.n {
		s.jobs = append(s.jobs, job{int32(ax.at(r)), int32(len(s.off)), int32(len(views)), int32(vecs)})
		for i := range views {
			v := &views[i]
			s.off = append(s.off, int32(starts[i]+v.q[r]%phases*v.blen+v.q[r]/phases-ax.at(r)))
		}
	}
	return s
}
