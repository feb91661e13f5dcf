"""When no verdict is given: reasons from the picture, and from what was seen in its parts.

The weightiest withhold the verdict: the probability stays, and is called "uncertain".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from realitycheck.images import blocks, borders, enlargement, quality
from realitycheck.images.containers import container
from realitycheck.wording import NO_THRESHOLDS

LOW_QUALITY, RUINED = 60, 30  # of a JPEG: the finest traces are gone; nearly all are
SAME_QUALITY = 3  # by which what the pixels show and what the file says may differ
FLAT = 0.6  # share of pixels equal to their neighbour: photographs stay below
DARK = 40  # of 255: where nearly all pixels are darker, a camera's noise is most of what is seen
LONGEST = 8  # times its short side, beyond which most of a picture may not be looked at
# See `stricter`. Of 1, 1.5, 2 and 3 the smallest with which one small view errs no more often than
# all views do, either way and re-saved too (docs/results.md).
QUICK_ODDS = 1.5
# Without colour `ai` and `real` take so many times the odds. For `real` of 1, 1.25, 1.5 and 2 the
# smallest with which at most 5 % of AI pictures of sources held out are called so, as in any other
# condition; for `ai` twice, which halves the false accusations (docs/experiments.md).
COLOURLESS_AI_ODDS, COLOURLESS_REAL_ODDS = 2.0, 1.25
COLOURLESS = 12  # of 255, by which channels may differ, in 99 % of a picture made small
SMALL = (64, 64)  # px, where colours are looked for
ROWS, FEWEST_ROWS = 512, 128  # enough for shares of pixels; for a correlation
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
    def thresholds(self) -> dict[str, float]:
        """The two of them by the verdict that begins there."""
        return {"ai": self.ai, "real": self.real}

    @property
    def decides(self) -> bool:
        """Whether there are thresholds: 0 and 1 stand for none, whatever the probability."""
        return self.real > 0 or self.ai < 1

    def undecided(self) -> "Abstention":
        """The same rule without thresholds."""
        return replace(self, ai=1.0, real=0.0)

    def stricter(self, ai: float, real: float) -> "Abstention":
        """The same rule with thresholds that ask for more.

        Args:
            ai: at least 1: how many times higher the odds of AI must be for `ai`.
            real: at least 1: how many times lower they must be for `real`.
        """
        return replace(self, ai=_at_odds(self.ai, ai), real=_at_odds(self.real, 1 / real))


def _at_odds(share: float, factor: float) -> float:
    """A probability whose odds are multiplied; the same to the bit where the factor is 1."""
    return share if factor == 1 else share * factor / (1 - share + share * factor)


@dataclass(frozen=True)
class Caveat:
    """One reason to doubt an answer.

    Attributes:
        sentence: in plain words.
        abstains: no verdict is given because of it.
        ai_odds: how many times surer `ai` must be because of it, at least 1.
        real_odds: the same for `real`.
    """

    sentence: str
    abstains: bool = False
    ai_odds: float = 1.0
    real_odds: float = 1.0


@dataclass(frozen=True)
class Decision:
    """What is said of a picture.

    Attributes:
        verdict: "ai", "real" or "uncertain".
        caveats: why it might be wrong, or why there is no verdict.
        rule: whose thresholds were asked of this picture.
    """

    verdict: str
    caveats: tuple[Caveat, ...]
    rule: Abstention


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
    seen = tuple(seen)
    rule = rule.stricter(
        max((caveat.ai_odds for caveat in seen), default=1.0),
        max((caveat.real_odds for caveat in seen), default=1.0),
    )
    caveats = (*prediction_caveats(p_ai, parts, rule), *seen)
    if any(caveat.abstains for caveat in caveats):
        return Decision("uncertain", caveats, rule)
    if p_ai >= rule.ai:
        return Decision("ai", caveats, rule)
    return Decision("real" if p_ai <= rule.real else "uncertain", caveats, rule)


def image_caveats(
    image: Image.Image, data: bytes | None, side: int, within: borders.Box | None = None
) -> Iterator[Caveat]:
    """What the picture itself gives reason to doubt.

    Where bars of one colour lie around it, what lies within.

    Args:
        image: upright RGB.
        data: the file it came from; None where only pixels are known.
        side: of a part that the detector looks at, px.
        within: of `borders.inside`, where it is known already.
    """
    whole, image = image, borders.without(image, within)
    if image is not whole:
        yield Caveat(
            f"Bars of one colour around it were cut off: {image.width} x {image.height} px of "
            "picture were examined."
        )
    yield from _size_caveats(image, side)
    yield from _compression_caveats(image, data)
    fewest, image = _fewer_rows(image, FEWEST_ROWS), _fewer_rows(image, ROWS)
    if flat_share(image) >= FLAT:
        yield Caveat(
            "Most of it is flat colour, as in screenshots, drawings and text: the detector knows "
            "photographs best.",
            True,
        )
    elif neighbour_correlation(fewest) < NOISE:
        yield Caveat("It looks like noise, not like a picture of something.", True)
    elif dark_share(image) >= 0.95:
        yield Caveat("It is very dark: most of what can be seen in it is noise.", True)
    elif is_grey(image):
        yield Caveat(
            "It has no colour, which hides much of what gives AI pictures away.",
            ai_odds=COLOURLESS_AI_ODDS,
            real_odds=COLOURLESS_REAL_ODDS,
        )


def _size_caveats(image: Image.Image, side: int) -> Iterator[Caveat]:
    short = min(image.size)
    before = enlargement.original_size(image, side)
    if before:
        yield Caveat(
            f"Enlarged from about {before[0]} x {before[1]} px: small pictures carry little "
            "evidence, and enlarging adds none.",
            min(before) < side / 2,
        )
    elif short < side:
        yield Caveat(
            f"Only {image.width} x {image.height} px: small pictures carry little evidence.",
            short < side / 2,
        )
    if max(image.size) > LONGEST * short:
        yield Caveat(
            f"It is {max(image.size) // short} times as long as it is wide: only parts of it were "
            "looked at."
        )


def _compression_caveats(image: Image.Image, data: bytes | None) -> Iterator[Caveat]:
    """Of what the file says of its compression and what the pixels show, the worse."""
    stated = quality.stated(data) if data else None
    worst, when = stated, ""
    how = "" if data and container(data) == "JPEG" else "as bad as "
    if stated is None or stated >= RUINED:
        earlier = blocks.earlier_quality(image)
        if earlier is not None and (stated is None or earlier < stated - SAME_QUALITY):
            worst, when, how = earlier, " before it was saved this way", ""
    if worst is not None and worst < LOW_QUALITY:
        yield Caveat(
            f"Strongly compressed{when} ({how}JPEG quality about {worst} of 100): that removes the "
            "traces that cameras and generators leave.",
            worst < RUINED,
        )


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


def dark_share(image: Image.Image) -> float:
    """Share of pixels whose luminance is below `DARK`, 0 to 1."""
    counts = image.convert("L").histogram()
    return sum(counts[:DARK]) / sum(counts)


def is_grey(image: Image.Image) -> bool:
    """Whether an RGB picture has no colours, but for a faint tint."""
    pixels = np.asarray(image.resize(SMALL, reducing_gap=2.0), np.int16)
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    return bool(np.quantile(spread, 0.99) <= COLOURLESS)


def _fewer_rows(image: Image.Image, least: int) -> Image.Image:
    """Whole rows spread evenly over a picture, `least` where it has them, fewer than twice that."""
    step = max(1, image.height // least)
    count = image.height // step
    size, box = (image.width, count), (0, 0, image.width, count * step)
    return image if step == 1 else image.resize(size, Image.Resampling.NEAREST, box)


def flat_share(image: Image.Image) -> float:
    """The share of an RGB picture's pixels that equal the one to their right exactly, 0 to 1."""
    pixels = np.frombuffer(image.convert("RGBX").tobytes(), np.uint32)
    rows = pixels.reshape(image.height, image.width)
    return float((rows[:, 1:] == rows[:, :-1]).mean())


def neighbour_correlation(image: Image.Image) -> float:
    """The correlation of an RGB picture's pixels with the ones to their right, -1 to 1."""
    rows = np.asarray(image.convert("L"), np.float32)
    left, right = (part - part.mean() for part in (rows[:, :-1].ravel(), rows[:, 1:].ravel()))
    spread = np.sqrt(np.dot(left, left) * np.dot(right, right))
    return float(np.dot(left, right) / spread) if spread else 1.0
