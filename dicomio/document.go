package dicomio

import (
	"fmt"
	picture "image"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"

	"ctrecon/dicomio/codec"
)

// SOP classes that are written beside CT images.
const (
	secondaryCapture = "1.2.840.10008.5.1.4.1.1.7"
	encapsulatedPDF  = "1.2.840.10008.5.1.4.1.1.104.1"
	comprehensive3D  = "1.2.840.10008.5.1.4.1.1.88.34"
	parametricMap    = "1.2.840.10008.5.1.4.1.1.30"
)

// document starts an object that belongs to the patient and study of a job and shows
// no slice: d.Method names it, d.Number its series, d.Config its UIDs.
func (d *Derived) document(class, modality string) *builder {
	b := &builder{d: d, elements: map[tag.Tag]*dicom.Element{}}
	b.common(class, UID("document", class, d.SeriesUID()))
	h := d.header(0)
	b.subject(h)
	b.copy(h, []tag.Tag{tag.BodyPartExamined}, false)
	b.ownSeries(h, modality)
	b.text(tag.DeviceSerialNumber, 64, "none")
	b.put(tag.InstanceNumber, []string{"1"})
	return b
}

// burnedIn says whether what a page shows may identify the patient. Reports name the
// input by its file names.
func (b *builder) burnedIn() {
	v := "YES"
	if firstText(b.elements[tag.PatientIdentityRemoved]) == "YES" {
		v = "NO"
	}
	b.put(tag.BurnedInAnnotation, []string{v})
}

// firstText is the first value of an element, "" when there is none.
func firstText(e *dicom.Element) string {
	if e == nil {
		return ""
	}
	if v, ok := e.Value.GetValue().([]string); ok && len(v) > 0 {
		return v[0]
	}
	return ""
}

// WriteCapture writes a picture as a Secondary Capture object (PS3.3 A.8): RGB, in the
// patient and study of d. Its pixels are compressed by RLE when d has a compression.
func WriteCapture(path string, d Derived, m picture.Image) error {
	r := m.Bounds()
	b := d.document(secondaryCapture, "OT")
	b.put(tag.ConversionType, []string{"WSD"})
	b.put(tag.ImageType, []string{"DERIVED", "SECONDARY"})
	b.put(tag.PatientOrientation, []string{""})
	b.text(tag.DerivationDescription, 1024, ResearchUse+" "+d.Description)
	b.text(tag.ImageComments, 1024, ResearchUse)
	b.burnedIn()
	b.put(tag.LossyImageCompression, []string{"00"})
	b.put(tag.SamplesPerPixel, []int{3})
	b.put(tag.PhotometricInterpretation, []string{"RGB"})
	b.put(tag.PlanarConfiguration, []int{0})
	b.put(tag.Rows, []int{r.Dy()})
	b.put(tag.Columns, []int{r.Dx()})
	b.put(tag.BitsAllocated, []int{8})
	b.put(tag.BitsStored, []int{8})
	b.put(tag.HighBit, []int{7})
	b.put(tag.PixelRepresentation, []int{0})
	px := rgb(m)
	syntax := explicitLittle
	if d.Compression != "" {
		syntax = codec.RLE // JPEG-LS of colour is read by few
	}
	out, err := b.finish(path, syntax)
	if err != nil {
		return err
	}
	if syntax == codec.RLE {
		out = appendFragments(out, codec.EncodeRGB(px, r.Dy(), r.Dx()))
	} else {
		if len(px)%2 == 1 {
			px = append(px, 0)
		}
		out = append(appendElement(out, tag.PixelData, "OB", uint32(len(px))), px...)
	}
	return save(path, out)
}

// rgb are the bytes of a picture.
func rgb(m picture.Image) []byte {
	r := m.Bounds()
	px := make([]byte, 0, 3*r.Dx()*r.Dy()+1)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			red, green, blue, _ := m.At(x, y).RGBA()
			px = append(px, byte(red>>8), byte(green>>8), byte(blue>>8))
		}
	}
	return px
}

// WritePDF writes a PDF file as an Encapsulated PDF object (PS3.3 A.45.1) in the
// patient and study of d, with title d.Method.
func WritePDF(path string, d Derived, pdf []byte) error {
	b := d.document(encapsulatedPDF, "DOC")
	b.put(tag.ConversionType, []string{"WSD"})
	b.put(tag.AcquisitionDateTime, []string{""})
	b.burnedIn()
	b.text(tag.DocumentTitle, 1024, "ctrecon "+d.Method+". "+ResearchUse)
	b.put(tag.ConceptNameCodeSequence, [][]*dicom.Element{code("11528-7", "LN", "Radiology Report")})
	b.put(tag.MIMETypeOfEncapsulatedDocument, []string{"application/pdf"})
	b.put(tag.EncapsulatedDocumentLength, []int{len(pdf)})
	if d.Source != nil {
		b.put(tag.SourceInstanceSequence, instances(d.used()))
	}
	padded := pdf
	if len(pdf)%2 == 1 {
		padded = append(append([]byte(nil), pdf...), 0)
	}
	b.put(tag.EncapsulatedDocument, padded)
	out, err := b.finish(path, explicitLittle)
	if err != nil {
		return err
	}
	return save(path, out)
}

// used are the slices of the source that a job used.
func (d *Derived) used() []Slice {
	if d.Slices == nil {
		return d.Source.Slices
	}
	var out []Slice
	for _, i := range d.Slices {
		out = append(out, d.Source.Slices[i])
	}
	return out
}

// finish makes the bytes up to the pixel data.
func (b *builder) finish(path, syntax string) ([]byte, error) {
	err := b.err
	if err == nil {
		var out []byte
		if out, err = fileHeader(b.elements, syntax); err == nil {
			return out, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// save checks that an object can be walked to its end, and writes it.
func save(path string, b []byte) error {
	if err := walkable(path, b); err != nil {
		return fmt.Errorf("does not read back: %w", err)
	}
	if err := writeFile(path, b); err != nil {
		return &OutputError{path, err}
	}
	return nil
}

// walkable runs the preflight of the reader over an object of any class.
func walkable(path string, b []byte) error {
	in := inMemory(path, b)
	l, err := walk(in, true)
	if err != nil {
		return err
	}
	if l.pixels {
		return l.trailing(path)
	}
	return nil
}
