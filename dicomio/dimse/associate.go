package dimse

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

const applicationContext = "1.2.840.10008.3.1.1.1"

// Item types of A-ASSOCIATE (PS3.8 9.3.2, PS3.7 D.3).
const (
	itemApplication byte = 0x10
	itemContextRQ   byte = 0x20
	itemContextAC   byte = 0x21
	itemAbstract    byte = 0x30
	itemTransfer    byte = 0x40
	itemUser        byte = 0x50
	itemMaxLength   byte = 0x51
	itemClass       byte = 0x52
	itemAsync       byte = 0x53
	itemRole        byte = 0x54
	itemVersion     byte = 0x55
)

// associate is an A-ASSOCIATE-RQ or -AC.
type associate struct {
	kind            byte
	version         uint16
	called, calling string
	application     string
	contexts        []presentation
	maxPDU          uint32 // 0: no limit
	class           string // implementation
	versionName     string
	async           *[2]uint16 // invoked, performed
	roles           []role
}

// presentation is a presentation context: proposed with all its transfer syntaxes, or
// answered with a result and, when that is acceptance, one of them.
type presentation struct {
	id       byte
	result   byte
	abstract string
	transfer []string
}

// Results of a presentation context (PS3.8 table 9-18).
const (
	contextAccepted    byte = 0
	contextNoAbstract  byte = 3
	contextNoTransfer  byte = 4
	maxContexts             = 128
	fixedAssociate          = 68 // bytes before the items
	lengthOfTitles          = 16
	offsetCalled            = 4
	offsetCalling           = 20
	protocolVersionOne      = 1
)

// role selection of a SOP class: what the requestor may be.
type role struct {
	class    string
	scu, scp bool
}

// encode is the whole PDU.
func (a *associate) encode() []byte {
	var b bytes.Buffer
	b.Write([]byte{a.kind, 0, 0, 0, 0, 0})
	b.Write(binary.BigEndian.AppendUint16(nil, a.version))
	b.Write([]byte{0, 0})
	b.WriteString(padTitle(a.called))
	b.WriteString(padTitle(a.calling))
	b.Write(make([]byte, 32))
	putItem(&b, itemApplication, []byte(a.application))
	for _, c := range a.contexts {
		a.putContext(&b, c)
	}
	putItem(&b, itemUser, a.user())
	out := b.Bytes()
	binary.BigEndian.PutUint32(out[2:], uint32(len(out)-6))
	return out
}

func (a *associate) putContext(b *bytes.Buffer, c presentation) {
	var in bytes.Buffer
	in.Write([]byte{c.id, 0, c.result, 0})
	kind := itemContextAC
	if a.kind == pduAssociateRQ {
		kind = itemContextRQ
		putItem(&in, itemAbstract, []byte(c.abstract))
	}
	for _, t := range c.transfer {
		putItem(&in, itemTransfer, []byte(t))
	}
	putItem(b, kind, in.Bytes())
}

func (a *associate) user() []byte {
	var b bytes.Buffer
	putItem(&b, itemMaxLength, binary.BigEndian.AppendUint32(nil, a.maxPDU))
	putItem(&b, itemClass, []byte(a.class))
	if a.async != nil {
		putItem(&b, itemAsync, binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, a.async[0]), a.async[1]))
	}
	for _, r := range a.roles {
		v := binary.BigEndian.AppendUint16(nil, uint16(len(r.class)))
		putItem(&b, itemRole, append(append(v, r.class...), bit(r.scu), bit(r.scp)))
	}
	if a.versionName != "" {
		putItem(&b, itemVersion, []byte(a.versionName))
	}
	return b.Bytes()
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func putItem(b *bytes.Buffer, kind byte, value []byte) {
	b.Write([]byte{kind, 0})
	b.Write(binary.BigEndian.AppendUint16(nil, uint16(len(value))))
	b.Write(value)
}

func padTitle(s string) string { return (s + strings.Repeat(" ", lengthOfTitles))[:lengthOfTitles] }

