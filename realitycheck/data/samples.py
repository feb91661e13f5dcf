"""Pictures of a set: files with their classes."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realitycheck.errors import DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """One picture of a set: its file and its class index."""

    path: Path
    label: int


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
                f"Sets found: {', '.join(self.sets)}."
            )
        return samples


def fingerprint(samples: list[Sample], root: Path) -> str:
    """A short hash of which files a set holds, to tell sets apart in records."""
    names = "\n".join(sorted(str(s.path.relative_to(root)) for s in samples))
    return hashlib.sha256(names.encode()).hexdigest()[:12]


def warn_unreadable(count: int, total: int) -> None:
    """Logs how many of `total` pictures could not be read, if any."""
    if count:
        log.warning("%d of %d pictures could not be read and are left out.", count, total)


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
