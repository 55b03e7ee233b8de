package dicomio

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// Written tells what WriteSeries did.
type Written struct {
	Files   []string // names inside the folder, in slice order
	Clipped int      // values that int16 HU cannot hold
}

// WriteSeries writes the series as one file a slice into dir, which must not
// exist: explicit VR little endian, int16 HU. The folder appears under its name
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
	slope := 1.0
	if d.SD {
		slope = 0.01
	}
	px := make([]byte, 2*len(hu))
	clipped := store(px, hu, slope)
	put := func(t tag.Tag, v any) { elements[t] = must(t, v) }
	put(tag.FileMetaInformationVersion, []byte{0, 1})
	put(tag.MediaStorageSOPClassUID, []string{ctImage})
	put(tag.MediaStorageSOPInstanceUID, []string{d.instanceUID(i)})
	put(tag.TransferSyntaxUID, []string{"1.2.840.10008.1.2.1"})
	put(tag.ImplementationClassUID, []string{implementationClass})
	put(tag.ImplementationVersionName, []string{"CTRECON_0_1"})
	put(tag.PixelData, dicom.PixelDataInfo{IntentionallyUnprocessed: true, UnprocessedValueData: px})
	ds := dicom.Dataset{}
	for _, e := range elements {
		ds.Elements = append(ds.Elements, e)
	}
	sort.Slice(ds.Elements, func(a, b int) bool { return ds.Elements[a].Tag.Compare(ds.Elements[b].Tag) < 0 })
	var out bytes.Buffer
	if err := dicom.Write(&out, ds, dicom.SkipVRVerification()); err != nil {
		return nil, 0, err
	}
	f, err := readFile("written file", out.Bytes())
	if err != nil {
		return nil, 0, fmt.Errorf("does not read back: %w", err)
	}
	if f.skip != "" || len(f.slice.HU) != len(hu) {
		return nil, 0, fmt.Errorf("does not read back: %s", f.skip)
	}
	return out.Bytes(), clipped, nil
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
// patient, study and frame of reference.
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
	return ds, err
}
