package dimse

import (
	"bufio"
	"bytes"
	"io"
	"reflect"
	"testing"
)

// FuzzAssociate: what can be read can be written and is then read the same.
func FuzzAssociate(f *testing.F) {
	f.Add(request().encode()[6:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxAssociate {
			return
		}
		for _, kind := range []byte{pduAssociateRQ, pduAssociateAC} {
			a, err := parseAssociate(kind, b)
			if err != nil {
				continue
			}
			out := a.encode()
			again, err := parseAssociate(kind, out[6:])
			if err != nil {
				t.Fatalf("%v after writing %+v", err, a)
			}
			// Padding of a title is not significant and not kept.
			a.called, a.calling = title([]byte(padTitle(a.called))), title([]byte(padTitle(a.calling)))
			if !reflect.DeepEqual(a, again) {
				t.Fatalf("%+v became %+v", a, again)
			}
			if kind == pduAssociateRQ {
				for _, c := range a.contexts {
					answer(c)
				}
			}
		}
	})
}

// FuzzCommand: what can be read is answered, and the answer can be read.
func FuzzCommand(f *testing.F) {
	f.Add(unhex(f, echoRQ))
	f.Add(command{field: cStore, id: 1, class: ctClass, instance: "1.2", data: true}.encode())
	f.Add(command{field: nEvent, id: 1, class: commitmentClass, instance: commitmentInstance, event: 1, data: true}.answer(Status{0xC000, "no"}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCommand(b)
		if err != nil || c.response() || c.field == cCancel {
			return
		}
		rsp := c.answer(Status{CannotUnderstand, "no"})
		got, err := parseCommand(rsp.encode())
		if err != nil || got.respondedTo != c.id || got.status != rsp.status || got.field != c.field|isResponse {
			t.Fatalf("answer to %+v: %+v, %v", c, got, err)
		}
	})
}

// FuzzInbound: PDUs with messages, read as a server does. Nothing more is read, or
// given to a handler, than came.
func FuzzInbound(f *testing.F) {
	store := command{field: cStore, id: 1, class: ctClass, instance: "1.2.3", data: true}.encode()
	data := dataSet("1.2.3", ExplicitLittle, 0)
	f.Add(pdata(pdvOf(1, 3, store), pdvOf(1, 2, data)))
	f.Add(append(pdata(pdvOf(1, 1, store[:20])), append(pdata(pdvOf(1, 3, store[20:])), pdata(pdvOf(1, 2, data))...)...))
	f.Add(append(pdata(pdvOf(1, 3, unhex(f, echoRQ))), smallPDU(pduReleaseRQ, 0, 0, 0)...))
	f.Add(append(pdata(pdvOf(1, 3, store)), abortPDU(0, 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := inbound{r: bufio.NewReader(bytes.NewReader(b)), max: 1 << 16}
		for {
			m, err := in.receive(1<<20, func() {})
			if err != nil {
				return
			}
			if m.data == nil {
				continue
			}
			r, _ := screen(m.data, StoreRequest{m.command.class, m.command.instance, ExplicitLittle})
			n, err := io.Copy(io.Discard, r)
			if n > int64(len(b)) {
				t.Fatalf("%d bytes out of %d", n, len(b))
			}
			if err == nil != m.data.whole() {
				t.Fatalf("whole: %v, error: %v", m.data.whole(), err)
			}
			if err != nil {
				return
			}
		}
	})
}

// FuzzCommitment: what can be read is written and read the same.
func FuzzCommitment(f *testing.F) {
	d := commitmentData{"1.2.3.4", []Reference{{ctClass, "1.2.3"}}, []Failure{{Reference{ctClass, "1.9"}, 0x0112}}}
	f.Add(d.encode(ImplicitLittle))
	f.Add(d.encode(ExplicitLittle))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, syntax := range messageSyntaxes {
			d, err := parseCommitment(bytes.NewReader(b), syntax)
			if err != nil {
				continue
			}
			if again, err := parseCommitment(bytes.NewReader(d.encode(syntax)), syntax); err != nil || !reflect.DeepEqual(d, again) {
				t.Fatalf("%+v became %+v, %v", d, again, err)
			}
		}
	})
}

// FuzzFile: headers of files, and the UIDs at the beginning of data sets.
func FuzzFile(f *testing.F) {
	head := FileHeader(StoreRequest{ctClass, "1.2.3", ExplicitLittle})
	f.Add(head[preamble:])
	f.Add(append(head[preamble:len(head):len(head)], dataSet("1.2.3", ExplicitLittle, 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseHeader(bytes.NewReader(append(make([]byte, preamble), b...)))
		if err == nil && o.Offset > int64(len(b)+preamble) {
			t.Fatalf("offset %d of %d bytes", o.Offset, len(b)+preamble)
		}
		for _, s := range []string{ImplicitLittle, ExplicitLittle, ExplicitBig, Deflated} {
			identify(b, s)
		}
	})
}
