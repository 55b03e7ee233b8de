package codec

import "math/bits"

// lsReader reads the bits of a JPEG-LS scan: after a byte FF comes one of 7 bits.
type lsReader struct {
	b    []byte
	at   int
	acc  uint64
	n    int
	pad  int  // bits given after the end
	full bool // the byte before was FF
}

// fill makes at least 57 bits ready, zeros after the end of the scan.
func (r *lsReader) fill() {
	for r.n <= 56 {
		c, width := byte(0), 8
		switch {
		case r.at >= len(r.b) || r.full && r.b[r.at] > 0x7F || r.b[r.at] == 0xFF && (r.at+1 >= len(r.b) || r.b[r.at+1] > 0x7F):
			r.pad += 8
		default:
			c = r.b[r.at]
			if r.full {
				width = 7
			}
			r.full = c == 0xFF
			r.at++
		}
		r.acc |= uint64(c) << (64 - width - r.n)
		r.n += width
	}
}

func (r *lsReader) over() bool { return r.n < r.pad }

// take reads up to 32 bits.
func (r *lsReader) take(n int) int {
	if r.n < n {
		r.fill()
	}
	v := int(r.acc >> 32 >> (32 - n))
	r.acc <<= n
	r.n -= n
	return v
}

// golomb reads a code of T.87 A.5.3 with parameter k, at most limit bits long.
func (r *lsReader) golomb(k, limit, errorBits int) int {
	if r.n < 57 {
		r.fill()
	}
	zeros := bits.LeadingZeros64(r.acc)
	if zeros < limit-errorBits-1 {
		r.acc <<= zeros + 1
		r.n -= zeros + 1
		return zeros<<k + r.take(k)
	}
	r.acc <<= limit - errorBits
	r.n -= limit - errorBits
	return r.take(errorBits) + 1
}

// decode reads the lines of the scan.
func (j *jpegLS) decode(out []uint16, r *lsReader) error {
	cols := j.f.Cols
	// Lines with one pixel more at either end (T.87 A.2.1).
	above, line := make([]int32, cols+2), make([]int32, cols+2)
	for y := range j.f.Rows {
		above[cols+1] = above[cols]
		line[0] = above[1]
		if !j.line(line, above, r) || r.over() {
			return wrong("JPEG-LS: line %d: the scan is cut or wrong", y+1)
		}
		for x, v := range line[1 : cols+1] {
			out[y*cols+x] = uint16(v)
		}
		above, line = line, above
	}
	return nil
}

// line decodes line[1:cols+1].
func (j *jpegLS) line(line, above []int32, r *lsReader) bool {
	cols := len(line) - 2
	for x := 1; x <= cols; {
		a, b, c, d := line[x-1], above[x], above[x-1], above[x+1]
		q := 81*j.gradient(d-b) + 9*j.gradient(b-c) + j.gradient(c-a)
		if q != 0 {
			line[x] = j.regular(q, a, b, c, r)
			x++
			continue
		}
		n := j.runLength(cols+1-x, r)
		if n < 0 || x+n > cols+1 {
			return false
		}
		for range n {
			line[x] = a
			x++
		}
		if x <= cols {
			line[x] = j.interruption(a, above[x], r)
			x++
			j.run = max(j.run-1, 0)
		}
	}
	return true
}

// gradient quantises a difference of neighbours to -4 to 4 (T.87 A.3.3).
func (j *jpegLS) gradient(d int32) int {
	v, sign := int(d), 1
	if v < 0 {
		v, sign = -v, -1
	}
	switch {
	case v <= j.near:
		return 0
	case v < j.thresholds[0]:
		return sign
	case v < j.thresholds[1]:
		return 2 * sign
	case v < j.thresholds[2]:
		return 3 * sign
	}
	return 4 * sign
}

