package codec

// zigzag is the row-major place of each coefficient in its order of the scan.
var zigzag = [64]byte{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// cosine decodes the sequential processes of 8 and 12 bits.
func (j *jpeg) cosine(r *bitReader) ([]uint16, error) {
	rows, cols := j.f.Rows, j.f.Cols
	across, down := (cols+7)/8, (rows+7)/8
	switch {
	case j.dc[j.td] == nil || j.ac[j.ta] == nil:
		return nil, wrong("JPEG: Huffman table %d or %d is missing", j.td, j.ta)
	case j.tq > 3 || j.quant[j.tq] == nil:
		return nil, wrong("JPEG: quantisation table %d is missing", j.tq)
	case 4*(len(r.b)-r.at) < across*down:
		return nil, wrong("JPEG: %d bytes cannot hold %d blocks: the frame is cut", len(r.b)-r.at, across*down)
	}
	out := make([]uint16, rows*cols)
	var block [64]int32
	last := int32(0)
	for i := range across * down {
		if j.restart > 0 && i > 0 && i%j.restart == 0 {
			if err := r.next(i/j.restart - 1); err != nil {
				return nil, err
			}
			last = 0
		}
		clear(block[:])
		if !j.block(&block, &last, r) {
			return nil, wrong("JPEG: block %d: the scan is cut or wrong", i+1)
		}
		inverse(&block, j.bits)
		x, y := i%across*8, i/across*8
		for k := range min(8, rows-y) {
			dst := out[(y+k)*cols+x : (y+k)*cols+min(x+8, cols)]
			for l := range dst {
				dst[l] = uint16(block[8*k+l])
			}
		}
	}
	return out, nil
}

// block reads the coefficients of a block (T.81 F.2.2), times their quantisers.
// last is the constant coefficient of the block before.
func (j *jpeg) block(b *[64]int32, last *int32, r *bitReader) bool {
	dc, ac, q := j.dc[j.td], j.ac[j.ta], j.quant[j.tq]
	r.fill()
	s := dc.symbol(r)
	if s < 0 || s > 15 {
		return false
	}
	if s > 0 {
		*last += int32(r.extend(s))
	}
	b[0] = *last * q[0]
	for k := 1; k < 64; k++ {
		if r.n < 32 {
			r.fill()
		}
		s := ac.symbol(r)
		if s < 0 {
			return false
		}
		run, size := s>>4, s&15
		if size == 0 {
			if run != 15 {
				break
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return false
		}
		b[zigzag[k]] = int32(r.extend(size)) * q[k]
	}
	return !r.over()
}

// Constants of the cosine transform, times 2^13.
const (
	fix0_298631336 = 2446
	fix0_390180644 = 3196
	fix0_541196100 = 4433
	fix0_765366865 = 6270
	fix0_899976223 = 7373
	fix1_175875602 = 9633
	fix1_501321110 = 12299
	fix1_847759065 = 15137
	fix1_961570560 = 16069
	fix2_053119869 = 16819
	fix2_562915447 = 20995
	fix3_072711026 = 25172
	fixBits        = 13
)

// inverse is the slow but accurate integer transform of the Independent JPEG
// Group's library (after Loeffler, Ligtenberg and Moschytz 1989), which keeps 2
// bits more between its passes for 8-bit samples and 1 for 12-bit ones. It ends in samples.
func inverse(b *[64]int32, bits int) {
	keep := 2
	if bits > 8 {
		keep = 1
	}
	for i := range 8 {
		pass(b[i:], 8, fixBits-keep)
	}
	half, top := int32(1)<<(bits-1), int32(1)<<bits-1
	for i := 0; i < 64; i += 8 {
		pass(b[i:], 1, fixBits+keep+3)
		for k := i; k < i+8; k++ {
			b[k] = min(max(b[k]+half, 0), top)
		}
	}
}

// pass transforms eight values, step apart, and divides by 2^shift.
func pass(b []int32, step, shift int) {
	in := func(i int) int { return int(b[i*step]) }
	z1 := (in(2) + in(6)) * fix0_541196100
	t2, t3 := z1-in(6)*fix1_847759065, z1+in(2)*fix0_765366865
	t0, t1 := (in(0)+in(4))<<fixBits, (in(0)-in(4))<<fixBits
	even := [4]int{t0 + t3, t1 + t2, t1 - t2, t0 - t3}

	t0, t1, t2, t3 = in(7), in(5), in(3), in(1)
	z5 := (t0 + t2 + t1 + t3) * fix1_175875602
	z1, z2 := -(t0+t3)*fix0_899976223, -(t1+t2)*fix2_562915447
	z3, z4 := z5-(t0+t2)*fix1_961570560, z5-(t1+t3)*fix0_390180644
	odd := [4]int{t3*fix1_501321110 + z1 + z4, t2*fix3_072711026 + z2 + z3, t1*fix2_053119869 + z2 + z4, t0*fix0_298631336 + z1 + z3}

	round := 1 << (shift - 1)
	for i := range 4 {
		b[i*step] = int32((even[i] + odd[i] + round) >> shift)
		b[(7-i)*step] = int32((even[i] - odd[i] + round) >> shift)
	}
}
