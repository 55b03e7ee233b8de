package node

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
)

// publish brings a result to the disk, gives it its place, and in one transaction settles
// the job and makes its deliveries. A crash in between leaves a result without a done
// job, which the next try replaces; nothing of it was sent.
func (n *Node) publish(j *store.Job, out string) error {
	if err := syncTree(out); err != nil {
		return err
	}
	objects, err := resultObjects(out)
	if err != nil {
		return err
	}
	final := n.path(resultsDir, j.ID)
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	if err := os.Rename(out, final); err != nil {
		return err
	}
	if err := spool.SyncDir(n.path(resultsDir)); err != nil {
		return err
	}
	settled := false
	err = n.store.Update(func(tx *store.Tx) error {
		now, ok, err := store.Jobs.Get(tx, j.ID)
		if err != nil || !ok || now.State != store.Running {
			return err // cancelled meanwhile
		}
		settled, now.Reason, now.Objects = true, "", len(objects)
		if err := settle(tx, now, store.Done); err != nil {
			return err
		}
		return deliver(tx, now, objects)
	})
	if err != nil {
		return err
	}
	if !settled {
		return os.RemoveAll(final)
	}
	n.log.Info("job done", "job", j.ID, "objects", len(objects), "destinations", len(j.Destinations))
	n.note("job done", map[string]string{"job": j.ID, "series": loggable(j.Series), "objects": strconv.Itoa(len(objects)), "destinations": strings.Join(j.Destinations, " ")})
	wake(n.wakeOut)
	return nil
}

// resultObjects finds the DICOM objects of a result; File is relative to it.
func resultObjects(dir string) ([]dimse.Object, error) {
	var out []dimse.Object
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.EqualFold(filepath.Ext(p), ".dcm") {
			return err
		}
		o, err := dimse.ReadObject(p)
		if err != nil {
			return err
		}
		if o.Path, err = filepath.Rel(dir, p); err != nil {
			return err
		}
		out = append(out, o)
		return nil
	})
	return out, err
}

// deliver makes the deliveries of a job that is done.
func deliver(tx *store.Tx, j *store.Job, objects []dimse.Object) error {
	for _, to := range j.Destinations {
		for _, o := range objects {
			d := &store.Delivery{Job: j.ID, Destination: to, Instance: o.SOPInstance, Class: o.SOPClass,
				File: filepath.Join(resultsDir, j.ID, o.Path), State: store.Queued, Created: time.Now().UTC()}
			if err := keepDelivery(tx, d, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepDelivery stores a delivery; open says that something is still to be done.
func keepDelivery(tx *store.Tx, d *store.Delivery, open bool) error {
	key := store.Key(d.Destination, d.Job, d.Instance)
	var err error
	if open {
		err = store.Outbox.Put(tx, key, &store.Mark{})
	} else {
		err = store.Outbox.Delete(tx, key)
	}
	if err != nil {
		return err
	}
	return store.Deliveries.Put(tx, store.Key(d.Job, d.Destination, d.Instance), d)
}
