"""Makes the compressed slices of testdata/compressed again, with other people's
encoders: dcmtk, GDCM and OpenJPEG (its own program, and through Pillow).

    ctrecon phantom thorax --size 64 --out /tmp/ph
    apt-get install dcmtk libgdcm-tools libopenjp2-tools
    pip install pydicom==3.0.2 numpy pillow
    python compressed.py /tmp/ph/dicom/0001.dcm compressed

Sources are the phantom with noise, 48 rows of 64, as s16 (signed, 16 bits), u12
(12 of 16 bits) and u8 (8 bits). NAME-SOURCE.dcm is SOURCE compressed by NAME; where
that loses something, NAME-SOURCE.raw holds the pixels that its maker's decoder gives.
"""
import io
import pathlib
import subprocess
import sys

import numpy as np
import pydicom
from PIL import Image
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import UID, ExplicitVRLittleEndian

ROWS, COLS = 48, 64
KEEP = ("SpecificCharacterSet ImageType SOPClassUID SOPInstanceUID StudyDate Modality Manufacturer PatientName PatientID StudyInstanceUID "
        "SeriesInstanceUID SeriesNumber InstanceNumber ImagePositionPatient ImageOrientationPatient FrameOfReferenceUID SamplesPerPixel "
        "PhotometricInterpretation PixelSpacing RescaleSlope RescaleIntercept").split()


def source(ds, name, words, stored, signed, slope, intercept):
    out = pydicom.Dataset()
    for k in KEEP:
        setattr(out, k, getattr(ds, k))
    out.file_meta = pydicom.dataset.FileMetaDataset()
    out.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    out.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    out.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out.Rows, out.Columns = words.shape
    out.BitsAllocated = 8 * words.dtype.itemsize
    out.BitsStored, out.HighBit, out.PixelRepresentation = stored, stored - 1, int(signed)
    out.RescaleSlope, out.RescaleIntercept = slope, intercept
    out.PixelData = words.tobytes()
    out["PixelData"].VR = "OB" if out.BitsAllocated == 8 else "OW"
    out.save_as(f"{name}.dcm", enforce_file_format=True)
    return out


def sources(ds, to):
    hu = ds.pixel_array.astype(float)[8:56] + np.random.default_rng(1).normal(0, 12, (ROWS, COLS))
    hu[:6, :20] = -1000  # flat, for runs
    s16 = np.round(hu).astype("<i2")
    s16[10, :8] = [-32768, 32767, -32768, 0, -1, 1, 32767, -2000]
    u12 = np.clip(np.round(hu + 1024), 0, 4095).astype("<u2")
    u12[10, :4] = [0, 4095, 0, 2048]
    u8 = np.clip(np.round((hu + 1024) / 8), 0, 255).astype("u1")
    return {
        "s16": source(ds, to / "s16", s16, 16, True, 1, 0),
        "u12": source(ds, to / "u12", u12, 12, False, 1, -1024),
        "u8": source(ds, to / "u8", u8, 8, False, 8, -1024),
    }


def tool(to, made, src, *command, decoder=None):
    out = to / f"{made}-{src}.dcm"
    subprocess.run([*command, to / f"{src}.dcm", out], check=True)
    if decoder:
        plain = to / "plain.dcm"
        subprocess.run([*decoder, out, plain], check=True)
        out.with_suffix(".raw").write_bytes(pydicom.dcmread(plain).PixelData)
        plain.unlink()


def wrap(to, made, src, ds, uid, data, extended=False, raw=None):
    """Puts a code stream into fragments."""
    out = pydicom.dcmread(to / f"{src}.dcm")
    out.file_meta.TransferSyntaxUID = UID(uid)
    if extended:
        out.PixelData, out.ExtendedOffsetTable, out.ExtendedOffsetTableLengths = encapsulate_extended([data])
    else:
        out.PixelData = encapsulate([data], has_bot=False)
    out["PixelData"].VR = "OB"
    out["PixelData"].is_undefined_length = True
    out.save_as(to / f"{made}-{src}.dcm", enforce_file_format=True)
    if raw is not None:
        (to / f"{made}-{src}.raw").write_bytes(raw)


def jpeg2000(to, made, src, ds, **options):
    """A code stream of OpenJPEG; options are Pillow's."""
    px = ds.pixel_array
    image = Image.fromarray(px) if px.dtype == np.uint8 else Image.fromarray(px.astype(np.uint16))
    buf = io.BytesIO()
    image.save(buf, "JPEG2000", no_jp2=True, **options)
    raw = None
    if options.get("irreversible") or options.get("quality_layers"):
        raw = np.array(Image.open(io.BytesIO(buf.getvalue()))).astype(px.dtype).tobytes()
    wrap(to, made, src, ds, "1.2.840.10008.1.2.4.91", buf.getvalue(), raw=raw)


