package dicomio

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"

	"ctrecon/ct"
)

// ResearchUse stands in every object that is written.
const ResearchUse = "Research use only. Not for clinical or diagnostic use."

// Derived is a series to be written: images of one method in Hounsfield units.
type Derived struct {
	Source   *Series        // the series that the images were made from, or nil
	Template *dicom.Dataset // without a Source: patient, study and frame of reference, or nil
	Subject  string         // without both: hex SHA-256 of the input, names the anonymous subject
	Grid     ct.Grid
	Spacing  float64   // mm between slices, where there is no Source; 0 for one slice
	Heights  []float64 // instead of Spacing: z of each image, mm
	Slices   []int     // without a Source nil; else the index of the source slice of each image

	Method      string // "FBP", "TV": series description
	Description string // settings in words, up to 1024 characters with the research notice
	Kernel      string // filter of FBP, empty otherwise
	Number      int    // added to 1000 times the source's series number
	Software    string // version of the program
	Equipment   string // model name, PhantomModel for what is no result; "" is Model
	Config      string // everything that shapes the pixels: names the UIDs
	SD          bool   // a standard deviation, in steps of 0.01 HU
	Time        time.Time
	Compression string // transfer syntax of the pixels: codec.RLE or codec.JPEGLS; "" leaves them as they are

	Images int
	// Image writes image i, in HU, into dst.
	Image func(i int, dst []float32) error

	series *dicom.Element // the source series with its objects, once it was made
}

// dataset builds the elements of image i, all but the pixels.
type builder struct {
	d        *Derived
	elements map[tag.Tag]*dicom.Element
	err      error
}

// put adds an element; the first failure is kept.
func (b *builder) put(t tag.Tag, value any) {
	e, err := dicom.NewElement(t, value)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("%v: %w", t, err)
	}
	b.elements[t] = e
}

// text adds strings, each cut to the limit of the VR. No value is an empty element.
func (b *builder) text(t tag.Tag, limit int, values ...string) {
	for i, v := range values {
		values[i] = clean(v, limit)
	}
	if len(values) == 0 {
		values = []string{""}
	}
	b.put(t, values)
}

// clean removes what separates values or breaks a line, and cuts to limit characters.
func clean(s string, limit int) string {
	r := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r == '\\' {
			return ' '
		}
		return r
	}, strings.TrimSpace(s)))
	if len(r) > limit {
		r = r[:limit]
	}
	return strings.TrimSpace(string(r))
}

// header is the data set that patient and study come from, nil for none.
func (d *Derived) header(i int) *dicom.Dataset {
	if d.Source != nil {
		return d.Source.Slices[d.sourceSlice(i)].Header
	}
	return d.Template
}

func (d *Derived) model() string {
	if d.Equipment != "" {
		return d.Equipment
	}
	return Model
}

func (d *Derived) sourceSlice(i int) int {
	if d.Slices == nil {
		return i
	}
	return d.Slices[i]
}

func (d *Derived) root() string {
	if d.Source != nil {
		return d.Source.UID
	}
	return d.Subject
}

// SeriesUID of the series that will be written.
func (d *Derived) SeriesUID() string { return UID("series", d.root(), d.Method, d.Config) }

func (d *Derived) instanceUID(i int) string {
	k := d.sourceSlice(i)
	if d.Source == nil {
		return UID("instance", d.SeriesUID(), strconv.Itoa(k))
	}
	s := d.Source.Slices[k] // a part of the series gives the images that the whole would
	return UID("instance", d.SeriesUID(), s.SOPInstance, strconv.Itoa(s.Frame))
}

func (d *Derived) dataset(i int) (map[tag.Tag]*dicom.Element, error) {
	b := &builder{d: d, elements: map[tag.Tag]*dicom.Element{}}
	b.common(ctImage, d.instanceUID(i))
	b.patient(i)
	b.series(i)
	b.image(i)
	b.plane(i)
	b.origin(i)
	return b.elements, b.err
}

