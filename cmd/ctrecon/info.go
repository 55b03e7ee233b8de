package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"ctrecon/ct/recon"
	"ctrecon/ldm/onnx"
	"ctrecon/phantoms"
	"ctrecon/radon"
)

func infoCommand() *cli.Command {
	return &cli.Command{
		Name: "info", Usage: "what this machine can do",
		Description: examples("ctrecon info", "version, kernels, ONNX Runtime, methods and phantoms"),
		Action: func(c *cli.Context) error {
			w := c.App.Writer
			fmt.Fprintf(w, "ctrecon    %s %s, %s, %s/%s, %d cores\n", version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, cores())
			fmt.Fprintf(w, "projector  %s\n", strings.Join(radon.Kernels(), ", "))
			if lib, err := onnx.Open(); err != nil {
				fmt.Fprintf(w, "networks   %v; the methods below need none\n", err)
			} else {
				fmt.Fprintf(w, "networks   ONNX Runtime %s (%s), cpu\n", lib.Version, lib.Found)
			}
			for _, m := range recon.Methods() {
				fmt.Fprintf(w, "method     %-9s %s (%s)\n", m.Name, m.About, m.Source)
			}
			fmt.Fprintf(w, "phantoms   %s\n%s\n", strings.Join(phantoms.Names(), ", "), researchUse)
			return nil
		},
	}
}
