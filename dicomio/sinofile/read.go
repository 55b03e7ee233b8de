package sinofile

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"ctrecon/ct"
)

// Read reads the sinogram in a file of any known kind. What it returns is
// finite, in nepers, and agrees with its geometry. An error is a *FormatError,
// an *UnsupportedError, or one of the operating system.
func Read(path string, opt Options) (*Scan, error) {
	src, err := openSource(path, opt.MaxBytes)
	if err != nil {
		return nil, err
	}
	defer func() { src.close() }() // which may close a data file too
	hash := src.startHash()
	defer hash.cancel()
	scan, err := readSource(src, path, opt)
	if err != nil {
		return nil, err
	}
	if scan.SHA256, err = hash.wait(); err != nil {
		return nil, err
	}
	return scan, nil
}

func readSource(src *source, path string, opt Options) (*Scan, error) {
	sc, scPath, err := findSidecar(path, &opt)
	if err != nil {
		return nil, err
	}
	st, err := settle(src.fileName, &opt, sc, fileName(filepath.Base(scPath)), filepath.Dir(scPath))
	if err != nil {
		return nil, err
	}
	c, err := open(src, st.raw, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	w := &work{container: c, st: st, dir: filepath.Dir(path)}
	return w.assemble()
}

// findSidecar reads the sidecar that the options name, or <file>.json when it is
// there; nil when there is none.
func findSidecar(path string, opt *Options) (*Sidecar, string, error) {
	name := opt.Sidecar
	if name == "" {
		if opt.NoSidecar {
			return nil, path, nil
		}
		name = path + ".json"
	}
	sc, err := ReadSidecar(name)
	if opt.Sidecar == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, path, nil
	}
	return sc, name, err
}

// open recognises a file by its content; raw data by their description.
// dir is where data files lie that a header names.
func open(s *source, raw Raw, dir string) (*container, error) {
	head := s.head(132)
	text := string(head)
	switch {
	case strings.HasPrefix(text, npyMagic):
		return openNPY(s)
	case strings.HasPrefix(text, "PK\x03\x04"), strings.HasPrefix(text, "PK\x05\x06"):
		return openNPZ(s)
	case raw.DType != "":
		return openRaw(s, raw)
	case strings.HasPrefix(text, "II*\x00"), strings.HasPrefix(text, "MM\x00*"), strings.HasPrefix(text, "II+\x00"), strings.HasPrefix(text, "MM\x00+"):
		return openTIFF(s)
	case s.findHDF5() >= 0:
		return openHDF5(s)
	case isMAT5(head):
		return openMAT5(s)
	case strings.HasPrefix(text, "\x89PNG\r\n"):
		return openPNG(s)
	case strings.HasPrefix(text, "NRRD"):
		return openNRRD(s, dir)
	case isMeta(text):
		return openMeta(s, dir)
	}
	return nil, s.unknown(text)
}

// unknown says what a file is that cannot be read.
func (s *source) unknown(head string) error {
	ext := strings.ToLower(filepath.Ext(string(s.fileName)))
	if ext == ".npy" {
		return s.bad("", "is not a .npy array: it does not start with \\x93NUMPY and a version")
	}
	if ext == ".mat" && isMAT4([]byte(head)) {
		return s.cannot("", "is a MATLAB file of level 4: save it with -v7")
	}
	if len(head) == 132 && head[128:] == "DICM" {
		return s.cannot("", "is a DICOM file, not a sinogram (projections in DICOM-CT-PD form are not read yet)")
	}
	return s.cannot("", "the format is not known; for raw data give dtype and shape in a sidecar")
}

// work is a scan in the making.
type work struct {
	*container
	st   *settings
	dir  string // folder of the file
	scan *Scan
	e    *entry // the projections
	data []float32
	lay  layout

	content          content
	angles           []float64 // as stored; nil when nothing lists them
	angleSource      string
	flat, dark, mask *field
	stats            stats
	reference        float64 // counts of an open beam, for rough nepers
	topShare         float64 // share of the largest value
}

// assemble turns the arrays of a file into a scan.
func (w *work) assemble() (*Scan, error) {
	w.scan = &Scan{File: string(w.fileName), Kind: w.kind, MuWater: w.st.muWater, ImageSize: w.st.image, PixelSize: w.st.pixel}
	steps := []func() error{
		w.load, w.loadFields, w.loadAngles, w.findContent, w.findLayout, w.setLayout, w.splitFrames, w.applyMask,
		w.toNepers, w.findDead, w.setGeometry, w.setAngles, w.setCenter, w.correctAir, w.finish,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	w.scan.Notes = w.notes
	return w.scan, nil
}

// load reads the projections.
func (w *work) load() (err error) {
	if w.told.data == "" {
		w.recogniseNames()
	}
	if w.e, err = w.pick(w.st.array); err != nil {
		return err
	}
	if w.e.problem != nil {
		return w.e.problem
	}
	if len(w.e.shape) < 2 || len(squeeze(w.e.shape)) > 3 {
		return w.bad(w.e.name, "shape %s: a sinogram has two axes (views, bins) or three (rows too)", w.e.written())
	}
	if w.data, err = w.load32(w.e); err != nil {
		return err
	}
	if w.st.scale != 1 {
		for i := range w.data {
			w.data[i] = float32(float64(w.data[i]) * w.st.scale)
		}
		w.note("values were multiplied by %g", w.st.scale)
	}
	w.stats = measure(w.data)
	return nil
}

// finish keeps what is left to say.
func (w *work) finish() error {
	s := w.scan
	s.Noise = ct.Noise{Sigma: w.st.noise, Photons: w.st.photons}
	if s.Noise.Known() {
		s.Noise.Source = w.st.noiseSource
	}
	w.fillDead()
	w.remark()
	return nil
}
