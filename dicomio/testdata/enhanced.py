"""Makes the multi-frame objects of testdata/enhanced again, with other people's code:
pydicom and highdicom build them, dcmtk and GDCM compress them.

    apt-get install dcmtk libgdcm-tools dicom3tools
    pip install pydicom==3.0.2 highdicom==0.28.2 numpy
    python enhanced.py enhanced media

enhanced.dcm has four frames of 24 rows of 32, in another order than their places, each
with a rescale slope of its own; enhanced.KIND.dcm is the same compressed. legacy.dcm is
converted from the CT images under media/, for which dcmgpdir makes a DICOMDIR. enhanced.raw and legacy.raw hold the HU of all
frames that pydicom gives, as float32, in the order of places. The three last files hold
the JPEG frames in three fragments each, and under an extended offset table. dciodvfy
finds no error in enhanced.dcm.
"""
import pathlib
import subprocess
import sys

import highdicom
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

ROWS, COLS, FRAMES = 24, 32, 4
ROOT = "2.25.1234567890"
ORDER = [2, 0, 3, 1]  # place of each frame


def item(**values):
    ds = Dataset()
    for k, v in values.items():
        setattr(ds, k, v)
    return ds


def seq(*items):
    return Sequence(items)


def code(value, scheme, meaning):
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def pixels(place):
    r, c = np.mgrid[:ROWS, :COLS]
    noise = np.random.default_rng(place).normal(0, 9, (ROWS, COLS))
    return np.clip(1024 + 40 * place + 3 * r - 2 * c + noise, 0, 4095).astype("<u2")


def common(ds, sop_class, uid):
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = sop_class, uid
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, uid
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = "20260102"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = "030405"
    ds.AccessionNumber = ds.ReferringPhysicianName = ds.PatientBirthDate = ds.PatientSex = ""
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "CT", "nobody", "none"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "1", "1"
    ds.PatientName, ds.PatientID, ds.StudyID = "J\u00e9r\u00f4me^Test", "ENHANCED", "1"
    ds.StudyInstanceUID, ds.FrameOfReferenceUID = ROOT + ".1", ROOT + ".2"
    ds.SeriesNumber, ds.InstanceNumber, ds.PositionReferenceIndicator = "3", "1", ""
    ds.PatientPosition = "HFS"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", ROWS, COLS
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.LossyImageCompression, ds.BurnedInAnnotation = "00", "NO"


def evidence(ref):
    return seq(item(StudyInstanceUID=ROOT + ".1", ReferencedSeriesSequence=seq(item(SeriesInstanceUID=ROOT + ".9", ReferencedSOPSequence=seq(ref)))))


def enhanced():
    ds = Dataset()
    common(ds, "1.2.840.10008.5.1.4.1.1.2.1", ROOT + ".10")
    ds.SeriesInstanceUID = ROOT + ".11"
    ds.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    ds.AcquisitionDateTime = "20260102030405"
    ds.PixelPresentation, ds.VolumetricProperties, ds.VolumeBasedCalculationTechnique = "MONOCHROME", "VOLUME", "NONE"
    ds.ContentQualification, ds.RecognizableVisualFeatures, ds.PresentationLUTShape = "RESEARCH", "NO", "IDENTITY"
    ds.MultienergyCTAcquisition, ds.AcquisitionContextSequence = "NO", Sequence()
    ref = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=ROOT + ".12")
    ds.SourceImageEvidenceSequence = evidence(ref)
    ds.DimensionOrganizationSequence = seq(item(DimensionOrganizationUID=ROOT + ".13"))
    ds.DimensionIndexSequence = seq(*[item(DimensionOrganizationUID=ROOT + ".13", DimensionIndexPointer=p, FunctionalGroupPointer=0x00209111) for p in (0x00209056, 0x00209057)])
    kind = item(FrameType=["DERIVED", "PRIMARY", "VOLUME", "NONE"], PixelPresentation="MONOCHROME", VolumetricProperties="VOLUME", VolumeBasedCalculationTechnique="NONE")
    source = item(ReferencedSOPClassUID=ref.ReferencedSOPClassUID, ReferencedSOPInstanceUID=ref.ReferencedSOPInstanceUID,
                  PurposeOfReferenceCodeSequence=seq(code("121322", "DCM", "Source image for image processing operation")))
    ds.SharedFunctionalGroupsSequence = seq(item(
        PixelMeasuresSequence=seq(item(PixelSpacing=["0.75", "0.5"], SliceThickness="2.5")),
        PlaneOrientationSequence=seq(item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])),
        CTImageFrameTypeSequence=seq(kind), FrameVOILUTSequence=seq(item(WindowCenter="40", WindowWidth="400")),
        FrameAnatomySequence=seq(item(FrameLaterality="U", AnatomicRegionSequence=seq(code("113257007", "SCT", "Structure of cardiovascular system")))),
        DerivationImageSequence=seq(item(DerivationCodeSequence=seq(code("113076", "DCM", "Segmentation")), SourceImageSequence=seq(source))),
        IrradiationEventIdentificationSequence=seq(item(IrradiationEventUID=ROOT + ".14")),
        CTXRayDetailsSequence=seq(item(KVP=120.0, FocalSpots=1.0, FilterType="NONE", FilterMaterial="ALUMINUM")),
    ))
    groups = []
    for i, place in enumerate(ORDER):
        groups.append(item(
            FrameContentSequence=seq(item(FrameAcquisitionNumber=7, StackID="1", InStackPositionNumber=place + 1, DimensionIndexValues=[1, place + 1],
                                          FrameReferenceDateTime="20260102030405", FrameAcquisitionDateTime="20260102030405", FrameAcquisitionDuration=1.0)),
            PlanePositionSequence=seq(item(ImagePositionPatient=["-8", "-9", str(10 + 2.5 * place)])),
            PixelValueTransformationSequence=seq(item(RescaleIntercept="-1024", RescaleSlope=str(1 + place / 4), RescaleType="HU"))))
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    ds.NumberOfFrames = FRAMES
    ds.PixelData = b"".join(pixels(p).tobytes() for p in ORDER)
    ds["PixelData"].VR = "OW"
    hu = [pixels(p).astype(float) * (1 + p / 4) - 1024 for p in range(FRAMES)]
    return ds, np.array(hu, "<f4")


