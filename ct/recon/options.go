package recon

import (
	"ctrecon/ldm/models"
	"ctrecon/ldm/onnx"
)

// Options of the methods. The zero value means the defaults; all but TVWeight
// belong to methods that use a model.
type Options struct {
	Model   *models.Bundle // nil: the built-in one
	Device  string         // "cpu", "cuda:N"; "" = cpu
	Threads int            // of one worker, for samples beside each other and inside networks; 0: 1, and in Run the cores that workers leave; no bit depends on it
	Samples int            // that are averaged
	Steps   int            // noise levels
	Set     []string       // of resample: "name=value", see Tune
	Compat  string         // of resample-paper: "paper", "code", "" = the corrected default

	TVWeight float64 // of the method tv; 0 follows the number of views

	RawSpread     bool // Result.SD is the spread of samples as it is, not the error that it foretells
	Unconditional bool // the network is told nothing but its noisy latent
}

// bundle is the model, or the built-in one.
func (o *Options) bundle() (*models.Bundle, error) {
	if o.Model != nil {
		return o.Model, nil
	}
	b, err := models.Default()
	if err != nil {
		return nil, &ModelError{err}
	}
	return b, nil
}

// ModelError says that the network or its runtime cannot be used.
type ModelError struct{ Err error }

func (e *ModelError) Error() string { return e.Err.Error() }
func (e *ModelError) Unwrap() error { return e.Err }

// modelErr makes a ModelError of what the runtime says in the middle of a run.
func modelErr(err error) error {
	if onnx.IsRunError(err) {
		return &ModelError{err}
	}
	return err
}
