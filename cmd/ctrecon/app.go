package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

const researchUse = "Research use only. Not for diagnosis."

// newApp is the command with its subcommands. The root command is the main job,
// the same as recon.
func newApp(stdout, stderr io.Writer) *cli.App {
	cli.VersionPrinter = func(c *cli.Context) {
		fmt.Fprintf(c.App.Writer, "ctrecon %s %s\n", version, commit())
	}
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Usage: "print the version"}
	job := reconCommand()
	return &cli.App{
		Name:      "ctrecon",
		Usage:     "CT from very few views: sinogram or DICOM series in, DICOM series and a report out",
		UsageText: "ctrecon [--angles N] INPUT\nctrecon COMMAND [options] ...",
		Description: researchUse + "\n\n" + examples(
			"ctrecon --angles 25 sino.npy", "reconstruct a sinogram file from 25 of its views",
			"ctrecon --angles 25 study/", "re-measure a CT series with 25 views and reconstruct it",
			"ctrecon phantom thorax && ctrecon --angles 25 thorax/", "try it without data"),
		Version:              version,
		Flags:                job.Flags,
		Action:               job.Action,
		Commands:             []*cli.Command{job, phantomCommand(), simulateCommand(), reportCommand(), evaluateCommand(), modelCommand(), infoCommand(), echoCommand(), sendCommand(), serveCommand(), completionCommand()},
		Suggest:              true,
		EnableBashCompletion: true,
		Writer:               stdout,
		ErrWriter:            stderr,
		ExitErrHandler:       func(*cli.Context, error) {}, // run prints the error and chooses the code
		OnUsageError: func(c *cli.Context, err error, _ bool) error {
			return usagef("%v; see ctrecon %s --help", err, c.Command.Name)
		},
	}
}

// examples lays out pairs of a command and what it does.
func examples(pairs ...string) string {
	s := "Examples:\n"
	for i := 0; i+1 < len(pairs); i += 2 {
		s += fmt.Sprintf("  %s\n      %s\n", pairs[i], pairs[i+1])
	}
	return s
}

// onlyArgument is the one argument of a command.
func onlyArgument(c *cli.Context, what string) (string, error) {
	switch c.NArg() {
	case 0:
		return "", usagef("no %s given; see ctrecon --help", what)
	case 1:
		return c.Args().First(), nil
	}
	return "", usagef("%d arguments given, one %s expected: %q", c.NArg(), what, c.Args().Slice())
}
