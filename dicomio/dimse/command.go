package dimse

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Command fields (PS3.7 E.1-1). A response is its request with the top bit.
const (
	cStore     uint16 = 0x0001
	cEcho      uint16 = 0x0030
	cCancel    uint16 = 0x0FFF
	nEvent     uint16 = 0x0100
	nAction    uint16 = 0x0130
	isResponse uint16 = 0x8000
)

const (
	noDataSet  uint16 = 0x0101
	hasDataSet uint16 = 0x0000
	maxComment        = 64
)

// Elements of the command set, group 0000.
const (
	elAffectedClass     uint16 = 0x0002
	elRequestedClass    uint16 = 0x0003
	elField             uint16 = 0x0100
	elMessageID         uint16 = 0x0110
	elRespondedTo       uint16 = 0x0120
	elPriority          uint16 = 0x0700
	elDataSetType       uint16 = 0x0800
	elStatus            uint16 = 0x0900
	elComment           uint16 = 0x0902
	elAffectedInstance  uint16 = 0x1000
	elRequestedInstance uint16 = 0x1001
	elEventType         uint16 = 0x1002
	elActionType        uint16 = 0x1008
)

// command is a command set, as far as the services here need it.
type command struct {
	field           uint16
	id, respondedTo uint16
	class, instance string // affected, or requested where there is no affected one
	priority        uint16
	data            bool // a data set follows
	status          Status
	event, action   uint16
}

func (c command) response() bool { return c.field&isResponse != 0 }

// answer is the response to a request.
func (c command) answer(s Status) command {
	return command{
		field: c.field | isResponse, respondedTo: c.id, class: c.class, instance: c.instance,
		status: s, event: c.event, action: c.action,
	}
}

// encode is the command set in implicit VR little endian.
func (c command) encode() []byte {
	var b bytes.Buffer
	b.Write(make([]byte, 12)) // group length
	requested := c.field == nAction
	if !requested {
		putUID(&b, elAffectedClass, c.class)
	} else {
		putUID(&b, elRequestedClass, c.class)
	}
	putUS(&b, elField, c.field)
	if c.response() {
		putUS(&b, elRespondedTo, c.respondedTo)
	} else {
		putUS(&b, elMessageID, c.id)
	}
	if c.field == cStore {
		putUS(&b, elPriority, c.priority)
	}
	putUS(&b, elDataSetType, dataSetType(c.data))
	if c.response() {
		putUS(&b, elStatus, c.status.Code)
		putText(&b, elComment, comment(c.status.Comment), ' ')
	}
	if !requested {
		putUID(&b, elAffectedInstance, c.instance)
	} else {
		putUID(&b, elRequestedInstance, c.instance)
	}
	if c.field&^isResponse == nEvent {
		putUS(&b, elEventType, c.event)
	}
	if c.field&^isResponse == nAction {
		putUS(&b, elActionType, c.action)
	}
	out := b.Bytes()
	copy(out, []byte{0, 0, 0, 0, 4, 0, 0, 0})
	binary.LittleEndian.PutUint32(out[8:], uint32(len(out)-12))
	return out
}

func dataSetType(data bool) uint16 {
	if data {
		return hasDataSet
	}
	return noDataSet
}

// comment is what a status may say: at most 64 printable ASCII characters.
func comment(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '\\' {
			return '?'
		}
		return r
	}, s)
	return strings.TrimSpace(s[:min(len(s), maxComment)])
}

func putUID(b *bytes.Buffer, element uint16, uid string) { putText(b, element, uid, 0) }

// putText writes a text of even length; an empty one is left out.
func putText(b *bytes.Buffer, element uint16, s string, pad byte) {
	if s == "" {
		return
	}
	v := []byte(s)
	if len(v)%2 == 1 {
		v = append(v, pad)
	}
	putElement(b, element, v)
}

func putUS(b *bytes.Buffer, element, v uint16) {
	putElement(b, element, binary.LittleEndian.AppendUint16(nil, v))
}

func putElement(b *bytes.Buffer, element uint16, v []byte) {
	var h [8]byte
	binary.LittleEndian.PutUint16(h[2:], element)
	binary.LittleEndian.PutUint32(h[4:], uint32(len(v)))
	b.Write(h[:])
	b.Write(v)
}

// parseCommand reads a command set. Elements that no service here needs are left out.
func parseCommand(b []byte) (command, error) {
	c := command{}
	seen := map[uint16]bool{}
	for len(b) > 0 {
		if len(b) < 8 {
			return c, protocolf("command set: %d bytes left over", len(b))
		}
		group, element, n := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint32(b[4:])
		if group != 0 || int64(n) > int64(len(b)-8) {
			return c, protocolf("command set: element (%04X,%04X) of %d bytes, %d are there", group, element, n, len(b)-8)
		}
		if seen[element] {
			return c, protocolf("command set: element (0000,%04X) came twice", element)
		}
		seen[element] = true
		if err := c.set(element, b[8:8+n]); err != nil {
			return c, err
		}
		b = b[8+n:]
	}
	return c, c.complete(seen)
}

func (c *command) set(element uint16, v []byte) error {
	switch element {
	case elAffectedClass, elRequestedClass:
		return setUID(&c.class, element, v)
	case elAffectedInstance, elRequestedInstance:
		return setUID(&c.instance, element, v)
	case elComment:
		c.status.Comment = comment(text(v))
		return nil
	}
	var p *uint16
	switch element {
	case elField:
		p = &c.field
	case elMessageID:
		p = &c.id
	case elRespondedTo:
		p = &c.respondedTo
	case elPriority:
		p = &c.priority
	case elStatus:
		p = &c.status.Code
	case elEventType:
		p = &c.event
	case elActionType:
		p = &c.action
	case elDataSetType:
		p = new(uint16)
	default:
		return nil
	}
	if len(v) != 2 {
		return protocolf("command set: element (0000,%04X) of %d bytes (it has 2)", element, len(v))
	}
	*p = binary.LittleEndian.Uint16(v)
	c.data = c.data || element == elDataSetType && *p != noDataSet
	return nil
}

// setUID keeps an affected UID where a requested one stands beside it.
func setUID(dst *string, element uint16, v []byte) error {
	if *dst == "" || element == elAffectedClass || element == elAffectedInstance {
		*dst = text(v)
	}
	if len(*dst) > 64 {
		return protocolf("command set: UID (0000,%04X) of %d characters (64 at most)", element, len(*dst))
	}
	return nil
}

// complete says what a command set cannot do without.
func (c *command) complete(seen map[uint16]bool) error {
	need := []uint16{elField, elDataSetType, elMessageID}
	switch {
	case c.field == cCancel:
		need[2] = elRespondedTo
	case c.response():
		need = append(need[:2], elRespondedTo, elStatus)
	}
	for _, e := range need {
		if !seen[e] {
			return protocolf("command set without element (0000,%04X)", e)
		}
	}
	return nil
}

// isUID says whether a text can be a UID: digits and dots, 64 at most. Numbers
// with leading zeros exist and are harmless.
func isUID(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789.") == "" && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..")
}
