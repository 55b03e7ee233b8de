package dimse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// PDU types (PS3.8 9.3).
const (
	pduAssociateRQ byte = 1
	pduAssociateAC byte = 2
	pduAssociateRJ byte = 3
	pduData        byte = 4
	pduReleaseRQ   byte = 5
	pduReleaseRP   byte = 6
	pduAbort       byte = 7
)

// Reasons of an A-ABORT of the provider (PS3.8 table 9-26).
const (
	abortNotSpecified  byte = 0
	abortUnrecognized  byte = 1
	abortUnexpected    byte = 2
	abortInvalidValue  byte = 6
	abortSourceUser    byte = 0
	abortSourceService byte = 2
)

const (
	maxAssociate = 64 << 10 // bytes of an A-ASSOCIATE PDU
	maxCommand   = 64 << 10 // bytes of a command set
	minPDU       = 64       // smallest maximum length of a peer that we can talk to
)

// errReleased is the peer's request to release the association.
var errReleased = errors.New("association released by the peer")

// readHeader reads the type and length of a PDU and checks the length.
func readHeader(r io.Reader, maxData uint32) (kind byte, n uint32, err error) {
	var h [6]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, 0, err
	}
	kind, n = h[0], binary.BigEndian.Uint32(h[2:])
	switch kind {
	case pduAssociateRQ, pduAssociateAC:
		if n > maxAssociate {
			return kind, n, protocolf("A-ASSOCIATE of %d bytes (%d are possible)", n, maxAssociate)
		}
	case pduAssociateRJ, pduReleaseRQ, pduReleaseRP, pduAbort:
		if n != 4 {
			return kind, n, protocolf("PDU type %d of %d bytes (it has 4)", kind, n)
		}
	case pduData:
		if n < 6 || n > maxData {
			return kind, n, protocolf("P-DATA PDU of %d bytes (6 to %d are possible)", n, maxData)
		}
	default:
		return kind, n, &ProtocolError{fmt.Sprintf("PDU type %#02x is unknown; the peer does not speak DICOM, or speaks TLS where we do not", kind), abortUnrecognized}
	}
	return kind, n, nil
}

// readSmall reads the four bytes of a PDU without items.
func readSmall(r io.Reader) (b [4]byte, err error) {
	_, err = io.ReadFull(r, b[:])
	return b, err
}

// otherPDU turns a PDU that came where data was expected into the error that
// ends the message.
func otherPDU(r io.Reader, kind byte) error {
	switch kind {
	case pduReleaseRQ:
		if _, err := readSmall(r); err != nil {
			return err
		}
		return errReleased
	case pduAbort:
		return readAbort(r)
	}
	return &ProtocolError{fmt.Sprintf("PDU type %d was not expected here", kind), abortUnexpected}
}

func readAbort(r io.Reader) error {
	b, err := readSmall(r)
	if err != nil {
		return err
	}
	return &Aborted{Source: b[2], Reason: b[3]}
}

func smallPDU(kind, b1, b2, b3 byte) []byte {
	return []byte{kind, 0, 0, 0, 0, 4, 0, b1, b2, b3}
}

func abortPDU(source, reason byte) []byte { return smallPDU(pduAbort, 0, source, reason) }

func rejectPDU(e *Rejected) []byte {
	return smallPDU(pduAssociateRJ, e.Result, e.Source, e.Reason)
}
