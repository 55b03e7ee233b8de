package codec

import "encoding/binary"

// encodeJPEGLS encodes JPEG-LS without loss (ITU-T T.87) with the default parameters.
// The bits of signed words are coded as they are, as dcmtk and GDCM do.
func encodeJPEGLS(px []byte, f Frame) []byte {
	j := &jpegLS{f: f, bits: max(2, f.BitsStored), id: 1}
	if err := j.start(); err != nil {
		panic(err) // the default parameters are right for 2 to 16 bits
	}
	out := []byte{0xFF, markSOI, 0xFF, markSOF55, 0, 11, byte(j.bits)}
	out = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(out, uint16(f.Rows)), uint16(f.Cols))
	out = append(out, 1, j.id, 0x11, 0)
	out = append(out, 0xFF, markSOS, 0, 8, 1, j.id, 0, 0, 0, 0)
	w := &lsWriter{b: out}
	above, line := make([]int32, f.Cols+2), make([]int32, f.Cols+2)
	for y := range f.Rows {
		above[f.Cols+1] = above[f.Cols]
		line[0] = above[1]
		f.unpack(line[1:f.Cols+1], px, y, int32(j.maxval))
		j.encodeLine(line, above, w)
		above, line = line, above
	}
	return append(w.end(), 0xFF, 0xD9)
}

// unpack reads line y of the pixels, without the bits above those that are stored.
func (f Frame) unpack(dst []int32, px []byte, y int, mask int32) {
	for x := range dst {
		i := y*f.Cols + x
		if f.BitsAllocated == 8 {
			dst[x] = int32(px[i]) & mask
		} else {
			dst[x] = int32(binary.LittleEndian.Uint16(px[2*i:])) & mask
		}
	}
}

// encodeLine is the inverse of line.
func (j *jpegLS) encodeLine(line, above []int32, w *lsWriter) {
	cols := len(line) - 2
	for x := 1; x <= cols; x++ {
		a, b, c, d := line[x-1], above[x], above[x-1], above[x+1]
		if q := 81*j.gradient(d-b) + 9*j.gradient(b-c) + j.gradient(c-a); q != 0 {
			j.encodeRegular(q, a, b, c, line[x], w)
			continue
		}
		n := 0
		for x+n <= cols && line[x+n] == a {
			n++
		}
		x += n
		j.encodeRun(n, x > cols, w)
		if x <= cols {
			j.encodeInterruption(a, above[x], line[x], w)
			j.run = max(j.run-1, 0)
		}
	}
}

// wrapped takes an error modulo the range (T.87 A.4.5).
func (j *jpegLS) wrapped(e int32) int32 {
	span := int32(j.span)
	if e < 0 {
		e += span
	}
	if e >= (span+1)/2 {
		e -= span
	}
	return e
}

func (j *jpegLS) encodeRegular(q int, a, b, c, v int32, w *lsWriter) {
	s, sign, p := j.predict(q, a, b, c)
	e := j.wrapped(sign * (v - p))
	k := s.golomb(s.a)
	m := e
	if k == 0 && 2*s.b <= -s.n {
		m = ^m
	}
	w.golomb(int(m<<1^m>>31), k, j.limit, j.errorBits)
	s.update(e, 1, int32(j.reset))
}

// encodeRun is the inverse of runLength; last says that the run ends the line.
func (j *jpegLS) encodeRun(n int, last bool, w *lsWriter) {
	for n >= 1<<runOrder[j.run] {
		w.put(1, 1)
		n -= 1 << runOrder[j.run]
		j.run = min(j.run+1, 31)
	}
	switch {
	case !last:
		w.put(uint64(n), 1+runOrder[j.run])
	case n > 0:
		w.put(1, 1)
	}
}

func (j *jpegLS) encodeInterruption(a, b, v int32, w *lsWriter) {
	s, sign, p, kind := j.interrupted(a, b)
	e := j.wrapped(sign * (v - p))
	k := s.golomb(s.a + kind*(s.n>>1))
	m := 2*max(e, -e) - kind
	if e != 0 && (k != 0 || 2*s.b >= s.n) == (e < 0) {
		m--
	}
	w.golomb(int(m), k, j.limit-runOrder[j.run]-1, j.errorBits)
	s.interrupt(e, m, kind, int32(j.reset))
}

// lsWriter writes the bits of a scan: after a byte FF comes one of 7 bits.
type lsWriter struct {
	b    []byte
	acc  uint64
	n    int // bits in acc
	full bool
}

// put writes the lowest n bits of v, at most 32 of them.
func (w *lsWriter) put(v uint64, n int) {
	w.acc, w.n = w.acc<<n|v, w.n+n
	for {
		width := 8
		if w.full {
			width = 7
		}
		if w.n < width {
			return
		}
		w.n -= width
		c := byte(w.acc >> w.n & (1<<width - 1))
		w.b, w.full = append(w.b, c), c == 0xFF
	}
}

// golomb writes a code of T.87 A.5.3.
func (w *lsWriter) golomb(m, k, limit, errorBits int) {
	zeros, rest := m>>k, k
	if zeros >= limit-errorBits-1 {
		zeros, rest, m = limit-errorBits-1, errorBits, m-1
	}
	for n := zeros; n > 0; n -= min(n, 32) {
		w.put(0, min(n, 32))
	}
	w.put(1, 1)
	w.put(uint64(m)&(1<<rest-1), rest)
}

// end fills the last byte. A byte FF must not stand before the marker.
func (w *lsWriter) end() []byte {
	if w.n > 0 && w.full {
		w.put(0, 7-w.n)
	} else if w.n > 0 {
		w.put(0, 8-w.n)
	}
	if w.full {
		w.put(0, 7)
	}
	return w.b
}
