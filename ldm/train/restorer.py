"""The restorer: a supervised residual U-Net on FBP, the start of the samples and a method of its own (pnp-unet).

    python conditions.py --data ctdata --out scans --slices 9600
    python restorer.py train  --data ctdata --scans scans --out run --minutes 15 --precision bf16 --batch 8
    python restorer.py export --data ctdata --out run --from-bundle ct256 --bundle first
    python conditions.py --data ctdata --out rounds --slices 9600 --method fbp-unet-dc --model first
    python restorer.py train  --data ctdata --scans rounds --second .5 --model first --out run2 --init run --minutes 15 ...

or, on a GPU, in one training that measures its slices itself and runs network and data step in turn as ctrecon will:

    python restorer.py train  --data ctdata --simulate 3 --out run --minutes 6

The network sees the FBP and an image made from it, at first the FBP itself; ctrecon runs it in turn with data steps, so in the
second training half of the images are those after a data step. The loss is the mean logarithm of the mean squared error of a
slice, so that scans of many views and of few count alike. export measures what the data steps must know of its errors.
"""
import argparse
import csv
import json
import pathlib
import shutil
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import bundle
import conditions
import data
import loop
import measure
import model
import onnxfile
import projector as pr
import simulate

FLOOR = 0.01  # (100 HU)^2: below it a smaller error counts little in training


unit = simulate.unit


class Restorer(nn.Module):
    """FBP and an image made from it in, a better image out, all [B,1,H,W] in units of unit(); the network adds the correction.

    The first image is the FBP itself. factor: pixels a side that become channels first, so that nothing runs at full resolution;
    depth: blocks of a level, on the way down and up each.
    """

    def __init__(self, width=(96, 128, 160, 224), factor=4, depth=1):
        super().__init__()
        self.factor = factor
        self.inp = nn.Conv2d(2 * factor**2, width[0], 3, padding=1)
        level = lambda w: nn.Sequential(*[model.Block(w, w) for _ in range(depth)])
        self.down = nn.ModuleList(level(w) for w in width)
        self.stride = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(width, width[1:]))
        self.rise = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in zip(width, width[1:]))
        self.up = nn.ModuleList(level(w) for w in width)
        self.out = nn.Sequential(model.norm(width[0]), nn.SiLU(), nn.Conv2d(width[0], factor**2, 3, padding=1))
        nn.init.zeros_(self.out[2].weight), nn.init.zeros_(self.out[2].bias)

    def forward(self, fbp, u):
        h, skips = self.inp(F.pixel_unshuffle(torch.cat((u, fbp), 1), self.factor)), []
        for i, block in enumerate(self.down):
            h = block(self.stride[i - 1](h) if i else h)
            skips.append(h)
        h = self.up[-1](h)
        for i in reversed(range(len(self.rise))):
            h = self.up[i](skips[i] + F.interpolate(self.rise[i](h), scale_factor=2.0, mode="nearest"))
        return u + F.pixel_shuffle(self.out(h), self.factor)


def net_of(state):
    """The Restorer that a state dict belongs to."""
    width = tuple(state[f"down.{i}.0.c1.weight"].shape[0] for i in range(model.count(state, "down.", ".0.c1.weight")))
    net = Restorer(width, round((state["inp.weight"].shape[1] / 2) ** 0.5), model.count(state, "down.0.", ".c1.weight"))
    net.load_state_dict(state)
    return net.eval().requires_grad_(False)


class Scans:
    """The shards of conditions.py, every geometry and noise level of them, where the generator g is; batches."""

    def __init__(self, folder, second, g):
        self.x, self.c, *self.u = [torch.from_numpy(v).to(g.device) for v in conditions.read(folder, "hu", "fbp", *["start"] * second)]
        self.g = g
        print(f"scans: {len(self.x)}", flush=True)

    def draw(self, n, blend, second):
        """(FBP, image, truth) [n,1,H,W] float32. The image is the FBP; for a share blend of the batch with a random part of its
        errors only; for a share second the image of an alternation before."""
        dev = self.g.device
        rand = lambda: torch.rand(n, generator=self.g, device=dev).view(n, 1, 1)
        i, m = torch.randint(0, len(self.x), (n,), generator=self.g, device=dev), rand() < 0.5
        x, c, *u = [unit(torch.where(m, v[i].flip(-1), v[i]).float()) for v in (self.x, self.c, *self.u)]
        t = torch.where(rand() < blend, rand(), torch.ones(n, 1, 1, device=dev))
        part = x + t * (c - x)
        return [v[:, None] for v in (c, torch.where(rand() < second, u[0], part) if u else part, x)]


