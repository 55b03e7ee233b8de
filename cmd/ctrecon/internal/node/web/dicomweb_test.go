package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

func newGet(accept string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	return r
}

// find asks and reads the results.
func (c *client) find(path string) (status int, out []dataset, warning string) {
	c.t.Helper()
	a, b := c.do(request{path: dicomRoot + path})
	if a.StatusCode == http.StatusOK {
		if err := json.Unmarshal(b, &out); err != nil {
			c.t.Fatal(err)
		}
	}
	return a.StatusCode, out, a.Header.Get("Warning")
}

func first(d dataset, tag string) any {
	if len(d[tag].Value) == 0 {
		return nil
	}
	return d[tag].Value[0]
}

// TestQIDO: what was sent is found at each level, and only that.
func TestQIDO(t *testing.T) {
	c := start(t, settings{})
	one, other := slicesOfSeries(t, "one", 4), slicesOfSeries(t, "other one", 2)
	c.keepAll(append(slices.Clone(one), other...)...)
	a, b := headOf(t, one[0]), headOf(t, other[0])
	inA := "/studies/" + a.Study + "/series/" + a.Series + "/instances"
	for _, tt := range []struct {
		path         string
		status, want int
		more         bool
	}{
		{"/studies", 200, 2, false}, {"/series", 200, 2, false}, {"/instances", 200, 6, false},
		{"/studies?StudyInstanceUID=" + a.Study, 200, 1, false}, {"/studies?StudyInstanceUID=" + a.Study + "," + b.Study, 200, 2, false},
		{"/studies?ModalitiesInStudy=CT", 200, 2, false}, {"/studies?ModalitiesInStudy=MR", 204, 0, false},
		{"/series?Modality=C?", 200, 2, false}, {"/series?SeriesDescription=ctrecon+o?e+RESEARCH", 200, 1, false}, {"/series?SeriesDescription=*nothing*", 204, 0, false},
		{"/studies/" + a.Study + "/series", 200, 1, false}, {"/studies/" + b.Study + "/instances", 200, 2, false}, {"/studies/1.2.3/series", 204, 0, false},
		{inA, 200, 4, false}, {inA + "?SOPInstanceUID=" + a.SOPInstance, 200, 1, false}, {inA + "?limit=3", 200, 3, true}, {inA + "?limit=3&offset=3", 200, 1, false}, {inA + "?offset=4", 204, 0, false},
		{"/instances?limit=5&offset=1", 200, 5, false}, {"/instances?SOPClassUID=" + a.SOPClass, 200, 6, false}, {"/instances?SOPClassUID=1.2.3", 204, 0, false},
		{"/series?limit=1", 200, 1, true}, {"/series?limit=0", 204, 0, true},
		{"/studies?PatientName=*", 400, 0, false}, {"/studies/x/series", 400, 0, false}, {"/studies?limit=x", 400, 0, false},
	} {
		status, out, warning := c.find(tt.path)
		if status != tt.status || len(out) != tt.want || tt.status == 200 && (warning != "") != tt.more {
			t.Errorf("%s: status %d, %d results, warning %q; want %d, %d, %v", tt.path, status, len(out), warning, tt.status, tt.want, tt.more)
		}
	}
	_, out, _ := c.find("/studies/" + a.Study + "/series?includefield=Manufacturer,00081030")
	got := out[0]
	for tag, want := range map[string]any{"0020000D": a.Study, "0020000E": a.Series, "00080060": "CT", "00201209": 4.0, "0008103E": a.Text("SeriesDescription"),
		"00080070": a.Text("Manufacturer"), "00100020": a.Text("PatientID"), "00081190": c.url + dicomRoot + "/studies/" + a.Study + "/series/" + a.Series} {
		if first(got, tag) != want {
			t.Errorf("series, %s: %v, want %v", tag, first(got, tag), want)
		}
	}
	_, out, _ = c.find("/studies?StudyInstanceUID=" + b.Study)
	for tag, want := range map[string]any{"00201206": 1.0, "00201208": 2.0, "00080061": "CT", "00080020": nil} {
		if want != nil && first(out[0], tag) != want {
			t.Errorf("study, %s: %v, want %v", tag, first(out[0], tag), want)
		}
	}
	if r, _ := c.do(request{path: dicomRoot + "/studies", header: map[string]string{"Accept": "application/dicom+xml"}}); r.StatusCode != 406 {
		t.Errorf("XML: %s", r.Status)
	}
}

