import hashlib
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import bundle
import diffusion
import export
import model
import onnxfile
from conftest import SMALL, call


@pytest.fixture(scope="module")
def trained(prior, tables, tmp_path_factory):
    """A run folder with weights that are large everywhere, two equal ones among them."""
    out = tmp_path_factory.mktemp("trained")
    prior.ae.decoder.net[0].bias.copy_(prior.ae.encoder.net[4].bias)
    prior.ae.decoder.net[1].c1.bias.copy_(prior.ae.decoder.net[0].bias)
    model.save_state(prior.ae, out / "ae.pt"), model.save_state(prior.unet, out / "unet.pt")
    (out / "tables.json").write_bytes(tables.read_bytes())
    return out


@pytest.fixture(scope="module")
def folder(slices, trained, tmp_path_factory):
    """A bundle with every kind of file; export refuses what differs from PyTorch by more than 1e-4."""
    target = tmp_path_factory.mktemp("bundle") / "b"
    call("export", "--data", slices, "--out", trained, "--bundle", target, "--size", 64, "--extra", "128x2", "--name", "tiny")
    return target


@pytest.fixture(scope="module")
def described(folder):
    return json.loads((folder / "bundle.json").read_text())


def run_file(m, *args):
    s = onnxfile.session(m)
    return s.run(None, dict(zip([i.name for i in s.get_inputs()], [a.numpy() for a in args])))[0]


def test_files_match_their_sums(folder, described):
    on_disk = {p.name for p in folder.iterdir()} - {"bundle.json"}
    assert on_disk == set(described["files"])
    for name, f in described["files"].items():
        body = (folder / name).read_bytes()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (f["bytes"], f["sha256"])


@pytest.mark.parametrize("name,inputs,outputs", [
    ("encoder.onnx", [("x", [1, 1, 64, 64])], [("z", [1, 4, 16, 16])]),
    ("decoder.onnx", [("z", [1, 4, 16, 16])], [("x", [1, 1, 64, 64])]),
    ("unet.onnx", [("z", [1, 4, 16, 16]), ("lognsr", [1]), ("cond", [1, 1, 64, 64]), ("flag", [1])], [("v", [1, 4, 16, 16])]),
    ("unet-128x2.graph.onnx", [("z", [2, 4, 32, 32]), ("lognsr", [2]), ("cond", [2, 1, 128, 128]), ("flag", [2])], [("v", [2, 4, 32, 32])]),
    ("encoder-any.graph.onnx", [("x", ["batch", 1, "height", "width"])], [("z", ["batch", 4, "latent_height", "latent_width"])]),
])
def test_signatures(described, name, inputs, outputs):
    f = described["files"][name]
    assert [(v["name"], v["shape"]) for v in f["inputs"]] == inputs and [(v["name"], v["shape"]) for v in f["outputs"]] == outputs
    assert {v["dtype"] for v in f["inputs"] + f["outputs"]} == {"float"}


def test_description(described):
    assert described["schema"] == bundle.SCHEMA and described["prediction"] == "v" and described["name"] == "tiny"
    assert described["image"]["hu_mid"] == 500 and described["image"]["hu_half"] == 1500
    assert described["latent"]["channels"] == 4 and len(described["latent"]["scale"]) == 4
    assert described["training"]["slices"] == 9 and described["training"]["val_patients"] == 2
    assert described["tables"]["levels"] == [-6.0, 0.0, 3.0]
    assert described["attribution"] == [{"collection": "synthetic phantoms"}]
    assert described["pixel_mm"]["min"] <= described["pixel_mm"]["median"] <= described["pixel_mm"]["max"]


@pytest.mark.parametrize("role", bundle.ROLES)
def test_plain_files(folder, role):
    """Opset 18, weights inside in half precision, all shapes known, nothing of the machine that made them."""
    m = onnx.load(folder / f"{role}.onnx")
    assert m.opset_import[0].version == 18
    assert any(t.data_type == onnx.TensorProto.FLOAT16 for t in m.graph.initializer)
    assert not {n.op_type for n in m.graph.node} & {"Shape", "If", "Loop", "Constant", "GroupNormalization"}
    shapes = {v.name for v in [*m.graph.value_info, *m.graph.output]}
    assert {o for n in m.graph.node if n.op_type != "Cast" for o in n.output} <= shapes
    assert not any(n.doc_string or n.metadata_props for n in m.graph.node)
    assert not any(s in (folder / f"{role}.onnx").read_bytes() for s in (b".py", b"site-packages"))


