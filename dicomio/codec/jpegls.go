package codec

import (
	"encoding/binary"
	"math/bits"
)

// Markers of ITU-T T.87.
const (
	markSOF55 = 0xF7
	markLSE   = 0xF8
)

// jpegLS is a scan of one component (ITU-T T.87), lossless when near is 0.
type jpegLS struct {
	f          Frame
	bits       int // 0 before the frame header
	id         byte
	maxval     int
	near       int
	thresholds [3]int
	reset      int

	span      int // RANGE of quantised errors
	step      int // 2 near + 1
	errorBits int // qbpp
	limit     int // of a code's length
	contexts  [365]lsContext
	runs      [2]lsContext // interruptions: 0 where the neighbours differ; their b counts negative errors
	run       int          // RUNindex
}

// lsContext is the state A, B, C, N of a context.
type lsContext struct{ a, b, c, n int32 }

// decodeJPEGLS decodes JPEG-LS, lossless and near-lossless.
func decodeJPEGLS(data []byte, f Frame) ([]byte, error) {
	j := &jpegLS{f: f}
	at, err := j.markers(data)
	if err != nil {
		return nil, err
	}
	if err := j.start(); err != nil {
		return nil, err
	}
	if 8*(len(data)-at) < f.Rows {
		return nil, wrong("JPEG-LS: %d bytes cannot hold %d lines: the frame is cut", len(data)-at, f.Rows)
	}
	samples := make([]uint16, f.Rows*f.Cols)
	if err := j.decode(samples, &lsReader{b: data, at: at}); err != nil {
		return nil, err
	}
	return pack(samples, j.bits, f), nil
}

// markers reads all up to the scan, and returns its offset.
func (j *jpegLS) markers(b []byte) (int, error) {
	if len(b) < 2 || b[0] != 0xFF || b[1] != markSOI {
		return 0, wrong("JPEG-LS: no start of image")
	}
	for at := 2; ; {
		marker, p, next, err := segment(b, at)
		if err != nil {
			return 0, err
		}
		switch {
		case marker == markSOF55:
			err = j.frameHeader(p)
		case marker == markLSE:
			err = j.parameters(p)
		case marker == markDRI && len(p) >= 2:
			if p[0]|p[1] != 0 {
				err = unsupported("JPEG-LS: restart intervals are not supported")
			}
		case marker == markSOS:
			return next, j.scanHeader(p)
		case marker >= 0xE0 && marker <= 0xEF || marker == 0xFE: // APPn, COM
		default:
			err = wrong("JPEG-LS: byte %d: marker %02X of %d bytes where parameters or a scan are due", at, marker, len(p))
		}
		if err != nil {
			return 0, err
		}
		at = next
	}
}

func (j *jpegLS) frameHeader(p []byte) error {
	if j.bits != 0 || len(p) < 6 || len(p) != 6+3*int(p[5]) {
		return wrong("JPEG-LS: frame header of %d bytes", len(p))
	}
	j.bits = int(p[0])
	if err := j.f.agree(int(binary.BigEndian.Uint16(p[1:])), int(binary.BigEndian.Uint16(p[3:])), int(p[5]), j.bits); err != nil {
		return err
	}
	if j.bits < 2 {
		return wrong("JPEG-LS: %d bits a pixel", j.bits)
	}
	j.id = p[6]
	return nil
}

// parameters reads LSE: the preset coding parameters of T.87 C.2.4.1.1.
func (j *jpegLS) parameters(p []byte) error {
	if len(p) == 0 || p[0] != 1 {
		return unsupported("JPEG-LS: mapping tables are not supported")
	}
	if len(p) != 11 {
		return wrong("JPEG-LS: coding parameters of %d bytes", len(p))
	}
	word := func(i int) int { return int(binary.BigEndian.Uint16(p[1+2*i:])) }
	j.maxval, j.thresholds, j.reset = word(0), [3]int{word(1), word(2), word(3)}, word(4)
	return nil
}

func (j *jpegLS) scanHeader(p []byte) error {
	switch {
	case j.bits == 0:
		return wrong("JPEG-LS: a scan without a frame header")
	case len(p) != 6 || p[0] != 1 || p[1] != j.id:
		return wrong("JPEG-LS: the scan header does not fit a frame of one component")
	case p[2] != 0:
		return unsupported("JPEG-LS: mapping tables are not supported")
	case p[5] != 0:
		return unsupported("JPEG-LS: a point transform is not supported")
	}
	j.near = int(p[3])
	return nil
}

// start sets what T.87 A.2.1 and C.2.4.1.1 derive from the parameters.
func (j *jpegLS) start() error {
	top := 1<<j.bits - 1
	if j.maxval == 0 {
		j.maxval = top
	}
	if j.reset == 0 {
		j.reset = 64
	}
	if j.maxval > top || j.near > min(255, j.maxval/2) || j.reset < 3 {
		return wrong("JPEG-LS: MAXVAL %d, NEAR %d and RESET %d in %d bits", j.maxval, j.near, j.reset, j.bits)
	}
	for i, t := range j.defaults() {
		low := j.near + 1
		if i > 0 {
			low = j.thresholds[i-1]
		}
		if j.thresholds[i] == 0 {
			j.thresholds[i] = t
			if t < low || t > j.maxval {
				j.thresholds[i] = low
			}
		}
		if t := j.thresholds[i]; t < low || t > j.maxval {
			return wrong("JPEG-LS: threshold T%d is %d, outside %d to %d", i+1, t, low, j.maxval)
		}
	}
	j.step = 2*j.near + 1
	j.span = (j.maxval+2*j.near)/j.step + 1
	j.errorBits = bits.Len(uint(j.span - 1))
	wide := max(2, bits.Len(uint(j.maxval)))
	j.limit = 2 * (wide + max(8, wide))
	first := lsContext{a: int32(max(2, (j.span+32)/64)), n: 1}
	for i := range j.contexts {
		j.contexts[i] = first
	}
	j.runs = [2]lsContext{first, first}
	return nil
}

// defaults are the thresholds where none are given.
func (j *jpegLS) defaults() [3]int {
	if j.maxval >= 128 {
		f := (min(j.maxval, 4095) + 128) / 256
		return [3]int{f + 2 + 3*j.near, 4*f + 3 + 5*j.near, 17*f + 4 + 7*j.near}
	}
	f := 256 / (j.maxval + 1)
	return [3]int{max(2, 3/f+3*j.near), max(3, 7/f+5*j.near), max(4, 21/f+7*j.near)}
}
