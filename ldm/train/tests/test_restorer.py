import csv
import hashlib
import json

import numpy as np
import onnx
import pytest
import torch

import conditions
import conftest
import data
import model
import onnxfile
import restorer
from conftest import TINY, call

SMALL = ["--width", "16", "16", "--factor", "4", "--batch", "2", "--val", "2"]
FP32 = dict(device_type="cpu", enabled=False)


@pytest.fixture(scope="module")
def scans(slices, onnx_program, tmp_path_factory):
    """Scans whose start is the image of the tiny bundle after a data step."""
    out = tmp_path_factory.mktemp("scans")
    call("conditions", "--data", slices, "--out", out, "--slices", 24, "--method", "fbp-unet-dc", "--model", TINY, "--program", onnx_program)
    return out


def log(out):
    with open(out / "restorer.csv", newline="") as f:
        return list(csv.DictReader(f))


def train(slices, scans, program, out, *more):
    call("restorer", "train", "--data", slices, "--scans", scans, "--out", out, "--program", program, *SMALL, *more)
    return torch.cat([v.flatten() for v in model.load_state(out / "restorer.pt").values()])


def test_a_first_and_a_second_training(slices, scans, onnx_program, tmp_path):
    """The second goes on from the weights of the first, and follows the error of both passes."""
    first = train(slices, scans, onnx_program, tmp_path / "a", "--steps", 2)
    row = log(tmp_path / "a")[-1]
    assert row["step"] == "2" and {"val0", "train0", "cpu_minutes"} <= set(row) and "val1" not in row
    second = train(slices, scans, onnx_program, tmp_path / "b", "--steps", 1, "--lr", 0, "--init", tmp_path / "a", "--second", 0.5, "--model", TINY)
    assert torch.equal(first, second) and {"val0", "val1", "train0", "train1"} <= set(log(tmp_path / "b")[-1])
    assert restorer.net_of(model.load_state(tmp_path / "b" / "restorer.pt")).factor == 4


