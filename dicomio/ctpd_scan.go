package dicomio

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
	"golang.org/x/sync/errgroup"
)

// HoldsProjections says whether the first DICOM object at path (a file, folder or
// archive) is a projection in DICOM-CT-PD.
func HoldsProjections(path string) bool {
	in, err := sources(path)
	if err != nil {
		return false
	}
	defer in.close()
	for _, s := range in.sources {
		f, err := readProjection(s)
		switch {
		case err == nil && f.skip != "":
		case err == nil:
			return f.other == ""
		default:
			return isProjection(s)
		}
	}
	return false
}

// isProjection says whether a damaged or unsupported file has the private group all
// the same.
func isProjection(s source) bool {
	r, err := s.open()
	if err != nil || s.size > maxFileSize {
		return false
	}
	defer r.Close()
	found := false
	_, _ = walkSeeing(&stream{name: s.name, r: r, size: int(s.size)}, func(_ *walker, e element) error {
		found = found || e.tag == pdDetectorRows
		return nil
	})
	return found
}

// ReadProjections reads the scan at path: a folder (with its subfolders) or a ZIP
// archive with one file a view, in any order. Headers are read at once, pixels when
// they are asked for: Close the scan at the end. Files that are no DICOM are left
// out with a note; everything else must be a view of one scan, none missing. Errors
// are FormatError or UnsupportedError; they name no patient.
func ReadProjections(path string, workers int) (*Projections, error) {
	in, err := sources(path)
	if err != nil {
		return nil, err
	}
	p, err := readProjections(path, in, max(1, workers))
	if err != nil {
		in.close()
		return nil, err
	}
	p.close = in.close
	return p, nil
}

