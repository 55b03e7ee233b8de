package dimse

import "errors"

// messages answers messages until the association ends; the error says how.
func (p *provider) messages() error {
	for {
		m, err := p.receive(p.limits.Idle)
		if err != nil {
			return err
		}
		status, err := p.act(m)
		if err != nil {
			return err
		}
		if m.command.field == cCancel {
			continue // there is nothing to cancel: requests are answered one by one
		}
		if _, err := m.skip(); err != nil {
			return err
		}
		if err := p.respond(m, status); err != nil {
			return err
		}
	}
}

// act does what a request asks for.
func (p *provider) act(m *message) (Status, error) {
	c := m.command
	if c.response() {
		return Status{}, protocolf("response %04X came without a request", c.field)
	}
	if s, ok := p.fits(m); !ok {
		return s, nil
	}
	switch c.field {
	case cEcho, cCancel:
		return Status{}, nil
	case cStore:
		return p.store(m)
	case nAction:
		return p.commit(m)
	case nEvent:
		return p.report(m)
	}
	return Status{Code: UnrecognizedOperation}, nil
}

// fits holds a request against the abstract syntax of its presentation context.
func (p *provider) fits(m *message) (Status, bool) {
	class := p.contexts[m.context].abstract
	var ok bool
	switch m.command.field {
	case cEcho:
		ok = class == verificationClass
	case cStore:
		ok = isStorage(class)
	case nAction, nEvent:
		ok = class == commitmentClass
	default:
		return Status{}, true
	}
	if !ok || m.command.class != class {
		return Status{SOPClassNotSupported, "SOP class is not that of the presentation context"}, false
	}
	return Status{}, true
}

// store gives an object to the handler.
func (p *provider) store(m *message) (Status, error) {
	r := StoreRequest{m.command.class, m.command.instance, p.contexts[m.context].transfer[0]}
	switch {
	case !isUID(r.SOPInstance):
		return Status{InvalidInstance, "SOP instance UID is not valid"}, nil
	case m.data == nil:
		return Status{CannotUnderstand, "C-STORE without a data set"}, nil
	}
	data, s := screen(m.data, r)
	if !s.OK() {
		return s, nil
	}
	s = p.service.Handler.Store(p.service.ctx, p.from, r, data)
	if err := m.data.err; err != nil && !m.data.whole() {
		return s, err // the object broke off: whatever the handler says, nobody hears it
	}
	left, err := m.skip()
	if err == nil && s.OK() && (left > 0 || data.Buffered() > 0) {
		p.log.Error("the handler took an object without reading it to its end", "bytes", left)
		s = Status{ProcessingFailure, "object was not read to its end"}
	}
	return s, err
}

// commit gives a request of storage commitment to the handler.
func (p *provider) commit(m *message) (Status, error) {
	if m.command.action != actionRequest {
		return Status{Code: NoSuchAction}, nil
	}
	d, s, err := p.commitmentData(m)
	if err != nil || !s.OK() {
		return s, err
	}
	if len(d.stored) == 0 {
		return Status{NoSuchArgument, "no object is referenced"}, nil
	}
	return p.service.Handler.Commit(p.service.ctx, p.from, Commitment{d.transaction, d.stored}), nil
}

// report gives a report on a request of ours to the handler.
func (p *provider) report(m *message) (Status, error) {
	if m.command.event != eventAllStored && m.command.event != eventFailures {
		return Status{Code: NoSuchEventType}, nil
	}
	d, s, err := p.commitmentData(m)
	if err != nil || !s.OK() {
		return s, err
	}
	return p.service.Handler.Report(p.service.ctx, p.from, CommitmentReport{d.transaction, d.stored, d.failed}), nil
}

// commitmentData reads the data set of a request or a report. An error means that
// the association is lost.
func (l *link) commitmentData(m *message) (commitmentData, Status, error) {
	if m.command.instance != commitmentInstance {
		return commitmentData{}, Status{Code: NoSuchInstance}, nil
	}
	if m.data == nil {
		return commitmentData{}, Status{NoSuchArgument, "no data set"}, nil
	}
	m.data.room = min(m.data.room, maxCommitmentData)
	d, err := parseCommitment(m.data, l.contexts[m.context].transfer[0])
	switch {
	case m.data.err != nil && !m.data.whole():
		return d, Status{}, m.data.err
	case errors.Is(err, errElements):
		return d, Status{MistypedArgument, "data set cannot be read"}, nil
	case err != nil:
		return d, Status{MistypedArgument, "data set breaks off"}, nil
	}
	return d, Status{}, nil
}
