package dicomio

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
	"unicode"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
	"github.com/suyashkumar/dicom/pkg/uid"
	"golang.org/x/sync/errgroup"
)

// SOP classes that a series may hold or meet.
const (
	ctImage    = "1.2.840.10008.5.1.4.1.1.2"
	enhancedCT = "1.2.840.10008.5.1.4.1.1.2.1"
	legacyCT   = "1.2.840.10008.5.1.4.1.1.2.2" // Enhanced CT converted from CT images
	directory  = "1.2.840.10008.1.3.10"
)

// foreign says why objects of a class are no CT images, "" when they are.
func foreign(class string) string {
	switch class {
	case "", ctImage, enhancedCT, legacyCT:
		return ""
	case directory:
		return "a DICOMDIR"
	}
	if info, err := uid.Lookup(class); err == nil {
		return fmt.Sprintf("%s (%s) is no CT image", info.Name, class)
	}
	return "SOP class " + class + " is no CT image"
}

// ReadSeries reads the CT series at path: a file, a DICOMDIR, a folder (with its
// subfolders) or a ZIP archive. CT Image Storage gives a slice a file, Enhanced CT
// a slice a frame. A DICOMDIR in the folder or archive says which files belong to it.
// Files that are no DICOM, or no CT image, are left out with a note in the series;
// when nothing is left the error tells why. Errors are FormatError or
// UnsupportedError; they name no patient.
func ReadSeries(path string, workers int) ([]*Series, error) {
	in, err := sources(path)
	if err != nil {
		return nil, err
	}
	defer in.close()
	if len(in.sources) == 0 {
		return nil, &FormatError{path, "the folder holds no file"}
	}
	workers = max(1, workers)
	read := make([][]*file, len(in.sources))
	var g errgroup.Group
	g.SetLimit(workers)
	for i, s := range in.sources {
		g.Go(func() (err error) {
			read[i], err = readSource(s, workers)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var files []*file
	for _, r := range read {
		files = append(files, r...)
	}
	return assemble(path, files, in.notes)
}

// file is one slice, or the reason why a file was left out.
type file struct {
	slice  Slice
	series string
	desc   string
	image  image
	pixel  [2]float64
	lossy  bool     // compressed with loss, now or at some time before
	text   bool     // text outside its character set
	odd    []oddity // values of the header that were put right
	frame  bool     // of many in its object
	skip   string
	unfit  string // why no job takes it, though its values can be read
}

func readSource(s source, workers int) ([]*file, error) {
	in, r, marked, err := begin(s)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if !marked {
		if l := strings.ToLower(s.name); s.due || strings.HasSuffix(l, ".dcm") {
			return nil, &FormatError{s.name, "not a DICOM file: no DICM at byte 128; it is damaged, or has no preamble (dcmconv adds one)"}
		}
		return []*file{{skip: "no DICOM file"}}, nil
	}
	files, err := readObject(in, workers)
	if err == nil && s.uid != "" && files[0].skip == "" && files[0].slice.SOPInstance != lawful(s.uid) {
		return nil, &FormatError{s.name, "(0008,0018) SOPInstanceUID: another object than the DICOMDIR says"}
	}
	return files, err
}

// readFile reads a whole file that holds one image.
func readFile(name string, b []byte) (*file, error) {
	files, err := readObject(inMemory(name, b), 1)
	if err != nil {
		return nil, err
	}
	if len(files) > 1 {
		return nil, &UnsupportedError{name, fmt.Sprintf("%d frames where one is expected", len(files))}
	}
	return files[0], nil
}

// readObject reads one DICOM object: its slices, or the one reason why it has none.
// DICOM that is damaged is an error.
func readObject(in *stream, workers int) ([]*file, error) {
	l, err := preflight(in)
	if err != nil {
		return nil, err
	}
	if l.foreign != "" {
		return []*file{{skip: l.foreign}}, nil
	}
	ds, odd, err := parseHeader(in.name, l)
	if err != nil {
		return nil, err
	}
	h := &header{file: in.name, ds: ds}
	why := unwanted(h)
	unfit := localizer(h, tag.ImageType)
	if why == "" && !in.all {
		why = unfit
	}
	if why != "" {
		return []*file{{skip: why}}, nil
	}
	switch {
	case l.late != nil:
		return nil, l.late
	case !l.pixels:
		return nil, &FormatError{in.name, "no pixel data: the file is cut"}
	}
	var files []*file
	if l.class == ctImage {
		files, err = h.single()
	} else {
		files, err = h.multiframe(in.all)
	}
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		f.lossy = f.lossy || lossy[l.syntax]
		f.text = odd
		if unfit != "" {
			f.unfit = unfit
		}
		if !in.all && f.skip == "" {
			f.skip = f.unfit
		}
	}
	return files, readPixels(in, l, files, workers)
}

// single reads the header of a CT Image Storage object.
func (h *header) single() ([]*file, error) {
	if n := h.ints(tag.NumberOfFrames); len(n) > 0 && n[0] > 1 {
		return nil, &UnsupportedError{h.file, fmt.Sprintf("%d frames in one CT Image Storage object: only Enhanced CT has frames", n[0])}
	}
	f := h.slice()
	return []*file{f}, h.err
}

// parseHeader hands checked bytes to the library. Its panics are errors here. Text
// becomes UTF-8; odd tells that some of it was outside its character set.
func parseHeader(name string, l *layout) (ds *dicom.Dataset, odd bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			ds, err = nil, &FormatError{name, fmt.Sprintf("the header cannot be parsed: %v", p)}
		}
	}()
	d, err := dicom.Parse(bytes.NewReader(l.header), int64(len(l.header)), nil, dicom.AllowMissingMetaElementGroupLength(), dicom.AllowUnknownSpecificCharacterSet())
	if err != nil {
		return nil, false, &FormatError{name, "the header cannot be parsed: " + err.Error()}
	}
	return &d, !recode(d.Elements, charsetOf(l.charset)), nil
}

