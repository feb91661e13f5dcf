"""From an image to what the network sees while it is trained."""

import math
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torchvision.transforms import v2

from realitycheck.committee.views import Preprocessing, pad_to
from realitycheck.images.perturbations import reencode

Transform = Callable[[Image.Image], torch.Tensor]


class RandomScaledCrop:
    """A square crop at native scale or, with probability `p`, rescaled by `scale`.

    A picture too small to be cut first and shrunk then is shrunk whole, and mirrored outwards as
    the detector does with small pictures.

    Args:
        size: side of the result in pixels.
        scale: lowest and highest factor of rescaling.
        p: probability of rescaling.
    """

    def __init__(self, size: int, scale: tuple[float, float] = (0.5, 1.3), p: float = 0.5) -> None:
        self.size, self.scale, self.p = size, scale, p

    def __call__(self, image: Image.Image) -> Image.Image:
        if torch.rand(()) >= self.p:
            return _cut(image, self.size)
        low, high = (math.log(factor) for factor in self.scale)
        factor = math.exp(low + (high - low) * torch.rand(()).item())
        filters = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
        resample = filters[int(torch.randint(3, ()))]
        side = max(round(self.size / factor), 1)
        if side > max(min(image.size), self.size):
            smaller = [max(1, round(length * factor)) for length in image.size]
            return _cut(image.resize(smaller, resample), self.size)
        return _cut(image, side).resize((self.size, self.size), resample)


def _cut(image: Image.Image, side: int) -> Image.Image:
    """A square from anywhere in a picture."""
    image, _, _ = pad_to(image, side)
    x = int(torch.randint(image.width - side + 1, ()))
    y = int(torch.randint(image.height - side + 1, ()))
    return image.crop((x, y, x + side, y + side))


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


def training_view(size: int, preprocessing: Preprocessing, strength: float = 1.0) -> Transform:
    """The full recipe's augmentation.

    Args:
        size: side of a training crop in pixels.
        preprocessing: gives mean and std.
        strength: multiplies every probability of a change; 0 leaves crops and flips only.

    Returns:
        A function from an RGB image to a float tensor [3, size, size].
    """
    jitter = v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02)
    composed: Transform = v2.Compose(
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
    return composed


def paper_view(preprocessing: Preprocessing, augment: bool = True) -> Transform:
    """The paper's transform: resize to a square, random rotation and flip, normalise.

    Returns:
        A function from an RGB image to a float tensor [3, size, size].
    """
    size = preprocessing.size
    resize = v2.Resize((size, size), interpolation=v2.InterpolationMode.BICUBIC)
    changes = [v2.RandomRotation(15), v2.RandomHorizontalFlip()] if augment else []
    composed: Transform = v2.Compose([resize, *changes, *_to_tensor(preprocessing)])
    return composed


def centre_view(size: int, preprocessing: Preprocessing) -> Transform:
    """The middle of a picture at its own scale: a quick look at validation while training.

    Returns:
        A function from an RGB image to a float tensor [3, size, size].
    """
    composed: Transform = v2.Compose([_Centre(size), *_to_tensor(preprocessing)])
    return composed


class _Centre:
    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, image: Image.Image) -> Image.Image:
        image, _, _ = pad_to(image, self.size)
        left, top = (image.width - self.size) // 2, (image.height - self.size) // 2
        return image.crop((left, top, left + self.size, top + self.size))


def _to_tensor(preprocessing: Preprocessing) -> list[Callable[..., Any]]:
    return [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(preprocessing.mean, preprocessing.std),
    ]
