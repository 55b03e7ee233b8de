package web

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/cmd/ctrecon/internal/node/rules"
	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/cmd/ctrecon/internal/node/store"
)

//go:embed assets
var assets embed.FS

// ResearchUse is printed on the page.
const ResearchUse = "Research use only. Not for diagnosis."

// Backend is what the page and the services need of a node; *node.Node has all of it.
type Backend interface {
	View(f func(tx *store.Tx) error) error
	StartSeries(uid, why string) error
	RetryJob(id string) error
	CancelJob(id string) error
	RetryDeliveries(job string) error
	Progress(job string) string
	ResultDir(job string) (string, bool)
	Deposit(ctx context.Context, from string, r io.Reader) (node.Deposited, error)
	DepositEnd(from string, series []string)
	UploadSinogram(ctx context.Context, name string, r io.Reader) (job string, err error)
	Reconcile() node.Health
	WriteMetrics(w io.Writer) error
	Quarantine() ([]spool.Reason, error)
	RulesText() (file, text string)
	Peers() []rules.Peer
	Disk() (free, used int64)
}

// Options of the handler.
type Options struct {
	Backend Backend
	Dir     string // the data folder, in which the files lie that the store names
	Token   string // "" for none
	Version string
	MaxBody int64 // of a request, bytes; 0: 64 GiB
	Log     *slog.Logger
}

// defaultMaxBody is for studies of many series; the disk has its own limit.
const defaultMaxBody = 64 << 30

// Bounds of what is done at the same time.
const (
	maxUploads = 8 // requests that bring objects
	maxReads   = 8 // requests that read objects or results
	maxPeeks   = 4 // headers that are looked at
)

// site answers requests.
type site struct {
	Backend
	o       Options
	guard   *guard
	uploads chan struct{}
	reads   chan struct{}
	peeks   chan struct{}
	view    overview
	results resultIndex
	number  counter
}

// New makes the handler.
func New(o Options) http.Handler {
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &site{Backend: o.Backend, o: o, guard: newGuard(o.Token), uploads: make(chan struct{}, maxUploads),
		reads: make(chan struct{}, maxReads), peeks: make(chan struct{}, maxPeeks)}
	m := http.NewServeMux()
	s.pageRoutes(m)
	s.apiRoutes(m)
	s.healthRoutes(m)
	s.dicomRoutes(m)
	return s.guard.wrap(s.calm(m))
}

func (s *site) pageRoutes(m *http.ServeMux) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	m.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(files)))
	m.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "page.html") })
	m.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "login.html") })
	m.HandleFunc("POST /login", s.guard.login)
	m.HandleFunc("POST /logout", s.guard.logout)
}

func (s *site) apiRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/state", s.state)
	m.HandleFunc("GET /api/jobs/{id}", s.job)
	m.HandleFunc("GET /api/rules", s.rules)
	m.HandleFunc("POST /api/series/{uid}/start", s.start)
	m.HandleFunc("POST /api/jobs/{id}/retry", s.act(s.RetryJob))
	m.HandleFunc("POST /api/jobs/{id}/cancel", s.act(s.CancelJob))
	m.HandleFunc("POST /api/jobs/{id}/deliveries/retry", s.act(s.retryDeliveries))
	m.Handle("POST /api/upload", s.limit(s.uploads, s.upload))
	m.Handle("GET /results/{id}/files/{path...}", s.limit(s.reads, s.resultFile))
	m.Handle("GET /results/{id}/dicom.zip", s.limit(s.reads, s.resultZIP))
	m.Handle("GET /results/{id}/image", s.limit(s.reads, s.image))
}

// calm keeps a fault of ours in one request from being more than that.
func (s *site) calm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				s.o.Log.Error("a bug of ours: a request ended in panic", "method", r.Method, "route", r.Pattern, "panic", fmt.Sprint(v))
				panic(http.ErrAbortHandler) // the client sees a broken answer, not half of one
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// limit answers 503 when too many requests of one kind are in progress.
func (s *site) limit(places chan struct{}, f http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			f(w, r)
		default:
			w.Header().Set("Retry-After", "5")
			fail(w, http.StatusServiceUnavailable, "too many requests at the same time: try again in 5 seconds")
		}
	})
}
