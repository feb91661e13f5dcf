"""Mistakes that were found once, and kinds of pictures that are often accused falsely.

None of these may get the verdict `ai` from the bundled checkpoint. Whoever finds another false
alarm adds it here.
"""

import numpy as np
import pytest
from helpers import ROOT
from PIL import Image, ImageDraw, ImageFilter

from realitycheck.images.perturbations import PERTURBATIONS

RNG = np.random.default_rng(0)
RAMP = np.linspace(0, 255, 512)


def grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.uint8(np.clip(values, 0, 255))).convert("RGB")


def text_screenshot() -> Image.Image:
    page = Image.new("RGB", (900, 600), "white")
    pen = ImageDraw.Draw(page)
    pen.rectangle((0, 0, 900, 40), fill="#205080")
    for y in range(60, 580, 18):
        pen.text((20, y), "The quick brown fox jumps over the lazy dog. " * 3, fill="black")
    return page


def noise() -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (400, 400, 3), dtype=np.uint8))


DRAWN = {
    "white": Image.new("RGB", (512, 512), "white"),
    "red": Image.new("RGB", (400, 300), (200, 30, 30)),
    "noise": noise(),  # was called ai by the first checkpoint
    "grey noise": grey(RNG.normal(128, 30, (400, 400))),
    "blurred noise": noise().filter(ImageFilter.GaussianBlur(4)),
    "text": text_screenshot(),
    "ramp": grey(np.tile(RAMP, (512, 1))),
    "diagonal ramp": grey(np.add.outer(RAMP, RAMP) / 2),
    "chessboard": grey(np.kron(np.indices((32, 32)).sum(0) % 2, np.ones((16, 16))) * 255),
    "low light": grey(RNG.normal(12, 4, (300, 400)) + RAMP[:300, None] / 20),
}
PHOTOGRAPHS = ("cat.jpg", "astronaut.jpg", "temple.jpg", "flower.jpg")


@pytest.mark.parametrize("name", DRAWN)
def test_what_a_program_drew_is_not_called_ai(detector, name):
    assert detector.predict(DRAWN[name], explain=False).verdict != "ai"


@pytest.mark.slow
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_are_not_called_ai_whatever_the_web_did_to_them(detector, name):
    image = Image.open(ROOT / "examples" / name)
    accused = [
        perturbation
        for perturbation, change in PERTURBATIONS.items()
        if detector.predict(change(image), explain=False).verdict == "ai"
    ]
    assert not accused
