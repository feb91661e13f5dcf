"""Tells a JPEG that lacks only its end from one that lacks pixels, and how many.

libjpeg fills up what is missing and says nothing that Pillow passes on. So the file is decoded
twice, with other bytes behind each time: where every pixel is there, they change nothing.
"""

import io

import numpy as np
from PIL import Image

from realitycheck.images.containers import jpeg_segments
from realitycheck.images.formats import READ_ERRORS

_END = b"\xff\xd9"
# Any bytes but 0xFF, which begins a marker.
_PADS = (
    bytes((73 * i + 29) % 251 for i in range(512)),
    bytes((151 * i + 83) % 241 for i in range(512)),
)
_MCU = 16  # px, the most rows that are coded together


def end(data: bytes) -> int | None:
    """Place of the marker that ends the first image, or None."""
    return next((place for marker, place, _ in jpeg_segments(data) if marker == 0xD9), None)


def mended(data: bytes) -> tuple[bytes, float]:
    """A JPEG without its end, given one.

    Returns:
        The file with an end marker, and the share of its pixels that is missing.
    """
    # A download that stopped often leaves zeros; the last one or two may be picture.
    bare = data.rstrip(b"\0")
    share = 1.0
    for zeros in range(min(3, len(data) - len(bare) + 1)):
        body = (bare + bytes(zeros)).removesuffix(b"\xff")
        share = min(share, missing(body))
        if share == 0:
            return body + _END, 0.0
    return data + _END, share


def missing(body: bytes, *, coarse: bool = False) -> float:
    """Share of the pixels, in [0, 1], that a JPEG without its end marker lacks.

    Args:
        body: the file up to where its end marker would be.
        coarse: looks at an eighth of each side, which is quicker, and for blocks that are missing
            altogether.
    """
    try:
        one, other = (_pixels(body + pad + _END, coarse) for pad in _PADS)
    except READ_ERRORS:
        return 1.0
    if not coarse and _scans_missing(body):
        return 1.0
    (height, width), tall = one.shape[:2], _MCU // 8 if coarse else _MCU
    for top in range(
        0, height, tall
    ):  # by rows of blocks: whole pictures of 40 megapixels are large
        rows = one[top : top + tall] != other[top : top + tall]
        differ = rows.reshape(*rows.shape[:2], -1).any(axis=(0, 2))
        if differ.any():
            left = int(np.flatnonzero(differ)[0])
            lost = height - top - len(rows) * left / width
            return float(max(lost / height, 1 / (height * width)))
    return 0.0


def ends_flat(image: Image.Image) -> bool:
    """Whether the last corner has one colour: as what libjpeg puts where pixels are missing."""
    right, bottom = image.size
    corner = np.asarray(image.crop((max(0, right - 8), max(0, bottom - 8), right, bottom)))
    return bool((corner == corner[:1, :1]).all())


def _pixels(data: bytes, coarse: bool) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        if coarse:
            image.draft(None, (image.width // 8, image.height // 8))
        return np.asarray(image)


def _scans_missing(body: bytes) -> bool:
    """Whether a part of every pixel is missing: a colour, or the finer steps of a progressive."""
    gradual, components, reached = False, set[int](), dict[tuple[int, int], int]()
    for marker, _, content in jpeg_segments(body):
        if marker in (0xC0, 0xC1, 0xC2) and len(content) > 5:
            gradual = marker == 0xC2
            components = set(content[6 : 6 + 3 * content[5] : 3])
        elif marker == 0xDA and content:
            count = content[0]
            first, last, depth = (*content[1 + 2 * count : 4 + 2 * count], 0, 63, 0)[:3]
            for component in content[1 : 1 + 2 * count : 2]:
                for place in range(first, last + 1) if gradual else range(64):
                    reached[component, place] = depth & 15 if gradual else 0
    return any(
        reached.get((component, place), 1) for component in components for place in range(64)
    )
