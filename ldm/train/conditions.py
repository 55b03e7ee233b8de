"""Makes the training pairs of a conditioned UNet: augmented slices, measured and reconstructed by TV and FBP with ctrecon's own methods.

    go build -o conditions/conditions ./conditions
    python conditions.py --data ctdata --out pairs --slices 6000

Each shard <out>/NNN.npz holds int16 HU: hu, tv, fbp [n,H,W]. Run again to go on; train.py unet --pairs reads them.
Half of the slices and more have --views views and --sigma nepers of noise, the others are drawn widely about them.
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
PROGRAM = pathlib.Path(__file__).parent / "conditions" / "conditions"


def reconstruct(hu, pixel, views, sigma, seeds, program=PROGRAM, workers=0):
    """TV and FBP-Hann [n,H,W] in HU of slices hu [n,H,W]; one pixel size (mm), number of views, noise (nepers) and seed each."""
    if not pathlib.Path(program).exists():
        raise SystemExit(f"{program}: not found; build it with: go build -o {PROGRAM} ./conditions")
    with tempfile.TemporaryDirectory() as folder:
        f = pathlib.Path(folder)
        (f / "jobs").write_text("".join(f"{p:.6g} {v} {s:.6g} {k}\n" for p, v, s, k in zip(pixel, views, sigma, seeds)))
        np.ascontiguousarray(hu, np.float32).tofile(f / "slices")
        command = [str(program), "--size", str(hu.shape[-1])] + (["--workers", str(workers)] if workers else [])
        subprocess.run([*command, f / "jobs", f / "slices", f / "results"], check=True)
        out = np.fromfile(f / "results", np.float32).reshape(len(hu), 2, *hu.shape[1:])
    return out[:, 0], out[:, 1]


def held_out(slices, views=25, sigma=0.01, seed=0, program=PROGRAM):
    """The same for slices as they are, without augmentation."""
    n = len(slices)
    return reconstruct(slices.hu.float().clamp_min(-1000).numpy(), slices.pixel.tolist(), [views] * n, [sigma] * n,
                       [seed * 100003 + i for i in range(n)], program)


def draw(n, views, sigma, rng):
    """Numbers of views and noise levels of n slices."""
    usual = rng.random((2, n)) < 0.6
    v = np.where(usual[0], views, rng.choice(VIEW_COUNTS, n))
    return v, np.where(usual[1], sigma, sigma * np.exp(np.clip(rng.standard_normal(n), -2, 1.5)))


def shard(slices, weights, how, n, index, a):
    g, rng = torch.Generator().manual_seed(a.seed * 1000 + index), np.random.default_rng([a.seed, index])
    i = torch.multinomial(weights, n, replacement=True, generator=g)
    hu, pixel = data.augment(slices.hu[i].float(), slices.pixel[i], g, how)
    hu = hu.clamp(-1000, 4000).round()
    views, sigma = draw(n, a.views, a.sigma, rng)
    tv, fbp = reconstruct(hu.numpy(), pixel.tolist(), views, sigma, rng.integers(1 << 40, size=n), a.program, a.workers)
    whole = lambda v: np.clip(np.rint(v), -32768, 32767).astype(np.int16)
    return dict(hu=whole(hu.numpy()), tv=whole(tv), fbp=whole(fbp), pixel=pixel.numpy(), views=views, sigma=sigma)


def read(folder):
    """hu, tv, fbp int16 [n,H,W] of all shards that are there."""
    files = sorted(pathlib.Path(folder).glob("*.npz"))
    if not files:
        raise SystemExit(f"{folder}: no pairs in it; conditions.py makes them")
    parts = [np.load(f) for f in files]
    return [np.concatenate([p[k] for p in parts]) for k in ("hu", "tv", "fbp")]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True), p.add_argument("--out", required=True), p.add_argument("--slices", type=int, default=6000)
    p.add_argument("--shard", type=int, default=240), p.add_argument("--views", type=int, default=25), p.add_argument("--sigma", type=float, default=0.01)
    p.add_argument("--seed", type=int, default=0), p.add_argument("--patient-power", type=float, default=0.5)
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
