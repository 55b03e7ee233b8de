package dicomio

import "fmt"

// FormatError says that a file is wrong: what was found, and where.
type FormatError struct {
	File string // name inside the folder or archive
	What string
}

func (e *FormatError) Error() string { return e.File + ": " + e.What }

// UnsupportedError says that a file is right but cannot be used here.
type UnsupportedError struct {
	File string
	What string
}

func (e *UnsupportedError) Error() string { return e.File + ": " + e.What }

// OutputError says that a file could not be written.
type OutputError struct {
	File string
	Err  error
}

func (e *OutputError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }
func (e *OutputError) Unwrap() error { return e.Err }
