"""The table of gradients in docs/results.md: every kind of network, exported as a bundle's graphs are, differentiated by
ctrecon/ldm/vjp, run by ONNX Runtime in float32, against PyTorch's autograd in float64 (compare.py). Fails above 1e-5.

    python ldm/vjp/testdata/gradients.py [--pilot FOLDER] [--only NAME ...]

The built-in bundle's networks have their weights; the others random ones, but the pilot's where --pilot names the folder with its ae.pt
and unet.pt. Needs Go, torch, onnx, onnxscript, onnxruntime; about 15 minutes on two cores and 8 GB.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "ldm" / "train"), str(pathlib.Path(__file__).parent)]

import bundle
import compare
import compvis
import convert_compvis
import export
import model
import onnxfile

BOUND = 1e-5
INPUT = dict(encoder="x", decoder="z", unet="z")
STEPS = dict(linear_start=0.0015, linear_end=0.0195, timesteps=1000)


def lively(net, seed=1):
    """net with random weights that keep the size of what passes through."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=g) * (0.1 if p.ndim < 2 else p[0].numel() ** -0.5) + (1.0 if p.ndim < 2 else 0.0))
    return net.eval().requires_grad_(False)


def first_stage(target, channels, **dd):
    """A CompVis autoencoder; 32 groups in every norm, or as many as there are channels."""
    c = dict(double_z="KL" in target, z_channels=channels, resolution=256, in_channels=3, out_ch=3, num_res_blocks=2, attn_resolutions=[], dropout=0.0) | dd
    groups = min(32, c["ch"] * min(c["ch_mult"]))
    whole, compvis.norm = compvis.norm, lambda n, eps=1e-6: torch.nn.GroupNorm(groups, n, eps=eps)
    try:
        return lively(compvis.FirstStage(target, dict(embed_dim=channels, ddconfig=c), 0.7))
    finally:
        compvis.norm = whole


def only(role, net, channels, factor, multiple=64, cond=False):
    """Networks for one role."""
    nets = bundle.Networks(None, None, None, channels, factor, multiple, cond, keep=convert_compvis.KEEP + export.KEEP)
    setattr(nets, role, bundle.rounded(net, nets.keep))
    return nets


def vq(ch):
    return only("decoder", export.Decode(first_stage("VQModelInterface", 3, ch=ch, ch_mult=[1, 2, 4])), 3, 4)


def kl():
    return only("decoder", export.Decode(first_stage("AutoencoderKL", 4, ch=64, ch_mult=[1, 2, 4, 4], attn_resolutions=[32])), 4, 8)


def compvis_unet(**p):
    p = dict(in_channels=3, out_channels=3, num_res_blocks=2, num_head_channels=32) | p
    unet = compvis.VelocityUNet(lively(compvis.UNet(p)), compvis.level_table(STEPS))
    return only("unet", unet, 3, 4)


def pilot(role, folder):
    """The pilot's autoencoder (32, 64 channels) or UNet (64 to 256), which are of the built-in bundle's kind."""
    if role == "unet":
        net = model.unet_of(model.load_state(folder / "unet.pt")) if folder else lively(model.UNet())
        return only("unet", net, 4, 4, cond=True)
    ae = model.autoencoder_of(model.load_state(folder / "ae.pt")) if folder else lively(model.Autoencoder())
    return only(role, (export.Encode if role == "encoder" else export.Decode)(ae), 4, 4)


# Of each: name, what it is, role, image size, Networks. Where the size is below 256, float64 autograd on two cores is why.
def networks(folder):
    whose = "its weights" if folder else "random weights"
    return [
        ("pilot-decoder", f"pilot's decoder, {whose}", "decoder", 256, lambda: pilot("decoder", folder)),
        ("pilot-unet", f"pilot's UNet, {whose}", "unet", 256, lambda: pilot("unet", folder)),
        ("vq-16", "VQ-f4 decoder, 16 channels (norms of 16 groups)", "decoder", 256, lambda: vq(16)),
        ("vq-32", "VQ-f4 decoder, 32 channels", "decoder", 256, lambda: vq(32)),
        ("vq-128", "VQ-f4 decoder, 128 channels, the published one", "decoder", 64, lambda: vq(128)),
        ("kl-64", "KL-f8 decoder, 64 channels, attention at 32 x 32", "decoder", 256, kl),
        ("compvis-unet", "CompVis UNet, 96 to 384 channels, attention of 32 a head", "unet", 128,
         lambda: compvis_unet(model_channels=96, attention_resolutions=[8, 4, 2], channel_mult=[1, 2, 3, 4])),
        ("compvis-updown", "CompVis UNet, 64 to 256 channels, residual up and down, scale and shift", "unet", 128,
         lambda: compvis_unet(model_channels=64, attention_resolutions=[1, 2, 4], channel_mult=[1, 2, 4], resblock_updown=True, use_scale_shift_norm=True)),
    ]


BUILT_IN = [(role, f"built-in {'UNet' if role == 'unet' else role}", role, 256, None) for role in ("decoder", "encoder", "unet")]


def write(folder, name, role, size, make):
    """A network's graph as a bundle has it; its difference from PyTorch in float32."""
    m, worst = bundle.static_file(make(), role, size, 1)
    (folder / f"{name}.onnx").write_bytes(m.SerializeToString())
    return worst


def differentiate(go, folder, models=""):
    """Gradient graphs by ctrecon/ldm/vjp: of the built-in networks, or of models FILE=INPUT,..."""
    more = ["-model", models] if models else []
    subprocess.run([go, "test", "./ldm/vjp", "-count=1", "-run", "TestWrite", "-write", str(folder), *more], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def line(folder, name, what, role, size):
    """The row of the table; whether it holds."""
    found = compare.compare(str(folder / f"{name}.onnx"), str(folder / f"{name}_vjp.onnx"))
    (gradient, largest), (single, _) = found["d_" + INPUT[role]]
    forward = next(v[0][0] for k, v in found.items() if not k.startswith("d_"))
    nodes = len(compare.onnx.load(folder / f"{name}.onnx").graph.node)
    print(f"| {what} | {size} x {size} | {nodes} | {forward:.1e} | **{gradient:.1e}** | {largest:.1e} | {single:.1e} |", flush=True)
    return gradient <= BOUND


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pilot", type=pathlib.Path, help="folder with ae.pt and unet.pt")
    p.add_argument("--only", nargs="+", default=[], help="names: decoder, encoder, unet (built in), pilot-decoder, vq-16 ...")
    p.add_argument("--go", default="go"), p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    all = [n for n in BUILT_IN + networks(a.pilot) if not a.only or n[0] in a.only]
    held = True
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp)
        if any(make is None for *_, make in all):
            differentiate(a.go, folder)
        print("| network | image | nodes | output | gradient | largest element | PyTorch float32 |\n|---|---|---|---|---|---|---|", flush=True)
        for name, what, role, size, make in all:
            if make:
                write(folder, name, role, size, make)
                differentiate(a.go, folder, f"{folder / name}.onnx={INPUT[role]}")
            held &= line(folder, name, what, role, size)
            for f in folder.glob(name + "*"):
                f.unlink()
    if not held:
        raise SystemExit(f"a gradient differs by more than {BOUND:g}")


if __name__ == "__main__":
    main()
