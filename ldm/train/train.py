"""Trains the autoencoder or the latent UNet within a budget; goes on from its own checkpoint.

    python train.py ae   --data ctdata --out run --minutes 8
    python train.py unet --data ctdata --out run --minutes 16      (needs run/ae.pt)

Writes <out>/<stage>.pt (averaged weights, half precision), .state (for --resume), .csv (log), .png (curves).
On a GPU: bf16, torch.compile, channels last. On a CPU: fp32 unless --precision bf16; smaller batches, --crop 128 for ae.
"""
import argparse
import hashlib
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

import conditions
import data
import diffusion
import loop
import measure
import model
import projector as pr
import restorer
import simulate

VAL_LEVELS = (-4.0, -1.0, 1.0, 4.0)


def train_ae(a):
    r = loop.Run(a, "ae")
    net = model.Autoencoder(tuple(a.ae_width), a.latent, tuple(a.ae_depth)).to(r.dev)
    print(f"parameters: encoder {model.parameters(net.encoder)} decoder {model.parameters(net.decoder)}", flush=True)
    enc, dec = r.compiled(net.encoder), r.compiled(net.decoder)

    def loss_fn(share):
        x = data.to_unit(r.batch(a.batch, a.crop)[0])[:, None]
        z = enc(x).float()
        unit = (z.mean((0, 2, 3)).pow(2) + (z.var((0, 2, 3)) - 1).pow(2)).mean()
        noise = torch.randn(z.shape, generator=r.g, device=z.device)
        e = 15 * (dec(z + a.latent_noise * noise).float() - x)  # in units of 100 HU
        # nearly L1 while structure forms, then the squared error by which the result is judged
        return ((e.pow(2) + 0.01).sqrt().mean() if share < 0.7 else e.pow(2).mean()) + 1e-2 * unit

    @torch.no_grad()
    def val_fn(ema):
        with torch.autocast(**r.amp):
            return dict(val_db=autoencoder_db(ema, r.val, r.dev), train_db=autoencoder_db(ema, r.seen, r.dev))

    fit_scale(r.fit(net, loss_fn, val_fn), r)


def autoencoder_db(ae, slices, device):
    x = data.to_unit(slices.hu.float())[:, None].to(device)
    return float(torch.cat([measure.psnr(x[s], ae.decoder(ae.encoder(x[s])).float()) for s in measure.batches(len(x))]).mean())


@torch.no_grad()
def fit_scale(ae, r):
    """Sets shift and scale so that latents of the training slices have zero mean and unit variance, and saves."""
    x = data.to_unit(r.hu.float())[:, None]
    z = torch.cat([ae.encoder(x[s]).float() for s in measure.batches(len(x), 16)])
    ae.shift.copy_(z.mean((0, 2, 3), keepdim=True)), ae.scale.copy_(z.std((0, 2, 3), keepdim=True))
    model.save_state(ae, r.out / "ae.pt")


class Latents:
    """Batches of latents with their conditions. A batch is used a.reuse times with new noise, since making one costs as
    much as a step; a.pool of them are held."""

    def __init__(self, r, ae, cond):
        self.r, self.ae, self.cond, self.pool = r, ae, cond, []

    @torch.no_grad()
    def fresh(self):
        r = self.r
        with torch.autocast(r.dev.type, enabled=False):
            hu, px = r.batch(r.a.batch)
            z = self.ae.encode(data.to_unit(hu)[:, None])
            return z, pr.condition(hu, px, r.g, sigma=r.a.sigma, dead=r.a.dead) if self.cond else None, None

    def draw(self):
        if len(self.pool) < self.r.a.pool:
            self.pool.append(self.fresh())
            return self.pool[-1]
        k = int(torch.randint(0, len(self.pool), (1,), generator=self.r.g, device=self.r.dev))
        if float(torch.rand(1, generator=self.r.g, device=self.r.dev)) < 1 / self.r.a.reuse:
            self.pool[k] = self.fresh()
        return self.pool[k]


