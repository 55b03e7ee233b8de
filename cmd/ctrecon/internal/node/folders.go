package node

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/cmd/ctrecon/internal/node/store"
)

// Folders of jobs inside the data folder.
const (
	jobsDir    = "jobs"    // one a job that runs
	resultsDir = "results" // one a job that is done
)

func makeFolders(dir string) error {
	for _, d := range []string{jobsDir, resultsDir, uploadDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o750); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) path(parts ...string) string {
	return filepath.Join(append([]string{n.o.Dir}, parts...)...)
}

// syncTree brings a folder with all below it to the disk.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return spool.SyncDir(p) // a file is synced the same way
	})
}

// recover puts right what a crash has left: counts the spool, takes jobs that were
// running into the queue again, removes their folders.
func (n *Node) recover() error {
	if err := clearFolder(n.path(jobsDir)); err != nil {
		return err
	}
	if err := n.clearOrphans(); err != nil {
		return err
	}
	return n.store.Update(func(tx *store.Tx) error {
		used, err := store.Bytes(tx)
		if err != nil {
			return err
		}
		n.spool.SetUsed(used)
		if err := n.requeue(tx); err != nil {
			return err
		}
		if err := askAgain(tx); err != nil {
			return err
		}
		return endAssociations(tx, time.Now().UTC())
	})
}

// askAgain lets commitment be asked again where a report was waited for: it may have come
// while nobody was there.
func askAgain(tx *store.Tx) error {
	var all []*store.Delivery
	err := store.Outbox.Each(tx, "", func(key string, _ *store.Mark) (bool, error) {
		d, err := deliveryOf(tx, key)
		if d != nil && d.State == store.Asked {
			all = append(all, d)
		}
		return true, err
	})
	for _, d := range all {
		d.Next = time.Time{}
		if err == nil {
			err = keepDelivery(tx, d, true)
		}
	}
	return err
}

// clearFolder empties the folder of jobs. A child that a kill of the node has left may
// still write there for a moment.
func clearFolder(dir string) (err error) {
	for range 5 {
		if err = os.RemoveAll(dir); err == nil {
			return os.Mkdir(dir, 0o750)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// clearOrphans removes results without a job that is done, and uploads without a job.
func (n *Node) clearOrphans() error {
	for _, kind := range []string{resultsDir, uploadDir} {
		entries, err := os.ReadDir(n.path(kind))
		if err != nil {
			return err
		}
		for _, e := range entries {
			wanted := false
			if err := n.store.View(func(tx *store.Tx) error {
				j, ok, err := store.Jobs.Get(tx, e.Name())
				wanted = ok && (kind == uploadDir || j.State == store.Done)
				return err
			}); err != nil {
				return err
			}
			if !wanted {
				if err := os.RemoveAll(n.path(kind, e.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// patience is how often a job may be cut by a crash before its next try has to wait: it
// may be what makes the node crash.
const patience = 5

// requeue makes running jobs queued ones.
func (n *Node) requeue(tx *store.Tx) error {
	var running []*store.Job
	err := store.OpenJobs.Each(tx, "", func(id string, _ *store.Mark) (bool, error) {
		j, ok, err := store.Jobs.Get(tx, id)
		if ok && j.State == store.Running {
			running = append(running, j)
		}
		return true, err
	})
	for _, j := range running {
		j.State, j.Interrupted, j.Next = store.Queued, j.Interrupted+1, time.Time{}
		if j.Interrupted > patience {
			j.Next = n.again(j.Interrupted - patience)
		}
		if err == nil {
			err = store.Jobs.Put(tx, j.ID, j)
		}
	}
	return err
}

// keepAssociations is how many of the last associations are remembered, at least.
const keepAssociations = 5000

// endAssociations closes those that a crash has cut, and forgets the oldest.
func endAssociations(tx *store.Tx, now time.Time) error {
	cut, all := map[string]*store.Association{}, []string{}
	err := store.Associations.Each(tx, "", func(id string, a *store.Association) (bool, error) {
		if a.Ended.IsZero() {
			cut[id] = a
		}
		all = append(all, id)
		return true, nil
	})
	for id, a := range cut {
		a.Ended = now
		if err == nil {
			err = store.Associations.Put(tx, id, a)
		}
	}
	for i := 0; i < len(all)-keepAssociations && err == nil; i++ { // ids begin with the time of the start
		err = store.Associations.Delete(tx, all[i])
	}
	return err
}

// sweepAge is how old a file without a row must be: younger ones may be on their way.
const sweepAge = time.Hour

// sweep removes spooled files that were never acknowledged: a crash came between the
// file's name and its row.
func (n *Node) sweep() {
	strangers := map[string]string{} // path by name inside the data folder
	for _, kind := range []string{spool.SpoolDir, spool.ConflictDir} {
		filepath.WalkDir(n.path(kind), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !n.aged(p) || n.known(d.Name()) {
				return nil
			}
			if name, err := filepath.Rel(n.o.Dir, p); err == nil {
				strangers[name] = p
			}
			return nil
		})
	}
	if len(strangers) == 0 {
		return
	}
	defer n.lockAll()() // so that no object of the same name comes in between
	all := n.view("sweep", func(tx *store.Tx) error {
		return store.Instances.Each(tx, "", func(_ string, i *store.Instance) (bool, error) {
			delete(strangers, i.File) // its name need not begin with its UID
			for _, c := range i.Conflicts {
				delete(strangers, c)
			}
			return true, nil
		})
	})
	for name, p := range strangers {
		if all && n.aged(p) {
			n.log.Info("an object that was never acknowledged is removed", "file", filepath.Base(name))
			os.Remove(p)
		}
	}
}

func (n *Node) aged(path string) bool {
	info, err := os.Stat(path)
	return err == nil && time.Since(info.ModTime()) > sweepAge
}

// known says whether an instance has a file of this name.
func (n *Node) known(name string) (ok bool) {
	n.view("sweep", func(tx *store.Tx) error {
		i, there, err := store.Instances.Get(tx, instanceOf(name))
		if there {
			ok = filepath.Base(i.File) == name || slices.ContainsFunc(i.Conflicts, func(c string) bool { return filepath.Base(c) == name })
		}
		return err
	})
	return ok
}

// lockAll takes all stripes; the result gives them back.
func (n *Node) lockAll() (unlock func()) {
	for i := range n.stripes {
		n.stripes[i].Lock()
	}
	return func() {
		for i := range n.stripes {
			n.stripes[i].Unlock()
		}
	}
}
