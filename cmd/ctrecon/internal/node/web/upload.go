package web

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/dicomio/dimse"
)

const (
	maxZipFiles = 20_000
	maxZipFile  = 4 << 30 // bytes of one file in a ZIP, expanded
	readWait    = time.Minute
)

// uploaded is the answer to an upload.
type uploaded struct {
	Job        string   `json:"job,omitempty"` // of a sinogram
	Objects    int      `json:"objects,omitempty"`
	Duplicates int      `json:"duplicates,omitempty"`
	Refused    int      `json:"refused,omitempty"`
	Reason     string   `json:"reason,omitempty"` // of the first that was refused
	Series     []string `json:"series,omitempty"`
}

// slowReader gives up on a client that sends nothing, and not on one that sends long.
type slowReader struct {
	r    io.Reader
	c    *http.ResponseController
	next time.Time
}

// body is what a request brings, bounded in size and in silence.
func (s *site) body(w http.ResponseWriter, r *http.Request) io.Reader {
	return &slowReader{r: http.MaxBytesReader(w, r.Body, s.o.MaxBody), c: http.NewResponseController(w)}
}

func (b *slowReader) Read(p []byte) (int, error) {
	if now := time.Now(); now.After(b.next) {
		b.c.SetReadDeadline(now.Add(readWait)) // a writer without deadlines is one of tests
		b.next = now.Add(readWait / 4)
	}
	return b.r.Read(p)
}

// upload takes a file: a DICOM object, a sinogram, or a ZIP with either.
func (s *site) upload(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	in := bufio.NewReaderSize(s.body(w, r), 64<<10)
	out, err := s.takeUpload(r.Context(), name, in)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("uploads of up to %d bytes are taken", large.Limit))
	case err != nil && !s.Reconcile().Ready:
		fail(w, http.StatusInsufficientStorage, err.Error())
	case err != nil:
		fail(w, http.StatusUnprocessableEntity, err.Error())
	default:
		s.view.forget()
		answer(w, http.StatusOK, out)
	}
}

func (s *site) takeUpload(ctx context.Context, name string, in *bufio.Reader) (uploaded, error) {
	switch {
	case isDICOM(in):
		t := s.newTaker("UPLOAD")
		defer t.end()
		err := t.take(ctx, in)
		return t.upload, err
	case strings.EqualFold(path.Ext(name), ".zip"):
		return s.takeZip(ctx, name, in)
	}
	job, err := s.UploadSinogram(ctx, name, in)
	return uploaded{Job: job}, err
}

// isDICOM looks whether what comes is a file of PS3.10.
func isDICOM(in *bufio.Reader) bool {
	b, err := in.Peek(132)
	return err == nil && string(b[128:]) == "DICM"
}

// takeZip puts a ZIP on the disk, since its directory stands at its end, and takes what
// is in it.
func (s *site) takeZip(ctx context.Context, name string, in io.Reader) (out uploaded, err error) {
	if h := s.Reconcile(); !h.Ready {
		return out, errors.New(strings.Join(h.Problems, "; "))
	}
	f, err := os.CreateTemp(filepath.Join(s.o.Dir, "incoming"), "upload-*") // emptied at each start
	if err != nil {
		return out, errors.New("the upload could not be written to disk")
	}
	defer os.Remove(f.Name())
	defer f.Close()
	size, err := s.copyWhileRoom(f, in)
	if err != nil {
		return out, err
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return out, errors.New("the upload is no ZIP file")
	}
	if len(z.File) > maxZipFiles {
		return out, fmt.Errorf("the ZIP holds %d files, up to %d are taken", len(z.File), maxZipFiles)
	}
	if !slices.ContainsFunc(z.File, zippedDICOM) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return out, err
		}
		out.Job, err = s.UploadSinogram(ctx, name, f)
		return out, err
	}
	return s.takeFiles(ctx, z.File)
}

// copyWhileRoom copies as long as the node has room for objects.
func (s *site) copyWhileRoom(w io.Writer, r io.Reader) (size int64, err error) {
	for {
		n, err := io.CopyN(w, r, 64<<20)
		size += n
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		if h := s.Reconcile(); !h.Ready {
			return size, errors.New(strings.Join(h.Problems, "; "))
		}
	}
}

func zippedDICOM(f *zip.File) bool {
	r, err := f.Open()
	if err != nil {
		return false
	}
	defer r.Close()
	return isDICOM(bufio.NewReaderSize(r, 256))
}

// takeFiles takes the DICOM objects of a ZIP; other files are passed over.
func (s *site) takeFiles(ctx context.Context, files []*zip.File) (uploaded, error) {
	t := s.newTaker("UPLOAD")
	defer t.end()
	for _, f := range files {
		r, err := f.Open()
		if err != nil {
			return t.upload, fmt.Errorf("a file of the ZIP cannot be read: %w", err)
		}
		in := bufio.NewReaderSize(io.LimitReader(r, maxZipFile), 64<<10)
		var d node.Deposited
		if isDICOM(in) {
			d, err = t.deposit(ctx, in)
		}
		r.Close()
		if ctx.Err() != nil {
			return t.upload, ctx.Err()
		}
		if d.Status.Code == dimse.OutOfResources {
			return t.upload, fmt.Errorf("%w: %d objects were taken; send the ZIP again when there is room", err, t.upload.Objects)
		}
		if err != nil && t.upload.Objects == 0 && t.upload.Refused >= 3 {
			return t.upload, err // nothing of use
		}
	}
	if t.upload.Objects == 0 && t.upload.Duplicates == 0 {
		return t.upload, fmt.Errorf("none of %d objects was taken: %s", t.upload.Refused, t.upload.Reason)
	}
	return t.upload, nil
}

// taker hands the objects of one request in.
type taker struct {
	s      *site
	from   string
	series map[string]bool
	upload uploaded
}

// newTaker begins a request; way is the calling title that rules see.
func (s *site) newTaker(way string) *taker {
	return &taker{s: s, from: fmt.Sprintf("%s/%d", way, s.number.Add(1)), series: map[string]bool{}}
}

// take hands one object in.
func (t *taker) take(ctx context.Context, in io.Reader) error {
	_, err := t.deposit(ctx, in)
	return err
}

// deposit hands one object in and counts what became of it.
func (t *taker) deposit(ctx context.Context, in io.Reader) (node.Deposited, error) {
	d, err := t.s.Deposit(ctx, t.from, in)
	if err != nil {
		if t.upload.Refused++; t.upload.Reason == "" {
			t.upload.Reason = err.Error()
		}
		return d, err
	}
	if d.Duplicate {
		t.upload.Duplicates++
	} else {
		t.upload.Objects++
	}
	if !t.series[d.Series] {
		t.series[d.Series] = true
		t.upload.Series = append(t.upload.Series, d.Series)
	}
	return d, nil
}

// end says that the request is over.
func (t *taker) end() { t.s.DepositEnd(t.from, t.upload.Series) }
