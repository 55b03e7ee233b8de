package recon

import (
	"fmt"
	"strings"

	"ctrecon/ldm"
	"ctrecon/ldm/models"
	"ctrecon/ldm/onnx"
)

// makeSampler opens networks and makes the sampler of the method's name in a
// lane, with about as what reports say of it.
func (m *diffusion) makeSampler(o onnx.Options) (lane, error) {
	switch m.name {
	case "resample-paper", "latent-dps", "psld":
		g, err := models.LoadGradients(m.bundle, o)
		if err != nil {
			return lane{}, err
		}
		s, err := m.gradientSampler(g)
		return lane{s: s}, err
	}
	n, err := models.Load(m.bundle, o)
	if err != nil {
		return lane{}, err
	}
	switch m.name {
	case "dds", "diffpir":
		opt := ldm.DDSOptions()
		if m.name == "diffpir" {
			opt = ldm.DiffPIROptions()
		}
		opt.N = m.steps(opt.N)
		m.say("steps", "%d from log-NSR %g to %g", opt.N, opt.Start, opt.End)
		m.say("data step", "%d iterations, variance %g, lambda %g, fresh noise %.3g", opt.Iters, opt.R2, opt.Lambda, opt.Fresh)
		return lane{s: &ldm.Proximal{Model: n, Opt: opt}}, nil
	case "pnp":
		opt := ldm.DefaultPnP()
		opt.N = m.steps(opt.N)
		m.say("iterations", "%d, denoiser from log-NSR %g to %g, data step variance %g", opt.N, opt.Start, opt.End, opt.R2)
		return lane{s: &ldm.PnP{Model: n, Opt: opt}}, nil
	}
	opt := ldm.DefaultOptions()
	if b := m.bundle.Sampler; b.Steps > 0 {
		opt.Start, opt.End, opt.Steps, opt.Eta, opt.Perturb = b.Start, b.End, b.Steps, b.Eta, b.Perturb
	}
	if err := Tune(&opt, m.opt.Set); err != nil {
		return lane{}, err
	}
	opt.Steps = m.steps(opt.Steps)
	m.say("steps", "%d from log-NSR %g to %g", opt.Steps, opt.Start, opt.End)
	if len(m.opt.Set) > 0 {
		m.say("set", "%s", strings.Join(m.opt.Set, " "))
	}
	if opt.Poses {
		m.say("poses", "every second sample is drawn of the mirror image, each moved by other pixels")
	}
	posed := &ldm.Posed{Model: n}
	return lane{s: &ldm.Resampler{Model: posed, Table: m.bundle.Errors(m.conditioned()), Opt: opt}, posed: posed, turn: opt.Poses}, nil
}

// gradientSampler makes those that differentiate the networks.
func (m *diffusion) gradientSampler(g *models.Gradients) (ldm.Sampler, error) {
	if m.name == "latent-dps" {
		opt := ldm.DefaultLatentDPS()
		if err := tune(tuned(new(ldm.Options), &opt, new(ldm.PSLDOptions)), m.opt.Set); err != nil {
			return nil, err
		}
		opt.N = m.steps(opt.N)
		m.say("steps", "%d, zeta %g times the signal's share", opt.N, opt.Zeta)
		return &ldm.LatentDPS{Model: g, Opt: opt}, nil
	}
	if m.name == "psld" {
		opt := ldm.DefaultPSLD()
		if err := tune(tuned(new(ldm.Options), new(ldm.LatentDPSOptions), &opt), m.opt.Set); err != nil {
			return nil, err
		}
		opt.N = m.steps(opt.N)
		m.say("steps", "%d, omega %g, gamma %g", opt.N, opt.Omega, opt.Gamma)
		return &ldm.PSLD{Model: g, Opt: opt}, nil
	}
	opt, ok := ldm.DefaultPaper().Compat(m.opt.Compat)
	if !ok {
		return nil, fmt.Errorf("compat %q: there is paper and code", m.opt.Compat)
	}
	opt.Steps = m.steps(opt.Steps)
	if m.opt.Compat == "" {
		opt.Fit.Floor = m.bundle.Floor() // no latent fits the data better than the autoencoder can
	}
	m.say("steps", "%d, pixel optimisation from %d, latent from %d, every %d", opt.Steps, opt.Pixel, opt.Latent, opt.Every)
	m.say("options", "%+v", opt)
	return &ldm.Paper{Model: g, Opt: opt}, nil
}

func (m *diffusion) steps(fallback int) int {
	if m.opt.Steps > 0 {
		return m.opt.Steps
	}
	return fallback
}

func (m *diffusion) say(name, format string, a ...any) {
	m.about = append(m.about, Setting{name, fmt.Sprintf(format, a...)})
}

// samples is the number of samples that are averaged: one for the published
// samplers, whose results are single samples.
func (m *diffusion) samples() int {
	switch {
	case m.opt.Samples > 0:
		return m.opt.Samples
	case m.name == "resample":
		return ldm.DefaultOptions().Samples
	}
	return 1
}

// conditioned says whether the network is told FBP and TV: the published
// samplers have an unconditional prior.
func (m *diffusion) conditioned() bool {
	return m.bundle.Conditioned() && m.name != "resample-paper" && m.name != "latent-dps" && m.name != "psld" && !m.opt.Unconditional
}
