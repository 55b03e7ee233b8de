package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/ct"
	"ctrecon/dicomio"
)

// keepOnly makes nothing of a series.
const keepOnly = "[[rule]]\nname = \"keep\"\nignore = true\n"

// client asks a handler whose node is a real one.
type client struct {
	*node.Node
	t     *testing.T
	dir   string
	url   string
	token string
	log   bytes.Buffer
}

type settings struct {
	rules, token string
	maxBody      int64
	spool        spool.Options
}

// start runs a node with a page until the test ends.
func start(t *testing.T, x settings) *client {
	t.Helper()
	dir := t.TempDir()
	c := &client{t: t, dir: filepath.Join(dir, "data"), token: x.token}
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "rules.toml")
	if x.rules == "" {
		x.rules = keepOnly
	}
	if err := os.WriteFile(file, []byte(x.rules), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable() // run as a job it fails at once: a test binary knows no such flags
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(node.Options{Dir: c.dir, AETitle: "CTRECON", RulesFile: file, Methods: []string{"fbp", "tv"}, Program: program, Spool: x.spool,
		Quiet: 300 * time.Millisecond, Settle: 50 * time.Millisecond, Retry: 20 * time.Millisecond, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.Node = n
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { n.Run(ctx) })
	srv := httptest.NewServer(New(Options{Backend: n, Dir: c.dir, Token: x.token, Version: "test", MaxBody: x.maxBody}))
	c.url = srv.URL
	t.Cleanup(func() {
		srv.Close()
		stop()
		wg.Wait()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// request is one question; zero values mean the usual.
type request struct {
	method, path, host string
	header             map[string]string
	body               io.Reader
	bare               bool // without token and header of the API
}

// do asks and reads the answer.
func (c *client) do(r request) (*http.Response, []byte) {
	c.t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	q, err := http.NewRequestWithContext(c.t.Context(), r.method, c.url+r.path, r.body)
	if err != nil {
		c.t.Fatal(err)
	}
	if !r.bare {
		q.Header.Set(actHeader, "1")
		if c.token != "" {
			q.Header.Set("Authorization", "Bearer "+c.token)
		}
	}
	for k, v := range r.header {
		q.Header.Set(k, v)
	}
	if r.host != "" {
		q.Host = r.host
	}
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := plain.Do(q)
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return a, b
}

// get reads JSON from a path.
func (c *client) get(path string, to any) {
	c.t.Helper()
	a, b := c.do(request{path: path})
	if a.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %s: %s", path, a.Status, b)
	}
	if err := json.Unmarshal(b, to); err != nil {
		c.t.Fatalf("%s: %v in %s", path, err, b)
	}
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// slicesOfSeries are files of a small CT series; another name gives other UIDs.
func slicesOfSeries(t testing.TB, name string, n int) (files [][]byte) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "s")
	grid := ct.Square(16, 2)
	d := dicomio.Derived{Subject: fmt.Sprintf("%x", dicomio.UID("test", name))[:16], Grid: grid, Spacing: 2, Method: name, Number: 1, Software: "test",
		Equipment: dicomio.PhantomModel, Config: name, Description: name, Images: n, Time: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
		Image: func(i int, dst []float32) error {
			for k := range dst {
				dst[k] = float32(math.Mod(float64(k*7+i*13), 500))
			}
			return nil
		}}
	if _, err := dicomio.WriteSeries(dir, d); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.dcm"))
	if err != nil || len(names) != n {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, p := range names {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b)
	}
	return files
}

// headOf is the header of a file in memory.
func headOf(t testing.TB, file []byte) *dicomio.Head {
	t.Helper()
	p := filepath.Join(t.TempDir(), "x.dcm")
	if err := os.WriteFile(p, file, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := dicomio.Peek(p)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

const contentType = `multipart/related; type="application/dicom"; boundary=BOUND`

// parts make the body of a STOW request.
func parts(kind string, files ...[]byte) []byte {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	m.SetBoundary("BOUND")
	for _, f := range files {
		h := textproto.MIMEHeader{}
		if kind != "" {
			h.Set("Content-Type", kind)
		}
		p, _ := m.CreatePart(h)
		p.Write(f)
	}
	m.Close()
	return b.Bytes()
}

// stow sends objects and returns the status and the answer.
func (c *client) stow(path string, body []byte) (int, dataset) {
	c.t.Helper()
	a, b := c.do(request{method: "POST", path: dicomRoot + path, body: bytes.NewReader(body), header: map[string]string{"Content-Type": contentType}})
	var out dataset
	if err := json.Unmarshal(b, &out); err != nil {
		c.t.Fatalf("%s: %s", a.Status, b)
	}
	return a.StatusCode, out
}

// keepAll sends objects that must be taken.
func (c *client) keepAll(files ...[]byte) {
	c.t.Helper()
	if status, out := c.stow("/studies", parts(dicomFile, files...)); status != http.StatusOK || len(out["00081199"].Value) != len(files) {
		c.t.Fatalf("status %d, %d of %d stored", status, len(out["00081199"].Value), len(files))
	}
}
