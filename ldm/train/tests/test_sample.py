import csv
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import measure
import model
import sample
from conftest import call

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


@pytest.mark.parametrize("script", ["budget.sh", "gpu.sh"])
def test_scripts_parse(script):
    here = pathlib.Path(model.__file__).parent
    assert subprocess.run(["sh", "-n", here / script], check=False).returncode == 0


def test_gpu_recipe(slices, tmp_path):
    """The whole recipe in seconds: started in its own session, packed in pieces, unpacked again, and a second call says done."""
    import os

    here = pathlib.Path(model.__file__).parent
    small = "--steps 1 --batch 2 --val 2 --pool 1 --width 16 16 32"
    env = dict(os.environ, PYTHON=sys.executable, AE="--steps 1 --batch 2 --val 2", UNET=small, RIVAL=small, PAIRS="4")
    for _ in "ab":
        done = subprocess.run(["sh", here / "gpu.sh", slices, tmp_path / "run", tmp_path / "out", "120", "1"], env=env, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith("done\n")
    (tmp_path / "home").mkdir()
    pieces = sorted((tmp_path / "out").glob("run.tar.*"))
    assert all(p.stat().st_size < 16 << 20 for p in pieces)
    (tmp_path / "whole.tar").write_bytes(b"".join(p.read_bytes() for p in pieces))
    subprocess.run(["tar", "-xf", tmp_path / "whole.tar", "-C", tmp_path / "home"], check=True)
    for name in ("ae.pt", "unet.pt", "tables.json"):
        assert (tmp_path / "home" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
