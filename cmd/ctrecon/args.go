package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// interspersed moves the flags of the called command before its arguments, so
// that "ctrecon sino.npy --angles 25" means what it says. The command-line
// library stops at the first argument that is no flag.
func interspersed(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	head, rest, flags := args[:1:1], args[1:], app.Flags
	commands := app.Commands
	for len(rest) > 0 {
		c := find(commands, rest[0])
		if c == nil {
			break
		}
		head, rest, flags, commands = append(head, rest[0]), rest[1:], c.Flags, c.Subcommands
	}
	var opts, names []string
	for i := 0; i < len(rest); i++ {
		a := rest[i]
		switch {
		case a == "--":
			names = append(names, rest[i:]...)
			i = len(rest)
		case len(a) > 1 && a[0] == '-' && !number(a):
			opts = append(opts, a)
			if !strings.Contains(a, "=") && takesValue(flags, strings.TrimLeft(a, "-")) && i+1 < len(rest) {
				i++
				opts = append(opts, rest[i])
			}
		default:
			names = append(names, a)
		}
	}
	return append(append(head, opts...), names...)
}

func number(a string) bool { return len(a) > 1 && (a[1] >= '0' && a[1] <= '9' || a[1] == '.') }

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// takesValue says whether the flag is followed by a value. A flag that nobody
// knows takes none, so that the library can complain about it by name.
func takesValue(flags []cli.Flag, name string) bool {
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				_, isBool := f.(*cli.BoolFlag)
				return !isBool
			}
		}
	}
	return false
}
