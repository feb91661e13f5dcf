"""What is left out of a set, and why: counted, named, and listed in a file."""

import csv
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from realitycheck.errors import DataError
from realitycheck.files import atomic_write, encodable

log = logging.getLogger(__name__)

LEFT_OUT = "left-out.csv"
SHOWN = 10  # files that are named where some are left out; all stand in `LEFT_OUT`
SMALLEST = 8  # px that `--min-side` may ask for; less shows nothing, however it is enlarged


@dataclass(frozen=True)
class LeftOut:
    """A file that is no sample, and why.

    Attributes:
        path: of the file.
        why: a sentence.
        size: its width and height, px, where those are the reason.
        least: px that its short side should have had, where that is the reason.
    """

    path: Path
    why: str
    size: tuple[int, int] | None = None
    least: int = 0


@dataclass
class _Listing:
    """The file in which all that is left out is listed, and what stands in it."""

    file: Path
    reasons: dict[Path, str] = field(default_factory=dict)


_listing: ContextVar[_Listing | None] = ContextVar("listing", default=None)


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

    All of them are listed in a file where `list_left_out` says so, and are named once.
    """
    listing = _listing.get()
    if listing is not None:
        left_out = [left for left in left_out if left.path not in listing.reasons]
    if not left_out:
        return
    lines = [f"{len(left_out)} of {total} pictures are left out:"]
    if len(reasons := _reasons(left_out, total)) < len(left_out):
        lines += [f"  {reason}" for reason in reasons[:SHOWN]]
    lines += [f"  {_on_a_line(left.path)}: {left.why}" for left in left_out[:SHOWN]]
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


def none_left(what: str, left_out: Sequence[LeftOut], total: int) -> DataError:
    """The error where too few pictures are left: how many were left out for which reason.

    Args:
        what: is wrong, as the beginning of a sentence.
        left_out: those pictures.
        total: how many there were.
    """
    if not left_out:
        return DataError(encodable(f"{what}."))
    small = [min(left.size) for left in left_out if left.size]
    advice = "Check the files."
    if small:
        advice = "Find larger copies: enlarging these adds no evidence."
        if min(small) >= SMALLEST:
            advice += f" To use them all the same, pass --min-side {min(small)}."
    reasons = "; ".join(_reasons(left_out, total)[:SHOWN])
    return DataError(encodable(f"{what}: {reasons}. {advice}"))


def _reasons(left_out: Sequence[LeftOut], total: int) -> list[str]:
    """How many of `total` pictures are left out for each reason, the most frequent first."""
    counts = Counter(_fault(left) for left in left_out if not left.size)
    lines = [(count, f"{count} of {total}: {fault}") for fault, count in counts.items()]
    if small := [left for left in left_out if left.size]:
        lines.append((len(small), f"{len(small)} of {total} {_too_small(small)}"))
    return [line for _, line in sorted(lines, reverse=True)]


def _fault(left: LeftOut) -> str:
    # The first sentence says what is wrong, the others what to do.
    return left.why.replace(str(left.path), "the file").split(". ")[0].rstrip(".")


def _too_small(small: Sequence[LeftOut]) -> str:
    sizes = sorted({left.size for left in small if left.size}, key=lambda s: (s[0] * s[1], s))
    names = [f"{width} x {height}" for width, height in sizes]
    which = names[0] if len(names) == 1 else f"from {names[0]} to {names[-1]}"
    least = max(left.least for left in small)
    verb = "is" if len(small) == 1 else "are"
    return f"{verb} {which} px; at least {least} px on each side are needed"
