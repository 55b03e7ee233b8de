package node

import (
	"context"
	"os"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/store"
)

// retainEvery is between two looks for what is old enough to go.
const retainEvery = 10 * time.Minute

// retain removes results and received objects that are older than Options.Keep, as long
// as nothing is still to be done with them.
func (n *Node) retain(ctx context.Context) {
	if n.o.Keep <= 0 {
		return
	}
	for ctx.Err() == nil {
		n.retainOnce(time.Now().Add(-n.o.Keep))
		select {
		case <-ctx.Done():
		case <-time.After(retainEvery):
		}
	}
}

func (n *Node) retainOnce(before time.Time) {
	for _, id := range n.oldJobs(before) {
		n.forgetJob(id)
	}
	for _, uid := range n.oldSeries(before) {
		n.forgetSeries(uid)
	}
}

// oldJobs are the jobs that ended before a time and whose deliveries have all arrived. A
// failed one waits for somebody to look at it.
func (n *Node) oldJobs(before time.Time) (out []string) {
	n.view("old jobs", func(tx *store.Tx) error {
		return store.Jobs.Each(tx, "", func(id string, j *store.Job) (bool, error) {
			if j.Open() || j.State == store.Failed || !j.Ended.Before(before) {
				return true, nil
			}
			arrived, err := allArrived(tx, id)
			if arrived && err == nil {
				out = append(out, id)
			}
			return true, err
		})
	})
	return out
}

// allArrived says whether all deliveries of a job were made.
func allArrived(tx *store.Tx, job string) (ok bool, err error) {
	ok = true
	err = store.Deliveries.Each(tx, store.Key(job, ""), func(_ string, d *store.Delivery) (bool, error) {
		_, open, err := store.Outbox.Get(tx, store.Key(d.Destination, d.Job, d.Instance))
		ok = !open && d.State != store.Failed
		return ok, err
	})
	return ok, err
}

// forgetJob removes a job: first its rows, so that what a crash leaves is a folder that
// nobody knows, and not a row without one.
func (n *Node) forgetJob(id string) {
	var own int64
	if !n.update("old job", func(tx *store.Tx) error {
		in, ok, err := store.Inputs.Get(tx, id)
		if err != nil {
			return err
		}
		if ok && in.Bytes > 0 {
			own = in.Bytes
			if err := store.AddBytes(tx, -own); err != nil {
				return err
			}
		}
		var keys []string
		if err := store.Deliveries.Each(tx, store.Key(id, ""), func(key string, _ *store.Delivery) (bool, error) {
			keys = append(keys, key)
			return true, nil
		}); err != nil {
			return err
		}
		for _, k := range keys {
			if err := store.Deliveries.Delete(tx, k); err != nil {
				return err
			}
		}
		if err := store.Inputs.Delete(tx, id); err != nil {
			return err
		}
		return store.Jobs.Delete(tx, id)
	}) {
		return
	}
	os.RemoveAll(n.path(resultsDir, id))
	os.RemoveAll(n.path(uploadDir, id))
	n.spool.Freed(own)
	n.note("result removed after its time", map[string]string{"job": id})
}

// oldSeries are the series whose last object came before a time and that no job has use
// for any more.
func (n *Node) oldSeries(before time.Time) (out []string) {
	n.view("old series", func(tx *store.Tx) error {
		used := map[string]bool{}
		if err := store.Jobs.Each(tx, "", func(_ string, j *store.Job) (bool, error) {
			used[j.Series] = true
			return true, nil
		}); err != nil {
			return err
		}
		return store.SeriesTable.Each(tx, "", func(uid string, s *store.Series) (bool, error) {
			if !used[uid] && s.New == 0 && s.Last.Before(before) && !n.busy(uid) {
				out = append(out, uid)
			}
			return true, nil
		})
	})
	return out
}

// forgetSeries removes a series with its objects.
func (n *Node) forgetSeries(uid string) {
	gone := map[string]int64{}
	defer n.lockAll()() // an object that comes again has the same file
	if !n.update("old series", func(tx *store.Tx) error {
		s, ok, err := store.SeriesTable.Get(tx, uid)
		if err != nil || !ok || s.New > 0 {
			return err
		}
		return forget(tx, s, gone, n.path())
	}) {
		return
	}
	for file, size := range gone {
		if err := n.spool.Remove(file, size); err != nil {
			n.log.Error("an object could not be removed after its time", "error", err.Error())
		}
	}
	n.note("objects removed after their time", map[string]string{"series": loggable(uid)})
}

// forget deletes the rows of a series; gone gets its files with their sizes.
func forget(tx *store.Tx, s *store.Series, gone map[string]int64, dir string) error {
	var keys []string
	if err := store.Members.Each(tx, store.Key(s.UID, ""), func(key string, _ *store.Member) (bool, error) {
		keys = append(keys, key)
		return true, nil
	}); err != nil {
		return err
	}
	var bytes int64
	for _, k := range keys {
		id := store.Parts(k)[1]
		i, ok, err := store.Instances.Get(tx, id)
		if err != nil {
			return err
		}
		if ok {
			gone[i.File] = i.Bytes
			for _, c := range i.Conflicts {
				gone[c] = sizeOf(dir, c)
			}
		}
		if err := store.Instances.Delete(tx, id); err != nil {
			return err
		}
		if err := store.Members.Delete(tx, k); err != nil {
			return err
		}
	}
	for _, size := range gone {
		bytes += size
	}
	if err := store.AddBytes(tx, -bytes); err != nil {
		return err
	}
	return store.SeriesTable.Delete(tx, s.UID)
}

func sizeOf(dir, file string) int64 {
	info, err := os.Stat(dir + "/" + file)
	if err != nil {
		return 0
	}
	return info.Size()
}