class Held:
    """Measured slices, to follow the error: the first pass and, where images of it are there, the second."""

    def __init__(self, slices, a):
        self.x = unit(slices.hu.float().clamp_min(-1000))[:, None]
        methods = ["fbp-hann"] + ["fbp-unet-dc"] * bool(a.model)
        c, *u = [unit(torch.from_numpy(v))[:, None] for v in conditions.held_out(slices, methods, a.model, seed=1, program=a.program)]
        self.passes = [(c, c)] + [(c, v) for v in u]

    def figures(self, net, amp):
        """Mean PSNR of each pass."""
        with torch.no_grad(), torch.autocast(**amp):
            dev = next(net.parameters(), self.x).device
            run = lambda c, u: torch.cat([net(c[s].to(dev), u[s].to(dev)).float().cpu() for s in measure.batches(len(c))])
            return [float(measure.psnr(self.x, run(c, u)).mean()) for c, u in self.passes]


class Run(loop.Run):
    """Budget and learning rate may follow CPU time instead, over all sittings: on a busy machine minutes say little."""

    def __init__(self, a):
        super().__init__(a, "restorer")
        log = self.out / "restorer.csv"
        self.before, self.began = float(last(log)["cpu_minutes"]) if a.resume and log.exists() else 0.0, time.process_time()

    def cpu(self):
        return self.before + (time.process_time() - self.began) / 60

    def share(self, step, spent):
        return min(1.0, self.cpu() / self.a.cpu_minutes) if self.a.cpu_minutes else super().share(step, spent)


class Rounds:
    """Loss and figures where the slices are measured as they are needed."""

    def __init__(self, r, a):
        self.r, self.a = r, a
        size = r.hu.shape[-1]
        self.source = simulate.Source(size, r.g, a.sigma, geometries=a.geometries)
        held = simulate.Source(size, torch.Generator(r.dev).manual_seed(1), a.sigma)
        self.held = [held.usual(s.hu.to(r.dev).float().clamp_min(-1000), s.pixel.to(r.dev)) for s in (r.val, r.seen)]

    def loss(self, fwd, share):
        """The mean logarithm of the squared errors of every round's image; in the first part of training of the first round's."""
        with torch.autocast(self.r.dev.type, enabled=False):
            scan = self.source.draw(*self.r.batch(self.a.batch))
        u, total, rounds = scan.c, 0.0, self.a.simulate if share > self.a.first else 1
        for k in range(rounds):
            out = fwd(scan.c, u).float()
            total = total + (15**2 * simulate.error2(out, scan.x) + FLOOR).log().mean() / rounds
            if k + 1 < rounds:
                with torch.no_grad():
                    r2 = simulate.error2(out, scan.x) if k == 0 else r2
                    u = scan.step(out, r2)
        return total

    def figures(self, net):
        """Mean PSNR of each round's image and of the last after its data step, on val and on training slices."""
        row = {}
        for name, scan in zip(("val", "train"), self.held):
            with torch.autocast(**self.r.amp):
                images = simulate.restored(net, scan, self.a.simulate)
            row |= {f"{name}{i}": float(measure.psnr(scan.x, u).mean()) for i, u in enumerate(images)}
        return row


def last(log):
    """The last row of a log."""
    with open(log, newline="") as f:
        return list(csv.DictReader(f))[-1]


def train_restorer(a):
    r = Run(a)
    net = Restorer(tuple(a.width), a.factor, a.depth)
    print(f"parameters: {model.parameters(net)}", flush=True)
    if a.simulate:
        fwd, rounds = r.compiled(net.to(r.dev)), Rounds(r, a)
        r.fit(net, lambda share: rounds.loss(fwd, share), lambda ema: rounds.figures(ema) | dict(cpu_minutes=r.cpu()))
        return
    scans, val, seen = Scans(a.scans, bool(a.second), r.g), Held(r.val, a), Held(r.seen, a)
    fwd = r.compiled(net.to(r.dev))

    def loss_fn(_):
        c, u, x = [v.to(r.dev).contiguous(memory_format=torch.channels_last) for v in scans.draw(a.batch, a.blend, a.second)]
        e = (15 * (fwd(c, u).float() - x)).pow(2).mean((1, 2, 3))
        return (e + FLOOR).log().mean()  # slices of many views count as much as those of few

    def val_fn(ema):
        v, s = val.figures(ema, r.amp), seen.figures(ema, r.amp)
        return {f"{k}{i}": y for k, f in (("val", v), ("train", s)) for i, y in enumerate(f)} | dict(cpu_minutes=r.cpu())

    r.fit(net, loss_fn, val_fn)