class Pairs:
    """Batches from the shards of conditions.py: latents, FBP, latents of the start; every slice also mirrored. They lie in memory
    in half precision (0.4 MB a slice)."""

    def __init__(self, r, ae):
        self.r = r
        if r.a.simulate:
            self.made(ae, restorer_of(r.a).to(r.dev))
            return
        hu, fbp, start = conditions.read(r.a.pairs, "hu", "fbp", "start")
        self.c = torch.stack([data.to_unit(torch.from_numpy(v).float()).half() for v in fbp]).to(r.dev)
        self.z, self.s = self.latents(ae, hu, start)
        print(f"pairs: {len(self.c)}", flush=True)

    @torch.no_grad()
    def made(self, ae, net):
        """As many as --simulate says, measured and restored here."""
        r, c, z, s = self.r, [], [], []
        source = simulate.Source(r.hu.shape[-1], r.g, r.a.sigma, geometries=r.a.geometries)
        for hu, fbp, start in simulate.pairs(source, r.batch, lambda *v: self.half(net, *v), r.a.rounds, r.a.simulate, seconds=60 * r.a.simulate_minutes):
            c.append(data.to_unit(fbp).half())
            for of, v in ((z, hu), (s, start)):
                x = data.to_unit(v)[:, None]
                of.append(torch.stack((ae.encode(x), ae.encode(x.flip(-1))), 1).half())
        self.c, self.z, self.s = torch.cat(c), torch.cat(z), torch.cat(s)
        print(f"pairs: {len(self.c)}", flush=True)

    def half(self, net, *images):
        """The image that ctrecon's restorer makes: with its mirror's."""
        with torch.autocast(**self.r.amp):
            return restorer.both(net, *images)

    def latents(self, ae, hu, start):
        """[n,2,C,h,w] of slices and of their starts, plain and mirrored; kept in <out>/latents.pt, since encoding takes minutes on a CPU."""
        path = self.r.out / "latents.pt"
        name = hashlib.sha256(b"".join(v.cpu().numpy().tobytes() for v in ae.state_dict().values())).hexdigest() + f" {len(hu)}"
        if path.exists() and (kept := torch.load(path, map_location=self.r.dev, weights_only=True))["name"] == name:
            return kept["z"], kept["s"]
        z, s = [], []
        for pair in zip(hu, start):
            x = data.to_unit(torch.from_numpy(np.stack(pair)).float())[:, None].to(self.r.dev)
            y = ae.encode(torch.cat((x, x.flip(-1)))).half()
            z.append(y[0::2]), s.append(y[1::2])
        kept = dict(name=name, z=torch.stack(z), s=torch.stack(s))
        torch.save(kept, path)
        return kept["z"], kept["s"]

    def draw(self):
        n, g, dev = self.r.a.batch, self.r.g, self.r.dev
        i = torch.randint(0, len(self.c), (n,), generator=g, device=dev)
        m = torch.randint(0, 2, (n,), generator=g, device=dev)
        c = torch.where(m.view(-1, 1, 1).bool(), self.c[i].flip(-1), self.c[i])
        return self.z[i, m].float(), c[:, None].float(), self.s[i, m].float()


class Held:
    """A fixed noisy set, to follow the v-error by level with and without the condition."""

    def __init__(self, r, ae, slices, net):
        g = torch.Generator(r.dev).manual_seed(1)
        hu = slices.hu.float().to(r.dev)
        encode = lambda v: torch.cat([ae.encode(data.to_unit(v[s])[:, None]) for s in measure.batches(len(v))])
        self.amp, self.z, self.c, self.s = r.amp, encode(hu), None, None
        if net.start and r.a.simulate:
            source = simulate.Source(hu.shape[-1], g, r.a.sigma)
            scans = [source.usual(hu[s], slices.pixel.to(r.dev)[s]) for s in measure.batches(len(hu))]
            net = restorer_of(r.a).to(r.dev)
            rest = lambda *images: restorer.both(net, *images)
            self.c = torch.cat([s.c for s in scans]).clamp(-1, 1)
            self.s = torch.cat([ae.encode(simulate.restored(rest, s, r.a.rounds)[-1].clamp(-1, 1)) for s in scans])
        elif net.start:
            jobs = conditions.usual(len(slices), 25, r.a.sigma)
            fbp, start = [torch.from_numpy(v).to(r.dev) for v in conditions.held_out(slices, ["fbp-hann", r.a.method], r.a.model, jobs, program=r.a.program)]
            self.c, self.s = data.to_unit(fbp)[:, None], encode(start)
        elif net.cond:
            self.c = pr.condition(hu, slices.pixel.to(r.dev), g, views=25, sigma=r.a.sigma)
        self.e = torch.randn(self.z.shape, generator=g, device=r.dev)

    def error(self, net, level, flag):
        l = torch.full((len(self.z),), level, device=self.z.device)
        al, si = diffusion.alpha_sigma(l)
        total = 0.0
        for s in measure.batches(len(l)):
            c, start = [v[s] if v is not None else None for v in (self.c, self.s)]
            with torch.autocast(**self.amp):
                v = net((al * self.z + si * self.e)[s], l[s], c, torch.full_like(l[s], flag), start)
            total += float((v.float() - (al * self.e - si * self.z)[s]).pow(2).mean((1, 2, 3)).sum())
        return total / len(l)


