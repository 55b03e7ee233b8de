package radon

// Adjoint backprojects sinogram src (views*bins) into image dst (H*W): the exact
// transpose of Apply. It overwrites dst, keeps src, and panics when a length is
// wrong. Cost: O(views*H*W); no allocation.
func (p *Projector) Adjoint(dst, src []float32) {
	rows, cols := p.Dims()
	mustHave("sinogram", src, rows)
	mustHave("image", dst, cols)
	w, h := p.grid.W, p.grid.H
	rowsUsed, colsUsed := p.back[0] != nil, p.back[1] != nil
	if rowsUsed {
		p.backAxis(&p.ax[0], p.back[0], src)
		for r := range h {
			copy(dst[r*w:(r+1)*w], p.back[0][lead+r*p.ax[0].stride:])
		}
	}
	if colsUsed {
		p.backAxis(&p.ax[1], p.back[1], src)
		p.kern.transpose(dst, w, p.back[1][lead:], h, w, p.ax[1].stride, rowsUsed)
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
	x, y := &p.ax[0], &p.ax[1]
	w, h := p.grid.W, p.grid.H
	switch {
	case p.img[1] == nil:
		p.backAxis(x, p.img[0], src)
	case p.img[0] == nil:
		p.backAxis(y, p.img[1], src)
	default:
		p.backAxis(x, p.img[0], src)
		p.backAxis(y, p.back[1], src)
		p.kern.transpose(p.img[0][lead:], x.stride, p.back[1][lead:], h, w, y.stride, true)
		p.kern.transpose(p.img[1][lead:], y.stride, p.img[0][lead:], w, h, x.stride, false)
	}
	for t := range p.ax {
		p.ax[t].clearOverhang(p.img[t])
	}
	p.project(dst)
}

// clearOverhang zeroes what whole blocks wrote behind the end of each line.
func (ax *axis) clearOverhang(img []float32) {
	over := roundUp(ax.m, vec)
	if img == nil || over == ax.m {
		return
	}
	for r := range ax.n {
		clear(img[lead+r*ax.stride+ax.m : lead+r*ax.stride+over])
	}
}

// backAxis sums the views of one axis into its padded image. Columns from m to
// the next multiple of 16 get rubbish.
func (p *Projector) backAxis(ax *axis, img, src []float32) {
	for i := range ax.groups {
		g := &ax.groups[i]
		pos := 0
		for j := g.lo; j < g.hi; j++ {
			v := &ax.views[j]
			n := p.phases * v.blen
			p.undetect(p.bk[pos:pos+n], v, src[v.index*p.geo.Bins:(v.index+1)*p.geo.Bins])
			pos += n
		}
		for r := 0; r < ax.n; r += tileLines {
			for at := 0; at < roundUp(ax.m, vec)/vec; at += tileVecs {
				for s := range g.sets {
					set := &g.sets[s]
					p.kern.addUp(img, p.bk, set.jobs[r:min(r+tileLines, ax.n)], set.off, at, tileVecs, i > 0 || s > 0)
				}
			}
		}
	}
}

// undetect is the transpose of detect.
func (p *Projector) undetect(bk []float32, v *view, src []float32) {
	if v.n == 0 {
		clear(bk)
		return
	}
	n := roundUp(p.margin+len(bk), block)
	for i := range v.passes {
		clear(p.pass[i*p.fineLen : i*p.fineLen+n])
	}
	p.kern.spread(p.pass, p.fineLen, v.passes, src[v.k0:v.k0+v.n], v.desc, v.w, v.taps)
	p.job[0] = job{0, 0, int32(v.passes), int32(n / vec)}
	p.kern.addUp(p.fine, p.pass, p.job[:], p.passOff, 0, n/vec, false)
	p.kern.deinterleave(bk, p.fine[p.margin:p.margin+len(bk)], p.phases, v.blen)
	clear(p.fine[:p.margin])
}
