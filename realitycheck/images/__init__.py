"""Pictures: reading them safely, changing them as the web does, and what their files say."""

from realitycheck.images.formats import (
    FORMATS,
    MAX_PIXELS,
    READ_ERRORS,
    SUFFIXES,
    begins_as_picture,
)
from realitycheck.images.reading import (
    MAX_BYTES,
    MIN_SIDE,
    Picture,
    allowed_path,
    read,
    too_many_bytes,
)

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "READ_ERRORS",
    "SUFFIXES",
    "Picture",
    "allowed_path",
    "begins_as_picture",
    "read",
    "too_many_bytes",
]
