package onnx

import (
	"errors"
	"regexp"
	"strings"
)

// RunError says that the runtime could not open or run a graph: memory ran out,
// an operator is not known, inputs do not fit. Its text is one line.
type RunError struct{ text string }

func (e *RunError) Error() string { return e.text }

// memorySigns are the runtime's and CUDA's words for no memory.
var memorySigns = []string{"Failed to allocate memory", "bad_alloc", "bad allocation", "out of memory", "ALLOC_FAILED", "smaller than requested bytes"}

var bufferSize = regexp.MustCompile(`requested buffer of size (\d+)`)

// oneLine makes a RunError of the runtime's lines.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, s := range memorySigns {
		if strings.Contains(text, s) {
			if m := bufferSize.FindStringSubmatch(text); m != nil {
				text = m[1] + " bytes were asked for at once"
			}
			text = "memory ran out: fewer workers, or a bundle for smaller images, would need less (" + text + ")"
			break
		}
	}
	return &RunError{text}
}

// IsRunError says whether err comes from the runtime.
func IsRunError(err error) bool {
	var e *RunError
	return errors.As(err, &e)
}
