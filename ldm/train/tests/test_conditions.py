import json
import shutil

import numpy as np
import pytest
import torch

import conditions
import data
import model
from conftest import SMALL, TINY, call


def make(slices, program, out, *more):
    for _ in range(2):  # the second call finds all shards done
        call("conditions", "--data", slices, "--out", out, "--slices", 6, "--shard", 4, "--program", program, *more)
    return out


@pytest.fixture(scope="session")
def pairs(slices, program, tmp_path_factory):
    return make(slices, program, tmp_path_factory.mktemp("pairs"), "--method", "tv")


def rms(a, b):
    return float(np.sqrt(np.mean((a.astype(float) - b.astype(float)) ** 2)))


def test_pairs_belong_together(pairs):
    hu, fbp, start = conditions.read(pairs, "hu", "fbp", "start")
    assert hu.shape == (6, 64, 64) and hu.dtype == np.int16
    assert rms(start, hu) < rms(fbp, hu)
    for i in range(6):
        assert rms(start[i], hu[i]) < min(rms(start[j], hu[i]) for j in range(6) if j != i)


def test_scans_are_those_of_the_pairs(slices, program, pairs, tmp_path):
    """The same seed measures the same slices in the same way, whatever is reconstructed."""
    scans = make(slices, program, tmp_path)
    for a, b in zip(*[conditions.read(f, "hu", "fbp", "views", "first", "arc", "bins", "sigma", "photons") for f in (scans, pairs)]):
        assert np.array_equal(a, b)
    with pytest.raises(SystemExit, match="no start in it"):
        conditions.read(scans, "hu", "start")


def test_jobs_are_drawn_widely():
    jobs = conditions.draw(6000, 25, 0.01, 64, np.random.default_rng(0))
    views, first, arc, bins, sigma, photons, seeds = map(np.array, zip(*jobs))
    assert np.mean(views == 25) == pytest.approx(0.6, abs=0.03) and set(views) == {25, *conditions.VIEW_COUNTS}
    counts, gauss = photons > 0, sigma[sigma > 0]
    assert np.mean(counts) == pytest.approx(0.1, abs=0.02) and set(photons) == {0, *conditions.PHOTONS} and np.array_equal(counts, sigma == 0)
    assert np.mean(gauss == 0.01) == pytest.approx(0.6, abs=0.03) and 0.001 < gauss.min() < 0.002 and 0.03 < gauss.max() < 0.05
    assert np.mean(bins > 0) == pytest.approx(1 / 12, abs=0.02) and set(bins) == {0, *(round(1.43 * 64 * f) for f in conditions.NARROW)}
    short = arc < 180
    assert np.mean(short) == pytest.approx(1 / 6, abs=0.02) and set(arc) == {180, *conditions.ARCS} and set(first[short]) == {0, 45, 90, 135}
    whole = first[~short] * views[~short]  # none or half a step
    assert set(np.round(whole)) == {0, 90} and np.mean(whole > 0) == pytest.approx(0.25, abs=0.03)
    assert len(set(seeds)) == 6000


def test_jobs_of_held_out_slices():
    assert conditions.usual(2, 12, 0.02, 3) == [(12, 0.0, 180.0, 0, 0.02, 0.0, 300009), (12, 0.0, 180.0, 0, 0.02, 0.0, 300010)]


@pytest.fixture
def some(slices):
    return data.load(slices, "train").hu.float()[:2].clamp_min(-1000).numpy()


def test_seeds_and_workers(some, program):
    def get(seeds, workers):
        jobs = [(v, 0.0, 180.0, 0, s, 0.0, k) for v, s, k in zip((12, 25), (0.01, 0.02), seeds)]
        return conditions.reconstruct(some, [2.0, 2.0], jobs, program=program, workers=workers)[0]

    assert np.array_equal(get([1, 2], 1), get([1, 2], 2)) and not np.array_equal(get([1, 2], 1), get([1, 3], 1))


def test_first_angle_and_arc(some, program):
    """A short arc from 90 degrees on sees of a slice what one from 0 on sees of the slice turned by as much: less than a whole one."""
    fbp = lambda hu, *at: conditions.reconstruct(hu, [2.0, 2.0], [(30, *at, 0, 1e-4, 0.0, 1)] * 2, program=program)[0]
    turned = np.rot90(fbp(np.rot90(some, -1, (1, 2)), 0.0, 60.0), 1, (1, 2))
    at0, at90 = fbp(some, 0.0, 60.0), fbp(some, 90.0, 60.0)
    assert rms(at90, turned) < 0.05 * rms(at90, at0)
    assert min(rms(at0, some), rms(at90, some)) > 2 * rms(fbp(some, 0.0, 180.0), some)


