"""When no verdict is given: reasons from the picture, and from what was seen in its parts.

The weightiest withhold the verdict: the probability stays, and is called "uncertain".
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import cast

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from realitycheck.images import FORMATS, READ_ERRORS
from realitycheck.wording import NO_THRESHOLDS

LOW_QUALITY, RUINED = 60, 30  # of a JPEG: the finest traces are gone; nearly all are
FLAT = 0.6  # share of pixels equal to their neighbour: photographs stay below
DARK = 40  # of 255: where nearly all pixels are darker, a camera's noise is most of what is seen
LONGEST = 8  # times its short side, beyond which most of a picture may not be looked at
NOISE = 0.2  # correlation of neighbours: any picture of something is far above


@dataclass(frozen=True)
class Abstention:
    """The rule's coefficients, stored in the checkpoint's config.

    Attributes:
        ai: lowest AI probability that is called `ai`, in [0, 1].
        real: highest AI probability that is called `real`, in [0, `ai`].
        against: share of parts that point the other way, from which it is said.
        split: share of parts that point the other way, from which no verdict is given.
    """

    ai: float = 0.5
    real: float = 0.5
    against: float = 0.3
    split: float = 0.4

    def __post_init__(self) -> None:
        if not 0 <= self.real <= self.ai <= 1:
            raise ValueError(
                f"thresholds must satisfy 0 <= real <= ai <= 1, not real {self.real}, ai {self.ai}"
            )

    @property
    def decides(self) -> bool:
        """Whether there are thresholds: 0 and 1 stand for none, whatever the probability."""
        return self.real > 0 or self.ai < 1

    def undecided(self) -> "Abstention":
        """The same rule without thresholds."""
        return replace(self, ai=1.0, real=0.0)


@dataclass(frozen=True)
class Caveat:
    """One reason to doubt an answer.

    Attributes:
        sentence: in plain words.
        abstains: no verdict is given because of it.
    """

    sentence: str
    abstains: bool = False


@dataclass(frozen=True)
class Decision:
    """What is said of a picture.

    Attributes:
        verdict: "ai", "real" or "uncertain".
        caveats: why it might be wrong, or why there is no verdict.
    """

    verdict: str
    caveats: tuple[Caveat, ...]


def decide(
    p_ai: float, parts: Sequence[float], seen: Iterable[Caveat], rule: Abstention
) -> Decision:
    """The verdict on a picture: the one rule for detector and evaluation.

    Args:
        p_ai: the picture's calibrated AI probability.
        parts: that of each part that was looked at.
        seen: what the picture itself gives reason to doubt, see `image_caveats`.
        rule: the checkpoint's coefficients.
    """
    caveats = (*prediction_caveats(p_ai, parts, rule), *seen)
    if any(caveat.abstains for caveat in caveats):
        return Decision("uncertain", caveats)
    if p_ai >= rule.ai:
        return Decision("ai", caveats)
    return Decision("real" if p_ai <= rule.real else "uncertain", caveats)


def image_caveats(image: Image.Image, data: bytes | None, side: int) -> Iterator[Caveat]:
    """What the picture itself gives reason to doubt.

    Args:
        image: upright RGB.
        data: the file it came from; None where only pixels are known.
        side: of a part that the detector looks at, px.
    """
    short = min(image.size)
    if short < side:
        yield Caveat(
            f"Only {image.width} x {image.height} px: small pictures carry little evidence.",
            short < side / 2,
        )
    if max(image.size) > LONGEST * short:
        yield Caveat(
            f"It is {max(image.size) // short} times as long as it is wide: only parts of it were "
            "looked at."
        )
    quality = jpeg_quality(data) if data else None
    if quality is not None and quality < LOW_QUALITY:
        yield Caveat(
            f"Strongly compressed (JPEG quality about {quality} of 100): that removes the traces "
            "that cameras and generators leave.",
            quality < RUINED,
        )
    if flat_share(image) >= FLAT:
        yield Caveat(
            "Most of it is flat colour, as in screenshots, drawings and text: the detector knows "
            "photographs best.",
            True,
        )
    elif neighbour_correlation(image) < NOISE:
        yield Caveat("It looks like noise, not like a picture of something.", True)
    elif dark_share(image) >= 0.95:
        yield Caveat("It is very dark: most of what can be seen in it is noise.", True)


def prediction_caveats(p_ai: float, parts: Sequence[float], rule: Abstention) -> Iterator[Caveat]:
    """What the probabilities give reason to doubt.

    Args:
        p_ai: the picture's AI probability.
        parts: that of each part that was looked at.
        rule: the checkpoint's coefficients.
    """
    if not rule.decides:
        yield Caveat(NO_THRESHOLDS, abstains=True)
    elif rule.real < p_ai < rule.ai:
        yield Caveat(
            f"The AI probability lies between {rule.real:.0%} and {rule.ai:.0%}, where "
            "a verdict would too often be false."
        )
    against = sum((part >= 0.5) != (p_ai >= 0.5) for part in parts)
    if parts and against >= rule.against * len(parts):
        yield Caveat(
            f"{against} of the {len(parts)} parts that were looked at point the other way.",
            against >= rule.split * len(parts),
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
        with Image.open(buffer) as image:
            scale[quality] = sum(cast(JpegImageFile, image).quantization[0])
    return scale


def dark_share(image: Image.Image) -> float:
    """Share of pixels whose luminance is below `DARK`, 0 to 1."""
    counts = image.convert("L").histogram()
    return sum(counts[:DARK]) / sum(counts)


def flat_share(image: Image.Image) -> float:
    """The share of an RGB picture's pixels that equal the one to their right exactly, 0 to 1."""
    rows = np.asarray(image)[:: max(1, image.height // 512)]
    return float((rows[:, 1:] == rows[:, :-1]).all(axis=2).mean())


def neighbour_correlation(image: Image.Image) -> float:
    """The correlation of an RGB picture's pixels with the ones to their right, -1 to 1."""
    rows = np.asarray(image.convert("L"), np.float32)[:: max(1, image.height // 512)]
    left, right = rows[:, :-1].ravel(), rows[:, 1:].ravel()
    if not left.std() or not right.std():
        return 1.0
    return float(np.corrcoef(left, right)[0, 1])
