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

// spreadGo is the transpose of resample, for the samples from at on: dst[j] = sum
// over k in v.span[j/vec] of y[k] * w[desc[k][1]+i], i = at+j-desc[k][0].
func spreadGo(dst []float32, at int, y []float32, v *view) {
	clear(dst)
	for k, x := range y {
		j, w := int(v.desc[k][0])-at, v.w[v.desc[k][1]:][:v.taps]
		if j < 0 {
			j, w = 0, w[-j:]
		}
		d := dst[j:]
		for i := range min(len(d), len(w)) {
			d[i] += x * w[i]
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

// tapSumGo convolves four views with one row of taps: dst[v*stride+i] = sum over j
// of coef[4*j+v]*base[n-1-j+i], n = len(coef)/4 and i < stride.
func tapSumGo(dst []float32, stride int, base, coef []float32) {
	n := len(coef) / 4
	d0, d1 := dst[:stride], dst[stride:][:stride]
	d2, d3 := dst[2*stride:][:stride], dst[3*stride:][:stride]
	// Four outputs of two views at a time stay in registers.
	for i := 0; i < stride; i += 4 {
		taps2((*[4]float32)(d0[i:]), (*[4]float32)(d1[i:]), base[i:i+n+3], coef)
		taps2((*[4]float32)(d2[i:]), (*[4]float32)(d3[i:]), base[i:i+n+3], coef[2:])
	}
}

// taps2 does four outputs of two views; base is as far as they reach.
func taps2(a, b *[4]float32, base, coef []float32) {
	var a0, a1, a2, a3, b0, b1, b2, b3 float32
	for j := 0; j+1 < len(coef); j += 4 {
		u, v := coef[j], coef[j+1]
		h := (*[4]float32)(base[len(base)-4:])
		base = base[:len(base)-1]
		a0 += u * h[0]
		a1 += u * h[1]
		a2 += u * h[2]
		a3 += u * h[3]
		b0 += v * h[0]
		b1 += v * h[1]
		b2 += v * h[2]
		b3 += v * h[3]
	}
	a[0], a[1], a[2], a[3] = a0, a1, a2, a3
	b[0], b[1], b[2], b[3] = b0, b1, b2, b3
}
