package main

import (
	"os"
	"strings"
	"testing"

	"ctrecon/ldm/onnx"
)

// TestRival: --rival adds its methods to the table; nobody else is offered them.
func TestRival(t *testing.T) {
	if os.Getenv(onnx.LibraryEnv) == "" {
		os.Setenv(onnx.LibraryEnv, builtLibrary())
	}
	if _, err := onnx.Open(); err != nil {
		t.Skip(err)
	}
	const network = "../../ct/recon/testdata/rival/rival.onnx"
	dir := writeSet(t)
	out, _ := evaluated(t, exitOK, "--rival", network, "--method", "fbp-unet,fbp-unet-dc,pnp-unet", dir)
	for _, want := range []string{"| all | 3 | fbp |", "| all | 3 | fbp-unet |", "| all | 3 | fbp-unet-dc |", "| all | 3 | pnp-unet |"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	for _, c := range []struct {
		code int
		args []string
		want string
	}{
		{exitUsage, []string{"--method", "fbp-unet", dir}, "--method fbp-unet: there is fbp,"},
		{exitModel, []string{"--rival", network + "x", "--method", "fbp-unet", dir}, "cannot be read"},
		{exitModel, []string{"--rival", dir + "/index.csv", "--method", "fbp-unet", dir}, "no index.json beside it"},
	} {
		if _, e := evaluated(t, c.code, c.args...); !strings.Contains(e, c.want) {
			t.Errorf("%v: %q, want %q", c.args, e, c.want)
		}
	}
}
