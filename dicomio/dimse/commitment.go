package dimse

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Storage commitment (PS3.4 annex J) has one well-known instance, one action and
// two events.
const (
	commitmentClass    = "1.2.840.10008.1.20.1"
	commitmentInstance = "1.2.840.10008.1.20.1.1"
	actionRequest      = 1
	eventAllStored     = 1
	eventFailures      = 2

	maxReferences     = 1 << 16
	maxCommitmentData = 16 << 20
)

// commitmentData is the data set of a request or a report.
type commitmentData struct {
	transaction string
	stored      []Reference
	failed      []Failure
}

// parseCommitment reads a request or a report.
func parseCommitment(r io.Reader, syntax string) (commitmentData, error) {
	var d commitmentData
	e := elementsOf(r, syntax)
	err := e.each(func(el element) (err error) {
		switch el.tag {
		case tagTransaction:
			d.transaction, err = e.uid(el)
		case tagReferenceSeq, tagFailedSeq:
			err = e.items(el, func(it *elements) error { return d.addItem(it, el.tag == tagFailedSeq) })
		default:
			err = e.skip(el)
		}
		return err
	})
	if err == nil && !isUID(d.transaction) {
		err = fmt.Errorf("%w: no transaction UID", errElements)
	}
	return d, err
}

func (d *commitmentData) addItem(e *elements, failed bool) error {
	var f Failure
	err := e.each(func(el element) (err error) {
		switch el.tag {
		case tagRefClass:
			f.SOPClass, err = e.uid(el)
		case tagRefInstance:
			f.SOPInstance, err = e.uid(el)
		case tagReason:
			f.Reason, err = e.number(el)
		default:
			err = e.skip(el)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !isUID(f.SOPClass) || !isUID(f.SOPInstance):
		return fmt.Errorf("%w: a referenced object has no valid UIDs", errElements)
	case len(d.stored)+len(d.failed) == maxReferences:
		return fmt.Errorf("%w: more than %d objects", errElements, maxReferences)
	case failed:
		d.failed = append(d.failed, f)
	default:
		d.stored = append(d.stored, f.Reference)
	}
	return nil
}

// encode writes the data set in implicit or explicit VR little endian.
func (d commitmentData) encode(syntax string) []byte {
	w := writer{explicit: syntax != ImplicitLittle}
	w.uid(tagTransaction, d.transaction)
	if len(d.failed) > 0 {
		w.sequence(tagFailedSeq, len(d.failed), func(it *writer, i int) {
			it.uid(tagRefClass, d.failed[i].SOPClass)
			it.uid(tagRefInstance, d.failed[i].SOPInstance)
			it.element(tagReason, "US", binary.LittleEndian.AppendUint16(nil, d.failed[i].Reason))
		})
	}
	if len(d.stored) > 0 {
		w.sequence(tagReferenceSeq, len(d.stored), func(it *writer, i int) {
			it.uid(tagRefClass, d.stored[i].SOPClass)
			it.uid(tagRefInstance, d.stored[i].SOPInstance)
		})
	}
	return w.b.Bytes()
}

// writer writes data elements in little endian.
type writer struct {
	b        bytes.Buffer
	explicit bool
}

func (w *writer) uid(tag uint32, uid string) {
	v := []byte(uid)
	if len(v)%2 == 1 {
		v = append(v, 0)
	}
	w.element(tag, "UI", v)
}

func (w *writer) element(tag uint32, vr string, v []byte) {
	w.head(tag, vr, uint32(len(v)))
	w.b.Write(v)
}

func (w *writer) head(tag uint32, vr string, n uint32) {
	b := binary.LittleEndian.AppendUint16(nil, uint16(tag>>16))
	b = binary.LittleEndian.AppendUint16(b, uint16(tag))
	switch {
	case !w.explicit || vr == "":
		b = binary.LittleEndian.AppendUint32(b, n)
	case vr == "SQ" || vr == "OB":
		b = binary.LittleEndian.AppendUint32(append(b, vr[0], vr[1], 0, 0), n)
	default:
		b = binary.LittleEndian.AppendUint16(append(b, vr...), uint16(n))
	}
	w.b.Write(b)
}

// sequence writes n items of defined length.
func (w *writer) sequence(tag uint32, n int, item func(*writer, int)) {
	all := writer{explicit: w.explicit}
	for i := range n {
		it := writer{explicit: w.explicit}
		item(&it, i)
		all.element(tagItem, "", it.b.Bytes())
	}
	w.element(tag, "SQ", all.b.Bytes())
}
