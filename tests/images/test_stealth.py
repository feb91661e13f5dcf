"""Settings hidden in the lowest bits of pixels: written here bit by bit, read by the product."""

import gzip
import json
import struct

import pytest
from helpers import drawing
from odd_files import PROMPT, SETTINGS, saved
from PIL import Image

from realitycheck import images
from realitycheck.images import provenance, stealth

WEB_UI = (PROMPT + SETTINGS).encode()
NOVELAI = json.dumps(
    {
        "Description": PROMPT,
        "Software": "NovelAI",
        "Source": "NovelAI Diffusion V4.5",
        "Comment": json.dumps({"prompt": PROMPT, "steps": 28, "sampler": "k_euler"}),
    }
).encode()


def hidden(content: bytes, signature: str, size=(96, 80), length: int | None = None) -> Image.Image:
    """A drawing that holds a text in alpha ("stealth_png...") or in its colours."""
    image = drawing(*size).convert("RGBA")
    packed = gzip.compress(content) if signature.endswith("comp") else content
    length = 8 * len(packed) if length is None else length
    stream = signature.encode() + struct.pack(">I", length) + packed
    bits = [byte >> place & 1 for byte in stream for place in range(7, -1, -1)]
    places = [(x, y) for x in range(size[0]) for y in range(size[1])]
    channels = (3,) if "png" in signature else (0, 1, 2)
    slots = [(place, channel) for place in places for channel in channels]
    for (place, channel), bit in zip(slots, bits, strict=False):
        values = list(image.getpixel(place))
        values[channel] = values[channel] & ~1 | bit
        image.putpixel(place, tuple(values))
    return image if "png" in signature else image.convert("RGB")


def examined(source) -> list[provenance.Finding]:
    picture = images.read(source)
    return provenance.examine(picture.data, picture.hidden)


@pytest.mark.parametrize("kind", ["png", "rgb"])
@pytest.mark.parametrize("form", ["info", "comp"])
@pytest.mark.parametrize(
    ("content", "program"), [(WEB_UI, "Stable Diffusion web UI"), (NOVELAI, "NovelAI")]
)
def test_hidden_settings_are_found(content, program, kind, form):
    signature = f"stealth_{kind}{form}"
    image = hidden(content, signature)
    place = "alpha channel" if kind == "png" else "pixels"
    for data in (saved("PNG", image), saved("WEBP", image, lossless=True, exact=True), image):
        (finding,) = examined(data)
        assert finding.points_to == "ai"
        assert finding.generator.startswith(program)
        assert finding.prompt == PROMPT
        assert finding.where.startswith(place)


def test_a_report_names_them_and_the_probability_does_not_move(detector):
    image = hidden(NOVELAI, "stealth_pngcomp", (300, 240))
    found = detector.predict(saved("PNG", image), explain=False)
    assert [finding.generator for finding in found.provenance] == ["NovelAI"]
    assert found.warnings == []  # nothing in it is transparent to the eye
    without = detector.predict(saved("PNG", image.convert("RGB")), explain=False)
    assert without.provenance == []
    assert without.probabilities == found.probabilities


def test_they_are_read_as_they_are_stored_not_as_they_are_shown():
    exif = Image.Exif()
    exif[274] = 6
    data = saved("PNG", hidden(WEB_UI, "stealth_pnginfo"), exif=exif)
    assert images.read(data).image.size == (80, 96)
    assert len(examined(data)) == 1


@pytest.mark.parametrize(
    "image",
    [
        drawing(96, 80),
        drawing(96, 80).convert("RGBA"),
        drawing(96, 80).convert("LA"),
        hidden(b"holiday", "stealth_pnginfo"),  # of no generator
        hidden(WEB_UI, "stealth_pnginfO"),
        hidden(WEB_UI, "stealth_pnginfo", length=0),
        hidden(WEB_UI, "stealth_pnginfo", length=2**32 - 1),
        hidden(b"", "stealth_pngcomp", length=800),
    ],
    ids=["plain", "alpha", "grey", "no settings", "signature", "empty", "too long", "no gzip"],
)
def test_nothing_else_is_taken_for_settings(image):
    assert examined(saved("PNG", image)) == []


def test_a_lossy_copy_keeps_nothing():
    assert examined(saved("JPEG", hidden(WEB_UI, "stealth_rgbinfo"), quality=95)) == []


def test_a_length_beyond_the_pixels_gives_what_is_there():
    (finding,) = examined(saved("PNG", hidden(WEB_UI, "stealth_pnginfo", length=8 * 4000)))
    assert finding.prompt == PROMPT


def test_a_bomb_is_bounded(monkeypatch):
    monkeypatch.setattr(stealth, "MOST_UNPACKED", 1000)
    ((_, _, text),) = images.read(hidden(b"x" * 300_000, "stealth_pngcomp")).hidden
    assert len(text) == 1000
    monkeypatch.setattr(stealth, "MOST_PACKED", 100)
    assert images.read(hidden(b"x" * 300_000, "stealth_pngcomp")).hidden == ()
