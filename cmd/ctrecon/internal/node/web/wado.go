package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"slices"
	"strings"

	"ctrecon/dicomio"
)

// wanted are the objects that an address names; an answer about it has been given when
// there are none.
func (s *site) wanted(w http.ResponseWriter, r *http.Request) []object {
	study, uid, instance := r.PathValue("study"), r.PathValue("series"), r.PathValue("instance")
	for _, v := range []string{study, uid, instance} {
		if v != "" && !dicomio.IsUID(v) {
			fail(w, http.StatusBadRequest, "what stands in the address is no UID")
			return nil
		}
	}
	all, err := s.archive()
	var out []object
	for _, x := range all {
		if err != nil || x.study != study || uid != "" && x.uid != uid {
			continue
		}
		err = s.objects(x, func(o object) bool {
			if instance == "" || o.uid == instance {
				out = append(out, o)
			}
			return instance == "" || o.uid != instance
		})
	}
	switch {
	case err != nil:
		s.broken(w, "objects", err)
		return nil
	case len(out) == 0:
		fail(w, http.StatusNotFound, "there is no such object here")
	}
	return out
}

// retrieve sends objects as they are stored (WADO-RS, PS3.18 10.4); they are not put into
// another transfer syntax.
func (s *site) retrieve(w http.ResponseWriter, r *http.Request) {
	all := s.wanted(w, r)
	if len(all) == 0 {
		return
	}
	single, syntaxes, ok := formOf(acceptOf(r), r.PathValue("instance") != "")
	if ok && len(syntaxes) > 0 {
		ok = !slices.ContainsFunc(all, func(o object) bool { return !slices.Contains(syntaxes, o.syntax) })
	}
	if !ok {
		fail(w, http.StatusNotAcceptable, fmt.Sprintf("objects are sent as they are stored: %s; type=%q; transfer-syntax=*", related, dicomFile))
		return
	}
	if single {
		s.sendOne(w, r, all[0])
		return
	}
	if err := sendParts(slow(w), r, all); err != nil {
		s.o.Log.Warn("objects were not sent whole", "error", plain(err))
		panic(http.ErrAbortHandler) // so that the client does not take it for whole
	}
}

// plain is an error without the path that it may name.
func plain(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// formOf finds what a client takes: one file or parts, and in which transfer syntaxes,
// none for any.
func formOf(accept []accepted, instance bool) (single bool, syntaxes []string, ok bool) {
	any := false
	for _, a := range accept {
		parts := a.media == related && (a.params["type"] == "" || strings.EqualFold(a.params["type"], dicomFile)) || a.media == "multipart/*"
		one := instance && a.media == dicomFile
		if !parts && !one && a.media != "*/*" {
			continue
		}
		if !ok {
			single = one
		}
		ok = true
		if t := a.params["transfer-syntax"]; t != "" && t != "*" {
			syntaxes = append(syntaxes, t)
		} else {
			any = true
		}
	}
	if any {
		syntaxes = nil
	}
	return single, syntaxes, ok
}

func (s *site) sendOne(w http.ResponseWriter, r *http.Request, o object) {
	f, err := os.Open(o.path)
	if err != nil {
		s.broken(w, "object", errors.New(plain(err)))
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		s.broken(w, "object", errors.New(plain(err)))
		return
	}
	w.Header().Set("Content-Type", fileType(o))
	http.ServeContent(slow(w), r, "", info.ModTime(), f)
}

// fileType is the type of one object. A syntax that is no UID came with the object.
func fileType(o object) string {
	if !dicomio.IsUID(o.syntax) {
		return dicomFile
	}
	return dicomFile + "; transfer-syntax=" + o.syntax
}

func sendParts(w http.ResponseWriter, r *http.Request, all []object) error {
	m := multipart.NewWriter(w)
	w.Header().Set("Content-Type", fmt.Sprintf("%s; type=%q; boundary=%s", related, dicomFile, m.Boundary()))
	for _, o := range all {
		if err := r.Context().Err(); err != nil {
			return err
		}
		if err := sendPart(m, o); err != nil {
			return err
		}
	}
	return m.Close()
}

func sendPart(m *multipart.Writer, o object) error {
	f, err := os.Open(o.path)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := m.CreatePart(textproto.MIMEHeader{"Content-Type": {fileType(o)}})
	if err != nil {
		return err
	}
	_, err = io.Copy(p, f)
	return err
}

// metadata sends the headers of objects, one after the other.
func (s *site) metadata(w http.ResponseWriter, r *http.Request) {
	if !acceptsJSON(r) {
		fail(w, http.StatusNotAcceptable, "answers are "+dicomJSON)
		return
	}
	all := s.wanted(w, r)
	if len(all) == 0 {
		return
	}
	w.Header().Set("Content-Type", dicomJSON)
	out := slow(w)
	for i, o := range all {
		h, err := s.peek(o.path)
		if err == nil {
			err = r.Context().Err()
		}
		if err == nil {
			_, err = io.WriteString(out, []string{"[", ","}[min(i, 1)])
		}
		if err == nil {
			err = json.NewEncoder(out).Encode(h.JSON())
		}
		if err != nil {
			panic(http.ErrAbortHandler) // so that the client does not take it for whole
		}
	}
	io.WriteString(out, "]\n")
}
