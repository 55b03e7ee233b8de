package dicomio

import (
	"bytes"
	"encoding/binary"
	"sort"
	"strings"

	"github.com/suyashkumar/dicom/pkg/tag"
)

// patch replaces bytes of the header on its way to the library, which reads some
// right things wrongly: at and end are offsets in the file.
type patch struct {
	at, end int
	with    []byte
}

// patch overwrites what stands at at.
func (w *walker) patch(at int, with []byte) {
	w.patches = append(w.patches, patch{at, at + len(with), with})
}

// note looks at an element of the top level.
func (w *walker) note(at int, e element, l *layout) error {
	switch e.tag {
	case tagClass:
		var err error
		if l.class, err = w.uid(e); err != nil {
			return err
		}
		if l.metaClass != "" && l.class != l.metaClass {
			return w.wrong(at, "(0008,0016) SOPClassUID is another one than in the file meta information")
		}
		if !w.any {
			l.foreign = foreign(l.class)
		}
	case tagCharset:
		if e.length == undefined || e.length > 1024 {
			return w.wrong(at, name(e.tag)+" is no character set")
		}
		end := e.value + int(e.length)
		if err := w.in.fill(end); err != nil {
			return err
		}
		for _, term := range strings.Split(string(w.in.b[e.value:end]), "\\") {
			l.charset = append(l.charset, strings.Trim(term, " \x00"))
		}
		w.patch(e.value, bytes.Repeat([]byte{'X'}, int(e.length))) // with a set that the library does not know it hands text out as it is
	}
	w.unnamed(at, e)
	if w.seen != nil {
		return w.seen(w, e)
	}
	return nil
}

// unnamed gives an element with VR UN the VR of the dictionary: some programs write
// so what they read with implicit VRs and had no dictionary for. Its value is in little
// endian (PS3.5 6.2.2), so numbers of a big-endian data set are left alone; text has no
// order of bytes.
func (w *walker) unnamed(at int, e element) {
	if e.vr != "UN" || w.implicit || e.length >= 0xFFFF {
		return
	}
	info, err := tag.Find(tag.Tag{Group: uint16(e.tag >> 16), Element: uint16(e.tag)})
	if err != nil || len(info.VRs) == 0 {
		return
	}
	vr, little := info.VRs[0], w.order == binary.LittleEndian
	switch vr {
	case "FL", "FD", "SL", "SS", "UL", "US":
		if !little {
			return
		}
	case "AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI":
	default:
		return
	}
	head := []byte(vr + "\x00\x00")
	w.order.PutUint16(head[2:], uint16(e.length))
	w.patches = append(w.patches, patch{at + 4, e.value, head})
}

// cutStrange leaves an element out when something inside it is not for the library: a
// sequence of VR UN, 64-bit integers, an icon. Image geometry is in none of them.
func (w *walker) cutStrange(at, end int, e element) {
	if w.strange && e.tag < tagGroupPix {
		w.patches = append(w.patches, patch{at, end, nil})
	}
	w.strange = false
}

// patched is a header, the start of the file, with all patches applied.
func (w *walker) patched(header []byte) []byte {
	sort.SliceStable(w.patches, func(i, j int) bool { return w.patches[i].at < w.patches[j].at })
	out, done := make([]byte, 0, len(header)+16), 0
	for _, p := range w.patches {
		if p.at < done || p.end > len(header) {
			continue
		}
		out = append(append(out, header[done:p.at]...), p.with...)
		done = p.end
	}
	return append(out, header[done:]...)
}

// uid is the value of a UI element.
func (w *walker) uid(e element) (string, error) {
	if e.length > 1024 {
		return "", w.wrong(e.value, name(e.tag)+" is no UID")
	}
	if err := w.in.fill(e.value + int(e.length)); err != nil {
		return "", err
	}
	return trimUID(w.in.b[e.value : e.value+int(e.length)]), nil
}
