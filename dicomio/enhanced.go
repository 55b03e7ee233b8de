package dicomio

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"

	"ctrecon/dicomio/codec"
)

// maxObject bounds the pixel data of one object: its length has 32 bits, and our own
// reader takes files up to 2 GiB.
const maxObject = maxFileSize - 64<<20

// WriteEnhanced writes the series as one Enhanced CT object (PS3.3 A.38) to the file
// path, which must not exist: the pixels of WriteSeries, a frame a slice. Frames are
// written one by one; a file that does not read back is removed.
func WriteEnhanced(path string, d Derived) (Written, error) {
	w := Written{Files: []string{path}}
	if err := d.fits(path, 2); err != nil {
		return w, err
	}
	b := d.volume(enhancedCT, "CT")
	b.put(tag.MultienergyCTAcquisition, []string{"NO"})
	b.put(tag.BitsAllocated, []int{16})
	b.put(tag.BitsStored, []int{16})
	b.put(tag.HighBit, []int{15})
	b.put(tag.PixelRepresentation, []int{1})
	kind := []string{"DERIVED", "PRIMARY", "VOLUME", "NONE"}
	frameType := append(volumeAttributes(), must(tag.FrameType, kind))
	b.put(tag.ImageType, kind)
	for _, e := range volumeAttributes() {
		b.elements[e.Tag] = e
	}
	shared := append(b.sharedGroups(),
		macro(tag.CTImageFrameTypeSequence, frameType...),
		macro(tag.PixelValueTransformationSequence, must(tag.RescaleIntercept, []string{"0"}), must(tag.RescaleSlope, []string{decimal(d.slope())}), must(tag.RescaleType, []string{"HU"})),
		macro(tag.IrradiationEventIdentificationSequence, must(tag.IrradiationEventUID, []string{b.irradiation()})))
	window := []string{"40", "400"}
	if d.SD {
		window = []string{"50", "100"}
	}
	b.put(tag.SharedFunctionalGroupsSequence, [][]*dicom.Element{append(shared, macro(tag.FrameVOILUTSequence, must(tag.WindowCenter, window[:1]), must(tag.WindowWidth, window[1:])))})
	size := 2 * d.Grid.Len()
	px := make([]byte, size)
	return w, d.writeFrames(path, b, frames{element: tag.PixelData, vr: "OW", size: size, syntax: d.syntax(), encode: func(hu []float32) []byte {
		w.Clipped += store(px, hu, d.slope())
		if d.Compression != "" {
			return codec.Encode(d.Compression, px, d.frame())
		}
		return px
	}})
}

// WriteMap writes the series as one Parametric Map object (PS3.3 A.75) of float32
// values in HU: a standard deviation.
func WriteMap(path string, d Derived) error {
	if err := d.fits(path, 4); err != nil {
		return err
	}
	b := d.volume(parametricMap, "CT")
	b.put(tag.BitsAllocated, []int{32})
	kind := []string{"DERIVED", "PRIMARY", "VOLUME", "STD_DEVIATION"}
	b.put(tag.ImageType, kind)
	b.put(tag.ContentLabel, []string{"STD_DEVIATION"})
	b.text(tag.ContentDescription, 64, "Standard deviation of the error in HU")
	b.put(tag.ContentCreatorName, []string{"ctrecon"})
	unit := code("[hnsf'U]", "UCUM", "Hounsfield unit")
	quantity := append(concept("CONTAINS", "CODE", "246205007", "SCT", "Quantity")[1:], must(tag.ConceptCodeSequence, [][]*dicom.Element{code("386136009", "SCT", "Standard deviation")}))
	mapping := macro(tag.RealWorldValueMappingSequence,
		must(tag.LUTExplanation, []string{"Standard deviation in HU"}), must(tag.LUTLabel, []string{"SD"}),
		must(tag.DoubleFloatRealWorldValueFirstValueMapped, []float64{0}), must(tag.DoubleFloatRealWorldValueLastValueMapped, []float64{math.MaxInt16}),
		must(tag.RealWorldValueIntercept, []float64{0}), must(tag.RealWorldValueSlope, []float64{1}),
		must(tag.MeasurementUnitsCodeSequence, [][]*dicom.Element{unit}), must(tag.QuantityDefinitionSequence, [][]*dicom.Element{quantity}))
	shared := append(b.sharedGroups(), mapping,
		macro(tag.ParametricMapFrameTypeSequence, must(tag.FrameType, kind)),
		macro(tag.PixelValueTransformationSequence, must(tag.RescaleIntercept, []string{"0"}), must(tag.RescaleSlope, []string{"1"}), must(tag.RescaleType, []string{"US"})),
		macro(tag.FrameVOILUTSequence, must(tag.WindowCenter, []string{"50"}), must(tag.WindowWidth, []string{"100"})))
	b.put(tag.SharedFunctionalGroupsSequence, [][]*dicom.Element{shared})
	b.commonInstances()
	px := make([]byte, 4*d.Grid.Len())
	return d.writeFrames(path, b, frames{element: tag.FloatPixelData, vr: "OF", size: len(px), syntax: explicitLittle, encode: func(hu []float32) []byte {
		for i, v := range hu {
			binary.LittleEndian.PutUint32(px[4*i:], math.Float32bits(v))
		}
		return px
	}})
}

