package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"ctrecon/dicomio/dimse"
	"ctrecon/dicomio/uid"
)

// committed is the peer's report on storage commitment.
type committed struct {
	Transaction string            `json:"transaction"`
	Committed   int               `json:"committed"`
	Failed      map[string]string `json:"failed,omitempty"` // reason by SOP instance
}

// commit asks for storage commitment of all objects and waits for the report.
func (s *sending) commit(ctx context.Context) (*committed, error) {
	rq := dimse.Commitment{Transaction: uid.Random()}
	for _, o := range s.objects {
		rq.Instances = append(rq.Instances, dimse.Reference{SOPClass: o.SOPClass, SOPInstance: o.SOPInstance})
	}
	ctx, stop := context.WithTimeout(ctx, s.c.Duration("commit-wait")+time.Minute)
	defer stop()
	reports, ended, err := s.listen(ctx, rq.Transaction)
	if err != nil {
		return nil, err
	}
	defer func() { stop(); <-ended }()
	status, report, err := s.report(ctx, rq, reports)
	switch {
	case err != nil:
		return nil, err
	case !status.OK():
		return nil, fmt.Errorf("peer %s: storage commitment refused: %v", s.client.Peer, status)
	case report == nil:
		return nil, fmt.Errorf("peer %s: no report on storage commitment within %v; it may go to another address (--listen)", s.client.Peer, s.c.Duration("commit-wait"))
	}
	return s.judge(report)
}

// report waits for the report on both ways that it can take.
func (s *sending) report(ctx context.Context, rq dimse.Commitment, reports <-chan dimse.CommitmentReport) (dimse.Status, *dimse.CommitmentReport, error) {
	type answer struct {
		status dimse.Status
		report *dimse.CommitmentReport
		err    error
	}
	waiting, stop := context.WithCancel(ctx)
	same := make(chan answer, 1)
	go func() {
		st, r, err := s.client.WaitCommitment(waiting, rq, s.c.Duration("commit-wait"))
		same <- answer{st, r, err}
	}()
	select {
	case r := <-reports:
		stop()
		<-same
		return dimse.Status{}, &r, nil
	case a := <-same:
		stop()
		select { // both may have come
		case r := <-reports:
			return dimse.Status{}, &r, nil
		default:
			return a.status, a.report, a.err
		}
	}
}

// judge holds the report against what was asked.
func (s *sending) judge(r *dimse.CommitmentReport) (*committed, error) {
	kept := map[dimse.Reference]bool{}
	for _, o := range r.Stored {
		kept[o] = true
	}
	out := &committed{Transaction: r.Transaction, Failed: map[string]string{}}
	for _, o := range s.objects {
		if kept[dimse.Reference{SOPClass: o.SOPClass, SOPInstance: o.SOPInstance}] {
			out.Committed++
		} else {
			out.Failed[o.SOPInstance] = "not in the report"
		}
	}
	for _, f := range r.Failed {
		out.Failed[f.SOPInstance] = dimse.Status{Code: f.Reason}.String()
	}
	if n := len(out.Failed); n > 0 {
		return out, fmt.Errorf("peer %s: does not commit to keep %d of %d objects", s.client.Peer, n, len(s.objects))
	}
	return out, nil
}

// listen answers the peer's report at --listen; ended closes when it has stopped.
func (s *sending) listen(ctx context.Context, transaction string) (reports chan dimse.CommitmentReport, ended chan struct{}, err error) {
	reports, ended = make(chan dimse.CommitmentReport, 1), make(chan struct{})
	addr := s.c.String("listen")
	if addr == "" {
		close(ended)
		return reports, ended, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, fmt.Errorf("--listen %s: %w", addr, err)
	}
	srv := &dimse.Server{
		AETitle: s.c.String("aet"), TLS: s.client.TLS, Handler: reporter{transaction, reports},
		Limits: dimse.Limits{Associations: 8, ObjectBytes: 64 << 20, Drain: 2 * time.Second},
	}
	go func() {
		srv.Serve(ctx, l)
		close(ended)
	}()
	return reports, ended, nil
}

// reporter takes nothing but the report that is waited for.
type reporter struct {
	transaction string
	to          chan<- dimse.CommitmentReport
}

func (r reporter) Store(context.Context, dimse.Remote, dimse.StoreRequest, io.Reader) dimse.Status {
	return dimse.Status{Code: dimse.NotAuthorized, Comment: "only storage commitment reports are taken here"}
}

func (r reporter) Commit(context.Context, dimse.Remote, dimse.Commitment) dimse.Status {
	return dimse.Status{Code: dimse.NotAuthorized}
}

func (r reporter) Report(_ context.Context, _ dimse.Remote, got dimse.CommitmentReport) dimse.Status {
	if got.Transaction != r.transaction {
		return dimse.Status{Code: dimse.NoSuchArgument, Comment: "unknown transaction"}
	}
	select {
	case r.to <- got:
	default: // came twice
	}
	return dimse.Status{}
}

func (r reporter) Ended(dimse.Remote, bool) {}