// predict is the context, its sign and the prediction of a pixel (T.87 A.4).
func (j *jpegLS) predict(q int, a, b, c int32) (s *lsContext, sign, p int32) {
	sign = 1
	if q < 0 {
		q, sign = -q, -1
	}
	s = &j.contexts[q]
	p = a + b - c
	if c >= max(a, b) {
		p = min(a, b)
	} else if c <= min(a, b) {
		p = max(a, b)
	}
	return s, sign, min(max(p+sign*s.c, 0), int32(j.maxval))
}

// regular decodes a pixel in context q from its neighbours (T.87 A.4 to A.6).
func (j *jpegLS) regular(q int, a, b, c int32, r *lsReader) int32 {
	s, sign, p := j.predict(q, a, b, c)
	k := s.golomb(s.a)
	m := int32(r.golomb(k, j.limit, j.errorBits))
	e := m>>1 ^ -(m & 1)
	if k == 0 && j.near == 0 && 2*s.b <= -s.n {
		e = ^e
	}
	s.update(e, int32(j.step), int32(j.reset))
	return j.restore(p, sign*e)
}

// golomb is the parameter k of a context whose errors sum up to a.
func (s *lsContext) golomb(a int32) int {
	k := 0
	for int64(s.n)<<k < int64(a) && k < 24 {
		k++
	}
	return k
}

// update learns from the error e (T.87 A.6).
func (s *lsContext) update(e, step, reset int32) {
	s.a += max(e, -e)
	s.b += e * step
	if s.n == reset {
		s.a, s.b, s.n = s.a>>1, s.b>>1, s.n>>1
	}
	s.n++
	if s.b <= -s.n {
		s.b = max(s.b+s.n, 1-s.n)
		s.c = max(s.c-1, -128)
	} else if s.b > 0 {
		s.b = min(s.b-s.n, 0)
		s.c = min(s.c+1, 127)
	}
}

// restore adds a quantised error to a prediction, modulo the range (T.87 A.4.5).
func (j *jpegLS) restore(p, e int32) int32 {
	v, near, top := p+e*int32(j.step), int32(j.near), int32(j.maxval)
	if v < -near {
		v += int32(j.span * j.step)
	} else if v > top+near {
		v -= int32(j.span * j.step)
	}
	return min(max(v, 0), top)
}

// runOrder is J of T.87 A.2.1: the bits of a run's pieces.
var runOrder = [32]int{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// runLength reads a run of at most left pixels (T.87 A.7.1).
func (j *jpegLS) runLength(left int, r *lsReader) int {
	n := 0
	for r.take(1) == 1 {
		piece := 1 << runOrder[j.run]
		if n+piece <= left {
			j.run = min(j.run+1, 31)
		}
		if n += piece; n >= left {
			return left
		}
	}
	return n + r.take(runOrder[j.run])
}

// interrupted is the context and the prediction of the pixel after a run; kind is 1
// where its neighbours are equal.
func (j *jpegLS) interrupted(a, b int32) (s *lsContext, sign, p, kind int32) {
	p, sign, kind = b, 1, 0
	switch d := int(a - b); {
	case max(d, -d) <= j.near:
		p, kind = a, 1
	case d > 0:
		sign = -1
	}
	return &j.runs[kind], sign, p, kind
}

// interruption decodes the pixel after a run (T.87 A.7.2).
func (j *jpegLS) interruption(a, b int32, r *lsReader) int32 {
	s, sign, p, kind := j.interrupted(a, b)
	k := s.golomb(s.a + kind*(s.n>>1))
	m := int32(r.golomb(k, j.limit-runOrder[j.run]-1, j.errorBits))
	t := m + kind
	e := (t + t&1) / 2
	if (k != 0 || 2*s.b >= s.n) == (t&1 == 1) {
		e = -e
	}
	s.interrupt(e, m, kind, int32(j.reset))
	return j.restore(p, sign*e)
}

// interrupt learns from the error e of an interruption, coded as m.
func (s *lsContext) interrupt(e, m, kind, reset int32) {
	if e < 0 {
		s.b++
	}
	s.a += (m + 1 - kind) >> 1
	if s.n == reset {
		s.a, s.b, s.n = s.a>>1, s.b>>1, s.n>>1
	}
	s.n++
}
