"""From an image to what the network sees while it is trained."""

import math
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torchvision.transforms import v2

from realitycheck.committee import views
from realitycheck.committee.views import Preprocessing
from realitycheck.images.perturbations import reencode

Transform = Callable[[Image.Image], torch.Tensor]

# How many pictures are changed by the full recipe in a way, at strength 1.
SCALED, TURNED, JITTERED, BLURRED, RESAVED = 0.5, 0.25, 0.25, 0.1, 0.4
JITTER = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.02}
BLUR_SIDE, BLUR_SIGMA = 5, (0.1, 2.0)  # px
ROTATION = 15  # degrees, of the paper's recipe


class RandomScaledCrop:
    """A square crop at native scale or, with probability `p`, rescaled by `scale`.

    A picture too small to be cut first and shrunk then is shrunk whole, and mirrored outwards as
    the detector does with small pictures: half of the square or more is picture.

    Args:
        size: side of the result in pixels.
        scale: lowest and highest factor of rescaling.
        p: probability of rescaling.
        generator: of the random numbers; torch's own by default.
    """

    def __init__(
        self,
        size: int,
        scale: tuple[float, float] = (0.5, 1.3),
        p: float = SCALED,
        generator: torch.Generator | None = None,
    ) -> None:
        self.size, self.scale, self.p, self.generator = size, scale, p, generator

    def __call__(self, image: Image.Image) -> Image.Image:
        if torch.rand((), generator=self.generator) >= self.p:
            return self._cut(image, self.size)
        low, high = (math.log(factor) for factor in self.scale)
        factor = math.exp(low + (high - low) * torch.rand((), generator=self.generator).item())
        filters = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
        resample = filters[int(torch.randint(3, (), generator=self.generator))]
        side = max(round(self.size / factor), 1)
        if side > max(min(image.size), self.size):
            factor = max(factor, views.enlargement(image.size, self.size))
            if factor < 1:
                image = image.resize([math.ceil(side * factor) for side in image.size], resample)
            return self._cut(image, self.size)
        return self._cut(image, side).resize((self.size, self.size), resample)

    def _cut(self, image: Image.Image, side: int) -> Image.Image:
        return _cut(image, side, self.generator)


def chance(share: float, strength: float) -> float:
    """The probability of a change that so many pictures have at strength 1."""
    return min(1.0, share * strength)


def _cut(image: Image.Image, side: int, generator: torch.Generator | None = None) -> Image.Image:
    """A square from anywhere in a picture."""
    return _square(
        image, side, lambda spare: int(torch.randint(spare + 1, (), generator=generator))
    )


def _square(image: Image.Image, side: int, place: Callable[[int], int]) -> Image.Image:
    """A square of a picture, mirrored outwards, or of an enlarged piece of a narrow one.

    Args:
        image: RGB.
        side: of the square, px.
        place: where it begins, of that many px that are to spare.
    """
    if views.enlargement(image.size, side) > 1:
        spare = max(image.size) - views.piece_length(image.size, side)
        image, _ = views.piece(image, side, place(spare))
    image, _, _ = views.pad_to(image, side)
    x, y = place(image.width - side), place(image.height - side)
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
    """Saves as JPEG or WebP at a random quality and reads it back, with probability `p`.

    `generator` gives the random numbers; torch's own by default.
    """

    def __init__(
        self,
        p: float,
        quality: tuple[int, int] = (30, 95),
        generator: torch.Generator | None = None,
    ) -> None:
        self.p, self.quality, self.generator = p, quality, generator

    def __call__(self, image: Image.Image) -> Image.Image:
        if torch.rand((), generator=self.generator) >= self.p:
            return image
        low, high = self.quality
        kind = "JPEG" if torch.rand((), generator=self.generator) < 0.8 else "WEBP"
        quality = int(torch.randint(low, high + 1, (), generator=self.generator))
        return reencode(image, kind, quality)


def training_view(size: int, preprocessing: Preprocessing, strength: float = 1.0) -> Transform:
    """The full recipe's augmentation.

    Args:
        size: side of a training crop in pixels.
        preprocessing: gives mean and std.
        strength: multiplies every probability of a change; 0 leaves crops and flips only.

    Returns:
        A function from an RGB image to a float tensor [3, size, size].
    """
    blur = v2.GaussianBlur(BLUR_SIDE, sigma=BLUR_SIGMA)
    composed: Transform = v2.Compose(
        [
            RandomScaledCrop(size, p=chance(SCALED, strength)),
            v2.RandomHorizontalFlip(),
            RandomQuarterTurn(chance(TURNED, strength)),
            v2.RandomApply([v2.ColorJitter(**JITTER)], p=chance(JITTERED, strength)),
            v2.RandomApply([blur], p=chance(BLURRED, strength)),
            RandomReencode(chance(RESAVED, strength)),
            *_to_tensor(preprocessing),
        ]
    )
    return composed


def paper_view(preprocessing: Preprocessing, augment: bool = True) -> Transform:
    """The paper's transform: resize to a square, random rotation and flip, normalise.

    Of a panorama a square is cut first, from anywhere while augmenting and else from the middle.

    Returns:
        A function from an RGB image to a float tensor [3, size, size].
    """
    changes = [v2.RandomRotation(ROTATION), v2.RandomHorizontalFlip()] if augment else []
    composed: Transform = v2.Compose(
        [WholeSquare(preprocessing.size, augment), *changes, *_to_tensor(preprocessing)]
    )
    return composed


class WholeSquare:
    """A picture resized to one square; of a panorama, a square that is cut out first.

    Args:
        size: side of the result in pixels.
        anywhere: cut from anywhere, else from the middle.
        generator: of the random numbers; torch's own by default.
    """

    def __init__(self, size: int, anywhere: bool, generator: torch.Generator | None = None) -> None:
        self.size, self.anywhere, self.generator = size, anywhere, generator

    def __call__(self, image: Image.Image) -> Image.Image:
        square = self._square(image)
        return square.resize((self.size, self.size), Image.Resampling.BICUBIC)

    def _square(self, image: Image.Image) -> Image.Image:
        """Of a picture that the detector would cut along its length; others stay as they are."""
        short, long = sorted(image.size)
        if long <= views.LONG * short:
            return image
        return _cut(image, short, self.generator) if self.anywhere else Centre(short)(image)


def centre_view(size: int, preprocessing: Preprocessing) -> Transform:
    """The middle of a picture at its own scale: a quick look at validation while training.

    Returns:
        A function from an RGB image to a float tensor [3, size, size].
    """
    composed: Transform = v2.Compose([Centre(size), *_to_tensor(preprocessing)])
    return composed


class Centre:
    """The middle of a picture, a square of `size` px at its own scale."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, image: Image.Image) -> Image.Image:
        return _square(image, self.size, lambda spare: spare // 2)


def _to_tensor(preprocessing: Preprocessing) -> list[Callable[..., Any]]:
    return [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(preprocessing.mean, preprocessing.std),
    ]
