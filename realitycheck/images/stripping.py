"""Takes everything but the picture out of a file: place, device, serial numbers, names, texts.

A JPEG keeps its coded pixels bit for bit: only the segments that decode them are kept, which the
result is decoded again to prove. Everything else is written anew from the pixels that are examined.

Sources: JPEG (ITU T.81, annex B; T.871 for JFIF), EXIF 2.32 (orientation), ICC.1 (profiles).
"""

import io
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageChops, ImageCms

from realitycheck.errors import PictureError
from realitycheck.images import containers
from realitycheck.images.formats import READ_ERRORS
from realitycheck.images.reading import Picture, read

AS_SENT, AS_PNG, AS_JPEG = "as sent", "PNG", "JPEG 95"
MOST_PNG = 12_500_000  # pixels: larger ones would take many seconds and megabytes
# Frames, tables, restarts, lines and scans: what decoding needs.
_CODED = {*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD}
_SCAN = 0xDA
_JFIF, _ICC, _ADOBE = b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"
# Profiles that are everybody's. A screen's own may name its serial number and owner.
_COMMON = ("Display P3", "Adobe RGB (1998)", "ProPhoto RGB")


@dataclass(frozen=True)
class Stripped:
    """A picture without anything beside it.

    Attributes:
        data: the file.
        suffix: of its name, ".jpg" or ".png".
        how: `AS_SENT`, its pixels as they were coded; `AS_PNG`, the pixels that were examined;
            `AS_JPEG`, those coded anew with quality 95, of large pictures.
    """

    data: bytes
    suffix: str
    how: str


def stripped(source: str | bytes) -> Stripped:
    """A picture file without metadata.

    Args:
        source: a path, or the bytes of a file.

    Raises:
        PictureError: it cannot be read.
    """
    picture = read(source)
    sent = picture.data or b""
    if containers.container(sent) == "JPEG":
        for profile in (False, True):
            data = _coded_pixels(sent, profile)
            if data and _same_pixels(data, picture):
                return Stripped(data, ".jpg", AS_SENT)
    buffer = io.BytesIO()
    width, height = picture.image.size
    if width * height <= MOST_PNG:
        picture.image.save(buffer, "PNG")
        return Stripped(buffer.getvalue(), ".png", AS_PNG)
    picture.image.save(buffer, "JPEG", quality=95, subsampling=0)
    return Stripped(buffer.getvalue(), ".jpg", AS_JPEG)


def _same_pixels(data: bytes, picture: Picture) -> bool:
    try:
        found = read(data).image
    except (PictureError, *READ_ERRORS):
        return False
    same = found.size == picture.image.size
    return same and ImageChops.difference(found, picture.image).getbbox() is None


def _coded_pixels(data: bytes, with_profile: bool) -> bytes:
    """The first image of a JPEG, its orientation, and a common profile if wanted; or b""."""
    segments = list(containers.jpeg_segments(data))
    ends = [place for _, place, _ in segments[1:]] + [len(data)]
    kept = [b"\xff\xd8"]
    orientation = _orientation(data)
    if orientation > 1:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        kept.append(_segment(0xE1, exif.tobytes()))
    if with_profile:
        profile = b"".join(c[14:] for m, _, c in segments if m == 0xE2 and c.startswith(_ICC))
        if not _is_common(profile):
            return b""
        kept.append(_segment(0xE2, _ICC + b"\1\1" + profile))
    for (marker, place, content), end in zip(segments, ends, strict=True):
        if marker == _SCAN:
            kept.append(data[place:end])  # with the pixels behind it
        elif marker in _CODED:
            kept.append(_segment(marker, content))
        elif marker == 0xE0 and content.startswith(_JFIF) and len(content) >= 14:
            kept.append(_segment(marker, content[:12] + b"\0\0"))  # no thumbnail
        elif marker == 0xEE and content.startswith(_ADOBE) and len(content) >= 12:
            kept.append(_segment(marker, content[:12]))
    return b"".join(kept) + b"\xff\xd9"


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def _orientation(data: bytes) -> int:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except READ_ERRORS:
        return 1


def _is_common(profile: bytes) -> bool:
    if not 0 < len(profile) < 0xFF00:  # so that it fits one segment
        return False
    try:
        said = ImageCms.getProfileDescription(io.BytesIO(profile))
    except (*READ_ERRORS, ImageCms.PyCMSError):
        return False
    return said.strip() in _COMMON
