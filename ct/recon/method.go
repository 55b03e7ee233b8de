// Package recon turns sinograms into images: one Method a file, a registry of
// them, and the runner that reconstructs many slices on many cores.
package recon

import (
	"context"
	"time"

	"ctrecon/ct"
	"ctrecon/radon"
)

// Method reconstructs slices. It stops within a second of ctx ending, with
// ctx's error, and gives the same bits for the same job and seed whatever the
// number of workers. A Method is used by one goroutine at a time; the registry
// makes a new one for each worker, so it may keep plans and work space between
// slices of equal geometry.
type Method interface {
	Name() string
	Reconstruct(ctx context.Context, job Slice, progress Progress) (Result, error)
}

// Slice is the work of one slice.
type Slice struct {
	Index int // in the series; names the random numbers of the slice
	Grid  ct.Grid
	Sino  ct.Sinogram
	// Fan is nil for parallel beams. Else Sino's angles are those of the source,
	// and its bins and their spacing lie on the detector.
	Fan     *radon.Fan
	MuWater float64 // 1/mm
	Seed    uint64
	// Sample hears of every sample of a method that draws them: mu on the grid of
	// its model. Nil for nobody.
	Sample func(method string, img ct.Image)
}

// Progress tells how far a slice is; misfit is the chi-square per datum, NaN
// where it is not known. Nil means that nobody listens.
type Progress func(done, total int, misfit float64)

// Result is a reconstructed slice.
type Result struct {
	Image ct.Image  // mu in 1/mm
	SD    []float32 // standard deviation of the error as samples foretell it, 1/mm, or nil
	Prior []float32 // the part of Image that the data do not determine, 1/mm, or nil
	// Deviation is about how far the restorer's first image is from the object, as
	// its residual tells, root mean square in 1/mm; 0 where there is none. Slices that
	// are harder than others have more of it.
	Deviation  float64
	Chi2       float64   // mean of ((A mu - y)/sigma)^2 over live bins
	Iterations int       // 0 for direct methods
	Settings   []Setting // what was used, defaults and estimates included
	Warnings   []string
	Elapsed    time.Duration
}

// Setting is a named value that shaped a result.
type Setting struct{ Name, Value string }
