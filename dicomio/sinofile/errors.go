package sinofile

import (
	"fmt"
	"strings"
)

// FormatError says that a file contradicts its own format or the other facts
// given about the scan.
type FormatError struct {
	File  string // base name
	Place string // where in the file; may be empty
	Found string // what was found, and what would help
}

func (e *FormatError) Error() string { return joinPlace(e.File, e.Place, e.Found) }

// UnsupportedError says that a file may well be right but cannot be read as it
// stands: a feature that is not supported, or a fact that only the user knows.
type UnsupportedError struct {
	File  string // base name
	Place string // where in the file; may be empty
	Found string // what was found, and what would help
}

func (e *UnsupportedError) Error() string { return joinPlace(e.File, e.Place, e.Found) }

func joinPlace(parts ...string) string {
	kept := parts[:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ": ")
}

// fileName is the base name of a file, which makes its errors.
type fileName string

func (f fileName) bad(place, format string, a ...any) error {
	return &FormatError{string(f), place, fmt.Sprintf(format, a...)}
}

func (f fileName) cannot(place, format string, a ...any) error {
	return &UnsupportedError{string(f), place, fmt.Sprintf(format, a...)}
}
