package dimse

import (
	"bufio"
	"bytes"
	"compress/flate"
	"io"
)

// peekBytes holds the elements before SOPInstanceUID, which are among the first.
const peekBytes = 16 << 10

// screen compares the UIDs of a data set with those of its command. What cannot
// be read is left to the handler. The returned reader gives the whole data set.
func screen(data io.Reader, r StoreRequest) (*bufio.Reader, Status) {
	b := bufio.NewReaderSize(data, peekBytes)
	head, _ := b.Peek(peekBytes) // an error comes again at the read that reaches it
	class, instance, ok := identify(head, r.TransferSyntax)
	switch {
	case !ok || class == r.SOPClass && instance == r.SOPInstance:
		return b, Status{}
	case class != r.SOPClass:
		return b, Status{DataSetMismatch, "SOP class of command and data set differ"}
	}
	return b, Status{DataSetMismatch, "SOP instance of command and data set differ"}
}

// identify finds the SOP class and instance in the beginning of a data set; they
// are empty where they should stand and do not.
func identify(head []byte, syntax string) (class, instance string, ok bool) {
	var r io.Reader = bytes.NewReader(head)
	if syntax == Deflated {
		r = flate.NewReader(r)
	}
	e := elementsOf(r, syntax)
	for {
		el, err := e.next()
		if err == io.EOF || err == nil && el.tag > tagSOPInstance {
			return class, instance, len(head) < peekBytes || err == nil
		}
		if err != nil {
			return "", "", false
		}
		switch el.tag {
		case tagSOPClass:
			class, err = e.uid(el)
		case tagSOPInstance:
			instance, err = e.uid(el)
		default:
			err = e.skip(el)
		}
		if err != nil {
			return "", "", false
		}
	}
}
