package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// The library prints the zero value of a flag as its default, even where the usage
// tells what happens without it.
func init() {
	whole := cli.FlagStringer
	cli.FlagStringer = func(f cli.Flag) string {
		s := whole(f)
		for _, zero := range []string{" (default: 0)", " (default: false)"} {
			s = strings.TrimSuffix(s, zero)
		}
		return s
	}
}
