"""From a file's bytes to loaded pixels, past what is damaged beside them.

Pillow does the decoding. What it refuses for the metadata alone is tried again without; what it
would read wrongly without an error is read here, or refused in words.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from realitycheck.errors import PictureError
from realitycheck.images import colour, containers, exif, jpeg, png, tiff
from realitycheck.images.formats import FORMATS, HEIC, MAX_PIXELS, READ_ERRORS, other_format

PLANES = (
    "This TIFF keeps its 16-bit colours in separate planes, which would be read wrongly. Save it "
    "as a PNG or an ordinary TIFF and retry."
)
NO_END = "The file lacks its end marker, as if its transfer was cut short; no pixel is missing."
LEFT_OUT = "Some of the file's metadata is damaged or oversized; the picture was read without it."
_HDR = (
    "This is an HDR picture: its values mean light beyond white, which the detector never learned. "
    "Export it as an ordinary (SDR) JPEG and retry."
)
_ODD = (
    "The {} file is damaged, or of a kind that cannot be read here. Open it in a picture editor "
    "and save it as a JPEG or PNG."
)
_OTHER = "This is a {} file, a format that is not read here. Save it as a JPEG or PNG and retry."
_PLANAR, _COMPRESSION, _BITS, _PHOTOMETRIC = 284, 259, 258, 262


@dataclass(frozen=True)
class Opened:
    """Loaded pixels, and what it takes to show them.

    Attributes:
        image: as Pillow decodes it.
        profile: ICC profile, or b"".
        space: what a container or camera says in place of a profile.
        orientation: EXIF's; None to ask the image.
        format: Pillow's name of the format, where the image does not know it.
        notes: sentences about what was done.
    """

    image: Image.Image
    profile: bytes = b""
    space: colour.Space | None = None
    orientation: int | None = None
    format: str = ""
    notes: tuple[str, ...] = ()


def damaged(kind: str, share: float = 0.0) -> PictureError:
    """The refusal of a file whose pixels are not all there.

    Args:
        kind: name of the format.
        share: of the pixels that is missing, in [0, 1]; 0 where that is not known.
    """
    percent = "less than 1" if share < 0.01 else f"about {min(100, round(100 * share))}"
    what = "pixels" if kind in ("JPEG", "PNG") else "bytes"
    lost = f": {percent} % of its {what} are missing" if share else ""
    return PictureError(
        f"The {kind} file is damaged or cut short{lost}. Get the original again, or open and save "
        "it in a picture editor."
    )


def opened(data: bytes, check: Callable[[tuple[int, int]], None]) -> Opened:
    """Decodes a picture file.

    Args:
        data: the file.
        check: raises where a size is refused; called before pixels are decoded.

    Raises:
        PictureError: no picture, damaged, too large, or of a kind that cannot be read rightly.
    """
    container = containers.container(data)
    try:
        image = _open(data, check)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(
            f"The picture has more than {MAX_PIXELS // 10**6} megapixels. Save it smaller."
        ) from error
    except READ_ERRORS as error:
        return _without_metadata(data, container, check, error, decoding=False)
    if container == "JPEG" and jpeg.end(data) is None:
        return _without_end(data, check)
    if planes_apart(image):
        return _with_planes(data, image)
    try:
        image.load()
    except READ_ERRORS as error:
        return _without_metadata(data, container, check, error, decoding=True)
    if container == "JPEG" and jpeg.ends_flat(image):
        _check_last_pixels(data)
    return _dressed(data, container, image)


def planes_apart(image: Image.Image) -> bool:
    """Whether a TIFF keeps 16-bit colours in planes, unpacked: Pillow reads those wrongly."""
    tags: Any = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS, (1,))
    return bool(
        tags.get(_PLANAR) == 2
        and tags.get(_COMPRESSION, 1) == 1
        and max(bits if isinstance(bits, tuple) else (bits,)) > 8
    )


def _open(data: bytes, check: Callable[[tuple[int, int]], None]) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    check(image.size)
    return image


def _dressed(
    data: bytes, container: str, image: Image.Image, notes: tuple[str, ...] = ()
) -> Opened:
    """Adds what says how colours are meant."""
    profile = image.info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) else b""
    numbers = colour.signalled(data, container)
    if colour.is_hdr(numbers, profile):
        raise PictureError(_HDR)
    space = colour.space(numbers)
    if container == "PNG" and numbers:
        profile = b""  # the numbers come first (PNG, third edition)
    if not profile and not numbers and container == "JPEG":
        tags = exif.tags(containers.metadata(data))
        space = colour.ADOBE_RGB if tags.adobe_rgb else None
    if container == "PNG" and not profile and not numbers:
        try:
            space = colour.png_space(data)
        except ValueError:
            notes = (*notes, colour.UNUSABLE)
    return Opened(image, profile, space, notes=notes)


# --- what is wrong --------------------------------------------------------------------------


def _without_end(data: bytes, check: Callable[[tuple[int, int]], None]) -> Opened:
    whole, share = jpeg.mended(data)
    if share:
        raise damaged("JPEG", share)
    try:
        image = _open(whole, check)
        image.load()
    except READ_ERRORS as error:
        raise damaged("JPEG") from error
    return _dressed(whole, "JPEG", image, (NO_END,))


def _check_last_pixels(data: bytes) -> None:
    """Refuses a JPEG whose end comes before its pixels do."""
    place = jpeg.end(data)
    share = jpeg.missing(data[:place], coarse=True) if place else 0.0
    if 0 < share < 1:
        raise damaged("JPEG", share)


def _without_metadata(
    data: bytes,
    container: str,
    check: Callable[[tuple[int, int]], None],
    error: Exception,
    *,
    decoding: bool,
) -> Opened:
    """Tries again with the pixels alone.

    Args:
        data: the file.
        container: its format.
        check: as `opened` takes it.
        error: what went wrong.
        decoding: it went wrong at the pixels.
    """
    bare, profile, share = data, b"", 0.0
    if container == "PNG":
        (bare, share), profile = png.bare(data), png.profile(data)
    elif container == "JPEG":
        bare = b"".join(_bare_jpeg(data))
    elif container == "WEBP":
        bare = _bare_webp(data)
    if share:
        raise damaged(container, share) from error
    if bare is data:  # nothing could be left out
        raise _refusal(data, container, error, decoding=decoding) from error
    decoding = False
    try:
        image = _open(bare, check)
        decoding = True
        image.load()
    except READ_ERRORS as again:
        raise _refusal(data, container, again, decoding=decoding) from again
    dressed = _dressed(data, container, image)
    orientation = exif.orientation(containers.metadata(data))
    note = NO_END if container == "PNG" and b"IEND" not in data[-64:] else LEFT_OUT
    notes = (note,) if profile else (note, *dressed.notes)
    return Opened(image, dressed.profile or profile, dressed.space, orientation, container, notes)


def _refusal(data: bytes, container: str, error: Exception, *, decoding: bool) -> PictureError:
    """What is said of a file that cannot be read: never of a picture that it is none."""
    if _has_size(data, container):
        lacking = _bytes_missing(data, container)
        # Pillow has no error of its own for a kind that it does not know: a ValueError, if any.
        if lacking or (decoding and not isinstance(error, ValueError)):
            return damaged(container or "picture", lacking)
        return PictureError(_ODD.format(container or "picture"))
    if decoding:
        return damaged(container or "picture")
    if name := other_format(data):
        return PictureError(_OTHER.format(name))
    hint = "" if HEIC else " (HEIC needs the pillow-heif package)"
    return PictureError(
        "This is not a picture we can read. Use JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or "
        f"TIFF{hint}."
    )


def _bytes_missing(data: bytes, container: str) -> float:
    """Share of the bytes that a file says it has and lacks, in [0, 1]."""
    whole = 0
    if container == "WEBP":
        whole = 8 + int.from_bytes(data[4:8], "little")
    elif container == "BMP":
        whole = int.from_bytes(data[2:6], "little")
    elif container in ("AVIF", "HEIF"):
        whole = containers.boxes_end(data)
    elif container == "TIFF" and (main := tiff.first(data)):
        for places, sizes in ((273, 279), (324, 325)):
            ends = map(sum, zip(main.numbers(places), main.numbers(sizes), strict=False))
            whole = max([whole, *ends])
    return 1 - len(data) / whole if len(data) < whole < 1 << 32 else 0.0


def _bare_jpeg(data: bytes) -> Iterator[bytes]:
    """A JPEG with what its pixels need: no segment of programs but JFIF's and Adobe's."""
    yield data[:2]
    for marker, place, body in containers.jpeg_segments(data):
        if marker == 0xDA:
            yield data[place:]
            return
        jfif = marker == 0xE0 and len(body) >= 14
        if jfif or marker == 0xEE or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            yield data[place : place + 4 + len(body)]


def _bare_webp(data: bytes) -> bytes:
    kept = b""
    for kind, body in containers.riff_chunks(data):
        if kind in (b"VP8 ", b"VP8L", b"VP8X", b"ALPH"):
            if kind == b"VP8X":
                body = bytes([body[0] & 0x10]) + body[1:]  # alpha alone
            kept += kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)
    return b"RIFF" + (len(kept) + 4).to_bytes(4, "little") + b"WEBP" + kept


def _has_size(data: bytes, container: str) -> bool:
    """Whether a file says how large its picture is: then it is one, if a damaged one."""
    if container == "JPEG":
        sizes = (0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB)
        return any(
            marker in sizes and len(body) > 5 for marker, _, body in containers.jpeg_segments(data)
        )
    if container == "PNG":
        return data[12:16] == b"IHDR" and png.size(data[16:29]) > 0
    if container == "TIFF":
        main = tiff.first(data)
        return bool(main and main.number(256) and main.number(257))
    if container == "WEBP":
        return data[12:15] == b"VP8"
    if container == "GIF":
        return data[:6] in (b"GIF87a", b"GIF89a") and len(data) > 13 and data[6:10] != bytes(4)
    if container == "BMP":
        return len(data) > 54 and data[14] in (12, 40, 52, 56, 64, 108, 124)
    return b"ispe" in data[:4096]


def _with_planes(data: bytes, image: Image.Image) -> Opened:
    """16-bit planes of a TIFF, put together here."""
    main = tiff.first(data)
    width, height = image.size
    if main is None or main.number(_PHOTOMETRIC) != 2 or image.mode not in ("RGB", "RGBA"):
        raise PictureError(PLANES)
    places, sizes = main.numbers(273), main.numbers(279)
    planes = len(image.mode)
    if len(places) != len(sizes) or not places or main.numbers(_BITS)[:planes] != [16] * planes:
        raise PictureError(PLANES)
    if main.number(277) != planes:
        raise PictureError(PLANES)
    stream = b"".join(data[at : at + size] for at, size in zip(places, sizes, strict=True))
    need = 2 * width * height * planes
    if len(stream) < need:
        raise damaged("TIFF", 1 - len(stream) / need)
    values = np.frombuffer(stream[:need], main.order + "u2").reshape(planes, height, width)
    eight = (values >> 8).astype(np.uint8).transpose(1, 2, 0)
    made = Image.fromarray(np.ascontiguousarray(eight))
    profile = image.info.get("icc_profile") or b""
    return Opened(made, profile, orientation=main.number(274, 1), format="TIFF")
