"""Writes the folder that the program reads: bundle.json and the networks as ONNX files. README.md describes it for readers."""
import dataclasses
import hashlib
import json
import pathlib
import shutil

import numpy as np
import torch
from torch.export import Dim

import data
import onnxfile

HERE = pathlib.Path(__file__).parent
SCHEMA = "ctrecon-bundle/1"
TOLERANCE = 1e-4
ROLES = ("encoder", "decoder", "unet")
OUTPUT = dict(encoder="z", decoder="x", unet="v")


@dataclasses.dataclass
class Networks:
    """What a bundle is made of. encoder: x -> z; decoder: z -> x; unet: z, lognsr (, cond, flag (, start)) -> v."""

    encoder: torch.nn.Module
    decoder: torch.nn.Module
    unet: torch.nn.Module
    channels: int   # of the latent
    factor: int     # image size / latent size
    multiple: int   # image sizes are multiples of it
    cond: bool      # the UNet takes cond and flag
    start: bool = False  # and start
    keep: tuple = ()  # ends of names of weights that stay float32

    def module(self, role):
        return getattr(self, role).eval()

    def half_names(self, role):
        return {k for k in self.module(role).state_dict() if not k.endswith(self.keep)}

    def example(self, role, size, batch):
        """(names, tensors) of the inputs of a network, random but always the same."""
        g = torch.Generator().manual_seed(7)
        z = torch.randn(batch, self.channels, size // self.factor, size // self.factor, generator=g)
        x = torch.randn(batch, 1, size, size, generator=g).clamp(-1, 1)
        l, one = torch.linspace(-3, 3, batch + 1)[1:], torch.ones(batch)
        if role == "unet":
            k = 2 + 2 * self.cond + self.start
            return ["z", "lognsr", "cond", "flag", "start"][:k], (z, l, x, one, 0.5 * z)[:k]
        return dict(encoder=(["x"], (x,)), decoder=(["z"], (z,)))[role]

    def axes(self, role):
        """Free axes of the inputs for torch.export, and their plain names for the file."""
        b, h, w = Dim("batch"), Dim("h"), Dim("w")
        m = self.multiple // self.factor
        latent, image = {0: b, 2: m * h, 3: m * w}, {0: b, 2: self.multiple * h, 3: self.multiple * w}
        zn, xn = ["batch", None, "latent_height", "latent_width"], ["batch", None, "height", "width"]
        names = dict(z=zn, v=zn, x=xn, cond=xn, lognsr=["batch"], flag=["batch"], start=zn)
        if role == "unet":
            return (latent, {0: b}, image, {0: b}, latent)[:2 + 2 * self.cond + self.start], names
        return ((latent,) if role == "decoder" else (image,)), names


def rounded(net, keep=()):
    """net with its larger weights rounded to float16 as on disk, so that the check compares equal weights."""
    for k, v in net.state_dict().items():
        if v.is_floating_point() and v.numel() > onnxfile.HALF_ABOVE and not k.endswith(keep):
            v.copy_(v.half().float())
    return net


def static_file(nets, role, size, batch):
    """A network at one size and batch, with weights; and its difference from PyTorch."""
    net = nets.module(role)
    inputs, args = nets.example(role, size, batch)
    m = onnxfile.note_weights(onnxfile.export(net, args, inputs, OUTPUT[role]), net)
    m = onnxfile.halve(m, nets.half_names(role))
    return m, onnxfile.difference(m, net, args)


def free_graph(nets, role, size, weights):
    """The graph of a network for any size and batch without its weights, and its difference from PyTorch at another size."""
    net = nets.module(role)
    shapes, axis_names = nets.axes(role)
    inputs, args = nets.example(role, max(size, 2 * nets.multiple), 2)  # torch.export takes a free axis of 1 for a fixed one
    m = onnxfile.rename_axes(onnxfile.export(net, args, inputs, OUTPUT[role], shapes), axis_names)
    del m.graph.value_info[:]
    m = onnxfile.without_weights(onnxfile.halve(m, nets.half_names(role)))
    _, other = nets.example(role, size + nets.multiple, 3)
    return m, onnxfile.difference(onnxfile.with_weights(m, weights), net, other)


def write_model(folder, name, m, role, worst, weights=None):
    """Writes a model file and returns its entry in bundle.json."""
    body = m.SerializeToString(deterministic=True)
    print(f"{name}: {len(body) / 1e6:.2f} MB, against PyTorch {worst:.1e}", flush=True)
    if not worst <= TOLERANCE:
        raise SystemExit(f"{name}: differs from PyTorch by {worst:.1e}, more than {TOLERANCE:g}")
    (folder / name).write_bytes(body)
    entry = dict(role=role, bytes=len(body), sha256=hashlib.sha256(body).hexdigest(),
                 inputs=onnxfile.signature(m.graph.input), outputs=onnxfile.signature(m.graph.output))
    return dict(entry, weights=weights) if weights else entry


def write_networks(nets, folder, size, batch=1, extra=(), free=True):
    """All model files; returns files for bundle.json. extra: further (size, batch) pairs as static graphs without weights."""
    files = {}
    for role in ROLES:
        name = role + ".onnx"
        m, worst = static_file(nets, role, size, batch)
        files[name] = write_model(folder, name, m, role, worst)
        for s, b in extra:
            g, worst = static_file(nets, role, s, b)
            other = f"{role}-{s}x{b}.graph.onnx"
            files[other] = write_model(folder, other, onnxfile.without_weights(g), role, worst, name)
        if free:
            g, worst = free_graph(nets, role, size, m)
            other = f"{role}-any.graph.onnx"
            files[other] = write_model(folder, other, g, role, worst, name)
    return files


def summary(root):
    """(training data, pixel sizes in mm, attribution of the collections) of a set, for bundle.json."""
    rows = data.read_index(root)
    train, held = [[r for r in rows if r["split"] == s] for s in ("train", "val")]
    patients = lambda some: len({r["patient"] for r in some})
    sites = {}
    for s in sorted({r["site"] for r in train}):
        mine = [r for r in train if r["site"] == s]
        sites[s] = dict(slices=len(mine), patients=patients(mine))
    px = np.array([float(r["pixel_mm"]) for r in train])
    known = json.loads((HERE / "attribution.json").read_text())
    used = sorted({r.get("collection") or "" for r in train} - {""})
    cite = [dict(collection=c, **known.get(c, {})) for c in used]
    return dict(slices=len(train), patients=patients(train), val_slices=len(held), val_patients=patients(held), sites=sites), \
        dict(min=float(px.min()), median=float(np.median(px)), max=float(px.max())), cite


def image_entry(nets, size, batch, lo=data.HU_MIN, hi=data.HU_MAX):
    return dict(height=size, width=size, multiple_of=nets.multiple, batch=batch, hu_min=lo, hu_max=hi, hu_mid=(lo + hi) / 2, hu_half=(hi - lo) / 2)


def latent_entry(nets, size, shift, scale):
    flat = lambda v: [float(f"{x:.7g}") for x in v.flatten()]
    return dict(channels=nets.channels, height=size // nets.factor, width=size // nets.factor, factor=nets.factor,
                shift=flat(shift), scale=flat(scale), inside_graphs=True)


def work_folder(target):
    """An empty folder beside target; refuses a target that is not a bundle of ours."""
    target = pathlib.Path(target)
    if target.exists() and not (target / "bundle.json").exists() and any(target.iterdir()):
        raise SystemExit(f"{target}: exists and holds no bundle.json; choose another folder")
    tmp = target.with_name(target.name + ".part")
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    return tmp


def publish(folder, target, description):
    """Writes bundle.json last, moves the finished folder to its name and prints its size."""
    target = pathlib.Path(target)
    (folder / "bundle.json").write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n")
    if target.exists():
        shutil.rmtree(target)
    folder.rename(target)
    print(f"{target}: {sum(f.stat().st_size for f in target.iterdir()) / 1e6:.1f} MB")


def pair(text):
    """512x1 -> (512, 1)"""
    size, _, batch = text.partition("x")
    return int(size), int(batch or 1)


def add_options(p, name):
    """Options of export.py and convert_compvis.py."""
    p.add_argument("--bundle", required=True, help="folder to write"), p.add_argument("--name", default=name)
    p.add_argument("--version", default="0.1.0"), p.add_argument("--size", type=int, default=256), p.add_argument("--batch", type=int, default=1)
    p.add_argument("--extra", type=pair, nargs="*", default=[], metavar="SIZExBATCH", help="static graphs for further sizes, say 512x1")
    p.add_argument("--no-free", action="store_true", help="leave out the graphs for any size and batch")
    p.add_argument("--tables", default="", help="JSON of measure.py")
    p.add_argument("--notes", default="", help="JSON with hardware, minutes, seed, commands: goes into training")
