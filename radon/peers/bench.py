"""Times ASTRA and scikit-image, then ctrecon's benchmarks, on one thread in one run, and prints Markdown with the ratios.

    make bench-peers          (in a virtual environment of its own; Linux x86-64)

Both sides project the same raster of the modified Shepp-Logan phantom; first the errors against the exact bin-averaged
sinogram are shown (ctrecon writes phantom and sinogram), so that nothing is fast by being wrong. Minimum of repeated runs.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import astra
import numpy as np
from skimage.transform import iradon

SIZES = ((256, 25), (256, 720), (512, 720))
CTRECON, GO = sys.argv[1], sys.argv[2]
MU = 0.0195


def best(f, seconds=2.0, least=3):
    times, end = [], time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        t = time.perf_counter()
        f()
        times.append(time.perf_counter() - t)
    return 1e3 * min(times)


def phantom(n, views):
    """Raster in 1/mm on unit pixels, and the exact sinogram divided by the pixel size."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "p"
        subprocess.run([CTRECON, "phantom", "--size", str(n), "--angles", str(views), "--out", str(out), "shepp-logan-modified"], check=True, stdout=subprocess.DEVNULL)
        hu, sino = np.load(out / "image.npy").reshape(n, n), np.load(out / "sino.npy")
        spacing = json.loads((out / "sino.npy.json").read_text())["detector_spacing_mm"]
    return (MU * (1 + hu / 1000)).astype(np.float32), (sino / spacing).astype(np.float32)


def run_astra(kind, x, y):
    """(FP, BP, FBP in ms, sinogram) by ASTRA's CPU projector of a kind."""
    n, (views, bins) = x.shape[0], y.shape
    vol = astra.create_vol_geom(n, n)
    # ASTRA's views turn the other way: s = x cos - y sin with y down is ours with y up
    geo = astra.create_proj_geom("parallel", 1.0, bins, np.arange(views) * np.pi / views)
    p = astra.create_projector(kind, geo, vol)
    vid, sid = astra.data2d.create("-vol", vol, x), astra.data2d.create("-sino", geo, y)
    rid, fid = astra.data2d.create("-vol", vol), astra.data2d.create("-sino", geo)
    made = []

    def algorithm(name, **data):
        c = astra.astra_dict(name)
        c.update(ProjectorId=p, **data)
        made.append(astra.algorithm.create(c))
        return lambda a=made[-1]: astra.algorithm.run(a)

    fp = best(algorithm("FP", ProjectionDataId=fid, VolumeDataId=vid))
    bp = best(algorithm("BP", ProjectionDataId=sid, ReconstructionDataId=rid))
    fbp = best(algorithm("FBP", ProjectionDataId=sid, ReconstructionDataId=rid))
    sino = astra.data2d.get(fid)
    astra.algorithm.delete(made), astra.projector.delete(p), astra.data2d.delete([vid, sid, rid, fid])
    return fp, bp, fbp, sino


def error(sino, exact):
    """Relative L2 error, with views as they are or turning the other way."""
    other = np.concatenate((exact[:1], exact[:0:-1, ::-1]))
    return min(float(np.linalg.norm(sino - e) / np.linalg.norm(exact)) for e in (exact, exact[:, ::-1], other, other[:, ::-1]))


def ours():
    """{(name, size): ms} of go test -bench, on one thread."""
    out = subprocess.run([GO, "test", "-run", "^$", "-bench", "^Benchmark(Forward|Adjoint|FBP)$", "-cpu", "1", "-count", "3", "./radon"], check=True, capture_output=True, text=True).stdout
    times = {}
    for name, size, ns in re.findall(r"^Benchmark(\w+)/(\d+x\d+x\d+)/threads=1\s+\d+\s+([\d.]+) ns/op", out, re.M):
        times[name, size] = min(times.get((name, size), 1e99), float(ns) / 1e6)
    return times


def main():
    mine = ours()
    print("| size | what | ASTRA linear | ASTRA strip | scikit-image | ctrecon | against linear | against strip |\n|---|---|---|---|---|---|---|---|")
    for n, views in SIZES:
        x, y = phantom(n, views)
        size = f"{n}x{views}x{y.shape[1]}"
        linear, strip = run_astra("linear", x, y), run_astra("strip", x, y)
        sk = best(lambda: iradon(y.T, theta=np.arange(views) * 180 / views, output_size=n, circle=False), least=2)
        for k, name in enumerate(("Forward", "Adjoint", "FBP")):
            m = mine[name, size]
            peer = f"{sk:.1f} ms" if name == "FBP" else ""
            print(f"| {size} | {name} | {linear[k]:.2f} ms | {strip[k]:.2f} ms | {peer} | {m:.3f} ms | {linear[k] / m:.0f}x | {strip[k] / m:.0f}x |", flush=True)
        print(f"| {size} | error of the projection | {error(linear[3], y):.2e} | {error(strip[3], y):.2e} | | see `radon/project_test.go` | | |", flush=True)


main()