def test_same_seed_same_bits(slices, scans, program, tmp_path):
    a, b, c = [train(slices, scans, program, tmp_path / name, "--steps", 2, "--seed", seed, "--precision", "bf16")
               for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_cpu_minutes_end_a_run(slices, scans, program, tmp_path):
    """Two sittings: the second goes on from the CPU time of the first."""
    for budget in (0.02, 0.03):
        train(slices, scans, program, tmp_path, "--cpu-minutes", budget, "--every", 1000, "--resume")
    first, second = log(tmp_path)
    assert 0.02 <= float(first["cpu_minutes"]) < 0.03 <= float(second["cpu_minutes"]) < 0.045
    assert int(second["step"]) > int(first["step"]) > 0


def test_it_learns(slices, scans, program, tmp_path):
    """It becomes better than FBP, which 25 views of 64 pixels make a good image already, on training slices and on others."""
    train(slices, scans, program, tmp_path, "--steps", 400, "--every", 1000, "--lr", 3e-3, "--warmup", 5, "--ema", 0.9, "--batch", 4)

    class Options:
        model = ""

    Options.program = program
    for split in ("train", "val"):
        fbp, = restorer.Held(data.load(slices, split).spread(2), Options).figures(Identity(), FP32)
        assert float(log(tmp_path)[-1][split + "0"]) > fbp + 0.7


class Identity(torch.nn.Module):
    def forward(self, fbp, u):
        return u


def test_passes_of_held_out_slices(slices, onnx_program):
    """The second pass starts from the image after a data step of the bundle's network."""
    class Options:
        model, program = TINY, onnx_program

    s = data.load(slices, "val").spread(2)
    h = restorer.Held(s, Options)
    (c, u), (d, v) = h.passes
    assert c is u and c is d and len(h.figures(Identity(), FP32)) == 2
    want, = conditions.held_out(s, ["fbp-unet-dc"], TINY, seed=1, program=onnx_program)
    assert np.allclose(data.to_hu(v[:, 0].numpy()), want, atol=1e-2)


@pytest.mark.parametrize("blend,second", [(0, 0), (1, 0), (0, 1), (0.5, 0.5)])
def test_batches_belong_together(tmp_path, blend, second):
    """All of one slice and mirrored alike. The image is FBP, or lies between it and the truth, or is the start."""
    hu, fbp, start = np.random.default_rng(0).integers(-1500, 1500, (3, 6, 8, 8), dtype=np.int16)
    np.savez(tmp_path / "000.npz", hu=hu[:2], fbp=fbp[:2], start=start[:2]), np.savez(tmp_path / "001.npz", hu=hu[2:], fbp=fbp[2:], start=start[2:])
    s = restorer.Scans(tmp_path, second > 0, torch.Generator().manual_seed(0))
    hu, fbp, start = [restorer.unit(torch.from_numpy(v).float()) for v in (hu, fbp, start)]
    kinds, flips = [], set()
    for c, u, x in zip(*s.draw(60, blend, second)):
        (k, turn), = [(k, t) for k in range(6) for t in (lambda v: v, lambda v: v.flip(-1)) if torch.equal(x[0], t(hu[k]))]
        flips.add(torch.equal(turn(hu[k]), hu[k]))
        assert torch.equal(c[0], turn(fbp[k]))
        error = c - x
        t = float(((u - x) * error).sum() / error.pow(2).sum())
        if torch.equal(u[0], turn(start[k])):
            kinds.append("start")
        else:
            assert torch.allclose(u, x + t * error, atol=1e-5) and 0 <= t < 1.001
            kinds.append("part" if t < 0.999 else "fbp")
    assert flips == {False, True}
    want = dict(start=second, part=blend * (1 - second), fbp=(1 - blend) * (1 - second))
    assert all(kinds.count(k) / 60 == pytest.approx(v, abs=0.15 if 0 < v < 1 else 0.02) for k, v in want.items())


def test_an_untrained_network_gives_its_image_back():
    c, u = torch.randn(2, 2, 1, 64, 64)
    assert torch.equal(restorer.Restorer((16, 32, 32))(c, u), u)


def test_a_deeper_network_begins_as_the_other(slices, tmp_path):
    """--init with fewer blocks: the new ones do nothing yet."""
    net = restorer.Restorer((8, 16))
    torch.nn.init.normal_(net.out[2].weight)
    model.save_state(net, tmp_path / "restorer.pt")
    call("restorer", "train", "--data", slices, "--out", tmp_path / "deep", "--init", tmp_path, "--simulate", 1, "--steps", 1,
                  "--lr", 0, "--batch", 1, "--val", 1, "--width", 8, 16, "--depth", 3)
    old, new = [restorer.net_of(model.load_state(f / "restorer.pt")) for f in (tmp_path, tmp_path / "deep")]
    u = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert len(new.down[0]) == 3 and torch.allclose(old(u, -u), new(u, -u), atol=1e-4)


def test_a_network_of_one_image_is_widened():
    """The image comes first, so that a network that saw nothing else goes on as it was."""
    old = conftest.lively(restorer.Restorer((16, 16))).state_dict()
    old["inp.weight"] = old["inp.weight"][:, :16]
    new = restorer.Restorer((16, 16))
    new.load_state_dict(model.widen(old, new))
    c, d, u = torch.randn(3, 1, 1, 64, 64)
    assert torch.equal(new(c, u), new(d, u)) and not torch.equal(new(c, u), new(c, d))


class Wrong(torch.nn.Module):
    """The truth and an error, of FBP or of its mirror image, whichever it is given first and second."""

    def __init__(self, slices, error):
        super().__init__()
        self.out, self.first = (restorer.unit(slices.hu.clamp_min(-1000).float()) + error)[:, None], None

    def forward(self, fbp, u):
        self.first = fbp if self.first is None else self.first
        out = self.out[:len(u)]
        return out if torch.equal(fbp, self.first) else out.flip(-1)


@pytest.mark.parametrize("error,least,most", [("white", 0.9, 1.1), ("smooth", 10, 100), ("fine", 0, 0.2)])
def test_kappa(slices, program, error, least, most):
    """White noise has 1; what is smooth projects to more, an alternation from pixel to pixel to less."""
    s = data.load(slices, "train").spread(4)
    row = torch.arange(64)
    e = dict(white=torch.randn(s.hu.shape, generator=torch.Generator().manual_seed(5)), smooth=torch.ones(s.hu.shape),
             fine=((row[:, None] + row) % 2 * 2 - 1.0).expand(s.hu.shape))[error]
    k, hu = restorer.kappa(Wrong(s, 0.1 * e), s, 25, 0.01, program)
    assert least < k < most and hu == pytest.approx(150, rel=0.02)


@pytest.fixture(scope="module")
def exported(slices, onnx_program, tmp_path_factory):
    """(run, bundle) of a network with random weights, as the restorer of a copy of the tiny bundle."""
    out = tmp_path_factory.mktemp("exported")
    model.save_state(conftest.lively(restorer.Restorer((16, 16))), out / "restorer.pt")
    (out / "restorer.csv").write_text("step,minutes,val0\n1,0.1,20\n7,0.2,30\n")
    call("restorer", "export", "--data", slices, "--out", out, "--from-bundle", TINY, "--bundle", out / "b", "--slices", 2, "--views", 12,
         "--rounds", 3, "--program", onnx_program)
    return out, out / "b"


def test_export_replaces_the_restorer_alone(exported):
    old, new = [json.loads((f / "bundle.json").read_text()) for f in (TINY, exported[1])]
    note, f = new.pop("restorer"), new["files"].pop("restorer.onnx")
    assert note["rounds"] == 3 and note["mirror"] and note["kappa"] > 0 and note["training"]["step"] == "7"
    assert note["measured"]["views"] == 12 and note["measured"]["slices"] == 2 and note["measured"]["error_hu"] > 0
    image = [1, 1, 64, 64]
    assert f["role"] == "restorer" and [(v["name"], v["shape"]) for v in f["inputs"] + f["outputs"]] == [("fbp", image), ("u", image), ("x", image)]
    assert hashlib.sha256((exported[1] / "restorer.onnx").read_bytes()).hexdigest() == f["sha256"]
    assert new.pop("parameters") == dict(restorer=model.parameters(restorer.Restorer((16, 16))))
    del old["restorer"], old["files"]["restorer.onnx"]
    assert new == old and all((exported[1] / k).read_bytes() == (TINY / k).read_bytes() for k in old["files"])


def test_exported_file_is_the_network(exported):
    m, net = onnx.load(exported[1] / "restorer.onnx"), restorer.net_of(model.load_state(exported[0] / "restorer.pt"))
    c, u = torch.randn(2, 1, 1, 64, 64)
    got, want = onnxfile.session(m).run(None, {"fbp": c.numpy(), "u": u.numpy()})[0], net(c, u).numpy()
    assert np.abs(got - want).max() < 1e-4 * np.abs(want).max()


def test_weights_come_back_from_the_file(exported):
    """To go on with (finetune.from_bundle): what is on disk, to the bit."""
    kept, back = model.load_state(exported[0] / "restorer.pt"), onnxfile.weights_of(onnx.load(exported[1] / "restorer.onnx"))
    assert set(kept) == set(back) and all(torch.equal(kept[k], back[k]) for k in kept)


def test_ctrecon_runs_it(exported, slices, onnx_program):
    """Its image of FBP is PyTorch's mean of both sides, in HU."""
    s = data.load(slices, "val").spread(2)
    fbp, got = conditions.held_out(s, ["fbp-hann", "fbp-unet"], exported[1], program=onnx_program)
    c = restorer.unit(torch.from_numpy(fbp))[:, None]
    net = restorer.net_of(model.load_state(exported[0] / "restorer.pt"))
    want = data.to_hu(restorer.both(net, c, c))[:, 0].numpy()
    assert np.abs(got - data.to_hu(net(c, c))[:, 0].numpy()).max() > 0.01 * np.abs(want - fbp).max()
    assert np.abs(got - want).max() < 1e-3 * np.abs(want - fbp).max()


def test_export_refuses_another_size(exported, tmp_path, slices):
    d = json.loads((TINY / "bundle.json").read_text())
    d["image"].update(height=128, width=128), d.update(files={})
    (tmp_path / "bundle.json").write_text(json.dumps(d))
    with pytest.raises(SystemExit, match="slices of 64 pixels.* take 128"):
        call("restorer", "export", "--data", slices, "--out", exported[0], "--from-bundle", tmp_path, "--bundle", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_streaks_are_not_clipped(slices, program):
    fbp, = conditions.held_out(data.load(slices, "val").take([0]), ["fbp-hann"], jobs=conditions.usual(1, 12), program=program)
    x = restorer.unit(torch.from_numpy(fbp))
    assert float(x.min()) < -1 and torch.allclose(data.to_hu(x), torch.from_numpy(fbp), atol=1e-2)
