"""Collects what evidence_test.go compares: files, and what pydicom reads in them.

    python evidence.py WORK [ZIP ...]

makes WORK/list.json: every DICOM file of pydicom's own tests; one CT slice in every
form that dcmtk, GDCM and pydicom make of it (of CT_small, and of the first slice of
each ZIP); every slice of the ZIPs. An entry has a set, a name, a path, and either
"hu", a file of float32 with pydicom's Hounsfield units, or "reason", why pydicom or
the class of the object gives none. "within" is the error that a form may have.
"""
import io
import json
import pathlib
import shutil
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pydicom
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

warnings.simplefilter("ignore")
CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")

# A command, and the error in stored steps that its form may have against pydicom's
# decoding of it; None for a form without loss, which must equal the slice.
FORMS = [
    *[(["dcmconv", k], None) for k in ("+ti", "+te", "+tb", "+td")],
    (["dcmcrle"], None), (["dcmcjpeg", "+e1"], None), *[(["dcmcjpeg", "+el", "+sv", str(k)], None) for k in range(1, 8)],
    (["dcmcjpls"], None), (["dcmcjpls", "+en"], 0),
    *[(["gdcmconv", k], None) for k in ("--raw", "--rle", "--jpeg", "--jpegls", "--j2k")],
    (["gdcmconv", "--lossy", "--j2k", "-r", "10"], 1), (["gdcmconv", "--lossy", "--jpegls", "-e", "3"], 0),
    *[(["pydicom", k], None) for k in ("rle", "j2k", "jpegls")],
]


def hounsfield(ds):
    """HU of every frame in the order of the file, padding at -1000."""
    px = ds.pixel_array
    frames = px if px.ndim == 3 else px[None]
    shared = ds.get("SharedFunctionalGroupsSequence", [None])[0]
    out = np.empty(frames.shape, "<f4")
    for i, f in enumerate(frames):
        value = None
        if ds.SOPClassUID != CT[0]:
            for group in (ds.PerFrameFunctionalGroupsSequence[i], shared):
                value = value or (group.PixelValueTransformationSequence[0] if group and "PixelValueTransformationSequence" in group else None)
        value = value or ds
        out[i] = f.astype("f8") * float(value.RescaleSlope) + float(value.RescaleIntercept)
        if "PixelPaddingValue" in ds:
            lo = hi = ds.PixelPaddingValue
            if "PixelPaddingRangeLimit" in ds:
                lo, hi = sorted((lo, ds.PixelPaddingRangeLimit))
            out[i][(f >= lo) & (f <= hi)] = -1000
    return out


class Evidence:
    def __init__(self, work):
        self.work, self.list = work, []

    def add(self, of, name, path, within=0.0, like=None):
        """An entry with what pydicom reads in the file, or in another one like it."""
        entry = {"set": of, "name": name, "path": str(path), "within": within}
        try:
            ds = pydicom.dcmread(like or path)
            uid = ds.get("SOPClassUID", "")
            if uid not in CT:
                entry["reason"] = f"not CT: {pydicom.uid.UID(uid).name or 'no SOP class'}"
            else:
                entry["ct"] = True
                hu = hounsfield(ds)
                entry["hu"] = str(self.work / f"{len(self.list)}.f32")
                hu.tofile(entry["hu"])
        except Exception as e:  # whatever pydicom says is its reason
            entry["reason"] = f"pydicom: {type(e).__name__}: {e}".split("\n")[0]
        self.list.append(entry)

    def forms(self, of, base):
        for command, near in FORMS:
            if command[0] != "pydicom" and not shutil.which(command[0]):
                continue
            to = self.work / f"form{len(self.list)}.dcm"
            try:
                if command[0] == "pydicom":
                    ds = pydicom.dcmread(base)
                    ds.compress({"rle": RLELossless, "j2k": JPEG2000Lossless, "jpegls": JPEGLSLossless}[command[1]])
                    ds.save_as(to)
                else:
                    subprocess.run([command[0], *command[1:], base, to], check=True, capture_output=True)
            except Exception as e:
                print("cannot make", of, command, e, getattr(e, "stderr", ""), file=sys.stderr)
                continue
            slope = float(pydicom.dcmread(base, stop_before_pixels=True).RescaleSlope)
            self.add(of, " ".join(command), to, (near or 0) * slope, base if near is None else None)

    def archive(self, path):
        first = None
        with zipfile.ZipFile(path) as z:
            for k, n in enumerate(sorted(n for n in z.namelist() if n.endswith(".dcm"))):
                to = self.work / f"{path.stem}.{k}.dcm"
                to.write_bytes(z.read(n))
                self.add("slices of the real series", f"{path.name}: {n}", to)
                first = first or to
        if pydicom.dcmread(first).file_meta.TransferSyntaxUID.is_compressed:
            plain = self.work / f"{path.stem}.plain.dcm"
            ds = pydicom.dcmread(first)
            ds.decompress()
            ds.save_as(plain)
            first = plain
        self.forms(f"first slice of {path.name}", first)


def main():
    work = pathlib.Path(sys.argv[1])
    e = Evidence(work)
    small = pathlib.Path(get_testdata_file("CT_small.dcm"))
    data = {p for p in small.parent.rglob("*") if p.is_file()} | {pathlib.Path(p) for p in get_charset_files("*")}
    try:
        import data_store  # pydicom-data
        data |= {p for p in pathlib.Path(data_store.__file__).parent.rglob("*") if p.is_file()}
    except ImportError:
        pass
    for p in sorted(data):
        head = p.read_bytes()[:132]
        if "DICOMDIR" not in p.name and (head[128:] == b"DICM" or p.suffix == ".dcm"):  # those lead to other files
            e.add("files of pydicom's tests", p.name, p)
    e.forms("CT_small of pydicom", small)
    for z in map(pathlib.Path, sys.argv[2:]):
        e.archive(z)
    (work / "list.json").write_text(json.dumps(e.list, indent=1))


main()
