package radon

// The portable kernels. They define what the assembly must do.

// addUpGo does every job: dst[d+i] (+)= the sum over k of base[d+off[k]+i], in
// the order of k, for the vectors from first to first+width of the job.
func addUpGo(dst, base []float32, jobs []job, off []int32, first, width int, add bool) {
	for _, j := range jobs {
		list := off[j.list:][:j.n]
		lo := int(j.dst) + first*vec
		hi := lo + min(width, int(j.vecs)-first)*vec
		for d := lo; d < hi; d += half {
			addUpHalf((*[half]float32)(dst[d:]), base, d, list, add)
		}
	}
}

const half = vec / 2

// addUpHalf keeps its sums in registers.
func addUpHalf(dst *[half]float32, base []float32, d int, list []int32, add bool) {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	if add {
		s0, s1, s2, s3, s4, s5, s6, s7 = dst[0], dst[1], dst[2], dst[3], dst[4], dst[5], dst[6], dst[7]
	}
	for _, o := range list {
		b := (*[half]float32)(base[d+int(o):])
		s0 += b[0]
		s1 += b[1]
		s2 += b[2]
		s3 += b[3]
		s4 += b[4]
		s5 += b[5]
		s6 += b[6]
		s7 += b[7]
	}
	*dst = [half]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

// resampleGo: dst[k] = sum over i of g[desc[k][0]+i]*w[desc[k][1]+i].
func resampleGo(dst, g []float32, desc [][2]int32, w []float32, taps int) {
	for k, d := range desc {
		a := g[d[0]:][:taps]
		b := w[d[1]:][:taps]
		var s float32
		for i, x := range a {
			s += x * b[i]
		}
		dst[k] = s
	}
}

// spreadGo is the transpose of resample: pass k%passes gets y[k]*w at the
// window of bin k.
func spreadGo(pass []float32, stride, passes int, y []float32, desc [][2]int32, w []float32, taps int) {
	for k, v := range y {
		a := pass[k%passes*stride+int(desc[k][0]):][:taps]
		b := w[desc[k][1]:][:taps]
		for i := range a {
			a[i] = v * b[i]
		}
	}
}

// interleaveGo: dst[n*p+j] = src[j*n0+n].
func interleaveGo(dst, src []float32, p, n0 int) {
	for j := range p {
		for n, x := range src[j*n0 : (j+1)*n0] {
			dst[n*p+j] = x
		}
	}
}

// deinterleaveGo: dst[j*n0+n] = src[n*p+j].
func deinterleaveGo(dst, src []float32, p, n0 int) {
	for j := range p {
		d := dst[j*n0 : (j+1)*n0]
		for n := range d {
			d[n] = src[n*p+j]
		}
	}
}

// transposeGo: dst[c*ds+r] (+)= src[r*ss+c] for r < h, c < w.
func transposeGo(dst []float32, ds int, src []float32, w, h, ss int, add bool) {
	const tile = 16
	for c0 := 0; c0 < w; c0 += tile {
		for r0 := 0; r0 < h; r0 += tile {
			r1 := min(h, r0+tile)
			for c := c0; c < min(w, c0+tile); c++ {
				for r := r0; r < r1; r++ {
					if add {
						dst[c*ds+r] += src[r*ss+c]
					} else {
						dst[c*ds+r] = src[r*ss+c]
					}
				}
			}
		}
	}
}

// tapSumGo: dst[i] = sum over j of coef[j]*base[len(coef)-1-j+i], a
// convolution; len(dst) is a multiple of block.
func tapSumGo(dst, base, coef []float32) {
	clear(dst)
	for j, c := range coef {
		b := base[len(coef)-1-j:][:len(dst)]
		for i := range dst {
			dst[i] += c * b[i]
		}
	}
}
