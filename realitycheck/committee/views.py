"""From an image to the squares that a network sees.

Detector, scan and evaluation all take their views from here, so that a checkpoint is asked about
pictures prepared exactly as when it was measured.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from realitycheck.images import borders

MODES = ("native", "whole", "centre")

NATIVE_GRID = (2, 3)  # native views along the short and the long side, at most
RESIZED_SHORT = 256  # px; the smallest short side the training pictures were resized to
RESIZED_GRID = (2, 4)  # the same on the resized copy
LONG = 4  # times its short side, beyond which a picture is cut along its length
LONG_CUTS = 8  # squares along it, at most: they cover pictures up to 8:1
CENTRE_NATIVE = 1.25  # views' sides that the short side must have for a cut at its own scale
CENTRE_CUTS = 4  # squares along a panorama, at most


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its pictures. Stored in the checkpoint's config.

    Attributes:
        mode: "native" looks at crops at the picture's own scale and at a small copy of the
            whole; "whole" resizes the picture to one square, as the paper does, or squares along
            a panorama; "centre" cuts squares out of the middle, of a small copy and at the
            picture's own scale.
        size: side of a view in pixels.
        mean: per-channel mean that is subtracted, for values in [0, 1].
        std: per-channel deviation that is divided by.
        native_weight: in mode "centre", how much a view at the picture's own scale counts beside
            one of the small copy.
    """

    mode: str
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    native_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}")
        if self.size < 1:
            raise ValueError(f"size must be positive, not {self.size}")
        if not 0 < self.native_weight < math.inf:
            raise ValueError(f"native_weight must be a positive number, not {self.native_weight}")


@dataclass(frozen=True)
class View:
    """A square part of a picture.

    Attributes:
        pixels: RGB image of the preprocessing's size.
        box: left, top, right, bottom of the part in pixels of the picture; may reach beyond
            its borders where the picture was mirrored to fill the square.
        kind: "native", "resized" or "whole".
        weight: how much it counts beside the picture's other views.
    """

    pixels: Image.Image
    box: tuple[float, float, float, float]
    kind: str
    weight: float = 1.0


def evaluation_views(
    image: Image.Image, preprocessing: Preprocessing, within: borders.Box | None = None
) -> list[View]:
    """The views a picture is judged by; always the same for the same picture.

    In mode "native": up to 2 x 3 crops at the picture's own scale, spread evenly, and, when
    the picture is larger than those see, crops that cover a copy whose short side is
    256 px. Generators leave traces that resizing destroys, re-saved pictures have lost them,
    and each kind of view serves one of the two.

    In mode "centre": the middle square of a copy whose short side is a view's, or up to four
    squares along a picture twice as long as high or longer; and, where the short side has at
    least 1.25 of a view's, as many squares at the picture's own scale.

    Beyond 4:1 modes "native" and "whole" look at up to eight squares along the picture. Half of
    every view or more is picture, whatever the shape: what fills the rest is mirrored, and a
    picture too narrow for that is cut into pieces that are enlarged.

    Bars and frames of one colour are no part of any view.

    Args:
        image: RGB picture of any size.
        preprocessing: of the network.
        within: of `borders.inside`, where it is known already.

    Returns:
        1 to 14 views.
    """
    within = within or borders.inside(image)
    views = _views(borders.without(image, within), preprocessing)
    x, y = within[:2]
    if not (x or y):
        return views
    return [
        replace(view, box=(view.box[0] + x, view.box[1] + y, view.box[2] + x, view.box[3] + y))
        for view in views
    ]


def quick_views(views: list[View]) -> list[View]:
    """Of a picture's views those that quick mode looks at: the whole, made small.

    Args:
        views: of `evaluation_views`.

    Returns:
        Those of kind "whole"; where there are none, the first of kind "resized"; where there is
        none either, all of them.
    """
    whole = [view for view in views if view.kind == "whole"]
    return whole or [view for view in views if view.kind == "resized"][:1] or views


