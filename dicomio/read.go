package dicomio

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
	"golang.org/x/sync/errgroup"
)

// SOP classes that a series may hold or meet.
const (
	ctImage         = "1.2.840.10008.5.1.4.1.1.2"
	enhancedCT      = "1.2.840.10008.5.1.4.1.1.2.1"
	secondaryPrefix = "1.2.840.10008.5.1.4.1.1.7"
	directory       = "1.2.840.10008.1.3.10"
)

// maxFileSize bounds one file; maxArchive all members of a ZIP.
const (
	maxFileSize = 2 << 30
	maxArchive  = 64 << 30
)

// source is one file of an input, read when it is its turn.
type source struct {
	name string
	size int64
	open func() (io.ReadCloser, error)
}

// ReadSeries reads the CT series at path: a file, a folder (with its
// subfolders) or a ZIP archive. Files that are no DICOM, or no CT image, are left
// out with a note in the series; when nothing is left the error tells why. Errors
// are FormatError or UnsupportedError; they name no patient.
func ReadSeries(path string, workers int) ([]*Series, error) {
	src, closer, err := sources(path)
	if err != nil {
		return nil, err
	}
	defer closer()
	if len(src) == 0 {
		return nil, &FormatError{path, "the folder holds no file"}
	}
	files := make([]*file, len(src))
	var g errgroup.Group
	g.SetLimit(max(1, workers))
	for i, s := range src {
		g.Go(func() (err error) {
			files[i], err = readSource(s)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return assemble(path, files)
}

// file is one read file: a slice, or the reason why it was left out.
type file struct {
	slice  Slice
	series string
	desc   string
	image  image
	pixel  [2]float64
	lossy  bool // compressed with loss, now or at some time before
	skip   string
}

func sources(path string) ([]source, func(), error) {
	none := func() {}
	info, err := os.Stat(path)
	if err != nil {
		return nil, none, &FormatError{path, "no such file or folder"}
	}
	if info.IsDir() {
		s, err := folder(path)
		return s, none, err
	}
	if strings.EqualFold(filepath.Ext(path), ".zip") {
		return archive(path)
	}
	return []source{{filepath.Base(path), info.Size(), func() (io.ReadCloser, error) { return os.Open(path) }}}, none, nil
}

func folder(root string) ([]source, error) {
	var out []source
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return &FormatError{p, "cannot be read: " + plain(err)}
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && p != root {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return &FormatError{p, "cannot be read: " + plain(err)}
		}
		rel, _ := filepath.Rel(root, p)
		out = append(out, source{rel, info.Size(), func() (io.ReadCloser, error) { return os.Open(p) }})
		return nil
	})
	return out, err
}

func archive(path string) ([]source, func(), error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, func() {}, &FormatError{path, "not a ZIP archive that can be read: " + plain(err)}
	}
	var out []source
	var total uint64
	for _, f := range z.File {
		if f.FileInfo().IsDir() || strings.HasPrefix(filepath.Base(f.Name), ".") {
			continue
		}
		if total += f.UncompressedSize64; total > maxArchive {
			z.Close()
			return nil, func() {}, &FormatError{path, "the archive expands to more than 64 GiB"}
		}
		out = append(out, source{f.Name, int64(f.UncompressedSize64), f.Open})
	}
	return out, func() { z.Close() }, nil
}

// plain is the reason of a system error without its path.
func plain(err error) string {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

func readSource(s source) (*file, error) {
	if s.size > maxFileSize {
		return nil, &FormatError{s.name, fmt.Sprintf("%d bytes: files up to 2 GiB are read", s.size)}
	}
	r, err := s.open()
	if err != nil {
		return nil, &FormatError{s.name, "cannot be read: " + plain(err)}
	}
	defer r.Close()
	buf := make([]byte, s.size)
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, &FormatError{s.name, "cannot be read: " + plain(err)}
	}
	return readFile(s.name, buf)
}

