//go:build unix

package spool

import (
	"os"

	"golang.org/x/sys/unix"
)

// free is how many bytes a process without privileges may still write.
func free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// Free is how many bytes are left on the disk of the spool, -1 when it does not say.
func (s *Spool) Free() int64 {
	n, err := s.o.Free(s.dir)
	if err != nil {
		return -1
	}
	return n
}

// SyncDir brings the names in a folder to the disk.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
