"""Bars are found to the pixel, through JPEG nearly so; what is no bar stays."""

import numpy as np
import pytest
from helpers import ROOT, drawing
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from realitycheck.images import borders
from realitycheck.images.perturbations import reencode

TEMPLE = Image.open(ROOT / "examples" / "temple.jpg").convert("RGB")  # 640 x 427
TEMPLE = TEMPLE.crop((0, 90, 640, 427))  # without the sky, which is nearly white
WIDTHS = {
    "letterbox": (0, 80),
    "pillarbox": (130, 0),
    "frame": (25, 25),
    "a phone's screen": (0, 400),
}


def whole(image: Image.Image) -> tuple[int, int, int, int]:
    return (0, 0, *image.size)


def shifted(image: Image.Image, widths: tuple[int, ...]) -> tuple[int, int, int, int]:
    x, y = widths[:2]
    return x, y, x + image.width, y + image.height


@pytest.mark.parametrize("colour", ["black", "white", (30, 90, 20)])
@pytest.mark.parametrize("name", WIDTHS)
def test_bars_are_found_to_the_pixel(name, colour):
    framed = ImageOps.expand(TEMPLE, WIDTHS[name], colour)
    assert borders.inside(framed) == shifted(TEMPLE, WIDTHS[name])
    assert np.array_equal(borders.without(framed), TEMPLE)


def test_one_bar_may_be_wider():
    framed = ImageOps.expand(TEMPLE, (90, 0, 31, 0), "black")
    assert borders.inside(framed) == shifted(TEMPLE, (90, 0))


@pytest.mark.parametrize(("kind", "quality"), [("JPEG", 90), ("JPEG", 60), ("WEBP", 70)])
@pytest.mark.parametrize("widths", [(0, 75), (61, 0), (19, 19), (7, 7)])
def test_bars_are_found_through_compression(kind, quality, widths):
    framed = reencode(ImageOps.expand(TEMPLE, widths, "black"), kind, quality)
    found = np.subtract(borders.inside(framed), shifted(TEMPLE, widths))
    assert np.abs(found).max() <= 2


def test_a_frame_within_a_frame():
    framed = ImageOps.expand(ImageOps.expand(TEMPLE, 8, "black"), 40, "white")
    assert borders.inside(framed) == shifted(TEMPLE, (48, 48))


def test_bars_around_a_large_picture():
    large = TEMPLE.resize((2560, 1708))
    framed = ImageOps.expand(large, (300, 0), "black")
    assert borders.inside(framed) == shifted(large, (300, 0))


def studio() -> Image.Image:
    """A vase on white, whose top and bottom are straight."""
    image = Image.new("RGB", (400, 500), "white")
    pen = ImageDraw.Draw(image)
    pen.ellipse((100, 120, 300, 430), fill=(150, 60, 40))
    pen.rectangle((150, 60, 250, 440), fill=(120, 50, 30))
    return image


def night() -> Image.Image:
    """A skyline between black sky and black water."""
    image = Image.new("RGB", (600, 400))
    pen = ImageDraw.Draw(image)
    for x, top in zip(
        range(0, 600, 40), np.random.default_rng(0).integers(120, 220, 15), strict=True
    ):
        pen.rectangle((x, int(top), x + 36, 300), fill=(90, 80, 60))
    return image


def overexposed() -> Image.Image:
    """A sea below a white sky: one straight edge, one bar."""
    image = drawing(400, 300)
    ImageDraw.Draw(image).rectangle((0, 0, 400, 120), fill="white")
    return image


NO_BARS = {
    "white": Image.new("RGB", (300, 200), "white"),
    "studio": studio(),
    "studio, blurred": studio().filter(ImageFilter.GaussianBlur(2)),
    "night": night(),
    "overexposed": overexposed(),
    "two colours": ImageOps.expand(ImageOps.expand(TEMPLE, (0, 0, 0, 50)), (0, 50, 0, 0), "white"),
    "nearly all of it bars": ImageOps.expand(TEMPLE, (0, 800)),
    "a strip of picture": ImageOps.expand(TEMPLE.crop((0, 0, 640, 60)), (0, 20)),
    "one line": ImageOps.expand(TEMPLE, (0, 1), "black"),
    "one pixel high": Image.new("RGB", (500, 1)),
}


@pytest.mark.parametrize("name", NO_BARS)
def test_what_is_no_bar_stays(name):
    image = NO_BARS[name]
    assert borders.inside(image) == whole(image)
    assert borders.without(image) is image


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.jpg")), ids=lambda p: p.stem)
def test_examples_have_no_bars(path):
    with Image.open(path) as image:
        assert borders.inside(image.convert("RGB")) == whole(image)
