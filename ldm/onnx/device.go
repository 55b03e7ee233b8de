package onnx

import (
	"fmt"
	"slices"
	"strings"

	ort "github.com/yalue/onnxruntime_go"
)

// Device resolves "auto", "cpu", "cuda" or "cuda:N" to what sessions will use,
// with the reason for people. auto takes the first GPU when the runtime has the
// CUDA provider and a device answers, else the CPU; a device that was asked for
// by name and does not work is an error.
func Device(want string) (name, why string, err error) {
	switch want {
	case "", "cpu":
		return "cpu", "asked for", nil
	case "auto":
		if err := usable("cuda:0"); err != nil {
			return "cpu", fmt.Sprintf("no CUDA: %v", err), nil
		}
		return "cuda:0", "a CUDA device answers", nil
	}
	return want, "asked for", usable(want)
}

// usable says whether a session can be given the device.
func usable(device string) error {
	if _, err := Open(); err != nil {
		return err
	}
	o, err := sessionOptions(Options{Device: device})
	if err != nil {
		return err
	}
	return o.Destroy()
}

// Providers names the execution providers that sessions can be given here: "cpu",
// "cuda". missing says why there is no CUDA, for people.
func Providers() (names []string, missing string, err error) {
	if _, err := Open(); err != nil {
		return nil, "", err
	}
	devices, err := ort.GetEpDevices()
	if err != nil {
		return nil, "", err
	}
	for _, d := range devices {
		name := strings.ToLower(strings.TrimSuffix(d.EpName(), "ExecutionProvider"))
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if err := usable("cuda:0"); err != nil {
		return names, err.Error(), nil
	}
	if !slices.Contains(names, "cuda") {
		names = append(names, "cuda")
	}
	return names, "", nil
}
