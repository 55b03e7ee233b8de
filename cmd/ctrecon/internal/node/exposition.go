package node

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/store"
)

// exposition is text for Prometheus.
type exposition struct{ b bytes.Buffer }

func (e *exposition) head(name, kind, help string) {
	fmt.Fprintf(&e.b, "# HELP ctrecon_%s %s\n# TYPE ctrecon_%s %s\n", name, help, name, kind)
}

func (e *exposition) number(name, kind, help string, v float64) {
	e.head(name, kind, help)
	fmt.Fprintf(&e.b, "ctrecon_%s %s\n", name, strconv.FormatFloat(v, 'g', -1, 64))
}

// labelled writes one value a label, in the order of labels.
func (e *exposition) labelled(name, kind, help, label string, values map[string]int64) {
	e.head(name, kind, help)
	for _, k := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&e.b, "ctrecon_%s{%s=%q} %d\n", name, label, k, values[k])
	}
}

func (e *exposition) histogram(name, help string, h *histogram) {
	e.head(name, "histogram", help)
	var n int64
	for i := range h.counts {
		n += h.counts[i].Load()
		le := "+Inf"
		if i < len(bounds) {
			le = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		fmt.Fprintf(&e.b, "ctrecon_%s_bucket{le=%q} %d\n", name, le, n)
	}
	fmt.Fprintf(&e.b, "ctrecon_%s_sum %g\nctrecon_%s_count %d\n", name, time.Duration(h.sum.Load()).Seconds(), name, n)
}

// WriteMetrics writes the state of the node as text for Prometheus.
func (n *Node) WriteMetrics(w io.Writer) error {
	q, err := n.queues()
	if err != nil {
		return err
	}
	e := &exposition{}
	n.counted(e)
	n.measured(e, q)
	_, err = w.Write(e.b.Bytes())
	return err
}

// counted are the counters of this run.
func (n *Node) counted(e *exposition) {
	m := &n.metrics
	objects, jobs := map[string]int64{}, map[string]int64{}
	for i, name := range outcomeNames {
		objects[name] = m.arrived[i].Load()
	}
	for i, name := range verdictNames {
		jobs[name] = m.jobs[i].Load()
	}
	e.labelled("objects_total", "counter", "objects taken, by what they were", "kind", objects)
	e.labelled("stores_total", "counter", "C-STORE requests answered", "answer", map[string]int64{"accepted": m.accepted.Load(), "refused": m.refused.Load()})
	e.number("received_bytes_total", "counter", "bytes of accepted C-STORE requests", float64(m.bytes.Load()))
	e.number("quarantined_total", "counter", "objects that were not understood", float64(m.quarantined.Load()))
	e.number("no_room_total", "counter", "objects refused for want of disk", float64(m.noRoom.Load()))
	e.number("audit_errors_total", "counter", "audit events that could not be written", float64(m.auditErrors.Load()))
	e.number("reload_errors_total", "counter", "rules that could not be read again", float64(m.reloadErrors.Load()))
	e.histogram("store_seconds", "from the request to the answer of a C-STORE", &m.answer)
	e.labelled("job_tries_total", "counter", "tries of jobs, by how they ended", "end", jobs)
	e.histogram("job_seconds", "time of a try of a job", &m.jobTime)
	e.labelled("sent_total", "counter", "objects that a destination has taken", "destination", m.sent.all())
	e.labelled("send_errors_total", "counter", "tries to deliver an object that failed", "destination", m.sendErrors.all())
}

// measured are the gauges.
func (n *Node) measured(e *exposition, q queues) {
	e.number("series_waiting", "gauge", "series with objects that no job has taken", float64(q.waiting))
	e.labelled("jobs_open", "gauge", "jobs that are not settled", "state", map[string]int64{store.Queued: q.queued, store.Running: q.running})
	e.number("job_oldest_seconds", "gauge", "age of the oldest queued job", q.oldest.Seconds())
	e.labelled("outbox", "gauge", "objects on their way to a destination", "destination", q.outbox)
	e.number("commitments_open", "gauge", "requests of storage commitment without a report", float64(q.commitments))
	e.number("spool_bytes", "gauge", "bytes of received objects", float64(n.spool.Used()))
	e.number("disk_free_bytes", "gauge", "bytes left on the disk", float64(n.spool.Free()))
	e.number("quarantine_objects", "gauge", "objects in quarantine", float64(n.spool.Quarantined()))
}

// queues is how much work waits.
type queues struct {
	waiting, queued, running, commitments int64
	oldest                                time.Duration
	outbox                                map[string]int64
}

func (n *Node) queues() (q queues, err error) {
	q.outbox = map[string]int64{}
	now := time.Now()
	err = n.store.View(func(tx *store.Tx) error {
		q.waiting = int64(store.Waiting.Len(tx))
		if err := store.OpenJobs.Each(tx, "", func(id string, _ *store.Mark) (bool, error) {
			j, ok, err := store.Jobs.Get(tx, id)
			switch {
			case err != nil || !ok:
			case j.State == store.Running:
				q.running++
			default:
				q.queued++
				q.oldest = max(q.oldest, now.Sub(j.Created))
			}
			return true, err
		}); err != nil {
			return err
		}
		if err := store.Outbox.Each(tx, "", func(key string, _ *store.Mark) (bool, error) {
			q.outbox[store.Parts(key)[0]]++
			return true, nil
		}); err != nil {
			return err
		}
		return store.Commitments.Each(tx, "", func(_ string, c *store.Commitment) (bool, error) {
			if c.State == store.Queued {
				q.commitments++
			}
			return true, nil
		})
	})
	return q, err
}
