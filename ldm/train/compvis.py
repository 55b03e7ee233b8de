"""The networks of a CompVis latent diffusion checkpoint, with its own names of weights, in the plainest form that exports.

Autoencoder (VQ-f4, KL) after ldm/modules/diffusionmodules/model.py, UNet after openaimodel.py of CompVis/latent-diffusion (Rombach
et al., CVPR 2022; MIT licence). Own code: only the structure that a configuration file can ask for and an unconditional model needs.
"""
import math
import pickle

import torch
import torch.nn as nn
import torch.nn.functional as F
import yaml


class Unsupported(SystemExit):
    """The configuration is right but asks for something that is not written here."""


def norm(channels, eps=1e-6):
    return nn.GroupNorm(32, channels, eps=eps)


def attend(q, k, v):
    """Attention over positions; q, k, v [B,heads,C,N]."""
    w = torch.softmax(q.transpose(-1, -2) @ k / math.sqrt(q.shape[2]), -1)
    return v @ w.transpose(-1, -2)


class ResnetBlock(nn.Module):
    """Of the autoencoder: no embedding."""

    def __init__(self, cin, cout):
        super().__init__()
        self.norm1, self.conv1 = norm(cin), nn.Conv2d(cin, cout, 3, padding=1)
        self.norm2, self.conv2 = norm(cout), nn.Conv2d(cout, cout, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        return self.nin_shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class AttnBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = norm(c)
        self.q, self.k, self.v, self.proj_out = [nn.Conv2d(c, c, 1) for _ in range(4)]

    def forward(self, x):
        h = self.norm(x)
        b, c, hh, ww = x.shape
        o = attend(*[f(h).view(b, 1, c, hh * ww) for f in (self.q, self.k, self.v)])
        return x + self.proj_out(o.reshape(b, c, hh, ww))


class Shrink(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Grow(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """One resolution of the autoencoder."""

    def __init__(self, cin, cout, blocks, attention):
        super().__init__()
        self.block = nn.ModuleList([ResnetBlock(cin if i == 0 else cout, cout) for i in range(blocks)])
        self.attn = nn.ModuleList([AttnBlock(cout) for _ in range(blocks)] if attention else [])

    def forward(self, x):
        for i, b in enumerate(self.block):
            x = b(x)
            x = self.attn[i](x) if len(self.attn) else x
        return x


class Middle(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.block_1, self.attn_1, self.block_2 = ResnetBlock(c, c), AttnBlock(c), ResnetBlock(c, c)

    def forward(self, x):
        return self.block_2(self.attn_1(self.block_1(x)))


def check_first_stage(c):
    if c.get("attn_type", "vanilla") != "vanilla" or not c.get("resamp_with_conv", True) or c.get("tanh_out"):
        raise Unsupported("ddconfig: attn_type other than vanilla, resamp_with_conv: false and tanh_out are not supported")


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        ch, mult, size = c["ch"], c["ch_mult"], c["resolution"]
        self.conv_in, self.down, width = nn.Conv2d(c["in_channels"], ch, 3, padding=1), nn.ModuleList(), ch
        for i, m in enumerate(mult):
            level = Level(width, ch * m, c["num_res_blocks"], size in c["attn_resolutions"])
            width = ch * m
            if i + 1 < len(mult):
                level.downsample, size = Shrink(width), size // 2
            self.down.append(level)
        self.mid, self.norm_out = Middle(width), norm(width)
        self.conv_out = nn.Conv2d(width, c["z_channels"] * (2 if c["double_z"] else 1), 3, padding=1)

    def forward(self, x):
        h = self.conv_in(x)
        for level in self.down:
            h = level(h)
            h = level.downsample(h) if hasattr(level, "downsample") else h
        return self.conv_out(F.silu(self.norm_out(self.mid(h))))


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        ch, mult = c["ch"], c["ch_mult"]
        width, size = ch * mult[-1], c["resolution"] // 2 ** (len(mult) - 1)
        self.conv_in, self.mid, up = nn.Conv2d(c["z_channels"], width, 3, padding=1), Middle(width), []
        for i, m in reversed(list(enumerate(mult))):
            level = Level(width, ch * m, c["num_res_blocks"] + 1, size in c["attn_resolutions"])
            width = ch * m
            if i:
                level.upsample, size = Grow(width), size * 2
            up.insert(0, level)
        self.up, self.norm_out, self.conv_out = nn.ModuleList(up), norm(width), nn.Conv2d(width, c["out_ch"], 3, padding=1)

    def forward(self, z):
        h = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            h = level(h)
            h = level.upsample(h) if hasattr(level, "upsample") else h
        return self.conv_out(F.silu(self.norm_out(h)))


class FirstStage(nn.Module):
    """AutoencoderKL or VQModelInterface; latents before quantisation, times scale_factor. The codebook look-up is left out."""

    def __init__(self, target, params, scale_factor):
        super().__init__()
        c = dict(params["ddconfig"])
        check_first_stage(c)
        self.kl = "AutoencoderKL" in target
        if not self.kl and "VQModel" not in target:
            raise Unsupported(f"first_stage_config.target {target}: AutoencoderKL and VQModelInterface are supported")
        c["double_z"] = self.kl
        self.channels, self.images, self.factor = params["embed_dim"], c["in_channels"], 2 ** (len(c["ch_mult"]) - 1)
        two = 2 if self.kl else 1
        self.encoder, self.decoder = Encoder(c), Decoder(c)
        self.quant_conv = nn.Conv2d(two * c["z_channels"], two * self.channels, 1)
        self.post_quant_conv = nn.Conv2d(self.channels, c["z_channels"], 1)
        self.register_buffer("scale_factor", torch.tensor(float(scale_factor)), persistent=False)

    def encode(self, x):
        h = self.quant_conv(self.encoder(x.expand(-1, self.images, -1, -1)))
        return self.scale_factor * h[:, :self.channels]

    def decode(self, z):
        x = self.decoder(self.post_quant_conv(z / self.scale_factor))
        return x.mean(1, keepdim=True) if x.shape[1] > 1 else x


class ResBlock(nn.Module):
    """Of the UNet."""

    def __init__(self, cin, emb, cout, shift_scale, change=None):
        super().__init__()
        self.in_layers = nn.Sequential(norm(cin, 1e-5), nn.SiLU(), nn.Conv2d(cin, cout, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb, (2 if shift_scale else 1) * cout))
        self.out_layers = nn.Sequential(norm(cout, 1e-5), nn.SiLU(), nn.Identity(), nn.Conv2d(cout, cout, 3, padding=1))
        self.skip_connection = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()
        self.shift_scale, self.change = shift_scale, change

    def forward(self, x, e):
        h = F.silu(self.in_layers[0](x))
        if self.change:
            h, x = self.change(h), self.change(x)
        h, e = self.in_layers[2](h), self.emb_layers(e)[:, :, None, None]
        if self.shift_scale:
            a, b = e.chunk(2, 1)
            h = self.out_layers[0](h) * (1 + a) + b
        else:
            h = self.out_layers[0](h + e)
        return self.skip_connection(x) + self.out_layers[1:](h)


class AttentionBlock(nn.Module):
    """Of the UNet: heads outside, q, k, v inside (QKVAttentionLegacy)."""

    def __init__(self, c, heads):
        super().__init__()
        self.norm, self.heads = norm(c, 1e-5), heads
        self.qkv, self.proj_out = nn.Conv2d(c, 3 * c, 1), nn.Conv2d(c, c, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, self.heads, 3 * c // self.heads, h * w).chunk(3, 2)
        return x + self.proj_out(attend(q, k, v).reshape(b, c, h, w))


class Down(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.op = nn.Conv2d(c, c, 3, stride=2, padding=1)

    def forward(self, x):
        return self.op(x)


class UNet(nn.Module):
    """eps-prediction at a real-valued time step t [B]."""

    def __init__(self, p):
        super().__init__()
        self.check(p)
        mc, mult, blocks = p["model_channels"], p["channel_mult"], p["num_res_blocks"]
        emb, heads = 4 * mc, lambda c: c // p["num_head_channels"] if p.get("num_head_channels", -1) > 0 else p["num_heads"]
        res = lambda cin, cout, change=None: ResBlock(cin, emb, cout, p.get("use_scale_shift_norm", False), change)
        attention = lambda c, ds: [AttentionBlock(c, heads(c))] if ds in p["attention_resolutions"] else []
        updown = p.get("resblock_updown", False)
        freq = torch.exp(-math.log(10000) * torch.arange(mc // 2) / (mc // 2))
        self.register_buffer("freq", freq[None], persistent=False)
        self.time_embed = nn.Sequential(nn.Linear(mc, emb), nn.SiLU(), nn.Linear(emb, emb))
        self.input_blocks = nn.ModuleList([nn.ModuleList([nn.Conv2d(p["in_channels"], mc, 3, padding=1)])])
        skips, c, ds = [mc], mc, 1
        for i, m in enumerate(mult):
            for _ in range(blocks):
                self.input_blocks.append(nn.ModuleList([res(c, m * mc), *attention(m * mc, ds)]))
                c = m * mc
                skips.append(c)
            if i + 1 < len(mult):
                self.input_blocks.append(nn.ModuleList([res(c, c, lambda x: F.avg_pool2d(x, 2)) if updown else Down(c)]))
                skips.append(c)
                ds *= 2
        self.middle_block = nn.ModuleList([res(c, c), AttentionBlock(c, heads(c)), res(c, c)])
        self.output_blocks = nn.ModuleList()
        for i, m in reversed(list(enumerate(mult))):
            for k in range(blocks + 1):
                row = [res(c + skips.pop(), m * mc), *attention(m * mc, ds)]
                c = m * mc
                if i and k == blocks:
                    row.append(res(c, c, lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest")) if updown else Grow(c))
                    ds //= 2
                self.output_blocks.append(nn.ModuleList(row))
        self.out = nn.Sequential(norm(c, 1e-5), nn.SiLU(), nn.Conv2d(c, p["out_channels"], 3, padding=1))

    @staticmethod
    def check(p):
        wrong = [k for k in ("use_spatial_transformer", "num_classes", "use_new_attention_order", "n_embed", "context_dim") if p.get(k)]
        if wrong or p.get("dims", 2) != 2 or not p.get("conv_resample", True):
            raise Unsupported(f"unet_config: {', '.join(wrong) or 'dims, conv_resample'}: only unconditional 2-D UNets are supported")

    @staticmethod
    def run(block, h, e):
        for m in block:
            h = m(h, e) if isinstance(m, ResBlock) else m(h)
        return h

    def forward(self, z, t):
        a = t[:, None] * self.freq
        e, h, skips = self.time_embed(torch.cat((a.cos(), a.sin()), 1)), z, []
        for block in self.input_blocks:
            h = self.run(block, h, e)
            skips.append(h)
        h = self.run(self.middle_block, h, e)
        for block in self.output_blocks:
            h = self.run(block, torch.cat((h, skips.pop()), 1), e)
        return self.out(h)


def level_table(p):
    """Log noise-to-signal ratio of each integer time step of a configuration's linear schedule."""
    if p.get("beta_schedule", "linear") != "linear" or p.get("parameterization", "eps") != "eps":
        raise Unsupported("beta_schedule other than linear and parameterization other than eps are not supported")
    n, lo, hi = p.get("timesteps", 1000), p.get("linear_start", 1e-4), p.get("linear_end", 2e-2)
    beta = torch.linspace(lo**0.5, hi**0.5, n, dtype=torch.float64) ** 2
    signal = torch.cumprod(1 - beta, 0)
    return torch.log((1 - signal) / signal)


class VelocityUNet(nn.Module):
    """The UNet as a bundle wants it: log noise-to-signal ratio in, v out.

    The time step is interpolated in the table of levels; v = (eps - sigma z) / alpha.
    """

    def __init__(self, unet, table):
        super().__init__()
        self.unet = unet
        self.register_buffer("low", table[None, :-1].float(), persistent=False)
        self.register_buffer("inverse", (1 / (table[1:] - table[:-1]))[None].float(), persistent=False)

    def forward(self, z, lognsr):
        t = ((lognsr[:, None] - self.low) * self.inverse).clamp(0, 1).sum(1)
        l = lognsr.view(-1, 1, 1, 1)
        return (self.unet(z, t) - torch.sigmoid(l).sqrt() * z) / torch.sigmoid(-l).sqrt()


def read_config(path):
    with open(path) as f:
        c = yaml.safe_load(f)
    try:
        p = c["model"]["params"]
        p["unet_config"]["params"], p["first_stage_config"]["params"]["ddconfig"]
    except (KeyError, TypeError) as e:
        raise SystemExit(f"{path}: model.params.{e} is missing; the YAML of a CompVis latent diffusion model is needed") from e
    if p.get("conditioning_key") or p.get("cond_stage_config") not in (None, "__is_unconditional__"):
        raise Unsupported(f"{path}: a conditional model (cond_stage_config); only unconditional ones are supported")
    return p


def read_checkpoint(path, trust=False):
    """The state dict; trust: allow pickled objects, which can run any code, as old Lightning files hold them."""
    try:
        c = torch.load(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as e:
        raise SystemExit(f"{path}: holds more than tensors; --trust loads it, and runs whatever code it carries") from e
    return c.get("state_dict", c)


def widen(state, net):
    """Weights of 1-D convolutions (attention) as 2-D ones, all in float32, in the shapes of net."""
    want = net.state_dict()
    return {k: v.float().view(want[k].shape) if k in want and v.numel() == want[k].numel() else v for k, v in state.items()}


def cut(state, prefix):
    return {k[len(prefix):]: v for k, v in state.items() if k.startswith(prefix)}


def unet_state(state, ema=True):
    """Weights of the UNet; averaged ones where the checkpoint has them."""
    plain, averaged = cut(state, "model.diffusion_model."), cut(state, "model_ema.diffusion_model")
    pick = lambda k: averaged.get(k.replace(".", "")) if ema else None
    return {k: v if pick(k) is None else pick(k) for k, v in plain.items()}


def fill(net, state, what):
    """Loads what net needs; names left over in state are fine (losses, codebook), missing and misshapen ones are an error."""
    state = widen(state, net)
    lost = [k for k, v in net.state_dict().items() if k not in state or state[k].shape != v.shape]
    if lost:
        raise SystemExit(f"{what}: {len(lost)} weights are missing or of another shape, first {lost[0]}; does the configuration belong to the checkpoint?")
    net.load_state_dict(state, strict=False)
    return net.eval().requires_grad_(False)


def load(checkpoint, config, trust=False, ema=True):
    """(FirstStage, UNet, level table, codebook or None, state dict, parameters of the configuration)."""
    p, state = read_config(config), read_checkpoint(checkpoint, trust)
    fs = p["first_stage_config"]
    scale = float(state.get("scale_factor", p.get("scale_factor", 1.0)))
    first = fill(FirstStage(fs["target"], fs["params"], scale), cut(state, "first_stage_model."), "first stage")
    unet = fill(UNet(p["unet_config"]["params"]), unet_state(state, ema), "unet")
    return first, unet, level_table(p), state.get("first_stage_model.quantize.embedding.weight"), state, p
