"""Makes the training pairs: augmented slices, measured and reconstructed with ctrecon's own methods.

    go build -o conditions/conditions ./conditions
    python conditions.py --data ctdata --out scans --slices 6000                              # FBP alone: for restorer.py
    python conditions.py --data ctdata --out pairs --slices 6000 --method pnp-unet --model b  # with the restorer of bundle b: for train.py unet

Each shard <out>/NNN.npz holds int16 HU: hu, fbp and, with --method, start [n,H,W]. Run again to go on. The same seed measures the
same slices in the same way. Half of the slices and more have --views views and --sigma nepers of noise, the others are drawn widely
about them; a sixth are of a short arc, a twelfth of a detector narrower than the body, a tenth have Poisson noise.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch

import data

VIEW_COUNTS = (12, 15, 18, 20, 30, 36, 45, 50, 60, 100)
ARCS = (60, 90, 120, 150)
NARROW = (0.5, 0.65, 0.8)      # of the detector
PHOTONS = (1e4, 3e4, 1e5, 3e5)  # a bin
PROGRAM = pathlib.Path(__file__).parent / "conditions" / "conditions"


def usual(n, views=25, sigma=0.01, seed=0):
    """The jobs of n slices in the usual way: views, first angle, arc, bins (0: all), sigma, photons (0: none), seed of each."""
    return [(views, 0.0, 180.0, 0, sigma, 0.0, seed * 100003 + i) for i in range(n)]


def reconstruct(hu, pixel, jobs, methods=("fbp-hann",), model="", program=PROGRAM, workers=0):
    """Images [n,H,W] in HU of each method, from slices hu [n,H,W] of pixel size (mm) and the jobs of usual or draw."""
    if not pathlib.Path(program).exists():
        raise SystemExit(f"{program}: not found; build it with: go build -o {PROGRAM} ./conditions")
    with tempfile.TemporaryDirectory() as folder:
        f = pathlib.Path(folder)
        (f / "jobs").write_text("".join(" ".join(f"{v:.15g}" for v in (p, *job)) + "\n" for p, job in zip(pixel, jobs)))
        np.ascontiguousarray(hu, np.float32).tofile(f / "slices")
        command = [str(program), "--size", str(hu.shape[-1]), "--methods", ",".join(methods)] + (["--model", str(model)] if model else [])
        command += ["--workers", str(workers)] if workers else []
        subprocess.run([*command, f / "jobs", f / "slices", f / "results"], check=True)
        out = np.fromfile(f / "results", np.float32).reshape(len(hu), len(methods), *hu.shape[1:])
    return [out[:, k] for k in range(len(methods))]


def held_out(slices, methods, model="", jobs=None, seed=0, program=PROGRAM):
    """The same for slices as they are, without augmentation."""
    return reconstruct(slices.hu.float().clamp_min(-1000).numpy(), slices.pixel.tolist(), jobs or usual(len(slices), seed=seed),
                       methods, model, program)


def draw(n, views, sigma, size, rng):
    """Jobs of n slices of size pixels a side, as usual gives them."""
    as_usual = rng.random((2, n)) < 0.6
    v = np.where(as_usual[0], views, rng.choice(VIEW_COUNTS, n))
    s = np.where(as_usual[1], sigma, sigma * np.exp(np.clip(rng.standard_normal(n), -2, 1.5)))
    short = rng.random(n) < 1 / 6
    arc = np.where(short, rng.choice(ARCS, n), 180)
    first = np.where(short, rng.choice((0, 45, 90, 135), n), np.where(rng.random(n) < 0.25, 90 / v, 0))
    bins = np.where(rng.random(n) < 1 / 12, np.rint(1.43 * size * rng.choice(NARROW, n)), 0).astype(int)
    photons = np.where(rng.random(n) < 1 / 10, rng.choice(PHOTONS, n), 0)
    return list(zip(*(c.tolist() for c in (v, first, arc, bins, np.where(photons > 0, 0, s), photons, rng.integers(1 << 40, size=n)))))


def shard(slices, weights, how, n, index, a):
    g, rng = torch.Generator().manual_seed(a.seed * 1000 + index), np.random.default_rng([a.seed, index])
    i = torch.multinomial(weights, n, replacement=True, generator=g)
    hu, pixel = data.augment(slices.hu[i].float(), slices.pixel[i], g, how)
    hu = hu.clamp(-1000, 4000).round()
    jobs = draw(n, a.views, a.sigma, hu.shape[-1], rng)
    fbp, *start = reconstruct(hu.numpy(), pixel.tolist(), jobs, ["fbp-hann"] + [a.method] * bool(a.method), a.model, a.program, a.workers)
    whole = lambda v: np.clip(np.rint(v), -32768, 32767).astype(np.int16)
    views, first, arc, bins, sigma, photons, _ = zip(*jobs)
    return dict(hu=whole(hu.numpy()), fbp=whole(fbp), **({"start": whole(start[0])} if start else {}), pixel=pixel.numpy(),
                views=views, first=first, arc=arc, bins=bins, sigma=sigma, photons=photons)


def read(folder, *keys):
    """The named arrays (int16 [n,H,W]) of all shards that are there, one after the other."""
    files = sorted(pathlib.Path(folder).glob("*.npz"))
    if not files:
        raise SystemExit(f"{folder}: no pairs in it; conditions.py makes them")
    parts = [np.load(f) for f in files]
    if missing := [k for k in keys if k not in parts[0]]:
        raise SystemExit(f"{files[0]}: no {missing[0]} in it; conditions.py --method makes a start")
    return [np.concatenate([p[k] for p in parts]) for k in keys]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True), p.add_argument("--out", required=True), p.add_argument("--slices", type=int, default=6000)
    p.add_argument("--shard", type=int, default=240), p.add_argument("--views", type=int, default=25), p.add_argument("--sigma", type=float, default=0.01)
    p.add_argument("--seed", type=int, default=0), p.add_argument("--patient-power", type=float, default=0.5)
    p.add_argument("--method", default="", help="whose images are the start of the UNet"), p.add_argument("--model", default="", help="bundle for --method")
    p.add_argument("--program", default=str(PROGRAM)), p.add_argument("--workers", type=int, default=0)
    a = p.parse_args()
    slices = data.load(a.data, "train")
    weights = data.patient_weights(slices.patient, a.patient_power)
    out = pathlib.Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    for k in range(-(-a.slices // a.shard)):
        path = out / f"{k:03d}.npz"
        if path.exists():
            continue
        part = shard(slices, weights, data.Augmentation(), min(a.shard, a.slices - k * a.shard), k, a)
        tmp = path.with_suffix(".part")
        with open(tmp, "wb") as f:
            np.savez(f, **part)
        os.replace(tmp, path)
        print(f"{path}: {len(part['hu'])} slices", flush=True)


if __name__ == "__main__":
    sys.exit(main())