def classic(to):
    (to / "CT").mkdir(parents=True)
    out = []
    for place in range(FRAMES):
        ds = Dataset()
        common(ds, "1.2.840.10008.5.1.4.1.1.2", f"{ROOT}.20.{place + 1}")
        ds.SeriesInstanceUID, ds.InstanceNumber = ROOT + ".21", place + 1
        ds.ImageType, ds.AcquisitionNumber, ds.KVP, ds.SliceThickness = ["ORIGINAL", "PRIMARY", "AXIAL"], 1, "120", "2.5"
        ds.BodyPartExamined = "HEAD"
        ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing = ["-8", "-9", str(10 + 2.5 * place)], [1, 0, 0, 0, 1, 0], ["0.75", "0.5"]
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
        ds.WindowCenter, ds.WindowWidth = "40", "400"
        ds.PixelData = pixels(place).tobytes()
        ds["PixelData"].VR = "OW"
        ds.save_as(to / "CT" / f"IM{place + 1}", enforce_file_format=True)
        out.append(ds)
    names = [f"CT/IM{place + 1}" for place in range(FRAMES)]
    subprocess.run(["dcmgpdir", "+id", ".", *names], cwd=to, check=True)
    return out


def main():
    to, media = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    to.mkdir(exist_ok=True)
    ds, hu = enhanced()
    ds.save_as(to / "enhanced.dcm", enforce_file_format=True)
    (to / "enhanced.raw").write_bytes(hu.tobytes())
    src = classic(media)
    legacy = highdicom.legacy.LegacyConvertedEnhancedCTImage(src, ROOT + ".31", 4, ROOT + ".30", 1)
    legacy.save_as(to / "legacy.dcm")
    read = pydicom.dcmread(to / "legacy.dcm")
    z = [g.PlanePositionSequence[0].ImagePositionPatient[2] for g in read.PerFrameFunctionalGroupsSequence]
    hu = [read.pixel_array[i].astype("<f4") - 1024 for i in np.argsort(z)]
    (to / "legacy.raw").write_bytes(np.array(hu, "<f4").tobytes())
    for kind, command in {"rle": ["dcmcrle"], "jpeg": ["dcmcjpeg", "+e1"], "jls": ["dcmcjpls"], "j2k": ["gdcmconv", "--j2k"], "deflated": ["dcmconv", "+td"],
                          "implicit": ["dcmconv", "+ti"], "big": ["dcmconv", "+tb"]}.items():
        subprocess.run([*command, to / "enhanced.dcm", to / f"enhanced.{kind}.dcm"], check=True)
    jpeg = pydicom.dcmread(to / "enhanced.jpeg.dcm")
    frames = list(generate_frames(jpeg.PixelData, number_of_frames=FRAMES))
    for kind, data in {"table": encapsulate(frames, 3), "marks": encapsulate(frames, 3, has_bot=False)}.items():
        jpeg.PixelData = data
        jpeg.save_as(to / f"enhanced.{kind}.dcm")
    jpeg.PixelData, jpeg.ExtendedOffsetTable, jpeg.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    jpeg.save_as(to / "enhanced.extended.dcm")


main()
