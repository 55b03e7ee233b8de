package web

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/cmd/ctrecon/internal/node/store"
)

// reportPolicy lets report.html, whose style and script stand in it, work, and nothing
// else: in a place of its own, from which it reaches neither the API nor the network.
const reportPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-downloads"

// kinds are the files of a result that are served, with what they are.
var kinds = map[string]string{".html": "text/html; charset=utf-8", ".json": "application/json", ".png": "image/png", ".pdf": "application/pdf",
	".dcm": "application/dicom", ".csv": "text/csv; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8"}

// root opens the folder of a job's result; nothing outside it can be reached by it.
func (s *site) root(w http.ResponseWriter, id string) *os.Root {
	if node.IsJobID(id) {
		if dir, ok := s.ResultDir(id); ok {
			if root, err := os.OpenRoot(dir); err == nil {
				return root
			}
		}
	}
	fail(w, http.StatusNotFound, "no result of such a job")
	return nil
}

// plainPath says whether a name is one of a file below a folder, and no hidden one.
func plainPath(name string) bool {
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\\\x00:") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") {
			return false
		}
	}
	return true
}

// resultFile serves one file of a result.
func (s *site) resultFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("path")
	kind := kinds[strings.ToLower(path.Ext(name))]
	if !plainPath(name) || kind == "" {
		fail(w, http.StatusNotFound, "no such file in the result")
		return
	}
	root := s.root(w, r.PathValue("id"))
	if root == nil {
		return
	}
	defer root.Close()
	f, info, err := openPlain(root, name)
	if err != nil {
		fail(w, http.StatusNotFound, "no such file in the result")
		return
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", reportPolicy)
	if kind == "application/pdf" {
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'none'") // viewers do not run in a sandbox
	}
	if kind == "application/dicom" {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(name)}))
	}
	http.ServeContent(slow(w), r, "", info.ModTime(), f)
}

// openPlain opens a file that is neither a folder nor anything special.
func openPlain(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("no plain file")
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// resultZIP sends the DICOM objects of a result, as they are.
func (s *site) resultZIP(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	root := s.root(w, id)
	if root == nil {
		return
	}
	defer root.Close()
	files, err := dicomFiles(root.FS())
	if err != nil {
		s.broken(w, "result", err)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "ctrecon-" + id + ".zip"}))
	z := zip.NewWriter(slow(w))
	for _, name := range files {
		if err := r.Context().Err(); err != nil {
			return
		}
		if err := addFile(z, root, name); err != nil {
			s.o.Log.Warn("a ZIP was not sent whole", "job", id, "error", err.Error())
			panic(http.ErrAbortHandler) // so that the client does not take it for whole
		}
	}
	z.Close()
}

func addFile(z *zip.Writer, root *os.Root, name string) error {
	f, info, err := openPlain(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: info.ModTime()})
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// dicomFiles are the DICOM objects of a result, by name.
func dicomFiles(result fs.FS) (out []string, err error) {
	err = fs.WalkDir(result, ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.EqualFold(path.Ext(p), ".dcm") {
			out = append(out, p)
		}
		return err
	})
	return out, err
}

// writeWait is how long a client may take to read what was sent last.
const writeWait = time.Minute

// slowWriter gives up on a client that does not read, and not on one that reads long.
type slowWriter struct {
	http.ResponseWriter
	c    *http.ResponseController
	next time.Time
}

func slow(w http.ResponseWriter) http.ResponseWriter {
	return &slowWriter{ResponseWriter: w, c: http.NewResponseController(w)}
}

func (w *slowWriter) Write(p []byte) (int, error) {
	if now := time.Now(); now.After(w.next) {
		w.c.SetWriteDeadline(now.Add(writeWait)) // a writer without deadlines is one of tests
		w.next = now.Add(writeWait / 4)
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// jobAnswer is what the page shows of one job.
type jobAnswer struct {
	jobView
	Others []jobView `json:"others"` // of the same series, the newest first
	Files  []string  `json:"files"`  // reports
	Images []stack   `json:"images"`
}

// stack is the slices of one method.
type stack struct {
	Name   string `json:"name"`
	Slices int    `json:"slices"`
}

// maxOthers bounds how many other jobs of a series are listed.
const maxOthers = 20

// job answers with one job and what there is of its result.
func (s *site) job(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	out := jobAnswer{Others: []jobView{}, Files: []string{}, Images: []stack{}}
	found := false
	err := s.View(func(tx *store.Tx) error {
		j, ok, err := store.Jobs.Get(tx, id)
		if found = ok; err != nil || !ok {
			return err
		}
		d, err := sumUp(tx, id)
		if err != nil {
			return err
		}
		out.jobView = s.jobView(j, d)
		return s.otherJobs(tx, j, &out)
	})
	switch {
	case err != nil:
		s.broken(w, "job", err)
		return
	case !found:
		fail(w, http.StatusNotFound, "no such job")
		return
	}
	if dir, ok := s.ResultDir(id); ok {
		out.Files, out.Images = contents(dir)
	}
	answer(w, http.StatusOK, out)
}

func (s *site) otherJobs(tx *store.Tx, j *store.Job, out *jobAnswer) error {
	if j.Series == "" {
		return nil
	}
	err := store.Jobs.Each(tx, "", func(id string, x *store.Job) (bool, error) {
		if x.Series == j.Series && id != j.ID {
			out.Others = append(out.Others, s.jobView(x, nil))
		}
		return true, nil
	})
	slices.SortFunc(out.Others, func(a, b jobView) int { return b.Revision - a.Revision })
	out.Others = out.Others[:min(len(out.Others), maxOthers)]
	return err
}

// contents lists the reports of a result, and its folders of slices.
func contents(dir string) (files []string, images []stack) {
	files, images = []string{}, []stack{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return files, images
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() && drawn(name) {
			if n := len(slicesOf(filepath.Join(dir, name))); n > 0 {
				images = append(images, stack{name, n})
			}
		} else if !e.IsDir() && kinds[strings.ToLower(path.Ext(name))] != "" && plainPath(name) {
			files = append(files, name)
		}
	}
	return files, images
}

// Folders of a result that hold no slices in HU.
const (
	objectsDir     = "objects"
	uncertaintyDir = "uncertainty"
)

// drawn says whether the files of a folder are slices in HU.
func drawn(folder string) bool {
	return folder != objectsDir && folder != uncertaintyDir && plainPath(folder) && !strings.Contains(folder, "/")
}

// slicesOf are the names of the slices in a folder of a result, in order.
func slicesOf(dir string) (out []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if strings.EqualFold(path.Ext(e.Name()), ".dcm") && e.Type().IsRegular() {
			out = append(out, e.Name())
		}
	}
	return out
}
