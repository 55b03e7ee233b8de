package recon

import (
	"fmt"
	"strings"
)

// Info describes a method.
type Info struct {
	Name   string
	Label  string // of series and reports
	About  string // one line
	Source string // paper or book
	Model  bool   // needs a bundle and ONNX Runtime
	make   func(Options) Method
}

// registry lists the methods in the order of help and reports.
var registry = []Info{
	{"fbp", "FBP", "filtered backprojection, plain ramp", "Kak and Slaney 1988, ch. 3", false, func(Options) Method { return newFBP("fbp", "ram-lak") }},
	{"fbp-hann", "FBP Hann", "filtered backprojection, ramp times a Hann window", "Kak and Slaney 1988, ch. 3", false, func(Options) Method { return newFBP("fbp-hann", "hann") }},
	{"cgls", "CGLS", "least squares by conjugate gradients, stopped at the noise level", "Hestenes and Stiefel 1952; Bjorck 1996", false, func(Options) Method { return &cgls{} }},
	{"sirt", "SIRT", "simultaneous iterative reconstruction, not negative, stopped at the noise level", "Gregor and Benson 2008", false, func(Options) Method { return &sirt{} }},
	{"tikhonov", "Tikhonov", "least squares with a Gaussian prior around a smooth image", "Tikhonov 1963", false, func(Options) Method { return &tikhonov{} }},
	{"tv", "TV", "total variation, not negative", "Rudin, Osher and Fatemi 1992; Chambolle and Pock 2011", false, func(o Options) Method { return &tv{lambda: o.TVWeight} }},
	{"fbp-unet", "FBP U-Net", "supervised U-Net on FBP with a Hann window; does not fit the data", "Jin et al., IEEE Trans. Image Process. 26, 2017", true, func(o Options) Method { return newRestored("fbp-unet", 0, o) }},
	{"fbp-unet-dc", "FBP U-Net, data step", "fbp-unet, then one step of regularised least squares", "the same", true, func(o Options) Method { return newRestored("fbp-unet-dc", 1, o) }},
	{"pnp-unet", "PnP U-Net", "the same U-Net and data steps in turn: one image, fast", "after Venkatakrishnan et al., GlobalSIP 2013", true, func(o Options) Method { return newRestored("pnp-unet", -1, o) }},
	{"resample", "ReSample", "latent diffusion model under data consistency, mean of samples", "after Song et al., ReSample, ICLR 2024", true, func(o Options) Method { return newDiffusion("resample", o) }},
	{"resample-paper", "ReSample (paper)", "ReSample as published, one sample, unconditional", "Song et al., ICLR 2024", true, func(o Options) Method { return newDiffusion("resample-paper", o) }},
	{"latent-dps", "Latent-DPS", "posterior sampling by gradients through network and decoder", "Chung et al., ICLR 2023; Song et al. 2024", true, func(o Options) Method { return newDiffusion("latent-dps", o) }},
	{"psld", "PSLD", "latent-dps with a term that keeps latents encodable", "Rout et al., NeurIPS 2023", true, func(o Options) Method { return newDiffusion("psld", o) }},
	{"dds", "DDS", "decoded estimate corrected by a few conjugate gradients", "Chung et al., ICLR 2024", true, func(o Options) Method { return newDiffusion("dds", o) }},
	{"diffpir", "DiffPIR", "decoded estimate corrected by a proximal step", "Zhu et al., CVPRW 2023", true, func(o Options) Method { return newDiffusion("diffpir", o) }},
	{"pnp", "PnP", "plug-and-play ADMM with the model as denoiser", "Venkatakrishnan et al. 2013", true, func(o Options) Method { return newDiffusion("pnp", o) }},
}

// Names lists the methods.
func Names() []string {
	n := make([]string, len(registry))
	for i, m := range registry {
		n[i] = m.Name
	}
	return n
}

// Methods describes all methods.
func Methods() []Info { return append([]Info(nil), registry...) }

// Find describes one method.
func Find(name string) (Info, error) {
	for _, m := range registry {
		if m.Name == name {
			return m, nil
		}
	}
	return Info{}, fmt.Errorf("no method %q (there is %s)", name, strings.Join(Names(), ", "))
}

// New makes a method for one worker.
func New(name string, o Options) (Method, error) {
	m, err := Find(name)
	if err != nil {
		return nil, err
	}
	return m.make(o), nil
}
