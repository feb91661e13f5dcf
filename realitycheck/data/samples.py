"""Pictures of a set: files with their classes."""

import csv
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realitycheck.errors import DataError
from realitycheck.files import atomic_write, encodable

log = logging.getLogger(__name__)

LEFT_OUT = "left-out.csv"
SHOWN = 10  # files that are named where some are left out; all stand in `LEFT_OUT`


@dataclass(frozen=True)
class Sample:
    """One picture of a set: its file and its class index."""

    path: Path
    label: int


@dataclass(frozen=True)
class LeftOut:
    """A file that is no sample, and why: a sentence."""

    path: Path
    why: str


@dataclass
class _Listing:
    """The file in which all that is left out is listed, and what stands in it."""

    file: Path
    reasons: dict[Path, str] = field(default_factory=dict)


_listing: ContextVar[_Listing | None] = ContextVar("listing", default=None)


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


@contextmanager
def list_left_out(folder: Path) -> Iterator[None]:
    """Within the block, every file that is left out is listed in `left-out.csv` of a folder."""
    file = folder / LEFT_OUT
    with suppress(OSError):  # whether the folder can be written to is found out elsewhere
        file.unlink(missing_ok=True)  # of an earlier run
    token = _listing.set(_Listing(file))
    try:
        yield
    finally:
        _listing.reset(token)


def warn_left_out(left_out: Sequence[LeftOut], total: int) -> None:
    """Logs which of `total` pictures are left out and why, if any; the first ten by name.

    All of them are listed in a file where `list_left_out` says so.
    """
    if not left_out:
        return
    lines = [f"{len(left_out)} of {total} pictures could not be read and are left out:"]
    lines += [f"  {_on_a_line(left.path)}: {left.why}" for left in left_out[:SHOWN]]
    listing = _listing.get()
    if listing is not None:
        listing.reasons |= {left.path: left.why for left in left_out}
        _write(listing)
    if (more := len(left_out) - SHOWN) > 0:
        lines.append(f"  and {more} more" + (f"; all are in {listing.file}" if listing else ""))
    log.warning("%s", encodable("\n".join(lines)))


def _write(listing: _Listing) -> None:
    with (
        atomic_write(listing.file) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(["file", "why"])
        table.writerows(encodable([[str(p), why] for p, why in listing.reasons.items()]))


def _on_a_line(path: Path) -> str:
    return str(path).replace("\n", "\\n").replace("\r", "\\r")


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
