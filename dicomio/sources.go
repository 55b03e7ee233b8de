package dicomio

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFileSize bounds one file; maxArchive all members of a ZIP.
const (
	maxFileSize = 2 << 30
	maxArchive  = 64 << 30
)

// source is one file of an input, read when it is its turn.
type source struct {
	name string // inside the folder or archive, with slashes
	size int64
	open func() (io.ReadCloser, error)
	due  bool   // a DICOMDIR says that it is a DICOM file
	uid  string // and which object it holds
}

// input is what an input path leads to.
type input struct {
	sources []source
	notes   []string
	close   func()
}

// sources finds the files of path. A DICOMDIR, at path or in the folder or
// archive there, chooses among them.
func sources(path string) (*input, error) {
	in := &input{close: func() {}}
	info, err := os.Stat(path)
	if err != nil {
		return nil, &FormatError{path, "no such file or folder"}
	}
	if !info.IsDir() && !strings.EqualFold(filepath.Ext(path), ".zip") {
		if !isDirectory(path, info.Size()) {
			in.sources = []source{{filepath.Base(path), info.Size(), func() (io.ReadCloser, error) { return os.Open(path) }, false, ""}}
			return in, nil
		}
		if in.sources, err = folder(filepath.Dir(path)); err != nil {
			return nil, err
		}
		return in, in.choose(path, filepath.Base(path))
	}
	if info.IsDir() {
		in.sources, err = folder(path)
	} else {
		in.sources, in.close, err = archive(path)
	}
	if err != nil {
		return nil, err
	}
	if d := topDirectory(in.sources); d != "" {
		if err := in.choose(path, d); err != nil {
			in.close()
			return nil, err
		}
	}
	return in, nil
}

// isDirectory looks into the meta information of a file for the SOP class of a DICOMDIR.
func isDirectory(path string, size int64) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	in := &stream{name: path, r: f, size: int(size)}
	if err := in.fill(132); err != nil || len(in.b) < 132 || string(in.b[128:132]) != "DICM" {
		return false
	}
	l := &layout{}
	_, err = (&walker{file: path, in: in, order: binary.LittleEndian}).meta(l)
	return err == nil && l.metaClass == directory
}

func folder(root string) ([]source, error) {
	var out []source
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return &FormatError{p, "cannot be read: " + plain(err)}
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && p != root {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return &FormatError{p, "cannot be read: " + plain(err)}
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return &FormatError{p, "cannot be read: " + err.Error()}
		}
		out = append(out, source{filepath.ToSlash(rel), info.Size(), func() (io.ReadCloser, error) { return os.Open(p) }, false, ""})
		return nil
	})
	return out, err
}

func archive(path string) ([]source, func(), error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, nil, &FormatError{path, "not a ZIP archive that can be read: " + plain(err)}
	}
	var out []source
	var total uint64
	for _, f := range z.File {
		if f.FileInfo().IsDir() || strings.HasPrefix(filepath.Base(f.Name), ".") {
			continue
		}
		if f.UncompressedSize64 > maxArchive || total+f.UncompressedSize64 > maxArchive {
			z.Close()
			return nil, nil, &FormatError{path, "the archive expands to more than 64 GiB"}
		}
		total += f.UncompressedSize64
		out = append(out, source{f.Name, int64(f.UncompressedSize64), f.Open, false, ""})
	}
	return out, func() { z.Close() }, nil
}

// plain is the reason of a system error without its path.
func plain(err error) string {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}