// fits checks that frames of so many bytes a pixel go into one object.
func (d *Derived) fits(path string, bytes int) error {
	if int64(d.Images) > maxObject/int64(bytes*d.Grid.Len()) || d.Images > maxFrames {
		return &OutputError{path, fmt.Errorf("%d frames of %d x %d pixels are too much for one object", d.Images, d.Grid.H, d.Grid.W)}
	}
	return nil
}

// volumeAttributes stand in the object and in its frame type.
func volumeAttributes() []*dicom.Element {
	return []*dicom.Element{
		must(tag.PixelPresentation, []string{"MONOCHROME"}), must(tag.VolumetricProperties, []string{"VOLUME"}),
		must(tag.VolumeBasedCalculationTechnique, []string{"NONE"}),
	}
}

// volume starts a multi-frame object of all images.
func (d *Derived) volume(class, modality string) *builder {
	b := d.document(class, modality)
	delete(b.elements, tag.Laterality) // frames have one of their own
	h := d.header(0)
	b.copy(h, imageOptional, false)
	b.copy(h, []tag.Tag{tag.PositionReferenceIndicator}, true)
	b.reference(h, tag.FrameOfReferenceUID, "frame of reference")
	if b.elements[tag.PatientPosition] == nil {
		b.put(tag.PatientPosition, []string{"HFS"})
	}
	b.put(tag.SeriesInstanceUID, []string{UID("multi-frame", class, d.SeriesUID())})
	b.put(tag.NumberOfFrames, []string{strconv.Itoa(d.Images)})
	b.put(tag.SamplesPerPixel, []int{1})
	b.put(tag.PhotometricInterpretation, []string{"MONOCHROME2"})
	b.put(tag.Rows, []int{d.Grid.H})
	b.put(tag.Columns, []int{d.Grid.W})
	b.put(tag.PresentationLUTShape, []string{"IDENTITY"})
	b.put(tag.ContentQualification, []string{"RESEARCH"})
	b.put(tag.RecognizableVisualFeatures, []string{"YES"}) // a head's surface can be rendered
	b.put(tag.BurnedInAnnotation, []string{"NO"})
	if b.elements[tag.LossyImageCompression] == nil {
		b.put(tag.LossyImageCompression, []string{"00"})
	}
	b.text(tag.ImageComments, 1024, ResearchUse)
	b.put(tag.AcquisitionContextSequence, [][]*dicom.Element{})
	b.dimensions()
	per := make([][]*dicom.Element, d.Images)
	for i := range per {
		per[i] = b.frameGroups(i)
	}
	b.put(tag.PerFrameFunctionalGroupsSequence, per)
	if d.Source != nil {
		b.scanner(h)
		study := []*dicom.Element{b.elements[tag.StudyInstanceUID], must(tag.ReferencedSeriesSequence, [][]*dicom.Element{{
			must(tag.SeriesInstanceUID, []string{d.Source.UID}), must(tag.ReferencedSOPSequence, instances(d.used()))}})}
		if class == enhancedCT {
			b.put(tag.SourceImageEvidenceSequence, [][]*dicom.Element{study})
		}
	}
	return b
}

