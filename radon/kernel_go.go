package radon

// The portable kernels. They define what the assembly must do.

// gatherSumGo: dst[i] (+)= sum over k in rng[i/block] of base[off[k]+i]. Even
// and odd k are summed apart, as the assembly does.
func gatherSumGo(dst []float32, rng [][2]int32, base []float32, off []int32, add bool) {
	for b := range len(dst) / block {
		d := (*[block]float32)(dst[b*block:])
		var even, odd [block]float32
		if add {
			even = *d
		}
		o := off[rng[b][0]:rng[b][1]]
		k := 0
		for ; k+1 < len(o); k += 2 {
			s := (*[block]float32)(base[int(o[k])+b*block:])
			t := (*[block]float32)(base[int(o[k+1])+b*block:])
			for i := range even {
				even[i] += s[i]
				odd[i] += t[i]
			}
		}
		if k < len(o) {
			s := (*[block]float32)(base[int(o[k])+b*block:])
			for i := range even {
				even[i] += s[i]
			}
		}
		for i := range even {
			d[i] = even[i] + odd[i]
		}
	}
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
