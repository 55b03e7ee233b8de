"""Turns a CompVis latent diffusion checkpoint (VQ-f4 or KL, eps-prediction, unconditional) into a bundle of our form.

    python convert_compvis.py --checkpoint model.ckpt --config config.yaml --hu -1000 1000 --data set --bundle site-model

The graphs take and give what every bundle does: one channel of normalised HU (repeated to the model's three, averaged back), a log
noise-to-signal ratio (interpolated to the time step), v (from eps). scale_factor is inside. Quantisation is not: codebook.npy holds the
vectors where there are any. The licence and the data of the weights are yours to state: --licence, --attribution.
"""
import argparse
import hashlib
import json
import pathlib

import numpy as np
import torch

import bundle
import compvis
import diffusion
import measure
import data
from export import Decode, Encode

KEEP = ("freq", "low", "inverse", "scale_factor")


class Prior(diffusion.Prior):
    """For measure.py: a v-network without a condition."""

    def denoise(self, z, lognsr, cond, flag, start=None):
        l = torch.full((len(z),), float(lognsr))
        al, si = diffusion.alpha_sigma(l)
        with torch.no_grad():
            return al * z - si * self.unet(z, l)


def networks(first, unet, table, whole=False):
    """whole: no weight is rounded to half precision."""
    keep = ("",) if whole else KEEP
    first, unet = bundle.rounded(first, keep), bundle.rounded(unet, keep)
    strides = sum(isinstance(m, compvis.Down) or getattr(m, "change", None) is not None for row in unet.input_blocks for m in row)
    velocity = compvis.VelocityUNet(unet, table)
    velocity.cond = velocity.start = False
    return bundle.Networks(Encode(first), Decode(first), velocity, first.channels, first.factor, first.factor * 2**strides, False, False, keep)


def write_codebook(folder, codebook):
    """codebook.npy [entries, channels] float32, for readers that quantise; its entry in bundle.json."""
    if codebook is None:
        return {}
    np.save(folder / "codebook.npy", codebook.float().numpy())
    body = (folder / "codebook.npy").read_bytes()
    return {"codebook.npy": dict(role="codebook", bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), shape=list(codebook.shape), dtype="float")}


def tables(a, nets):
    """The JSON of --tables, or a measurement on --data: no sampler works without."""
    if a.tables:
        return json.loads(pathlib.Path(a.tables).read_text())
    prior = Prior(nets.encoder.ae, nets.unet)
    return measure.measure(prior, data.load(a.data, "val").spread(a.slices), levels=a.levels)


def describe(a, nets, first, table, files):
    one = torch.ones(1)
    note = json.loads(pathlib.Path(a.notes).read_text()) if a.notes else {}
    return dict(
        schema=bundle.SCHEMA, name=a.name, version=a.version, licence=a.licence, use="research only",
        image=bundle.image_entry(nets, a.size, a.batch, *a.hu), pixel_mm=None,
        latent=bundle.latent_entry(nets, a.size, 0 * one, one / first.scale_factor), prediction="v",
        schedule=dict(variable="lognsr", min=float(table[0]), max=float(table[-1]), training="linear", lognsr_of_t=[round(float(l), 6) for l in table]),
        conditioning=None, sampler=dict(start=min(2.0, float(table[-1])), end=-7.0, steps=20, eta=1.0, perturb=1.0),
        tables=tables(a, nets), training=note, attribution=[dict(collection=c) for c in a.attribution], files=files)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--checkpoint", required=True), p.add_argument("--config", required=True)
    p.add_argument("--hu", type=float, nargs=2, default=[-1000.0, 2000.0], metavar=("LOW", "HIGH"), help="HU of -1 and of 1 in its training")
    p.add_argument("--no-ema", action="store_true", help="the plain weights, not the averaged ones")
    p.add_argument("--float32", action="store_true", help="weights on disk as in the checkpoint: twice the size, nothing rounded")
    p.add_argument("--trust", action="store_true", help="load a checkpoint with pickled objects")
    p.add_argument("--licence", default="not stated"), p.add_argument("--attribution", nargs="*", default=[])
    p.add_argument("--data", default="", help="a set whose val slices give the tables"), p.add_argument("--slices", type=int, default=24)
    p.add_argument("--levels", type=float, nargs="+", default=measure.LEVELS)
    bundle.add_options(p, "compvis")
    a = p.parse_args()
    if not (a.data or a.tables):
        p.error("give --data or --tables: a sampler needs the error of the estimate by level")
    first, unet, table, codebook, _, _ = compvis.load(a.checkpoint, a.config, a.trust, not a.no_ema)
    nets = networks(first, unet, table, a.float32)
    folder = bundle.work_folder(a.bundle)
    files = bundle.write_networks(nets, folder, a.size, a.batch, a.extra, not a.no_free) | write_codebook(folder, codebook)
    bundle.publish(folder, a.bundle, describe(a, nets, first, table, files))


if __name__ == "__main__":
    main()
