package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"strings"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio"
	"ctrecon/dicomio/dimse"
)

// origin says where an object comes from.
type origin struct{ id, calling, called, address string }

func (n *Node) origin(r dimse.Remote) origin {
	return origin{n.boot + "-" + r.ID, r.Calling, r.Called, r.Addr.Addr().String()}
}

// Store takes an object from an association (dimse.Handler).
func (n *Node) Store(ctx context.Context, from dimse.Remote, r dimse.StoreRequest, data io.Reader) dimse.Status {
	begin := time.Now()
	status, size := n.take(n.origin(from), r, data)
	n.metrics.stored(status, size, time.Since(begin))
	if !status.OK() {
		n.log.Warn("object refused", "association", n.origin(from).id, "instance", loggable(r.SOPInstance), "status", fmt.Sprintf("%04X", status.Code), "reason", status.Comment)
	}
	return status
}

// loggable is a UID, or the word that it is none: a sender could put anything there.
func loggable(uid string) string {
	if dicomio.IsUID(uid) {
		return uid
	}
	return "(no UID)"
}

func (n *Node) take(o origin, r dimse.StoreRequest, data io.Reader) (dimse.Status, int64) {
	header := dimse.FileHeader(r)
	in, err := n.spool.Begin(header)
	if err != nil {
		return n.noRoom(err), 0
	}
	defer in.Discard()
	if _, err := io.Copy(in, data); err != nil {
		if in.Err() != nil {
			return n.noRoom(in.Err()), in.Size()
		}
		return dimse.Status{Code: dimse.CannotUnderstand, Comment: "the data set did not arrive whole"}, in.Size()
	}
	if err := in.Seal(); err != nil {
		return n.noRoom(err), in.Size()
	}
	return n.accept(o, in, object{sum: in.Sum(), offset: int64(len(header)), command: &r}).Status, in.Size()
}

// noRoom is the status of a disk that does not take an object: the sender should try again.
func (n *Node) noRoom(err error) dimse.Status {
	n.metrics.noRoom.Add(1)
	if !errors.Is(err, spool.ErrFull) {
		n.log.Error("an object could not be written", "error", err.Error())
		return dimse.Status{Code: dimse.OutOfResources, Comment: "the object could not be written to disk"}
	}
	return dimse.Status{Code: dimse.OutOfResources, Comment: "no room left for objects"}
}

// object is a sealed object that is to be judged.
type object struct {
	sum     string // SHA-256 of the data set
	offset  int64  // where it begins in the file
	command *dimse.StoreRequest
}

// accept checks a sealed object, keeps it and commits it to the store. After a success it
// is on disk, in the store and will not be lost.
func (n *Node) accept(o origin, in *spool.Incoming, x object) Deposited {
	h, status := n.look(o, in, x)
	if h == nil {
		return Deposited{Status: status}
	}
	d := Deposited{SOPClass: h.SOPClass, SOPInstance: h.SOPInstance, Series: h.Series}
	lock := &n.stripes[stripe(h.SOPInstance)%uint32(len(n.stripes))]
	lock.Lock()
	defer lock.Unlock()
	what, err := n.keep(o, in, x, h)
	if err != nil {
		d.Status = n.noRoom(err)
		return d
	}
	d.Duplicate, d.Conflict = what == repeated, what == conflicting
	wake(n.wakeSeries)
	return d
}

func stripe(uid string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(uid))
	return h.Sum32()
}

