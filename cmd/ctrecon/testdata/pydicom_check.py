"""Reads result folders of ctrecon with pydicom and compares pixels with the .npy of each method: python3 pydicom_check.py RESULT METHOD..."""
import pathlib
import sys

import numpy as np
import pydicom

root = pathlib.Path(sys.argv[1])
for method in sys.argv[2:]:
    want = np.load(root / f"{method}.npy")
    files = sorted((root / method).glob("*.dcm"))
    assert len(files) == len(want), f"{method}: {len(files)} files for {len(want)} images"
    sets = [pydicom.dcmread(f) for f in files]
    sets.sort(key=lambda d: d.InstanceNumber)
    for d, image in zip(sets, want):
        got = d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept)
        worst = np.abs(got - image).max()
        assert worst <= 0.5 + 1e-3, f"{method}: {worst} HU between file and array"
        assert d.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2" and d.ImageType[0] == "DERIVED" and d.RescaleType == "HU", method
        assert d.Modality == "CT" and d.BurnedInAnnotation == "NO", method
    for name in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({str(getattr(d, name)) for d in sets}) == 1, f"{method}: {name} differs between images"
    assert len({d.SOPInstanceUID for d in sets}) == len(sets)
    print(method, len(sets), "images")
