"""Which picture formats are read, and what reading may raise."""

import struct
import zlib

from PIL import Image

try:
    import pillow_heif
except ImportError:  # optional: a training machine may lack it
    HEIC = False
else:
    pillow_heif.register_heif_opener()
    HEIC = True

MAX_PIXELS = 40_000_000
# Pillow can open more, but some of its readers start other programs (EPS) or are rarely used.
# Its JPEG reader opens MPO too.
Image.init()
FORMATS = tuple(
    name
    for name in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "TIFF")
    if name in Image.OPEN
)
SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".jif",
    ".mpo",
    ".png",
    ".apng",
    ".webp",
    ".avif",
    ".avifs",
    ".heic",
    ".heics",
    ".heif",
    ".heifs",
    ".hif",
    ".gif",
    ".bmp",
    ".dib",
    ".tif",
    ".tiff",
)
_OTHERS = (  # place, beginning, name: of pictures and films that are not read
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\0\0\1\0", "Windows icon"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"DDS ", "DirectDraw"),
    (0, b"qoif", "QOI"),
    (0, b"gimp xcf", "GIMP"),
    (0, b"%PDF-", "PDF"),
    (4, b"ftypisom", "MP4 video"),
    (4, b"ftypmp4", "MP4 video"),
    (4, b"ftypqt", "QuickTime video"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM video"),
)


# Brands of ISO base media files that hold pictures, not films (HEIF, AVIF).
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")

_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes; their length tells the version


def begins_as_picture(data: bytes, tiff: bool = True) -> bool:
    """Whether a file begins as one of the formats that are read.

    Args:
        data: its first bytes; 32 are enough.
        tiff: whether TIFF counts. Cameras' raw files begin as TIFF does.
    """
    if data[:4] == b"RIFF":
        return data[8:12] == b"WEBP"
    if data[4:8] == b"ftyp":
        return data[8:12] in _BRANDS
    if data[:2] == b"BM":  # texts may begin so too: what follows is a length, zeros, an offset
        return data[6:10] == bytes(4) and int.from_bytes(data[14:18], "little") in _BMP_HEADERS
    return data.startswith(_BEGINNINGS) or (tiff and data.startswith((b"II*\0", b"MM\0*")))


def other_format(data: bytes) -> str:
    """The name of a known format that is not read, or ""."""
    known = (name for place, start, name in _OTHERS if data.startswith(start, place))
    return next(known, "")


# What Pillow raises on hostile or broken files: its readers leak low-level errors.
READ_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    SyntaxError,
    RuntimeError,
    EOFError,
    LookupError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