def openjpeg(to, made, src, ds, *options):
    """A reversible code stream of opj_compress, for what Pillow has no option."""
    plain, packed = to / "plain.rawl", to / "plain.j2k"
    plain.write_bytes(ds.PixelData)
    form = f"{COLS},{ROWS},1,{ds.BitsStored},{'s' if ds.PixelRepresentation else 'u'}"
    subprocess.run(["opj_compress", "-i", plain, "-o", packed, "-F", form, *options], check=True, stdout=subprocess.DEVNULL)
    wrap(to, made, src, ds, "1.2.840.10008.1.2.4.90", packed.read_bytes())
    plain.unlink()
    packed.unlink()


def main():
    to = pathlib.Path(sys.argv[2])
    src = sources(pydicom.dcmread(sys.argv[1]), to)
    for s in src:
        tool(to, "rle", s, "dcmcrle")
        tool(to, "jls", s, "dcmcjpls")
        tool(to, "j2k", s, "gdcmconv", "--j2k")
        tool(to, "lossless1", s, "dcmcjpeg", "+e1")
    tool(to, "rle.fragments", "u12", "dcmcrle", "+fs", "1")
    tool(to, "lossless.fragments", "s16", "dcmcjpeg", "+el", "+sv", "7", "+fs", "1", "+ot")
    for sv in range(2, 7):
        tool(to, f"lossless{sv}", "u12", "dcmcjpeg", "+el", "+sv", str(sv))
    tool(to, "lossless.shift", "u12", "dcmcjpeg", "+el", "+sv", "4", "+pt", "2", decoder=["dcmdjpeg"])
    tool(to, "lossless.gdcm", "s16", "gdcmconv", "--jpeg")
    tool(to, "jls.gdcm", "u12", "gdcmconv", "--jpegls")
    tool(to, "jls.thresholds", "u12", "dcmcjpls", "+t1", "9", "+t2", "20", "+t3", "70", "+rs", "31")
    tool(to, "near3", "u12", "dcmcjpls", "+en", "+md", "3", decoder=["dcmdjpls"])
    tool(to, "near2", "u8", "dcmcjpls", "+en", "+md", "2", decoder=["dcmdjpls"])
    tool(to, "baseline", "u8", "dcmcjpeg", "+eb", "+q", "90", decoder=["dcmdjpeg"])
    tool(to, "extended", "u12", "dcmcjpeg", "+ee", "+q", "90", "+ho", decoder=["dcmdjpeg"])
    tool(to, "extended", "u8", "dcmcjpeg", "+ee", "+q", "50", decoder=["dcmdjpeg"])
    tool(to, "deflated", "s16", "dcmconv", "+td")
    tool(to, "big", "s16", "dcmconv", "+tb")
    wrap(to, "wrapped", "u12", src["u12"], "1.2.840.10008.1.2.1.98", src["u12"].PixelData)
    rle = pydicom.dcmread(to / "rle-s16.dcm")
    wrap(to, "rle.extended", "s16", rle, "1.2.840.10008.1.2.5", next(pydicom.encaps.generate_frames(rle.PixelData, number_of_frames=1)), extended=True)
    jpeg2000(to, "j2k.tiles", "u8", src["u8"], tile_size=(24, 20), num_resolutions=3, progression="RPCL")
    jpeg2000(to, "j2k.precincts", "u12", src["u12"], precinct_size=(32, 32), codeblock_size=(16, 8), progression="PCRL")
    jpeg2000(to, "j2k.layers", "u8", src["u8"], quality_layers=[20, 8, 3], quality_mode="rates", progression="CPRL")
    jpeg2000(to, "j2k.97", "u12", src["u12"], irreversible=True, quality_layers=[4], progression="RLCP")
    openjpeg(to, "j2k.bypass", "s16", src["s16"], "-M", "1", "-b", "32,32")
    openjpeg(to, "j2k.styles", "s16", src["s16"], "-M", "63", "-b", "16,16")
    openjpeg(to, "j2k.causal", "u12", src["u12"], "-M", "10", "-b", "64,4", "-p", "RLCP")
    openjpeg(to, "j2k.offsets", "u12", src["u12"], "-d", "3,5", "-T", "2,1", "-t", "17,23", "-n", "4", "-SOP", "-EPH", "-r", "30,10,1", "-p", "PCRL", "-c", "[16,16],[8,16]")
    openjpeg(to, "j2k.parts", "u8", src["u8"], "-r", "8,4,1", "-TP", "L", "-TLM", "-PLT", "-n", "1")


main()