def both(net, fbp, u):
    """The mean of two images, one made of the mirror image: training saw both sides, and the network errs differently in each."""
    return (net(fbp, u) + net(fbp.flip(-1), u.flip(-1)).flip(-1)) / 2


def kappa(net, slices, views, sigma, program):
    """Mean square of the projected error of the network's images of slices, over that of white noise of their mean square; and
    the root of the latter in HU."""
    x = unit(slices.hu.float().clamp_min(-1000))
    fbp, = conditions.held_out(slices, ["fbp-hann"], jobs=conditions.usual(len(slices), views, sigma, 2), program=program)
    c = unit(torch.from_numpy(fbp))[:, None]
    e = torch.cat([both(net, c[s], c[s]) for s in measure.batches(len(c))])[:, 0] - x
    a = pr.strip_matrix(x.shape[-1], views)
    white = float(a.multiply(a).sum()) / a.shape[0]
    return float(np.mean((a @ e.reshape(len(e), -1).numpy().T) ** 2) / (white * e.pow(2).mean())), data.HU_HALF * float(e.pow(2).mean().sqrt())


def add(folder, a, size):
    """Writes restorer.onnx to a bundle's folder; its entries for files, restorer and parameters of bundle.json."""
    out = pathlib.Path(a.out)
    net = bundle.rounded(net_of(model.load_state(out / "restorer.pt")))
    args = tuple(torch.randn(2, 1, 1, size, size, generator=torch.Generator().manual_seed(7)))
    m = onnxfile.halve(onnxfile.note_weights(onnxfile.export(net, args, ["fbp", "u"], "x"), net), set(net.state_dict()))
    entry = bundle.write_model(folder, "restorer.onnx", m, "restorer", onnxfile.difference(m, net, args))
    slices = data.load(a.data, "train").spread(a.slices)
    if slices.hu.shape[-1] != size:
        raise SystemExit(f"{a.data}: slices of {slices.hu.shape[-1]} pixels; the networks of {a.from_bundle} take {size}")
    k, hu = kappa(net, slices, a.views, a.sigma, a.program)
    note = dict(rounds=a.rounds, mirror=True, kappa=float(f"{k:.4g}"), measured=dict(split="train", slices=len(slices), views=a.views, sigma_nepers=a.sigma, error_hu=float(f"{hu:.4g}")),
                training=last(out / "restorer.csv"))
    return {"restorer.onnx": entry}, note, model.parameters(net)


def export(a):
    """A copy of a bundle with this network as its restorer."""
    source, folder = pathlib.Path(a.from_bundle), bundle.work_folder(a.bundle)
    d = json.loads((source / "bundle.json").read_text())
    for name in d["files"]:
        shutil.copy(source / name, folder / name)
    files, d["restorer"], count = add(folder, a, d["image"]["height"])
    d["parameters"] = d.get("parameters", {}) | dict(restorer=count)  # a converted bundle has none
    d["files"] |= files
    bundle.publish(folder, a.bundle, d)


def add_options(p):
    """Those of export, for export.py too."""
    p.add_argument("--views", type=int, default=25), p.add_argument("--slices", type=int, default=32, help="training slices on which kappa is measured")
    p.add_argument("--rounds", type=int, default=2, help="of network and data step")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("stage", choices=["train", "export"])
    loop.add_options(p), simulate.add_options(p)
    p.add_argument("--scans", default="scans", help="folder of conditions.py")
    p.add_argument("--cpu-minutes", type=float, default=0, help="budget in CPU minutes over all sittings instead")
    p.add_argument("--blend", type=float, default=0.2, help="share of inputs with a part of their errors")
    p.add_argument("--second", type=float, default=0, help="share of inputs that are the scans' start, images of an alternation before")
    p.add_argument("--width", type=int, nargs="+", default=[96, 128, 160, 224]), p.add_argument("--factor", type=int, default=4)
    p.add_argument("--depth", type=int, default=1), p.add_argument("--simulate", type=int, default=0, help="rounds of network and data step on slices measured here, without --scans")
    p.add_argument("--first", type=float, default=0.3, help="share of the budget in which --simulate trains the first round alone")
    p.add_argument("--from-bundle", default="", help="export: the bundle to copy"), p.add_argument("--bundle", default="", help="export: the folder to write")
    add_options(p)
    a = p.parse_args()
    dict(train=train_restorer, export=export)[a.stage](a)


if __name__ == "__main__":
    main()
