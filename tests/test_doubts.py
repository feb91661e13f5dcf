"""Each reason to doubt, on a picture that has it and on one that has not."""

import io

import pytest
from conftest import drawing
from PIL import Image, ImageDraw

from realitycheck import images
from realitycheck.doubts import doubts, flat_share, jpeg_quality

BORDERS = {"ai": 0.8, "real": 0.3}


def saved(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def reasons(source, p_ai=0.9, parts=(0.9, 0.9), side=176) -> list[str]:
    return doubts(images.read(source), p_ai, list(parts), BORDERS, side)


@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 90, 95])
def test_the_quality_of_a_jpeg(quality):
    assert jpeg_quality(saved(drawing(80, 80), quality=quality)) == pytest.approx(quality, abs=1)


@pytest.mark.parametrize("data", [saved(drawing(80, 80), "PNG"), b"", b"\xff\xd8\xff garbage"])
def test_what_is_no_jpeg_has_no_quality(data):
    assert jpeg_quality(data) is None


def test_a_plain_photograph_gives_no_reason(picture):
    assert reasons(saved(picture, quality=90)) == []
    assert reasons(picture) == []  # pixels alone, without a file


def test_a_probability_between_the_borders(picture):
    (reason,) = reasons(picture, p_ai=0.5, parts=(0.5, 0.6))
    assert "between 30% and 80%" in reason
    assert reasons(picture, p_ai=0.3, parts=(0.3, 0.2)) == []  # a border itself decides


def test_parts_that_disagree(picture):
    (reason,) = reasons(picture, parts=(0.9, 0.9, 0.1))
    assert "1 of the 3 parts" in reason
    assert reasons(picture, parts=(0.9, 0.9, 0.9, 0.1)) == []


def test_a_small_picture():
    (reason,) = reasons(drawing(300, 100))
    assert "300 x 100 px" in reason


def test_strong_compression(picture):
    (reason,) = reasons(saved(picture, quality=30))
    assert "quality about 30" in reason


def test_a_drawn_screenshot(picture):
    drawn = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(drawn).text((20, 20), "Settings", fill="black")
    (reason,) = reasons(drawn)
    assert "flat colour" in reason
    assert flat_share(drawn) > 0.9 > 0.4 > flat_share(picture)
