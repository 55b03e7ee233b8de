package dimse

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// commitmentContext is the one that both sides of storage commitment propose.
var commitmentContext = []presentation{{id: 1, abstract: commitmentClass, transfer: messageSyntaxes}}

// RequestCommitment asks the peer to commit to keep objects. The report comes
// later, to the Server of our AE title; WaitCommitment waits for it here.
func (c *Client) RequestCommitment(ctx context.Context, r Commitment) (Status, error) {
	s, _, err := c.WaitCommitment(ctx, r, 0)
	return s, err
}

// WaitCommitment is RequestCommitment that keeps the association for up to wait,
// as some peers report on it. Without a report in that time it returns nil.
func (c *Client) WaitCommitment(ctx context.Context, r Commitment, wait time.Duration) (Status, *CommitmentReport, error) {
	a, err := c.dial(ctx, commitmentContext, nil)
	if err != nil {
		return Status{}, nil, err
	}
	rq := command{field: nAction, class: commitmentClass, instance: commitmentInstance, action: actionRequest, data: true}
	s, err := a.tell(ctx, rq, commitmentData{transaction: r.Transaction, stored: r.Instances})
	if err != nil {
		return s, nil, c.named(err)
	}
	var report *CommitmentReport
	if s.OK() && wait > 0 {
		err = a.during(ctx, "before it reported", func() (err error) {
			report, err = a.awaitReport(r.Transaction, wait)
			return err
		})
	}
	switch {
	case errors.Is(err, errReleased):
		a.timed.Close()
		return s, report, nil
	case err == nil:
		err = a.Release(ctx)
	}
	return s, report, c.named(err)
}

// Report answers a request of commitment on an association of its own. We are its
// requestor and, by role selection, the provider of the service.
func (c *Client) Report(ctx context.Context, r CommitmentReport) (Status, error) {
	a, err := c.dial(ctx, commitmentContext, []role{{class: commitmentClass, scp: true}})
	if err != nil {
		return Status{}, err
	}
	rq := command{field: nEvent, class: commitmentClass, instance: commitmentInstance, event: eventAllStored, data: true}
	if len(r.Failed) > 0 {
		rq.event = eventFailures
	}
	s, err := a.tell(ctx, rq, commitmentData{r.Transaction, r.Stored, r.Failed})
	if err == nil {
		err = a.Release(ctx)
	}
	return s, c.named(err)
}

// tell sends a message of storage commitment.
func (a *Association) tell(ctx context.Context, rq command, d commitmentData) (s Status, err error) {
	rq.id = a.nextID()
	b := d.encode(a.contexts[1].transfer[0])
	err = a.during(ctx, "during storage commitment", func() error {
		s, err = a.ask(1, rq, func() error { return a.out.send(1, rq, bytes.NewReader(b), int64(len(b))) })
		return err
	})
	return s, err
}

// awaitReport waits for the report on the association of its request.
func (a *Association) awaitReport(transaction string, wait time.Duration) (*CommitmentReport, error) {
	for until := time.Now().Add(wait); ; {
		m, err := a.receive(time.Until(until))
		if errors.Is(err, errQuiet) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if m.command.field != nEvent {
			return nil, protocolf("command %04X came where a report was expected", m.command.field)
		}
		d, s, err := a.commitmentData(m)
		if err == nil {
			_, err = m.skip()
		}
		if err == nil {
			err = a.respond(m, s)
		}
		if err != nil {
			return nil, err
		}
		if s.OK() && d.transaction == transaction {
			return &CommitmentReport{d.transaction, d.stored, d.failed}, nil
		}
	}
}
