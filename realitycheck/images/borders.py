"""Finds bars and frames of one colour around a picture: they say nothing of how it was made.

Where in doubt, they stay. What is taken for a bar lies on two opposite sides in one colour and ends
in a straight edge, as the margins of a product on white, a night sky and flat colour do not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[int, int, int, int]  # left, top, right, bottom, px

LEAST_LEFT = 0.25  # of each side that must be left
LEAST_SIDE = 64  # px that must be left of each side
_LEAST_BARS = 0.01  # of a side that two bars must take up together
_NESTED = 3  # frames within frames
_SAMPLES, _FIRST, _STRIP = 512, 4, 64  # of a line that are looked at; lines at a time
_NEAR, _FAR = 4, 24  # levels: still a bar's colour; surely another
_STRAY = 0.01  # of a bar's line that may be another colour
_RINGING, _DISTURBED = 16, 16  # px beside an edge that JPEG may have disturbed, and by how much
_BEGUN = 0.15  # of a line that is another colour where the picture has begun
# Share of the first lines within that must have another colour: of two bars as wide as each other,
# where they are dark (as the picture may be), where they are not; and of other bars.
_DARK = 40
_EDGE_DARK, _EDGE_EVEN, _EDGE = 0.3, 0.6, 0.8


@dataclass(frozen=True)
class _Bar:
    """What lies along one side of a picture.

    Attributes:
        depth: px; 0 for no bar.
        colour: RGB.
        edge: share of the first lines behind it that have another colour.
    """

    depth: int
    colour: NDArray[np.int16]
    edge: float


def inside(image: Image.Image) -> Box:
    """The part of a picture that lies within bars or frames of one colour.

    Args:
        image: RGB picture of any size.

    Returns:
        Its box; that of the whole picture where there are none.
    """
    box: Box = (0, 0, *image.size)
    for _ in range(_NESTED):
        before = box
        for upright in (True, False):
            box = _without_pair(image, box, upright)
        if box == before:
            break
    return box


def without(image: Image.Image, within: Box | None = None) -> Image.Image:
    """A picture without bars or frames of one colour; the same object where there are none.

    Args:
        image: RGB picture of any size.
        within: of `inside`, where it is known already.
    """
    box = within or inside(image)
    return image if box == (0, 0, *image.size) else image.crop(box)


def _without_pair(image: Image.Image, box: Box, upright: bool) -> Box:
    """A box without the bars at its top and bottom, or left and right where not `upright`."""
    left, top, right, bottom = box
    start, end, total = (top, bottom, image.height) if upright else (left, right, image.width)
    room = int(end - start - max(LEAST_SIDE, LEAST_LEFT * total))
    # A bar no wider than what JPEG disturbs has nowhere quite its own colour.
    for near, most in ((_NEAR, room), (_DISTURBED, min(room, _RINGING))):
        first = _bar(image, box, upright, False, near, most)
        last = _bar(image, box, upright, True, near, most) if first.depth else first
        if first.depth + last.depth <= room and _are_pair(first, last, end - start, near):
            start, end = start + first.depth, end - last.depth
            return (left, start, right, end) if upright else (start, top, end, bottom)
    return box


def _are_pair(first: _Bar, last: _Bar, length: int, near: int) -> bool:
    """Whether what lies along opposite sides, `length` px apart, is two bars."""
    if not (first.depth and last.depth) or np.abs(first.colour - last.colour).max() > near:
        return False
    if first.depth + last.depth < max(2, _LEAST_BARS * length):
        return False
    needed = _EDGE
    if near == _NEAR and abs(first.depth - last.depth) <= max(1, 0.01 * length):
        needed = _EDGE_DARK if first.colour.max() <= _DARK else _EDGE_EVEN
    return min(first.edge, last.edge) >= needed


def _bar(image: Image.Image, box: Box, upright: bool, from_end: bool, near: int, most: int) -> _Bar:
    """The bar of at most so many px along one side; `near` levels are still its colour."""
    length = box[3] - box[1] if upright else box[2] - box[0]
    colour = np.zeros(3, np.int16)
    depth, behind = 0, np.empty((0,))
    for start in (0, *range(_FIRST, max(_FIRST, most + 1), _STRIP)):
        end = min(length, start + (_STRIP if start else _FIRST))
        strip = _strip(image, box, upright, from_end, start, end)
        if not start:
            colour = np.median(strip[0], axis=0).astype(np.int16)
        differing = np.abs(strip - colour).max(axis=2)
        other = np.flatnonzero((differing > near).mean(axis=1) > _STRAY)
        if other.size:
            depth = start + int(other[0])
            end = min(length, depth + _RINGING + 4)
            strip = _strip(image, box, upright, from_end, depth, end)
            behind = np.abs(strip - colour).max(axis=2) > _FAR
            break
    if not 0 < depth <= most:
        return _Bar(0, colour, 0.0)
    begun = np.flatnonzero(behind[:_RINGING].mean(axis=1) >= _BEGUN)
    skipped = int(begun[0]) if begun.size else 0
    return _Bar(depth + skipped, colour, float(behind[skipped : skipped + 4].any(axis=0).mean()))


def _strip(
    image: Image.Image, box: Box, upright: bool, from_end: bool, start: int, end: int
) -> NDArray[np.int16]:
    """Lines `start` to `end` of a box, counted from one of its sides [lines, samples, 3]."""
    left, top, right, bottom = box
    if upright:
        rows = (bottom - end, bottom - start) if from_end else (top + start, top + end)
        part = image.crop((left, rows[0], right, rows[1]))
        lines = np.asarray(part)
    else:
        columns = (right - end, right - start) if from_end else (left + start, left + end)
        part = image.crop((columns[0], top, columns[1], bottom))
        lines = np.asarray(part).swapaxes(0, 1)
    lines = lines[:, :: max(1, lines.shape[1] // _SAMPLES)]
    return (lines[::-1] if from_end else lines).astype(np.int16)
