// Command ctrecon reconstructs CT from very few views and hands the result to a
// PACS: DICOM series beside an FBP baseline, with a report that compares them.
// Research use only.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// gcPercent keeps the heap near what is in use: volumes are most of it, and
// nothing is allocated where time is spent.
const gcPercent = 25

func main() {
	debug.SetGCPercent(gcPercent)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program without the process around it. It returns the exit code
// of docs/architecture.md and prints at most one sentence about an error.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(stderr, "ctrecon: a bug of ours: %v\n%s\nplease report it with the command that you ran\n", p, debug.Stack())
			code = exitBug
		}
	}()
	app := newApp(stdout, stderr)
	err := app.RunContext(ctx, interspersed(app, args))
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "ctrecon: interrupted; nothing was written")
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "ctrecon: %v\n", err)
	return exitCode(err)
}
