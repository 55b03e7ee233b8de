"""The networks: a light autoencoder and a latent UNet.

Images are normalised HU in [-1, 1] (data.py), 1 x H x W; latents are 4 x H/4 x W/4 with unit variance a channel.
No wide convolution runs at full resolution, so that decoding and its gradient stay cheap on a CPU.
H and W must be multiples of 64. The networks are convolutional and take larger images as they are.

A checkpoint is a plain state dict (half precision on disk). The widths are read from its shapes, so that no
configuration file has to travel with the weights: autoencoder_of, unet_of.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

MULTIPLE = 64  # latent / 2 (unshuffle) / 8 (three strides) / 4 (latent)


def norm(channels):
    return nn.GroupNorm(8 if channels % 8 == 0 else 4, channels, eps=1e-5)


class Block(nn.Module):
    """Pre-activation residual block, with an optional embedding that scales and shifts."""

    def __init__(self, cin, cout, emb=0):
        super().__init__()
        self.n1, self.c1 = norm(cin), nn.Conv2d(cin, cout, 3, padding=1)
        self.n2, self.c2 = norm(cout), nn.Conv2d(cout, cout, 3, padding=1)
        nn.init.zeros_(self.c2.weight), nn.init.zeros_(self.c2.bias)
        self.skip = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()
        self.emb = nn.Linear(emb, 2 * cout) if emb else None

    def forward(self, x, e=None):
        h = self.n2(self.c1(F.silu(self.n1(x))))
        if self.emb is not None:
            a, b = self.emb(e)[:, :, None, None].chunk(2, 1)
            h = h * (1 + a) + b
        return self.skip(x) + self.c2(F.silu(h))


class Attention(nn.Module):
    def __init__(self, channels, heads=4):
        super().__init__()
        self.n, self.heads = norm(channels), heads
        self.qkv, self.out = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight), nn.init.zeros_(self.out.bias)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = self.qkv(self.n(x)).view(b, 3, self.heads, c // self.heads, h * w).transpose(-1, -2).unbind(1)
        o = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(o.transpose(-1, -2).reshape(b, c, h, w))


class Encoder(nn.Module):
    def __init__(self, width=(32, 64), latent=4, depth=2):
        super().__init__()
        a, b = width
        self.net = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(4, a, 3, padding=1), Block(a, a),
            nn.PixelUnshuffle(2), nn.Conv2d(4 * a, b, 1), *[Block(b, b) for _ in range(depth)],
            norm(b), nn.SiLU(), nn.Conv2d(b, latent, 3, padding=1))

    def forward(self, x):
        return self.net(x)


class Decoder(nn.Module):
    def __init__(self, width=(32, 64), latent=4, depth=3):
        super().__init__()
        a, b = width
        self.net = nn.Sequential(
            nn.Conv2d(latent, b, 3, padding=1), *[Block(b, b) for _ in range(depth)],
            nn.Conv2d(b, 4 * a, 1), nn.PixelShuffle(2), Block(a, a), Block(a, a), norm(a), nn.SiLU(),
            nn.Conv2d(a, 32, 3, padding=1), nn.PixelShuffle(2), nn.SiLU(), nn.Conv2d(8, 1, 3, padding=1))

    def forward(self, z):
        return self.net(z)


class Autoencoder(nn.Module):
    """z = encode(x) has unit variance by the scale fitted after training; decode undoes it."""

    def __init__(self, width=(32, 64), latent=4, depth=(2, 3)):
        super().__init__()
        self.encoder, self.decoder = Encoder(width, latent, depth[0]), Decoder(width, latent, depth[1])
        self.register_buffer("shift", torch.zeros(1, latent, 1, 1))
        self.register_buffer("scale", torch.ones(1, latent, 1, 1))

    def encode(self, x):
        return (self.encoder(x) - self.shift) / self.scale

    def decode(self, z):
        return self.decoder(z * self.scale + self.shift)


class UNet(nn.Module):
    """v-prediction on latents; cond is a reconstruction (FBP) in normalised HU and start the latent of a better one (TV), used
    where flag is 1 and ignored where it is 0."""

    def __init__(self, width=(64, 128, 192, 256), blocks=1, latent=4, cond=True, start=False):
        super().__init__()
        emb = 4 * width[0]
        self.cond, self.start = cond, start
        freq = torch.exp(torch.linspace(math.log(0.1), math.log(10), width[0] // 2))
        self.register_buffer("freq", freq[None], persistent=False)  # Fourier features of the log noise-to-signal ratio
        self.emb = nn.Sequential(nn.Linear(width[0], emb), nn.SiLU(), nn.Linear(emb, emb), nn.SiLU())
        self.inp = nn.Conv2d(4 * latent + (64 + 1 if cond else 0) + (4 * latent if start else 0), width[0], 3, padding=1)
        self.down, skips, c = nn.ModuleList(), [width[0]], width[0]
        for i, w in enumerate(width):
            if i:
                self.down.append(nn.ModuleList([nn.Conv2d(c, c, 3, stride=2, padding=1)]))
                skips.append(c)
            for _ in range(blocks):
                self.down.append(nn.ModuleList([Block(c, w, emb)] + ([Attention(w)] if i else [])))
                c = w
                skips.append(c)
        self.mid = nn.ModuleList([Block(c, c, emb), Attention(c), Block(c, c, emb)])
        self.up = nn.ModuleList()
        for i, w in reversed(list(enumerate(width))):
            for _ in range(blocks + 1):
                self.up.append(nn.ModuleList([Block(c + skips.pop(), w, emb)] + ([Attention(w)] if i else [])))
                c = w
            if i:
                self.up.append(nn.ModuleList([nn.Conv2d(c, c, 3, padding=1)]))
        self.out = nn.Sequential(norm(c), nn.SiLU(), nn.Conv2d(c, 4 * latent, 3, padding=1))
        nn.init.zeros_(self.out[2].weight), nn.init.zeros_(self.out[2].bias)

    def embed(self, lognsr, dtype):
        a = lognsr[:, None].float() * self.freq
        return self.emb(torch.cat((a.sin(), a.cos()), 1).to(dtype))

    def forward(self, z, lognsr, cond=None, flag=None, start=None):
        """z [B,C,h,w], lognsr [B], cond [B,1,4h,4w], flag [B], start [B,C,h,w] -> v [B,C,h,w]"""
        x = F.pixel_unshuffle(z, 2)
        if self.cond:
            g = flag.view(-1, 1, 1, 1).to(x.dtype)
            x = torch.cat((x, F.pixel_unshuffle(cond * g, 8), g.expand(-1, 1, *x.shape[2:])), 1)
            if self.start:
                x = torch.cat((x, F.pixel_unshuffle(start * g, 2)), 1)
        e, h = self.embed(lognsr, x.dtype), self.inp(x)
        skips = [h]
        for m in self.down:
            h = self.level(m, h, e)
            skips.append(h)
        h = self.mid[2](self.mid[1](self.mid[0](h, e)), e)
        for m in self.up:
            if isinstance(m[0], Block):
                h = self.level(m, torch.cat((h, skips.pop()), 1), e)
            else:
                h = m[0](F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return F.pixel_shuffle(self.out(h), 2)

    @staticmethod
    def level(modules, h, e):
        h = modules[0](h, e) if isinstance(modules[0], Block) else modules[0](h)
        for m in modules[1:]:
            h = m(h)
        return h


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def load_state(path, device="cpu"):
    """A state dict in float32; half precision on disk is widened."""
    state = torch.load(path, map_location=device, weights_only=True)
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def save_state(net, path):
    """Writes the weights of net in half precision, under their final name when they are whole."""
    tmp = path.with_suffix(".tmp")
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}, tmp)
    tmp.rename(path)


def count(state, prefix, suffix):
    """How many indices i there are with a tensor named prefix + i + suffix."""
    return sum(k.startswith(prefix) and k.endswith(suffix) and k[len(prefix):-len(suffix)].isdigit() for k in state)


def autoencoder_shape(state):
    """Keyword arguments of the Autoencoder that a state dict belongs to."""
    a, b = state["encoder.net.1.weight"].shape[0], state["encoder.net.4.weight"].shape[0]
    depth = count(state, "encoder.net.", ".c1.weight") - 1, count(state, "decoder.net.", ".c1.weight") - 2
    return dict(width=(a, b), latent=state["shift"].shape[1], depth=depth)


def unet_shape(state):
    """Keyword arguments of the UNet that a state dict belongs to."""
    latent = state["out.2.weight"].shape[0] // 4
    strides = [i for i in range(count(state, "down.", ".0.weight") + count(state, "down.", ".0.c1.weight"))
               if f"down.{i}.0.weight" in state]
    blocks = strides[0] if strides else count(state, "down.", ".0.c1.weight")
    firsts = [0] + [i + 1 for i in strides]
    width = tuple(state[f"down.{i}.0.c1.weight"].shape[0] for i in firsts)
    inputs = state["inp.weight"].shape[1] - 4 * latent
    return dict(width=width, blocks=blocks, latent=latent, cond=inputs > 0, start=inputs > 65)


def widen(state, net):
    """state for net, with zeros for inputs that only net has: it starts as what it was."""
    have, want = state["inp.weight"], net.inp.weight
    extra = want.shape[1] - have.shape[1]
    return state if extra <= 0 else state | {"inp.weight": torch.cat((have, have.new_zeros(have.shape[0], extra, *have.shape[2:])), 1)}


def autoencoder_of(state):
    net = Autoencoder(**autoencoder_shape(state))
    net.load_state_dict(state)
    return net.eval().requires_grad_(False)


def unet_of(state):
    net = UNet(**unet_shape(state))
    net.load_state_dict(state)
    return net.eval().requires_grad_(False)
