package dicomio

import (
	"encoding/binary"

	"github.com/suyashkumar/dicom/pkg/tag"
)

// unnamed is an element with VR UN whose tag the dictionary knows: some programs
// write so what they read with implicit VRs and had no dictionary for.
type unnamed struct {
	at      int
	element element
	vr      string
}

// note keeps an element at the top level when it is such a one. Its value is in
// little endian (PS3.5 6.2.2), so a big-endian data set is left alone.
func (w *walker) note(at int, e element) {
	if e.vr != "UN" || w.implicit || w.order != binary.LittleEndian || e.length > 0xFFFE {
		return
	}
	info, err := tag.Find(tag.Tag{Group: uint16(e.tag >> 16), Element: uint16(e.tag)})
	if err != nil || len(info.VRs) == 0 {
		return
	}
	switch vr := info.VRs[0]; vr {
	case "AE", "AS", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US":
		w.unnamed = append(w.unnamed, unnamed{at, e, vr})
	}
}

// named is a header, the start of the data set w.b, with the VRs of the dictionary.
func (w *walker) named(header []byte) []byte {
	if len(w.unnamed) == 0 {
		return header
	}
	out, done := make([]byte, 0, len(header)), 0
	for _, u := range w.unnamed {
		end := u.element.value + int(u.element.length)
		if end > len(header) {
			break
		}
		out = append(out, header[done:u.at+4]...)
		out = append(out, u.vr...)
		out = binary.LittleEndian.AppendUint16(out, uint16(u.element.length))
		out = append(out, header[u.element.value:end]...)
		done = end
	}
	return append(out, header[done:]...)
}
