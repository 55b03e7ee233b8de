package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"ctrecon/cmd/ctrecon/internal/node/store"
)

// layInput puts a job's input into its folder, each file checked against the sum it had
// when it was taken. It returns the argument of the job.
func (n *Node) layInput(dir string, in *store.Input) (arg string, end ending) {
	if len(in.Files) == 0 {
		return "", ending{refused, "the job has no input"}
	}
	for _, f := range in.Files {
		from, to := n.path(f.File), filepath.Join(dir, f.Name)
		sum, err := fileSum(from, f.Offset)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", ending{refused, fmt.Sprintf("%s of the input is gone from the data folder", f.Name)}
		case err != nil:
			return "", ending{broken, f.Name + " of the input: " + err.Error()}
		case sum != f.Sum:
			return "", ending{refused, fmt.Sprintf("%s of the input has changed on disk: its SHA-256 is not that of the object that was taken", f.Name)}
		}
		if err := place(from, to); err != nil {
			return "", ending{broken, f.Name + " of the input: " + err.Error()}
		}
	}
	if in.Main != "" {
		return filepath.Join(dir, in.Main), ending{}
	}
	return filepath.Join(dir, filepath.Dir(in.Files[0].Name)), ending{}
}

// place links a file, or copies it where that cannot be.
func place(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
