//go:build amd64 && !purego

package radon

import "golang.org/x/sys/cpu"

// best is found once: the processor does not change.
var best = detectKernel()

func bestKernel() kernel { return best }

func detectKernel() kernel {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return kernelGo
	case x.HasAVX512F && x.HasAVX512VL && x.HasAVX512DQ:
		return kernelAVX512
	}
	return kernelAVX2
}

//go:noescape
func addUp256(dst, base *float32, jobs *job, njobs int, off *int32, first, width, add int)

//go:noescape
func addUp512(dst, base *float32, jobs *job, njobs int, off *int32, first, width, add int)

//go:noescape
func resample256(dst *float32, n int, fine *float32, desc *[2]int32, w *float32, taps int)

//go:noescape
func resample512(dst *float32, n int, fine *float32, desc *[2]int32, w *float32, taps int)

//go:noescape
func spread256(dst *float32, nvec int, y *float32, span, desc *[2]int32, w *float32, at int)

//go:noescape
func spread512(dst *float32, nvec int, y *float32, span, desc *[2]int32, w *float32, at int)

//go:noescape
func interleave4(dst, src *float32, n0 int)

//go:noescape
func deinterleave4(dst, src *float32, n0 int)

//go:noescape
func interleave4z(dst, src *float32, n0 int)

//go:noescape
func deinterleave4z(dst, src *float32, n0 int)

// transpose8 handles n tiles of 8 x 8, transpose16 a column of tiles of 16 x 16;
// strides and steps from tile to tile are in floats.
//
//go:noescape
func transpose8(dst *float32, ds, dstep int, src *float32, ss, sstep, n, add int)

//go:noescape
func transpose16(dst *float32, ds int, src *float32, ss int, n int, add int)

//go:noescape
func tapSum256(dst *float32, stride, nvec int, base, coef *float32, n int)

//go:noescape
func tapSum512(dst *float32, stride, nvec int, base, coef *float32, n int)

// The kernels of a block of rays do 16 or 8 lanes.
//
//go:noescape
func fanSum512(img *float32, b *fanBlock, sums *[vec]float32)

//go:noescape
func fanSum256(img *float32, b *fanBlock, sums *[vec]float32)

//go:noescape
func fanSpread512(img *float32, b *fanBlock, y *[vec]float32)

//go:noescape
func fanSpread256(img *float32, b *fanBlock, y *[vec]float32)

// Backprojection of a view of a fan onto nvec vectors of a line.
//
//go:noescape
func fanFlat512(dst *float32, nvec int, q *float32, row *fanRow)

//go:noescape
func fanCurved512(dst *float32, nvec int, q *float32, row *fanRow)

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (k kernel) addUp(dst, base []float32, jobs []job, off []int32, first, width int, add bool) {
	n := len(jobs)
	switch {
	case n == 0:
	case k == kernelGo:
		addUpGo(dst, base, jobs, off, first, width, add)
	case k == kernelAVX512:
		for ; width > 0; first, width = first+jobVecs, width-jobVecs {
			addUp512(&dst[0], &base[0], &jobs[0], n, &off[0], first, min(width, jobVecs), b2i(add))
		}
	default:
		addUp256(&dst[0], &base[0], &jobs[0], n, &off[0], first, width, b2i(add))
	}
}

func (k kernel) resample(dst, g []float32, desc [][2]int32, w []float32, taps int) {
	n := len(desc)
	if k == kernelGo || n == 0 || n%descPad != 0 {
		resampleGo(dst, g, desc, w, taps)
		return
	}
	_ = dst[n-1]
	if k == kernelAVX512 {
		resample512(&dst[0], n, &g[0], &desc[0], &w[0], taps)
		return
	}
	resample256(&dst[0], n, &g[0], &desc[0], &w[0], taps)
}

func (k kernel) spread(dst []float32, at int, y []float32, v *view) {
	n := len(dst) / vec
	if k == kernelGo || n == 0 {
		spreadGo(dst, at, y, v)
		return
	}
	_, _ = v.span[n-1], v.desc[len(y)-1]
	if k == kernelAVX512 {
		spread512(&dst[0], n, &y[0], &v.span[0], &v.desc[0], &v.w[0], at)
		return
	}
	spread256(&dst[0], n, &y[0], &v.span[0], &v.desc[0], &v.w[0], at)
}

