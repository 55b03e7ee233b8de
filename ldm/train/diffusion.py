"""The noise schedule and the estimate of the clean latent.

Noise level: l = log noise-to-signal ratio. z_l = alpha z + sigma n with alpha^2 = 1/(1+e^l) and sigma^2 = 1/(1+e^-l).
The network predicts v = alpha n - sigma z (Salimans and Ho, 2022), so that z = alpha z_l - sigma v at every level.
"""
import math

import torch

import model

LIMIT = 12.0  # levels are clipped to +-LIMIT


def alpha_sigma(lognsr, device=None):
    """Signal and noise amplitudes of one level or of a batch of them, shaped to multiply [B,C,H,W]."""
    l = torch.as_tensor(lognsr, dtype=torch.float32, device=device).view(-1, 1, 1, 1)
    return torch.sigmoid(-l).sqrt(), torch.sigmoid(l).sqrt()


def lognsr_of(t):
    """Cosine schedule: t in (0,1) to the log noise-to-signal ratio."""
    return (2 * torch.log(torch.tan(0.5 * math.pi * t))).clamp(-LIMIT, LIMIT)


def draw_levels(n, g, device):
    """n levels, stratified over the cosine schedule: lower variance of the loss than independent draws."""
    t = (torch.rand(1, generator=g, device=device) + torch.arange(n, device=device) / n) % 1
    return lognsr_of(t * 0.998 + 0.001)


class Prior:
    """Autoencoder and UNet together, for sampling and measuring. Not for training."""

    def __init__(self, ae, unet, device="cpu"):
        self.ae, self.unet, self.device = ae.to(device), unet.to(device), torch.device(device)

    @classmethod
    def load(cls, folder, device="cpu"):
        """From a folder with ae.pt and unet.pt."""
        return cls(model.autoencoder_of(model.load_state(f"{folder}/ae.pt")),
                   model.unet_of(model.load_state(f"{folder}/unet.pt")), device)

    @torch.no_grad()
    def encode(self, x):
        return self.ae.encode(x.to(self.device))

    @torch.no_grad()
    def decode(self, z):
        return self.ae.decode(z)

    @torch.no_grad()
    def denoise(self, z, lognsr, cond, flag, start=None):
        """The estimate of the clean latent from z [B,...] at one level (Tweedie). flag is 0 or 1 for all."""
        l = torch.full((len(z),), float(lognsr), device=z.device)
        al, si = alpha_sigma(l)
        f = torch.full_like(l, float(flag))
        return al * z - si * self.unet(z, l, cond, f, start).float()
