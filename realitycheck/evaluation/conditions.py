"""The conditions that a checkpoint is measured under."""

from PIL import Image

from realitycheck.errors import RealityCheckError
from realitycheck.images.perturbations import PERTURBATIONS, Perturbation, reencode

# What is measured alone stands here: the transformer's training sees all of `PERTURBATIONS`.
CHANGES: dict[str, Perturbation] = {
    **PERTURBATIONS,
    "avif": lambda image: reencode(image, "AVIF", 60),
}

# One class saved once more as JPEG, the other kept as it is, as PNG would: a detector that learned
# the format would change its mind.
SWAPS = {"ai-jpeg-real-png": True, "ai-png-real-jpeg": False}


def apply(condition: str, image: Image.Image, *, is_ai: bool) -> Image.Image:
    """A picture under a condition.

    Args:
        condition: a key of `CHANGES` or `SWAPS`.
        image: upright RGB picture.
        is_ai: whether it is AI-made; only the swaps depend on it.
    """
    if condition not in SWAPS:
        return CHANGES[condition](image)
    return reencode(image, "JPEG", 90) if is_ai == SWAPS[condition] else image


def known(names: list[str]) -> list[str]:
    """The conditions that are meant by a list of names, or by "all".

    Raises:
        RealityCheckError: a name is unknown.
    """
    every = [*CHANGES, *SWAPS]
    if names == ["all"]:
        return every
    unknown = [name for name in names if name not in every]
    if unknown:
        raise RealityCheckError(
            f"Unknown conditions: {', '.join(unknown)}. Choose from {', '.join(every)}, or all."
        )
    return names
