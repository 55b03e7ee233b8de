"""The supervised rivals of docs/results.md: a residual U-Net on the FBP of 25 views, its training, its file for ctrecon evaluate.

    python rival.py train  --data ctdata --pairs pairs --out run --minutes 60 --precision bf16 --batch 8
    python rival.py export --data ctdata --out run --file rival.onnx
    ctrecon evaluate --rival rival.onnx --method fbp-unet,fbp-unet-dc,pnp-unet ctdata

Trained on the shards of conditions.py (slices of 25 views, every noise level), mirrored at random. A part of the inputs has
only a share of the streaks, so that pnp-unet can use the network again on its own cleaner images. export measures on training
slices how far the network's images lie from the truth, which the data steps need, and writes it beside the file as JSON.
"""
import argparse
import csv
import json
import pathlib
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import bundle
import classical
import data
import loop
import measure
import model
import onnxfile
import projector as pr
import train

MODEL_ERROR = 0.004  # nepers, pixels against the measured object: that of ct/recon
ALTERNATIONS = 4     # of pnp-unet that export tries


def unit(hu):
    """Normalised HU without clipping: streaks go far below air, implants above 2000 HU."""
    return (hu - data.HU_MID) / data.HU_HALF


class RivalUNet(nn.Module):
    """FBP in, image out, both [B,1,H,W] in units of unit(); the network adds the correction.

    factor: pixels a side that become channels first, so that nothing runs at full resolution.
    """

    def __init__(self, width=(64, 96, 160, 224), factor=4):
        super().__init__()
        self.factor = factor
        self.inp = nn.Conv2d(factor**2, width[0], 3, padding=1)
        self.down = nn.ModuleList(model.Block(w, w) for w in width)
        self.stride = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(width, width[1:]))
        self.rise = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in zip(width, width[1:]))
        self.up = nn.ModuleList(model.Block(w, w) for w in width)
        self.out = nn.Sequential(model.norm(width[0]), nn.SiLU(), nn.Conv2d(width[0], factor**2, 3, padding=1))
        nn.init.zeros_(self.out[2].weight), nn.init.zeros_(self.out[2].bias)

    def forward(self, fbp):
        h, skips = self.inp(F.pixel_unshuffle(fbp, self.factor)), []
        for i, block in enumerate(self.down):
            h = block(self.stride[i - 1](h) if i else h)
            skips.append(h)
        h = self.up[-1](h)
        for i in reversed(range(len(self.rise))):
            h = self.up[i](skips[i] + F.interpolate(self.rise[i](h), scale_factor=2.0, mode="nearest"))
        return fbp + F.pixel_shuffle(self.out(h), self.factor)


def net_of(state):
    """The RivalUNet that a state dict belongs to."""
    width = tuple(state[f"down.{i}.c1.weight"].shape[0] for i in range(model.count(state, "down.", ".c1.weight")))
    net = RivalUNet(width, round(state["inp.weight"].shape[1] ** 0.5))
    net.load_state_dict(state)
    return net.eval().requires_grad_(False)


class Pairs:
    """hu, fbp int16 [n,H,W] of the shards' slices with this number of views; batches of them."""

    def __init__(self, folder, views, g):
        hu, fbp = [], []
        for path in sorted(pathlib.Path(folder).glob("*.npz")):
            shard = np.load(path)
            m = shard["views"] == views
            hu.append(shard["hu"][m]), fbp.append(shard["fbp"][m])
        if not sum(map(len, hu)):
            raise SystemExit(f"{folder}: no slice of {views} views in it; conditions.py makes them")
        self.hu, self.fbp, self.g = torch.from_numpy(np.concatenate(hu)), torch.from_numpy(np.concatenate(fbp)), g
        print(f"pairs: {len(self.hu)} of {views} views", flush=True)

    def draw(self, n, blend):
        """(input, image) [n,1,H,W] float32; a share blend of the inputs keeps a random part of the streaks only."""
        rand = lambda: torch.rand(n, generator=self.g)
        i = torch.randint(0, len(self.hu), (n,), generator=self.g)
        x, c = unit(self.hu[i].float()), unit(self.fbp[i].float())
        m = (rand() < 0.5).view(n, 1, 1)
        x, c = torch.where(m, x.flip(-1), x), torch.where(m, c.flip(-1), c)
        t = torch.where(rand() < blend, rand(), torch.ones(n)).view(n, 1, 1)
        return (x + t * (c - x))[:, None], x[:, None]


def measured(slices, views, sigma, seed):
    """What the slices' scans give: (sinogram, FBP [H,W] in units of unit()) each."""
    for i in range(len(slices)):
        hu, px = slices.hu[i].clamp_min(-1000).numpy().astype(np.float32), float(slices.pixel[i])
        y = pr.measure(hu, px, views, sigma, np.random.default_rng([seed, i]))
        yield y, unit(pr.mu_to_hu(pr.fbp(torch.from_numpy(y)[None], pr.view_angles(views), torch.tensor([px]), len(hu))))[0]


class Held:
    """A measured set, to follow the error."""

    def __init__(self, slices, a):
        self.x = unit(slices.hu.float().clamp_min(-1000))[:, None]
        self.c = torch.stack([c for _, c in measured(slices, a.views, a.sigma, 1)])[:, None]

    def figures(self, net, amp):
        """Mean squared error in units of (100 HU)^2, mean PSNR."""
        with torch.no_grad(), torch.autocast(**amp):
            y = torch.cat([net(self.c[s]).float() for s in measure.batches(len(self.c))])
        return float((15 * (y - self.x)).pow(2).mean()), float(measure.psnr(self.x, y).mean())


