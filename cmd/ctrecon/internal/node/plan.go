package node

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/rules"
	"ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio"
)

// ErrUnknown says that there is nothing of this name.
var ErrUnknown = errors.New("there is none of this name")

// member is an image of a series that a job is made of.
type member struct {
	uid  string
	inst *store.Instance
}

// plan makes a job of a series by the first rule that fits, or notes why none is made.
func (n *Node) plan(uid, why string) error {
	var s *store.Series
	var images []member
	err := n.store.View(func(tx *store.Tx) (err error) {
		if s, images, err = imagesOf(tx, uid); err == nil && s == nil {
			err = ErrUnknown
		}
		return err
	})
	if err != nil {
		return err
	}
	rule, note := n.choose(s, images)
	var made *store.Job
	err = n.store.Update(func(tx *store.Tx) error {
		now, ok, err := store.SeriesTable.Get(tx, uid)
		if err != nil || !ok || now.Objects != s.Objects || now.New == 0 {
			return err // an object came in between: its time begins again
		}
		now.New, now.Note, now.Ready = 0, note, ""
		if rule != nil {
			if made, err = n.revise(tx, now, rule, why, images); err != nil {
				return err
			}
		}
		if err := store.Waiting.Delete(tx, uid); err != nil {
			return err
		}
		return store.SeriesTable.Put(tx, uid, now)
	})
	if err == nil && made != nil {
		n.log.Info("job made", "job", made.ID, "series", loggable(uid), "revision", made.Revision, "slices", made.Slices, "rule", made.Rule, "why", why)
		n.note("job made", map[string]string{"job": made.ID, "series": loggable(uid), "rule": made.Rule, "input": made.Input})
		wake(n.wakeJobs)
	}
	return err
}

// imagesOf are the images of a series in the order of their places.
func imagesOf(tx *store.Tx, uid string) (*store.Series, []member, error) {
	s, ok, err := store.SeriesTable.Get(tx, uid)
	if err != nil || !ok {
		return nil, nil, err
	}
	var out []member
	heights := map[string]float64{}
	prefix := store.Key(uid, "")
	err = store.Members.Each(tx, prefix, func(key string, m *store.Member) (bool, error) {
		id := strings.TrimPrefix(key, prefix)
		if !m.Image {
			return true, nil
		}
		i, ok, err := store.Instances.Get(tx, id)
		if ok {
			out = append(out, member{id, i})
		}
		if m.Height != nil {
			heights[id] = *m.Height
		}
		return true, err
	})
	slices.SortFunc(out, func(a, b member) int {
		return cmp.Or(cmp.Compare(heights[a.uid], heights[b.uid]), cmp.Compare(a.uid, b.uid))
	})
	return s, out, err
}

// Choose finds the rule of a series. note says why there is none; why tells of each rule
// that was looked at. ours says that the series is a result of this program.
func Choose(set *rules.Set, x rules.Subject, ours bool) (rule *rules.Rule, why []string, note string) {
	switch {
	case ours:
		return nil, nil, "a result of this program: kept, not reconstructed"
	case x.Slices == 0:
		return nil, nil, "no CT image in it: kept, not reconstructed"
	}
	rule, why = set.Match(x)
	switch {
	case rule == nil:
		return nil, why, "no rule fits: " + strings.Join(why, "; ")
	case rule.Ignore:
		return nil, why, "rule " + rule.Name + ": kept, not reconstructed"
	}
	return rule, why, ""
}

// choose finds the rule of a series; without one note says why.
func (n *Node) choose(s *store.Series, images []member) (rule *rules.Rule, note string) {
	x := rules.Subject{Calling: s.Calling, Called: s.Called, Slices: len(images)}
	if len(images) > 0 {
		h, err := dicomio.Peek(n.spool.Path(images[0].inst.File))
		if err != nil {
			return nil, "its first object cannot be read any more: " + err.Error()
		}
		x.Text = h.Text
	}
	rule, _, note = Choose(n.rules.Load(), x, s.Ours)
	return rule, note
}

