"""From an image to the squares that a network sees.

Detector, scan and evaluation all take their views from here, so that a checkpoint is asked about
pictures prepared exactly as when it was measured.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

MODES = ("native", "whole", "centre")

NATIVE_GRID = (2, 3)  # native views along the short and the long side, at most
RESIZED_SHORT = 256  # px; the smallest short side the training pictures were resized to
RESIZED_GRID = (2, 4)  # the same on the resized copy, which they always cover
CENTRE_NATIVE = 1.25  # views' sides that the short side must have for a cut at its own scale
CENTRE_CUTS = 4  # squares along a panorama, at most


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its pictures. Stored in the checkpoint's config.

    Attributes:
        mode: "native" looks at crops at the picture's own scale and at a small copy of the
            whole; "whole" resizes the picture to one square, as the paper does; "centre" cuts
            squares out of the middle, of a small copy and at the picture's own scale.
        size: side of a view in pixels.
        mean: per-channel mean that is subtracted, for values in [0, 1].
        std: per-channel deviation that is divided by.
    """

    mode: str
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}")
        if self.size < 1:
            raise ValueError(f"size must be positive, not {self.size}")


@dataclass(frozen=True)
class View:
    """A square part of a picture.

    Attributes:
        pixels: RGB image of the preprocessing's size.
        box: left, top, right, bottom of the part in pixels of the picture; may reach beyond
            its borders where the picture was mirrored to fill the square.
        kind: "native", "resized" or "whole".
    """

    pixels: Image.Image
    box: tuple[float, float, float, float]
    kind: str


def evaluation_views(image: Image.Image, preprocessing: Preprocessing) -> list[View]:
    """The views a picture is judged by; always the same for the same picture.

    In mode "native": up to 2 x 3 crops at the picture's own scale, spread evenly, and, when
    the picture is larger than those see, crops that cover a copy whose short side is
    256 px. Generators leave traces that resizing destroys, re-saved pictures have lost them,
    and each kind of view serves one of the two.

    In mode "centre": the middle square of a copy whose short side is a view's, or up to four
    squares along a picture twice as long as high or longer; and, where the short side has at
    least 1.25 of a view's, as many squares at the picture's own scale.

    Args:
        image: RGB picture of any size.
        preprocessing: of the network.

    Returns:
        1 to 14 views.
    """
    size = preprocessing.size
    if preprocessing.mode == "whole":
        box = (0, 0, *image.size)
        return [View(image.resize((size, size), Image.Resampling.BICUBIC), box, "whole")]
    if preprocessing.mode == "centre":
        return _centre_views(image, size)
    views = _grid(image, size, NATIVE_GRID, 1.0, "native")
    short_side = min(max(RESIZED_SHORT, size), RESIZED_GRID[0] * size)
    if min(image.size) > 1.25 * short_side or max(image.size) > NATIVE_GRID[1] * size:
        scale = min(1, short_side / min(image.size), RESIZED_GRID[1] * size / max(image.size))
        width, height = (max(1, round(side * scale)) for side in image.size)
        small = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        views += _grid(small, size, RESIZED_GRID, image.width / small.width, "resized")
    return views


def _centre_views(image: Image.Image, size: int) -> list[View]:
    factor = size / min(image.size)
    width, height = (max(size, round(side * factor)) for side in image.size)
    small = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
    views = _along(small, size, image.width / width, "whole")
    if min(image.size) >= CENTRE_NATIVE * size:
        views += _along(image, size, 1.0, "native")
    return views


def _along(image: Image.Image, size: int, scale: float, kind: str) -> list[View]:
    """Squares from the middle line of a picture, as many as its shape asks for."""
    short, long = sorted(image.size)
    count = min(CENTRE_CUTS, max(1, long // short))
    views = []
    for part in range(count):
        # Middles of equal parts of the long side.
        middle = long * (2 * part + 1) / (2 * count)
        start = min(max(int(middle - size / 2), 0), long - size)
        across = (short - size) // 2
        x, y = (start, across) if image.width >= image.height else (across, start)
        box = (x * scale, y * scale, (x + size) * scale, (y + size) * scale)
        views.append(View(image.crop((x, y, x + size, y + size)), box, kind))
    return views


def _grid(
    image: Image.Image, size: int, most: tuple[int, int], scale: float, kind: str
) -> list[View]:
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


def _starts(length: int, size: int, most: int) -> list[int]:
    # A twentieth of a view is not worth another one.
    count = min(most, max(1, math.ceil(length / size - 0.05)))
    if count == 1:
        return [(length - size) // 2]
    return [round(i * (length - size) / (count - 1)) for i in range(count)]


def pad_to(image: Image.Image, size: int) -> tuple[Image.Image, int, int]:
    """Mirrors a picture outwards until both sides have at least `size` pixels.

    Enlarging instead would invent the smoothness that generators leave.

    Returns:
        The padded picture, and how many pixels were added at its left and top.
    """
    missing_x, missing_y = max(0, size - image.width), max(0, size - image.height)
    if not missing_x and not missing_y:
        return image, 0, 0
    left, top = missing_x // 2, missing_y // 2
    widths = ((top, missing_y - top), (left, missing_x - left), (0, 0))
    return Image.fromarray(np.pad(np.asarray(image), widths, mode="symmetric")), left, top


def to_batch(images: list[Image.Image], preprocessing: Preprocessing) -> Tensor:
    """Stacks RGB images of one size into a normalised float batch [N, 3, H, W]."""
    pixels = np.stack([np.asarray(image) for image in images])
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    return batch.sub_(mean).div_(std)
