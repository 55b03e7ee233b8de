package node

import (
	"io/fs"
	"os"
	"path/filepath"
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
	for _, d := range []string{jobsDir, resultsDir} {
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
	if err := os.RemoveAll(n.path(jobsDir)); err != nil {
		return err
	}
	if err := os.Mkdir(n.path(jobsDir), 0o750); err != nil {
		return err
	}
	return n.store.Update(func(tx *store.Tx) error {
		used, err := store.Bytes(tx)
		if err != nil {
			return err
		}
		n.spool.SetUsed(used)
		if err := requeue(tx); err != nil {
			return err
		}
		return endAssociations(tx, time.Now().UTC())
	})
}

// requeue makes running jobs queued ones.
func requeue(tx *store.Tx) error {
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
	known := func(name string) (ok bool) {
		n.view("sweep", func(tx *store.Tx) error {
			return store.Instances.Each(tx, instanceOf(name), func(_ string, i *store.Instance) (bool, error) {
				ok = ok || filepath.Base(i.File) == name
				for _, c := range i.Conflicts {
					ok = ok || filepath.Base(c) == name
				}
				return !ok, nil
			})
		})
		return ok
	}
	for _, kind := range []string{spool.SpoolDir, spool.ConflictDir} {
		filepath.WalkDir(n.path(kind), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if info, err := d.Info(); err == nil && time.Since(info.ModTime()) > sweepAge && !known(d.Name()) {
				n.log.Info("an object that was never acknowledged is removed", "file", d.Name())
				os.Remove(p)
			}
			return nil
		})
	}
}
