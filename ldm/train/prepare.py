"""Makes a PNG set with index.csv from a folder (or zip files) of DICOM CT.

    python prepare.py --dicom study/ --out set --site chest --val 0.2

Every file below the folder is read; CT slices of axial orientation are kept: HU by RescaleSlope and RescaleIntercept, padding to air,
flipped to row 0 anterior and column 0 the patient's right, reduced to --size by averaging, never enlarged. Patients (by PatientID, under
a number in the set) are split, never slices. Private data: the set holds pixels, pixel size, kVp, kernel and nothing that names a person.
"""
import argparse
import collections
import csv
import io
import pathlib
import zipfile

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

import data

AIR = -1000
FIELDS = ("file", "split", "site", "source", "collection", "patient", "pixel_mm", "thickness_mm", "kvp", "kernel", "licence")


class Refused(Exception):
    """Why a file is left out."""


def files(root):
    """(name, bytes) of every file below root; zip files are looked into."""
    for path in sorted(p for p in pathlib.Path(root).rglob("*") if p.is_file()):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as z:
                for name in sorted(z.namelist()):
                    if not name.endswith("/"):
                        yield f"{path.name}/{name}", z.read(name)
        elif path.name != "DICOMDIR":
            yield str(path.relative_to(root)), path.read_bytes()


def header(body):
    try:
        ds = pydicom.dcmread(io.BytesIO(body))
    except InvalidDicomError as e:
        raise Refused("not DICOM") from e
    if ds.get("Modality") != "CT":
        raise Refused("not CT")
    if "LOCALIZER" in [str(v).upper() for v in ds.get("ImageType", [])]:
        raise Refused("a localizer")
    if int(ds.get("NumberOfFrames", 1) or 1) > 1:
        raise Refused("an enhanced multi-frame object; convert it to single slices")
    if "PixelSpacing" not in ds or "PixelData" not in ds:
        raise Refused("no pixel spacing or pixel data")
    return ds


def orient(hu, ds):
    """hu with row 0 anterior and column 0 the patient's right; refuses what is not axial."""
    r = np.array([float(v) for v in ds.get("ImageOrientationPatient", [1, 0, 0, 0, 1, 0])])
    if abs(r[0]) < 0.9 or abs(r[4]) < 0.8:
        raise Refused("not axial, or a decubitus scan")
    if r[0] < 0:
        hu = hu[:, ::-1]
    return hu[::-1] if r[4] < 0 else hu


def to_hu(ds):
    """Stored values to HU in float32; padding and values below -1100 become air."""
    try:
        raw = ds.pixel_array.astype(np.float32)
    except (RuntimeError, NotImplementedError, AttributeError, ValueError) as e:
        raise Refused(f"pixels cannot be decoded ({e}); pylibjpeg-openjpeg and pylibjpeg-libjpeg add codecs") from e
    if raw.ndim != 2:
        raise Refused("not a greyscale slice")
    hu = raw * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
    if "PixelPaddingValue" in ds:
        hu[raw == float(ds.PixelPaddingValue)] = AIR
    hu[hu < -1100] = AIR
    return hu


