package dimse

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"ctrecon/dicomio/uid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The C-ECHO of PS3.7 table 9.3-12 and the layout of PS3.7 6.3.1, byte by byte.
const echoRQ = `
	0000 0000 04000000 38000000
	0000 0200 12000000 312e322e3834302e31303030382e312e3100
	0000 0001 02000000 3000
	0000 1001 02000000 0700
	0000 0008 02000000 0101`

const storeRSP = `
	0000 0000 04000000 54000000
	0000 0200 02000000 312e
	0000 0001 02000000 0180
	0000 2001 02000000 0900
	0000 0008 02000000 0101
	0000 0009 02000000 00a7
	0000 0209 04000000 66756c6c
	0000 0010 06000000 312e322e3300`

func TestCommandBytes(t *testing.T) {
	tests := []struct {
		name, bytes string
		want        command
	}{
		{"C-ECHO-RQ", echoRQ, command{field: cEcho, id: 7, class: verificationClass}},
		{"C-STORE-RSP", storeRSP, command{field: cStore | isResponse, respondedTo: 9, class: "1.", instance: "1.2.3", status: Status{OutOfResources, "full"}}},
	}
	for _, tt := range tests {
		b := unhex(t, tt.bytes)
		b[8] = byte(len(b) - 12)
		got, err := parseCommand(b)
		if err != nil || got != tt.want {
			t.Errorf("%s: parsed %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
		if out := tt.want.encode(); !bytes.Equal(out, b) {
			t.Errorf("%s: encoded\n%x, want\n%x", tt.name, out, b)
		}
	}
}

// TestCommandRoundTrip: what is written is read the same, for every service.
func TestCommandRoundTrip(t *testing.T) {
	for _, c := range []command{
		{field: cEcho, id: 1, class: verificationClass},
		{field: cStore, id: 65535, class: ctClass, instance: "1.2.3.4", priority: 2, data: true},
		{field: nAction, id: 3, class: commitmentClass, instance: commitmentInstance, action: 1, data: true},
		{field: nEvent, id: 4, class: commitmentClass, instance: commitmentInstance, event: 2, data: true},
		{field: cCancel, respondedTo: 9},
	} {
		if c.field == cCancel {
			continue // never sent by us: TestCommandMalformed reads one
		}
		if got, err := parseCommand(c.encode()); err != nil || got != c {
			t.Errorf("%+v came back as %+v, %v", c, got, err)
		}
		rsp := c.answer(Status{0xC123, "because"})
		if got, err := parseCommand(rsp.encode()); err != nil || got != rsp {
			t.Errorf("%+v came back as %+v, %v", rsp, got, err)
		}
	}
}

func TestCommandMalformed(t *testing.T) {
	tests := []struct{ name, bytes, want string }{
		{"empty", "", "without element (0000,0100)"},
		{"half a head", "00000000 0400", "6 bytes left over"},
		{"length beyond the end", "00000001 ffffffff 3000", "element (0000,0100) of 4294967295 bytes"},
		{"other group", "08001600 02000000 312e", "(0008,0016)"},
		{"number of four bytes", "00000001 04000000 30000000", "of 4 bytes (it has 2)"},
		{"twice", "00000001 02000000 3000 00000001 02000000 3000", "came twice"},
		{"UID of 70 characters", "00000200 46000000" + strings.Repeat("31", 70), "70 characters"},
		{"request without a number", "00000001 02000000 3000 00000008 02000000 0101", "without element (0000,0110)"},
		{"response without a status", "00000001 02000000 3080 00002001 02000000 0100 00000008 02000000 0101", "without element (0000,0900)"},
		{"cancel", "00000001 02000000 ff0f 00002001 02000000 0100 00000008 02000000 0101", ""},
	}
	for _, tt := range tests {
		_, err := parseCommand(unhex(t, tt.bytes))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestComment(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"disk full":              "disk full",
		"a\\b\nc":                "a?b?c",
		"Müller":                 "M?ller",
		strings.Repeat("x", 100): strings.Repeat("x", 64),
		strings.Repeat("ü", 100): strings.Repeat("?", 64),
	} {
		if got := comment(in); got != want {
			t.Errorf("comment(%q) = %q, want %q", in, got, want)
		}
	}
}

func request() *associate {
	return &associate{
		kind: pduAssociateRQ, version: 1, called: "CALLED", calling: "CALLING", application: applicationContext,
		contexts: []presentation{
			{id: 1, abstract: verificationClass, transfer: []string{ImplicitLittle}},
			{id: 3, abstract: ctClass, transfer: []string{ExplicitLittle, ImplicitLittle}},
		},
		maxPDU: 16384, class: uid.Implementation, versionName: uid.ImplementationVersion,
		async: &[2]uint16{0, 5}, roles: []role{{class: commitmentClass, scp: true}},
	}
}

// TestAssociateBytes: the fixed part and the first items of PS3.8 tables 9-11 to 9-13.
func TestAssociateBytes(t *testing.T) {
	a := &associate{
		kind: pduAssociateRQ, version: 1, called: "B", calling: "A", application: "1.2",
		contexts: []presentation{{id: 1, abstract: "1.3", transfer: []string{"1.4"}}}, maxPDU: 0x4000, class: "1.5",
	}
	want := unhex(t, "01 00 00000077 0001 0000"+"42"+strings.Repeat("20", 15)+"41"+strings.Repeat("20", 15)+strings.Repeat("00", 32)+
		"10 00 0003 312e32"+
		"20 00 0012 01 00 00 00 30 00 0003 312e33 40 00 0003 312e34"+
		"50 00 000f 51 00 0004 00004000 52 00 0003 312e35")
	want[5] = byte(len(want) - 6)
	if got := a.encode(); !bytes.Equal(got, want) {
		t.Errorf("encoded\n%x, want\n%x", got, want)
	}
}

func TestAssociateRoundTrip(t *testing.T) {
	ac := request()
	ac.kind = pduAssociateAC
	ac.contexts = []presentation{{id: 1, transfer: []string{ImplicitLittle}}, {id: 3, result: contextNoTransfer, transfer: []string{ImplicitLittle}}}
	for _, a := range []*associate{request(), ac} {
		b := a.encode()
		kind, n, err := readHeader(bytes.NewReader(b), 0)
		if err != nil || kind != a.kind || int(n) != len(b)-6 {
			t.Fatalf("header: type %d, %d bytes, %v", kind, n, err)
		}
		got, err := parseAssociate(kind, b[6:])
		if err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("%+v came back as %+v, %v", a, got, err)
		}
	}
}

func TestAssociateMalformed(t *testing.T) {
	change := func(f func(*associate)) []byte {
		a := request()
		f(a)
		return a.encode()[6:]
	}
	good := request().encode()[6:]
	tests := []struct {
		name string
		b    []byte
		want string
	}{
		{"short", good[:67], "67 bytes"},
		{"cut in an item", good[:len(good)-1], "bytes, "},
		{"half an item", append(bytes.Clone(good), 0x50), "left over"},
		{"even number", change(func(a *associate) { a.contexts[1].id = 2 }), "2 is even"},
		{"number twice", change(func(a *associate) { a.contexts[1].id = 1 }), "came twice"},
		{"129 contexts", change(func(a *associate) {
			a.contexts = nil
			for i := range 129 {
				a.contexts = append(a.contexts, presentation{id: byte(2*i + 1), abstract: ctClass, transfer: []string{ImplicitLittle}})
			}
		}), "came twice"},
		{"no context", change(func(a *associate) { a.contexts = nil }), "without a presentation context"},
		{"tiny PDUs", change(func(a *associate) { a.maxPDU = 10 }), "too small"},
		{"maximum length of 2 bytes", append(bytes.Clone(good), 0x50, 0, 0, 6, 0x51, 0, 0, 2, 0, 0), "maximum length of 2 bytes"},
		{"window of 2 bytes", append(bytes.Clone(good), 0x50, 0, 0, 6, 0x53, 0, 0, 2, 0, 0), "window of 2 bytes"},
		{"role with a wrong length", append(bytes.Clone(good), 0x50, 0, 0, 9, 0x54, 0, 0, 5, 0, 200, 'x', 0, 0), "role selection"},
		{"answered context in a request", append(bytes.Clone(good), 0x21, 0, 0, 4, 9, 0, 0, 0), "does not belong here"},
		{"context of 2 bytes", append(bytes.Clone(good), 0x20, 0, 0, 2, 9, 0), "does not belong here"},
	}
	for _, tt := range tests {
		_, err := parseAssociate(pduAssociateRQ, tt.b)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := parseAssociate(pduAssociateRQ, good); err != nil {
		t.Errorf("the unchanged request: %v", err)
	}
}

// TestAssociateIgnores: extended negotiation (56H, 57H), user identity (58H) and
// items that nobody knows.
func TestAssociateIgnores(t *testing.T) {
	b := request().encode()[6:]
	more := []byte{0x50, 0, 0, 23, 0x56, 0, 0, 3, 1, 2, 3, 0x57, 0, 0, 0, 0x58, 0, 0, 4, 1, 1, 255, 255, 0xAA, 0, 0, 0}
	more[3] = byte(len(more) - 4)
	got, err := parseAssociate(pduAssociateRQ, append(b, more...))
	if err != nil || !reflect.DeepEqual(got, request()) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHeader(t *testing.T) {
	tests := []struct {
		name, bytes, want string
	}{
		{"P-DATA", "0400 00000006", ""},
		{"P-DATA of the limit", "0400 00001000", ""},
		{"P-DATA of nothing", "0400 00000000", "P-DATA PDU of 0 bytes"},
		{"P-DATA of 1 byte", "0400 00000001", "P-DATA PDU of 1 bytes"},
		{"P-DATA over the limit", "0400 00001001", "4097 bytes"},
		{"P-DATA of 4 GiB", "0400 ffffffff", "4294967295 bytes"},
		{"A-ASSOCIATE of 64 kB", "0100 00010000", ""},
		{"A-ASSOCIATE over 64 kB", "0100 00010001", "65537 bytes"},
		{"A-ABORT of 5 bytes", "0700 00000005", "of 5 bytes (it has 4)"},
		{"release of 0 bytes", "0500 00000000", "of 0 bytes (it has 4)"},
		{"type 0", "0000 00000000", "type 0x00 is unknown"},
		{"HTTP", "474554202f20", "type 0x47 is unknown"},
		{"TLS", "160301020001", "speaks TLS"},
	}
	for _, tt := range tests {
		_, _, err := readHeader(bytes.NewReader(unhex(t, tt.bytes)), 0x1000)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestMessageRoundTrip: messages of many sizes through PDUs of many sizes, one
// after the other on one connection.
func TestMessageRoundTrip(t *testing.T) {
	for _, pdu := range []uint32{0, minPDU, 65, 128, 4096, 16 << 20} {
		var wire bytes.Buffer
		out := newOutbound(&wire, pdu, 8192)
		sizes := []int{0, 2, 52, 58, 60, 116, 4090, 4092, 8186, 8188, 100000}
		for i, n := range sizes {
			c := command{field: cStore, id: uint16(i + 1), class: ctClass, instance: instance(i), data: true}
			if err := out.send(3, c, bytes.NewReader(bytes.Repeat([]byte{byte(i)}, n)), int64(n)); err != nil {
				t.Fatal(err)
			}
		}
		in := inbound{r: bufio.NewReader(&wire), max: 8192}
		for i, n := range sizes {
			m, err := in.receive(1<<20, func() {})
			if err != nil {
				t.Fatalf("PDU %d, message %d: %v", pdu, i, err)
			}
			b, err := io.ReadAll(m.data)
			if err != nil || !bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, n)) || m.command.instance != instance(i) || m.context != 3 {
				t.Errorf("PDU %d: %d bytes came back as %d, %+v, %v", pdu, n, len(b), m.command, err)
			}
			if !m.data.whole() {
				t.Errorf("PDU %d, %d bytes: not whole", pdu, n)
			}
		}
	}
}

// TestPDULimit: no PDU is longer than the peer takes, and fragments are even.
func TestPDULimit(t *testing.T) {
	for _, tt := range []struct {
		peer uint32
		ours int
		want uint32
	}{{0, 8192, 8192}, {4096, 8192, 4096}, {4097, 8192, 4096}, {16 << 20, 8192, 8192}, {64, 8192, 64}} {
		var wire bytes.Buffer
		out := newOutbound(&wire, tt.peer, tt.ours)
		if err := out.send(1, command{field: cStore, id: 1, data: true}, io.LimitReader(&zero{1 << 20}, 50000), 50000); err != nil {
			t.Fatal(err)
		}
		largest := uint32(0)
		for wire.Len() > 0 {
			kind, n, err := readHeader(&wire, tt.want)
			if err != nil || kind != pduData || n%2 != 0 {
				t.Fatalf("peer %d: PDU type %d of %d bytes, %v", tt.peer, kind, n, err)
			}
			largest = max(largest, n)
			wire.Next(int(n))
		}
		if largest != tt.want {
			t.Errorf("peer %d, ours %d: largest PDU %d, want %d", tt.peer, tt.ours, largest, tt.want)
		}
	}
}

// pdata is a P-DATA PDU of PDVs.
func pdata(pdvs ...[]byte) []byte {
	all := bytes.Join(pdvs, nil)
	return append([]byte{4, 0, byte(len(all) >> 24), byte(len(all) >> 16), byte(len(all) >> 8), byte(len(all))}, all...)
}

func pdvOf(context, flags byte, data []byte) []byte {
	n := len(data) + 2
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), context, flags}, data...)
}

func TestInboundMalformed(t *testing.T) {
	store := command{field: cStore, id: 1, class: ctClass, instance: "1.2", data: true}.encode()
	cmd := pdvOf(1, 3, store)
	tests := []struct {
		name string
		wire []byte
		want string
	}{
		{"PDV longer than its PDU", pdata([]byte{0, 0, 1, 0, 1, 3}), "PDV of 256 bytes in 2 bytes of PDU"},
		{"PDV of 4 GiB", pdata([]byte{255, 255, 255, 255, 1, 3}), "PDV of 4294967295 bytes"},
		{"PDV of 1 byte", pdata([]byte{0, 0, 0, 1, 1, 3}), "PDV of 1 bytes"},
		{"rest of a PDU", pdata(cmd, []byte{0, 0}), "2 bytes left over in a P-DATA PDU"},
		{"data before the command", pdata(pdvOf(1, 2, []byte("xx"))), "fragment of context 1 (command: false)"},
		{"other context", pdata(cmd, pdvOf(3, 2, []byte("xx"))), "fragment of context 3"},
		{"command inside data", pdata(cmd, cmd), "fragment of context 1 (command: true)"},
		{"release inside a message", append(pdata(cmd), smallPDU(pduReleaseRQ, 0, 0, 0)...), "release in the middle"},
		{"abort inside a message", append(pdata(cmd), abortPDU(2, 6)...), "aborted by the peer's network layer (reason 6)"},
		{"second A-ASSOCIATE", append(pdata(cmd), request().encode()...), "PDU type 1 was not expected"},
		{"nothing more", pdata(cmd), "unexpected EOF"},
		{"half a PDU", pdata(cmd, pdvOf(1, 0, []byte("xxxx")))[:len(cmd)+14], "unexpected EOF"},
		{"data over the limit", pdata(cmd, pdvOf(1, 0, make([]byte, 2000))), "longer than the limit"},
		{"empty fragments for ever", pdata(cmd, bytes.Repeat(pdvOf(1, 0, nil), 500)), "longer than the limit"},
	}
	for _, tt := range tests {
		in := inbound{r: bufio.NewReader(bytes.NewReader(tt.wire)), max: 8192}
		m, err := in.receive(1000, func() {})
		if err == nil {
			_, err = io.Copy(io.Discard, m.data)
			if m.data.whole() {
				t.Errorf("%s: is whole", tt.name)
			}
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestCommandTooLong(t *testing.T) {
	var wire []byte
	for range 20 {
		wire = append(wire, pdata(pdvOf(1, 1, make([]byte, 4096)))...)
	}
	in := inbound{r: bufio.NewReader(bytes.NewReader(wire)), max: 8192}
	if _, err := in.receive(1<<20, func() {}); !errors.Is(err, errTooLong) {
		t.Errorf("a command of 80 kB: %v", err)
	}
}

func TestCommitmentRoundTrip(t *testing.T) {
	stored := []Reference{{ctClass, "1.2.3"}, {ctClass, "1.2.34"}}
	for _, d := range []commitmentData{
		{transaction: "1.2.3.4", stored: stored},
		{transaction: "1.2.3.4", failed: []Failure{{stored[0], 0x0112}}},
		{transaction: "1.2.3.45", stored: stored, failed: []Failure{{Reference{ctClass, "1.9"}, 0x0119}}},
	} {
		for _, syntax := range messageSyntaxes {
			got, err := parseCommitment(bytes.NewReader(d.encode(syntax)), syntax)
			if err != nil || !reflect.DeepEqual(got, d) {
				t.Errorf("%s: %+v came back as %+v, %v", syntax, d, got, err)
			}
		}
	}
}

// TestCommitmentForms: sequences of undefined length, elements that nobody asked
// for, and what is refused.
func TestCommitmentForms(t *testing.T) {
	item := "0800 5011 0400 0000 312e3200 0800 5511 0400 0000 312e3300"
	transaction := "0800 9511 0400 0000 312e3400 "
	tests := []struct {
		name, bytes, want string
	}{
		{"undefined lengths", transaction + "0800 9911 ffffffff feff00e0 ffffffff " + item + " feff0de0 00000000 feffdde0 00000000", ""},
		{"other elements", transaction + "0800 5400 0400 0000 41424344 0800 9911 20000000 feff00e0 18000000 " + item, ""},
		{"other sequence", transaction + "0900 0110 ffffffff feff00e0 ffffffff 0900 0210 02000000 3132 feff0de0 00000000 feffdde0 00000000 0800 9911 20000000 feff00e0 18000000" + item, ""},
		{"no transaction", "0800 9911 20000000 feff00e0 18000000" + item, "no transaction UID"},
		{"no item tag", transaction + "0800 9911 20000000 0800 5011 18000000" + item, "where an item is expected"},
		{"UID too long", "0800 9511 0001 0000" + strings.Repeat("31", 256), "UID (00081195) of 256 bytes"},
		{"item without UIDs", transaction + "0800 9911 08000000 feff00e0 00000000", "no valid UIDs"},
		{"breaks off", transaction + "0800 9911 20000000 feff00e0 18000000 0800", "EOF"},
	}
	for _, tt := range tests {
		d, err := parseCommitment(bytes.NewReader(unhex(t, tt.bytes)), ImplicitLittle)
		if tt.want == "" && (err != nil || len(d.stored) != 1 || d.stored[0] != (Reference{"1.2", "1.3"})) {
			t.Errorf("%s: %+v, %v", tt.name, d, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestStorageRule holds the rule of storage classes against the standard's list.
func TestStorageRule(t *testing.T) {
	f, err := os.Open("testdata/sopclasses.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Storage in name only: media directories, prints, commitment, and a trial that was retired.
	other := []string{"1.2.840.10008.1.3.10", "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.2", "1.2.840.10008.5.1.1.27", "1.2.840.10008.5.1.1.29", "1.2.840.10008.5.1.1.30", "1.2.840.10008.5.1.4.34.1"}
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		uid, name, ok := strings.Cut(s.Text(), "\t")
		if !ok || name == "" { // a comment, or a retired number without a name
			continue
		}
		want := strings.Contains(name, "Storage")
		for _, o := range other {
			want = want && uid != o
		}
		if got := isStorage(uid); got != want {
			t.Errorf("%s %s: storage %v, want %v", uid, name, got, want)
		}
		n++
	}
	if n < 300 {
		t.Errorf("only %d SOP classes were read", n)
	}
}

func TestAnswer(t *testing.T) {
	tests := []struct {
		name, abstract string
		proposed       []string
		result         byte
		transfer       string
	}{
		{"first of two", ctClass, []string{ExplicitLittle, ImplicitLittle}, 0, ExplicitLittle},
		{"first that we know", ctClass, []string{"1.2.3", "1.2.840.10008.1.2.4.90", ImplicitLittle}, 0, "1.2.840.10008.1.2.4.90"},
		{"big endian first", ctClass, []string{ExplicitBig, ImplicitLittle}, 0, ExplicitBig},
		{"unknown syntax", ctClass, []string{"1.2.3"}, contextNoTransfer, ImplicitLittle},
		{"video", ctClass, []string{"1.2.840.10008.1.2.4.102"}, contextNoTransfer, ImplicitLittle},
		{"no syntax", ctClass, nil, contextNoTransfer, ImplicitLittle},
		{"query", "1.2.840.10008.5.1.4.1.2.1.1", []string{ImplicitLittle}, contextNoAbstract, ImplicitLittle},
		{"verification", verificationClass, []string{ImplicitLittle}, 0, ImplicitLittle},
		{"verification in JPEG", verificationClass, []string{"1.2.840.10008.1.2.4.50"}, contextNoTransfer, ImplicitLittle},
		{"commitment", commitmentClass, []string{ImplicitLittle, ExplicitLittle}, 0, ImplicitLittle},
		{"no class", "", []string{ImplicitLittle}, contextNoAbstract, ImplicitLittle},
	}
	for _, tt := range tests {
		got := answer(presentation{id: 5, abstract: tt.abstract, transfer: tt.proposed})
		if got.result != tt.result || got.transfer[0] != tt.transfer || got.id != 5 {
			t.Errorf("%s: %+v, want result %d in %s", tt.name, got, tt.result, tt.transfer)
		}
	}
}

func TestPeer(t *testing.T) {
	for s, want := range map[string]Peer{
		"PACS@10.0.0.5:104":  {"PACS", "10.0.0.5", 104},
		"MY PACS@host:11112": {"MY PACS", "host", 11112},
		"A@[::1]:104":        {"A", "::1", 104},
	} {
		got, err := ParsePeer(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("%q: %+v, %v, written %q", s, got, err, got.String())
		}
	}
	for s, want := range map[string]string{
		"":                      "write it AET@host:port",
		"host:104":              "write it AET@host:port",
		"@host:104":             "0 characters",
		"A@host":                "write it AET@host:port",
		"A@:104":                "write it AET@host:port",
		"A@host:0":              "1 to 65535",
		"A@host:65536":          "1 to 65535",
		"A@host:dicom":          "1 to 65535",
		"SEVENTEEN_LETTERS@h:1": "17 characters",
		"A\\B@h:1":              "not possible",
		"A\x00@h:1":             "not possible",
		" A@h:1":                "begins or ends with a space",
	} {
		if _, err := ParsePeer(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
}

func TestStatus(t *testing.T) {
	tests := []struct {
		s                      Status
		text                   string
		ok, warning, transient bool
	}{
		{Status{}, "0000 success", true, false, false},
		{Status{0xA700, "disk"}, "A700 out of resources (disk)", false, false, true},
		{Status{0xA7FF, ""}, "A7FF out of resources", false, false, true},
		{Status{0x0213, ""}, "0213 resource limitation", false, false, true},
		{Status{0xA900, ""}, "A900 data set does not match SOP class", false, false, false},
		{Status{0xC123, ""}, "C123 cannot understand", false, false, false},
		{Status{0xB000, ""}, "B000 coercion of data elements", true, true, false},
		{Status{0xB123, ""}, "B123 warning", true, true, false},
		{Status{0x0107, ""}, "0107 attribute list error", true, true, false},
		{Status{0x0122, ""}, "0122 SOP class not supported", false, false, false},
		{Status{0xFF00, ""}, "FF00 pending", false, false, false},
		{Status{0xFE00, ""}, "FE00 cancelled", false, false, false},
	}
	for _, tt := range tests {
		if tt.s.String() != tt.text || tt.s.OK() != tt.ok || tt.s.Warning() != tt.warning || tt.s.Transient() != tt.transient {
			t.Errorf("%q: ok %v, warning %v, transient %v; want %q %v %v %v", tt.s, tt.s.OK(), tt.s.Warning(), tt.s.Transient(), tt.text, tt.ok, tt.warning, tt.transient)
		}
	}
}
