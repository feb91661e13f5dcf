"""What the page knows of an answer and of the model, small enough to send between processes."""

from dataclasses import dataclass
from typing import Any

from realitycheck.results import Record


@dataclass(frozen=True)
class Answer:
    """What a page needs of a `Prediction`.

    Attributes:
        report: everything but pixels, see `Prediction.report`.
        picture: the picture as it was examined; JPEG bytes, long side at most 1024 px.
        maps: names of witness and class to its Grad-CAM map in colours, transparent where it is
            cold; WebP bytes, long side at most 448 px. The first witness weighs most.
        overlay: its map of the AI class drawn over the picture, with a legend; JPEG bytes.
    """

    report: dict[str, Any]
    picture: bytes
    maps: dict[tuple[str, str], bytes]
    overlay: bytes


@dataclass(frozen=True)
class About:
    """Which model answers.

    Attributes:
        model: of `Checkpoint.describe`.
        classes: its class names.
        ai_class: which of them means "made by an AI".
        record: how it was trained and measured.
    """

    model: dict[str, Any]
    classes: tuple[str, ...]
    ai_class: str
    record: Record
