package recon

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Job is many slices by several methods.
type Job struct {
	Slices  int
	Source  func(i int) (Slice, error) // called from several goroutines
	Methods []string
	Options Options
	Workers int // slices at a time
	// Done takes the results of a slice, one a method. It is called by one
	// goroutine at a time, in any order of slices.
	Done func(i int, job Slice, results []Result) error
	// Step hears of each finished method of a slice; nil for nobody.
	Step func(i int, method string)
}

// Run reconstructs all slices. Memory holds one slice a worker. The first error
// ends the run; ctx's end does within a second.
func Run(ctx context.Context, j Job) error {
	g, ctx := errgroup.WithContext(ctx)
	workers := max(1, min(j.Workers, j.Slices))
	if j.Options.Threads == 0 {
		j.Options.Threads = max(1, runtime.GOMAXPROCS(0)/workers)
	}
	next := make(chan int)
	g.Go(func() error {
		defer close(next)
		for i := range j.Slices {
			select {
			case next <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	var mu sync.Mutex
	for range workers {
		g.Go(func() error { return worker(ctx, &j, next, &mu) })
	}
	return g.Wait()
}

func worker(ctx context.Context, j *Job, next <-chan int, mu *sync.Mutex) error {
	methods := make([]Method, len(j.Methods))
	for k, name := range j.Methods {
		m, err := New(name, j.Options)
		if err != nil {
			return err
		}
		methods[k] = m
	}
	for i := range next {
		s, err := j.Source(i)
		if err != nil {
			return fmt.Errorf("slice %d: %w", i, err)
		}
		results := make([]Result, len(methods))
		for k, m := range methods {
			if results[k], err = guarded(ctx, m, s); err != nil {
				return fmt.Errorf("slice %d, %s: %w", i, m.Name(), err)
			}
			if j.Step != nil {
				mu.Lock()
				j.Step(i, m.Name())
				mu.Unlock()
			}
		}
		mu.Lock()
		err = j.Done(i, s, results)
		mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// guarded turns a panic of a method into an error.
func guarded(ctx context.Context, m Method, s Slice) (r Result, err error) {
	defer recovered(&err)
	return m.Reconstruct(ctx, s, nil)
}
