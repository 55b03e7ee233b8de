import csv

import pytest
import torch
from PIL import Image

import conftest
import loop
import model
import plot
from conftest import SMALL, call


def log(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


@pytest.mark.parametrize("stage,columns", [
    ("ae", {"val_db", "train_db"}),
    ("unet", {"val", "train", "f1_l-4", "f0_l-4", "f1_l+4", "f0_l+4"})])
def test_every_stage_leaves_its_files(run, stage, columns):
    rows = log(run / f"{stage}.csv")
    assert rows[-1]["step"] == "2" and columns <= set(rows[-1])
    assert all((run / f"{stage}{end}").exists() for end in (".pt", ".state", "-050.pt", "-100.pt"))
    assert Image.open(run / f"{stage}.png").size[0] == plot.WIDTH


def test_latents_have_unit_variance(run, slices):
    import data
    import diffusion

    z = diffusion.Prior.load(run).encode(data.to_unit(data.load(slices, "train").hu.float())[:, None])
    assert torch.allclose(z.mean((0, 2, 3)), torch.zeros(4), atol=0.01) and torch.allclose(z.std((0, 2, 3)), torch.ones(4), atol=0.01)


def weights(path):
    return torch.cat([v.flatten() for v in model.load_state(path).values()])


def train(stage, slices, out, *more):
    call("train", stage, "--data", slices, "--out", out, *SMALL, *more)
    return weights(out / f"{stage}.pt")


@pytest.mark.parametrize("stage", ["ae", "unet"])
def test_same_seed_same_bits(slices, run, tmp_path, stage):
    got = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ae.pt").write_bytes((run / "ae.pt").read_bytes())
        got.append(train(stage, slices, tmp_path / name, "--steps", 2, "--seed", seed))
    assert torch.equal(got[0], got[1]) and not torch.equal(got[0], got[2])


def test_resuming_changes_nothing(slices, tmp_path, monkeypatch):
    """Four steps in one go and four steps cut after two give the same bits."""
    whole = train("ae", slices, tmp_path / "whole", "--steps", 4, "--every", 0)
    save = loop.Run.save

    def cut(self, net, ema, opt, step, spent):
        save(self, net, ema, opt, step, spent)
        if step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as m:
        m.setattr(loop.Run, "save", cut)
        with pytest.raises(KeyboardInterrupt):
            train("ae", slices, tmp_path / "parts", "--steps", 4, "--every", 0)
    parts = train("ae", slices, tmp_path / "parts", "--steps", 4, "--every", 0, "--resume")
    assert torch.equal(whole, parts)
    assert [r["step"] for r in log(tmp_path / "parts" / "ae.csv")][-1] == "4"


def test_minutes_end_a_run(slices, tmp_path):
    train("ae", slices, tmp_path, "--minutes", 0.01)
    assert float(log(tmp_path / "ae.csv")[-1]["minutes"]) >= 0.01


def test_init_starts_from_weights(slices, run, tmp_path):
    """With a learning rate of zero the result is where it began."""
    (tmp_path / "ae.pt").write_bytes((run / "ae.pt").read_bytes())
    got = train("unet", slices, tmp_path, "--steps", 1, "--init", run, "--lr", 0)
    assert torch.equal(got, weights(run / "unet.pt"))


def test_bf16_runs(slices, tmp_path):
    assert torch.isfinite(train("ae", slices, tmp_path, "--steps", 1, "--precision", "bf16")).all()


def test_autoencoder_learns(slices, tmp_path):
    train("ae", slices, tmp_path, "--steps", 60, "--every", 0.5, "--lr", 2e-3, "--warmup", 5, "--ema", 0.9, "--ae-width", 16, 16, "--batch", 4)
    rows = log(tmp_path / "ae.csv")
    assert float(rows[-1]["val_db"]) > 15


def test_unet_learns(slices, run, tmp_path):
    """A constant set of latents at high noise: v-error must fall well below that of predicting nothing (about 1)."""
    (tmp_path / "ae.pt").write_bytes((run / "ae.pt").read_bytes())
    train("unet", slices, tmp_path, "--steps", 50, "--every", 100, "--lr", 3e-3, "--warmup", 5, "--ema", 0.9, "--batch", 8)
    assert float(log(tmp_path / "unet.csv")[-1]["val"]) < 0.9


def test_rate_rises_and_falls():
    class Options:
        constant_lr, lr, warmup = False, 1.0, 10

    r = object.__new__(loop.Run)
    r.a = Options
    assert r.rate(0, 0.0) == pytest.approx(0.1) and r.rate(20, 0.0) == pytest.approx(1) and r.rate(99, 1.0) == pytest.approx(0.02)
    r.a.constant_lr = True
    assert r.rate(99, 1.0) == 1.0


@pytest.mark.parametrize("body", ["step,minutes,loss,val\n0,0.0,,1.0\n5,1.0,0.5,0.7\n", "0,0.0,0.9,1.0\n5,1.0,0.5,0.7\n"])
def test_plot_reads_both_kinds_of_log(tmp_path, body):
    (tmp_path / "a.csv").write_text(body)
    x, columns = plot.read(tmp_path / "a.csv")
    assert x == [0.0, 1.0] and columns["val"] == [1.0, 0.7] and columns["loss"][1] == 0.5
    plot.curves(tmp_path / "a.csv", tmp_path / "a.png")
    colours = {c for _, c in Image.open(tmp_path / "a.png").getcolors(1 << 20)}
    assert (0x1B, 0x6C, 0xA8) in colours


def test_lively_is_lively():
    assert all(bool(p.any()) for p in conftest.lively(model.UNet((16, 16, 32))).parameters())