// readFile reads one file. Files that are no DICOM at all are left out; DICOM
// that is damaged is an error.
func readFile(name string, b []byte) (*file, error) {
	if len(b) < 132 || string(b[128:132]) != "DICM" {
		return &file{skip: "no DICOM file"}, nil
	}
	if uid := sopClass(b); uid == directory {
		return &file{skip: "a DICOMDIR"}, nil
	}
	l, err := preflight(name, b)
	if err != nil {
		return nil, err
	}
	ds, err := parseHeader(name, l.header)
	if err != nil {
		return nil, err
	}
	h := &header{file: name, ds: ds}
	if why := unwanted(h); why != "" {
		return &file{skip: why}, nil
	}
	if l.late != nil {
		return nil, l.late
	}
	if l.pixels == nil {
		return nil, &FormatError{name, "no pixel data: the file is cut"}
	}
	f := h.slice()
	f.lossy = lossy[l.syntax] || h.text(tag.LossyImageCompression) == "01"
	if h.err != nil {
		return nil, h.err
	}
	px, err := f.image.decode(name, l)
	if err != nil {
		return nil, err
	}
	f.slice.HU, f.slice.Padding, err = f.image.values(name, px, l.order)
	return f, err
}

// sopClass finds the media storage SOP class in the meta information of a DICOMDIR,
// whose data set has no image to walk to.
func sopClass(b []byte) string {
	i := bytes.Index(b[132:min(len(b), 1024)], []byte{2, 0, 2, 0, 'U', 'I'})
	if i < 0 || 132+i+8 > len(b) {
		return ""
	}
	n := int(b[132+i+6])
	return trimUID(b[132+i+8 : min(len(b), 132+i+8+n)])
}

// parseHeader hands checked bytes to the library. Its panics are errors here.
func parseHeader(name string, b []byte) (ds *dicom.Dataset, err error) {
	defer func() {
		if p := recover(); p != nil {
			ds, err = nil, &FormatError{name, fmt.Sprintf("the header cannot be parsed: %v", p)}
		}
	}()
	d, err := dicom.Parse(bytes.NewReader(b), int64(len(b)), nil, dicom.AllowMissingMetaElementGroupLength(), dicom.AllowUnknownSpecificCharacterSet())
	if err != nil {
		return nil, &FormatError{name, "the header cannot be parsed: " + err.Error()}
	}
	return &d, nil
}

// unwanted says why an object is no slice of a CT series, "" when it is one.
func unwanted(h *header) string {
	class, modality := h.text(tag.SOPClassUID), h.text(tag.Modality)
	switch {
	case class == enhancedCT:
		return "Enhanced CT (multi-frame) is not supported"
	case strings.HasPrefix(class, secondaryPrefix):
		return "a Secondary Capture is no CT image"
	case modality != "" && modality != "CT":
		return "modality " + modality + " is not CT"
	case class != ctImage:
		return "SOP class " + class + " is no CT image"
	}
	for i, v := range textsOf(h.ds, tag.ImageType) {
		if i == 2 && v == "LOCALIZER" {
			return "a localizer"
		}
	}
	return ""
}

// slice reads what a CT slice's header says.
func (h *header) slice() *file {
	f := &file{series: h.text(tag.SeriesInstanceUID), desc: h.text(tag.SeriesDescription), image: h.imageOf()}
	copy(f.pixel[:], h.decimals(tag.PixelSpacing, 2))
	if !(f.pixel[0] > 0) || !(f.pixel[1] > 0) {
		h.fail(tag.PixelSpacing, "must be positive")
	}
	s := Slice{File: h.file, Header: h.ds, SOPClass: h.text(tag.SOPClassUID), SOPInstance: h.text(tag.SOPInstanceUID)}
	copy(s.Position[:], h.decimals(tag.ImagePositionPatient, 3))
	copy(s.Orientation[:], h.decimals(tag.ImageOrientationPatient, 6))
	if n := h.ints(tag.InstanceNumber); len(n) > 0 {
		s.Number = n[0]
	}
	if s.SOPInstance == "" {
		h.fail(tag.SOPInstanceUID, "is missing")
	}
	f.slice = s
	return f
}

// notes counts the reasons for leaving files out.
func notes(files []*file) []string {
	count := map[string]int{}
	for _, f := range files {
		if f.skip != "" {
			count[f.skip]++
		}
	}
	var out []string
	for why, n := range count {
		out = append(out, fmt.Sprintf("%d file(s) left out: %s", n, why))
	}
	sort.Strings(out)
	return out
}
