"""Gives a PNG without what its metadata breaks, and without a lost end.

A wrong checksum or an oversized text makes Pillow refuse a picture whose pixels are all there.
Source: PNG, third edition.
"""

import struct
import zlib

from realitycheck.images.containers import png_chunks, unpacked
from realitycheck.images.formats import MAX_PIXELS, READ_ERRORS

_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"acTL")  # what says how pixels are to be read
_MOST_PROFILE = 4 << 20
_MOST_UNPACKED = 9 * MAX_PIXELS  # 16 bits in four channels, and filters
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = (  # of interlacing: where each begins, and its steps
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def bare(data: bytes) -> tuple[bytes, float]:
    """A PNG with its pixels alone.

    Returns:
        The file, and the share of its pixels that is missing. Damaged pixels stay so.
    """
    parts, pixels, header, cut = [_SIGNATURE], [], b"", True
    for kind, body, checksum in png_chunks(data):
        if kind == b"IHDR":
            header = body
        if kind == b"IDAT":
            pixels.append((body, checksum))
        elif kind == b"IEND":
            cut = False
        elif kind in _KEPT and not pixels:
            parts.append(_chunk(kind, body))
    if cut:
        stream = b"".join(body for body, _ in pixels)
        whole = size(header)
        whole = whole if whole <= _MOST_UNPACKED else 0  # too large to be read anyway
        share = 1 - min(1.0, _unpacked_size(stream, whole) / whole) if whole else 0.0
        return b"".join([*parts, _chunk(b"IDAT", stream), _chunk(b"IEND", b"")]), share
    # The checksums of pixels are kept: a wrong one means that pixels are wrong.
    chunks = (struct.pack(">I", len(body)) + b"IDAT" + body + end for body, end in pixels)
    return b"".join([*parts, *chunks, _chunk(b"IEND", b"")]), 0.0


def profile(data: bytes) -> bytes:
    """The colour profile of a PNG, or b""."""
    for kind, body, _ in png_chunks(data):
        if kind == b"IDAT":
            return b""
        if kind == b"iCCP":
            return unpacked(body.partition(b"\0")[2][1:], _MOST_PROFILE)
    return b""


def size(header: bytes) -> int:
    """Bytes that the pixels of a PNG have unpacked, filter bytes included."""
    try:
        width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    except READ_ERRORS:
        return 0
    bits = depth * _CHANNELS.get(kind, 1)
    total = 0
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def _unpacked_size(stream: bytes, most: int) -> int:
    unpacker, total, rest = zlib.decompressobj(), 0, stream
    try:
        while total < most and (piece := unpacker.decompress(rest, 1 << 20)):
            total += len(piece)
            rest = unpacker.unconsumed_tail
    except zlib.error:
        pass
    return total


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