// parseAssociate reads what follows the header of an A-ASSOCIATE-RQ or -AC.
func parseAssociate(kind byte, b []byte) (*associate, error) {
	if len(b) < fixedAssociate {
		return nil, protocolf("A-ASSOCIATE of %d bytes (it has %d and more)", len(b), fixedAssociate)
	}
	a := &associate{
		kind: kind, version: binary.BigEndian.Uint16(b),
		called: title(b[offsetCalled:]), calling: title(b[offsetCalling:]),
	}
	err := eachItem(b[fixedAssociate:], func(kind byte, v []byte) error {
		switch kind {
		case itemApplication:
			a.application = text(v)
		case itemContextRQ, itemContextAC:
			return a.addContext(kind, v)
		case itemUser:
			return eachItem(v, a.addUser)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a, a.check()
}

// title is an AE title; spaces at its ends mean nothing.
func title(b []byte) string { return strings.Trim(string(b[:lengthOfTitles]), " \x00") }

// text is a UID or name; some peers pad with a NUL or a space.
func text(b []byte) string { return strings.TrimRight(string(b), " \x00") }

// eachItem calls f with the items of b. Unknown ones are f's to ignore.
func eachItem(b []byte, f func(kind byte, value []byte) error) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return protocolf("A-ASSOCIATE: %d bytes left over after an item", len(b))
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b)-4 {
			return protocolf("A-ASSOCIATE: item %#02x of %d bytes, %d are there", b[0], n, len(b)-4)
		}
		if err := f(b[0], b[4:4+n]); err != nil {
			return err
		}
		b = b[4+n:]
	}
	return nil
}

func (a *associate) addContext(kind byte, v []byte) error {
	if (kind == itemContextRQ) != (a.kind == pduAssociateRQ) || len(v) < 4 {
		return protocolf("A-ASSOCIATE: item %#02x of %d bytes does not belong here", kind, len(v))
	}
	c := presentation{id: v[0]}
	if kind == itemContextAC {
		c.result = v[2]
	}
	err := eachItem(v[4:], func(kind byte, v []byte) error {
		switch kind {
		case itemAbstract:
			c.abstract = text(v)
		case itemTransfer:
			c.transfer = append(c.transfer, text(v))
		}
		return nil
	})
	a.contexts = append(a.contexts, c)
	return err
}

func (a *associate) addUser(kind byte, v []byte) error {
	switch kind {
	case itemMaxLength:
		if len(v) != 4 {
			return protocolf("A-ASSOCIATE: maximum length of %d bytes (it has 4)", len(v))
		}
		a.maxPDU = binary.BigEndian.Uint32(v)
	case itemClass:
		a.class = text(v)
	case itemVersion:
		a.versionName = text(v)
	case itemAsync:
		if len(v) != 4 {
			return protocolf("A-ASSOCIATE: asynchronous operations window of %d bytes (it has 4)", len(v))
		}
		a.async = &[2]uint16{binary.BigEndian.Uint16(v), binary.BigEndian.Uint16(v[2:])}
	case itemRole:
		return a.addRole(v)
	}
	return nil
}

func (a *associate) addRole(v []byte) error {
	if len(v) < 4 || int(binary.BigEndian.Uint16(v)) != len(v)-4 {
		return protocolf("A-ASSOCIATE: role selection of %d bytes does not fit its UID", len(v))
	}
	n := len(v)
	a.roles = append(a.roles, role{class: text(v[2 : n-2]), scu: v[n-2] == 1, scp: v[n-1] == 1})
	return nil
}

// check holds the presentation contexts against PS3.8 9.3.2.2: odd numbers, each once.
func (a *associate) check() error {
	if len(a.contexts) == 0 && a.kind == pduAssociateRQ {
		return protocolf("A-ASSOCIATE without a presentation context")
	}
	var seen [256]bool
	for _, c := range a.contexts {
		if c.id%2 == 0 || seen[c.id] {
			return protocolf("A-ASSOCIATE: presentation context number %d is even or came twice", c.id)
		}
		seen[c.id] = true
	}
	if a.maxPDU != 0 && a.maxPDU < minPDU {
		return protocolf("A-ASSOCIATE: maximum length %d is too small to talk (%d at least)", a.maxPDU, minPDU)
	}
	return nil
}

// roleOf is the role selection of a SOP class.
func (a *associate) roleOf(class string) (role, bool) {
	i := slices.IndexFunc(a.roles, func(r role) bool { return r.class == class })
	if i < 0 {
		return role{}, false
	}
	return a.roles[i], true
}
