import csv
import io
import zipfile

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

import data
import prepare
from conftest import call


def ct(hu, patient="SECRET-1", z=0.0, series="1.2.3", **change):
    """A CT file (bytes) of an image in HU, with the given changes of its header; None takes an element away."""
    ds = pydicom.Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID, ds.file_meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.Modality, ds.PatientID, ds.PatientName, ds.SeriesInstanceUID = "CT", patient, "Doe^Jane", series
    ds.ImageType, ds.PixelSpacing, ds.SliceThickness = ["ORIGINAL", "PRIMARY", "AXIAL"], [0.8, 0.8], 2.5
    ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, z]
    ds.Rows, ds.Columns = hu.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleSlope, ds.RescaleIntercept, ds.KVP, ds.ConvolutionKernel = 2, -1024, 120, "B30f"
    ds.PixelData = np.rint((hu + 1024) / 2).astype("<i2").tobytes()
    for k, v in change.items():
        if v is None:
            delattr(ds, k)
        else:
            setattr(ds, k, v)
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


@pytest.fixture
def image():
    """128 x 128, different in every corner, mostly body; even HU survive a slope of 2 and averaging of equal pixels."""
    hu = np.full((64, 64), -1000.0)
    hu[16:56, 8:50] = 40
    hu[18:24, 10:20] = 400
    return hu.repeat(2, 0).repeat(2, 1)


def test_a_slice_keeps_its_numbers(image):
    hu, px, _ = prepare.read_slice(ct(image), 64, 0.045)
    assert px == pytest.approx(1.6) and np.array_equal(hu, image[::2, ::2])


@pytest.mark.parametrize("cosines,undo", [
    ([-1, 0, 0, 0, 1, 0], lambda v: v[:, ::-1]), ([1, 0, 0, 0, -1, 0], lambda v: v[::-1]), ([1, 0, 0, 0, 0.948, -0.317], lambda v: v)])
def test_orientation(image, cosines, undo):
    hu, _, _ = prepare.read_slice(ct(undo(image), ImageOrientationPatient=cosines), 64, 0.045)
    assert np.array_equal(hu, image[::2, ::2])


def test_padding_becomes_air(image):
    image[:8] = -3024
    raw = int((-3024 + 1024) / 2)
    hu, _, _ = prepare.read_slice(ct(image, PixelPaddingValue=raw), 64, 0.045)
    assert (hu[:4] == -1000).all()


def test_oblong_is_padded(image):
    hu, px, _ = prepare.read_slice(ct(image[:96]), 64, 0.045)
    assert hu.shape == (64, 64) and (hu[:8] == -1000).all() and np.array_equal(hu[8:56], image[:96:2, ::2])


@pytest.mark.parametrize("change,why", [
    (dict(Modality="MR"), "not CT"), (dict(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "localizer"),
    (dict(ImageOrientationPatient=[1, 0, 0, 0, 0, -1]), "not axial"), (dict(PixelSpacing=[0.8, 1.0]), "not square"),
    (dict(PixelSpacing=None), "no pixel spacing"), (dict(NumberOfFrames=3), "multi-frame")])
def test_refusals(image, change, why):
    with pytest.raises(prepare.Refused, match=why):
        prepare.read_slice(ct(image, **change), 64, 0.045)


def test_refuses_noise_and_small_images(image):
    with pytest.raises(prepare.Refused, match="not DICOM"):
        prepare.header(b"hello")
    with pytest.raises(prepare.Refused, match="never enlarged"):
        prepare.read_slice(ct(image), 256, 0.045)
    with pytest.raises(prepare.Refused, match="hardly any body"):
        prepare.read_slice(ct(np.full((128, 128), -1000.0)), 64, 0.045)


def test_thin():
    kept = prepare.thin([(z, None, None) for z in (3.0, 0.0, 1.0, 2.0, 4.0, 5.0)], 2.0)
    assert [s[0] for s in kept] == [0.0, 2.0, 4.0]


@pytest.mark.parametrize("n,share,val", [(10, 0.2, 2), (3, 0.2, 1), (1, 0.2, 0), (10, 0.0, 0)])
def test_split(n, share, val):
    s = prepare.split_of([f"p{i}" for i in range(n)], share, 0)
    assert list(s.values()).count("val") == val and len(s) == n


@pytest.fixture
def study(image, tmp_path):
    """Three patients, one in a zip, and a text file."""
    root = tmp_path / "study"
    root.mkdir()
    for p in "12":
        for z in (0, 1, 5):
            (root / f"{p}_{z}").write_bytes(ct(image + 2 * z, f"SECRET-{p}", z, f"1.{p}"))
    with zipfile.ZipFile(root / "third.zip", "w") as f:
        f.writestr("a/1.dcm", ct(image, "SECRET-3", 0, "1.3"))
    (root / "readme.txt").write_text("not an image")
    return root


def test_command(study, tmp_path, capsys):
    out = tmp_path / "set"
    call("prepare", "--dicom", study, "--out", out, "--size", 64, "--site", "chest", "--val", 0.34, "--licence", "own")
    with open(out / "index.csv", newline="") as f:
        text = f.read()
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 5  # two of three slices 4 mm apart, twice, and one
    assert {r["split"] for r in rows} == {"train", "val"} and {r["site"] for r in rows} == {"chest"}
    assert all(s not in text for s in ("SECRET", "Doe", "1.3"))
    assert "left out 1: not DICOM" in capsys.readouterr().out
    train = data.load(out, "train")
    assert train.hu.shape[1:] == (64, 64) and float(train.pixel[0]) == pytest.approx(1.6)
    assert rows[0]["kvp"] == "120" and rows[0]["kernel"] == "B30f"


def test_full_folder_is_refused(study):
    with pytest.raises(SystemExit, match="is not empty"):
        call("prepare", "--dicom", study, "--out", study)


def test_nothing_found(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="no axial CT slice"):
        call("prepare", "--dicom", tmp_path / "empty", "--out", tmp_path / "set")
    assert not (tmp_path / "set").exists()
