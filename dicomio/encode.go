package dicomio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"ctrecon/dicomio/uid"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// fileHeader makes the bytes of a file up to its pixel data, which must come last. The
// elements, and those of sequence items, are sorted. A value too long for its VR is
// an error: the library would write a wrong length.
func fileHeader(elements map[tag.Tag]*dicom.Element, syntax string) ([]byte, error) {
	put := func(t tag.Tag, v any) { elements[t] = must(t, v) }
	put(tag.FileMetaInformationVersion, []byte{0, 1})
	elements[tag.MediaStorageSOPClassUID] = must(tag.MediaStorageSOPClassUID, elements[tag.SOPClassUID].Value.GetValue())
	elements[tag.MediaStorageSOPInstanceUID] = must(tag.MediaStorageSOPInstanceUID, elements[tag.SOPInstanceUID].Value.GetValue())
	put(tag.TransferSyntaxUID, []string{syntax})
	put(tag.ImplementationClassUID, []string{uid.Implementation})
	put(tag.ImplementationVersionName, []string{uid.ImplementationVersion})
	ds := dicom.Dataset{}
	for _, e := range elements {
		ds.Elements = append(ds.Elements, e)
	}
	if err := inOrder(ds.Elements); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := dicom.Write(&out, ds, dicom.SkipVRVerification()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// longForms are the VRs with a length of 32 bits.
var longForms = []string{"OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UN", "UT", "UC", "UR"}

// inOrder sorts elements and the items inside them, and checks the lengths of text.
func inOrder(list []*dicom.Element) error {
	slices.SortFunc(list, func(a, b *dicom.Element) int { return a.Tag.Compare(b.Tag) })
	for _, e := range list {
		switch v := e.Value.GetValue().(type) {
		case []*dicom.SequenceItemValue:
			for _, it := range v {
				inner, _ := it.GetValue().([]*dicom.Element)
				if err := inOrder(inner); err != nil {
					return err
				}
			}
		case []string:
			n := len(v)
			for _, s := range v {
				n += len(s)
			}
			if n > 65534 && !slices.Contains(longForms, e.RawValueRepresentation) {
				return fmt.Errorf("%v: a value of %d bytes, VR %s holds up to 65534", e.Tag, n, e.RawValueRepresentation)
			}
		}
	}
	return nil
}

// element appends the header of an element with a length of 32 bits.
func appendElement(b []byte, t tag.Tag, vr string, length uint32) []byte {
	b = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(b, t.Group), t.Element)
	return binary.LittleEndian.AppendUint32(append(append(b, vr...), 0, 0), length)
}

// appendItem appends the header of an item.
func appendItem(b []byte, t tag.Tag, length uint32) []byte {
	b = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(b, t.Group), t.Element)
	return binary.LittleEndian.AppendUint32(b, length)
}

// appendPixels appends pixel data of an even number of bytes.
func appendPixels(b, px []byte) []byte {
	return append(appendElement(b, tag.PixelData, "OW", uint32(len(px))), px...)
}

// appendFragments appends encapsulated pixel data of one frame, without an offset table.
func appendFragments(b, frame []byte) []byte {
	b = appendItem(appendElement(b, tag.PixelData, "OB", undefined), tag.Item, 0)
	b = append(appendItem(b, tag.Item, uint32(len(frame))), frame...)
	return appendItem(b, tag.SequenceDelimitationItem, 0)
}
