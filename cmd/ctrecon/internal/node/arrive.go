package node

import (
	"strconv"
	"strings"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio"
	"ctrecon/dicomio/dimse"
)

// What an object turned out to be.
const (
	arrived     = iota // new
	repeated           // here already, the same bytes
	conflicting        // its UID is taken by other content
	outcomes
)

var outcomeNames = [outcomes]string{"new", "repeated", "conflicting"}

// arrival is one object that is to be committed.
type arrival struct {
	origin origin
	head   *dicomio.Head
	what   int
	now    time.Time
	file   string
	sum    string
	offset int64
	size   int64
}

// commit writes instance, series and association.
func (a arrival) commit(tx *store.Tx) error {
	if err := a.association(tx); err != nil {
		return err
	}
	s, ok, err := store.SeriesTable.Get(tx, a.head.Series)
	if err != nil {
		return err
	}
	if !ok {
		s = a.newSeries()
	}
	switch a.what {
	case arrived:
		err = a.arrive(tx, s)
	case repeated:
		s.Duplicates++
	case conflicting:
		s.Conflicts++
		err = a.conflict(tx)
	}
	if err != nil {
		return err
	}
	return store.SeriesTable.Put(tx, s.UID, s)
}

func (a arrival) newSeries() *store.Series {
	expected, _ := strconv.Atoi(a.head.Text("ImagesInAcquisition"))
	return &store.Series{UID: a.head.Series, Study: a.head.Study, Modality: a.head.Text("Modality"), Description: a.head.Text("SeriesDescription"),
		Calling: a.origin.calling, Called: a.origin.called, Expected: max(0, expected), Ours: a.head.Ours()}
}

// arrive adds a new object to its series, which waits from now on.
func (a arrival) arrive(tx *store.Tx, s *store.Series) error {
	m := &store.Member{Image: a.head.Image()}
	if mm, ok := a.head.Height(); ok {
		m.Height = &mm
	}
	if s.New == 0 {
		s.First = a.now
	}
	s.Objects, s.New, s.Bytes, s.Last = s.Objects+1, s.New+1, s.Bytes+a.size, a.now
	s.Released, s.Even, s.Whole, s.Ready, s.Note = time.Time{}, "", false, "", ""
	if m.Image {
		s.Images++
	}
	if err := store.Instances.Put(tx, a.head.SOPInstance, &store.Instance{Class: a.head.SOPClass, Series: s.UID, Syntax: a.head.TransferSyntax,
		Sum: a.sum, File: a.file, Offset: a.offset, Bytes: a.size, Arrived: a.now, From: a.origin.id}); err != nil {
		return err
	}
	if err := store.Members.Put(tx, store.Key(s.UID, a.head.SOPInstance), m); err != nil {
		return err
	}
	if err := store.AddBytes(tx, a.size); err != nil {
		return err
	}
	return store.Waiting.Put(tx, s.UID, &store.Mark{})
}

// conflict adds the file to the instance whose UID it has.
func (a arrival) conflict(tx *store.Tx) error {
	i, ok, err := store.Instances.Get(tx, a.head.SOPInstance)
	if err != nil || !ok {
		return err
	}
	i.Conflicts = append(i.Conflicts, a.file)
	if err := store.AddBytes(tx, a.size); err != nil {
		return err
	}
	return store.Instances.Put(tx, a.head.SOPInstance, i)
}

func (a arrival) association(tx *store.Tx) error {
	x, ok, err := store.Associations.Get(tx, a.origin.id)
	if err != nil {
		return err
	}
	if !ok {
		x = &store.Association{Calling: a.origin.calling, Called: a.origin.called, Address: a.origin.address, Begun: a.now}
	}
	x.Objects++
	x.Bytes += a.size
	return store.Associations.Put(tx, a.origin.id, x)
}

// touch remembers that an open association brings objects of a series.
func (n *Node) touch(id, series string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open[id] == nil {
		n.open[id] = map[string]bool{}
	}
	n.open[id][series] = true
}

// busy says whether an open association has brought objects of the series.
func (n *Node) busy(series string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.open {
		if s[series] {
			return true
		}
	}
	return false
}

// Ended takes the end of an association (dimse.Handler).
func (n *Node) Ended(from dimse.Remote, released bool) { n.ended(n.origin(from), released) }

func (n *Node) ended(o origin, released bool) {
	n.mu.Lock()
	touched := n.open[o.id]
	delete(n.open, o.id)
	n.mu.Unlock()
	if touched == nil {
		return
	}
	now := time.Now().UTC()
	var a *store.Association
	n.update("end of an association", func(tx *store.Tx) (err error) {
		var ok bool
		if a, ok, err = store.Associations.Get(tx, o.id); err != nil || !ok {
			return err
		}
		a.Ended, a.Clean = now, released
		for uid := range touched {
			if err := n.endOf(tx, uid, now, released); err != nil {
				return err
			}
		}
		return store.Associations.Put(tx, o.id, a)
	})
	if a != nil {
		n.note("objects received", map[string]string{"association": o.id, "calling": o.calling, "called": o.called, "address": o.address,
			"objects": strconv.Itoa(a.Objects), "released": strconv.FormatBool(released), "series": strings.Join(someOf(touched), " ")})
		n.log.Info("association ended", "association", o.id, "objects", a.Objects, "bytes", a.Bytes, "released", released)
	}
	wake(n.wakeSeries)
}

// someOf are the UIDs of a set, up to 100.
func someOf(set map[string]bool) []string {
	var out []string
	for uid := range set {
		if len(out) == 100 {
			return append(out, "...")
		}
		out = append(out, loggable(uid))
	}
	return out
}

// endOf notes the end of an association in one of its series, when no other is open.
func (n *Node) endOf(tx *store.Tx, uid string, now time.Time, released bool) error {
	s, ok, err := store.SeriesTable.Get(tx, uid)
	if err != nil || !ok || s.New == 0 || n.busy(uid) {
		return err
	}
	if released {
		s.Released = now
	}
	if err := judge(tx, s); err != nil {
		return err
	}
	return store.SeriesTable.Put(tx, uid, s)
}
