package web

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/cmd/ctrecon/internal/node/store"
)

// TestStow: what is stored is told as stored, and what is not as failed, with the status
// that PS3.18 has for it.
func TestStow(t *testing.T) {
	one, other := slicesOfSeries(t, "one", 3), slicesOfSeries(t, "other", 2)
	cut := one[0][:400]
	study := headOf(t, one[0]).Study
	for _, tt := range []struct {
		name, path     string
		body           []byte
		want           int
		stored, failed int
		reason         float64
	}{
		{"series", "/studies", parts(dicomFile, one...), 200, 3, 0, 0},
		{"parts without a type", "/studies", parts("", one...), 200, 3, 0, 0},
		{"of the study", "/studies/" + study, parts(dicomFile, one...), 200, 3, 0, 0},
		{"some of another study", "/studies/" + study, parts(dicomFile, append(slices.Clone(one), other...)...), 202, 3, 2, reasonMismatch},
		{"all of another study", "/studies/1.2.3", parts(dicomFile, one...), 409, 0, 3, reasonMismatch},
		{"one broken", "/studies", parts(dicomFile, one[1], cut), 202, 1, 1, reasonUnread},
		{"broken, of a study", "/studies/" + study, parts(dicomFile, cut), 409, 0, 1, reasonUnread},
		{"no DICOM", "/studies", parts(dicomFile, []byte("hello")), 409, 0, 1, reasonUnread},
		{"empty part", "/studies", parts(dicomFile, nil), 409, 0, 1, reasonUnread},
		{"metadata", "/studies", parts("application/dicom+json", []byte("[]")), 409, 0, 1, reasonUnread},
		{"no part", "/studies", parts(dicomFile), 400, 0, 0, 0},
		{"cut between parts", "/studies", bytes.TrimSuffix(parts(dicomFile, one...), []byte("--BOUND--\r\n")), 400, 2, 0, 0},
		{"cut in a part", "/studies", parts(dicomFile, one...)[:len(one[0])+600], 400, 1, 0, 0},
		{"nothing", "/studies", nil, 400, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, settings{})
			status, out := c.stow(tt.path, tt.body)
			stored, failed := out["00081199"].Value, out["00081198"].Value
			if status != tt.want || len(stored) != tt.stored || len(failed) != tt.failed {
				t.Errorf("status %d, %d stored, %d failed; want %d, %d, %d", status, len(stored), len(failed), tt.want, tt.stored, tt.failed)
			}
			for _, f := range failed {
				if got := value(f, "00081197"); got != tt.reason {
					t.Errorf("reason %v, want %v", got, tt.reason)
				}
			}
			if got := c.instances(); got < tt.stored || tt.want < 300 && got != tt.stored {
				t.Errorf("%d in the store, %d told as stored", got, tt.stored)
			}
		})
	}
}

// value is the first value of an element in an item of an answer.
func value(item any, tag string) any {
	e, _ := item.(map[string]any)[tag].(map[string]any)
	v, _ := e["Value"].([]any)
	if len(v) == 0 {
		return nil
	}
	return v[0]
}

