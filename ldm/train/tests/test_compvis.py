import json

import numpy as np
import onnx
import pytest
import torch
import yaml

import bundle
import compvis
import conftest
import convert_compvis
import diffusion
import onnxfile
from conftest import call


def config(kind, **unet):
    """A small configuration in the layout of the published ones."""
    kl = kind == "kl"
    dd = dict(double_z=kl, z_channels=3, resolution=64, in_channels=3, out_ch=3, ch=32, ch_mult=[1, 1, 2], num_res_blocks=1,
              attn_resolutions=[16] if kl else [], dropout=0.0)
    first = dict(target="ldm.models.autoencoder." + ("AutoencoderKL" if kl else "VQModelInterface"), params=dict(embed_dim=3, ddconfig=dd))
    net = dict(image_size=16, in_channels=3, out_channels=3, model_channels=32, attention_resolutions=[2], num_res_blocks=1,
               channel_mult=[1, 2], num_head_channels=32, resblock_updown=kl, use_scale_shift_norm=kl) | unet
    return dict(model=dict(params=dict(
        linear_start=0.0015, linear_end=0.0195, timesteps=1000, unet_config=dict(target="ldm...UNetModel", params=net), first_stage_config=first,
        cond_stage_config="__is_unconditional__")))


def write(folder, kind, ema=True, c=None):
    """(checkpoint, configuration) with random weights under the published names; of the small configuration, or c."""
    c = c or config(kind)
    p = c["model"]["params"]
    first = conftest.lively(compvis.FirstStage(p["first_stage_config"]["target"], p["first_stage_config"]["params"], 1.0))
    plain, averaged = [conftest.lively(compvis.UNet(p["unet_config"]["params"]), s) for s in (1, 2)]
    state = {"first_stage_model." + k: v for k, v in first.state_dict().items()}
    if kind == "kl":
        state["scale_factor"] = torch.tensor(0.7)
    else:
        state["first_stage_model.quantize.embedding.weight"] = torch.randn(p["first_stage_config"]["params"].get("n_embed", 64), 3)
    narrow = lambda k, v: v[..., 0] if k.endswith(("qkv.weight", "proj_out.weight")) else v  # 1-D convolutions in the original
    state |= {"model.diffusion_model." + k: narrow(k, v) for k, v in plain.state_dict().items()}
    if ema:
        state |= {"model_ema.diffusion_model" + k.replace(".", ""): narrow(k, v) for k, v in averaged.state_dict().items()}
    torch.save(dict(state_dict=state, global_step=5), folder / "m.ckpt")
    (folder / "m.yaml").write_text(yaml.safe_dump(c))
    return folder / "m.ckpt", folder / "m.yaml"


MORE = dict(vq=[], kl=["--no-free"])


@pytest.fixture(scope="module", params=["vq", "kl"])
def converted(request, slices, tmp_path_factory):
    """(kind, checkpoint, configuration, bundle folder)"""
    folder = tmp_path_factory.mktemp(request.param)
    ckpt, cfg = write(folder, request.param)
    call("convert_compvis", "--checkpoint", ckpt, "--config", cfg, "--bundle", folder / "b", "--size", 64, "--hu", -1000, 1000,
         "--data", slices, "--slices", 1, "--levels", 0, 1, "--licence", "ours", *MORE[request.param])
    return request.param, ckpt, cfg, folder / "b"


def test_description(converted):
    kind, _, _, folder = converted
    d = json.loads((folder / "bundle.json").read_text())
    assert d["image"]["hu_mid"] == 0 and d["image"]["hu_half"] == 1000 and d["image"]["multiple_of"] == 8
    assert d["latent"]["channels"] == 3 and d["latent"]["factor"] == 4 and d["prediction"] == "v" and d["conditioning"] is None
    assert len(d["schedule"]["lognsr_of_t"]) == 1000 and len(d["tables"]["flag0"]["r2"]) == 2
    assert [v["name"] for v in d["files"]["unet.onnx"]["inputs"]] == ["z", "lognsr"]
    assert ("codebook.npy" in d["files"]) == (kind == "vq") and ("unet-any.graph.onnx" in d["files"]) == (kind == "vq")
    if kind == "vq":
        assert np.load(folder / "codebook.npy").shape == (64, 3)


def test_converted_network_is_the_original(converted):
    """At an integer time step the file's v is (eps - sigma z) / alpha of the averaged UNet."""
    _, ckpt, cfg, folder = converted
    _, unet, table, *_ = compvis.load(ckpt, cfg)
    z, t = torch.randn(1, 3, 16, 16), 400
    al, si = diffusion.alpha_sigma(float(table[t]))
    want = (unet(z, torch.tensor([float(t)])) - si * z) / al
    s = onnxfile.session(onnx.load(folder / "unet.onnx"))
    got = s.run(None, dict(z=z.numpy(), lognsr=np.array([float(table[t])], np.float32)))[0]
    assert np.abs(got - want.numpy()).max() < 5e-3 * float(want.abs().max())  # weights are half precision on disk


def test_float32_keeps_the_checkpoint(tmp_path):
    """With --float32 the file agrees with the checkpoint's own network, not only with its rounded weights."""
    ckpt, cfg = write(tmp_path, "vq")
    (tmp_path / "t.json").write_text("{}")
    call("convert_compvis", "--checkpoint", ckpt, "--config", cfg, "--bundle", tmp_path / "b", "--size", 64, "--float32", "--no-free", "--tables", tmp_path / "t.json")
    against(ckpt, cfg, tmp_path / "b", 64)


