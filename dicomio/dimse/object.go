package dimse

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"ctrecon/dicomio/uid"
)

// Object is an object in a DICOM file that can be sent.
type Object struct {
	StoreRequest
	Path   string
	Offset int64 // where the data set begins in the file
}

const (
	preamble  = 128
	maxHeader = 64 << 10 // bytes of group 2

	tagMetaLength      uint32 = 0x0002_0000
	tagMetaVersion     uint32 = 0x0002_0001
	tagMediaClass      uint32 = 0x0002_0002
	tagMediaInstance   uint32 = 0x0002_0003
	tagTransferSyntax  uint32 = 0x0002_0010
	tagImplementation  uint32 = 0x0002_0012
	tagImplementedName uint32 = 0x0002_0013
)

// ReadObject reads the header (group 2) of a DICOM file.
func ReadObject(path string) (Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return Object{}, err
	}
	defer f.Close()
	o, err := parseHeader(f)
	if err != nil {
		return Object{}, fmt.Errorf("%s: %w", path, err)
	}
	o.Path = path
	return o, nil
}

// parseHeader reads preamble, DICM and group 2. The group's length may be wrong or
// missing; the first element of another group ends it.
func parseHeader(r io.Reader) (Object, error) {
	b := bufio.NewReader(io.LimitReader(r, preamble+4+maxHeader))
	start := make([]byte, preamble+4)
	if _, err := io.ReadFull(b, start); err != nil || string(start[preamble:]) != "DICM" {
		return Object{}, fmt.Errorf("no DICOM file (DICM is not at byte %d)", preamble)
	}
	count := &counted{r: b, n: preamble + 4}
	e := elementsOf(count, ExplicitLittle)
	var o Object
	for {
		group, err := b.Peek(2)
		if err == io.EOF && len(group) == 0 || err == nil && binary.LittleEndian.Uint16(group) != 2 {
			o.Offset = count.n
			return o, o.check()
		}
		if err != nil {
			return o, fmt.Errorf("header (group 2) breaks off")
		}
		if err := o.header(e); err != nil {
			return o, fmt.Errorf("header (group 2): %w", unexpected(err))
		}
	}
}

func (o *Object) header(e *elements) error {
	el, err := e.next()
	if err != nil {
		return err
	}
	field := map[uint32]*string{tagMediaClass: &o.SOPClass, tagMediaInstance: &o.SOPInstance, tagTransferSyntax: &o.TransferSyntax}[el.tag]
	if field == nil {
		return e.skip(el)
	}
	*field, err = e.uid(el)
	return err
}

func (r StoreRequest) check() error {
	for _, f := range []struct{ name, uid string }{
		{"(0002,0002) MediaStorageSOPClassUID", r.SOPClass}, {"(0002,0003) MediaStorageSOPInstanceUID", r.SOPInstance},
		{"(0002,0010) TransferSyntaxUID", r.TransferSyntax},
	} {
		if !isUID(f.uid) {
			return fmt.Errorf("%s is missing or no UID", f.name)
		}
	}
	return nil
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// FileHeader is what stands before the data set in a file: preamble, DICM and
// group 2.
func FileHeader(r StoreRequest) []byte {
	w := writer{explicit: true}
	w.element(tagMetaVersion, "OB", []byte{0, 1})
	w.uid(tagMediaClass, r.SOPClass)
	w.uid(tagMediaInstance, r.SOPInstance)
	w.uid(tagTransferSyntax, r.TransferSyntax)
	w.uid(tagImplementation, uid.Implementation)
	name := []byte(uid.ImplementationVersion)
	if len(name)%2 == 1 {
		name = append(name, ' ')
	}
	w.element(tagImplementedName, "SH", name)
	head := writer{explicit: true}
	head.b.Write(make([]byte, preamble))
	head.b.WriteString("DICM")
	head.element(tagMetaLength, "UL", binary.LittleEndian.AppendUint32(nil, uint32(w.b.Len())))
	head.b.Write(w.b.Bytes())
	return head.b.Bytes()
}