// TestWADO: objects come back byte by byte as they were sent, headers without pixels.
func TestWADO(t *testing.T) {
	c := start(t, settings{})
	one := slicesOfSeries(t, "one", 3)
	c.keepAll(one...)
	h := headOf(t, one[0])
	study := "/studies/" + h.Study
	series := study + "/series/" + h.Series
	instance := series + "/instances/" + h.SOPInstance
	for path, want := range map[string][][]byte{study: one, series: one, instance: one[:1]} {
		got := c.parts(path, `multipart/related; type="application/dicom"; transfer-syntax=*`)
		if len(got) != len(want) {
			t.Errorf("%s: %d parts, want %d", path, len(got), len(want))
		}
		for _, w := range want {
			if !slices.ContainsFunc(got, func(g []byte) bool { return bytes.Equal(g, w) }) {
				t.Errorf("%s: an object is not what was sent", path)
			}
		}
		var all []dataset
		c.get(dicomRoot+path+"/metadata", &all)
		if len(all) != len(want) || first(all[0], "0020000E") != h.Series || all[0]["7FE00010"].VR != "" || first(all[0], "00280010") != 16.0 {
			t.Errorf("%s/metadata: %d data sets, %v", path, len(all), all[0]["00280010"])
		}
	}
	a, b := c.do(request{path: dicomRoot + instance, header: map[string]string{"Accept": dicomFile}})
	if a.StatusCode != 200 || !bytes.Equal(b, one[0]) || a.Header.Get("Content-Type") != dicomFile+"; transfer-syntax="+h.TransferSyntax {
		t.Errorf("one file: %s, %q, %d bytes", a.Status, a.Header.Get("Content-Type"), len(b))
	}
	for _, tt := range []struct {
		path, accept string
		want         int
	}{
		{study, "image/jpeg", 406}, {study, dicomFile, 406}, {study, `multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90`, 406},
		{study, `multipart/related; type="application/dicom"; transfer-syntax=` + h.TransferSyntax, 200},
		{"/studies/1.2.3", "", 404}, {study + "/series/1.2.3", "", 404}, {series + "/instances/1.2.3", "", 404}, {"/studies/..%2F..%2Fnode.db", "", 400}, {"/studies/x/metadata", "", 400},
		{study + "/metadata", "application/dicom+xml", 406}, {"/studies/1.2.3/metadata", "", 404},
	} {
		if a, b := c.do(request{path: dicomRoot + tt.path, header: map[string]string{"Accept": tt.accept}}); a.StatusCode != tt.want {
			t.Errorf("%s, %q: %s, want %d: %.100s", tt.path, tt.accept, a.Status, tt.want, b)
		}
	}
}

// parts reads a multipart answer.
func (c *client) parts(path, accept string) (out [][]byte) {
	c.t.Helper()
	a, b := c.do(request{path: dicomRoot + path, header: map[string]string{"Accept": accept}})
	media, params, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if a.StatusCode != 200 || err != nil || media != related || params["type"] != dicomFile {
		c.t.Fatalf("%s: %s, %q, %v: %.100s", path, a.Status, a.Header.Get("Content-Type"), err, b)
	}
	for m := multipart.NewReader(bytes.NewReader(b), params["boundary"]); ; {
		p, err := m.NextPart()
		if err == io.EOF {
			return out
		}
		if err != nil {
			c.t.Fatal(err)
		}
		file, err := io.ReadAll(p)
		if err != nil {
			c.t.Fatal(err)
		}
		out = append(out, file)
	}
}

// TestPlaces: beyond what is done at the same time the answer is to come later.
func TestPlaces(t *testing.T) {
	s := &site{}
	places := make(chan struct{}, 1)
	inside, leave := make(chan struct{}), make(chan struct{})
	h := s.limit(places, func(http.ResponseWriter, *http.Request) { close(inside); <-leave })
	done := make(chan struct{})
	go func() { h.ServeHTTP(httptest.NewRecorder(), newGet("")); close(done) }()
	<-inside
	w := httptest.NewRecorder()
	h.ServeHTTP(w, newGet(""))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("second request: %d, %v", w.Code, w.Header())
	}
	close(leave)
	<-done
	if len(places) != 0 {
		t.Error(fmt.Errorf("a place was not given back"))
	}
}