def against(ckpt, cfg, folder, size):
    """Every graph of a bundle against the checkpoint's networks in PyTorch, weights as they are: 1e-4 of the largest value."""
    first, unet, table, *_ = compvis.load(ckpt, cfg)
    net = convert_compvis.networks(first, unet, table, True)
    for role in bundle.ROLES:
        names, args = net.example(role, size, 1)
        args = tuple(torch.flip(v, (-1,)) for v in args)  # not those of the converter's own check
        s = onnxfile.session(onnx.load(folder / f"{role}.onnx"))
        got = s.run(None, {k: v.numpy() for k, v in zip(names, args)})[0]
        with torch.no_grad():
            want = net.module(role)(*args).numpy()
        worst = np.abs(got - want).max() / np.abs(want).max()
        print(f"{role}: {worst:.1e}")
        assert worst < 1e-4, role


def test_scale_factor_is_inside(tmp_path):
    first = compvis.load(*write(tmp_path, "kl"))[0]
    x = torch.rand(1, 1, 64, 64)
    raw = first.quant_conv(first.encoder(x.expand(-1, 3, -1, -1)))[:, :3]
    assert torch.allclose(first.encode(x), 0.7 * raw, atol=1e-5)
    assert torch.allclose(first.decode(first.encode(x)), first.decoder(first.post_quant_conv(raw)).mean(1, keepdim=True), atol=1e-4)


def test_tables_are_needed(tmp_path, capsys):
    ckpt, cfg = write(tmp_path, "vq")
    with pytest.raises(SystemExit):
        call("convert_compvis", "--checkpoint", ckpt, "--config", cfg, "--bundle", tmp_path / "b")
    assert "--data or --tables" in capsys.readouterr().err and not (tmp_path / "b").exists()


def test_averaged_weights_are_taken(tmp_path):
    ckpt, cfg = write(tmp_path, "vq")
    averaged, plain = [compvis.load(ckpt, cfg, ema=e)[1].state_dict() for e in (True, False)]
    assert not torch.equal(averaged["out.2.weight"], plain["out.2.weight"])
    (tmp_path / "x").mkdir()
    ckpt, cfg = write(tmp_path / "x", "vq", ema=False)
    assert torch.equal(compvis.load(ckpt, cfg)[1].state_dict()["out.2.weight"], plain["out.2.weight"])


@pytest.mark.parametrize("t", [0.0, 1.0, 250.5, 999.0])
def test_time_step_of_a_level(t):
    table = compvis.level_table(config("vq")["model"]["params"])
    seen = []

    class Probe(torch.nn.Module):
        def forward(self, z, step):
            seen.append(float(step))
            return z

    l = np.interp(t, np.arange(1000), table.numpy())
    compvis.VelocityUNet(Probe(), table)(torch.zeros(1, 3, 4, 4), torch.tensor([l], dtype=torch.float32))
    assert seen[0] == pytest.approx(t, abs=0.02)


def test_level_table_is_the_published_schedule():
    """linear_start .0015, linear_end .0195: alpha-bar is .9985 at step 0 and nearly gone at the end."""
    signal = torch.sigmoid(-compvis.level_table(config("vq")["model"]["params"]))
    assert float(signal[0]) == pytest.approx(0.9985, abs=1e-6) and bool((signal.diff() < 0).all()) and float(signal[-1]) < 0.005


@pytest.mark.parametrize("change,message", [
    (lambda p: p["unet_config"]["params"].update(use_spatial_transformer=True), "only unconditional"),
    (lambda p: p.update(cond_stage_config={"target": "x"}), "conditional model"),
    (lambda p: p.update(parameterization="x0"), "parameterization"),
    (lambda p: p["first_stage_config"].update(target="a.Other"), "Other"),
    (lambda p: p["first_stage_config"]["params"]["ddconfig"].update(attn_type="linear"), "attn_type"),
    (lambda p: p["unet_config"]["params"].update(channel_mult=[1, 2, 2]), "missing or of another shape"),
    (lambda p: p.pop("unet_config"), "unet_config"),
])
def test_unsupported(tmp_path, change, message):
    ckpt, cfg = write(tmp_path, "vq")
    c = yaml.safe_load(cfg.read_text())
    change(c["model"]["params"])
    cfg.write_text(yaml.safe_dump(c))
    with pytest.raises(SystemExit, match=message):
        compvis.load(ckpt, cfg)


class Passenger:
    """Something that a Lightning checkpoint may carry."""


def test_pickled_objects_need_trust(tmp_path):
    ckpt, cfg = write(tmp_path, "vq")
    c = torch.load(ckpt, weights_only=True) | {"callbacks": Passenger()}
    torch.save(c, ckpt)
    with pytest.raises(SystemExit, match="--trust"):
        compvis.load(ckpt, cfg)
    assert compvis.load(ckpt, cfg, trust=True)[0].channels == 3


def test_finetune(tmp_path, slices):
    """The tuned checkpoint has the original's names and shapes, a moved UNet, an untouched first stage, and converts."""
    ckpt, cfg = write(tmp_path, "vq")
    call("finetune", "--compvis", ckpt, "--config", cfg, "--data", slices, "--out", tmp_path / "t", "--steps", 2, "--batch", 2, "--val", 2)
    before, after = [torch.load(p, weights_only=True)["state_dict"] for p in (ckpt, tmp_path / "t" / "compvis.ckpt")]
    assert {k: v.shape for k, v in before.items()} == {k: v.shape for k, v in after.items()}
    moved = {k for k in before if not torch.equal(before[k], after[k])}
    assert moved and not any(k.startswith("first_stage") for k in moved)
    assert torch.equal(after["model.diffusion_model.out.2.weight"], after["model_ema.diffusion_modelout2weight"])
    first, unet, table, *_ = compvis.load(tmp_path / "t" / "compvis.ckpt", cfg)
    assert convert_compvis.networks(first, unet, table).multiple == 8