def _views(image: Image.Image, preprocessing: Preprocessing) -> list[View]:
    size = preprocessing.size
    if preprocessing.mode == "whole":
        return [_resized(image, size, box) for box in _whole_boxes(image.size)]
    if preprocessing.mode == "centre":
        return _centre_views(image, size, preprocessing.native_weight)
    views = _grid(image, size, NATIVE_GRID, 1.0, "native")
    short, long = sorted(image.size)
    short_side = min(max(RESIZED_SHORT, size), RESIZED_GRID[0] * size)
    if short > 1.25 * short_side or long > NATIVE_GRID[1] * size:
        # A copy that the grid covers, but for panoramas, which would become slivers in it.
        scale = min(1, short_side / short, max(RESIZED_GRID[1] * size / long, size / short))
        width, height = (max(1, round(side * scale)) for side in image.size)
        small = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        most = (1, LONG_CUTS) if long > LONG * short else RESIZED_GRID
        views += _grid(small, size, most, image.width / small.width, "resized")
    return views


def _whole_boxes(size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    width, height = size
    if max(size) <= LONG * min(size):
        return [(0, 0, width, height)]
    return [_square(size, start) for start in _starts(max(size), min(size), LONG_CUTS)]


def _square(size: tuple[int, int], start: int) -> tuple[int, int, int, int]:
    """The largest square of a picture that begins at `start` of its long side."""
    short = min(size)
    x, y = (start, 0) if size[0] >= size[1] else (0, start)
    return x, y, x + short, y + short


def _resized(
    image: Image.Image,
    size: int,
    box: tuple[float, float, float, float],
    reducing_gap: float | None = None,
) -> View:
    pixels = image.resize((size, size), Image.Resampling.BICUBIC, box, reducing_gap)
    return View(pixels, box, "whole")


def _centre_views(image: Image.Image, size: int, native_weight: float) -> list[View]:
    short, long = sorted(image.size)
    if short < size and long > LONG_CUTS * short:
        # Enlarged whole, a strip could take gigabytes.
        starts = [int(middle - short / 2) for middle in _middles(long, CENTRE_CUTS)]
        return [_resized(image, size, _square(image.size, start)) for start in starts]
    factor = size / short
    width, height = (max(size, round(side * factor)) for side in image.size)
    views = []
    for x, y in _along((width, height), size):  # of a small copy; nothing else of it is made
        left, right = (at * image.width / width for at in (x, x + size))
        top, bottom = (at * image.height / height for at in (y, y + size))
        # Rounding must not lead beyond the picture.
        box = (left, top, min(image.width, right), min(image.height, bottom))
        views.append(_resized(image, size, box, reducing_gap=3.0))
    if short >= CENTRE_NATIVE * size:
        for x, y in _along(image.size, size):
            box = (x, y, x + size, y + size)
            views.append(View(image.crop(box), box, "native", native_weight))
    return views


def _middles(length: int, count: int) -> list[float]:
    """The middles of equal parts."""
    return [length * (2 * part + 1) / (2 * count) for part in range(count)]


def _along(shape: tuple[int, int], size: int) -> list[tuple[int, int]]:
    """Corners of squares on the middle line of a picture, as many as its shape asks for."""
    short, long = sorted(shape)
    count = min(CENTRE_CUTS, max(1, long // short))
    across = (short - size) // 2
    corners = []
    for middle in _middles(long, count):
        start = min(max(int(middle - size / 2), 0), long - size)
        corners.append((start, across) if shape[0] >= shape[1] else (across, start))
    return corners


def _grid(
    image: Image.Image, size: int, most: tuple[int, int], scale: float, kind: str
) -> list[View]:
    if enlargement(image.size, size) > 1:
        return _pieces(image, size, most[1], kind)  # such a picture is never shrunk: scale is 1
    padded, left, top = pad_to(image, size)
    most_x, most_y = reversed(most) if image.width >= image.height else most
    views = []
    for y in _starts(padded.height, size, most_y):
        for x in _starts(padded.width, size, most_x):
            pixels = padded.crop((x, y, x + size, y + size))
            corner_x, corner_y = (x - left) * scale, (y - top) * scale
            box = (corner_x, corner_y, corner_x + size * scale, corner_y + size * scale)
            views.append(View(pixels, box, kind))
    return views


def _pieces(image: Image.Image, size: int, most: int, kind: str) -> list[View]:
    """Views of a picture too small or narrow to fill half of one at its own scale."""
    views = []
    for start in _starts(max(image.size), piece_length(image.size, size), most):
        enlarged, (x, y, right, bottom) = piece(image, size, start)
        padded, left, top = pad_to(enlarged, size)
        # Pixels of the picture per pixel of the view.
        across, down = (right - x) / enlarged.width, (bottom - y) / enlarged.height
        x0, y0 = x - left * across, y - top * down
        box = (x0, y0, x0 + size * across, y0 + size * down)
        views.append(View(padded, box, kind))
    return views


def _starts(length: int, size: int, most: int) -> list[int]:
    # A twentieth of a view is not worth another one.
    count = min(most, max(1, math.ceil(length / size - 0.05)))
    if count == 1:
        return [(length - size) // 2]
    return [round(i * (length - size) / (count - 1)) for i in range(count)]


def enlargement(size: tuple[int, int], side: int) -> float:
    """The least factor of a picture's size with which it fills half of a square.

    Args:
        size: width and height of the picture, px.
        side: of the square, px.

    Returns:
        Above 1 where the picture must be enlarged; below 1 where it may be shrunk.
    """
    short, long = sorted(size)
    # A long picture fills the square's whole length; a shorter one leaves a margin all around.
    return side / (2 * short) if long >= 2 * short else side / math.sqrt(2 * short * long)


def piece_length(size: tuple[int, int], side: int) -> int:
    """How much of a picture's long side a square shows, once the picture is enlarged, px."""
    return min(max(size), math.ceil(side / enlargement(size, side)))


def piece(
    image: Image.Image, side: int, start: int
) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """A piece of a narrow picture, enlarged until it fills half of a square.

    Args:
        image: RGB, for which `enlargement` is above 1.
        side: of the square, px.
        start: where the piece begins on the long side, px.

    Returns:
        An RGB image whose sides are at most `side`, and the box of the picture that it shows.
    """
    factor, end = enlargement(image.size, side), start + piece_length(image.size, side)
    wide = image.width >= image.height
    box = (start, 0, end, image.height) if wide else (0, start, image.width, end)
    width, height = (
        min(side, math.ceil(edge * factor)) for edge in (box[2] - box[0], box[3] - box[1])
    )
    return image.resize((width, height), Image.Resampling.BICUBIC, box=box), box


def pad_to(image: Image.Image, size: int) -> tuple[Image.Image, int, int]:
    """Mirrors a picture outwards until both sides have at least `size` pixels.

    Enlarging instead would invent the smoothness that generators leave; see `piece` for what is
    too narrow.

    Returns:
        The padded picture, and how many pixels were added at its left and top.
    """
    missing_x, missing_y = max(0, size - image.width), max(0, size - image.height)
    if not missing_x and not missing_y:
        return image, 0, 0
    left, top = missing_x // 2, missing_y // 2
    widths = ((top, missing_y - top), (left, missing_x - left), (0, 0))
    return Image.fromarray(np.pad(np.asarray(image), widths, mode="symmetric")), left, top


def view_shares(views: list[View]) -> Tensor:
    """How much each of a picture's views counts, [V, 1], 1 on average."""
    weights = torch.tensor([view.weight for view in views])
    return (weights / weights.mean()).unsqueeze(1)


def to_batch(images: list[Image.Image], preprocessing: Preprocessing) -> Tensor:
    """Stacks RGB images of one size into a normalised float batch [N, 3, H, W]."""
    pixels = np.stack([np.asarray(image) for image in images])
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    return batch.sub_(mean).div_(std)
