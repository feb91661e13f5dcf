"""Of which kind a picture is, to see which kinds of real pictures are falsely called AI."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from realitycheck.committee.abstention import SMALL, is_grey
from realitycheck.images import Picture, containers, exif
from realitycheck.results import UNKNOWN

GREY, NIGHT = "grey", "night or dark"
# Kind to words of the manifest's column `content`, each also with an "s".
KINDS = {
    "portraits": "portrait headshot selfie face",
    "phone": "phone",
    "stock": "stock",
    "art": "art painting watercolour drawing illustration anime manga comic render composite",
    "screenshots": "screenshot ui",
    "scans": "scan document",
    NIGHT: "night",
}
NIGHT_LUMA = 50  # of 255, mean, below which a picture is dark
ERAS = ((2005, "before 2005"), (2015, "2005 to 2014"), (9999, "2015 or later"))  # first year after


@dataclass(frozen=True)
class Traits:
    """What a picture shows of itself.

    Attributes:
        grey: it has no colours.
        night: it is dark all in all.
        year: when its EXIF says that it was taken; None where that is not said.
    """

    grey: bool
    night: bool
    year: int | None


def traits_of(picture: Picture) -> Traits:
    """What a picture shows of itself: by its pixels, made small, and its EXIF."""
    small = picture.image.resize(SMALL, reducing_gap=2.0)
    luma = np.asarray(small.convert("L")).mean()
    year = exif.tags(containers.metadata(picture.data)).year if picture.data else None
    return Traits(is_grey(small), bool(luma < NIGHT_LUMA), year)


def kinds(contents: Sequence[str], traits: Sequence[Traits]) -> list[set[str]]:
    """Of which kinds each of N pictures is: those of its manifest, and those of its pixels.

    Args:
        contents: what each shows, in the manifest's words, "" where that is not known.
        traits: what each shows of itself.
    """
    return [
        {*_named(content), *_seen(shown)} for content, shown in zip(contents, traits, strict=True)
    ]


def _named(content: str) -> Iterable[str]:
    for part in filter(None, (part.strip() for part in re.split("[,;:/]", content))):
        words = set(re.findall(r"[a-z]+", part.lower()))
        found = [kind for kind, meant in KINDS.items() if words & _forms(meant)]
        # What has no kind of its own keeps its name.
        yield from found or [part]


def _forms(words: str) -> set[str]:
    return {form for word in words.split() for form in (word, f"{word}s")}


def _seen(traits: Traits) -> Iterable[str]:
    if traits.grey:
        yield GREY
    if traits.night:
        yield NIGHT


def era(year: int | None) -> str:
    """The era of cameras that a year belongs to, or "not known"."""
    return UNKNOWN if year is None else next(name for end, name in ERAS if year < end)
