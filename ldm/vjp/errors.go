package vjp

import (
	"errors"
	"fmt"
)

// FormatError says that the bytes are no valid ONNX model.
type FormatError struct {
	Place string // message, node or tensor
	What  string
}

func (e *FormatError) Error() string { return "onnx: " + e.Place + ": " + e.What }

// UnsupportedError says that a model is right but that its gradient cannot be
// written here.
type UnsupportedError struct {
	Op    string // operator, with its domain when that is not ONNX's; empty when no node is to blame
	Place string // name of the node or tensor
	What  string
}

func (e *UnsupportedError) Error() string {
	if e.Op == "" {
		return "onnx: " + e.Place + ": " + e.What
	}
	return "onnx: " + e.Op + " " + e.Place + ": " + e.What
}

// stop carries an error out of a rule; Build recovers it and nothing else.
type stop struct{ err error }

// catch turns a stop into an error.
func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case stop:
		*err = r.err
	default:
		panic(r)
	}
}

func invalid(place, format string, args ...any) {
	panic(stop{&FormatError{place, fmt.Sprintf(format, args...)}})
}

func (n *node) invalid(format string, args ...any) {
	invalid(n.op+" "+n.label(), format, args...)
}

func (n *node) unsupported(format string, args ...any) {
	panic(stop{&UnsupportedError{n.key(), n.label(), fmt.Sprintf(format, args...)}})
}

func isUnsupported(err error) bool {
	var u *UnsupportedError
	return errors.As(err, &u)
}