// common fills what every object has.
func (b *builder) common(class, instance string) {
	b.text(tag.SpecificCharacterSet, 16, "ISO_IR 192")
	b.put(tag.SOPClassUID, []string{class})
	b.put(tag.SOPInstanceUID, []string{instance})
	day, clock := b.d.Time.Format("20060102"), b.d.Time.Format("150405")
	for _, t := range []tag.Tag{tag.InstanceCreationDate, tag.SeriesDate, tag.ContentDate} {
		b.put(t, []string{day})
	}
	for _, t := range []tag.Tag{tag.InstanceCreationTime, tag.SeriesTime, tag.ContentTime} {
		b.put(t, []string{clock})
	}
}

// Attributes that are copied from the source when it has them: of patient and study,
// of every image, of a slice.
var (
	subjectOptional = []tag.Tag{
		tag.IssuerOfPatientID, tag.OtherPatientIDs, tag.PatientComments, tag.PatientIdentityRemoved, tag.DeidentificationMethod,
		tag.LongitudinalTemporalInformationModified, tag.StudyDescription, tag.PatientAge, tag.PatientSize, tag.PatientWeight,
	}
	imageOptional = []tag.Tag{tag.BodyPartExamined, tag.PatientPosition, tag.LossyImageCompression, tag.LossyImageCompressionRatio, tag.LossyImageCompressionMethod}
	sliceOptional = []tag.Tag{tag.AcquisitionDate, tag.AcquisitionTime, tag.GantryDetectorTilt, tag.TableHeight, tag.SliceLocation, tag.SpacingBetweenSlices}
)

// Attributes of type 2: copied, empty when absent.
var (
	subjectRequired = []tag.Tag{
		tag.PatientName, tag.PatientID, tag.PatientBirthDate, tag.PatientSex, tag.StudyDate, tag.StudyTime, tag.ReferringPhysicianName,
		tag.StudyID, tag.AccessionNumber,
	}
	sliceRequired = []tag.Tag{tag.PositionReferenceIndicator, tag.AcquisitionNumber, tag.SliceThickness, tag.KVP}
)

// copy takes attributes from the source; empty says that those which it has not are
// written without a value.
func (b *builder) copy(h *dicom.Dataset, list []tag.Tag, empty bool) {
	for _, t := range list {
		if e := usable(h, t); e != nil {
			b.elements[t] = e
		} else if empty {
			b.put(t, []string{""})
		}
	}
}

// reference copies a UID, or makes one that the job's images share.
func (b *builder) reference(h *dicom.Dataset, t tag.Tag, name string) {
	if e := usable(h, t); e != nil {
		b.elements[t] = e
	} else {
		b.put(t, []string{UID(name, b.d.root())})
	}
}

// patient fills what an image of the slice takes from its source.
func (b *builder) patient(i int) {
	h := b.d.header(i)
	b.subject(h)
	b.copy(h, imageOptional, false)
	b.copy(h, sliceOptional, false)
	b.copy(h, sliceRequired, true)
	b.reference(h, tag.FrameOfReferenceUID, "frame of reference")
}

// subject fills patient and study.
func (b *builder) subject(h *dicom.Dataset) {
	b.copy(h, subjectRequired, true)
	b.copy(h, subjectOptional, false)
	if e := usable(h, tag.DeidentificationMethodCodeSequence); e != nil {
		b.elements[tag.DeidentificationMethodCodeSequence] = e
	}
	if b.elements[tag.PatientIdentityRemoved] != nil && b.elements[tag.DeidentificationMethod] == nil && b.elements[tag.DeidentificationMethodCodeSequence] == nil {
		b.text(tag.DeidentificationMethod, 64, "Stated by the source series without a method")
	}
	b.reference(h, tag.StudyInstanceUID, "study")
	if h == nil {
		b.text(tag.PatientName, 64, "CTRECON^RESEARCH")
		b.text(tag.PatientID, 64, "SINO-"+b.d.Subject[:min(12, len(b.d.Subject))])
		b.text(tag.PatientIdentityRemoved, 16, "YES")
		b.text(tag.DeidentificationMethod, 64, "Synthetic subject; sinogram array had no patient data")
		b.text(tag.StudyID, 16, "1")
		b.put(tag.StudyDate, []string{b.d.Time.Format("20060102")})
		b.put(tag.StudyTime, []string{b.d.Time.Format("150405")})
	}
}