def v_figures(net, val, seen):
    """The log's figures: mean v-error on val and on training slices, then val by level for flag 1 and flag 0."""
    flags = (1.0, 0.0) if val.c is not None else (0.0,)
    by = {(f, l): val.error(net, l, f) for f in flags for l in VAL_LEVELS}
    mean = lambda v: sum(v) / len(v)
    head = dict(val=mean([by[flags[0], l] for l in VAL_LEVELS]), train=mean([seen.error(net, l, flags[0]) for l in VAL_LEVELS]))
    return head | {f"f{f:.0f}_l{l:+.0f}": v for (f, l), v in by.items()}


def restorer_of(a):
    return restorer.net_of(model.load_state(pathlib.Path(a.restorer) / "restorer.pt"))


def train_unet(a):
    r = loop.Run(a, "unet")
    ae = model.autoencoder_of(model.load_state(pathlib.Path(a.out) / "ae.pt", r.dev)).to(r.dev)
    net = model.UNet(tuple(a.width), a.blocks, ae.shift.shape[1], not a.unconditional, bool(a.pairs or a.simulate)).to(r.dev)
    print(f"parameters: {model.parameters(net)}", flush=True)
    fwd, latents = r.compiled(net), Pairs(r, ae) if a.pairs or a.simulate else Latents(r, ae, net.cond)

    def loss_fn(_):
        z, c, start = latents.draw()
        l = diffusion.draw_levels(len(z), r.g, r.dev)
        al, si = diffusion.alpha_sigma(l)
        e = torch.randn(z.shape, generator=r.g, device=r.dev)
        flag = (torch.rand(len(z), generator=r.g, device=r.dev) > a.drop).float()
        return F.mse_loss(fwd(al * z + si * e, l, c, flag, start).float(), al * e - si * z)

    val, seen = Held(r, ae, r.val, net), Held(r, ae, r.seen, net)
    r.fit(net, loss_fn, torch.no_grad()(lambda ema: v_figures(ema, val, seen)))


STAGES = dict(ae=train_ae, unet=train_unet)


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("stage", choices=STAGES)
    loop.add_options(p), simulate.add_options(p)
    p.add_argument("--latent", type=int, default=4), p.add_argument("--latent-noise", type=float, default=0.05)
    p.add_argument("--ae-width", type=int, nargs=2, default=[32, 64]), p.add_argument("--ae-depth", type=int, nargs=2, default=[2, 3])
    p.add_argument("--width", type=int, nargs="+", default=[64, 128, 192, 256]), p.add_argument("--blocks", type=int, default=1)
    p.add_argument("--unconditional", action="store_true")
    p.add_argument("--simulate", type=int, default=0, help="so many pairs made here by the network of --restorer, instead of --pairs")
    p.add_argument("--simulate-minutes", type=float, default=0, help="at most, not counted in --minutes"), p.add_argument("--restorer", default="", help="folder of restorer.py")
    p.add_argument("--rounds", type=int, default=3, help="of the restorer")
    return p


def main():
    a = options().parse_args()
    torch.set_float32_matmul_precision("high")
    STAGES[a.stage](a)


if __name__ == "__main__":
    main()