// revise makes the next revision of a series, unless a former one has the same input and
// settings, and so the same images.
func (n *Node) revise(tx *store.Tx, s *store.Series, r *rules.Rule, why string, images []member) (*store.Job, error) {
	j, in := newJob(s, r, why, images)
	same, err := sameJob(tx, j, r.Args())
	if err != nil || same != "" {
		s.Note = "nothing has changed since job " + same
		return nil, err
	}
	if err := supersede(tx, s.Job); err != nil {
		return nil, err
	}
	s.Revision, s.Job = j.Revision, j.ID
	return j, putJob(tx, j, r, r.Args(), in)
}

// sameJob is a job of the series that is done, runs or waits, with the same input and
// arguments, "" for none.
func sameJob(tx *store.Tx, j *store.Job, args []string) (id string, err error) {
	prefix := j.ID[:strings.LastIndex(j.ID, "-")+1]
	err = store.Jobs.Each(tx, prefix, func(_ string, x *store.Job) (bool, error) {
		if x.Input == j.Input && slices.Equal(x.Args, args) && (x.Open() || x.State == store.Done) {
			id = x.ID
		}
		return id == "", nil
	})
	return id, err
}

// newJob is the next job of a series, with its input.
func newJob(s *store.Series, r *rules.Rule, why string, images []member) (*store.Job, *store.Input) {
	sum := sha256.New()
	in := &store.Input{}
	for i, m := range images {
		fmt.Fprintln(sum, m.uid, m.inst.Sum)
		in.Files = append(in.Files, store.InputFile{Name: fmt.Sprintf("series/%05d.dcm", i+1), File: m.inst.File, Sum: m.inst.Sum, Offset: m.inst.Offset})
	}
	hash := hex.EncodeToString(sum.Sum(nil))
	id := sha256.Sum256([]byte(s.UID))
	next := s.Revision + 1
	return &store.Job{ID: fmt.Sprintf("%x-r%d", id[:5], next), Series: s.UID, Revision: next, Slices: len(images), Input: hash, Why: why}, in
}

// putJob stores a new job with its input.
func putJob(tx *store.Tx, j *store.Job, r *rules.Rule, args []string, in *store.Input) error {
	j.Rule, j.Destinations, j.Priority, j.Args = r.Name, r.Destinations, r.Priority, args
	j.State, j.Created = store.Queued, time.Now().UTC().Truncate(time.Second)
	if err := store.Inputs.Put(tx, j.ID, in); err != nil {
		return err
	}
	if err := store.OpenJobs.Put(tx, j.ID, &store.Mark{}); err != nil {
		return err
	}
	return store.Jobs.Put(tx, j.ID, j)
}

// supersede takes a queued job back.
func supersede(tx *store.Tx, id string) error {
	j, ok, err := store.Jobs.Get(tx, id)
	if id == "" || err != nil || !ok || j.State != store.Queued {
		return err
	}
	j.Reason = "more slices came before it ran"
	return settle(tx, j, store.Superseded)
}

// settle gives a job its last state.
func settle(tx *store.Tx, j *store.Job, state string) error {
	j.State, j.Ended = state, time.Now().UTC()
	if err := store.OpenJobs.Delete(tx, j.ID); err != nil {
		return err
	}
	return store.Jobs.Put(tx, j.ID, j)
}

// StartSeries takes a series for complete. One that no job waits for any more is looked at
// again: the rules may have changed.
func (n *Node) StartSeries(uid, why string) error {
	err := n.store.Update(func(tx *store.Tx) error {
		s, ok, err := store.SeriesTable.Get(tx, uid)
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("series: %w", ErrUnknown)
		case s.New == 0:
			s.New, s.First = s.Objects, time.Now().UTC()
		}
		s.Ready = why
		if err := store.Waiting.Put(tx, uid, &store.Mark{}); err != nil {
			return err
		}
		return store.SeriesTable.Put(tx, uid, s)
	})
	wake(n.wakeSeries)
	return err
}