def test_graph_without_weights_is_refused_by_the_runtime(folder):
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match="is not a graph input"):
        onnxfile.session(onnx.load(folder / "encoder-any.graph.onnx"))


def test_weights_are_shared(folder, described, trained):
    """A graph for another size with the weights of the main file equals PyTorch."""
    p = diffusion.Prior.load(trained)
    nets = export.networks(p)
    x = torch.rand(3, 1, 128, 64)
    name = "encoder-any.graph.onnx"
    m = onnxfile.with_weights(onnx.load(folder / name), onnx.load(folder / described["files"][name]["weights"]))
    assert np.abs(run_file(m, x) - nets.encoder(x).numpy()).max() < 1e-4


def test_same_weights_same_bytes(prior):
    nets = export.networks(prior)
    a, b = [bundle.static_file(nets, "decoder", 64, 1)[0].SerializeToString(deterministic=True) for _ in "ab"]
    assert a == b


def test_weights_come_back(folder, trained):
    """Every weight can be read out of the files, norms and equal tensors included."""
    for role, name in (("encoder", "ae.pt"), ("decoder", "ae.pt"), ("unet", "unet.pt")):
        want = model.load_state(trained / name)
        got = onnxfile.weights_of(onnx.load(folder / f"{role}.onnx"))
        got = {k.removeprefix("ae."): v for k, v in got.items()}
        mine = {k for k in want if role == "unet" or k.startswith(role)}
        assert mine <= set(got)
        assert all(torch.equal(got[k], want[k]) for k in mine)


def test_a_difference_is_found(prior):
    nets = export.networks(prior)
    m, _ = bundle.static_file(nets, "decoder", 64, 1)
    t = next(t for t in m.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16)
    w = onnx.numpy_helper.to_array(t).copy()
    w.flat[0] += 0.5
    t.CopyFrom(onnx.numpy_helper.from_array(w, t.name))
    assert onnxfile.difference(m, nets.module("decoder"), nets.example("decoder", 64, 1)[1]) > bundle.TOLERANCE


def test_a_bad_network_is_not_published(tmp_path, prior):
    m, _ = bundle.static_file(export.networks(prior), "decoder", 64, 1)
    for worst in (1e-3, float("nan")):
        with pytest.raises(SystemExit, match="differs from PyTorch"):
            bundle.write_model(tmp_path, "decoder.onnx", m, "decoder", worst)
    assert not list(tmp_path.iterdir())


def test_halving_refuses_overflow(prior):
    m = onnxfile.export(export.Decode(prior.ae), (torch.zeros(1, 4, 16, 16),), ["z"], "x")
    t = next(t for t in m.graph.initializer if np.prod(t.dims) > onnxfile.HALF_ABOVE)
    t.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(t) + np.float32(1e5), t.name))
    with pytest.raises(SystemExit, match="beyond the range"):
        onnxfile.halve(m, {t.name})


def test_foreign_folder_is_kept(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("x")
    with pytest.raises(SystemExit, match="choose another folder"):
        bundle.work_folder(tmp_path / "b")
    assert (tmp_path / "b" / "mine.txt").exists()


def test_size_must_fit(slices, run, tmp_path):
    with pytest.raises(SystemExit, match="multiple of 64"):
        call("export", "--data", slices, "--out", run, "--bundle", tmp_path / "b", "--size", 100)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text,want", [("512x2", (512, 2)), ("512", (512, 1))])
def test_pair(text, want):
    assert bundle.pair(text) == want


def test_finetune_from_bundle(folder, slices, trained, tmp_path):
    """Starts from the very weights, moves them a little, and leaves the autoencoder alone."""
    call("finetune", "--data", slices, "--from-bundle", folder, "--out", tmp_path, "--steps", 2, *SMALL[4:])
    for name in ("ae.pt", "unet.pt"):
        want, got = model.load_state(trained / name), model.load_state(tmp_path / "start" / name)
        assert want.keys() == got.keys() and all(torch.equal(want[k], got[k]) for k in want)
    assert (tmp_path / "ae.pt").read_bytes() == (tmp_path / "start" / "ae.pt").read_bytes()
    before, after = model.load_state(tmp_path / "start" / "unet.pt"), model.load_state(tmp_path / "unet.pt")
    moved = max(float((before[k] - after[k]).abs().max()) for k in before)
    assert 0 < moved < 1e-3


def test_finetune_needs_one_start(slices, tmp_path, capsys):
    with pytest.raises(SystemExit):
        call("finetune", "--data", slices, "--out", tmp_path)
    assert "--from-bundle" in capsys.readouterr().err
