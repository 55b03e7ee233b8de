package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const secret = "a token of a test"

// TestToken: without the token there is health and the login form, nothing else.
func TestToken(t *testing.T) {
	c := start(t, settings{token: secret})
	for _, tt := range []struct {
		path, auth, accept string
		want               int
	}{
		{"/healthz", "", "", 200}, {"/readyz", "", "", 200}, {"/login", "", "", 200}, {"/assets/page.css", "", "", 200},
		{"/", "", "", 401}, {"/", "", "text/html", 303}, {"/assets/page.js", "", "", 401},
		{"/api/state", "", "", 401}, {"/metrics", "", "", 401}, {"/dicom-web/studies", "", "", 401}, {"/results/x/dicom.zip", "", "", 401},
		{"/api/state", "Bearer " + secret, "", 200}, {"/api/state", "bearer " + secret, "", 200}, {"/metrics", "Bearer " + secret, "", 200},
		{"/api/state", "Bearer " + secret[1:], "", 401}, {"/api/state", "Bearer ", "", 401}, {"/api/state", "Basic " + secret, "", 401}, {"/api/state", secret, "", 401},
	} {
		a, b := c.do(request{path: tt.path, bare: true, header: map[string]string{"Authorization": tt.auth, "Accept": tt.accept}})
		if a.StatusCode != tt.want {
			t.Errorf("%s with %q: %s, want %d: %.80s", tt.path, tt.auth, a.Status, tt.want, b)
		}
		if a.StatusCode == 401 && a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: 401 does not say what is wanted", tt.path)
		}
	}
}

// TestLogin: the form gives a cookie that no script and no other site gets, in which the
// token is not, and that ends.
func TestLogin(t *testing.T) {
	c := start(t, settings{token: secret})
	login := func(token string) *http.Response {
		a, _ := c.do(request{method: "POST", path: "/login", bare: true, body: strings.NewReader(url.Values{"token": {token}}.Encode()), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
		return a
	}
	if a := login("wrong"); a.StatusCode != 303 || a.Header.Get("Set-Cookie") != "" || a.Header.Get("Location") != "/login#wrong" {
		t.Errorf("wrong token: %s, %v", a.Status, a.Header)
	}
	a := login(secret)
	all := a.Cookies()
	if len(all) != 1 || !all[0].HttpOnly || all[0].SameSite != http.SameSiteStrictMode || all[0].Path != "/" || strings.Contains(all[0].Value, secret) {
		t.Fatalf("cookies: %v", all)
	}
	value := all[0].Value
	for _, tt := range []struct {
		name, cookie string
		want         int
	}{
		{"as given", value, 200}, {"later end", "9" + value, 401}, {"cut", value[:len(value)-1], 401}, {"no seal", "9999999999.", 401}, {"nothing", "", 401}, {"the token", secret, 401},
	} {
		if a, _ := c.do(request{path: "/api/state", bare: true, header: map[string]string{"Cookie": cookieName + "=" + tt.cookie}}); a.StatusCode != tt.want {
			t.Errorf("%s: %s, want %d", tt.name, a.Status, tt.want)
		}
	}
	g := newGuard(secret)
	old := g.cookie(time.Now().Add(-time.Second))
	if g.valid(old) || !g.valid(g.cookie(time.Now().Add(time.Minute))) {
		t.Error("a cookie holds after its end, or not before it")
	}
	if newGuard(secret).valid(g.cookie(time.Now().Add(time.Minute))) {
		t.Error("a cookie holds after a restart")
	}
}

// TestCrossSite: what changes something comes from this site, and a foreign name that
// points to this machine reads nothing.
func TestCrossSite(t *testing.T) {
	c := start(t, settings{})
	for _, tt := range []struct {
		name, method, path, host string
		header                   map[string]string
		want                     int
	}{
		{"no header", "POST", "/api/jobs/00-r1/cancel", "", nil, 403},
		{"header", "POST", "/api/jobs/00-r1/cancel", "", map[string]string{actHeader: "1"}, 404},
		{"other origin", "POST", "/api/jobs/00-r1/cancel", "", map[string]string{actHeader: "1", "Origin": "http://other.example"}, 403},
		{"other site", "POST", "/dicom-web/studies", "", map[string]string{"Content-Type": contentType, "Sec-Fetch-Site": "cross-site"}, 403},
		{"STOW of a program", "POST", "/dicom-web/studies", "", map[string]string{"Content-Type": "text/plain"}, 415},
		{"upload without header", "POST", "/api/upload", "", nil, 403},
		{"foreign name", "GET", "/api/state", "rebound.example", nil, 421},
		{"foreign name with port", "GET", "/", "rebound.example:8042", nil, 421},
		{"localhost", "GET", "/api/state", "localhost:8042", nil, 200},
		{"IPv6", "GET", "/api/state", "[::1]:8042", nil, 200},
		{"looks like it", "GET", "/api/state", "127.0.0.1.example", nil, 421},
	} {
		if a, b := c.do(request{method: tt.method, path: tt.path, host: tt.host, header: tt.header, bare: true}); a.StatusCode != tt.want {
			t.Errorf("%s: %s, want %d: %s", tt.name, a.Status, tt.want, b)
		}
	}
	a, _ := c.do(request{path: "/"})
	for name, want := range map[string]string{"Content-Security-Policy": pagePolicy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if cors := a.Header.Get("Access-Control-Allow-Origin"); cors != "" {
		t.Errorf("other sites may read: %q", cors)
	}
}

// TestBehindProxy: with a token a name that a proxy keeps is no reason to refuse.
func TestBehindProxy(t *testing.T) {
	c := start(t, settings{token: secret})
	if a, _ := c.do(request{path: "/api/state", host: "node.example"}); a.StatusCode != 200 {
		t.Error(a.Status)
	}
}
