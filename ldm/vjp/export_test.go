package vjp

import (
	"testing"

	"ctrecon/ldm/onnx"
)

// What the tests of the built-in graphs use; they stand outside the package,
// since ldm/models imports it.
type Runner = runner

var (
	Library    = library
	NewRunner  = newRunner
	Dot        = dot
	FillNormal = fillNormal
	Ports      = ports
)

// NewForward runs a graph as it is.
func NewForward(t testing.TB, s *onnx.Session) *Runner { return &runner{t: t, S: s} }

// Inputs names the inputs of a model.
func Inputs(model []byte) (names []string) {
	for _, p := range parse(model).inputs {
		names = append(names, p.name)
	}
	return names
}
