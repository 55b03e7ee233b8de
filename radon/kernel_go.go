package radon

// The portable kernels. They define what the assembly must do.

// addUpGo does every job: dst[d+i] (+)= the sum over k of base[d+off[k]+i], in
// the order of k, for the vectors from first to first+width of the job.
func addUpGo(dst, base []float32, jobs []job, off []int32, first, width int, add bool) {
	for _, j := range jobs {
		list := off[j.list:][:j.n]
		lo := int(j.dst) + first*vec
		hi := lo + min(width, int(j.vecs)-first)*vec
		for d := lo; d < hi; d += 8 {
			addUp8((*[8]float32)(dst[d:]), base, d, list, add)
		}
	}
}

// addUp8 keeps its sums in registers, which an array would not.
func addUp8(dst *[8]float32, base []float32, d int, list []int32, add bool) {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	if add {
		s0, s1, s2, s3, s4, s5, s6, s7 = dst[0], dst[1], dst[2], dst[3], dst[4], dst[5], dst[6], dst[7]
	}
	for len(list) >= 2 {
		b := (*[8]float32)(base[d+int(list[0]):])
		c := (*[8]float32)(base[d+int(list[1]):])
		s0 += b[0]
		s1 += b[1]
		s2 += b[2]
		s3 += b[3]
		s4 += b[4]
		s5 += b[5]
		s6 += b[6]
		s7 += b[7]
		s0 += c[0]
		s1 += c[1]
		s2 += c[2]
		s3 += c[3]
		s4 += c[4]
		s5 += c[5]
		s6 += c[6]
		s7 += c[7]
		list = list[2:]
	}
	for _, o := range list {
		b := (*[8]float32)(base[d+int(o):])
		s0 += b[0]
		s1 += b[1]
		s2 += b[2]
		s3 += b[3]
		s4 += b[4]
		s5 += b[5]
		s6 += b[6]
		s7 += b[7]
	}
	dst[0], dst[1], dst[2], dst[3], dst[4], dst[5], dst[6], dst[7] = s0, s1, s2, s3, s4, s5, s6, s7
}

// resampleGo: dst[k] = sum over i of g[desc[k][0]+i]*w[desc[k][1]+i], i < taps, a
// multiple of 4.
func resampleGo(dst, g []float32, desc [][2]int32, w []float32, taps int) {
	for k, d := range desc {
		a := g[d[0]:][:taps]
		b := w[d[1]:][:taps]
		// Four sums, so that an addition need not wait for the one before.
		var s0, s1, s2, s3 float32
		for len(a) >= 4 && len(b) >= 4 {
			s0 += a[0] * b[0]
			s1 += a[1] * b[1]
			s2 += a[2] * b[2]
			s3 += a[3] * b[3]
			a, b = a[4:], b[4:]
		}
		dst[k] = (s0 + s1) + (s2 + s3)
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
	if p == 4 {
		a, b, c, d := src[:n0], src[n0:][:n0], src[2*n0:][:n0], src[3*n0:][:n0]
		for n := range a {
			t := (*[4]float32)(dst[4*n:])
			t[0], t[1], t[2], t[3] = a[n], b[n], c[n], d[n]
		}
		return
	}
	for j := range p {
		for n, x := range src[j*n0 : (j+1)*n0] {
			dst[n*p+j] = x
		}
	}
}

// deinterleaveGo: dst[j*n0+n] = src[n*p+j].
func deinterleaveGo(dst, src []float32, p, n0 int) {
	if p == 4 {
		a, b, c, d := dst[:n0], dst[n0:][:n0], dst[2*n0:][:n0], dst[3*n0:][:n0]
		for n := range a {
			t := (*[4]float32)(src[4*n:])
			a[n], b[n], c[n], d[n] = t[0], t[1], t[2], t[3]
		}
		return
	}
	for j := range p {
		d := dst[j*n0 : (j+1)*n0]
		for n := range d {
			d[n] = src[n*p+j]
		}
	}
}

// transposeGo: dst[c*ds+r] (+)= src[r*ss+c] for r < h, c < w.
func transposeGo(dst []float32, ds int, src []float32, w, h, ss int, add bool) {
	w4, h4 := w&^3, h&^3
	for r := 0; r < h4; r += 4 {
		for c := 0; c < w4; c += 4 {
			transpose4(dst[c*ds+r:], ds, src[r*ss+c:], ss, add)
		}
	}
	for r := range h {
		c := w4
		if r >= h4 {
			c = 0
		}
		for ; c < w; c++ {
			if add {
				dst[c*ds+r] += src[r*ss+c]
			} else {
				dst[c*ds+r] = src[r*ss+c]
			}
		}
	}
}

// transpose4 does a tile of 4 x 4.
func transpose4(dst []float32, ds int, src []float32, ss int, add bool) {
	s0, s1 := (*[4]float32)(src), (*[4]float32)(src[ss:])
	s2, s3 := (*[4]float32)(src[2*ss:]), (*[4]float32)(src[3*ss:])
	for c := range 4 {
		d := (*[4]float32)(dst[c*ds:])
		if add {
			d[0], d[1], d[2], d[3] = d[0]+s0[c], d[1]+s1[c], d[2]+s2[c], d[3]+s3[c]
		} else {
			d[0], d[1], d[2], d[3] = s0[c], s1[c], s2[c], s3[c]
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