func (k kernel) interleave(dst, src []float32, p, n0 int) {
	if k == kernelGo || p%8 != 0 && p != 4 || n0%vec != 0 || n0 == 0 {
		interleaveGo(dst, src, p, n0)
		return
	}
	_, _ = dst[p*n0-1], src[p*n0-1]
	switch {
	case p != 4: // a transposition
		for j := 0; j < p; j += 8 {
			transpose8(&dst[j], p, 8*p, &src[j*n0], n0, 8, n0/8, 0)
		}
	case k == kernelAVX512:
		interleave4z(&dst[0], &src[0], n0)
	default:
		interleave4(&dst[0], &src[0], n0)
	}
}

func (k kernel) deinterleave(dst, src []float32, p, n0 int) {
	if k == kernelGo || p%8 != 0 && p != 4 || n0%vec != 0 || n0 == 0 {
		deinterleaveGo(dst, src, p, n0)
		return
	}
	_, _ = dst[p*n0-1], src[p*n0-1]
	switch {
	case p != 4:
		for j := 0; j < p; j += 8 {
			transpose8(&dst[j*n0], n0, 8, &src[j], p, 8*p, n0/8, 0)
		}
	case k == kernelAVX512:
		deinterleave4z(&dst[0], &src[0], n0)
	default:
		deinterleave4(&dst[0], &src[0], n0)
	}
}

func (k kernel) transpose(dst []float32, ds int, src []float32, w, h, ss int, add bool) {
	tile := [...]int{kernelGo: 1, kernelAVX2: 8, kernelAVX512: 16}[k]
	if k == kernelGo || w < tile || h < tile {
		transposeGo(dst, ds, src, w, h, ss, add)
		return
	}
	_, _ = dst[(w-1)*ds+h-1], src[(h-1)*ss+w-1]
	wt, ht := w/tile*tile, h/tile*tile
	for c := 0; c < wt; c += tile {
		if k == kernelAVX512 {
			transpose16(&dst[c*ds], ds, &src[c], ss, ht/tile, b2i(add))
		} else {
			transpose8(&dst[c*ds], ds, tile, &src[c], ss, tile*ss, ht/tile, b2i(add))
		}
	}
	if wt < w {
		transposeGo(dst[wt*ds:], ds, src[wt:], w-wt, h, ss, add)
	}
	if ht < h {
		transposeGo(dst[ht:], ds, src[ht*ss:], wt, h-ht, ss, add)
	}
}

func (k kernel) tapSum(dst []float32, stride int, base, coef []float32) {
	n, taps := stride/vec, len(coef)/4
	if k == kernelGo || n == 0 || n%4 != 0 || taps == 0 {
		tapSumGo(dst, stride, base, coef)
		return
	}
	_, _ = base[taps+stride-2], dst[4*stride-1]
	if k == kernelAVX512 {
		tapSum512(&dst[0], stride, n, &base[taps-1], &coef[0], taps)
		return
	}
	tapSum256(&dst[0], stride, n, &base[taps-1], &coef[0], taps)
}

// fanLanes is how many rays of a fan are followed together, 0 for none.
func (k kernel) fanLanes() int {
	return [...]int{kernelGo: 0, kernelAVX2: vec / 2, kernelAVX512: vec}[k]
}

// fanSum sets the sums of the rays of a block.
func (k kernel) fanSum(img []float32, b *fanBlock, sums *[vec]float32) {
	if k == kernelAVX512 {
		fanSum512(&img[0], b, sums)
		return
	}
	fanSum256(&img[0], b, sums)
}

// fanSpread is the transpose of fanSum.
func (k kernel) fanSpread(img []float32, b *fanBlock, y *[vec]float32) {
	if k == kernelAVX512 {
		fanSpread512(&img[0], b, y)
		return
	}
	fanSpread256(&img[0], b, y)
}

// fanBack adds the view q to a line of whole vectors; AVX-512 only.
func (k kernel) fanBack(line, q []float32, row *fanRow, curved bool) {
	if curved {
		fanCurved512(&line[0], len(line)/vec, &q[0], row)
		return
	}
	fanFlat512(&line[0], len(line)/vec, &q[0], row)
}