def test_narrow_detectors_and_photons(some, program):
    """Bins beside a narrow detector are missed, all but in the middle; fewer photons make more noise, none of them the same."""
    fbp = lambda bins, sigma, photons: conditions.reconstruct(some, [2.0, 2.0], [(60, 0.0, 180.0, bins, sigma, photons, 1)] * 2, program=program)[0]
    clean, narrow, poor, rich = fbp(0, 1e-4, 0.0), fbp(46, 1e-4, 0.0), fbp(0, 0.0, 1e4), fbp(0, 0.0, 1e6)
    middle = (slice(None), slice(26, 38), slice(26, 38))
    edges = lambda v: np.diff(v[middle], axis=1)
    assert rms(narrow, clean) > 100 and rms(edges(narrow), edges(clean)) < 0.2 * rms(edges(clean), 0 * edges(clean))
    assert rms(poor, clean) > 5 * rms(rich, clean) > 0


def test_networks_of_a_bundle(some, onnx_program):
    """Methods come in the order that is asked for; the tiny network's image of FBP is .9 of its attenuation."""
    unet, tv, fbp = conditions.reconstruct(some, [2.0, 2.0], conditions.usual(2), ["fbp-unet", "tv", "fbp-hann"], TINY, onnx_program)
    assert np.allclose(unet + 1000, 0.9 * (fbp + 1000), atol=0.05)
    assert rms(tv, some) < min(rms(fbp, some), rms(unet, some))


def test_a_missing_program_is_named(tmp_path):
    with pytest.raises(SystemExit, match="go build"):
        conditions.reconstruct(np.zeros((1, 64, 64)), [1.0], conditions.usual(1), program=tmp_path / "none")


def to_bundle(slices, run, pairs, program, out, start, *export):
    """Trains a UNet that takes a start too, measures and exports it; the description."""
    shutil.copy(run / "ae.pt", out)
    how = ["--model", TINY, "--program", program]
    call("train", "unet", "--data", slices, "--out", out, "--steps", 2, "--init", run, "--pairs", pairs, "--method", start, *how, *SMALL)
    shape = model.unet_shape(model.load_state(out / "unet.pt"))
    assert shape["start"] and shape["cond"]
    call("measure", "--data", slices, "--out", out, "--slices", 2, "--views", 12, "--levels", -6, 0, 3, "--start", start, *how)
    call("export", "--data", slices, "--out", out, "--bundle", out / "bundle", "--size", 64, "--no-free", "--start", start, *export)
    b = json.loads((out / "bundle" / "bundle.json").read_text())
    assert [i["name"] for i in b["files"]["unet.onnx"]["inputs"]] == ["z", "lognsr", "cond", "flag", "start"]
    assert b["conditioning"]["start"] == dict(kind=start, encoded=True)
    return b


def test_tv_to_a_bundle(slices, run, pairs, onnx_program, tmp_path):
    b = to_bundle(slices, run, pairs, onnx_program, tmp_path, "tv", "--arc", 180)
    assert b["conditioning"]["cond"]["arc_degrees"] == 180 and "restorer" not in b


def test_restorer_to_a_bundle(slices, run, onnx_program, some, tmp_path):
    """The bundle takes over the restorer of another, and ctrecon reconstructs with it."""
    pairs = make(slices, onnx_program, tmp_path / "pairs", "--method", "pnp-unet", "--model", TINY)
    b = to_bundle(slices, run, pairs, onnx_program, tmp_path, "pnp-unet", "--restorer", TINY)
    tiny = json.loads((TINY / "bundle.json").read_text())
    assert b["conditioning"]["cond"]["arc_degrees"] == min(conditions.ARCS)
    assert b["restorer"] == tiny["restorer"] and b["files"]["restorer.onnx"] == tiny["files"]["restorer.onnx"]
    images = [conditions.reconstruct(some, [2.0, 2.0], conditions.usual(2), ["pnp-unet"], f, onnx_program)[0] for f in (TINY, tmp_path / "bundle")]
    assert np.array_equal(*images)
    with pytest.raises(SystemExit, match="has no restorer"):
        del tiny["restorer"]
        (tmp_path / "bundle.json").write_text(json.dumps(tiny))
        call("export", "--data", slices, "--out", tmp_path, "--bundle", tmp_path / "other", "--size", 64, "--no-free", "--restorer", tmp_path)
    assert not (tmp_path / "other").exists()


def test_widening_changes_nothing():
    torch.manual_seed(0)
    old = model.UNet((16, 16), 1, 4).eval()
    new = model.UNet((16, 16), 1, 4, start=True).eval()
    new.load_state_dict(model.widen(old.state_dict(), new))
    z, l, c, one = torch.randn(2, 4, 16, 16), torch.zeros(2), torch.randn(2, 1, 64, 64), torch.ones(2)
    assert torch.equal(old(z, l, c, one), new(z, l, c, one, z))
