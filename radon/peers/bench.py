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
NAMES = ("Forward", "Adjoint", "FBP")
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


def go_bench(pattern, *flags):
    """{(name, size, threads): (ms, GB/s)}, the best of five, of go test -bench."""
    cmd = [GO, "test", "-run", "^$", "-bench", pattern, "-count", "5", "-benchtime", "0.3s", *flags, "./radon"]
    out = subprocess.run(cmd, check=True, capture_output=True, text=True).stdout
    best_of = {}
    line = r"^Benchmark(\w+)/(\w+)(?:/threads=(\d+)|/tile=\d+)?(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(?:\s+([\d.]+) MB/s)?(?:.*?([\d.]+) ns/slice)?"
    for name, size, threads, ns, rate, slice_ns in re.findall(line, out, re.M):
        ms, gb = float(slice_ns or ns) / 1e6, float(rate or 0) / 1e3
        old = best_of.get((name, size, int(threads or 1)), (1e99, 0))
        best_of[name, size, int(threads or 1)] = min(old[0], ms), max(old[1], gb)
    return best_of


def cores(one, many):
    """Prints how much faster all cores are than one."""
    print("\n| size | what | one thread | all cores | times faster |\n|---|---|---|---|---|")
    for (name, size, threads), (ms, _) in sorted(many.items()):
        alone = one.get((name, size, 1), many.get((name, size, 1)))
        if threads > 1 and alone:
            print(f"| {size} | {name} | {alone[0]:.3f} ms | {ms:.3f} ms | {alone[0] / ms:.2f} on {threads} |")


def main():
    print("| size | what | ASTRA linear | ASTRA strip | scikit-image | ctrecon | against linear | against strip |\n|---|---|---|---|---|---|---|---|")
    peer_times, everything = {}, {}
    for n, views in SIZES:
        x, y = phantom(n, views)
        size = f"{n}x{views}x{y.shape[1]}"
        mine = go_bench(f"^Benchmark(Forward|Adjoint|FBP)$/^{size}$/^threads=1$", "-cpu", "1")
        everything.update(mine)
        linear, strip = run_astra("linear", x, y), run_astra("strip", x, y)
        peer_times[size] = linear
        sk = best(lambda: iradon(y.T, theta=np.arange(views) * 180 / views, output_size=n, circle=False), least=2)
        for k, name in enumerate(NAMES):
            m = mine[name, size, 1][0]
            peer = f"{sk:.1f} ms" if name == "FBP" else ""
            print(f"| {size} | {name} | {linear[k]:.2f} ms | {strip[k]:.2f} ms | {peer} | {m:.3f} ms | {linear[k] / m:.0f}x | {strip[k] / m:.0f}x |", flush=True)
        print(f"| {size} | error of the projection | {error(linear[3], y):.2e} | {error(strip[3], y):.2e} | | see `radon/project_test.go` | | |", flush=True)

    size = "256x25x367"
    limits = go_bench("^BenchmarkLimit$", "-cpu", "1")
    limit = limits["Limit", "L2", 1][1]
    rate = everything["Forward", size, 1][1]
    print(f"\nLimit: lines at any place are added from the L2 cache at {limit:.1f} GB/s; the whole of Apply at {size} reads {rate:.1f} GB/s of image, {100 * rate / limit:.0f} % of that, because strips of the image stay in L1, where the rate is {limits['Limit', 'L1', 1][1]:.1f} GB/s.")
    portable = go_bench(f"^Benchmark(Forward|Adjoint)$/^{size}$/^threads=1$", "-cpu", "1", "-tags", "purego")
    for k, name in enumerate(NAMES[:2]):
        m = portable[name, size, 1][0]
        print(f"Portable Go (`-tags purego`), {name} at {size}: {m:.3f} ms, {peer_times[size][k] / m:.1f}x ASTRA linear.")
    cores(everything, go_bench(r"^Benchmark(Forward|Adjoint|FBP|Batch)$/(512x720x729|256x25x367)$/threads"))


main()
