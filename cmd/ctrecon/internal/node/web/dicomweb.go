package web

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"

	"ctrecon/dicomio"
)

// dicomRoot is where DICOMweb lives (PS3.18).
const dicomRoot = "/dicom-web"

const (
	dicomJSON = "application/dicom+json"
	dicomFile = "application/dicom"
	related   = "multipart/related"
)

func (s *site) dicomRoutes(m *http.ServeMux) {
	post := func(path string) { m.Handle("POST "+dicomRoot+path, s.limit(s.uploads, s.stow)) }
	get := func(path string, f http.HandlerFunc) { m.Handle("GET "+dicomRoot+path, s.limit(s.reads, f)) }
	post("/studies")
	post("/studies/{study}")
	get("/studies", s.search(studyLevel))
	get("/series", s.search(seriesLevel))
	get("/instances", s.search(instanceLevel))
	get("/studies/{study}/series", s.search(seriesLevel))
	get("/studies/{study}/instances", s.search(instanceLevel))
	get("/studies/{study}/series/{series}/instances", s.search(instanceLevel))
	for _, what := range []string{"/studies/{study}", "/studies/{study}/series/{series}", "/studies/{study}/series/{series}/instances/{instance}"} {
		get(what, s.retrieve)
		get(what+"/metadata", s.metadata)
	}
}

// elements of an answer, by tag.
type (
	element = dicomio.JSONElement
	dataset = dicomio.JSONObject
)

// text is an element with one text, or without a value.
func text(vr, value string) element {
	if value == "" {
		return element{VR: vr}
	}
	return element{VR: vr, Value: []any{value}}
}

func number(vr string, value int) element { return element{VR: vr, Value: []any{value}} }

// base is the address of our DICOMweb as the client named it.
func base(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + dicomRoot
}

// accepted is one kind of answer that a client takes.
type accepted struct {
	media  string
	params map[string]string
}

// acceptOf reads Accept headers; what cannot be read is passed over. A type is in the
// list only when its weight is not 0.
func acceptOf(r *http.Request) (out []accepted) {
	for _, h := range r.Header.Values("Accept") {
		for _, one := range splitQuoted(h) {
			media, params, err := mime.ParseMediaType(one)
			if err == nil && strings.Trim(params["q"], "0.") != "" || err == nil && params["q"] == "" {
				out = append(out, accepted{media, params})
			}
		}
	}
	if len(out) == 0 && r.Header.Get("Accept") == "" {
		out = append(out, accepted{media: "*/*"})
	}
	return out
}

// splitQuoted splits at commas that stand in no quotes.
func splitQuoted(s string) (out []string) {
	begin, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == ',' && !quoted:
			out = append(out, s[begin:i])
			begin = i + 1
		}
	}
	return append(out, s[begin:])
}

// acceptsJSON says whether a client takes the DICOM JSON model.
func acceptsJSON(r *http.Request) bool {
	for _, a := range acceptOf(r) {
		switch a.media {
		case "*/*", "application/*", dicomJSON, "application/json":
			return true
		}
	}
	return false
}

func answerDICOM(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", dicomJSON)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that is gone is no error
}

// peek reads a header; not many at the same time, which bounds the memory for it.
func (s *site) peek(path string) (*dicomio.Head, error) {
	s.peeks <- struct{}{}
	defer func() { <-s.peeks }()
	return dicomio.Peek(path)
}
