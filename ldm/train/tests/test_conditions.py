import json
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
import torch

import conditions
import data
import model
from conftest import SMALL, call

HERE = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    if not shutil.which("go"):
        pytest.skip("no Go compiler")
    path = tmp_path_factory.mktemp("bin") / "conditions"
    subprocess.run(["go", "build", "-o", path, "./conditions"], cwd=HERE, check=True)
    return path


@pytest.fixture(scope="session")
def pairs(slices, program, tmp_path_factory):
    out = tmp_path_factory.mktemp("pairs")
    for _ in range(2):  # the second call finds all shards done
        call("conditions", "--data", slices, "--out", out, "--slices", 6, "--shard", 4, "--program", program)
    return out


def rms(a, b):
    return float(np.sqrt(np.mean((a.astype(float) - b.astype(float)) ** 2)))


def test_pairs_belong_together(pairs):
    hu, tv, fbp = conditions.read(pairs)
    assert hu.shape == (6, 64, 64) and hu.dtype == np.int16
    assert rms(tv, hu) < rms(fbp, hu)
    for i in range(6):
        assert rms(tv[i], hu[i]) < min(rms(tv[j], hu[i]) for j in range(6) if j != i)


def test_seeds_and_workers(slices, program):
    hu = data.load(slices, "train").hu.float()[:2].numpy()
    get = lambda seeds, workers: conditions.reconstruct(hu, [2.0, 2.0], [12, 25], [0.01, 0.02], seeds, program, workers)[0]
    assert np.array_equal(get([1, 2], 1), get([1, 2], 2)) and not np.array_equal(get([1, 2], 1), get([1, 3], 1))


def test_a_missing_program_is_named(tmp_path):
    with pytest.raises(SystemExit, match="go build"):
        conditions.reconstruct(np.zeros((1, 64, 64)), [1.0], [12], [0.01], [1], tmp_path / "none")


def test_two_steps_to_a_bundle(slices, run, pairs, program, tmp_path):
    """The UNet that takes TV too: it starts as the one that does not, learns, is measured and exported."""
    (tmp_path / "ae.pt").write_bytes((run / "ae.pt").read_bytes())
    call("train", "unet", "--data", slices, "--out", tmp_path, "--steps", 2, "--init", run, "--pairs", pairs, "--program", program, *SMALL)
    shape = model.unet_shape(model.load_state(tmp_path / "unet.pt"))
    assert shape["start"] and shape["cond"]
    call("measure", "--data", slices, "--out", tmp_path, "--slices", 2, "--views", 12, "--levels", -6, 0, 3, "--program", program)
    call("export", "--data", slices, "--out", tmp_path, "--bundle", tmp_path / "bundle", "--size", 64)
    b = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert [i["name"] for i in b["files"]["unet.onnx"]["inputs"]] == ["z", "lognsr", "cond", "flag", "start"]
    assert b["conditioning"]["start"]["kind"] == "tv"


def test_widening_changes_nothing():
    torch.manual_seed(0)
    old = model.UNet((16, 16), 1, 4).eval()
    new = model.UNet((16, 16), 1, 4, start=True).eval()
    new.load_state_dict(model.widen(old.state_dict(), new))
    z, l, c, one = torch.randn(2, 4, 16, 16), torch.zeros(2), torch.randn(2, 1, 64, 64), torch.ones(2)
    assert torch.equal(old(z, l, c, one), new(z, l, c, one, z))
