package codec

import "encoding/binary"

// Markers of ITU-T T.81 table B.1.
const (
	markSOF0 = 0xC0 // baseline
	markSOF1 = 0xC1 // extended sequential
	markSOF3 = 0xC3 // lossless
	markDHT  = 0xC4
	markRST0 = 0xD0
	markSOI  = 0xD8
	markEOI  = 0xD9
	markSOS  = 0xDA
	markDQT  = 0xDB
	markDRI  = 0xDD
)

// jpegNames are the processes that are not decoded.
var jpegNames = map[byte]string{
	0xC2: "progressive", 0xC5: "hierarchical", 0xC6: "hierarchical progressive", 0xC7: "hierarchical lossless", 0xC9: "arithmetic",
	0xCA: "arithmetic progressive", 0xCB: "arithmetic lossless", 0xCD: "arithmetic hierarchical", 0xCE: "arithmetic hierarchical", 0xCF: "arithmetic hierarchical",
	0xF7: "JPEG-LS",
}

// jpeg is what the markers before the scan say.
type jpeg struct {
	f        Frame
	process  byte // 0 before the frame header
	bits     int
	id, tq   byte
	quant    [4]*[64]int32
	dc, ac   [4]*huffman
	restart  int
	selector byte
	shift    byte // point transform
	td, ta   byte
}

// decodeJPEG decodes the sequential and lossless Huffman processes of ITU-T T.81
// (1, 2, 4 and 14); the code stream says which. The inverse cosine transform is
// that of the Independent JPEG Group, bit for bit.
func decodeJPEG(data []byte, f Frame) ([]byte, error) {
	j := &jpeg{f: f}
	at, err := j.markers(data)
	if err != nil {
		return nil, err
	}
	var samples []uint16
	r := &bitReader{b: data, at: at}
	if j.process == markSOF3 {
		samples, err = j.lossless(r)
	} else {
		samples, err = j.cosine(r)
	}
	if err != nil {
		return nil, err
	}
	return pack(samples, j.bits, f), nil
}

// segment is the marker at at, its payload and the offset after it.
func segment(b []byte, at int) (marker byte, payload []byte, next int, err error) {
	if at >= len(b) || b[at] != 0xFF {
		return 0, nil, 0, wrong("JPEG: byte %d: no marker", at)
	}
	for at < len(b) && b[at] == 0xFF {
		at++
	}
	if at >= len(b) {
		return 0, nil, 0, wrong("JPEG: byte %d: the frame is cut", at)
	}
	marker = b[at]
	if at++; marker == markSOI || marker == markEOI {
		return marker, nil, at, nil
	}
	if at+2 > len(b) {
		return 0, nil, 0, wrong("JPEG: byte %d: the frame is cut", at)
	}
	n := int(binary.BigEndian.Uint16(b[at:]))
	if n < 2 || at+n > len(b) {
		return 0, nil, 0, wrong("JPEG: byte %d: segment %02X of %d bytes, %d are left", at, marker, n, len(b)-at)
	}
	return marker, b[at+2 : at+n], at + n, nil
}

// markers reads all up to the scan, and returns its offset.
func (j *jpeg) markers(b []byte) (int, error) {
	if len(b) < 2 || b[0] != 0xFF || b[1] != markSOI {
		return 0, wrong("JPEG: no start of image")
	}
	for at := 2; ; {
		marker, p, next, err := segment(b, at)
		if err != nil {
			return 0, err
		}
		switch {
		case marker == markDHT:
			err = j.huffmanTables(p)
		case marker == markDQT:
			err = j.quantisers(p)
		case marker == markDRI && len(p) == 2:
			j.restart = int(binary.BigEndian.Uint16(p))
		case marker == markSOF0 || marker == markSOF1 || marker == markSOF3:
			err = j.frameHeader(marker, p)
		case jpegNames[marker] != "":
			err = unsupported("JPEG: the %s process is not supported", jpegNames[marker])
		case marker == markSOS:
			return next, j.scanHeader(p)
		case marker >= 0xE0 && marker <= 0xEF || marker == 0xFE: // APPn, COM
		default:
			err = wrong("JPEG: byte %d: marker %02X of %d bytes where tables or a scan are due", at, marker, len(p))
		}
		if err != nil {
			return 0, err
		}
		at = next
	}
}

func (j *jpeg) frameHeader(process byte, p []byte) error {
	if j.process != 0 {
		return wrong("JPEG: two frame headers")
	}
	if len(p) < 6 || len(p) != 6+3*int(p[5]) {
		return wrong("JPEG: frame header of %d bytes", len(p))
	}
	j.process, j.bits = process, int(p[0])
	rows, cols := int(binary.BigEndian.Uint16(p[1:])), int(binary.BigEndian.Uint16(p[3:]))
	if rows == 0 {
		return unsupported("JPEG: the number of lines follows the scan")
	}
	if err := j.f.agree(rows, cols, int(p[5]), j.bits); err != nil {
		return err
	}
	if process != markSOF3 && j.bits != 8 && (process != markSOF1 || j.bits != 12) || j.bits < 2 {
		return wrong("JPEG: %d bits in process %02X", j.bits, process)
	}
	j.id, j.tq = p[6], p[8]
	return nil
}

func (j *jpeg) scanHeader(p []byte) error {
	switch {
	case j.process == 0:
		return wrong("JPEG: a scan without a frame header")
	case len(p) != 6 || p[0] != 1 || p[1] != j.id:
		return wrong("JPEG: the scan header does not fit a frame of one component")
	}
	j.td, j.ta, j.selector, j.shift = p[2]>>4, p[2]&15, p[3], p[5]&15
	if j.td > 3 || j.ta > 3 {
		return wrong("JPEG: the scan names Huffman table %d/%d", j.td, j.ta)
	}
	return nil
}

func (j *jpeg) huffmanTables(p []byte) error {
	for len(p) > 0 {
		if len(p) < 17 || p[0]&15 > 3 || p[0]>>4 > 1 {
			return wrong("JPEG: a Huffman table of %d bytes", len(p))
		}
		h, n, err := newHuffman(p[1:])
		if err != nil {
			return err
		}
		if p[0]>>4 == 0 {
			j.dc[p[0]&15] = h
		} else {
			j.ac[p[0]&15] = h
		}
		p = p[1+n:]
	}
	return nil
}

func (j *jpeg) quantisers(p []byte) error {
	for len(p) > 0 {
		wide := int(p[0] >> 4)
		if wide > 1 || p[0]&15 > 3 || len(p) < 1+64*(wide+1) {
			return wrong("JPEG: a quantisation table of %d bytes", len(p))
		}
		q := new([64]int32)
		for i := range q {
			if wide == 1 {
				q[i] = int32(binary.BigEndian.Uint16(p[1+2*i:]))
			} else {
				q[i] = int32(p[1+i])
			}
		}
		j.quant[p[0]&15] = q
		p = p[1+64*(wide+1):]
	}
	return nil
}
