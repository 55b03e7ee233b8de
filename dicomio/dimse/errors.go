package dimse

import "fmt"

// Rejected is an association request that the peer refused (A-ASSOCIATE-RJ).
type Rejected struct {
	Result byte // 1 permanent, 2 transient
	Source byte // 1 user, 2 provider (ACSE), 3 provider (presentation)
	Reason byte
}

// Transient says that the same request may be accepted later.
func (e *Rejected) Transient() bool { return e.Result == 2 }

func (e *Rejected) Error() string {
	how := "permanently"
	if e.Transient() {
		how = "for now"
	}
	return fmt.Sprintf("association rejected %s: %s", how, e.reason())
}

var reasons = map[[2]byte]string{
	{1, 1}: "no reason given", {1, 2}: "application context not supported",
	{1, 3}: "calling AE title not recognized", {1, 7}: "called AE title not recognized",
	{2, 1}: "no reason given", {2, 2}: "protocol version not supported",
	{3, 1}: "temporary congestion", {3, 2}: "local limit exceeded",
}

func (e *Rejected) reason() string {
	if r, ok := reasons[[2]byte{e.Source, e.Reason}]; ok {
		return r
	}
	return fmt.Sprintf("source %d, reason %d", e.Source, e.Reason)
}

// Aborted is an association that the peer broke off (A-ABORT).
type Aborted struct {
	Source byte // 0 user, 2 provider
	Reason byte
}

func (e *Aborted) Error() string {
	if e.Source == 0 {
		return "association aborted by the peer's application"
	}
	return fmt.Sprintf("association aborted by the peer's network layer (reason %d)", e.Reason)
}

// NotAccepted is a SOP class, or its transfer syntax, that the peer did not
// accept when the association was made. Asking again does not help.
type NotAccepted struct{ SOPClass, TransferSyntax string }

func (e *NotAccepted) Error() string {
	return fmt.Sprintf("the peer does not accept SOP class %s in transfer syntax %s", e.SOPClass, e.TransferSyntax)
}

// ProtocolError is something that the peer sent and PS3.7 or PS3.8 does not allow.
type ProtocolError struct {
	What   string
	reason byte // of the A-ABORT that answers it
}

func (e *ProtocolError) Error() string { return "protocol: " + e.What }

func protocolf(format string, a ...any) error {
	return &ProtocolError{fmt.Sprintf(format, a...), abortInvalidValue}
}
