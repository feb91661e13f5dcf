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
    ".jfif",
    ".mpo",
    ".png",
    ".apng",
    ".webp",
    ".avif",
    ".heic",
    ".heif",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
)
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
