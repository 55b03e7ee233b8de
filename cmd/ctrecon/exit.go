package main

import (
	"errors"
	"fmt"
)

// Exit codes; docs/architecture.md lists them for scripts.
const (
	exitOK          = 0
	exitBug         = 1
	exitUsage       = 2
	exitInput       = 3
	exitModel       = 4
	exitOutput      = 5
	exitInterrupted = 130
)

// coded is an error that knows its exit code.
type coded struct {
	code int
	err  error
}

func (e *coded) Error() string { return e.err.Error() }
func (e *coded) Unwrap() error { return e.err }

func usagef(format string, a ...any) error { return &coded{exitUsage, fmt.Errorf(format, a...)} }
func inputErr(err error) error             { return withCode(exitInput, err) }
func outputErr(err error) error            { return withCode(exitOutput, err) }

// withCode gives err an exit code unless it has one already.
func withCode(code int, err error) error {
	var c *coded
	if err == nil || errors.As(err, &c) {
		return err
	}
	return &coded{code, err}
}

// exitCode finds the code of an error. Errors without one are made by the
// command-line library and are about usage.
func exitCode(err error) int {
	var c *coded
	if errors.As(err, &c) {
		return c.code
	}
	return exitUsage
}
