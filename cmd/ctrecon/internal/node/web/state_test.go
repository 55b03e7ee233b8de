package web

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"ctrecon/cmd/ctrecon/internal/node/store"
)

// failing makes a job of each CT series; the program of the tests fails it at once.
const failing = "[[rule]]\nname = \"all\"\nmodality = \"CT\"\nviews = 8\nmethods = [\"tv\"]\n"

// TestState: what arrived is on the page, with reasons; the answer is told to be the same
// until something changes.
func TestState(t *testing.T) {
	c := start(t, settings{rules: failing})
	files := slicesOfSeries(t, "one", 3)
	c.keepAll(files...)
	c.do(request{method: "POST", path: dicomRoot + "/studies", body: bytes.NewReader(parts(dicomFile, files[0][:400])), header: map[string]string{"Content-Type": contentType}})
	var s stateOf
	eventually(t, "the job has failed", func() bool {
		c.get("/api/state", &s)
		return s.Total == 1 && s.Rows[0].State == store.Failed
	})
	r, h := s.Rows[0], headOf(t, files[0])
	if r.UID != h.Series || r.Study != h.Study || r.Modality != "CT" || r.Calling != "STOW" || r.Images != 3 || r.Job == nil || r.Job.Reason == "" || r.Job.Rule != "all" {
		t.Errorf("row: %+v", r)
	}
	eventually(t, "quarantine", func() bool { c.get("/api/state", &s); return s.Quarantined == 1 })
	if q := s.Quarantine[0]; q.From != "STOW" || q.Reason == "" {
		t.Errorf("quarantine: %+v", q)
	}
	if s.Notice != ResearchUse || !s.Ready || s.DiskFree <= 0 || s.Kept <= 0 || s.Groups[attention] != 1 {
		t.Errorf("state: %+v", s)
	}
	a, b := c.do(request{path: "/api/state"})
	if id := h.Text("PatientID"); id == "" || bytes.Contains(b, []byte(id)) {
		t.Errorf("the patient's identifier %q is in the state", id)
	}
	tag := a.Header.Get("ETag")
	if again, b := c.do(request{path: "/api/state", header: map[string]string{"If-None-Match": tag}}); again.StatusCode != http.StatusNotModified || len(b) != 0 {
		t.Errorf("asked again: %s, %d bytes", again.Status, len(b))
	}
	for q, want := range map[string]int{"q=one": 1, "q=" + h.Series: 1, "q=nothing": 0, "group=attention": 1, "group=done": 0, "offset=1": 1, "limit=0": 1, "limit=x&offset=-3": 1} {
		c.get("/api/state?"+q, &s)
		if s.Total != want {
			t.Errorf("%s: %d in all, want %d", q, s.Total, want)
		}
	}
	var j jobAnswer
	c.get("/api/jobs/"+r.Job.ID, &j)
	if j.ID != r.Job.ID || j.State != store.Failed || len(j.Images) != 0 || len(j.Args) == 0 {
		t.Errorf("job: %+v", j)
	}
}

// TestActions: a job is tried again and cancelled; what cannot be done says why.
func TestActions(t *testing.T) {
	c := start(t, settings{rules: failing})
	files := slicesOfSeries(t, "one", 3)
	c.keepAll(files...)
	var s stateOf
	eventually(t, "the job has failed", func() bool {
		c.get("/api/state", &s)
		return s.Total == 1 && s.Rows[0].State == store.Failed
	})
	id := s.Rows[0].Job.ID
	post := func(path string, want int) {
		t.Helper()
		if a, b := c.do(request{method: "POST", path: path}); a.StatusCode != want {
			t.Errorf("%s: %s, want %d: %s", path, a.Status, want, b)
		}
	}
	post("/api/jobs/"+id+"/retry", 204)
	eventually(t, "it has failed again", func() bool {
		c.get("/api/state", &s)
		return s.Rows[0].State == store.Failed && s.Rows[0].Job.Tries == 1
	})
	post("/api/jobs/"+id+"/cancel", 204)
	c.get("/api/state", &s)
	if s.Rows[0].State != store.Cancelled {
		t.Errorf("state %s after cancel", s.Rows[0].State)
	}
	post("/api/jobs/"+id+"/cancel", 409)
	post("/api/jobs/"+id+"/deliveries/retry", 404)
	post("/api/jobs/00-r9/retry", 404)
	post("/api/jobs/..%2F..%2Fnode.db/retry", 404)
	post("/api/series/1.2.3/start", 404)
	if a, _ := c.do(request{path: "/api/jobs/" + id + "/retry"}); a.StatusCode != 405 {
		t.Errorf("GET of a change: %s", a.Status)
	}
}

