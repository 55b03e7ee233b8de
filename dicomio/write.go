package dicomio

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"

	"ctrecon/dicomio/codec"
)

// Written tells what WriteSeries did.
type Written struct {
	Files   []string // names inside the folder, in slice order
	Clipped int      // values that int16 HU cannot hold
}

// WriteSeries writes the series as one file a slice into dir, which must not
// exist: int16 HU, explicit VR little endian or compressed without loss. The folder appears under its name
// when all of it was written and read back; on an error nothing stays. An error
// of the file system is an OutputError.
func WriteSeries(dir string, d Derived) (Written, error) {
	var w Written
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".part-")
	if err != nil {
		return w, &OutputError{dir, err}
	}
	defer os.RemoveAll(tmp)
	hu := make([]float32, d.Grid.Len())
	for i := range d.Images {
		if err := d.Image(i, hu); err != nil {
			return w, err
		}
		b, clipped, err := d.encode(i, hu)
		if err != nil {
			return w, fmt.Errorf("%s: image %d: %w", dir, i, err)
		}
		name := fmt.Sprintf("%04d.dcm", i+1)
		if err := writeFile(filepath.Join(tmp, name), b); err != nil {
			return w, &OutputError{filepath.Join(dir, name), err}
		}
		w.Files, w.Clipped = append(w.Files, name), w.Clipped+clipped
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return w, &OutputError{dir, err}
	}
	if err := os.Rename(tmp, dir); err != nil {
		return w, &OutputError{dir, err}
	}
	return w, nil
}

// encode makes the bytes of one file and checks that they read back.
func (d *Derived) encode(i int, hu []float32) ([]byte, int, error) {
	elements, err := d.dataset(i)
	if err != nil {
		return nil, 0, err
	}
	px := make([]byte, 2*len(hu))
	clipped := store(px, hu, d.slope())
	out, err := fileHeader(elements, d.syntax())
	if err != nil {
		return nil, 0, err
	}
	if d.Compression == "" {
		out = appendPixels(out, px)
	} else {
		out = appendFragments(out, codec.Encode(d.Compression, px, d.frame()))
	}
	f, err := readFile("written file", out)
	if err != nil {
		return nil, 0, fmt.Errorf("does not read back: %w", err)
	}
	if f.skip != "" || len(f.slice.HU) != len(hu) {
		return nil, 0, fmt.Errorf("does not read back: %s", f.skip)
	}
	return out, clipped, nil
}

// slope is the value of a step, in HU.
func (d *Derived) slope() float64 {
	if d.SD {
		return 0.01
	}
	return 1
}

// syntax is the transfer syntax of the images.
func (d *Derived) syntax() string {
	if d.Compression != "" {
		return d.Compression
	}
	return explicitLittle
}

func (d *Derived) frame() codec.Frame {
	return codec.Frame{Rows: d.Grid.H, Cols: d.Grid.W, BitsAllocated: 16, BitsStored: 16, Signed: true}
}

// writeFile writes and syncs, so that a full disk shows here and not later.
func writeFile(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// ReadHeader reads the data set of a DICOM file, without pixels: a template for
// patient, study and frame of reference. One whose study or frame has no lawful UID is
// refused: results would not join it.
func ReadHeader(path string) (*dicom.Dataset, error) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() || info.Size() > maxFileSize {
		return nil, &FormatError{path, "no such file"}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &FormatError{path, "cannot be read: " + plain(err)}
	}
	l, err := walk(inMemory(path, b), true)
	if err != nil {
		return nil, err
	}
	ds, _, err := parseHeader(path, l)
	if err != nil {
		return nil, err
	}
	h := &header{file: path, ds: ds}
	h.uid(tag.StudyInstanceUID, false)
	h.uid(tag.FrameOfReferenceUID, false)
	for _, o := range h.odd {
		h.fail(o.tag, "is no UID (up to 64 digits and dots, no leading zeros): results cannot join it")
	}
	h.lawfulText()
	return ds, h.err
}
