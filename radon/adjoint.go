package radon

// Adjoint backprojects sinogram src (views*bins) into image dst (H*W): the exact
// transpose of Apply. It overwrites dst, keeps src, and panics when a length is
// wrong. Cost: O(views*H*W); no allocation.
func (p *Projector) Adjoint(dst, src []float32) {
	rows, cols := p.Dims()
	mustHave("sinogram", src, rows)
	mustHave("image", dst, cols)
	p.call(p.adjoint, dst, src)
}

func (p *Projector) adjointPart(part int) {
	rowsUsed, colsUsed := p.back[0] != nil, p.back[1] != nil
	p.backAxes(part, p.back)
	crew := p.crew.whole(part)
	crew.wait()
	w := p.grid.W
	lo, hi := crew.share(p.grid.H, vec)
	dst := p.dst[lo*w : hi*w]
	for r := lo; rowsUsed && r < hi; r++ {
		copy(dst[(r-lo)*w:(r-lo+1)*w], p.back[0][p.ax[0].at(r):])
	}
	if colsUsed && lo < hi {
		p.kern.transpose(dst, w, p.back[1][lead+lo:], hi-lo, w, p.ax[1].stride, rowsUsed)
	}
}

// Normal writes A'A src (image to image) to dst. It overwrites dst, keeps src,
// and panics when a length is wrong. Only the first call allocates.
func (p *Projector) Normal(dst, src []float32) {
	if p.sino == nil {
		p.sino = alloc(p.geo.Len())
	}
	p.Apply(p.sino, src)
	p.Adjoint(dst, p.sino)
}

// Gram writes A A' src (sinogram to sinogram) to dst without leaving the padded
// layout. It overwrites dst, keeps src unless they are the same, and panics when
// a length is wrong. No allocation.
func (p *Projector) Gram(dst, src []float32) {
	rows, _ := p.Dims()
	mustHave("sinogram", dst, rows)
	mustHave("sinogram", src, rows)
	p.call(p.gram, dst, src)
}

func (p *Projector) gramPart(part int) {
	x, y := &p.ax[0], &p.ax[1]
	w, h := p.grid.W, p.grid.H
	crew := p.crew.whole(part)
	if p.img[0] == nil || p.img[1] == nil {
		p.backAxes(part, p.img)
	} else {
		p.backAxes(part, [2][]float32{p.img[0], p.back[1]})
		crew.wait()
		if lo, hi := crew.share(h, vec); lo < hi {
			row := p.img[0][x.at(lo):]
			p.kern.transpose(row, x.stride, p.back[1][lead+lo:], hi-lo, w, y.stride, true)
			p.kern.transpose(p.img[1][lead+lo:], y.stride, row, w, hi-lo, x.stride, false)
		}
	}
	crew.wait()
	for t := range p.ax {
		p.ax[t].clearOverhang(p.img[t], crew)
	}
	crew.wait()
	p.project(part, false)
}

// clearOverhang zeroes what whole vectors wrote behind the end of each line.
func (ax *axis) clearOverhang(img []float32, crew team) {
	over := roundUp(ax.m, vec)
	if img == nil || over == ax.m {
		return
	}
	lo, hi := crew.share(ax.n, 1)
	for r := lo; r < hi; r++ {
		clear(img[ax.at(r)+ax.m : ax.at(r)+over])
	}
}

// backAxes sums the views of each axis into its padded image. When the axes have
// about as many views, one half of an even number of parts takes each, so that
// less is shared.
func (p *Projector) backAxes(part int, img [2][]float32) {
	n, m := len(p.ax[0].views), len(p.ax[1].views)
	if p.crew.n%2 == 0 && 10*max(n-m, m-n) <= n+m {
		p.backAxis(p.crew.side(part), part, part%2, img[part%2], p.desks[part%2].bk)
		return
	}
	for t := range p.ax {
		p.backAxis(p.crew.whole(part), part, t, img[t], p.desks[0].bk)
	}
}

// backAxis sums the views of axis t into its padded image. Columns from m to the
// next multiple of vec get rubbish. A team shares the views of a group, then the
// lines.
func (p *Projector) backAxis(team team, part, t int, img, bk []float32) {
	ax := &p.ax[t]
	lo, hi := team.share(ax.n, 1)
	for i := range ax.groups {
		g := &ax.groups[i]
		team.wait() // for the lines of the group before
		first, last := team.share(len(g.start), 1)
		for j := first; j < last; j++ {
			v, pos := &ax.views[g.lo+j], g.start[j]
			p.undetect(&p.desks[part], bk[pos:pos+p.phases*v.blen], v, p.src[v.index*p.geo.Bins:(v.index+1)*p.geo.Bins])
		}
		team.wait()
		for r := lo; r < hi; r += tileLines {
			g.backTile(p.kern, img, bk, r, min(r+tileLines, hi), i > 0)
		}
	}
}

// backTile adds the views of the group to lines r0 to r1.
func (g *group) backTile(k kernel, img, bk []float32, r0, r1 int, add bool) {
	for at := 0; at < int(g.sets[0].jobs[0].vecs); at += tileVecs {
		for i := range g.sets {
			set := &g.sets[i]
			k.addUp(img, bk, set.jobs[r0:r1], set.off, at, tileVecs, add || i > 0)
		}
	}
}

// undetect is the transpose of detect.
func (p *Projector) undetect(d *desk, bk []float32, v *view, src []float32) {
	if v.n == 0 {
		clear(bk)
		return
	}
	fine := d.fine[p.margin:][:len(bk)]
	p.kern.spread(fine, p.margin, src[v.k0:v.k0+v.n], v)
	p.kern.deinterleave(bk, fine, p.phases, v.blen)
}
