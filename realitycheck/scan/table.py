"""A table that is whole in the end, and keeps its rows where the end is not reached."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from realitycheck.files import atomic_write
from realitycheck.scan.rows import csv_writer

log = logging.getLogger(__name__)


class Table:
    """Rows on their way into a table.

    Attributes:
        kept: where the rows are after the writing was stopped; None before, or without a row.
    """

    def __init__(self, file: TextIO, classes: Sequence[str]) -> None:
        self.kept: Path | None = None
        self.rows = 0
        self._file, self._write = file, csv_writer(file, classes)

    def write(self, row: dict[str, Any]) -> None:
        """Adds a row of `rows.row` or `rows.failed`."""
        self._write(row)
        self._file.flush()  # a killed process leaves them too
        self.rows += 1


@contextmanager
def table(path: Path, classes: Sequence[str]) -> Iterator[Table]:
    """Writes a table to `path` once the block succeeds.

    Where it does not, whatever stopped it, a table that was at `path` stays, and the rows so far
    are kept beside it as `NAME.partial.csv`, or the first such name that is free.

    Raises:
        WriteError: as `files.atomic_write`.
    """
    with atomic_write(path) as temporary:
        writing: Table | None = None
        try:
            with temporary.open("w", newline="", encoding="utf-8") as file:
                writing = Table(file, classes)
                yield writing
        except BaseException as error:
            if writing is not None and writing.rows:
                writing.kept = _free_name(path)
                temporary.replace(writing.kept)
                if isinstance(error, Exception):
                    log.warning("The %d rows so far are in %s.", writing.rows, writing.kept)
            raise


def _free_name(path: Path) -> Path:
    number = 1
    while True:
        mark = "partial" if number == 1 else f"partial{number}"
        free = path.with_name(f"{path.stem}.{mark}{path.suffix}")
        if not free.exists():
            return free
        number += 1