class Run(loop.Run):
    """Budget and learning rate may follow CPU time instead, over all sittings: on a busy machine minutes say little."""

    def __init__(self, a):
        super().__init__(a, "rival")
        log = self.out / "rival.csv"
        self.before, self.began = float(last(log)["cpu_minutes"]) if a.resume and log.exists() else 0.0, time.process_time()

    def cpu(self):
        return self.before + (time.process_time() - self.began) / 60

    def share(self, step, spent):
        return min(1.0, self.cpu() / self.a.cpu_minutes) if self.a.cpu_minutes else super().share(step, spent)


def last(log):
    """The last row of a log."""
    with open(log, newline="") as f:
        return list(csv.DictReader(f))[-1]


def train_rival(a):
    r = Run(a)
    net = RivalUNet(tuple(a.width), a.factor)
    print(f"parameters: {model.parameters(net)}", flush=True)
    pairs, val, seen = Pairs(a.pairs, a.views, r.g), Held(r.val, a), Held(r.seen, a)
    fwd = r.compiled(net.to(r.dev))

    def loss_fn(_):
        c, x = [v.to(r.dev).contiguous(memory_format=torch.channels_last) for v in pairs.draw(a.batch, a.blend)]
        return (15 * (fwd(c).float() - x)).pow(2).mean()

    def val_fn(ema):
        (e, db), (t, tdb) = val.figures(ema, r.amp), seen.figures(ema, r.amp)
        return dict(val=e, val_db=db, train=t, train_db=tdb, cpu_minutes=r.cpu())

    r.fit(net, loss_fn, val_fn)


class Scan:
    """A slice of known truth with its scan: the data step of the methods, and the error of an image."""

    def __init__(self, truth, y, pixel, sigma):
        self.truth, self.problem = truth, classical.Problem(pr.strip_matrix(len(truth), len(y)), y, pixel, float(np.hypot(sigma, MODEL_ERROR)))

    def error(self, u):
        return float(np.mean((u - self.truth) ** 2))

    def solve(self, u, r2):
        return self.problem.solve(u, r2, iters=60, tol=1e-3)


def alternate(net, slices, a):
    """Mean squared errors of the network's images and of those after a data step, alternation by alternation, on slices.

    u = net(FBP); y = argmin |A x - y|^2/sigma^2 + |x - u|^2/r^2 with r^2 the error of u; u = net(y) and so on.
    """
    run = lambda u: net(torch.from_numpy(np.ascontiguousarray(u, np.float32))[None, None])[0, 0].numpy()
    scans, images, of_net, of_data = [], [], [], []
    for i, (y, c) in enumerate(measured(slices, a.views, a.sigma, 2)):
        truth = unit(slices.hu[i].clamp_min(-1000).numpy().astype(np.float32))
        scans.append(Scan(truth, y, float(slices.pixel[i]), a.sigma)), images.append(c.numpy())
    for _ in range(ALTERNATIONS + 1):
        images = [run(u) for u in images]
        of_net.append(float(np.mean([s.error(u) for s, u in zip(scans, images)])))
        images = [s.solve(u, of_net[-1]) for s, u in zip(scans, images)]
        of_data.append(float(np.mean([s.error(u) for s, u in zip(scans, images)])))
    return of_net, of_data


def export(a):
    """Writes the network with half-precision weights, and beside it what ctrecon must know to use it."""
    out, path = pathlib.Path(a.out), pathlib.Path(a.file)
    net = bundle.rounded(net_of(model.load_state(out / "rival.pt")))
    slices = data.load(a.data, "train").spread(a.slices)
    size = slices.hu.shape[-1]
    args = (torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(7)),)
    m = onnxfile.halve(onnxfile.export(net, args, ["fbp"], "x"), set(net.state_dict()))
    entry = bundle.write_model(path.parent, path.name, m, "rival", onnxfile.difference(m, net, args))
    of_net, of_data = alternate(net, slices, a)
    k = int(np.argmin(of_data[1:])) + 1
    hu = lambda errors: [float(f"{data.HU_HALF * e**0.5:.4g}") for e in errors]
    path.with_suffix(".json").write_text(json.dumps(dict(
        schema="ctrecon-rival/1", sha256=entry["sha256"], height=size, width=size, hu_mid=data.HU_MID, hu_half=data.HU_HALF, views=a.views,
        r_hu=hu(of_net)[:k + 1], measured=dict(slices=len(slices), net_hu=hu(of_net), data_step_hu=hu(of_data)),
        parameters=model.parameters(net), training=last(out / "rival.csv")), indent=1) + "\n")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("stage", choices=["train", "export"])
    train.add_loop_options(p)
    p.add_argument("--cpu-minutes", type=float, default=0, help="budget in CPU minutes over all sittings instead")
    p.add_argument("--views", type=int, default=25), p.add_argument("--blend", type=float, default=0.2)
    p.add_argument("--width", type=int, nargs="+", default=[64, 96, 160, 224]), p.add_argument("--factor", type=int, default=4)
    p.add_argument("--file", default="rival.onnx", help="export writes it, and a .json beside it")
    p.add_argument("--slices", type=int, default=32, help="training slices on which export measures")
    a = p.parse_args()
    dict(train=train_rival, export=export)[a.stage](a)


if __name__ == "__main__":
    main()
