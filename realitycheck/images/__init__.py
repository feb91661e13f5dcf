"""Pictures: reading them safely, changing them as the web does, and what their files say."""

from realitycheck.images.reading import (
    FORMATS,
    MAX_BYTES,
    MAX_PIXELS,
    MIN_SIDE,
    READ_ERRORS,
    SUFFIXES,
    Picture,
    allowed_path,
    read,
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
    "read",
]
