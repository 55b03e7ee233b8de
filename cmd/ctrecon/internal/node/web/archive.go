package web

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"ctrecon/cmd/ctrecon/internal/node/store"
)

// series is one series that can be searched and retrieved: received, or a result.
type series struct {
	study, uid, modality, description string
	count                             int
	job                               string   // of a result, else ""
	files                             []string // of a result, inside its folder
}

// object is one instance.
type object struct {
	uid, class, syntax string
	path               string
}

// resultIndex knows the series in results. It is made from the files, and made again
// after a start: one header a series is looked at.
type resultIndex struct {
	mu   sync.Mutex
	jobs map[string][]*series
}

// archive lists all series, by study and UID. A result that has come back is listed once.
func (s *site) archive() ([]*series, error) {
	var out []*series
	var done []string
	err := s.View(func(tx *store.Tx) error {
		if err := store.SeriesTable.Each(tx, "", func(_ string, x *store.Series) (bool, error) {
			out = append(out, &series{study: x.Study, uid: x.UID, modality: x.Modality, description: x.Description, count: x.Objects})
			return true, nil
		}); err != nil {
			return err
		}
		return store.Jobs.Each(tx, "", func(id string, j *store.Job) (bool, error) {
			if j.State == store.Done {
				done = append(done, id)
			}
			return true, nil
		})
	})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, x := range out {
		seen[x.uid] = true
	}
	for _, x := range s.resultSeries(done) {
		if !seen[x.uid] {
			seen[x.uid] = true
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b *series) int {
		if c := strings.Compare(a.study, b.study); c != 0 {
			return c
		}
		return strings.Compare(a.uid, b.uid)
	})
	return out, nil
}

// resultSeries are the series of the jobs that are done.
func (s *site) resultSeries(done []string) (out []*series) {
	s.results.mu.Lock()
	defer s.results.mu.Unlock()
	now := make(map[string][]*series, len(done))
	for _, id := range done {
		all, known := s.results.jobs[id]
		if !known {
			if dir, ok := s.ResultDir(id); ok {
				all = s.seriesIn(id, dir)
			}
		}
		now[id] = all
		out = append(out, all...)
	}
	s.results.jobs = now
	return out
}

// seriesIn finds the series of one result. A folder of slices is one series, as
// dicomio.WriteSeries makes it; objects that are no slices are looked at one by one.
func (s *site) seriesIn(job, dir string) []*series {
	by := map[string]*series{}
	var order []*series
	add := func(files ...string) {
		h, err := s.peek(filepath.Join(dir, files[0]))
		if err != nil {
			return // the node has made it and checked it; a damaged disk is told by others
		}
		x := by[h.Series]
		if x == nil {
			x = &series{study: h.Study, uid: h.Series, modality: h.Text("Modality"), description: h.Text("SeriesDescription"), job: job}
			by[h.Series] = x
			order = append(order, x)
		}
		x.files = append(x.files, files...)
		x.count = len(x.files)
	}
	for folder, files := range byFolder(dir) {
		if drawn(folder) && folder != "" {
			add(files...)
			continue
		}
		for _, f := range files {
			add(f)
		}
	}
	return order
}

// byFolder are the DICOM files below dir by their folder, "" for dir itself; a result
// that is removed meanwhile has none.
func byFolder(dir string) map[string][]string {
	out := map[string][]string{}
	files, _ := dicomFiles(os.DirFS(dir))
	for _, p := range files {
		folder := strings.TrimPrefix(path.Dir(p), ".")
		out[folder] = append(out[folder], p)
	}
	return out
}

// objects calls f with the instances of a series until it returns false.
func (s *site) objects(x *series, f func(object) bool) error {
	if x.job != "" {
		return s.resultObjects(x, f)
	}
	var all []object
	err := s.View(func(tx *store.Tx) error {
		return store.Members.Each(tx, store.Key(x.uid, ""), func(k string, _ *store.Member) (bool, error) {
			uid := store.Parts(k)[1]
			i, ok, err := store.Instances.Get(tx, uid)
			if ok && err == nil {
				all = append(all, object{uid: uid, class: i.Class, syntax: i.Syntax, path: filepath.Join(s.o.Dir, i.File)})
			}
			return true, err
		})
	})
	for _, o := range all {
		if !f(o) {
			return err
		}
	}
	return err
}

func (s *site) resultObjects(x *series, f func(object) bool) error {
	dir, ok := s.ResultDir(x.job)
	if !ok {
		return nil
	}
	for _, name := range x.files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		h, err := s.peek(p)
		if err != nil {
			return err
		}
		if !f(object{uid: h.SOPInstance, class: h.SOPClass, syntax: h.TransferSyntax, path: p}) {
			return nil
		}
	}
	return nil
}
