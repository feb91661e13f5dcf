"""Nothing beside the picture is left in a file, and a JPEG's pixels are as they were coded."""

import io

import numpy as np
import pytest
from helpers import drawing
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from realitycheck import images
from realitycheck.errors import PictureError
from realitycheck.images import containers
from realitycheck.images.stripping import AS_JPEG, AS_PNG, AS_SENT, stripped

SECRETS = (b"Jane Doe", b"SN-12345", b"a garden in Kent", b"a prompt")
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>Jane Doe, a garden in Kent</x:xmpmeta>"


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[ExifTags.Base.Orientation] = orientation
    found[ExifTags.Base.Artist] = "Jane Doe"
    found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.BodySerialNumber] = "SN-12345"
    found.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSAreaInformation] = b"a garden in Kent"
    return found


def saved(kind: str, image: Image.Image | None = None, **options) -> bytes:
    buffer = io.BytesIO()
    (image or drawing(200, 150)).save(buffer, kind, **options)
    return buffer.getvalue()


def crowded_jpeg(orientation: int = 1, **options) -> bytes:
    data = saved("JPEG", exif=exif(orientation), comment=b"a prompt", xmp=XMP, **options)
    # An IPTC record, a Content Credential, and what phones put behind a picture.
    iptc = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\x08Jane Doe"
    extra = b"".join(
        b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2, "big") + body
        for marker, body in ((0xED, iptc), (0xEB, b"JP SN-12345"), (0xE5, b"Jane Doe"))
    )
    return data[:2] + extra + data[2:] + b"a prompt, SN-12345"


def assert_clean(data: bytes) -> None:
    assert not any(secret in data for secret in SECRETS)
    found = containers.metadata(data)
    assert (found.xmp, found.iptc, found.texts) == ([], [], [])
    with Image.open(io.BytesIO(data)) as image:
        assert set(image.getexif()) <= {ExifTags.Base.Orientation}
        assert image.getexif().get_ifd(ExifTags.IFD.GPSInfo) == {}
        assert image.getexif().get_ifd(ExifTags.IFD.Exif) == {}


def assert_same_pixels(one: bytes, other: bytes) -> None:
    assert np.array_equal(*(np.asarray(images.read(data).image) for data in (one, other)))


def coded(data: bytes) -> list[bytes]:
    """The scans of a JPEG, which are its pixels as they were coded."""
    segments = [*containers.jpeg_segments(data)]
    places = [place for _, place, _ in segments]
    return [
        data[place:end]
        for (marker, place, _), end in zip(segments, places[1:], strict=False)
        if marker == 0xDA
    ]


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_keeps_its_coded_pixels_alone(orientation, options):
    data = crowded_jpeg(orientation, **options)
    assert all(secret in data for secret in SECRETS)
    found = stripped(data)
    assert (found.how, found.suffix) == (AS_SENT, ".jpg")
    assert_clean(found.data)
    assert_same_pixels(found.data, data)
    assert coded(found.data) == coded(data) != []


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_jpegs(mode):
    data = saved("JPEG", drawing(200, 150).convert(mode), exif=exif(1))
    found = stripped(data)
    assert_clean(found.data)
    assert_same_pixels(found.data, data)


def named_profile(name: str) -> bytes:
    """sRGB with its red and green swapped, under another name: it moves every colour."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    text = name.encode("utf-16-be")
    place = len(profile)
    head = b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0cenUS"
    body = head + len(text).to_bytes(4, "big") + (28).to_bytes(4, "big") + text
    entry = tags[b"desc"]
    profile[entry + 4 : entry + 12] = place.to_bytes(4, "big") + len(body).to_bytes(4, "big")
    profile += body + bytes(-len(body) % 4)
    profile[0:4] = len(profile).to_bytes(4, "big")
    return bytes(profile)


@pytest.mark.parametrize(
    ("name", "how"), [("Display P3", AS_SENT), ("Jane Doe's screen, SN-12345", AS_PNG)]
)
def test_only_everybodys_colour_profiles_stay(name, how):
    profile = named_profile(name)
    assert ImageCms.getProfileDescription(io.BytesIO(profile)).strip() == name
    data = saved("JPEG", icc_profile=profile, exif=exif(1))
    plain = images.read(saved("JPEG")).image
    assert not np.array_equal(np.asarray(images.read(data).image), np.asarray(plain))
    found = stripped(data)
    assert found.how == how
    assert_clean(found.data)
    assert b"J\0a\0n\0e" not in found.data
    assert_same_pixels(found.data, data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_other_formats_are_written_anew_with_the_pixels_that_are_examined(kind):
    options = {}
    if kind == "PNG":
        notes = PngInfo()
        notes.add_text("parameters", "a prompt")
        options = {"pnginfo": notes}
    if kind in ("PNG", "WEBP", "AVIF"):
        options |= {"exif": exif(6).tobytes()}
    data = saved(kind, **options)
    found = stripped(data)
    assert (found.how, found.suffix) == (AS_PNG, ".png")
    assert_clean(found.data)
    assert_same_pixels(found.data, data)


def test_a_jpeg_that_lost_its_end_and_a_large_picture(monkeypatch):
    data = saved("JPEG")[:-2]
    assert_same_pixels(stripped(data).data, data)
    monkeypatch.setattr("realitycheck.images.stripping.MOST_PNG", 100)
    found = stripped(saved("PNG"))
    assert (found.how, found.suffix) == (AS_JPEG, ".jpg")
    assert_clean(found.data)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff", saved("JPEG")[:300]])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(PictureError):
        stripped(data)
