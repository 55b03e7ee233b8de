//go:build !amd64 || purego

package radon

func bestKernel() kernel { return kernelGo }

func (kernel) addUp(dst, base []float32, jobs []job, off []int32, first, width int, add bool) {
	addUpGo(dst, base, jobs, off, first, width, add)
}

func (kernel) resample(dst, g []float32, desc [][2]int32, w []float32, taps int) {
	resampleGo(dst, g, desc, w, taps)
}

func (kernel) spread(dst []float32, at int, y []float32, v *view) { spreadGo(dst, at, y, v) }

func (kernel) interleave(dst, src []float32, p, n0 int) { interleaveGo(dst, src, p, n0) }

func (kernel) deinterleave(dst, src []float32, p, n0 int) { deinterleaveGo(dst, src, p, n0) }

func (kernel) transpose(dst []float32, ds int, src []float32, w, h, ss int, add bool) {
	transposeGo(dst, ds, src, w, h, ss, add)
}

func (kernel) tapSum(dst []float32, stride int, base, coef []float32) {
	tapSumGo(dst, stride, base, coef)
}

func (kernel) fanLanes() int { return 0 }

func (kernel) fanSum([]float32, *fanBlock, *[vec]float32) { panic("radon: no blocks of rays") }

func (kernel) fanSpread([]float32, *fanBlock, *[vec]float32) { panic("radon: no blocks of rays") }

func (kernel) fanBack([]float32, []float32, *fanRow, bool) { panic("radon: no vectors of pixels") }
