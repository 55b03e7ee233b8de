package dicomio

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The tests build data sets of their own with these: explicit VR little endian.

// el is an element; values that are text are padded.
func el(group, element uint16, vr string, value any) []byte {
	var v []byte
	switch x := value.(type) {
	case string:
		v = []byte(x)
		if len(v)%2 == 1 {
			pad := byte(' ')
			if vr == "UI" {
				pad = 0
			}
			v = append(v, pad)
		}
	case int:
		v = binary.LittleEndian.AppendUint16(nil, uint16(x))
		if vr == "UL" {
			v = binary.LittleEndian.AppendUint32(nil, uint32(x))
		}
	case []byte:
		v = x
	default:
		panic(fmt.Sprintf("%T", value))
	}
	b := binary.LittleEndian.AppendUint16(nil, group)
	b = append(binary.LittleEndian.AppendUint16(b, element), vr...)
	if strings.Contains("OB OW OF OV SV UV SQ UN UT UC", vr) {
		b = binary.LittleEndian.AppendUint32(append(b, 0, 0), uint32(len(v)))
	} else {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
	}
	return append(b, v...)
}

// sq is a sequence of items.
func sq(group, element uint16, items ...[]byte) []byte {
	var v []byte
	for _, it := range items {
		v = binary.LittleEndian.AppendUint32(append(v, 0xFE, 0xFF, 0, 0xE0), uint32(len(it)))
		v = append(v, it...)
	}
	return el(group, element, "SQ", v)
}

// object is a file: preamble, meta information and a data set.
func object(class, syntax string, dataset ...[]byte) []byte {
	meta := join(el(2, 1, "OB", []byte{0, 1}), el(2, 2, "UI", class), el(2, 3, "UI", "1.2.3"), el(2, 0x10, "UI", syntax), el(2, 0x12, "UI", "1.2.4"))
	b := append(make([]byte, 128), "DICM"...)
	return join(append([][]byte{b, el(2, 0, "UL", len(meta)), meta}, dataset...)...)
}

// enhancedHeader is an Enhanced CT object up to its pixel data: n frames 1 mm apart.
func enhancedHeader(n, rows, cols int) []byte {
	per := make([][]byte, n)
	for i := range per {
		per[i] = join(
			sq(0x20, 0x9111, join(el(0x20, 0x9056, "SH", "1"), el(0x20, 0x9057, "UL", i+1))),
			sq(0x20, 0x9113, el(0x20, 0x32, "DS", fmt.Sprintf("0\\0\\%d", i))),
			sq(0x28, 0x9145, join(el(0x28, 0x1052, "DS", "-1024"), el(0x28, 0x1053, "DS", "1"), el(0x28, 0x1054, "LO", "HU"))))
	}
	return object(enhancedCT, explicitLittle,
		el(8, 0x16, "UI", enhancedCT), el(8, 0x18, "UI", "1.2.3"), el(8, 0x60, "CS", "CT"), el(0x20, 0xD, "UI", "1.2.5"), el(0x20, 0xE, "UI", "1.2.6"),
		el(0x28, 2, "US", 1), el(0x28, 4, "CS", "MONOCHROME2"), el(0x28, 8, "IS", fmt.Sprint(n)), el(0x28, 0x10, "US", rows), el(0x28, 0x11, "US", cols),
		el(0x28, 0x100, "US", 16), el(0x28, 0x101, "US", 16), el(0x28, 0x102, "US", 15), el(0x28, 0x103, "US", 0),
		sq(0x5200, 0x9229, join(sq(0x20, 0x9116, el(0x20, 0x37, "DS", "1\\0\\0\\0\\1\\0")), sq(0x28, 0x9110, el(0x28, 0x30, "DS", "0.5\\0.5")))),
		sq(0x5200, 0x9230, per...))
}
