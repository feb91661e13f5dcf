"""Each reason to doubt, on a picture that has it and on one that has not."""

import io

import numpy as np
import pytest
from conftest import drawing
from PIL import Image, ImageDraw
from realitycheck.doubts import Doubt, flat_share, jpeg_quality, likeness, of_answer, of_picture

from realitycheck import images

BORDERS = {"ai": 0.8, "real": 0.3}
SIDE = 176


def saved(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def about(source) -> list[Doubt]:
    picture = images.read(source)
    return list(of_picture(picture.image, picture.data, SIDE))


@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 90, 95])
def test_the_quality_of_a_jpeg(quality):
    assert jpeg_quality(saved(drawing(80, 80), quality=quality)) == pytest.approx(quality, abs=1)


@pytest.mark.parametrize("data", [saved(drawing(80, 80), "PNG"), b"", b"\xff\xd8\xff garbage"])
def test_what_is_no_jpeg_has_no_quality(data):
    assert jpeg_quality(data) is None


def test_a_plain_photograph_gives_no_reason(picture):
    assert about(saved(picture, quality=90)) == []
    assert about(picture) == []  # pixels alone, without a file
    assert list(of_answer(0.9, [0.9, 0.8], BORDERS)) == []


def test_a_probability_between_the_borders():
    (doubt,) = of_answer(0.5, [0.5, 0.6], BORDERS)
    assert "between 30% and 80%" in doubt.sentence
    assert list(of_answer(0.3, [0.3, 0.2], BORDERS)) == []  # a border itself decides


@pytest.mark.parametrize(
    ("parts", "withholds"), [([0.9, 0.9, 0.1], False), ([0.9, 0.9, 0.9, 0.1, 0.1], True)]
)
def test_parts_that_disagree(parts, withholds):
    (doubt,) = of_answer(0.9, parts, BORDERS)
    assert f"{parts.count(0.1)} of the {len(parts)} parts" in doubt.sentence
    assert doubt.withholds == withholds
    assert list(of_answer(0.9, [0.9, 0.9, 0.9, 0.1], BORDERS)) == []


@pytest.mark.parametrize(("height", "withholds"), [(100, False), (80, True)])
def test_a_small_picture(height, withholds):
    (doubt,) = about(drawing(300, height))
    assert f"300 x {height} px" in doubt.sentence
    assert doubt.withholds == withholds


@pytest.mark.parametrize(("quality", "withholds"), [(50, False), (20, True)])
def test_strong_compression(picture, quality, withholds):
    doubt = about(saved(picture, quality=quality))[0]
    assert f"quality about {quality}" in doubt.sentence
    assert doubt.withholds == withholds


def test_a_drawn_screenshot(picture):
    drawn = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(drawn).text((20, 20), "Settings", fill="black")
    (doubt,) = about(drawn)
    assert "flat colour" in doubt.sentence
    assert doubt.withholds
    assert flat_share(drawn) > 0.9 > 0.4 > flat_share(picture)


def test_darkness(picture):
    dark = picture.point(lambda value: value // 8)
    (doubt,) = about(dark)
    assert "dark" in doubt.sentence
    assert doubt.withholds
    assert not list(about(picture.point(lambda value: value // 3)))


def test_noise(picture):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8))
    (doubt,) = about(noise)
    assert "noise" in doubt.sentence
    assert doubt.withholds
    assert likeness(noise) < 0.1 < 0.9 < likeness(picture)
    assert likeness(Image.new("RGB", (200, 200))) == 1
