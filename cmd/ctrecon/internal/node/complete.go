package node

import (
	"fmt"
	"math"
	"slices"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/store"
)

// gapFactor is how much longer a series waits when a slice seems to be missing.
const gapFactor = 4

// judge makes the geometric check of a series.
func judge(tx *store.Tx, s *store.Series) error {
	var heights []float64
	images := 0
	err := store.Members.Each(tx, store.Key(s.UID, ""), func(_ string, m *store.Member) (bool, error) {
		if m.Image {
			images++
			if m.Height != nil {
				heights = append(heights, *m.Height)
			}
		}
		return true, nil
	})
	s.Whole, s.Even = even(heights, images, s.Expected)
	return err
}

// even says whether slices stand at one distance and none seems to be missing.
func even(heights []float64, images, expected int) (whole bool, what string) {
	switch {
	case images < 3:
		return false, fmt.Sprintf("%d image(s): too few to see a gap", images)
	case len(heights) < images:
		return false, fmt.Sprintf("%d of %d images do not say where they are", images-len(heights), images)
	case expected > images:
		return false, fmt.Sprintf("%d of %d images that the acquisition has", images, expected)
	}
	slices.Sort(heights)
	step := (heights[len(heights)-1] - heights[0]) / float64(len(heights)-1)
	for i, h := range heights[1:] {
		if math.Abs(h-heights[i]-step) > 0.02*step+1e-3 {
			return false, "slices are not at one distance: some are missing, or stand twice at a place"
		}
	}
	if step < 1e-3 {
		return false, "all slices are at one place"
	}
	return true, fmt.Sprintf("%d slices at one distance of %.4g mm", images, step)
}

// due is when a series is taken for complete, and why. busy says that an association
// which brought objects of it is open.
func (o *Options) due(s *store.Series, busy bool) (at time.Time, why string) {
	last := s.First.Add(o.Longest)
	quiet, said := s.Last.Add(o.Quiet), "no object for "+o.Quiet.String()
	switch {
	case s.Ready != "":
		return s.First, s.Ready
	case busy:
		return last, "waited for " + o.Longest.String()
	case s.Whole && !s.Released.IsZero():
		quiet, said = s.Released.Add(min(o.Settle, o.Quiet)), "association ended, "+s.Even
	case s.Even != "" && !s.Whole && s.Images >= 3:
		quiet, said = s.Last.Add(gapFactor*o.Quiet), fmt.Sprintf("no object for %v, although %s", gapFactor*o.Quiet, s.Even)
	}
	if last.Before(quiet) {
		return last, "waited for " + o.Longest.String()
	}
	return quiet, said
}

// startSeries makes jobs of the series that are complete, and says when to look again.
func (n *Node) startSeries() time.Duration {
	now := time.Now()
	next := longestNap
	ready := map[string]string{}
	var ahead []string
	n.view("waiting series", func(tx *store.Tx) error {
		return store.Waiting.Each(tx, "", func(uid string, _ *store.Mark) (bool, error) {
			s, ok, err := store.SeriesTable.Get(tx, uid)
			if err != nil || !ok {
				return true, err
			}
			if s.Last.After(now) {
				ahead = append(ahead, uid)
			}
			at, why := n.o.due(s, n.busy(uid))
			if at.After(now) {
				next = min(next, at.Sub(now))
			} else {
				ready[uid] = why
			}
			return true, nil
		})
	})
	n.clockBack(ahead, now)
	for uid, why := range ready {
		if err := n.plan(uid, why); err != nil {
			n.log.Error("no job could be made of a series", "series", loggable(uid), "error", err.Error())
		}
	}
	return next
}

// clockBack sets arrivals that lie ahead of the clock to now: it was put back.
func (n *Node) clockBack(uids []string, now time.Time) {
	if len(uids) == 0 {
		return
	}
	n.update("clock", func(tx *store.Tx) error {
		for _, uid := range uids {
			s, ok, err := store.SeriesTable.Get(tx, uid)
			if err != nil || !ok {
				return err
			}
			s.First, s.Last = earlier(s.First, now.UTC()), now.UTC()
			s.Released = earlier(s.Released, now.UTC())
			if err := store.SeriesTable.Put(tx, uid, s); err != nil {
				return err
			}
		}
		return nil
	})
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
