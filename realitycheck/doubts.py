"""Reasons to doubt an answer, from the picture and from what the detector saw in its parts."""

import io
from functools import cache

import numpy as np
from PIL import Image

from realitycheck.images import FORMATS, READ_ERRORS, Picture

LOW_QUALITY = 60  # of a JPEG: below, the finest traces are gone
FLAT = 0.6  # share of pixels equal to their neighbour: photographs stay below
AGAINST = 0.3  # share of parts that point the other way


def doubts(
    picture: Picture, p_ai: float, parts: list[float], borders: dict[str, float], side: int
) -> list[str]:
    """Lists what limits an answer.

    Args:
        picture: as it was examined.
        p_ai: its AI probability.
        parts: the AI probability of each part that was looked at.
        borders: "ai" and "real" to the probability from, and up to, which a verdict is given.
        side: of a part, px.

    Returns:
        Sentences, the weightiest first.
    """
    found = [
        _undecided(p_ai, borders),
        _disagreement(p_ai, parts),
        _small(picture.image, side),
        _compressed(picture.data),
        _flat(picture.image),
    ]
    return [sentence for sentence in found if sentence]


def _undecided(p_ai: float, borders: dict[str, float]) -> str:
    if not borders["real"] < p_ai < borders["ai"]:
        return ""
    return (
        f"The AI probability lies between {borders['real']:.0%} and {borders['ai']:.0%}, where a "
        "verdict would too often be false."
    )


def _disagreement(p_ai: float, parts: list[float]) -> str:
    against = sum((part >= 0.5) != (p_ai >= 0.5) for part in parts)
    if against < AGAINST * len(parts):
        return ""
    return f"{against} of the {len(parts)} parts that were looked at point the other way."


def _small(image: Image.Image, side: int) -> str:
    if min(image.size) >= side:
        return ""
    return f"Only {image.width} x {image.height} px: small pictures carry little evidence."


def _compressed(data: bytes | None) -> str:
    quality = jpeg_quality(data) if data else None
    if quality is None or quality >= LOW_QUALITY:
        return ""
    return (
        f"Strongly compressed (JPEG quality about {quality} of 100): that removes the traces that "
        "cameras and generators leave."
    )


def _flat(image: Image.Image) -> str:
    if flat_share(image) < FLAT:
        return ""
    return (
        "Most of it is flat colour, as in screenshots, drawings and text: the detector knows "
        "photographs best."
    )


def jpeg_quality(data: bytes) -> int | None:
    """Estimates the quality a JPEG was last saved at.

    Args:
        data: a picture file.

    Returns:
        1 to 100 on the scale of the Independent JPEG Group's library, by the luminance
        quantization table; None for anything but JPEG.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            tables = getattr(image, "quantization", None)
    except READ_ERRORS:
        return None
    if not tables or 0 not in tables:
        return None
    coarseness, scale = sum(tables[0]), _coarseness()
    return min(scale, key=lambda quality: abs(scale[quality] - coarseness))


@cache
def _coarseness() -> dict[int, int]:
    """JPEG quality to the sum of the quantization table that belongs to it."""
    scale = {}
    for quality in range(1, 101):
        buffer = io.BytesIO()
        Image.new("L", (8, 8)).save(buffer, "JPEG", quality=quality)
        scale[quality] = sum(Image.open(buffer).quantization[0])
    return scale


def flat_share(image: Image.Image) -> float:
    """The share of an RGB picture's pixels that equal the one to their right exactly, 0 to 1."""
    rows = np.asarray(image)[:: max(1, image.height // 512)]
    return float((rows[:, 1:] == rows[:, :-1]).all(axis=2).mean())
