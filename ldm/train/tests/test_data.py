import csv

import numpy as np
import pytest
import torch

import data
import synthetic

STILL = data.Augmentation(0, 0, 0, 0, 0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rewrite(folder, change):
    rows = data.read_index(folder)
    rows = change(rows)
    with open(folder / "index.csv", "w", newline="") as f:
        w = csv.DictWriter(f, rows[0])
        w.writeheader(), w.writerows(rows)


@pytest.mark.parametrize("hu,unit", [(-1000, -1), (500, 0), (2000, 1), (3000, 1), (-1024, -1)])
def test_normalisation(hu, unit):
    assert float(data.to_unit(torch.tensor(float(hu)))) == unit


def test_unit_round_trip():
    hu = torch.linspace(-1000, 2000, 31)
    assert torch.allclose(data.to_hu(data.to_unit(hu)), hu, atol=1e-3)


def test_png_round_trip(tmp_path):
    hu = np.arange(-1024, 3072).reshape(64, 64).astype(np.float32)
    data.write_png(tmp_path / "a.png", hu)
    assert np.array_equal(data.read_png(tmp_path / "a.png"), hu)


def test_load(slices):
    train, val = data.load(slices, "train"), data.load(slices, "val")
    assert (len(train), len(val), train.hu.shape[1:], train.hu.dtype) == (9, 6, (64, 64), torch.int16)
    assert not set(train.patient) & set(val.patient)
    assert [r["file"] for r in train.rows] == sorted(r["file"] for r in train.rows)


def test_spread_keeps_rows_together(slices):
    s = data.load(slices, "train").spread(4)
    assert len(s) == 4
    for hu, px, row in zip(s.hu, s.pixel, s.rows):
        assert np.array_equal(hu.numpy(), data.read_png(slices / row["file"])) and float(px) == pytest.approx(float(row["pixel_mm"]))


@pytest.mark.parametrize("change,message", [
    (lambda rows: [{k: v for k, v in r.items() if k != "pixel_mm"} for r in rows], "pixel_mm"),
    (lambda rows: [dict(r, split="test") for r in rows], "'train'"),
])
def test_bad_index(tmp_path, change, message):
    synthetic.make(tmp_path, 3, 3, 64)
    rewrite(tmp_path, change)
    with pytest.raises(SystemExit, match=message):
        data.load(tmp_path, "train")


def test_no_index(tmp_path):
    with pytest.raises(SystemExit, match="prepare.py"):
        data.load(tmp_path, "train")


def test_one_size(tmp_path):
    synthetic.make(tmp_path, 3, 3, 64)
    name = data.load(tmp_path, "train").rows[1]["file"]
    data.write_png(tmp_path / name, np.zeros((32, 32)))
    with pytest.raises(SystemExit, match="one set has one size"):
        data.load(tmp_path, "train")


def test_patient_weights():
    w = data.patient_weights(["a"] * 9 + ["b"])
    assert float(w.sum()) == pytest.approx(1)
    assert float(w[:9].sum() / w[9]) == pytest.approx(3)  # sqrt(9) to sqrt(1)


def test_augment_is_repeatable(hu):
    px = torch.ones(len(hu))
    a, b, c = [data.augment(hu, px, generator(s))[0] for s in (1, 1, 2)]
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_still_augmentation_flips_only(hu):
    x, px = data.augment(hu, torch.full((len(hu),), 1.5), generator(), STILL)
    assert torch.allclose(px, torch.full_like(px, 1.5))
    for got, want in zip(x, hu):
        assert min(float((got - w).abs().max()) for w in (want, want.flip(1))) < 0.5


def test_pixel_follows_scale():
    """A disc keeps its size in millimetres when it is scaled."""
    t = torch.arange(128) - 63.5
    disc = (torch.hypot(t[:, None], t[None]) < 30).float() * 1000 - 1000
    x, px = data.augment(disc.expand(16, -1, -1), torch.ones(16), generator(), data.Augmentation(1, 0, 0, 0, 0))
    area = (x > -500).float().sum((1, 2)) * px**2
    assert float(px.std()) > 0.02 and torch.allclose(area, torch.full_like(area, np.pi * 30**2), rtol=0.02)


def test_augmentation_leaves_air(hu):
    """Offset, gain and noise act on the body; air outside stays at -1000 HU."""
    x, _ = data.augment(hu, torch.ones(len(hu)), generator(), data.Augmentation(0, 0.02, 30, 0, 30))
    assert float((x[:, 0, 0] + 1000).abs().max()) < 1e-3
    assert float((x - hu).abs().max()) > 10


def test_objects_stay_in_the_body(hu):
    """Ellipses are added to what is there, their size in millimetres; no air outside the body, and nothing below -1000 HU."""
    how = data.Augmentation(0, 0, 0, 0, 0, objects=1)
    x, _ = data.augment(hu, torch.ones(len(hu)), generator(), how)
    plain, _ = data.augment(hu, torch.ones(len(hu)), generator(), STILL)
    assert all(float((a - b).abs().max()) > 10 for a, b in zip(x, plain))
    assert float(x.min()) >= -1000 and float((x[:, 0, 0] + 1000).abs().max()) < 1e-3


def test_phantoms_have_few_values():
    """A body of one value: the commonest value inside fills most of it."""
    x, _ = data.augment(torch.full((8, 128, 128), -1000.0), torch.ones(8), generator(), data.Augmentation(0, 0, 0, 0, 0, phantoms=1))
    for v in x:
        inside = v[v > -200].round()
        assert len(inside) > 1000 and float((inside == inside.mode().values).float().mean()) > 0.5


def test_ellipse():
    """Area and middle are those asked for, in pixels."""
    one = lambda v: torch.tensor([float(v)])
    e = data.ellipse(128, one(10), one(-6), one(20), one(12), one(0.7), one(0.5))[0]
    t = torch.arange(128) - 63.5
    assert float(e.sum()) == pytest.approx(np.pi * 20 * 12, rel=0.02)
    assert [float((e.sum(k) * t).sum() / e.sum()) for k in (0, 1)] == pytest.approx([10, -6], abs=0.1)


@pytest.mark.parametrize("sigma", [0.0, 0.4, 0.7])
def test_blur(sigma):
    x = torch.randn(2, 32, 32, generator=generator()) + 5
    y = data.blur(x, torch.full((2,), sigma))
    assert float(y.mean() - x.mean()) == pytest.approx(0, abs=0.02)
    assert torch.allclose(x, y, atol=1e-5) if sigma == 0 else float(y.std()) < float(x.std())


def test_synthetic_is_repeatable_and_ct_like(tmp_path):
    a, b = [data.load(synthetic.make(tmp_path / n, 6, 3, 64, seed=5), "train").hu for n in "ab"]
    assert torch.equal(a, b)
    assert float((a == -1000).float().mean()) > 0.2 and int(a.max()) > 100
