package dimse

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"
)

// Client opens associations with a peer.
type Client struct {
	AETitle string // our own, the calling title
	Peer    Peer
	TLS     *tls.Config // nil: plain
	Limits  Limits
	Log     *slog.Logger // nil: none
}

// Echoed is the answer to a C-ECHO.
type Echoed struct {
	Status         Status
	Connect        time.Duration // until the association was accepted
	Time           time.Duration // of the echo alone
	Implementation string        // the peer's implementation version name, "" when it gave none
	MaxPDU         int           // bytes that the peer takes, 0 without limit
	TLS            bool
}

// Echo asks the peer whether it is there (C-ECHO).
func (c *Client) Echo(ctx context.Context) (Echoed, error) { return Echoed{}, errTodo }

// Association is an open association on which objects are sent. It is used by
// one goroutine at a time.
type Association struct{}

// Open makes an association whose presentation contexts fit the objects.
func (c *Client) Open(ctx context.Context, objects []Object) (*Association, error) {
	return nil, errTodo
}

// Store sends an object and waits for the peer's status. An error means that
// there was no status: *NotAccepted leaves the association usable, after any
// other it is lost.
func (a *Association) Store(ctx context.Context, o Object) (Status, error) { return Status{}, errTodo }

// Release ends the association in good order.
func (a *Association) Release(ctx context.Context) error { return errTodo }

// Abort ends the association at once.
func (a *Association) Abort() {}

// RequestCommitment asks the peer to commit to keep objects. The report comes
// later, to the Server of our AE title; WaitCommitment waits for it here.
func (c *Client) RequestCommitment(ctx context.Context, r Commitment) (Status, error) {
	return Status{}, errTodo
}

// WaitCommitment is RequestCommitment that keeps the association for up to wait,
// as some peers report on it. Without a report in that time it returns nil.
func (c *Client) WaitCommitment(ctx context.Context, r Commitment, wait time.Duration) (Status, *CommitmentReport, error) {
	return Status{}, nil, errTodo
}

// Report answers a request of commitment on an association of its own.
func (c *Client) Report(ctx context.Context, r CommitmentReport) (Status, error) {
	return Status{}, errTodo
}

var errTodo = errors.New("not written yet")
