"""The quality of a JPEG that a picture once was, from the pixels alone."""

import io
import random

import numpy as np
import pytest
from helpers import ROOT, drawing
from PIL import Image, ImageDraw, ImageFilter

from realitycheck.images import blocks
from realitycheck.images.perturbations import add_noise, reencode, scale

TEMPLE = Image.open(ROOT / "examples" / "temple.jpg").convert("RGB")


@pytest.mark.parametrize("quality", [1, 10, 37, 50, 75, 100])
def test_the_steps_are_libjpegs(quality):
    buffer = io.BytesIO()
    TEMPLE.save(buffer, "JPEG", quality=quality)
    table = Image.open(buffer).quantization[0]
    assert sorted(table) == sorted(blocks.steps(quality).ravel())


@pytest.mark.parametrize("quality", [8, 20, 28, 45, 58])
@pytest.mark.parametrize("later", [None, ("JPEG", 95), ("JPEG", 85), ("AVIF", 70)])
def test_the_quality_outlives_another_saving(quality, later):
    saved = reencode(TEMPLE, "JPEG", quality)
    if later:
        saved = reencode(saved, *later)
    assert blocks.earlier_quality(saved) == pytest.approx(quality, abs=2)


@pytest.mark.parametrize("cut", [(0, 0), (3, 5), (7, 1), (12, 4)])
def test_it_outlives_cutting_and_webp(cut):
    saved = reencode(TEMPLE, "JPEG", 20).crop((*cut, 630, 420))
    assert blocks.earlier_quality(reencode(saved, "WEBP", 80)) == pytest.approx(20, abs=1)


def test_it_outlives_greys_turns_and_noise():
    saved = reencode(TEMPLE, "JPEG", 20)
    for changed in (
        saved.convert("L").convert("RGB"),
        saved.transpose(Image.Transpose.ROTATE_90),
        add_noise(saved, 2),
    ):
        assert blocks.earlier_quality(changed) == pytest.approx(20, abs=1)


def test_it_is_found_in_a_large_picture():
    wide = Image.new("RGB", (3000, 2000), "white")  # mostly without any trace
    wide.paste(reencode(TEMPLE, "JPEG", 20), (1600, 800))
    assert blocks.earlier_quality(wide) == 20


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [("JPEG", 70)],
        [("JPEG", 75), ("WEBP", 80)],
        [("JPEG", 75), ("JPEG", 90)],
        [("JPEG", 80), ("AVIF", 70)],
        [("WEBP", 30)],
    ],
)
@pytest.mark.parametrize("name", ["temple", "flower", "flux"])
def test_finer_savings_say_nothing(name, changes):
    image = Image.open(ROOT / "examples" / f"{name}.jpg").convert("RGB")
    for change in changes:
        image = reencode(image, *change)
    found = blocks.earlier_quality(image)
    assert found is None or found > 60


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (300, 200), "white"),
        Image.new("RGB", (64, 64)),
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)),
        drawing(300, 240),
        TEMPLE.filter(ImageFilter.GaussianBlur(2)),
        TEMPLE.point(lambda value: value // 8),
        scale(TEMPLE, 0.6),
    ],
)
def test_what_was_never_such_a_jpeg_says_nothing(image):
    assert blocks.earlier_quality(image) is None


def drawn(seed):
    """Boxes, circles, lines and words in flat colours, some of them on the blocks' own grid."""
    rng = random.Random(seed)
    image = Image.new("RGB", (512, 400), _colour(rng))
    draw = ImageDraw.Draw(image)
    step = rng.choice([1, 4, 8])
    for _ in range(rng.randrange(5, 80)):
        x, y, width, height = (
            rng.randrange(4, most) // step * step for most in (512, 400, 200, 99)
        )
        box, fill = (x, y, x + width, y + height), _colour(rng)
        what = rng.randrange(5)
        if what == 4:  # a hatching
            for i in range(0, width, 2 * max(step, 2)):
                draw.line((x + i, y, x + i, y + height), fill)
        elif what == 0:
            draw.rectangle(box, fill)
        elif what == 1:
            draw.ellipse(box, fill)
        elif what == 2:
            draw.line(box, fill, rng.randrange(1, 8))
        else:
            draw.text((x, y), "As it was drawn", fill, font_size=rng.randrange(10, 40))
    return image


def _colour(rng):
    return tuple(rng.randrange(256) for _ in range(3))


def test_bands_of_flat_colour_were_no_jpeg():
    """Their edges are alike, and only lighter or darker from place to place."""
    y, x = np.mgrid[0:300, 0:400]
    bands = np.stack([x // 40 * 25, y // 30 * 25, (x + y) // 50 * 18], axis=-1)
    assert blocks.earlier_quality(Image.fromarray(np.uint8(bands % 256))) is None


def test_a_drawing_was_no_jpeg_until_it_was_saved_as_one():
    """Its repeated blocks hold one block's chance values many times: they count once."""
    drawings = [drawn(seed) for seed in range(40)]
    assert [blocks.earlier_quality(image) for image in drawings] == [None] * 40
    for image in drawings[::8]:
        assert blocks.earlier_quality(reencode(image, "JPEG", 30)) == pytest.approx(30, abs=2)
