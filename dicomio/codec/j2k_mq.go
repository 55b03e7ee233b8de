package codec

// mqState is a row of T.800 table C.2, twice: with 0 and with 1 as the more
// probable symbol.
type mqState struct {
	qe       uint32
	mps      int32
	nmps, nl uint8
}

var mqStates = mqTable()

func mqTable() (t [94]mqState) {
	rows := [47][4]uint16{
		{0x5601, 1, 1, 1}, {0x3401, 2, 6, 0}, {0x1801, 3, 9, 0}, {0x0AC1, 4, 12, 0}, {0x0521, 5, 29, 0}, {0x0221, 38, 33, 0},
		{0x5601, 7, 6, 1}, {0x5401, 8, 14, 0}, {0x4801, 9, 14, 0}, {0x3801, 10, 14, 0}, {0x3001, 11, 17, 0}, {0x2401, 12, 18, 0},
		{0x1C01, 13, 20, 0}, {0x1601, 29, 21, 0}, {0x5601, 15, 14, 1}, {0x5401, 16, 14, 0}, {0x5101, 17, 15, 0}, {0x4801, 18, 16, 0},
		{0x3801, 19, 17, 0}, {0x3401, 20, 18, 0}, {0x3001, 21, 19, 0}, {0x2801, 22, 19, 0}, {0x2401, 23, 20, 0}, {0x2201, 24, 21, 0},
		{0x1C01, 25, 22, 0}, {0x1801, 26, 23, 0}, {0x1601, 27, 24, 0}, {0x1401, 28, 25, 0}, {0x1201, 29, 26, 0}, {0x1101, 30, 27, 0},
		{0x0AC1, 31, 28, 0}, {0x09C1, 32, 29, 0}, {0x08A1, 33, 30, 0}, {0x0521, 34, 31, 0}, {0x0441, 35, 32, 0}, {0x02A1, 36, 33, 0},
		{0x0221, 37, 34, 0}, {0x0141, 38, 35, 0}, {0x0111, 39, 36, 0}, {0x0085, 40, 37, 0}, {0x0049, 41, 38, 0}, {0x0025, 42, 39, 0},
		{0x0015, 43, 40, 0}, {0x0009, 44, 41, 0}, {0x0005, 45, 42, 0}, {0x0001, 45, 43, 0}, {0x5601, 46, 46, 0},
	}
	for i, r := range rows {
		for mps := range 2 {
			t[2*i+mps] = mqState{uint32(r[0]), int32(mps), uint8(2*int(r[1]) + mps), uint8(2*int(r[2]) + (mps ^ int(r[3])))}
		}
	}
	return t
}

// Contexts of the block decoder (T.800 annex D).
const (
	ctxSign    = 9
	ctxRefine  = 14
	ctxRun     = 17
	ctxUniform = 18
	contexts   = 19
)

// mqDecoder is the arithmetic decoder of T.800 annex C.
type mqDecoder struct {
	a, c  uint32
	ct    int
	b     []byte
	at    int
	state [contexts]uint8
}

// reset sets all contexts to their first state (table D.7).
func (m *mqDecoder) reset() {
	m.state = [contexts]uint8{0: 2 * 4, ctxRun: 2 * 3, ctxUniform: 2 * 46}
}

// start begins a code word.
func (m *mqDecoder) start(b []byte) {
	m.b, m.at = b, 0
	m.c = uint32(m.peek(0)) << 16
	m.byteIn()
	m.c <<= 7
	m.ct -= 7
	m.a = 0x8000
}

// peek is the byte n after the current one; FF stands after the last.
func (m *mqDecoder) peek(n int) byte {
	if m.at+n < len(m.b) {
		return m.b[m.at+n]
	}
	return 0xFF
}

func (m *mqDecoder) byteIn() {
	next := m.peek(1)
	switch {
	case m.peek(0) != 0xFF:
		m.at++
		m.c += uint32(next) << 8
		m.ct = 8
	case next > 0x8F:
		m.c += 0xFF00
		m.ct = 8
	default:
		m.at++
		m.c += uint32(next) << 9
		m.ct = 7
	}
}

// bit decodes a symbol in a context.
func (m *mqDecoder) bit(ctx uint8) int32 {
	s := &mqStates[m.state[ctx]]
	m.a -= s.qe
	if m.c>>16 >= s.qe {
		m.c -= s.qe << 16
		if m.a&0x8000 != 0 {
			return s.mps
		}
		return m.exchange(ctx, s, m.a < s.qe)
	}
	low := m.a < s.qe
	m.a = s.qe
	return m.exchange(ctx, s, !low)
}

// exchange moves a context on, after the less probable symbol where less is true.
func (m *mqDecoder) exchange(ctx uint8, s *mqState, less bool) int32 {
	d := s.mps
	if less {
		d = 1 - d
		m.state[ctx] = s.nl
	} else {
		m.state[ctx] = s.nmps
	}
	for {
		if m.ct == 0 {
			m.byteIn()
		}
		m.a <<= 1
		m.c <<= 1
		m.ct--
		if m.a&0x8000 != 0 {
			return d
		}
	}
}

// rawReader reads the bits of a pass that is not arithmetically coded.
type rawReader struct {
	b    []byte
	last byte
	n    uint
}

func (r *rawReader) bit() int32 {
	if r.n == 0 {
		r.n = 8
		if r.last == 0xFF {
			r.n = 7
		}
		r.last = 0xFF
		if len(r.b) > 0 {
			r.last, r.b = r.b[0], r.b[1:]
		}
	}
	r.n--
	return int32(r.last >> r.n & 1)
}
