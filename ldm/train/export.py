"""Writes the bundle of a trained model: bundle.json, encoder.onnx, decoder.onnx, unet.onnx and graphs for any size and batch.

    python measure.py --data ctdata --out run
    python export.py  --data ctdata --out run --bundle ../models/ct256

README.md describes the contract for readers. The folder gets its final name when all of it is written and checked.
"""
import argparse
import json
import pathlib
import shutil

import torch

import bundle
import diffusion
import model

LICENCE = "CC BY 4.0 for the weights; for the images they were trained on see attribution"
KEEP = ("shift", "scale", "freq")


class Encode(torch.nn.Module):
    def __init__(self, ae):
        super().__init__()
        self.ae = ae

    def forward(self, x):
        return self.ae.encode(x)


class Decode(Encode):
    def forward(self, z):
        return self.ae.decode(z)


def networks(prior):
    """The networks of a Prior as they go into a bundle, with weights rounded as on disk."""
    ae, unet = bundle.rounded(prior.ae, KEEP), bundle.rounded(prior.unet, KEEP)
    return bundle.Networks(Encode(ae), Decode(ae), unet, ae.shift.shape[1], 4, model.MULTIPLE, unet.cond, unet.start, KEEP)


def conditioning(nets, start, arc, tv_from):
    """How the inputs beside z and lognsr are made; None where there are none. start: the method of the start; arc: the shortest in training;
    tv_from: the number of views from which TV is about as good, 0 where it was not compared."""
    if not nets.cond:
        return None
    return dict(
        cond=dict(kind="fbp", filter="ramp", window="hann", cutoff=1.0, views=[12, 100 if nets.start else 60], arc_degrees=arc, **({"tv_from_views": tv_from} if tv_from else {}),
                  normalisation="clamp((HU - hu_mid) / hu_half, -1, 1)", mu_water_per_mm=0.0195),
        **(dict(start=dict(kind=start, encoded=True)) if nets.start else {}),
        flag={"1": "cond is given", "0": "no condition: the unconditional prior; cond is ignored"})


def sampler(nets, start):
    """Defaults: a start near the image saves half of the way (docs/results.md)."""
    near = nets.start and start == "pnp-unet"
    return dict(start=-1.0 if near else 2.0, end=-7.0, steps=10 if near else 20, eta=1.0, perturb=1.0)


def describe(prior, nets, a, files):
    training, pixel, attribution = bundle.summary(a.data)
    note = json.loads(pathlib.Path(a.notes).read_text()) if a.notes else {}
    return dict(
        schema=bundle.SCHEMA, name=a.name, version=a.version, licence=a.licence, use="research only",
        image=bundle.image_entry(nets, a.size, a.batch), pixel_mm=pixel,
        latent=bundle.latent_entry(nets, a.size, prior.ae.shift, prior.ae.scale), prediction="v",
        schedule=dict(variable="lognsr", min=-diffusion.LIMIT, max=diffusion.LIMIT, training="cosine"),
        conditioning=conditioning(nets, a.start, a.arc, a.tv_from), sampler=sampler(nets, a.start),
        tables=json.loads(pathlib.Path(a.tables or f"{a.out}/tables.json").read_text()), training=dict(training, **note),
        parameters=dict(encoder=model.parameters(prior.ae.encoder), decoder=model.parameters(prior.ae.decoder), unet=model.parameters(prior.unet)),
        attribution=attribution, files=files)


def take_restorer(source, folder, d):
    """Copies the restorer of another bundle."""
    other = json.loads((source / "bundle.json").read_text())
    if "restorer" not in other:
        raise SystemExit(f"{source}: this bundle has no restorer; restorer.py export adds one")
    for name, f in other["files"].items():
        if f["role"] == "restorer":
            shutil.copy(source / name, folder / name)
            d["files"][name] = f
    d["restorer"], d["parameters"]["restorer"] = other["restorer"], other.get("parameters", {}).get("restorer")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="the set it was trained on, for the summary and the attribution")
    p.add_argument("--out", default="run", help="folder with ae.pt, unet.pt and tables.json")
    p.add_argument("--licence", default=LICENCE)
    p.add_argument("--restorer", default="", help="bundle whose restorer is taken over")
    p.add_argument("--start", choices=["pnp-unet", "tv"], default="pnp-unet", help="method that made the start of the pairs")
    p.add_argument("--arc", type=float, default=60, help="shortest arc of the pairs, degrees")
    p.add_argument("--tv-from", type=int, default=0, help="number of views from which TV is about as good")
    p.add_argument("--error", type=float, nargs=3, metavar=("SPREAD", "DEVIATION", "FLOOR_HU"), help="law of the error that ctrecon evaluate --coverage fitted")
    bundle.add_options(p, "ct256")
    a = p.parse_args()
    prior = diffusion.Prior.load(a.out)
    nets = networks(prior)
    if a.size % nets.multiple:
        raise SystemExit(f"--size {a.size}: must be a multiple of {nets.multiple}")
    folder = bundle.work_folder(a.bundle)
    files = bundle.write_networks(nets, folder, a.size, a.batch, a.extra, not a.no_free)
    d = describe(prior, nets, a, files)
    if a.restorer:
        take_restorer(pathlib.Path(a.restorer), folder, d)
    if a.error:
        d["error"] = dict(zip(("spread", "deviation", "floor_hu"), a.error))
    bundle.publish(folder, a.bundle, d)


if __name__ == "__main__":
    main()