// instances counts what the store has.
func (c *client) instances() (n int) {
	if err := c.View(func(tx *store.Tx) error { n = store.Instances.Len(tx); return nil }); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// TestStowRefused: requests that are none.
func TestStowRefused(t *testing.T) {
	c := start(t, settings{})
	body := parts(dicomFile, slicesOfSeries(t, "one", 1)...)
	for _, tt := range []struct {
		name, path, kind, accept string
		want                     int
	}{
		{"no type", "/studies", "", "", 415},
		{"form", "/studies", "multipart/form-data; boundary=BOUND", "", 415},
		{"JSON", "/studies", `multipart/related; type="application/dicom+json"; boundary=BOUND`, "", 415},
		{"not multipart", "/studies", "application/dicom", "", 415},
		{"no boundary", "/studies", `multipart/related; type="application/dicom"`, "", 400},
		{"long boundary", "/studies", `multipart/related; type="application/dicom"; boundary=` + strings.Repeat("b", 71), "", 400},
		{"XML answer", "/studies", contentType, "application/dicom+xml", 406},
		{"no study", "/studies/one", contentType, "", 400},
	} {
		a, b := c.do(request{method: "POST", path: dicomRoot + tt.path, body: bytes.NewReader(body), header: map[string]string{"Content-Type": tt.kind, "Accept": tt.accept}})
		if a.StatusCode != tt.want {
			t.Errorf("%s: %s, want %d: %s", tt.name, a.Status, tt.want, b)
		}
	}
	if n := c.instances(); n != 0 {
		t.Errorf("%d objects were stored", n)
	}
}

// TestStowLimits: a request beyond its bound is 413, a full disk 507; what was stored
// before is told.
func TestStowLimits(t *testing.T) {
	files := slicesOfSeries(t, "one", 4)
	body := parts(dicomFile, files...)
	c := start(t, settings{maxBody: int64(len(body) * 2 / 3)})
	if status, out := c.stow("/studies", body); status != http.StatusRequestEntityTooLarge || len(out["00081199"].Value) != c.instances() || c.instances() != 2 {
		t.Errorf("too large: status %d, %d told, %d stored", status, len(out["00081199"].Value), c.instances())
	}
	room := int64(1 << 30)
	c = start(t, settings{spool: spool.Options{Reserve: 1 << 20, Free: func(string) (int64, error) { return room, nil }}})
	c.keepAll(files[0])
	room = 0
	for _, path := range []string{"/studies", "/studies/" + headOf(t, files[0]).Study} {
		status, out := c.stow(path, body)
		if status != http.StatusInsufficientStorage || len(out["00081198"].Value) != 1 || value(out["00081198"].Value[0], "00081197") != float64(reasonNoRoom) {
			t.Errorf("full disk, %s: status %d, %v", path, status, out)
		}
	}
	if a, b := c.do(request{path: "/readyz"}); a.StatusCode != 503 || !strings.Contains(string(b), "disk: no room") {
		t.Errorf("readyz: %s %s", a.Status, b)
	}
	if c.instances() != 1 {
		t.Errorf("%d objects, want 1", c.instances())
	}
}

// TestStowStreams: a request of many times the memory that it may take.
func TestStowStreams(t *testing.T) {
	c := start(t, settings{})
	file := slicesOfSeries(t, "one", 1)[0]
	r, w := io.Pipe()
	const times = 300
	go func() {
		for range times {
			fmt.Fprintf(w, "--BOUND\r\nContent-Type: application/dicom\r\n\r\n")
			w.Write(file)
			fmt.Fprint(w, "\r\n")
		}
		fmt.Fprint(w, "--BOUND--\r\n")
		w.Close()
	}()
	a, b := c.do(request{method: "POST", path: dicomRoot + "/studies", body: r, header: map[string]string{"Content-Type": contentType}}) // chunked
	if a.StatusCode != 200 || strings.Count(string(b), "00081155") != times || c.instances() != 1 {
		t.Errorf("%s, %d told, %d stored", a.Status, strings.Count(string(b), "00081155"), c.instances())
	}
}

// FuzzStow: no body makes the reader panic or tell more than the node has.
func FuzzStow(f *testing.F) {
	file := slicesOfSeries(f, "one", 1)[0]
	f.Add(contentType, parts(dicomFile, file))
	f.Add(contentType, parts("", file[:300], nil))
	f.Add(`multipart/related; boundary="a b"`, []byte("--a b\r\n\r\n\r\n--a b--"))
	f.Add(contentType, []byte("--BOUND\r\nContent-Type: application/dicom\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=00\r\n--BOUND--"))
	f.Add(contentType, []byte("--BOUND--"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		boundary, status, err := boundaryOf(kind)
		if err != nil {
			if status != 400 && status != 415 {
				t.Fatalf("status %d", status)
			}
			return
		}
		p := partsOf(bytes.NewReader(body), boundary)
		for range maxParts {
			part, err := p.NextRawPart()
			if err != nil {
				return
			}
			if n, err := io.Copy(io.Discard, part); n > int64(len(body)) || err == nil && n+int64(len(boundary)) > int64(len(body)) {
				t.Fatalf("a part of %d bytes in a body of %d", n, len(body))
			}
		}
	})
}