// usable is the element of a header when it has a value.
func usable(h *dicom.Dataset, t tag.Tag) *dicom.Element {
	if h == nil {
		return nil
	}
	e, err := h.FindElementByTag(t)
	if err != nil || e.Value == nil || e.ValueLength == 0 {
		return nil
	}
	if v, ok := e.Value.GetValue().([]string); ok && strings.Trim(strings.Join(v, ""), " \x00") == "" {
		return nil
	}
	return e
}

func (b *builder) series(i int) {
	h := b.d.header(i)
	b.ownSeries(h, "CT")
	if b.elements[tag.PatientPosition] == nil {
		b.put(tag.PatientPosition, []string{"HFS"})
	}
}

// ownSeries fills series and equipment, which are ours.
func (b *builder) ownSeries(h *dicom.Dataset, modality string) {
	number := 0
	if h != nil {
		number, _ = strconv.Atoi(textOf(h, tag.SeriesNumber))
	}
	b.text(tag.Modality, 16, modality)
	b.put(tag.SeriesInstanceUID, []string{b.d.SeriesUID()})
	b.put(tag.SeriesNumber, []string{strconv.Itoa(max(0, min(number, 2_000_000))*1000 + b.d.Number)})
	b.text(tag.SeriesDescription, 64, "ctrecon "+b.d.Method+" RESEARCH")
	if b.elements[tag.BodyPartExamined] == nil {
		b.put(tag.Laterality, []string{""})
	}
	b.text(tag.Manufacturer, 64, Maker)
	b.text(tag.ManufacturerModelName, 64, b.d.model())
	b.text(tag.SoftwareVersions, 64, b.d.Software)
}

func (b *builder) image(i int) {
	d := b.d
	kind := []string{"DERIVED", "SECONDARY", "AXIAL"}
	slope, window := "1", []string{"40", "400"}
	if d.SD {
		kind, slope, window = append(kind, "STDDEV"), "0.01", []string{"50", "100"}
	}
	b.put(tag.ImageType, kind)
	b.put(tag.InstanceNumber, []string{strconv.Itoa(i + 1)})
	b.text(tag.DerivationDescription, 1024, ResearchUse+" "+d.Description)
	b.text(tag.ImageComments, 1024, ResearchUse)
	b.put(tag.BurnedInAnnotation, []string{"NO"})
	if b.elements[tag.LossyImageCompression] == nil {
		b.put(tag.LossyImageCompression, []string{"00"})
	}
	b.put(tag.SamplesPerPixel, []int{1})
	b.put(tag.PhotometricInterpretation, []string{"MONOCHROME2"})
	b.put(tag.Rows, []int{d.Grid.H})
	b.put(tag.Columns, []int{d.Grid.W})
	b.put(tag.BitsAllocated, []int{16})
	b.put(tag.BitsStored, []int{16})
	b.put(tag.HighBit, []int{15})
	b.put(tag.PixelRepresentation, []int{1})
	b.put(tag.RescaleIntercept, []string{"0"})
	b.put(tag.RescaleSlope, []string{slope})
	b.put(tag.RescaleType, []string{"HU"})
	b.put(tag.WindowCenter, window[:1])
	b.put(tag.WindowWidth, window[1:])
	b.put(tag.ReconstructionDiameter, []string{decimal(float64(d.Grid.W) * d.Grid.DX)})
	if d.Kernel != "" {
		b.text(tag.ConvolutionKernel, 16, strings.ToUpper(d.Kernel))
	}
}

func (b *builder) plane(i int) {
	d := b.d
	b.put(tag.PixelSpacing, []string{decimal(d.Grid.DY), decimal(d.Grid.DX)})
	position, orientation := d.place(i)
	b.put(tag.ImagePositionPatient, decimals(position[:]))
	b.put(tag.ImageOrientationPatient, decimals(orientation[:]))
}

// place is the position and orientation of image i.
func (d *Derived) place(i int) (position [3]float64, orientation [6]float64) {
	if d.Source != nil {
		s := d.Source.Slices[d.sourceSlice(i)]
		return s.Position, s.Orientation
	}
	position = [3]float64{-float64(d.Grid.W-1) / 2 * d.Grid.DX, -float64(d.Grid.H-1) / 2 * d.Grid.DY, float64(i) * d.Spacing}
	if d.Heights != nil {
		position[2] = d.Heights[i]
	}
	return position, [6]float64{1, 0, 0, 0, 1, 0}
}

