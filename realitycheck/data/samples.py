"""Pictures of a set: files with their classes."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realitycheck import images
from realitycheck.data.left_out import LeftOut, none_left
from realitycheck.errors import DataError, PictureError, TooSmallError
from realitycheck.images import MIN_SIDE, Picture
from realitycheck.results import Record


@dataclass(frozen=True)
class Sample:
    """One picture of a set.

    Attributes:
        path: of its file.
        label: its class index.
        min_side: px that its short side must have.
    """

    path: Path
    label: int
    min_side: int = MIN_SIDE

    def read(self) -> Picture | LeftOut:
        """The picture, or why it cannot be used."""
        try:
            return images.read(self.path, self.min_side)
        except TooSmallError as error:
            return LeftOut(self.path, str(error), error.size, error.least)
        except PictureError as error:
            return LeftOut(self.path, str(error))


@dataclass(frozen=True)
class Splits:
    """The sets found in a folder.

    Attributes:
        root: the folder.
        classes: class names, sorted; a sample's label is the position in this list.
        sets: split name ("train", "val", "test", ...) to its samples.
    """

    root: Path
    classes: list[str]
    sets: dict[str, list[Sample]]

    def __getitem__(self, name: str) -> list[Sample]:
        """The samples of a split.

        Raises:
            DataError: the folder has no such split, or a class is empty in it.
        """
        samples = self.sets.get(name, [])
        absent = [c for i, c in enumerate(self.classes) if all(s.label != i for s in samples)]
        if absent:
            raise DataError(
                f"{self.root} has no {name} pictures of {' or '.join(absent)}. "
                f"Sets found: {', '.join(self.sets)}. Sets are folders named train, val and test."
            )
        return samples


def fingerprint(samples: list[Sample], root: Path) -> str:
    """A short hash of which files a set holds, to tell sets apart in records."""
    names = "\n".join(sorted(str(s.path.relative_to(root)) for s in samples))
    return hashlib.sha256(os.fsencode(names)).hexdigest()[:12]


def check_classes(
    samples: Sequence[Sample], used: Sequence[Sample], left_out: Sequence[LeftOut]
) -> None:
    """Sees to it that pictures of every class are used.

    Args:
        samples: of a set.
        used: those of them that can be.
        left_out: the others.

    Raises:
        DataError: of a class there are none.
    """
    lost = {s.label for s in samples} - {s.label for s in used}
    if lost:
        gone = {s.path for s in samples if s.label in lost}
        folders = " or ".join(sorted({str(path.parent) for path in gone})[:3])
        reasons = [left for left in left_out if left.path in gone]
        raise none_left(f"None of the pictures in {folders} can be used", reasons, len(gone))


def smallest_side(record: Record, asked: int | None = None) -> int:
    """How small pictures may be that a checkpoint is measured on, px.

    Args:
        record: of the checkpoint: by default, what its training let in is let in again.
        asked: the caller's choice.
    """
    if asked is not None:
        return asked
    trained = record.training[-1].get("min_side", MIN_SIDE) if record.training else MIN_SIDE
    return min(MIN_SIDE, int(trained))


def describe(splits: Splits) -> dict[str, Any]:
    """How many pictures of which class each set holds, and a fingerprint of each set."""
    return {
        name: {
            "fingerprint": fingerprint(samples, splits.root),
            **{c: sum(s.label == i for s in samples) for i, c in enumerate(splits.classes)},
        }
        for name, samples in splits.sets.items()
        if samples
    }
