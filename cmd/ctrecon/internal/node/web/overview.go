package web

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/cmd/ctrecon/internal/node/store"
)

// How long what was read is shown, so that many pages cost as much as one.
const (
	fresh           = time.Second
	freshQuarantine = 5 * time.Second
)

// overview keeps the last look at the whole store.
type overview struct {
	mu      sync.Mutex
	at      time.Time
	last    *look
	settled map[string]sums // of jobs of which nothing is on its way: they change by hand alone

	quarantineAt time.Time
	quarantine   []spool.Reason
}

// look is what the store said at one moment.
type look struct {
	rows   []*row // the one with the newest event first
	groups map[string]int
	sums   map[string]sums // by job
	peers  []*peer
}

// row is a series, or an upload, with its last job.
type row struct {
	series *store.Series // nil: an upload
	job    *store.Job    // nil: none was made
	state  string
	active time.Time
}

// States of a row beside those of jobs.
const (
	receiving      = "receiving"
	delivering     = "delivering"
	deliveryFailed = "delivery failed"
	kept           = "kept"
)

// Groups of states on the page.
const (
	inWork    = "work"
	attention = "attention"
	finished  = "done"
	others    = "other"
)

var groupOf = map[string]string{receiving: inWork, store.Queued: inWork, store.Running: inWork, delivering: inWork,
	store.Failed: attention, deliveryFailed: attention, store.Done: finished, kept: others, store.Cancelled: others, store.Superseded: others}

// sums are the deliveries of a job by destination.
type sums map[string]*sum

type sum struct {
	Destination string    `json:"destination"`
	Sent        int       `json:"sent"`
	Committed   int       `json:"committed,omitempty"`
	Waiting     int       `json:"waiting,omitempty"`
	Failed      int       `json:"failed,omitempty"`
	Status      string    `json:"status,omitempty"` // of the last that did not arrive
	Next        time.Time `json:"next,omitzero"`    // when the next try is
}

// peer is a destination.
type peer struct {
	Name    string    `json:"name"`
	Address string    `json:"address,omitempty"`
	Commit  bool      `json:"commit,omitempty"` // storage commitment is asked for
	Sent    int       `json:"sent"`
	Waiting int       `json:"waiting"`
	Failed  int       `json:"failed"`
	Status  string    `json:"status,omitempty"`
	Next    time.Time `json:"next,omitzero"`
}

// forget makes the next question look anew.
func (v *overview) forget() { v.changed("") }

// changed says that somebody has done something with a job.
func (v *overview) changed(job string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at = time.Time{}
	delete(v.settled, job)
}

// overview is a look that is not older than a second.
func (s *site) overview() (*look, error) {
	v := &s.view
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last != nil && time.Since(v.at) < fresh {
		return v.last, nil
	}
	l := &look{groups: map[string]int{}}
	err := s.View(func(tx *store.Tx) error {
		jobs, err := allJobs(tx)
		if err != nil {
			return err
		}
		if l.sums, err = v.deliveries(tx, jobs); err != nil {
			return err
		}
		return l.fill(tx, jobs)
	})
	if err != nil {
		return nil, err
	}
	l.peers = s.peerList(l.sums)
	v.last, v.at = l, time.Now()
	return l, nil
}

func allJobs(tx *store.Tx) (map[string]*store.Job, error) {
	out := map[string]*store.Job{}
	err := store.Jobs.Each(tx, "", func(id string, j *store.Job) (bool, error) {
		out[id] = j
		return true, nil
	})
	return out, err
}

// deliveries sums up those of all jobs. Only what is on its way is counted again.
func (v *overview) deliveries(tx *store.Tx, jobs map[string]*store.Job) (map[string]sums, error) {
	moving := map[string]bool{}
	if err := store.Outbox.Each(tx, "", func(key string, _ *store.Mark) (bool, error) {
		if p := store.Parts(key); len(p) == 3 {
			moving[p[1]] = true
		}
		return true, nil
	}); err != nil {
		return nil, err
	}
	out, settled := map[string]sums{}, map[string]sums{}
	for id, j := range jobs {
		if j.State != store.Done || len(j.Destinations) == 0 {
			continue
		}
		x, known := v.settled[id]
		if !known || moving[id] {
			var err error
			if x, err = sumUp(tx, id); err != nil {
				return nil, err
			}
		}
		if out[id] = x; !moving[id] {
			settled[id] = x
		}
	}
	v.settled = settled
	return out, nil
}

