"""How strongly a file says that it was compressed: JPEG by its tables, WebP by its header.

All is told on the scale of the Independent JPEG Group's library, 1 to 100.
"""

import io
from functools import cache
from typing import cast

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from realitycheck.images.containers import container, riff_chunks
from realitycheck.images.formats import FORMATS, READ_ERRORS

# A quantizer's index in a lossy WebP, and the quality at which a JPEG loses as much of the finest
# detail: the median of 40 pictures, by the energy that a 3 x 3 high pass leaves of the difference.
_WEBP_INDICES = (25, 41, 49, 57, 65, 73, 81, 89, 97, 105, 127)
_WEBP_QUALITIES = (80, 74, 65, 54, 42, 35, 30, 27, 22, 20, 12)
_KEY_FRAME = b"\x9d\x01\x2a"
_HEADER = 64  # bytes that the part of a header with the quantizers may take


def stated(data: bytes) -> int | None:
    """The quality a picture file was last saved at.

    Args:
        data: a picture file.

    Returns:
        1 to 100; that of a JPEG as bad for a lossy WebP; None for anything else.
    """
    if container(data) == "WEBP":
        return _of_webp(data)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            tables = getattr(image, "quantization", None)
    except READ_ERRORS:
        return None
    if not tables or 0 not in tables:
        return None
    coarseness, scale = sum(tables[0]), _coarseness()
    return min(scale, key=lambda quality: abs(scale[quality] - coarseness))


@cache
def _coarseness() -> dict[int, int]:
    """JPEG quality to the sum of the quantization table that belongs to it."""
    scale = {}
    for quality in range(1, 101):
        buffer = io.BytesIO()
        Image.new("L", (8, 8)).save(buffer, "JPEG", quality=quality)
        with Image.open(buffer) as image:
            scale[quality] = sum(cast(JpegImageFile, image).quantization[0])
    return scale


def _of_webp(data: bytes) -> int | None:
    frame = next((body for kind, body in riff_chunks(data) if kind == b"VP8 "), b"")
    if frame[3:6] != _KEY_FRAME:
        return None
    index = _quantizer(_Bits(frame[10 : 10 + _HEADER]))
    return round(float(np.interp(index, _WEBP_INDICES, _WEBP_QUALITIES)))


class _Bits:
    """The numbers at the start of a lossy WebP's frame.

    Source: RFC 6386, 7.3: arithmetic coding, here of bits that are 0 as often as 1.
    """

    def __init__(self, data: bytes) -> None:
        self.rest = iter(data[2:])
        self.value, self.range, self.shifted = (
            int.from_bytes(data[:2].ljust(2, b"\0"), "big"),
            255,
            0,
        )

    def number(self, bits: int) -> int:
        """The next number of so many bits."""
        found = 0
        for _ in range(bits):
            found = 2 * found + self._bit()
        return found

    def signed(self, bits: int) -> int:
        """The next number that may be left out, with a sign; 0 where it is."""
        if not self.number(1):
            return 0
        size = self.number(bits)
        return -size if self.number(1) else size

    def _bit(self) -> int:
        split = 1 + ((self.range - 1) * 128 >> 8)
        found = self.value >= split << 8
        self.value -= found * (split << 8)
        self.range = self.range - split if found else split
        while self.range < 128:
            self.value, self.range, self.shifted = (
                self.value << 1,
                self.range << 1,
                self.shifted + 1,
            )
            if self.shifted % 8 == 0:
                self.value |= next(self.rest, 0)
        return int(found)


def _quantizer(bits: _Bits) -> float:
    """The index, 0 to 127, of a frame's quantizer, or the mean of its segments' (RFC 6386, 9)."""
    bits.number(2)  # colour space, clamping
    absolute, segments = 0, [0]
    if bits.number(1):
        new_map, new_data = bits.number(1), bits.number(1)
        if new_data:
            absolute = bits.number(1)
            segments = [bits.signed(7) for _ in range(4)]
            for _ in range(4):
                bits.signed(6)  # loop filter
        for _ in range(3 * new_map):
            bits.number(8 * bits.number(1))
    bits.number(10)  # loop filter
    if bits.number(1) and bits.number(1):
        for _ in range(8):
            bits.signed(6)
    bits.number(2)  # partitions
    index = bits.number(7)
    mean = sum(segments) / len(segments)
    return mean if absolute else index + mean
