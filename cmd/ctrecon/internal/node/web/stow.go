package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/dicomio"
	"ctrecon/dicomio/dimse"
)

// maxParts bounds the objects of one request, and so the answer to it.
const maxParts = 50_000

// Reasons of failures (PS3.18 table I.2-2, PS3.7 annex C).
const (
	reasonProcessing = 0x0110
	reasonMismatch   = 0xA900 // not of the study that the address names
	reasonUnread     = 0xC000
	reasonNoRoom     = 0xA700
)

// receipt is what became of the objects of a request.
type receipt struct {
	base           string
	stored, failed []any
	noRoom         bool
}

// stow takes objects (STOW-RS, PS3.18 10.5), one part after the other.
func (s *site) stow(w http.ResponseWriter, r *http.Request) {
	study := r.PathValue("study")
	if study != "" && !dicomio.IsUID(study) {
		fail(w, http.StatusBadRequest, "the study in the address is no UID")
		return
	}
	boundary, status, err := boundaryOf(r.Header.Get("Content-Type"))
	if err != nil {
		fail(w, status, err.Error())
		return
	}
	if !acceptsJSON(r) {
		fail(w, http.StatusNotAcceptable, "answers are "+dicomJSON)
		return
	}
	x := &receipt{base: base(r)}
	t := s.newTaker("STOW")
	err = s.takeParts(r.Context(), t, x, study, partsOf(s.body(w, r), boundary))
	t.end()
	s.view.forget()
	status = x.status(err)
	if err != nil {
		w.Header().Set("Connection", "close") // what comes behind the error is not read
		w.Header().Set("Warning", fmt.Sprintf("299 ctrecon %q", strings.Map(printable, err.Error())))
	}
	answerDICOM(w, status, x.dataset(study))
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

// boundaryOf reads the type of a request.
func boundaryOf(contentType string) (boundary string, status int, err error) {
	media, params, err := mime.ParseMediaType(contentType)
	kind := strings.ToLower(params["type"])
	switch {
	case err != nil || media != related || kind != "" && kind != dicomFile:
		return "", http.StatusUnsupportedMediaType, fmt.Errorf("objects are taken as %s; type=%q", related, dicomFile)
	case params["boundary"] == "" || len(params["boundary"]) > 70:
		return "", http.StatusBadRequest, errors.New("the type of the request has no boundary, or a too long one")
	}
	return params["boundary"], 0, nil
}

func partsOf(body io.Reader, boundary string) *multipart.Reader {
	return multipart.NewReader(bufio.NewReaderSize(body, 64<<10), boundary)
}

var (
	errManyParts = fmt.Errorf("more than %d objects in one request", maxParts)
	errFull      = errors.New("no room left for objects: try again later")
	errNoParts   = errors.New("the request holds no object")
)

// takeParts hands the parts in. Without an error all were read, and each is in x.
func (s *site) takeParts(ctx context.Context, t *taker, x *receipt, study string, parts *multipart.Reader) error {
	for n := 0; ; n++ {
		p, err := parts.NextRawPart()
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return errNoParts
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return broken(err)
		case n >= maxParts:
			return errManyParts
		}
		if media, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); media != "" && media != dicomFile {
			x.fail(node.Deposited{}, reasonUnread)
			continue
		}
		if err := s.takePart(ctx, t, x, study, p); err != nil {
			return err
		}
	}
}

// broken says that a request did not come whole.
func broken(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return fmt.Errorf("the request did not come whole, or is no multipart: %w", err)
}

// takePart hands one object in.
func (s *site) takePart(ctx context.Context, t *taker, x *receipt, study string, p io.Reader) error {
	in := &noted{r: p}
	var other string
	var d node.Deposited
	err := error(nil)
	if study == "" {
		d, err = t.deposit(ctx, in)
	} else {
		d, other, err = s.takeOfStudy(ctx, t, study, in)
	}
	switch {
	case in.err != nil:
		return broken(in.err)
	case other != "":
		x.fail(d, reasonMismatch)
	case err == nil:
		x.store(d)
	case d.Status.Code == dimse.OutOfResources:
		x.noRoom = true
		x.fail(d, reasonNoRoom)
		return errFull
	case d.Status.Code == dimse.Success:
		return err // it never came to a judgement
	default:
		x.fail(d, int(d.Status.Code))
	}
	return nil
}

// noted remembers an error of the client's side.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return k, err
}

// takeOfStudy takes an object only when it is of the study; other is the one that it is
// of. What is no DICOM object is handed in all the same: it comes into quarantine.
func (s *site) takeOfStudy(ctx context.Context, t *taker, study string, in io.Reader) (d node.Deposited, other string, err error) {
	f, err := os.CreateTemp(filepath.Join(s.o.Dir, "incoming"), "part-*") // emptied at each start
	if err != nil {
		return node.Deposited{Status: dimse.Status{Code: dimse.OutOfResources}}, "", errFull
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := s.copyWhileRoom(f, in); err != nil {
		return node.Deposited{Status: dimse.Status{Code: dimse.OutOfResources}}, "", errFull
	}
	if h, err := s.peek(f.Name()); err == nil && h.Study != study {
		return node.Deposited{SOPClass: h.SOPClass, SOPInstance: h.SOPInstance}, h.Study, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return node.Deposited{Status: dimse.Status{Code: dimse.OutOfResources}}, "", errFull
	}
	d, err = t.deposit(ctx, f)
	return d, "", err
}

// store adds an object that is kept.
func (x *receipt) store(d node.Deposited) {
	x.stored = append(x.stored, dataset{"00081150": text("UI", d.SOPClass), "00081155": text("UI", d.SOPInstance)})
}

// fail adds one that is not.
func (x *receipt) fail(d node.Deposited, reason int) {
	item := dataset{"00081197": number("US", reason)}
	if d.SOPInstance != "" {
		item["00081150"], item["00081155"] = text("UI", d.SOPClass), text("UI", d.SOPInstance)
	}
	x.failed = append(x.failed, item)
}

// status of the answer (PS3.18 10.5.3.1); err ended the request before its end.
func (x *receipt) status(err error) int {
	var large *http.MaxBytesError
	switch {
	case x.noRoom:
		return http.StatusInsufficientStorage
	case errors.As(err, &large), errors.Is(err, errManyParts):
		return http.StatusRequestEntityTooLarge
	case err != nil:
		return http.StatusBadRequest
	case len(x.failed) == 0:
		return http.StatusOK
	case len(x.stored) == 0:
		return http.StatusConflict
	}
	return http.StatusAccepted
}

func (x *receipt) dataset(study string) dataset {
	out := dataset{}
	if study != "" {
		out["00081190"] = text("UR", x.base+"/studies/"+study)
	}
	if len(x.stored) > 0 {
		out["00081199"] = element{VR: "SQ", Value: x.stored}
	}
	if len(x.failed) > 0 {
		out["00081198"] = element{VR: "SQ", Value: x.failed}
	}
	return out
}
