package dimse

import (
	"context"
	"io"
	"net/netip"
)

// Remote says who is at the other end of an association.
type Remote struct {
	ID      string // of the association, unique in this process
	Calling string
	Called  string
	Addr    netip.AddrPort
	TLS     bool
	Subject string // of the client certificate that was checked, "" without one
}

// StoreRequest is the command of a C-STORE, with the transfer syntax of its data set.
type StoreRequest struct{ SOPClass, SOPInstance, TransferSyntax string }

// Reference names an object.
type Reference struct{ SOPClass, SOPInstance string }

// Failure is an object that the peer does not commit to keep. Reasons: 0110
// processing failure, 0112 no such object, 0119 class and instance conflict,
// 0122 class not supported, 0131 duplicate transaction UID, 0213 resources.
type Failure struct {
	Reference
	Reason uint16
}

// Commitment asks whether objects are kept for good (N-ACTION).
type Commitment struct {
	Transaction string // UID
	Instances   []Reference
}

// CommitmentReport answers a Commitment, mostly later (N-EVENT-REPORT).
type CommitmentReport struct {
	Transaction string
	Stored      []Reference
	Failed      []Failure
}

// Handler does what a Server was asked for. Its methods are called from one
// goroutine for each association, several at a time. A panic ends the
// association, not the process.
type Handler interface {
	// Store takes an object as it arrives: data is the data set (no group 2) in
	// r.TransferSyntax. It is read to its end (io.EOF) before a success is
	// returned; any other error of data means that the object is not whole, and
	// the returned status reaches nobody. SOP class and instance of data are
	// those of r, where they stand in its first 16 KiB.
	Store(ctx context.Context, from Remote, r StoreRequest, data io.Reader) Status
	// Commit takes a request of storage commitment. Success means that a report
	// follows by Client.Report.
	Commit(ctx context.Context, from Remote, r Commitment) Status
	// Report takes the report on a request of our own.
	Report(ctx context.Context, from Remote, r CommitmentReport) Status
	// Ended tells that an association is over, released or broken.
	Ended(from Remote, released bool)
}
