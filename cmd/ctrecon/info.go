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
		Name: "info", Usage: "what this machine can do, or what is in DICOM files", ArgsUsage: "[FILE...]",
		Description: examples("ctrecon info", "version, kernels, ONNX Runtime, methods and phantoms",
			"ctrecon info scout.dcm", "size and values of a CT file's images, and why no job can be made of them"),
		Action: func(c *cli.Context) error {
			w := c.App.Writer
			if c.Args().Present() {
				return describeFiles(w, c.Args().Slice())
			}
			fmt.Fprintf(w, "ctrecon    %s %s, %s, %s/%s, %d cores\n", version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, cores())
			fmt.Fprintf(w, "projector  %s\n", strings.Join(radon.Kernels(), ", "))
			fmt.Fprintf(w, "networks   %s\n", networks())
			for _, m := range recon.Methods() {
				fmt.Fprintf(w, "method     %-9s %s (%s)\n", m.Name, m.About, m.Source)
			}
			fmt.Fprintf(w, "phantoms   %s\n%s\n", strings.Join(phantoms.Names(), ", "), researchUse)
			return nil
		},
	}
}

// networks says what runs the diffusion model here, or how to get it.
func networks() string {
	lib, err := onnx.Open()
	if err != nil {
		return err.Error() + "; the classical methods work without"
	}
	names, missing, err := onnx.Providers()
	if err != nil {
		return fmt.Sprintf("ONNX Runtime %s (%s), %v", lib.Version, lib.Found, err)
	}
	s := fmt.Sprintf("ONNX Runtime %s (%s), providers: %s", lib.Version, lib.Found, strings.Join(names, ", "))
	if missing != "" {
		s += "; no CUDA: " + missing
	}
	return s
}
