"""What files say about their compression."""

import io

import pytest
from helpers import drawing
from PIL import Image

from realitycheck.images.quality import stated


def saved(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 90, 95])
def test_the_quality_of_a_jpeg(quality):
    assert stated(saved(drawing(80, 80), quality=quality)) == pytest.approx(quality, abs=1)


@pytest.mark.parametrize("alpha", [False, True])
def test_the_quality_of_a_webp_falls_with_its_own(alpha):
    image = drawing(300, 240).convert("RGBA" if alpha else "RGB")
    found = [stated(saved(image, "WEBP", quality=quality)) for quality in (0, 5, 20, 50, 90)]
    assert found == sorted(found)
    assert found[0] < found[1] < 30 < found[2] < 60 < found[4]


@pytest.mark.parametrize(
    "data",
    [
        saved(drawing(80, 80), "PNG"),
        saved(drawing(80, 80), "WEBP", lossless=True),
        b"",
        b"\xff\xd8\xff garbage",
        b"RIFF\x10\0\0\0WEBPVP8 \x04\0\0\0\0\0\0\0",
    ],
)
def test_others_say_nothing(data):
    assert stated(data) is None


def test_no_cut_of_a_webp_is_an_error():
    data = saved(drawing(80, 80), "WEBP", quality=5)
    for end in range(12, 60):
        assert stated(data[:end]) in (None, *range(1, 101))
