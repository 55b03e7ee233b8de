"""Writes a bundle: bundle.json, encoder.onnx, decoder.onnx, unet.onnx and graphs for any size and batch.

    python measure.py --data ctdata --out run
    python export.py  --data ctdata --out run --bundle ../models/ct256

README.md describes the contract for readers. The folder gets its final name when all of it is written and checked.
"""
import argparse
import hashlib
import json
import pathlib
import shutil

import numpy as np
import torch
from torch.export import Dim

import data
import diffusion
import model
import onnxfile

HERE = pathlib.Path(__file__).parent
TOLERANCE = 1e-4
SCHEMA = "ctrecon-bundle/1"
LICENCE = "CC BY 4.0 for the weights; the images they were trained on: see attribution"


class Encode(torch.nn.Module):
    def __init__(self, ae):
        super().__init__()
        self.ae = ae

    def forward(self, x):
        return self.ae.encode(x)


class Decode(Encode):
    def forward(self, z):
        return self.ae.decode(z)


def example(role, size, batch, latent, factor=4, cond=True):
    """(names, tensors) of the inputs of a network, random but always the same."""
    g = torch.Generator().manual_seed(7)
    z = torch.randn(batch, latent, size // factor, size // factor, generator=g)
    x = torch.randn(batch, 1, size, size, generator=g).clamp(-1, 1)
    l, one = torch.linspace(-3, 3, batch + 1)[1:], torch.ones(batch)
    if role == "unet":
        return (["z", "lognsr", "cond", "flag"], (z, l, x, one)) if cond else (["z", "lognsr"], (z, l))
    return (["x"], (x,)) if role == "encoder" else (["z"], (z,))


OUTPUT = dict(encoder="z", decoder="x", unet="v")


def axes(role, cond=True):
    """Free axes of the inputs for torch.export, and their plain names for the file."""
    b, h, w = Dim("batch"), Dim("h"), Dim("w")
    latent, image = {0: b, 2: 16 * h, 3: 16 * w}, {0: b, 2: 64 * h, 3: 64 * w}
    zn, xn = ["batch", None, "latent_height", "latent_width"], ["batch", None, "height", "width"]
    names = dict(z=zn, v=zn, x=xn, cond=xn, lognsr=["batch"], flag=["batch"])
    if role == "unet":
        return ((latent, {0: b}, image, {0: b}) if cond else (latent, {0: b})), names
    return ((image,) if role == "encoder" else (latent,)), names


def network(prior, role):
    """The module to export and the names of its weights that are stored in half precision."""
    net = dict(encoder=Encode(prior.ae), decoder=Decode(prior.ae), unet=prior.unet)[role].eval()
    return net, {k for k in net.state_dict() if not k.endswith((".shift", ".scale"))}


def static_file(prior, role, size, batch):
    """A network at one size and batch, with weights; and its difference from PyTorch."""
    net, names = network(prior, role)
    latent, cond = prior.ae.shift.shape[1], prior.unet.cond
    inputs, args = example(role, size, batch, latent, cond=cond)
    m = onnxfile.halve(onnxfile.export(net, args, inputs, OUTPUT[role]), names)
    return m, onnxfile.difference(m, net, args)


def free_graph(prior, role, size, weights):
    """The graph of a network for any size and batch without its weights, and its difference from PyTorch at another size."""
    net, names = network(prior, role)
    latent, cond = prior.ae.shift.shape[1], prior.unet.cond
    shapes, axis_names = axes(role, cond)
    inputs, args = example(role, size, 2, latent, cond=cond)
    m = onnxfile.export(net, args, inputs, OUTPUT[role], shapes)
    del m.graph.value_info[:]
    m = onnxfile.without_weights(onnxfile.halve(onnxfile.rename_axes(m, axis_names), names))
    _, other = example(role, size + model.MULTIPLE, 3, latent, cond=cond)
    return m, onnxfile.difference(onnxfile.with_weights(m, weights), net, other)


def write(folder, name, m, role, weights=None):
    """Writes a model file and returns its entry in bundle.json."""
    body = m.SerializeToString(deterministic=True)
    (folder / name).write_bytes(body)
    entry = dict(role=role, bytes=len(body), sha256=hashlib.sha256(body).hexdigest(),
                 inputs=onnxfile.signature(m.graph.input), outputs=onnxfile.signature(m.graph.output))
    return dict(entry, weights=weights) if weights else entry


def write_networks(prior, folder, size, batch=1, extra=(), free=True):
    """All model files; returns files for bundle.json. extra: further (size, batch) pairs as static graphs without weights."""
    files = {}
    for role in ("encoder", "decoder", "unet"):
        name = role + ".onnx"
        m, worst = static_file(prior, role, size, batch)
        files[name] = write(folder, name, m, role)
        report(name, worst, files[name])
        graphs = [(f"{role}-{s}x{b}.graph.onnx", static_file(prior, role, s, b)) for s, b in extra]
        graphs = [(n, (onnxfile.without_weights(g), w)) for n, (g, w) in graphs]
        if free:
            graphs.append((f"{role}-any.graph.onnx", free_graph(prior, role, size, m)))
        for n, (g, worst) in graphs:
            files[n] = write(folder, n, g, role, weights=name)
            report(n, worst, files[n])
    return files


def report(name, worst, entry):
    print(f"{name}: {entry['bytes'] / 1e6:.2f} MB, against PyTorch {worst:.1e}", flush=True)
    if worst > TOLERANCE:
        raise SystemExit(f"{name}: differs from PyTorch by {worst:.1e}, more than {TOLERANCE:g}")


def rounded(net):
    """net with its larger weights rounded to float16 as on disk, so that the check compares equal weights."""
    for k, v in net.state_dict().items():
        if v.is_floating_point() and v.numel() > onnxfile.HALF_ABOVE and k not in ("shift", "scale"):
            v.copy_(v.half().float())
    return net


def summary(root):
    """What bundle.json says about the training data, and the attribution of its collections."""
    train = [r for r in data.read_index(root) if r["split"] == "train"]
    held = [r for r in data.read_index(root) if r["split"] == "val"]
    patients = lambda rows: len({r["patient"] for r in rows})
    sites = {s: dict(slices=len(v), patients=patients(v)) for s in sorted({r["site"] for r in train})
             for v in [[r for r in train if r["site"] == s]]}
    px = np.array([float(r["pixel_mm"]) for r in train])
    known = json.loads((HERE / "attribution.json").read_text())
    used = sorted({r.get("collection", "") for r in train} - {""})
    cite = [dict(collection=c, **known[c]) if c in known else dict(collection=c) for c in used]
    return dict(slices=len(train), patients=patients(train), val_slices=len(held), val_patients=patients(held), sites=sites), \
        dict(min=float(px.min()), median=float(np.median(px)), max=float(px.max())), cite


def conditioning(prior):
    """How the inputs beside z and lognsr are made; null where there are none."""
    if not prior.unet.cond:
        return None
    return dict(
        cond=dict(kind="fbp", filter="ramp", window="hann", cutoff=1.0, views=[12, 60], arc_degrees=180,
                  normalisation="clamp((HU - hu_mid) / hu_half, -1, 1)", mu_water_per_mm=0.0195),
        flag={"1": "cond is given", "0": "no condition: the unconditional prior; cond is ignored"})


def describe(prior, a, files, tables):
    training, pixel, attribution = summary(a.data)
    ae = prior.ae
    flat = lambda v: [float(f"{x:.7g}") for x in v.flatten()]
    note = json.loads(pathlib.Path(a.notes).read_text()) if a.notes else {}
    return dict(
        schema=SCHEMA, name=a.name, version=a.version, licence=a.licence, use="research only",
        image=dict(height=a.size, width=a.size, multiple_of=model.MULTIPLE, batch=a.batch, hu_min=data.HU_MIN, hu_max=data.HU_MAX,
                   hu_mid=data.HU_MID, hu_half=data.HU_HALF),
        pixel_mm=pixel,
        latent=dict(channels=ae.shift.shape[1], height=a.size // 4, width=a.size // 4, factor=4, shift=flat(ae.shift),
                    scale=flat(ae.scale), inside_graphs=True),
        prediction="v",
        schedule=dict(variable="lognsr", min=-diffusion.LIMIT, max=diffusion.LIMIT, training="cosine"),
        conditioning=conditioning(prior),
        sampler=dict(start=2.0, end=-7.0, steps=20, eta=1.0, perturb=1.0),
        tables=tables, training=dict(training, **note), parameters=dict(
            encoder=model.parameters(ae.encoder), decoder=model.parameters(ae.decoder), unet=model.parameters(prior.unet)),
        attribution=attribution, files=files)


def publish(folder, target, description):
    """Writes bundle.json last and moves the finished folder to its name."""
    (folder / "bundle.json").write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n")
    if target.exists():
        shutil.rmtree(target)
    folder.rename(target)


def work_folder(target):
    """An empty folder beside target; refuses a target that is not a bundle of ours."""
    if target.exists() and not (target / "bundle.json").exists() and any(target.iterdir()):
        raise SystemExit(f"{target}: exists and holds no bundle.json; choose another folder")
    tmp = target.with_name(target.name + ".part")
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    return tmp


def pair(text):
    size, _, batch = text.partition("x")
    return int(size), int(batch or 1)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="the set it was trained on, for the summary and the attribution")
    p.add_argument("--out", default="run", help="folder with ae.pt, unet.pt and tables.json")
    p.add_argument("--bundle", required=True), p.add_argument("--tables", default="")
    p.add_argument("--size", type=int, default=256), p.add_argument("--batch", type=int, default=1)
    p.add_argument("--extra", type=pair, nargs="*", default=[], metavar="SIZExBATCH", help="static graphs for further sizes, say 512x1")
    p.add_argument("--no-free", action="store_true", help="leave out the graphs for any size and batch")
    p.add_argument("--name", default="ct256"), p.add_argument("--version", default="0.1.0"), p.add_argument("--licence", default=LICENCE)
    p.add_argument("--notes", default="", help="JSON with hardware, minutes, seed, commands: goes into training")
    a = p.parse_args()
    prior = diffusion.Prior.load(a.out)
    prior = diffusion.Prior(rounded(prior.ae), rounded(prior.unet))
    tables = json.loads(pathlib.Path(a.tables or f"{a.out}/tables.json").read_text())
    target = pathlib.Path(a.bundle)
    folder = work_folder(target)
    files = write_networks(prior, folder, a.size, a.batch, a.extra, not a.no_free)
    publish(folder, target, describe(prior, a, files, tables))
    print(f"{target}: {sum(f.stat().st_size for f in target.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
