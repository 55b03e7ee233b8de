"""Synthetic slices, a model trained for two steps, and a way to call a command as the shell does."""
import importlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import pytest
import torch

import data
import diffusion
import model
import synthetic

torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parents[1]
TINY = HERE.parent / "models" / "testdata" / "tiny"  # 64 x 64; its restorer: .6 of the attenuation of u and .3 of that of FBP
SMALL = ["--width", "16", "16", "32", "--batch", "2", "--val", "2", "--pool", "2"]


def call(command, *args):
    """Runs the main function of a command of this folder with these arguments."""
    before = sys.argv
    sys.argv = [command + ".py", *map(str, args)]
    try:
        importlib.import_module(command).main()
    finally:
        sys.argv = before


@pytest.fixture(scope="session")
def slices(tmp_path_factory):
    """A set of 9 train and 6 val slices of 64 x 64."""
    return synthetic.make(tmp_path_factory.mktemp("set"), 9, 6, 64, seed=3)


def library():
    """ONNX Runtime for the Go program: the variable's, that of make ort, or that of the Python package."""
    package = pathlib.Path(importlib.util.find_spec("onnxruntime").origin).parent
    found = [os.environ.get("CTRECON_ONNXRUNTIME"), *HERE.parents[1].glob("lib/libonnxruntime.so.*"), *package.glob("capi/libonnxruntime.so.*")]
    return next((str(f) for f in found if f), None)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The Go program of conditions.py."""
    if not shutil.which("go"):
        pytest.skip("no Go compiler")
    path = tmp_path_factory.mktemp("bin") / "conditions"
    subprocess.run(["go", "build", "-o", path, "./conditions"], cwd=HERE, check=True)
    return path


@pytest.fixture(scope="session")
def onnx_program(program):
    """The same where it can run networks."""
    if not library():
        pytest.skip("no ONNX Runtime")
    os.environ["CTRECON_ONNXRUNTIME"] = library()
    return program


@pytest.fixture(scope="session")
def run(slices, tmp_path_factory):
    """A folder with two steps of every stage."""
    out = tmp_path_factory.mktemp("run")
    for stage in ("ae", "unet"):
        call("train", stage, "--data", slices, "--out", out, "--steps", 2, "--keep", 2, *SMALL)
    return out


@pytest.fixture(scope="session")
def tables(slices, run):
    call("measure", "--data", slices, "--out", run, "--slices", 2, "--views", 12, "--levels", -6, 0, 3)
    return run / "tables.json"


def lively(net, seed=0):
    """net with random weights everywhere: the zero-initialised layers would hide mistakes."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=g) * (0.1 if p.ndim < 2 else p[0].numel() ** -0.5) + (1.0 if p.ndim < 2 else 0.0))
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def prior():
    ae = lively(model.Autoencoder((16, 16), 4, (1, 1)))
    ae.shift.copy_(torch.tensor([0.3, -0.2, 0.1, 0.0]).view(1, 4, 1, 1)), ae.scale.fill_(1.7)
    return diffusion.Prior(ae, lively(model.UNet((16, 16, 32), 1, 4), 1))


@pytest.fixture
def hu(slices):
    return data.load(slices, "train").hu.float()
