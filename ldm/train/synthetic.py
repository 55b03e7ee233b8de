"""Makes a small set of synthetic slices in our folder format, so that every command can be tried without data.

    python synthetic.py --out synth --train 24 --val 6 --size 128

Slices are random bodies: fat, muscle, lungs, spine, ribs, vessels, texture, air outside. A minority of training data at most.
"""
import argparse
import csv
import pathlib

import numpy as np
import scipy.ndimage as nd

import data


def ellipse(x, y, cx, cy, a, b, angle=0.0):
    """Soft mask (one pixel of edge) of an ellipse; x, y in [-1, 1]."""
    c, s = np.cos(angle), np.sin(angle)
    u, v = (c * (x - cx) + s * (y - cy)) / a, (-s * (x - cx) + c * (y - cy)) / b
    r = np.hypot(u, v)
    edge = x.shape[0] / 2 * min(a, b)
    return np.clip((1 - r) * edge + 0.5, 0, 1)


def paint(hu, mask, value):
    hu += mask * (value - hu)


def body(rng, n, site):
    """One slice in HU, n x n."""
    t = (np.arange(n) + 0.5) / n * 2 - 1
    x, y = np.meshgrid(t, -t)
    hu = np.full((n, n), -1000.0)
    a, b = rng.uniform(0.62, 0.82), rng.uniform(0.42, 0.6)
    paint(hu, ellipse(x, y, 0, 0, a, b), -100)
    inner = rng.uniform(0.82, 0.93)
    paint(hu, ellipse(x, y, 0, 0, a * inner, b * inner), 50)
    if site == "chest":
        for side in (-1, 1):
            paint(hu, ellipse(x, y, side * a * 0.42, 0.03, a * 0.33, b * 0.62, side * 0.15), -850)
        paint(hu, ellipse(x, y, -0.08, 0.05, 0.2, 0.17, 0.5), 45)
    blobs(rng, hu, x, y, a, b, -850 if site == "chest" else 50)
    for k in range(int(rng.integers(6, 12))):  # ribs
        w = 2 * np.pi * k / 11 + rng.uniform(0, 0.3)
        paint(hu, ellipse(x, y, 0.9 * a * np.cos(w), 0.88 * b * np.sin(w), 0.035, 0.02, w + np.pi / 2), rng.uniform(250, 600))
    paint(hu, ellipse(x, y, 0, -b * 0.6, 0.11, 0.1), 350)
    paint(hu, ellipse(x, y, 0, -b * 0.6, 0.08, 0.07), 180)
    inside = ellipse(x, y, 0, 0, a, b)
    texture = nd.gaussian_filter(rng.standard_normal((n, n)), 1.2) * 20 + nd.gaussian_filter(rng.standard_normal((n, n)), 0.6) * 10
    return np.clip(hu + inside * texture, -1000, 3000)


def blobs(rng, hu, x, y, a, b, where):
    """Organs, vessels and gas, painted over tissue of about the value where."""
    for _ in range(int(rng.integers(12, 30))):
        r, w = np.sqrt(rng.uniform(0, 0.6)), rng.uniform(0, 2 * np.pi)
        size = np.exp(rng.uniform(np.log(0.012), np.log(0.14)))
        value = rng.choice([20.0, 60.0, 90.0, 130.0, -90.0, 220.0, -700.0], p=[0.2, 0.25, 0.2, 0.15, 0.1, 0.05, 0.05])
        m = ellipse(x, y, a * r * np.cos(w), b * r * np.sin(w), size, size * rng.uniform(0.5, 1), rng.uniform(0, 3))
        if where > -500 or size < 0.05:
            paint(hu, m, value)


def make(out, train, val, size, seed=0, per_patient=3):
    """Writes PNGs and index.csv; sites alternate by patient, patients never cross splits."""
    out = pathlib.Path(out)
    rng, rows = np.random.default_rng(seed), []
    for split, count in (("train", train), ("val", val)):
        (out / split).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            patient = f"{split}-{i // per_patient}"
            site = ("chest", "abdomen")[i // per_patient % 2]
            name = f"{split}/{site}_synthetic_{patient}_{i % per_patient:03d}.png"
            data.write_png(out / name, body(rng, size, site))
            rows.append(dict(file=name, split=split, site=site, source="synthetic", collection="synthetic phantoms", patient=patient,
                             pixel_mm=round(rng.uniform(0.98, 1.95) * 256 / size, 4)))
    with open(out / "index.csv", "w", newline="") as f:
        w = csv.DictWriter(f, rows[0])
        w.writeheader(), w.writerows(rows)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True), p.add_argument("--train", type=int, default=24), p.add_argument("--val", type=int, default=6)
    p.add_argument("--size", type=int, default=128), p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    make(a.out, a.train, a.val, a.size, a.seed)
    print(f"{a.out}: {a.train} train and {a.val} val slices of {a.size} x {a.size}")


if __name__ == "__main__":
    main()
