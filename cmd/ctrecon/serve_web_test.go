package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	db "ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/cmd/ctrecon/internal/node/web"
)

// zipOf packs files beside one that is no DICOM object.
func zipOf(t *testing.T, files []string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, content []byte) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("notes.txt", []byte("no image"))
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		add(filepath.Base(f), content)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestServeWeb: a ZIP that is uploaded becomes a job, whose files, objects and picture can
// be had, and nothing beside them; a job that is done is neither cancelled nor tried again.
func TestServeWeb(t *testing.T) {
	t.Parallel()
	o := nodeOptions(t, t.TempDir(), quickRules)
	n := startNode(t, o)
	srv := httptest.NewServer(web.New(web.Options{Backend: n.Node, Dir: o.Dir}))
	defer srv.Close()
	call := func(method, path string, body []byte) (*http.Response, []byte) {
		t.Helper()
		r, err := http.NewRequest(method, srv.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(path, "..") {
			r.URL.Opaque = path // as it is, not cleaned by the client
		}
		r.Header.Set("X-Ctrecon", "1")
		a, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		b, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	}

	files := phantomSeries(t, 4, 4)
	a, b := call("POST", "/api/upload?name=study.zip", zipOf(t, files))
	if a.StatusCode != 200 || !bytes.Contains(b, []byte(`"objects":4`)) {
		t.Fatalf("upload: %d %s", a.StatusCode, b)
	}
	job := n.inState(1, db.Done)
	dir, _ := n.ResultDir(job.ID)
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "outside.txt"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}

	base := "/results/" + job.ID + "/files/"
	a, b = call("GET", base+"report.html", nil)
	want, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	if a.StatusCode != 200 || !bytes.Equal(b, want) || !strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("report: %d, %d bytes of %d, policy %q", a.StatusCode, len(b), len(want), a.Header.Get("Content-Security-Policy"))
	}
	for _, p := range []string{base + "../outside.txt", base + "..%2foutside.txt", base + "%2e%2e/outside.txt", base + "tv/../../outside.txt", base + "/etc/passwd", base + "tv", base, base + ".hidden.txt",
		"/results/../outside.txt", "/results/..%2f/files/outside.txt", "/results/00-r1/files/report.html", "/assets/../page.go"} {
		if a, b := call("GET", p, nil); a.StatusCode == 200 || bytes.Contains(b, []byte("secret")) {
			t.Errorf("%s: %d %.60s", p, a.StatusCode, b)
		}
	}
	if a, b = call("GET", "/results/"+job.ID+"/dicom.zip", nil); a.StatusCode != 200 {
		t.Errorf("ZIP: %d %s", a.StatusCode, b)
	} else if z, err := zip.NewReader(bytes.NewReader(b), int64(len(b))); err != nil || len(z.File) != job.Objects {
		t.Errorf("ZIP: %v, want %d objects", err, job.Objects)
	}

	a, b = call("GET", "/dicom-web/series?SeriesDescription=*TV*", nil)
	var found []map[string]struct{ Value []any }
	if err := json.Unmarshal(b, &found); a.StatusCode != 200 || err != nil || len(found) != 1 {
		t.Fatalf("QIDO of a result: %d, %v, %s", a.StatusCode, err, b)
	}
	url, _ := found[0]["00081190"].Value[0].(string)
	slice, err := os.ReadFile(filepath.Join(dir, "tv", "0001.dcm"))
	if err != nil {
		t.Fatal(err)
	}
	if a, b = call("GET", strings.TrimPrefix(url, srv.URL), nil); a.StatusCode != 200 || !bytes.Contains(b, slice) {
		t.Errorf("WADO of a result: %d, %d bytes without the first slice", a.StatusCode, len(b))
	}

	for _, act := range []string{"retry", "cancel", "deliveries/retry"} {
		if a, _ := call("POST", "/api/jobs/"+job.ID+"/"+act, nil); a.StatusCode < 400 && act != "deliveries/retry" {
			t.Errorf("%s of a job that is done: %d", act, a.StatusCode)
		}
	}
	if a, b = call("POST", "/api/series/"+job.Series+"/start", nil); a.StatusCode >= 500 {
		t.Errorf("start: %d %s", a.StatusCode, b)
	}
	if a, b = call("POST", "/api/upload?name=rubbish.zip", []byte("PK no ZIP")); a.StatusCode != 422 {
		t.Errorf("rubbish: %d %s, want 422", a.StatusCode, b)
	}
}