def reduce(hu, px, size):
    """hu padded with air to a square and averaged down to size x size; (hu, pixel size in mm)."""
    n = max(hu.shape)
    if n < size:
        raise Refused(f"only {hu.shape[0]} x {hu.shape[1]}; images are never enlarged, use a smaller --size")
    k = -(-n // size)
    full = np.full((k * size, k * size), AIR, np.float32)
    y, x = (k * size - hu.shape[0]) // 2, (k * size - hu.shape[1]) // 2
    full[y:y + hu.shape[0], x:x + hu.shape[1]] = hu
    return full.reshape(size, k, size, k).mean((1, 3)), px * k


def read_slice(body, size, least):
    """(hu, pixel size in mm, header) of a file, or Refused."""
    ds = header(body)
    dy, dx = [float(v) for v in ds.PixelSpacing]
    if abs(dx - dy) > 0.01 * dx:
        raise Refused("pixels are not square")
    hu, px = reduce(orient(to_hu(ds), ds), dx, size)
    if np.mean(hu > -400) < least:
        raise Refused("hardly any body")
    return hu, px, ds


def number(ds, name):
    """An element as text, empty where it is missing."""
    v = ds.get(name)
    return "" if v in (None, "") else f"{float(v):g}"


def position(ds):
    """Where a slice lies along the body, in mm."""
    ipp = ds.get("ImagePositionPatient")
    return float(ipp[2]) if ipp is not None else float(ds.get("SliceLocation", ds.get("InstanceNumber", 0)) or 0)


def collect(root, a):
    """{(patient, series): [slice]} in reading order, and why files were left out."""
    series, why = collections.defaultdict(list), collections.Counter()
    for _, body in files(root):
        try:
            hu, px, ds = read_slice(body, a.size, a.least_body)
        except Refused as e:
            why[str(e)] += 1
            continue
        row = dict(pixel_mm=round(px, 5), thickness_mm=number(ds, "SliceThickness"), kvp=number(ds, "KVP"), kernel=str(ds.get("ConvolutionKernel", "")))
        who = str(ds.get("PatientID", "")) or str(ds.get("StudyInstanceUID", ""))
        series[who, str(ds.get("SeriesInstanceUID", ""))].append((position(ds), hu, row))
    return series, why


def thin(slices, spacing):
    """Slices of one series from the caudal end, at least spacing mm apart."""
    out, last = [], -np.inf
    for s in sorted(slices, key=lambda s: s[0]):
        if s[0] - last >= spacing - 1e-3:
            out.append(s)
            last = s[0]
    return out


def split_of(patients, share, seed):
    """{patient: split}: a share of the patients, at least one where there are two, goes to val."""
    order = np.random.default_rng(seed).permutation(len(patients))
    n = max(1, round(share * len(patients))) if share > 0 and len(patients) > 1 else 0
    return {patients[i]: "val" if k < n else "train" for k, i in enumerate(order)}


def write(out, series, a):
    """Writes PNGs and index.csv; returns the rows."""
    patients = sorted({p for p, _ in series})
    split, number = split_of(patients, a.val, a.seed), {p: f"p{i:04d}" for i, p in enumerate(patients)}
    rows = []
    for s, ((who, _), slices) in enumerate(sorted(series.items())):
        for i, (_, hu, row) in enumerate(thin(slices, a.spacing)):
            name = f"{split[who]}/{a.site}_{a.source}_{number[who]}_s{s:03d}_{i:03d}.png"
            (out / split[who]).mkdir(parents=True, exist_ok=True)
            data.write_png(out / name, np.clip(hu, -1024, 3071))
            rows.append(dict(row, file=name, split=split[who], site=a.site, source=a.source, collection=a.collection, patient=number[who],
                             licence=a.licence))
    with open(out / "index.csv", "w", newline="") as f:
        w = csv.DictWriter(f, FIELDS)
        w.writeheader(), w.writerows(rows)
    return rows


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dicom", required=True), p.add_argument("--out", required=True), p.add_argument("--size", type=int, default=256)
    p.add_argument("--site", default="body", help="chest, abdomen, head, ...: results are reported by it")
    p.add_argument("--source", default="own"), p.add_argument("--collection", default=""), p.add_argument("--licence", default="")
    p.add_argument("--val", type=float, default=0.2, help="share of the patients"), p.add_argument("--seed", type=int, default=0)
    p.add_argument("--spacing", type=float, default=4.0, help="mm between slices of a series: neighbours are nearly equal")
    p.add_argument("--least-body", type=float, default=0.045, help="least share of the image that is not air")
    return p


def main():
    a = options().parse_args()
    out = pathlib.Path(a.out)
    if out.exists() and any(out.iterdir()):
        raise SystemExit(f"{out}: is not empty; choose a new folder")
    series, why = collect(a.dicom, a)
    for reason, n in why.most_common():
        print(f"left out {n}: {reason}")
    if not series:
        raise SystemExit(f"{a.dicom}: no axial CT slice found")
    out.mkdir(parents=True, exist_ok=True)
    rows = write(out, series, a)
    of = lambda s: [r for r in rows if r["split"] == s]
    for s in ("train", "val"):
        print(f"{s}: {len(of(s))} slices of {len({r['patient'] for r in of(s)})} patients")
    if not of("val"):
        print("val is empty: training needs a val patient; add patients, or set split by hand in index.csv")


if __name__ == "__main__":
    main()
