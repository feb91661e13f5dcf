"""Enlarged pictures are told, and their size before; soft, dark and plain ones are not."""

import numpy as np
import pytest
from helpers import ROOT, drawing
from PIL import Image, ImageFilter

from realitycheck.images.enlargement import original_size
from realitycheck.images.perturbations import reencode, scale

EXAMPLES = {
    path.stem: Image.open(path).convert("RGB") for path in (ROOT / "examples").glob("*.jpg")
}
TEMPLE = EXAMPLES["temple"]  # 640 x 427
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def enlarged(image, short, resample, size=None):
    """A thumbnail whose short side has so many px, as large as the picture was, and its size."""
    thumbnail = scale(image, short / min(image.size), Image.Resampling.LANCZOS)
    return thumbnail.resize(size or image.size, resample), thumbnail.size


@pytest.mark.parametrize("later", [None, ("JPEG", 90), ("WEBP", 85)])
@pytest.mark.parametrize("short", [72, 120, 190])
@pytest.mark.parametrize("name", FILTERS)
def test_the_size_before_is_told(name, short, later):
    image, size = enlarged(TEMPLE, short, FILTERS[name])
    if later:
        image = reencode(image, *later)
    assert original_size(image, 224) == pytest.approx(size, rel=0.03)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_whole_factors_are_not_taken_for_the_blocks_of_a_jpeg(factor):
    thumbnail = scale(TEMPLE, 90 / TEMPLE.height, Image.Resampling.LANCZOS)
    large = reencode(scale(thumbnail, factor), "JPEG", 90)
    assert original_size(large, 224) == pytest.approx(thumbnail.size, rel=0.03)


def test_the_size_before_of_a_large_picture():
    image, size = enlarged(TEMPLE, 150, FILTERS["bicubic"], (3600, 2400))
    assert original_size(image, 224) == pytest.approx(size, rel=0.05)


def test_a_part_of_an_enlarged_picture():
    image, size = enlarged(TEMPLE, 120, FILTERS["bicubic"])
    part = image.crop((33, 21, 533, 400))
    share = part.width / image.width, part.height / image.height
    expected = size[0] * share[0], size[1] * share[1]
    assert original_size(part, 224) == pytest.approx(expected, rel=0.03)


def test_only_small_sizes_are_looked_for():
    image, _ = enlarged(TEMPLE, 300, FILTERS["bicubic"])
    assert original_size(image, 224) is None
    assert original_size(image, 320) is not None


CHANGES = {
    "as it is": lambda image: image,
    "soft": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    "out of focus": lambda image: image.filter(ImageFilter.GaussianBlur(4)),
    "soft, JPEG": lambda image: reencode(image.filter(ImageFilter.GaussianBlur(1.5)), "JPEG", 75),
    "dark": lambda image: image.point(lambda value: value // 6),
    "JPEG 30": lambda image: reencode(image, "JPEG", 30),
    "WebP 50": lambda image: reencode(image, "WEBP", 50),
    "shrunken": lambda image: reencode(scale(image, 0.7), "JPEG", 85),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_others_are_not_accused(name, change):
    image = EXAMPLES[name]
    image.thumbnail((700, 700))
    assert original_size(CHANGES[change](image), 224) is None


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (500, 400), "white"),
        Image.new("RGB", (64, 64)),
        Image.new("RGB", (20, 900)),
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)),
        Image.fromarray(np.tile(np.linspace(0, 255, 500).astype(np.uint8), (400, 1))).convert(
            "RGB"
        ),
        drawing(300, 240),
    ],
)
def test_what_holds_no_picture_is_not_accused(image):
    assert original_size(image, 224) is None
