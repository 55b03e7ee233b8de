package dimse

import "fmt"

// Status of a DIMSE response, with a comment of at most 64 characters for people
// at the other end (0000,0902). No patient data belongs in the comment.
type Status struct {
	Code    uint16
	Comment string
}

// Codes of PS3.7 annex C and PS3.4 table B.2-1.
const (
	Success               uint16 = 0x0000
	ProcessingFailure     uint16 = 0x0110
	NoSuchInstance        uint16 = 0x0112
	NoSuchEventType       uint16 = 0x0113
	NoSuchArgument        uint16 = 0x0114
	InvalidInstance       uint16 = 0x0117
	NoSuchClass           uint16 = 0x0118
	ClassInstanceConflict uint16 = 0x0119
	SOPClassNotSupported  uint16 = 0x0122
	NoSuchAction          uint16 = 0x0123
	NotAuthorized         uint16 = 0x0124
	DuplicateInvocation   uint16 = 0x0210
	UnrecognizedOperation uint16 = 0x0211
	MistypedArgument      uint16 = 0x0212
	ResourceLimitation    uint16 = 0x0213
	OutOfResources        uint16 = 0xA700
	DataSetMismatch       uint16 = 0xA900
	CannotUnderstand      uint16 = 0xC000
	CoercedElements       uint16 = 0xB000
	ElementsDiscarded     uint16 = 0xB006
	ClassMismatchWarning  uint16 = 0xB007
)

// OK says that the operation was done: success, or success with a warning.
func (s Status) OK() bool { return s.Code == Success || s.Warning() }

// Warning says that the operation was done, but not as asked.
func (s Status) Warning() bool {
	return s.Code>>12 == 0xB || s.Code == 0x0001 || s.Code == 0x0107 || s.Code == 0x0116
}

// Transient says that the same request may succeed later: the peer is out of
// resources (A7xx, 0213).
func (s Status) Transient() bool { return s.Code>>8 == 0xA7 || s.Code == ResourceLimitation }

// String is the code in hexadecimal, its meaning and the comment.
func (s Status) String() string {
	t := fmt.Sprintf("%04X %s", s.Code, meaning(s.Code))
	if s.Comment != "" {
		t += fmt.Sprintf(" (%s)", s.Comment)
	}
	return t
}

var meanings = map[uint16]string{
	Success: "success", ProcessingFailure: "processing failure", NoSuchInstance: "no such instance",
	NoSuchEventType: "no such event type", NoSuchArgument: "no such argument", InvalidInstance: "invalid SOP instance",
	NoSuchClass: "no such SOP class", ClassInstanceConflict: "class and instance conflict",
	SOPClassNotSupported: "SOP class not supported", NoSuchAction: "no such action", NotAuthorized: "not authorized",
	DuplicateInvocation: "duplicate invocation", UnrecognizedOperation: "unrecognized operation",
	MistypedArgument: "mistyped argument", ResourceLimitation: "resource limitation",
	CoercedElements: "coercion of data elements", ElementsDiscarded: "elements discarded",
	0x0001: "some attributes are not supported", 0x0107: "attribute list error", 0x0116: "attribute value out of range",
	ClassMismatchWarning: "data set does not match SOP class",
}

func meaning(code uint16) string {
	if m, ok := meanings[code]; ok {
		return m
	}
	switch {
	case code>>8 == 0xA7:
		return "out of resources"
	case code>>8 == 0xA9:
		return "data set does not match SOP class"
	case code>>12 == 0xC:
		return "cannot understand"
	case code>>12 == 0xB:
		return "warning"
	case code == 0xFE00:
		return "cancelled"
	case code>>8 == 0xFF:
		return "pending"
	}
	return "failure"
}
