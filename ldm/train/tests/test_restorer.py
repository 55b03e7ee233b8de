import csv
import json

import numpy as np
import onnx
import pytest
import torch

import conftest
import data
import model
import onnxfile
import projector as pr
import rival
from conftest import call

SMALL = ["--width", "16", "16", "--factor", "4", "--batch", "2", "--val", "2"]


def write_shard(path, slices, views):
    """A shard as conditions.py writes it; one number of views a slice."""
    fbp = [data.HU_HALF * next(rival.measured(slices.take([j]), v, 0.01, j))[1].numpy() + data.HU_MID for j, v in enumerate(views)]
    hu = slices.hu.clamp_min(-1000).numpy()
    np.savez(path, hu=hu, tv=hu, fbp=np.rint(fbp).astype(np.int16), views=np.array(views))


@pytest.fixture(scope="module")
def shards(slices, tmp_path_factory):
    """Two shards: 6 slices of 25 views, 3 of 12."""
    out, s = tmp_path_factory.mktemp("shards"), data.load(slices, "train")
    write_shard(out / "000.npz", s.take(range(5)), [25, 25, 25, 12, 12])
    write_shard(out / "001.npz", s.take(range(5, 9)), [25, 25, 25, 12])
    return out


def train(slices, shards, out, *more):
    call("rival", "train", "--data", slices, "--pairs", shards, "--out", out, *SMALL, *more)
    return torch.cat([v.flatten() for v in model.load_state(out / "rival.pt").values()])


@pytest.fixture(scope="module")
def trained(slices, shards, tmp_path_factory):
    out = tmp_path_factory.mktemp("rival")
    train(slices, shards, out, "--steps", 2)
    return out


def test_two_steps_leave_their_files(trained):
    with open(trained / "rival.csv", newline="") as f:
        row = list(csv.DictReader(f))[-1]
    assert row["step"] == "2" and {"val", "val_db", "train", "train_db", "cpu_minutes"} <= set(row)
    assert rival.net_of(model.load_state(trained / "rival.pt")).factor == 4


def test_same_seed_same_bits(slices, shards, tmp_path):
    a, b, c = [train(slices, shards, tmp_path / name, "--steps", 2, "--seed", seed, "--precision", "bf16")
               for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_cpu_minutes_end_a_run(slices, shards, tmp_path):
    """Two sittings: the second goes on from the CPU time of the first."""
    for budget in (0.02, 0.03):
        train(slices, shards, tmp_path, "--cpu-minutes", budget, "--every", 1000, "--resume")
    with open(tmp_path / "rival.csv", newline="") as f:
        first, second = list(csv.DictReader(f))
    assert 0.02 <= float(first["cpu_minutes"]) < 0.03 <= float(second["cpu_minutes"]) < 0.045
    assert int(second["step"]) > int(first["step"]) > 0


def test_it_learns(slices, tmp_path):
    """Six views, where streaks are all: the error halves on training slices and falls on others. An untrained network gives FBP back."""
    write_shard(tmp_path / "000.npz", data.load(slices, "train"), [6] * 9)
    train(slices, tmp_path, tmp_path, "--views", 6, "--steps", 100, "--every", 1000, "--lr", 3e-3, "--warmup", 5, "--ema", 0.9, "--batch", 4)
    with open(tmp_path / "rival.csv", newline="") as f:
        row = list(csv.DictReader(f))[-1]

    class Options:
        views, sigma = 6, 0.01

    for split, share in (("train", 0.5), ("val", 0.8)):
        fbp, _ = rival.Held(data.load(slices, split).spread(2), Options).figures(lambda x: x, dict(device_type="cpu", enabled=False))
        assert float(row[split]) < share * fbp


@pytest.mark.parametrize("blend", [0.0, 1.0])
def test_batches_are_pairs(shards, blend):
    """Input and image are of one slice and mirrored alike; blended inputs lie between the image and its FBP."""
    p = rival.Pairs(shards, 25, torch.Generator().manual_seed(0))
    assert len(p.hu) == 6
    hu, fbp = [rival.unit(v.float()) for v in (p.hu, p.fbp)]
    seen = set()
    for c, x in zip(*p.draw(40, blend)):
        (k, flip), = [(k, f) for k in range(6) for f in (False, True) if torch.equal(x[0], hu[k].flip(-1) if f else hu[k])]
        error = fbp[k].flip(-1) - hu[k].flip(-1) if flip else fbp[k] - hu[k]
        t = float(((c[0] - x[0]) * error).sum() / error.pow(2).sum())
        assert torch.allclose(c[0], x[0] + t * error, atol=1e-5)
        seen.add((round(t, 3) < 1, flip))
    assert {f for _, f in seen} == {False, True} and {b for b, _ in seen} == {blend > 0}


def test_no_slice_of_these_views(shards):
    with pytest.raises(SystemExit, match="no slice of 99 views"):
        rival.Pairs(shards, 99, None)


def test_an_untrained_network_gives_its_input_back():
    x = torch.randn(2, 1, 64, 64)
    assert torch.equal(rival.RivalUNet((16, 32, 32))(x), x)


def test_streaks_are_not_clipped(slices):
    s = data.load(slices, "val").take([0])
    y, fbp = next(rival.measured(s, 12, 0.01, 0))
    assert y.shape == (12, pr.default_bins(64)) and float(fbp.min()) < -1


class Perfect(torch.nn.Module):
    """Adds an error of known size to the truth, whatever it is given."""

    def __init__(self, truth, sd):
        super().__init__()
        self.out = truth + sd * torch.randn(truth.shape, generator=torch.Generator().manual_seed(5))

    def forward(self, _):
        return self.out


def test_deviations_are_measured(slices):
    class Options:
        views, sigma = 25, 0.01

    s = data.load(slices, "train").take([0])
    net = Perfect(rival.unit(s.hu.clamp_min(-1000).float())[None], 0.1)
    of_net, of_data = rival.alternate(net, s, Options)
    assert len(of_net) == len(of_data) == rival.ALTERNATIONS + 1
    assert of_net[0] == pytest.approx(0.01, rel=0.05) and all(d < 0.9 * n for n, d in zip(of_net, of_data))


def test_export(slices, trained, tmp_path):
    """The file is what PyTorch has; the description has what ctrecon asks for."""
    torch.save(conftest.lively(rival.RivalUNet((16, 16))).state_dict(), tmp_path / "rival.pt")
    (tmp_path / "rival.csv").write_bytes((trained / "rival.csv").read_bytes())
    call("rival", "export", "--data", slices, "--out", tmp_path, "--file", tmp_path / "r.onnx", "--slices", 2)
    d = json.loads((tmp_path / "r.json").read_text())
    assert (d["schema"], d["height"], d["width"], d["views"]) == ("ctrecon-rival/1", 64, 64, 25)
    assert 2 <= len(d["r_hu"]) <= rival.ALTERNATIONS + 1 and min(d["r_hu"]) > 0 and d["training"]["step"] == "2"
    m, net = onnx.load(tmp_path / "r.onnx"), rival.net_of(model.load_state(tmp_path / "rival.pt"))
    x = torch.randn(1, 1, 64, 64)
    got = onnxfile.session(m).run(None, {"fbp": x.numpy()})[0]
    assert np.abs(got - net(x).numpy()).max() < 1e-2 * float(net(x).abs().max())  # weights are in half precision