// dimensions says that frames are ordered by their place in one stack.
func (b *builder) dimensions() {
	uid := UID("dimensions", b.d.SeriesUID())
	b.put(tag.DimensionOrganizationSequence, [][]*dicom.Element{{must(tag.DimensionOrganizationUID, []string{uid})}})
	index := func(pointer tag.Tag) []*dicom.Element {
		return []*dicom.Element{
			must(tag.DimensionOrganizationUID, []string{uid}),
			attribute(tag.DimensionIndexPointer, pointer), attribute(tag.FunctionalGroupPointer, tag.FrameContentSequence),
		}
	}
	b.put(tag.DimensionIndexSequence, [][]*dicom.Element{index(tag.StackID), index(tag.InStackPositionNumber)})
}

// attribute is an element of VR AT.
func attribute(t, value tag.Tag) *dicom.Element {
	e := must(t, []int{int(value.Group), int(value.Element)})
	return e
}

// macro is a sequence of one item.
func macro(t tag.Tag, elements ...*dicom.Element) *dicom.Element {
	return must(t, [][]*dicom.Element{elements})
}

// sharedGroups are the functional groups that all frames have.
func (b *builder) sharedGroups() []*dicom.Element {
	d := b.d
	_, orientation := d.place(0)
	thickness := textOf(orEmpty(d.header(0)), tag.SliceThickness)
	if v, err := strconv.ParseFloat(thickness, 64); err != nil || !(v > 0) {
		thickness = decimal(max(d.distance(), 1e-3))
	}
	region := regions[firstText(b.elements[tag.BodyPartExamined])]
	if region == nil {
		region = []string{"38266002", "Entire body"}
	}
	return []*dicom.Element{
		macro(tag.PixelMeasuresSequence, must(tag.PixelSpacing, []string{decimal(d.Grid.DY), decimal(d.Grid.DX)}), must(tag.SliceThickness, []string{thickness})),
		macro(tag.PlaneOrientationSequence, must(tag.ImageOrientationPatient, decimals(orientation[:]))),
		macro(tag.FrameAnatomySequence, must(tag.FrameLaterality, []string{"U"}), must(tag.AnatomicRegionSequence, [][]*dicom.Element{code(region[0], "SCT", region[1])})),
	}
}

func orEmpty(h *dicom.Dataset) *dicom.Dataset {
	if h == nil {
		return &dicom.Dataset{}
	}
	return h
}

// regions are codes of BodyPartExamined (PS3.16 annex L).
var regions = map[string][]string{
	"HEAD": {"69536005", "Head"}, "BRAIN": {"12738006", "Brain"}, "NECK": {"45048000", "Neck"}, "CHEST": {"51185008", "Chest"},
	"ABDOMEN": {"818981001", "Abdomen"}, "PELVIS": {"816092008", "Pelvis"}, "CHESTABDPELVIS": {"416775004", "Chest, Abdomen and Pelvis"},
}

// distance of slices in mm.
func (d *Derived) distance() float64 {
	if d.Source != nil {
		return d.Source.Spacing
	}
	return d.Spacing
}

// irradiation names the event that the source was measured in.
func (b *builder) irradiation() string {
	if e := usable(b.d.header(0), tag.IrradiationEventUID); e != nil {
		return lawful(firstText(e))
	}
	return UID("irradiation", b.d.root())
}

// frameGroups are those of frame i.
func (b *builder) frameGroups(i int) []*dicom.Element {
	position, _ := b.d.place(i)
	sources := [][]*dicom.Element{}
	if b.d.Source != nil {
		sources = append(sources, sourceItem(b.d.Source.Slices[b.d.sourceSlice(i)]))
	}
	out := []*dicom.Element{
		macro(tag.FrameContentSequence, must(tag.StackID, []string{"1"}), must(tag.InStackPositionNumber, []int{i + 1}), must(tag.DimensionIndexValues, []int{1, i + 1})),
		macro(tag.PlanePositionSequence, must(tag.ImagePositionPatient, decimals(position[:]))),
	}
	if len(sources) == 0 {
		return out
	}
	return append(out,
		macro(tag.DerivationImageSequence, must(tag.DerivationDescription, []string{clean(ResearchUse+" "+b.d.Description, 1024)}),
			must(tag.DerivationCodeSequence, [][]*dicom.Element{code("CTR001", "99CTRECON", "Sparse-view tomographic reconstruction")}), must(tag.SourceImageSequence, sources)))
}

