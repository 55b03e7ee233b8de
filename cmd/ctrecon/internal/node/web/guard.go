package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	cookieName = "ctrecon"
	actHeader  = "X-Ctrecon" // on a POST of the API
	session    = 12 * time.Hour
)

// pagePolicy is for all that is no result: nothing but what the node serves itself.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard decides who is answered.
type guard struct {
	token [sha256.Size]byte // hash of it
	open  bool              // there is none
	key   []byte            // of cookies: a new one with each start
	cross *http.CrossOriginProtection
	now   func() time.Time
}

func newGuard(token string) *guard {
	g := &guard{token: sha256.Sum256([]byte(token)), open: token == "", key: make([]byte, 32), cross: http.NewCrossOriginProtection(), now: time.Now}
	rand.Read(g.key) // never fails
	return g
}

// wrap puts the checks and the headers of all answers before next.
func (g *guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case g.open && rebound(r):
			fail(w, http.StatusMisdirectedRequest, "this host name is not one of this machine: use 127.0.0.1 or localhost")
		case g.cross.Check(r) != nil:
			fail(w, http.StatusForbidden, "a page of another site asked for a change")
		case strings.HasPrefix(r.URL.Path, "/api/") && r.Method == http.MethodPost && r.Header.Get(actHeader) == "":
			fail(w, http.StatusForbidden, "a POST of the API needs the header "+actHeader+": 1")
		case !public(r.URL.Path) && !g.allowed(r):
			g.refuse(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// public is what everybody may see: health, and what the login form needs.
func public(path string) bool {
	switch path {
	case "/healthz", "/readyz", "/login", "/assets/page.css":
		return true
	}
	return false
}

// refuse sends a browser to the login form, and tells others what is missing.
func (g *guard) refuse(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="ctrecon"`)
	fail(w, http.StatusUnauthorized, "a token is needed: Authorization: Bearer TOKEN")
}

// allowed says whether a request has the token or a cookie.
func (g *guard) allowed(r *http.Request) bool {
	if g.open {
		return true
	}
	if kind, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(kind, "Bearer") {
		return g.is(strings.TrimSpace(token))
	}
	c, err := r.Cookie(cookieName)
	return err == nil && g.valid(c.Value)
}

// is compares a token in a time that says nothing about where it differs.
func (g *guard) is(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return hmac.Equal(sum[:], g.token[:])
}

// cookie is a time and its seal; the token is not in it.
func (g *guard) cookie(until time.Time) string {
	text := strconv.FormatInt(until.Unix(), 10)
	return text + "." + g.seal(text)
}

func (g *guard) seal(text string) string {
	m := hmac.New(sha256.New, g.key)
	m.Write(g.token[:])
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

func (g *guard) valid(cookie string) bool {
	text, seal, ok := strings.Cut(cookie, ".")
	if !ok || !hmac.Equal([]byte(seal), []byte(g.seal(text))) {
		return false
	}
	until, err := strconv.ParseInt(text, 10, 64)
	return err == nil && g.now().Unix() < until
}

// maxForm bounds the login form.
const maxForm = 4 << 10

func (g *guard) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if !g.open && !g.is(r.PostFormValue("token")) {
		http.Redirect(w, r, "/login#wrong", http.StatusSeeOther)
		return
	}
	until := g.now().Add(session)
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: g.cookie(until), Path: "/", Expires: until, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (g *guard) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// rebound says that a request came to a loopback address under the name of another
// machine: a foreign page whose name was made to point here.
func rebound(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !loopback(local.String()) {
		return false
	}
	return !loopback(r.Host)
}

// loopback says whether host or host:port is this machine alone.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}
