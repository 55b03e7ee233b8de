package codec

// lossless decodes process 14 (T.81 annex H) with any predictor.
func (j *jpeg) lossless(r *bitReader) ([]uint16, error) {
	rows, cols := j.f.Rows, j.f.Cols
	h := j.dc[j.td]
	switch {
	case h == nil:
		return nil, wrong("JPEG: Huffman table %d is missing", j.td)
	case j.selector < 1 || j.selector > 7:
		return nil, wrong("JPEG: predictor %d", j.selector)
	case int(j.shift) >= j.bits:
		return nil, wrong("JPEG: point transform %d of %d bits", j.shift, j.bits)
	case j.restart%cols != 0:
		return nil, wrong("JPEG: restart interval of %d pixels, lines have %d", j.restart, cols)
	case 8*(len(r.b)-r.at) < rows*cols:
		return nil, wrong("JPEG: %d bytes cannot hold %d pixels: the frame is cut", len(r.b)-r.at, rows*cols)
	}
	out := make([]uint16, rows*cols)
	every := j.restart / cols
	for y := range rows {
		line, above := out[y*cols:(y+1)*cols], []uint16(nil)
		switch {
		case y > 0 && every > 0 && y%every == 0:
			if err := r.next(y/every - 1); err != nil {
				return nil, err
			}
		case y > 0:
			above = out[(y-1)*cols : y*cols]
		}
		if !differences(line, h, r) {
			return nil, wrong("JPEG: line %d: the scan is cut or wrong", y+1)
		}
		predict(line, above, j.selector, uint16(1)<<(j.bits-int(j.shift)-1))
	}
	if j.shift > 0 {
		for i := range out {
			out[i] <<= j.shift
		}
	}
	return out, nil
}

// differences reads a line of them, modulo 2^16.
func differences(line []uint16, h *huffman, r *bitReader) bool {
	for x := range line {
		if r.n < 32 {
			r.fill()
		}
		s := h.symbol(r)
		switch {
		case s == 0:
			line[x] = 0
		case s == 16:
			line[x] = 1 << 15
		case s < 0 || s > 16:
			return false
		default:
			line[x] = uint16(r.extend(s))
		}
	}
	return !r.over()
}

// predict adds the predictions of T.81 table H.1 to a line of differences. The
// first line, where above is nil, starts at half the range.
func predict(line, above []uint16, selector byte, half uint16) {
	if above == nil {
		line[0] += half
		selector = 1
	} else {
		line[0] += above[0]
		above = above[:len(line)]
	}
	left := int32(line[0])
	for x := 1; x < len(line); x++ {
		p := left
		if selector != 1 {
			b, c := int32(above[x]), int32(above[x-1])
			switch selector {
			case 2:
				p = b
			case 3:
				p = c
			case 4:
				p = left + b - c
			case 5:
				p = left + (b-c)>>1
			case 6:
				p = b + (left-c)>>1
			case 7:
				p = (left + b) >> 1
			}
		}
		line[x] += uint16(p)
		left = int32(line[x])
	}
}