// commonInstances lists what an object refers to (PS3.3 C.12.2).
func (b *builder) commonInstances() {
	if s := b.d.Source; s != nil {
		b.put(tag.ReferencedSeriesSequence, [][]*dicom.Element{{must(tag.SeriesInstanceUID, []string{s.UID}), must(tag.ReferencedInstanceSequence, instances(b.d.used()))}})
	}
}

// frames says how the frames of an object are written.
type frames struct {
	element tag.Tag
	vr      string
	size    int // bytes of a frame that is not compressed
	syntax  string
	encode  func(hu []float32) []byte
}

// writeFrames writes header and frames to a new file.
func (d *Derived) writeFrames(path string, b *builder, f frames) (err error) {
	head, err := b.finish(path, f.syntax)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return &OutputError{path, err}
	}
	defer func() {
		if e := out.Close(); err == nil && e != nil {
			err = &OutputError{path, e}
		}
		if err != nil {
			os.Remove(path)
		}
	}()
	hu := make([]float32, d.Grid.Len())
	next := func(i int) ([]byte, error) {
		if err := d.Image(i, hu); err != nil {
			return nil, err
		}
		return f.encode(hu), nil
	}
	if f.syntax == explicitLittle {
		err = d.native(out, appendElement(head, f.element, f.vr, uint32(f.size*d.Images)), next)
	} else {
		err = d.packed(out, head, next)
	}
	if err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return &OutputError{path, err}
	}
	if f.element == tag.FloatPixelData { // our reader stops before it
		return nil
	}
	return readsBack(path, out, d.Images)
}

// native writes frames one behind the other.
func (d *Derived) native(out *os.File, head []byte, next func(i int) ([]byte, error)) error {
	if _, err := out.Write(head); err != nil {
		return &OutputError{out.Name(), err}
	}
	for i := range d.Images {
		px, err := next(i)
		if err != nil {
			return err
		}
		if _, err := out.Write(px); err != nil {
			return &OutputError{out.Name(), err}
		}
	}
	return nil
}

// packed writes a fragment a frame, and then their offsets into the table before them.
func (d *Derived) packed(out *os.File, head []byte, next func(i int) ([]byte, error)) error {
	head = appendItem(appendElement(head, tag.PixelData, "OB", undefined), tag.Item, uint32(4*d.Images))
	table := make([]byte, 4*d.Images)
	if _, err := out.Write(append(head, table...)); err != nil {
		return &OutputError{out.Name(), err}
	}
	offset := 0
	for i := range d.Images {
		px, err := next(i)
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint32(table[4*i:], uint32(offset))
		if _, err := out.Write(append(appendItem(nil, tag.Item, uint32(len(px))), px...)); err != nil {
			return &OutputError{out.Name(), err}
		}
		offset += 8 + len(px)
	}
	_, err := out.Write(appendItem(nil, tag.SequenceDelimitationItem, 0))
	if err == nil {
		_, err = out.WriteAt(table, int64(len(head)))
	}
	if err != nil {
		return &OutputError{out.Name(), err}
	}
	return nil
}

// readsBack runs the reader's checks over a written object, without its pixels.
func readsBack(path string, f *os.File, images int) error {
	info, err := f.Stat()
	if err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		return &OutputError{path, err}
	}
	in := &stream{name: path, r: f, size: int(info.Size())}
	l, err := walk(in, true)
	switch {
	case err != nil:
	case l.late != nil:
		err = l.late
	default:
		var ds *dicom.Dataset
		var files []*file
		if ds, _, err = parseHeader(path, l); err == nil {
			files, err = (&header{file: path, ds: ds}).multiframe(false)
		}
		if err == nil {
			_, err = l.check(path, &files[0].image, images)
		}
	}
	if err != nil {
		return fmt.Errorf("does not read back: %w", err)
	}
	return nil
}
