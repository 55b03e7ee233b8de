"""Times ASTRA, scikit-image and tomopy, and ctrecon's benchmarks, on one thread in one run, and prints Markdown with the ratios.

    make bench-peers          (in a virtual environment of its own; Linux x86-64)

Both sides project the same raster of the modified Shepp-Logan phantom; first the errors against the exact bin-averaged
sinogram are shown (ctrecon writes phantom and sinogram), and those of the filtered backprojections against the phantom, so
that nothing is fast by being wrong. Peers: least CPU time of repeated runs; ctrecon: least wall time of short ones.
tomopy has no wheel: its gridrec is timed where it is installed (conda-forge), else its column stays empty.
"""
import itertools
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
try:
    import tomopy
except ImportError:
    tomopy = None
import astra
import numpy as np
from skimage.transform import iradon

SIZES = ((256, 25), (256, 720), (512, 720))
NAMES = ("Forward", "Adjoint", "FBP")
CTRECON, GO = sys.argv[1], sys.argv[2]
MU = 0.0195
STACK = 16  # slices that gridrec gets at once: it works on pairs, with tables for all


def best(f, seconds=2.0, least=3):
    times, end = [], time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        t = time.process_time()
        f()
        times.append(time.process_time() - t)
    return 1e3 * min(times)


def phantom(n, views):
    """Raster in 1/mm on unit pixels, the exact sinogram divided by the pixel size, and ctrecon's FBP of it."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "p"
        subprocess.run([CTRECON, "phantom", "--size", str(n), "--angles", str(views), "--out", str(out), "shepp-logan-modified"], check=True, stdout=subprocess.DEVNULL)
        hu, sino = np.load(out / "image.npy").reshape(n, n), np.load(out / "sino.npy")
        spacing = json.loads((out / "sino.npy.json").read_text())["detector_spacing_mm"]
        subprocess.run([CTRECON, "--method", "fbp", "--image-size", str(n), "--pixel-size", str(spacing), "--keep-arrays", "--quiet", "--out", str(out / "r"), str(out / "sino.npy")], check=True, stdout=subprocess.DEVNULL)
        fbp = np.load(out / "r" / "fbp.npy").reshape(n, n)
    return mu(hu), (sino / spacing).astype(np.float32), mu(fbp)


def mu(hu):
    return (MU * (1 + hu / 1000)).astype(np.float32)


def run_astra(kind, x, y, geo=None):
    """(FP, BP, FBP in ms, sinogram) by ASTRA's CPU projector of a kind; no FBP with a geometry of its own."""
    n, (views, bins) = x.shape[0], y.shape
    vol = astra.create_vol_geom(n, n)
    # ASTRA's views turn the other way: s = x cos - y sin with y down is ours with y up
    parallel = geo is None
    geo = geo or astra.create_proj_geom("parallel", 1.0, bins, np.arange(views) * np.pi / views)
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
    fbp = best(algorithm("FBP", ProjectionDataId=sid, ReconstructionDataId=rid)) if parallel else None
    sino = astra.data2d.get(fid)
    astra.algorithm.delete(made), astra.projector.delete(p), astra.data2d.delete([vid, sid, rid, fid])
    return fp, bp, fbp, sino


def error(sino, exact):
    """Relative L2 error, with views as they are or turning the other way."""
    other = np.concatenate((exact[:1], exact[:0:-1, ::-1]))
    return min(float(np.linalg.norm(sino - e) / np.linalg.norm(exact)) for e in (exact, exact[:, ::-1], other, other[:, ::-1]))


def run_gridrec(y, n):
    """(ms a slice, image) by tomopy's gridrec with the plain ramp."""
    if not tomopy:
        return None, None
    views, bins = y.shape
    stack, theta = np.repeat(y[None], STACK, 0), np.arange(views) * np.pi / views
    f = lambda: tomopy.recon(stack, theta, center=(bins - 1) / 2, sinogram_order=True, algorithm="gridrec", filter_name="ramlak", num_gridx=n, num_gridy=n, ncore=1)
    image = f()[0]
    return best(f) / STACK, image