// look reads the header. Without one the status says why, and the object is in quarantine.
func (n *Node) look(o origin, in *spool.Incoming, x object) (*dicomio.Head, dimse.Status) {
	h, err := n.peek(in.Path())
	code, why := dimse.CannotUnderstand, ""
	switch {
	case err != nil:
		_, why, _ = strings.Cut(err.Error(), ": ") // behind the name of our temporary file
	case x.command != nil && h.SOPInstance != x.command.SOPInstance:
		code, why = dimse.DataSetMismatch, "SOP instance UID of command and data set differ"
	case x.command != nil && h.SOPClass != x.command.SOPClass:
		code, why = dimse.DataSetMismatch, "SOP class UID of command and data set differ"
	case h.Series == "" || h.Study == "":
		why = "study or series instance UID is missing"
	case strings.ContainsAny(h.SOPInstance+h.Series+h.Study, "\n\r"):
		why = "a UID with line breaks"
	default:
		return h, dimse.Status{}
	}
	n.quarantine(o, in, x, why)
	return nil, dimse.Status{Code: code, Comment: comment(why)}
}

// peek reads a header; few at a time, as each may be large.
func (n *Node) peek(path string) (*dicomio.Head, error) {
	n.peeks <- struct{}{}
	defer func() { <-n.peeks }()
	return dicomio.Peek(path)
}

// comment cuts a text to what an error comment holds.
func comment(s string) string {
	if r := []rune(s); len(r) > 64 {
		return string(r[:61]) + "..."
	}
	return s
}

func (n *Node) quarantine(o origin, in *spool.Incoming, x object, why string) {
	r := spool.Reason{Time: time.Now(), Reason: why, From: o.calling}
	if x.command != nil && dicomio.IsUID(x.command.SOPInstance) {
		r.Command = x.command.SOPInstance
	}
	sum := in.Sum()
	if err := in.Quarantine(r); err != nil {
		n.log.Error("an object could not be kept in quarantine", "error", err.Error())
	}
	n.metrics.quarantined.Add(1)
	n.note("object refused and put into quarantine", map[string]string{"association": o.id, "calling": o.calling, "sha256": sum, "reason": why})
}

// keep gives the object its name and its row.
func (n *Node) keep(o origin, in *spool.Incoming, x object, h *dicomio.Head) (what int, err error) {
	var old *store.Instance
	err = n.store.View(func(tx *store.Tx) (err error) {
		old, _, err = store.Instances.Get(tx, h.SOPInstance)
		return err
	})
	if err != nil {
		return 0, err
	}
	kind, what := spool.SpoolDir, arrived
	switch {
	case old != nil && (old.Sum == x.sum || known(old, x.sum)):
		what = repeated
	case old != nil:
		kind, what = spool.ConflictDir, conflicting
	}
	a := arrival{origin: o, head: h, what: what, now: time.Now().UTC(), size: in.Size()}
	if what != repeated {
		name, err := in.Keep(kind, uidPath(h.Series), uidPath(h.SOPInstance)+"-"+x.sum+".dcm")
		if err != nil {
			return 0, err
		}
		a.file, a.sum, a.offset = name, x.sum, x.offset
	}
	if err := n.store.Update(a.commit); err != nil {
		return 0, err
	}
	n.touch(o.id, h.Series)
	n.metrics.arrived[what].Add(1)
	if what == conflicting {
		n.log.Warn("an object whose UID is taken by other content is kept apart", "association", o.id, "instance", loggable(h.SOPInstance))
		n.note("conflicting object kept apart", map[string]string{"association": o.id, "instance": loggable(h.SOPInstance), "sha256": x.sum})
	}
	return what, nil
}

// known says whether this content is among the conflicts already.
func known(i *store.Instance, sum string) bool {
	for _, c := range i.Conflicts {
		if strings.HasSuffix(c, sum+".dcm") {
			return true
		}
	}
	return false
}

// uidPath is a UID as a name of a file; what is no UID gets one.
func uidPath(uid string) string {
	if dicomio.IsUID(uid) {
		return uid
	}
	return dicomio.UID("in place of", uid)
}

// instanceOf is the UID in the name of a spooled file.
func instanceOf(name string) string {
	uid, _, _ := strings.Cut(name, "-")
	return uid
}

// fileSum is the SHA-256 of a file from offset on.
func fileSum(path string, offset int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
