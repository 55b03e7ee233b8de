"""Fine-tunes a model on a site's own slices: learning rate 1e-5, as the ReSample paper does.

    python finetune.py --data set --from-bundle ../models/ct256 --out tuned --minutes 30
    python finetune.py --data set --from-run run --out tuned --minutes 30
    python finetune.py --data set --compvis model.ckpt --config config.yaml --hu -1000 1000 --out tuned --minutes 60

The autoencoder stays as it is (--ae tunes it first, for other scanners or contrast), the UNet is tuned. From a bundle the weights are
read out of its ONNX files. Afterwards measure.py and export.py, or convert_compvis.py with <out>/compvis.ckpt. --resume goes on.
"""
import argparse
import pathlib
import shutil

import onnx
import torch
import torch.nn.functional as F

import compvis
import data
import loop
import measure
import model
import onnxfile
import restorer
import train


def from_bundle(folder, out):
    """Writes ae.pt, unet.pt and, where the bundle has one, restorer.pt with the weights of a bundle of our own networks."""
    folder, out = pathlib.Path(folder), pathlib.Path(out)
    state = {}
    for role in ("encoder", "decoder"):
        state |= {k[3:]: v for k, v in onnxfile.weights_of(onnx.load(folder / f"{role}.onnx")).items() if k.startswith("ae.")}
    unet = onnxfile.weights_of(onnx.load(folder / "unet.onnx"))
    if "shift" not in state or "inp.weight" not in unet:
        raise SystemExit(f"{folder}: not a bundle of export.py; for a CompVis model use --compvis with its checkpoint")
    out.mkdir(parents=True, exist_ok=True)
    for net, name in ((model.autoencoder_of(state), "ae.pt"), (model.unet_of(unet), "unet.pt")):
        model.save_state(net, out / name)
    path = folder / "restorer.onnx"
    if rest := path.exists() and onnxfile.weights_of(onnx.load(path)):  # files of before 0.4 do not say where their weights lie
        model.save_state(restorer.net_of(rest), out / "restorer.pt")


def tune(a):
    """Our own networks: the stages of train.py from the weights in a.out/start."""
    start = pathlib.Path(a.out) / "start"
    if not (a.resume and start.exists()):
        start.mkdir(parents=True, exist_ok=True)
        if a.from_bundle:
            from_bundle(a.from_bundle, start)
        else:
            for name in ("ae.pt", "unet.pt"):
                shutil.copyfile(pathlib.Path(a.from_run) / name, start / name)
    ae, unet = [model.load_state(start / n) for n in ("ae.pt", "unet.pt")]
    a.init, shape = str(start), model.autoencoder_shape(ae)
    a.ae_width, a.ae_depth, a.latent, a.latent_noise = shape["width"], shape["depth"], shape["latent"], 0.05
    shape = model.unet_shape(unet)
    a.width, a.blocks, a.unconditional = shape["width"], shape["blocks"], not shape["cond"]
    if shape["start"] and not a.pairs:
        raise SystemExit("this model is conditioned on a start: make pairs of the set with conditions.py --method and give --pairs FOLDER and --model BUNDLE")
    if a.ae:
        train.train_ae(a)
    else:
        shutil.copyfile(start / "ae.pt", pathlib.Path(a.out) / "ae.pt")
    train.train_unet(a)


def tune_compvis(a):
    """A CompVis UNet on latents of its own first stage: the eps-loss over its own time steps."""
    first, unet, table, _, state, _ = compvis.load(a.compvis, a.config, a.trust)
    r = loop.Run(a, "unet")
    lo, hi = a.hu
    unit = lambda hu: ((hu - (lo + hi) / 2) / ((hi - lo) / 2)).clamp(-1, 1)[:, None]
    first, net = first.to(r.dev), unet.to(r.dev).train().requires_grad_(True)
    signal = torch.sigmoid(-table).float().to(r.dev).view(-1, 1, 1, 1)
    fwd = r.compiled(net)

    def error(net, hu, g):
        with torch.no_grad(), torch.autocast(r.dev.type, enabled=False):
            z = first.encode(unit(hu))
        t = torch.randint(0, len(signal), (len(z),), generator=g, device=r.dev)
        e = torch.randn(z.shape, generator=g, device=r.dev)
        return F.mse_loss(net(signal[t].sqrt() * z + (1 - signal[t]).sqrt() * e, t.float()).float(), e)

    @torch.no_grad()
    def val_fn(ema):
        mean = lambda s: sum(float(error(ema, s.hu[i].float().to(r.dev), torch.Generator(r.dev).manual_seed(1))) * len(s.hu[i])
                             for i in measure.batches(len(s))) / len(s)
        with torch.autocast(**r.amp):
            return dict(val=mean(r.val), train=mean(r.seen))

    ema = r.fit(net, lambda _: error(fwd, r.batch(a.batch)[0], r.g), val_fn)
    save_compvis(ema, state, r.out / "compvis.ckpt")


def save_compvis(unet, state, path):
    """The checkpoint with the tuned UNet in its plain and averaged weights, in the original shapes and names."""
    out = dict(state)
    for k, v in unet.state_dict().items():
        for name in ("model.diffusion_model." + k, "model_ema.diffusion_model" + k.replace(".", "")):
            if name in out:
                out[name] = v.cpu().view(out[name].shape).to(out[name].dtype)
    tmp = path.with_suffix(".tmp")
    torch.save(dict(state_dict=out), tmp)
    tmp.rename(path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loop.add_options(p)
    p.set_defaults(simulate=0)
    p.set_defaults(lr=1e-5, constant_lr=True, minutes=30)
    p.add_argument("--from-bundle", default=""), p.add_argument("--from-run", default=""), p.add_argument("--ae", action="store_true")
    p.add_argument("--compvis", default=""), p.add_argument("--config", default=""), p.add_argument("--trust", action="store_true")
    p.add_argument("--hu", type=float, nargs=2, default=[data.HU_MIN, data.HU_MAX], metavar=("LOW", "HIGH"))
    a = p.parse_args()
    if sum(map(bool, (a.from_bundle, a.from_run, a.compvis))) != 1 or bool(a.compvis) != bool(a.config):
        p.error("give one of --from-bundle, --from-run, or --compvis with --config")
    torch.set_float32_matmul_precision("high")
    tune_compvis(a) if a.compvis else tune(a)


if __name__ == "__main__":
    main()