def fbp_error(image, x):
    """Relative L2 error in the inscribed circle, after the best turn or mirroring, shift by half pixels, scale and offset:
    packages differ in these, and gridrec pads no zeros, which costs it the mean."""
    n = x.shape[0]
    g, k = np.arange(n) - (n - 1) / 2, np.fft.fftfreq(n)
    inside = np.hypot(g[:, None], g) < n / 2
    want, errors = x[inside], []
    for a in (np.rot90(b, turn) for b in (image, image.T) for turn in range(4)):
        spectrum = np.fft.fft2(a)
        for dy, dx in itertools.product((0, 0.5, -0.5), repeat=2):
            moved = np.fft.ifft2(spectrum * np.exp(-2j * np.pi * (dy * k[:, None] + dx * k))).real[inside]
            fit = np.stack((moved, np.ones_like(moved)), 1)
            errors.append(np.linalg.norm(fit @ np.linalg.lstsq(fit, want, rcond=None)[0] - want))
    return float(min(errors) / np.linalg.norm(want))


def go_bench(pattern, *flags):
    """{(name, size, threads): (ms, GB/s)} of go test -bench: the best of many short ones, which other work may leave alone."""
    cmd = [GO, "test", "-run", "^$", "-bench", pattern, "-count", "50", "-benchtime", "20ms", *flags, "./radon"]
    out = subprocess.run(cmd, check=True, capture_output=True, text=True).stdout
    best_of = {}
    line = r"^Benchmark(\w+|Fan/\w+)/(\w+)(?:/threads=(\d+)|/tile=\d+)?(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(?:\s+([\d.]+) MB/s)?(?:.*?([\d.]+) ns/slice)?"
    for name, size, threads, ns, rate, slice_ns in re.findall(line, out, re.M):
        ms, gb = float(slice_ns or ns) / 1e6, float(rate or 0) / 1e3
        old = best_of.get((name, size, int(threads or 1)), (1e99, 0))
        best_of[name, size, int(threads or 1)] = min(old[0], ms), max(old[1], gb)
    return best_of


# The modified Shepp-Logan phantom (Toft 1996): value, half axes, centre, degrees, in half images.
ELLIPSES = np.array([
    (1, .69, .92, 0, 0, 0), (-.8, .6624, .874, 0, -.0184, 0), (-.2, .11, .31, .22, 0, -18), (-.2, .16, .41, -.22, 0, 18), (.1, .21, .25, 0, .35, 0),
    (.1, .046, .046, 0, .1, 0), (.1, .046, .046, 0, -.1, 0), (.1, .046, .023, -.08, -.605, 0), (.1, .023, .023, 0, -.606, 0), (.1, .023, .046, .06, -.605, 0)])


def fan_exact(n, views, bins, width, sod, sdd, rays=16):
    """Averages over the bins of exact line integrals, on unit pixels, of a fan on a flat detector."""
    u = ((np.arange(bins * rays) + 0.5) / rays - bins / 2) * width
    gamma = np.arctan(u / sdd)
    theta, s = np.arange(views)[:, None] * 2 * np.pi / views - gamma, sod * np.sin(gamma)
    out = np.zeros(theta.shape)
    for v, a, b, x, y, deg in ELLIPSES * (1, n / 2, n / 2, n / 2, n / 2, 1):
        t = theta - np.radians(deg)
        half = (a * np.cos(t)) ** 2 + (b * np.sin(t)) ** 2
        d = s - x * np.cos(theta) - y * np.sin(theta)
        out += v * 2 * a * b * np.sqrt(np.maximum(0, half - d * d)) / half
    return out.reshape(views, bins, rays).mean(2)


