import csv
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch

import classical
import conditions
import conftest
import data
import measure
import model
import projector as pr
import restorer
import sample
from conftest import TINY, call

QUICK = ["--slices", 2, "--step-count", 2, "--views", 12, "--tv-iters", 20]


def test_tables(tables):
    m = json.loads(tables.read_text())
    assert m["levels"] == [-6.0, 0.0, 3.0] and m["split"] == "val" and m["slices"] == 2
    for flag in ("flag0", "flag1"):
        r, z = m[flag]["r2"], m[flag]["rz2"]
        assert all(v > 0 for v in r + z + m[flag]["q2"]) and z[0] < z[-1]
    assert m["latent"]["sd"] == pytest.approx([1] * 4, abs=0.4) and m["autoencoder"]["all"]["slices"] == 2


def test_tables_are_repeatable(slices, run, tables, tmp_path):
    call("measure", "--data", slices, "--out", run, "--slices", 2, "--views", 12, "--levels", -6, 0, 3, "--tables", tmp_path / "t.json")
    assert (tmp_path / "t.json").read_text() == tables.read_text()


def test_sample_writes_its_table(slices, run, tables, tmp_path, capsys):
    call("sample", "--data", slices, "--out", run, "--samples", 2, "--csv", tmp_path / "s.csv", *QUICK)
    with open(tmp_path / "s.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 2 and {"fbp_db", "tv_db", "single_db", "mean_db", "ae_db", "mean_ssim", "chi2_single", "s_sample"} <= set(rows[0])
    assert float(rows[0]["tv_db"]) > float(rows[0]["fbp_db"])
    assert "mean all" in capsys.readouterr().out


class Tiny(torch.nn.Module):
    """The restorer of the tiny bundle."""

    def forward(self, fbp, u):
        return 0.6 * u + 0.3 * fbp - 0.1


def scanned(slices, views=25, sigma=0.01):
    """(truth, FBP, problem with model error) of a val slice, in units of restorer.unit."""
    s = data.load(slices, "val").take([0])
    hu, px = s.hu[0].clamp_min(-1000).numpy().astype(np.float32), float(s.pixel[0])
    y = pr.measure(hu, px, views, sigma, np.random.default_rng(1))
    fbp = pr.mu_to_hu(pr.fbp(torch.from_numpy(y)[None], pr.view_angles(views), torch.tensor([px]), 64))[0]
    problem = classical.Problem(pr.strip_matrix(64, views), y, px, float(np.hypot(sigma, sample.MODEL_ERROR)))
    return restorer.unit(hu), restorer.unit(fbp).numpy(), problem


def test_restored_alternates(slices):
    """Rounds 0 is the network alone; after one and two rounds the gradient about the network's last image vanishes."""
    _, fbp, problem = scanned(slices)
    images = [sample.restored(Tiny(), fbp, problem, 1.0, k) for k in range(3)]
    assert np.allclose(images[0], 0.9 * fbp - 0.1, atol=1e-5)
    white = problem.k**2 * problem.a.multiply(problem.a).sum() / problem.a.shape[0]
    for u, x in ((images[0], images[1]), (0.6 * images[1] + 0.3 * fbp - 0.1, images[2])):
        r2 = (problem.chi2(u) - 1) / white
        assert (5 / 1500) ** 2 < r2 < (500 / 1500) ** 2
        gradient = lambda v: np.linalg.norm(problem.k * (problem.at @ problem.residual(v)) + (v - u).ravel() / r2)
        assert gradient(x) < 5e-3 * gradient(u)


class Noisy(torch.nn.Module):
    """A given image, whatever it is given."""

    def __init__(self, x):
        super().__init__()
        self.x = torch.from_numpy(x)[None, None]

    def forward(self, fbp, u):
        return self.x


@pytest.mark.parametrize("hu,least,most", [(0, 5, 5), (60, 54, 66), (200, 180, 220), (900, 500, 500)])
def test_deviation_is_estimated(slices, hu, least, most):
    """White noise about the truth is told by the misfit, within bounds; an image that fits too well has the least."""
    truth, fbp, problem = scanned(slices)
    truth = truth if hu else problem.solve(truth, 1.0)
    used = []
    problem.solve = lambda u, r2, *_: used.append(1500 * r2**0.5) or u
    noise = np.random.default_rng(2).standard_normal(truth.shape).astype(np.float32)
    sample.restored(Noisy(truth + hu / 1500 * noise), fbp, problem, 1.0, 1)
    assert least * 0.999 <= used[0] <= most * 1.001


def test_restored_as_ctrecon_does(slices, onnx_program):
    """The same network, the same kind of scan: within .5 dB of the Go program, whose noise is other."""
    s = data.load(slices, "val").take([0])
    truth, fbp, problem = scanned(slices)
    for rounds, method in enumerate(("fbp-unet", "fbp-unet-dc", "pnp-unet")):
        want, = conditions.held_out(s, [method], TINY, program=onnx_program)
        got = sample.restored(Tiny(), fbp, problem, 1.0, rounds)
        assert sample.psnr(got, truth) == pytest.approx(sample.psnr(restorer.unit(want[0]), truth), abs=0.5)


def test_samples_start_from_the_restorer(slices, run, tables, tmp_path):
    """Its image is in the table instead of TV's; kappa and rounds are the bundle's, or given."""
    model.save_state(conftest.lively(restorer.Restorer((16, 16))), tmp_path / "restorer.pt")
    rows = {}
    for name, how in (("bundle", ["--model", TINY]), ("given", ["--kappa", 1, "--rounds", 2]), ("other", ["--kappa", 1, "--rounds", 0])):
        call("sample", "--data", slices, "--out", run, "--samples", 1, "--csv", tmp_path / "s.csv", "--restorer", tmp_path, *how, *QUICK)
        with open(tmp_path / "s.csv", newline="") as f:
            rows[name] = next(csv.DictReader(f))
    assert "pnp_db" in rows["bundle"] and "tv_db" not in rows["bundle"]
    assert rows["bundle"]["pnp_db"] == rows["given"]["pnp_db"] != rows["other"]["pnp_db"]
    assert rows["bundle"]["mean_db"] == rows["given"]["mean_db"] != rows["other"]["mean_db"]
    with pytest.raises(SystemExit, match="give --kappa"):
        call("sample", "--data", slices, "--out", run, "--restorer", tmp_path, *QUICK)


def test_choose(slices, run, tmp_path):
    """The chosen checkpoint is the one that reconstructs best, and becomes unet.pt."""
    for name in ("ae.pt", "unet-050.pt", "unet-100.pt"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    call("sample", "--data", slices, "--out", tmp_path, "--samples", 1, *QUICK, "--choose", tmp_path / "unet-050.pt", tmp_path / "unet-100.pt")
    with open(tmp_path / "choice.csv", newline="") as f:
        rows = {r["checkpoint"]: float(r["mean_db"]) for r in csv.DictReader(f)}
    best = max(rows, key=rows.get)
    assert (tmp_path / "unet.pt").read_bytes() == pathlib.Path(best).read_bytes()


def test_levels_are_interpolated_in_log():
    t = dict(levels=[-2.0, 0.0, 2.0], flag1=dict(r2=[1e-4, 1e-2, 1.0], rz2=[0.1, 0.1, 0.1]))
    r2, rz2 = sample.at_levels(t, 1.0, np.array([-9.0, -1.0, 1.0, 9.0]))
    assert np.allclose(r2, [1e-4, 1e-3, 1e-1, 1.0]) and np.allclose(rz2, 0.1)


def test_psnr_clips_at_1000_hu():
    a, b = np.full((64, 64), 1.0, np.float32), np.full((64, 64), (1500 - 500) / 1500, np.float32)
    assert sample.psnr(a, b) > 100  # 2000 and 1500 HU are both beyond the range that is judged
    c, d = np.zeros((64, 64), np.float32), np.full((64, 64), 20 / 1500, np.float32)
    assert sample.psnr(c, d) == pytest.approx(40, abs=1e-3)  # 20 HU of 2000


def test_ssim():
    rng = np.random.default_rng(0)
    a = rng.uniform(-1, 0.3, (64, 64)).astype(np.float32)
    assert sample.ssim(a, a) == pytest.approx(1) and sample.ssim(a, a + 0.1 * rng.standard_normal(a.shape).astype(np.float32)) < 0.99


def test_summary_by_site():
    rows = [dict(site="a", patient="x", tv_db=1.0), dict(site="a", patient="y", tv_db=3.0), dict(site="b", patient="z", tv_db=8.0)]
    assert [(r["site"], r["n"], r["tv_db"]) for r in sample.summary(rows)] == [("a", 2, 2.0), ("b", 1, 8.0), ("all", 3, 4.0)]


def test_batches_cover_all():
    assert [i for s in measure.batches(19) for i in range(19)[s]] == list(range(19))


@pytest.mark.parametrize("script", ["budget.sh", "gpu.sh", "further.sh"])
def test_scripts_parse(script):
    here = pathlib.Path(model.__file__).parent
    assert subprocess.run(["sh", "-n", here / script], check=False).returncode == 0


def recipe(slices, folder, **more):
    """Calls gpu.sh twice with networks that train for a step; where the first has done all, the second says so too."""
    here = pathlib.Path(model.__file__).parent
    small = "--steps 1 --batch 2 --val 2"
    env = dict(os.environ, PYTHON=sys.executable, AE=small, UNET=small + " --pool 1 --width 16 16 32", RESTORER=small + " --width 16 16", PAIRS="4", **more)
    for _ in "ab":
        done = subprocess.run(["sh", here / "gpu.sh", slices, folder / "run", folder / "out", "120", "1"], env=env, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith("done\n")
    return folder / "run"


def test_recipe_without_a_restorer(slices, tmp_path):
    """The whole recipe in seconds: started in its own session, packed in pieces, unpacked again."""
    made = recipe(slices, tmp_path, BASE="")
    assert model.unet_shape(model.load_state(made / "unet.pt"))["cond"] and not model.unet_shape(model.load_state(made / "unet.pt"))["start"]
    (tmp_path / "home").mkdir()
    pieces = sorted((tmp_path / "out").glob("run.tar.*"))
    assert all(p.stat().st_size < 16 << 20 for p in pieces)
    (tmp_path / "whole.tar").write_bytes(b"".join(p.read_bytes() for p in pieces))
    subprocess.run(["tar", "-xf", tmp_path / "whole.tar", "-C", tmp_path / "home"], check=True)
    for name in ("ae.pt", "unet.pt", "tables.json"):
        assert (tmp_path / "home" / name).read_bytes() == (made / name).read_bytes()


def test_recipe_with_a_restorer(slices, onnx_program, tmp_path):
    """Two trainings of the restorer, pairs of it, a UNet on them, and a bundle by hand."""
    made = recipe(slices, tmp_path, BASE=str(TINY), CONDITIONS=str(onnx_program))
    assert model.unet_shape(model.load_state(made / "unet.pt"))["start"]
    assert {"val1", "train1"} <= set((made / "restorer.csv").read_text().splitlines()[0].split(","))
    packed = b"".join(p.read_bytes() for p in sorted((tmp_path / "out").glob("run.tar.*")))
    assert b"restored/restorer.onnx" in packed and b"restored/encoder.onnx" not in packed
    call("export", "--data", slices, "--out", made, "--bundle", tmp_path / "b", "--size", 64, "--no-free", "--restorer", made / "restored")
    hu = data.load(slices, "val").hu.float()[:1].numpy()
    x, = conditions.reconstruct(hu, [2.0], conditions.usual(1), ["pnp-unet"], tmp_path / "b", onnx_program)
    assert np.isfinite(x).all()


def test_going_on_from_a_run(slices, tmp_path):
    """further.sh: restorer, then UNet, each from what START has, the restorer deeper than it was."""
    small = ["--data", slices, "--out", tmp_path / "start", "--steps", 1, "--batch", 2, "--val", 2]
    call("restorer", "train", *small, "--simulate", 1, "--width", 16, 16)
    call("train", "ae", *small)
    call("train", "unet", *small, "--simulate", 2, "--restorer", tmp_path / "start", "--width", 16, 16, 32)
    here, few = pathlib.Path(model.__file__).parent, "--steps 1 --batch 2 --val 2"
    env = dict(os.environ, PYTHON=sys.executable, PAIRS="4", RESTORER=few + " --width 16 16 --depth 2", UNET=few + " --width 16 16 32")
    for stage in ("restorer", "unet"):
        done = subprocess.run(["sh", here / "further.sh", stage, tmp_path / "start", slices, tmp_path / "run", "1"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / "run" / f"{stage}.done").exists()
    assert "down.0.1.c1.weight" in model.load_state(tmp_path / "run" / "restorer.pt")
