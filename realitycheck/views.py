"""From an image to what the network sees: the one place for every change of pixels.

The app, the command line, training and evaluation all take their views from here, so that
a checkpoint is asked about pictures prepared exactly as when it was measured.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

# Statistics of ImageNet, which every torchvision weight set expects.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

NATIVE_GRID = (2, 3)  # native views along the short and the long side, at most
RESIZED_SHORT = 256  # px; the smallest short side the training pictures were resized to
RESIZED_GRID = (2, 4)  # the same on the resized copy, which they always cover


@dataclass(frozen=True)
class Preprocessing:
    """How a checkpoint wants its pictures. Stored in its config.

    Attributes:
        mode: "native" looks at crops at the picture's own scale and at a small copy of the
            whole; "whole" resizes the picture to one square, as the paper does.
        size: side of a view in pixels.
        mean: per-channel mean that is subtracted, for values in [0, 1].
        std: per-channel deviation that is divided by.
    """

    mode: str = "native"
    size: int = 176
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD

    def __post_init__(self) -> None:
        if self.mode not in ("native", "whole"):
            raise ValueError(f'mode must be "native" or "whole", not {self.mode!r}')
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

    Args:
        image: RGB picture of any size.
        preprocessing: from the checkpoint.

    Returns:
        1 to 14 views.
    """
    size = preprocessing.size
    if preprocessing.mode == "whole":
        box = (0, 0, *image.size)
        return [View(image.resize((size, size), Image.Resampling.BICUBIC), box, "whole")]
    views = _grid(image, size, NATIVE_GRID, 1.0, "native")
    short_side = min(max(RESIZED_SHORT, size), RESIZED_GRID[0] * size)
    if min(image.size) > 1.25 * short_side or max(image.size) > NATIVE_GRID[1] * size:
        scale = min(1, short_side / min(image.size), RESIZED_GRID[1] * size / max(image.size))
        small = image.resize(
            [max(1, round(side * scale)) for side in image.size],
            Image.Resampling.BICUBIC,
            reducing_gap=3.0,
        )
        views += _grid(small, size, RESIZED_GRID, image.width / small.width, "resized")
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


# --- training -----------------------------------------------------------------------------


class RandomScaledCrop:
    """A square crop at native scale or, with probability `p`, rescaled by `scale`.

    Args:
        size: side of the result in pixels.
        scale: lowest and highest factor of rescaling.
        p: probability of rescaling.
    """

    def __init__(self, size: int, scale: tuple[float, float] = (0.5, 1.3), p: float = 0.5) -> None:
        self.size, self.scale, self.p = size, scale, p

    def __call__(self, image: Image.Image) -> Image.Image:
        side = self.size
        if torch.rand(()) < self.p:
            low, high = (math.log(factor) for factor in self.scale)
            factor = math.exp(low + (high - low) * torch.rand(()).item())
            side = min(max(round(self.size / factor), 1), max(min(image.size), self.size))
        image, _, _ = pad_to(image, side)
        x = int(torch.randint(image.width - side + 1, ()))
        y = int(torch.randint(image.height - side + 1, ()))
        crop = image.crop((x, y, x + side, y + side))
        if side == self.size:
            return crop
        filters = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
        return crop.resize((self.size, self.size), filters[int(torch.randint(3, ()))])


class RandomQuarterTurn:
    """Turns by 90, 180 or 270 degrees with probability `p`: no pixel is interpolated."""

    TURNS = (
        Image.Transpose.ROTATE_90,
        Image.Transpose.ROTATE_180,
        Image.Transpose.ROTATE_270,
    )

    def __init__(self, p: float) -> None:
        self.p = p

    def __call__(self, image: Image.Image) -> Image.Image:
        if torch.rand(()) >= self.p:
            return image
        return image.transpose(self.TURNS[int(torch.randint(3, ()))])


class RandomReencode:
    """Saves as JPEG or WebP at a random quality and reads it back, with probability `p`."""

    def __init__(self, p: float, quality: tuple[int, int] = (30, 95)) -> None:
        self.p, self.quality = p, quality

    def __call__(self, image: Image.Image) -> Image.Image:
        if torch.rand(()) >= self.p:
            return image
        low, high = self.quality
        kind = "JPEG" if torch.rand(()) < 0.8 else "WEBP"
        return reencode(image, kind, int(torch.randint(low, high + 1, ())))


def training_view(size: int, preprocessing: Preprocessing, strength: float = 1.0) -> Callable:
    """The full recipe's augmentation.

    Args:
        size: side of a training crop in pixels.
        preprocessing: gives mean and std.
        strength: multiplies every probability of a change; 0 leaves crops and flips only.

    Returns:
        A function from an RGB image to a float tensor [3, size, size].
    """
    jitter = v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02)
    return v2.Compose(
        [
            RandomScaledCrop(size, p=min(1.0, 0.5 * strength)),
            v2.RandomHorizontalFlip(),
            RandomQuarterTurn(min(1.0, 0.25 * strength)),
            v2.RandomApply([jitter], p=min(1.0, 0.25 * strength)),
            v2.RandomApply([v2.GaussianBlur(5, sigma=(0.1, 2.0))], p=min(1.0, 0.1 * strength)),
            RandomReencode(min(1.0, 0.4 * strength)),
            *_to_tensor(preprocessing),
        ]
    )


def paper_view(preprocessing: Preprocessing, augment: bool = True) -> Callable:
    """The paper's transform: resize to a square, random rotation and flip, normalise.

    Returns:
        A function from an RGB image to a float tensor [3, size, size].
    """
    size = preprocessing.size
    resize = v2.Resize((size, size), interpolation=v2.InterpolationMode.BICUBIC)
    changes = [v2.RandomRotation(15), v2.RandomHorizontalFlip()] if augment else []
    return v2.Compose([resize, *changes, *_to_tensor(preprocessing)])


def centre_view(size: int, preprocessing: Preprocessing) -> Callable:
    """The middle of a picture at its own scale: a quick look at validation while training.

    Returns:
        A function from an RGB image to a float tensor [3, size, size].
    """
    return v2.Compose([_Centre(size), *_to_tensor(preprocessing)])


class _Centre:
    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, image: Image.Image) -> Image.Image:
        image, _, _ = pad_to(image, self.size)
        left, top = (image.width - self.size) // 2, (image.height - self.size) // 2
        return image.crop((left, top, left + self.size, top + self.size))


def _to_tensor(preprocessing: Preprocessing) -> list[Callable]:
    return [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(preprocessing.mean, preprocessing.std),
    ]


# --- degradations -------------------------------------------------------------------------


def reencode(image: Image.Image, kind: str, quality: int) -> Image.Image:
    """Saves as `kind` ("JPEG" or "WEBP") at `quality` (1 to 100) and reads it back."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")


def shrink(image: Image.Image, long_side: int) -> Image.Image:
    """Makes a picture smaller, never larger, until its long side is `long_side` px."""
    smaller = image.copy()
    smaller.thumbnail((long_side, long_side), Image.Resampling.BICUBIC)
    return smaller


def _half(image: Image.Image) -> Image.Image:
    size = [max(1, side // 2) for side in image.size]
    return image.resize(size, Image.Resampling.BICUBIC)


# What happens to pictures on the web. Evaluation names these in its reports.
CONDITIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "clean": lambda image: image,
    "web": lambda image: reencode(shrink(image, 768), "JPEG", 60),
    "hard": lambda image: reencode(shrink(image, 512), "JPEG", 40),
    "half": lambda image: reencode(_half(image), "JPEG", 90),
}