// unwanted says why an object is no slice of a CT series, "" when it is one.
func unwanted(h *header) string {
	modality := h.text(tag.Modality)
	switch {
	case modality != "" && modality != "CT":
		return "modality " + modality + " is not CT"
	case h.text(tag.SOPClassUID) == "":
		return "no SOP class"
	case isSet(h.ds, tag.Tag{Group: pdDetectorRows >> 16, Element: pdDetectorRows & 0xFFFF}):
		return "a projection (DICOM-CT-PD)"
	}
	return ""
}

func isSet(ds *dicom.Dataset, t tag.Tag) bool {
	_, err := ds.FindElementByTag(t)
	return err == nil
}

// localizer looks at value 3 of an image or frame type (PS3.3 C.8.2.1.1.1, C.8.15.2.1.1).
func localizer(h *header, t tag.Tag) string {
	for i, v := range textsOf(h.ds, t) {
		if i == 2 && v == "LOCALIZER" {
			return "a localizer"
		}
	}
	return ""
}

// slice reads what the header of a slice says.
func (h *header) slice() *file {
	f := &file{series: h.uid(tag.SeriesInstanceUID, true), desc: h.text(tag.SeriesDescription), image: h.imageOf()}
	copy(f.pixel[:], h.decimals(tag.PixelSpacing, 2))
	if !(f.pixel[0] > 0) || !(f.pixel[1] > 0) {
		h.fail(tag.PixelSpacing, "must be positive")
	}
	s := Slice{File: h.file, Header: h.ds, SOPClass: h.text(tag.SOPClassUID), SOPInstance: h.uid(tag.SOPInstanceUID, true)}
	copy(s.Position[:], h.decimals(tag.ImagePositionPatient, 3))
	copy(s.Orientation[:], h.decimals(tag.ImageOrientationPatient, 6))
	if !upright(s.Orientation) {
		h.fail(tag.ImageOrientationPatient, "not two unit vectors at a right angle")
	}
	if n := h.ints(tag.InstanceNumber); len(n) > 0 {
		s.Number = n[0]
	}
	h.uid(tag.StudyInstanceUID, true)
	h.uid(tag.FrameOfReferenceUID, false)
	h.lawfulText()
	f.odd = h.odd
	if s.Units = h.text(tag.RescaleType); s.Units == "HU" {
		s.Units = ""
	}
	if s.Units != "" {
		f.unfit = fmt.Sprintf("%s %q: its values are not Hounsfield units (HU)", nameOf(tag.RescaleType), s.Units)
	}
	for _, t := range []tag.Tag{tag.PatientName, tag.PatientID, tag.PatientBirthDate} {
		if strings.ContainsFunc(h.text(t), unicode.IsControl) {
			h.fail(t, "control characters: the file is damaged")
		}
	}
	f.lossy = h.text(tag.LossyImageCompression) == "01"
	f.slice = s
	return f
}

// notes counts the reasons for leaving files and frames out.
func notes(files []*file) []string {
	count := map[string]int{}
	for _, f := range files {
		switch {
		case f.skip != "" && f.frame:
			count["frame(s) left out: "+f.skip]++
		case f.skip != "":
			count["file(s) left out: "+f.skip]++
		}
	}
	var out []string
	for why, n := range count {
		out = append(out, fmt.Sprintf("%d %s", n, why))
	}
	sort.Strings(out)
	return out
}