// TestUpload: objects, ZIPs of them and sinograms are taken, other things are not.
func TestUpload(t *testing.T) {
	c := start(t, settings{maxBody: 1 << 20})
	files := slicesOfSeries(t, "one", 3)
	zipped := zipOf(t, "a.dcm", files[0], "b.txt", []byte("hello"), "d/c", files[1], "bad", append(make([]byte, 128), "DICMx"...))
	for _, tt := range []struct {
		name, file     string
		body           []byte
		want           int
		objects, wrong int
		job            bool
	}{
		{"object", "Name of a patient.dcm", files[2], 200, 1, 0, false},
		{"ZIP of objects", "x.ZIP", zipped, 200, 2, 1, false},
		{"sinogram", "sino.npy", []byte("\x93NUMPY"), 200, 0, 0, true}, // looked into by its job
		{"ZIP of a sinogram", "s.zip", zipOf(t, "a.npy", []byte("\x93NUMPY"), "a.npy.json", []byte("{}")), 200, 0, 0, true},
		{"no ZIP", "x.zip", []byte("PK nothing"), 422, 0, 0, false},
		{"ZIP of other things", "x.zip", zipOf(t, "a", nil, "b", nil, "c", nil), 422, 0, 0, false},
		{"broken object", "x", files[0][:300], 422, 0, 0, false},
		{"too large", "x.npy", make([]byte, 2<<20), 413, 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := c.do(request{method: "POST", path: "/api/upload?" + url.Values{"name": {tt.file}}.Encode(), body: bytes.NewReader(tt.body)})
			var u uploaded
			if json.Unmarshal(b, &u); a.StatusCode != tt.want || u.Objects != tt.objects || u.Refused != tt.wrong || (u.Job != "") != tt.job {
				t.Errorf("%s: %s", a.Status, b)
			}
			if strings.Contains(string(b), "patient") {
				t.Errorf("the file's name is repeated: %s", b)
			}
		})
	}
	if c.instances() != 3 {
		t.Errorf("%d objects, want 3", c.instances())
	}
	var s stateOf
	c.get("/api/state", &s)
	if r := s.Rows; len(r) != 3 {
		t.Errorf("%d rows, want the series and two sinograms", len(r))
	}
}

func zipOf(t *testing.T, pairs ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, err := z.Create(pairs[i].(string))
		if err != nil {
			t.Fatal(err)
		}
		if pairs[i+1] != nil {
			w.Write(pairs[i+1].([]byte))
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestManySeries: thousands of series are answered a page at a time, and soon.
func TestManySeries(t *testing.T) {
	l := &look{groups: map[string]int{}}
	for i := range 5000 {
		l.rows = append(l.rows, &row{series: &store.Series{UID: fmt.Sprintf("1.2.%d", i), Description: fmt.Sprint("Series ", i%10)}, state: kept})
	}
	q := question{offset: 4990, limit: 50}
	if rows, total := q.choose(l.rows); len(rows) != 10 || total != 5000 || rows[0].series.UID != "1.2.4990" {
		t.Errorf("last page: %d of %d", len(rows), total)
	}
	q = question{limit: 50, text: "series 3"}
	if rows, total := q.choose(l.rows); len(rows) != 50 || total != 500 {
		t.Errorf("search: %d of %d", len(rows), total)
	}
}

// gauge is the value of a metric without labels, -1 when there is none.
func gauge(text, name string) int64 {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
				return int64(f)
			}
		}
	}
	return -1
}

// TestHealth: what machines ask.
func TestHealth(t *testing.T) {
	c := start(t, settings{token: secret})
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if a, b := c.do(request{path: path, bare: true}); a.StatusCode != 200 || string(b) != want {
			t.Errorf("%s: %s %q", path, a.Status, b)
		}
	}
	a, b := c.do(request{path: "/metrics"})
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain; version=0.0.4") || gauge(string(b), "ctrecon_disk_free_bytes") <= 0 || gauge(string(b), "ctrecon_no_such") != -1 {
		t.Errorf("metrics: %s, %.200s", a.Header.Get("Content-Type"), b)
	}
}

func TestPlainPath(t *testing.T) {
	for name, want := range map[string]bool{"report.html": true, "tv/0001.dcm": true, "": false, ".": false, "..": false, "../x": false, "tv/../../x": false, "/etc/passwd": false, "tv//x": false,
		".hidden": false, "tv/.x": false, `..\x`: false, "a\x00b": false, "tv/": false, "C:x": false} {
		if plainPath(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