def fans():
    """Fan beams, flat detector: the same sizes, the source two image sides away, detector as far behind."""
    print("\n| fan beam | what | ASTRA line | ASTRA strip | ctrecon | against line | against strip |\n|---|---|---|---|---|---|---|")
    for n, views, bins in ((256, 25, 367), (512, 720, 729)):
        x = phantom(n, views)[0]
        vol = astra.create_vol_geom(n, n)
        geo = astra.create_proj_geom("fanflat", 2.0, bins, np.arange(views) * 2 * np.pi / views, 2.0 * n, 2.0 * n)
        peers = [run_astra(f"{kind}_fanflat", x, np.zeros((views, bins), np.float32), geo) for kind in ("line", "strip")]
        size = f"{n}x{views}x{bins}"
        mine = go_bench(f"^BenchmarkFan$/^(forward|adjoint)$/^{size}$/^threads=1$", "-cpu", "1")
        for k, name in enumerate(("forward", "adjoint")):
            m = mine[f"Fan/{name}", size, 1][0]
            print(f"| {size} | {name} | {peers[0][k]:.2f} ms | {peers[1][k]:.2f} ms | {m:.3f} ms | {peers[0][k] / m:.1f}x | {peers[1][k] / m:.1f}x |", flush=True)
        exact = fan_exact(n, views, bins, 2.0, 2.0 * n, 4.0 * n) * 2 * MU  # a value of 1 is 1000 HU
        errors = [error(p[3], exact) for p in peers]
        print(f"| {size} | error of the projection | {errors[0]:.2e} | {errors[1]:.2e} | see `TestFanAnalytic` | | |", flush=True)


def cores(one, many):
    """Prints how much faster all cores are than one."""
    print("\n| size | what | one thread | all cores | times faster |\n|---|---|---|---|---|")
    for (name, size, threads), (ms, _) in sorted(many.items()):
        alone = one.get((name, size, 1), many.get((name, size, 1)))
        if threads > 1 and alone:
            print(f"| {size} | {name} | {alone[0]:.3f} ms | {ms:.3f} ms | {alone[0] / ms:.2f} on {threads} |")


def main():
    version = f" ({tomopy.__version__})" if tomopy else ""
    print(f"| size | what | ASTRA linear | ASTRA strip | scikit-image | tomopy gridrec{version} | ctrecon | against linear | against strip | against gridrec |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    peer_times, everything = {}, {}
    for n, views in SIZES:
        x, y, fbp = phantom(n, views)
        size = f"{n}x{views}x{y.shape[1]}"
        mine = go_bench(f"^Benchmark(Forward|Adjoint|FBP)$/^{size}$/^threads=1$", "-cpu", "1")
        everything.update(mine)
        linear, strip = run_astra("linear", x, y), run_astra("strip", x, y)
        peer_times[size] = linear
        radon = lambda: iradon(y.T, theta=np.arange(views) * 180 / views, output_size=n, circle=False)
        sk, (grid, grid_image) = best(radon, least=2), run_gridrec(y, n)
        for k, name in enumerate(NAMES):
            m = mine[name, size, 1][0]
            others = [f"{t:.2f} ms" if t and name == "FBP" else "" for t in (sk, grid)]
            ratio = f"{grid / m:.1f}x" if grid and name == "FBP" else ""
            print(f"| {size} | {name} | {linear[k]:.2f} ms | {strip[k]:.2f} ms | {others[0]} | {others[1]} | {m:.3f} ms | {linear[k] / m:.0f}x | {strip[k] / m:.0f}x | {ratio} |", flush=True)
        print(f"| {size} | error of the projection | {error(linear[3], y):.2e} | {error(strip[3], y):.2e} | | | see `radon/project_test.go` | | | |", flush=True)
        grid_error = f"{fbp_error(grid_image, x):.3f}" if grid else ""
        print(f"| {size} | error of FBP | | | {fbp_error(radon(), x):.3f} | {grid_error} | {fbp_error(fbp, x):.3f} | | | |", flush=True)

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
    fans()


main()