func readProjections(path string, in *input, workers int) (*Projections, error) {
	files := make([]*pdFile, len(in.sources))
	var g errgroup.Group
	g.SetLimit(workers)
	for i, s := range in.sources {
		g.Go(func() (err error) {
			files[i], err = readProjection(s)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	views, notes, err := pdViews(path, files)
	if err != nil {
		return nil, err
	}
	p := &Projections{Name: path, Notes: append(slices.Clone(in.notes), notes...)}
	p.describe(views[0].common)
	var more []string
	p.Header, more, err = patientOf(views[0].view.source)
	p.Notes = append(p.Notes, more...)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	for _, f := range views {
		p.Views = append(p.Views, f.view)
		fmt.Fprintln(h, f.view.SOPInstance, f.view.Beta, f.view.Z, f.view.DBeta, f.view.DZ, f.view.DRadius)
	}
	fmt.Fprintln(h, views[0].common)
	p.Digest = fmt.Sprintf("%x", h.Sum(nil))
	p.unwrap()
	return p, nil
}

// pdViews leaves out what is no DICOM, checks that the rest is one whole scan, and
// sorts it.
func pdViews(path string, files []*pdFile) ([]*pdFile, []string, error) {
	var views []*pdFile
	other, left := "", 0
	for _, f := range files {
		switch {
		case f.skip != "":
			left++
		case f.other != "":
			other = f.other
		default:
			views = append(views, f)
		}
	}
	switch {
	case len(views) == 0:
		return nil, nil, &FormatError{path, "no projection (DICOM-CT-PD) in it"}
	case other != "":
		return nil, nil, &FormatError{path, fmt.Sprintf("%s is a projection, %s is not: a folder holds one scan", views[0].view.File, other)}
	}
	first := views[0]
	for _, f := range views[1:] {
		if what := first.common.differs(f.common); what != "" {
			return nil, nil, &FormatError{path, fmt.Sprintf("views of different %s (%s, %s): a folder holds one scan", what, first.view.File, f.view.File)}
		}
	}
	slices.SortStableFunc(views, func(a, b *pdFile) int { return a.view.Number - b.view.Number })
	for i := 1; i < len(views); i++ {
		a, b := views[i-1].view, views[i].view
		switch {
		case a.Number == b.Number:
			return nil, nil, &FormatError{path, fmt.Sprintf("two files have InstanceNumber %d (%s, %s)", a.Number, a.File, b.File)}
		case b.Number > a.Number+2:
			return nil, nil, &FormatError{path, fmt.Sprintf("views %d to %d are missing (InstanceNumber)", a.Number+1, b.Number-1)}
		case b.Number > a.Number+1:
			return nil, nil, &FormatError{path, fmt.Sprintf("view %d is missing (InstanceNumber)", a.Number+1)}
		}
	}
	var notes []string
	if left > 0 {
		notes = append(notes, fmt.Sprintf("%d file(s) left out: no DICOM file", left))
	}
	return views, notes, nil
}

// differs says what two views have not in common.
func (c pdCommon) differs(d pdCommon) string {
	for _, t := range []struct {
		what  string
		equal bool
	}{
		{"patients", c.patient == d.patient}, {"studies", c.study == d.study}, {"series", c.series == d.series},
		{"patient positions", c.position == d.position}, {"spectra", c.spectrum == d.spectrum}, {"detectors", c.rows == d.rows && c.cols == d.cols && c.shape == d.shape},
		{"detector geometry", c.rowSize == d.rowSize && c.colSize == d.colSize && c.distance == d.distance && c.central == d.central},
		{"focal spot modes", c.spot == d.spot}, {"steps a turn", c.steps == d.steps}, {"attenuation of water", c.water == d.water},
	} {
		if !t.equal {
			return t.what
		}
	}
	if c != d {
		return "corrections"
	}
	return ""
}

// describe takes over what all views have in common.
func (p *Projections) describe(c pdCommon) {
	p.UID, p.Manufacturer, p.Shape, p.FocalSpot, p.Steps, p.MuWater, p.Photons = c.series, c.manufacturer, c.shape, c.spot, c.steps, c.water, c.photons
	p.Rows, p.Cols, p.RowSize, p.ColSize, p.Distance = c.rows, c.cols, c.rowSize, c.colSize, c.distance
	p.CenterCol, p.CenterRow = c.central[0]-1, c.central[1]-1
	if poses[c.position].head || c.position == "" {
		p.CenterCol, p.CenterRow = float64(c.cols)-c.central[0], float64(c.rows)-c.central[1]
	}
	if c.position == "" {
		p.Notes = append(p.Notes, "no PatientPosition: head first, supine is assumed")
	}
	for i, what := range []string{"beam hardening", "scatter"} {
		if c.flags[i] == "NO" {
			p.Notes = append(p.Notes, "projections not corrected for "+what)
		}
	}
}

// unwrap makes angles run on: each view lies less than half a turn from the last.
func (p *Projections) unwrap() {
	for i := 1; i < len(p.Views); i++ {
		d := math.Remainder(p.Views[i].Beta-p.Views[i-1].Beta, 360)
		p.Views[i].Beta = p.Views[i-1].Beta + d
	}
}

// pdHeader is what a reconstruction takes over from its projections. The frame of
// reference is not among it: projections do not say where the axis is in it.
var pdHeader = []tag.Tag{
	tag.PatientName, tag.PatientID, tag.PatientBirthDate, tag.PatientSex, tag.PatientAge, tag.PatientSize, tag.PatientWeight,
	tag.IssuerOfPatientID, tag.PatientIdentityRemoved, tag.DeidentificationMethod, tag.DeidentificationMethodCodeSequence,
	tag.StudyInstanceUID, tag.StudyID, tag.StudyDate, tag.StudyTime, tag.StudyDescription, tag.AccessionNumber, tag.ReferringPhysicianName,
	tag.SeriesNumber, tag.BodyPartExamined, tag.PatientPosition, tag.AcquisitionDate, tag.AcquisitionTime, tag.KVP,
}

// patientOf is the part of a view's header that concerns patient and study, with a note
// where a value of its breaks the rules.
func patientOf(s source) (*dicom.Dataset, []string, error) {
	r, err := s.open()
	if err != nil {
		return nil, nil, &FormatError{s.name, "cannot be read: " + plain(err)}
	}
	defer r.Close()
	l, err := walk(&stream{name: s.name, r: r, size: int(s.size)}, true)
	if err != nil {
		return nil, nil, err
	}
	all, _, err := parseHeader(s.name, l)
	if err != nil {
		return nil, nil, err
	}
	h := &header{file: s.name, ds: all}
	h.lawfulText()
	if h.uid(tag.StudyInstanceUID, true); h.err != nil {
		return nil, nil, h.err
	}
	out := &dicom.Dataset{}
	for _, e := range h.ds.Elements {
		if slices.Contains(pdHeader, e.Tag) {
			out.Elements = append(out.Elements, e)
		}
	}
	return out, oddNotes([]*file{{odd: h.odd}}), nil
}

// cacheBytes bounds the views that are kept in memory: 5,600 of 736 x 64.
const cacheBytes = 1 << 30

// viewCache keeps the views that were read last, first in first out: slices are made
// in order.
type viewCache struct {
	mu      sync.Mutex
	entries map[int]*cached
	order   []int
}

type cached struct {
	once          sync.Once
	data, photons []float32
	err           error
}

func (p *Projections) view(i int) *cached {
	c := &p.cache
	c.mu.Lock()
	e := c.entries[i]
	if e == nil {
		if c.entries == nil {
			c.entries = map[int]*cached{}
		}
		e = &cached{}
		c.entries[i], c.order = e, append(c.order, i)
		if most := max(1, cacheBytes/(4*p.Rows*p.Cols)); len(c.order) > most {
			delete(c.entries, c.order[0])
			c.order = c.order[1:]
		}
	}
	c.mu.Unlock()
	e.once.Do(func() { e.data, e.photons, e.err = p.load(&p.Views[i]) })
	return e
}

// Data are the line integrals of view i in nepers, [row][col]; nobody may change
// them. It may be called from several goroutines.
func (p *Projections) Data(i int) ([]float32, error) {
	e := p.view(i)
	return e.data, e.err
}

// Quanta are the photons of view i that would reach each column through air, nil
// where the scan does not say.
func (p *Projections) Quanta(i int) []float32 { return p.view(i).photons }