// decimal writes a number as a DS value: 16 characters at most.
func decimal(v float64) string {
	for p := 14; p > 0; p-- {
		if s := strconv.FormatFloat(v, 'g', p, 64); len(s) <= 16 {
			return s
		}
	}
	return "0"
}

func decimals(v []float64) []string {
	out := make([]string, len(v))
	for i, x := range v {
		out[i] = decimal(x)
	}
	return out
}

// origin names the source images and the scanner.
func (b *builder) origin(i int) {
	src := b.d.Source
	if src == nil {
		return
	}
	s := src.Slices[b.d.sourceSlice(i)]
	b.put(tag.SourceImageSequence, [][]*dicom.Element{sourceItem(s)})
	if b.d.series == nil {
		b.d.series = must(tag.ReferencedSeriesSequence, [][]*dicom.Element{{must(tag.ReferencedInstanceSequence, instances(src.Slices)), must(tag.SeriesInstanceUID, []string{src.UID})}})
	}
	b.elements[tag.ReferencedSeriesSequence] = b.d.series
	b.scanner(s.Header)
}

// sourceItem names a slice as the source of an image.
func sourceItem(s Slice) []*dicom.Element {
	out := referenceTo(s)
	if s.Frame > 0 {
		out = append(out, must(tag.ReferencedFrameNumber, []string{strconv.Itoa(s.Frame)}))
	}
	purpose := code("121322", "DCM", "Source image for image processing operation")
	return append(out, must(tag.PurposeOfReferenceCodeSequence, [][]*dicom.Element{purpose}))
}

// scanner names the equipment of the source.
func (b *builder) scanner(h *dicom.Dataset) {
	maker := textOf(h, tag.Manufacturer)
	if maker == "" {
		maker = "unknown"
	}
	item := []*dicom.Element{
		must(tag.Manufacturer, []string{clean(maker, 64)}),
		must(tag.ManufacturerModelName, []string{clean(textOf(h, tag.ManufacturerModelName), 64)}),
		must(tag.PurposeOfReferenceCodeSequence, [][]*dicom.Element{code("109101", "DCM", "Acquisition Equipment")}),
	}
	for t, limit := range map[tag.Tag]int{tag.InstitutionName: 64, tag.StationName: 16, tag.DeviceSerialNumber: 64, tag.SoftwareVersions: 64} {
		if v := clean(textOf(h, t), limit); v != "" {
			item = append(item, must(t, []string{v}))
		}
	}
	b.put(tag.ContributingEquipmentSequence, [][]*dicom.Element{item})
}

func referenceTo(s Slice) []*dicom.Element {
	return []*dicom.Element{must(tag.ReferencedSOPClassUID, []string{s.SOPClass}), must(tag.ReferencedSOPInstanceUID, []string{s.SOPInstance})}
}

// instances names every object of a series once.
func instances(all []Slice) [][]*dicom.Element {
	var out [][]*dicom.Element
	seen := map[string]bool{}
	for _, s := range all {
		if !seen[s.SOPInstance] {
			seen[s.SOPInstance] = true
			out = append(out, referenceTo(s))
		}
	}
	return out
}

func code(value, scheme, meaning string) []*dicom.Element {
	return []*dicom.Element{must(tag.CodeValue, []string{value}), must(tag.CodingSchemeDesignator, []string{scheme}), must(tag.CodeMeaning, []string{meaning})}
}

// must makes an element of a known tag and type; a failure is a bug.
func must(t tag.Tag, v any) *dicom.Element {
	e, err := dicom.NewElement(t, v)
	if err != nil {
		panic(err)
	}
	return e
}

// store rounds HU to words, half to even, and counts what did not fit.
func store(dst []byte, hu []float32, slope float64) (clipped int) {
	for i, v := range hu {
		w := math.RoundToEven(float64(v) / slope)
		if w < math.MinInt16 || w > math.MaxInt16 || w != w {
			clipped++
			w = max(math.MinInt16, min(math.MaxInt16, w))
			if w != w {
				w = math.MinInt16
			}
		}
		dst[2*i], dst[2*i+1] = byte(int16(w)), byte(int16(w)>>8)
	}
	return clipped
}
