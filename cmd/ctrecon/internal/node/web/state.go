package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/store"
)

// Bounds of a page of the state.
const (
	defaultRows = 50
	maxRows     = 200
	maxReasons  = 50 // of the quarantine
)

// stateOf is the answer of /api/state.
type stateOf struct {
	Notice       string         `json:"notice"`
	Version      string         `json:"version"`
	Token        bool           `json:"token"` // one can log out
	Ready        bool           `json:"ready"`
	Problems     []string       `json:"problems"`
	DiskFree     int64          `json:"diskFree"`
	Kept         int64          `json:"kept"` // bytes of received objects
	Groups       map[string]int `json:"groups"`
	Total        int            `json:"total"` // rows that fit the question
	Offset       int            `json:"offset"`
	Rows         []rowView      `json:"rows"`
	Destinations []*peer        `json:"destinations"`
	Quarantined  int            `json:"quarantined"`
	Quarantine   []reasonView   `json:"quarantine"`
	Rules        string         `json:"rules"`
}

type rowView struct {
	Key         string    `json:"key"`
	UID         string    `json:"uid,omitempty"`
	Study       string    `json:"study,omitempty"`
	Modality    string    `json:"modality,omitempty"`
	Description string    `json:"description,omitempty"`
	Calling     string    `json:"calling,omitempty"`
	Called      string    `json:"called,omitempty"`
	Objects     int       `json:"objects,omitempty"`
	Images      int       `json:"images,omitempty"`
	New         int       `json:"new,omitempty"`
	Duplicates  int       `json:"duplicates,omitempty"`
	Conflicts   int       `json:"conflicts,omitempty"`
	Check       string    `json:"check,omitempty"` // of the geometry
	Note        string    `json:"note,omitempty"`
	State       string    `json:"state"`
	Active      time.Time `json:"active"`
	Last        time.Time `json:"last,omitzero"`
	Job         *jobView  `json:"job,omitempty"`
}

type jobView struct {
	ID         string    `json:"id"`
	Revision   int       `json:"revision"`
	State      string    `json:"state"`
	Slices     int       `json:"slices"`
	Rule       string    `json:"rule"`
	Why        string    `json:"why"`
	Args       []string  `json:"args"`
	Tries      int       `json:"tries"`
	Reason     string    `json:"reason,omitempty"`
	Progress   string    `json:"progress,omitempty"`
	Created    time.Time `json:"created"`
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	Next       time.Time `json:"next,omitzero"`
	Objects    int       `json:"objects,omitempty"`
	Deliveries []*sum    `json:"deliveries,omitempty"`
}

type reasonView struct {
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
	From   string    `json:"from"`
	Bytes  int64     `json:"bytes"`
	UID    string    `json:"uid,omitempty"`
}

// question is what a page asks for.
type question struct {
	offset, limit int
	group, text   string
}

// questionOf reads a query; numbers that are none are passed over.
func questionOf(q url.Values) question {
	out := question{limit: defaultRows, group: q.Get("group"), text: strings.ToLower(strings.TrimSpace(q.Get("q")))}
	if v, err := strconv.Atoi(q.Get("limit")); err == nil {
		out.limit = min(max(v, 1), maxRows)
	}
	if v, err := strconv.Atoi(q.Get("offset")); err == nil {
		out.offset = max(v, 0)
	}
	return out
}

// fits says whether a row is asked for.
func (q question) fits(r *row) bool {
	if q.group != "" && groupOf[r.state] != q.group {
		return false
	}
	if q.text == "" {
		return true
	}
	fields := []string{r.state}
	if x := r.series; x != nil {
		fields = append(fields, x.UID, x.Study, x.Modality, x.Description, x.Calling, x.Note)
	}
	if j := r.job; j != nil {
		fields = append(fields, j.ID, j.Rule, j.Reason)
	}
	return slices.ContainsFunc(fields, func(s string) bool { return strings.Contains(strings.ToLower(s), q.text) })
}

// choose gives the rows of one page.
func (q question) choose(all []*row) (rows []*row, total int) {
	for _, r := range all {
		if !q.fits(r) {
			continue
		}
		if total >= q.offset && len(rows) < q.limit {
			rows = append(rows, r)
		}
		total++
	}
	return rows, total
}

// state answers with a page of what the node knows, or that nothing has changed.
func (s *site) state(w http.ResponseWriter, r *http.Request) {
	out, err := s.stateFor(questionOf(r.URL.Query()))
	if err != nil {
		s.broken(w, "state", err)
		return
	}
	b, err := json.Marshal(out)
	if err != nil {
		s.broken(w, "state", err)
		return
	}
	sum := sha256.Sum256(b)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(b)
}

func (s *site) stateFor(q question) (*stateOf, error) {
	l, err := s.overview()
	if err != nil {
		return nil, err
	}
	bad, err := s.inQuarantine()
	if err != nil {
		return nil, err
	}
	h := s.Reconcile()
	rows, total := q.choose(l.rows)
	file, _ := s.RulesText()
	out := &stateOf{Notice: ResearchUse, Version: s.o.Version, Token: s.o.Token != "", Ready: h.Ready, Problems: append([]string{}, h.Problems...), Groups: l.groups, Total: total, Offset: q.offset,
		Rows: []rowView{}, Destinations: append([]*peer{}, l.peers...), Quarantined: len(bad), Quarantine: []reasonView{}, Rules: file}
	out.DiskFree, out.Kept = s.Disk()
	out.DiskFree = out.DiskFree >> 20 << 20 // small changes are none
	for _, r := range rows {
		out.Rows = append(out.Rows, s.rowView(r, l))
	}
	for _, x := range bad[:min(len(bad), maxReasons)] {
		out.Quarantine = append(out.Quarantine, reasonView{x.Time, x.Reason, x.From, x.Bytes, x.Command})
	}
	return out, nil
}

func (s *site) rowView(r *row, l *look) rowView {
	out := rowView{Key: r.key(), State: r.state, Active: r.active}
	if x := r.series; x != nil {
		out.UID, out.Study, out.Modality, out.Description, out.Calling, out.Called = x.UID, x.Study, x.Modality, x.Description, x.Calling, x.Called
		out.Objects, out.Images, out.New, out.Duplicates, out.Conflicts = x.Objects, x.Images, x.New, x.Duplicates, x.Conflicts
		out.Check, out.Note, out.Last = x.Even, x.Note, x.Last
	} else {
		out.Description = "uploaded sinogram"
	}
	if r.job != nil {
		v := s.jobView(r.job, l.sums[r.job.ID])
		out.Job = &v
	}
	return out
}

func (s *site) jobView(j *store.Job, d sums) jobView {
	v := jobView{ID: j.ID, Revision: j.Revision, State: j.State, Slices: j.Slices, Rule: j.Rule, Why: j.Why, Args: j.Args, Tries: j.Tries, Reason: j.Reason,
		Created: j.Created, Started: j.Started, Ended: j.Ended, Next: j.Next, Objects: j.Objects}
	if j.State == store.Running {
		v.Progress = s.Progress(j.ID)
	}
	for _, x := range d {
		v.Deliveries = append(v.Deliveries, x)
	}
	slices.SortFunc(v.Deliveries, func(a, b *sum) int { return strings.Compare(a.Destination, b.Destination) })
	return v
}