func sumUp(tx *store.Tx, job string) (sums, error) {
	out := sums{}
	err := store.Deliveries.Each(tx, store.Key(job, ""), func(_ string, d *store.Delivery) (bool, error) {
		x := out[d.Destination]
		if x == nil {
			x = &sum{Destination: d.Destination}
			out[d.Destination] = x
		}
		x.add(d)
		return true, nil
	})
	return out, err
}

func (x *sum) add(d *store.Delivery) {
	switch d.State {
	case store.Committed:
		x.Committed++
		x.Sent++
	case store.Sent, store.Asked:
		x.Sent++
	case store.Failed:
		x.Failed++
		x.Status = d.Status
	default:
		x.Waiting++
		if x.Next.IsZero() || d.Next.Before(x.Next) {
			x.Next = d.Next
		}
		if x.Failed == 0 && d.Status != "" {
			x.Status = d.Status
		}
	}
}

// fill makes the rows.
func (l *look) fill(tx *store.Tx, jobs map[string]*store.Job) error {
	err := store.SeriesTable.Each(tx, "", func(_ string, x *store.Series) (bool, error) {
		l.rows = append(l.rows, &row{series: x, job: jobs[x.Job]})
		return true, nil
	})
	for _, j := range jobs {
		if j.Series == "" {
			l.rows = append(l.rows, &row{job: j})
		}
	}
	for _, r := range l.rows {
		r.judge(l.sums)
		l.groups[groupOf[r.state]]++
	}
	slices.SortFunc(l.rows, func(a, b *row) int {
		if c := b.active.Compare(a.active); c != 0 {
			return c
		}
		return strings.Compare(a.key(), b.key())
	})
	return err
}

// key is the series, or the upload's job.
func (r *row) key() string {
	if r.series != nil {
		return r.series.UID
	}
	return r.job.ID
}

// judge finds the state and the time of the last event.
func (r *row) judge(all map[string]sums) {
	if r.series != nil {
		r.active = r.series.Last
	}
	if j := r.job; j != nil {
		for _, t := range []time.Time{j.Created, j.Started, j.Ended} {
			if t.After(r.active) {
				r.active = t
			}
		}
	}
	switch {
	case r.series != nil && r.series.New > 0:
		r.state = receiving
	case r.job == nil:
		r.state = kept
	case r.job.State == store.Done:
		r.state = all[r.job.ID].state()
	default:
		r.state = r.job.State
	}
}

// state of a job that is done, by its deliveries.
func (x sums) state() string {
	out := store.Done
	for _, d := range x {
		if d.Failed > 0 {
			return deliveryFailed
		}
		if d.Waiting > 0 {
			out = delivering
		}
	}
	return out
}

// peerList are the destinations that the rules name, and those of the past.
func (s *site) peerList(all map[string]sums) []*peer {
	by := map[string]*peer{}
	for _, p := range s.Peers() {
		by[p.Name] = &peer{Name: p.Name, Address: p.Address, Commit: p.Commit}
	}
	for _, x := range all {
		for name, d := range x {
			if by[name] == nil {
				by[name] = &peer{Name: name}
			}
			by[name].add(d)
		}
	}
	return slices.SortedFunc(maps.Values(by), func(a, b *peer) int { return strings.Compare(a.Name, b.Name) })
}

func (p *peer) add(d *sum) {
	p.Sent, p.Waiting, p.Failed = p.Sent+d.Sent, p.Waiting+d.Waiting, p.Failed+d.Failed
	if d.Waiting > 0 && (p.Next.IsZero() || d.Next.Before(p.Next)) {
		p.Next = d.Next
	}
	if d.Status != "" && (p.Status == "" || d.Waiting > 0) {
		p.Status = d.Status
	}
}

// inQuarantine is what lies there, not older than a few seconds.
func (s *site) inQuarantine() ([]spool.Reason, error) {
	v := &s.view
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.quarantineAt.IsZero() && time.Since(v.quarantineAt) < freshQuarantine {
		return v.quarantine, nil
	}
	all, err := s.Quarantine()
	if err == nil {
		v.quarantine, v.quarantineAt = all, time.Now()
	}
	return all, err
}
