"""Files of rows: CSV, JSON lines and Parquet, whole or not there at all."""

import importlib.util
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realitycheck.errors import RealityCheckError
from realitycheck.files import atomic_write
from realitycheck.images.provenance import Finding
from realitycheck.scan import rows

if TYPE_CHECKING:
    import pyarrow

FORMS = (".parquet", ".csv", ".jsonl")
GROUP = 10_000  # rows of a Parquet file that are in memory at a time
PARQUET = "pip install pyarrow"

Rows = Iterable[dict[str, Any]]


def check_form(form: str) -> None:
    """Finds out before long work whether rows can be written so.

    Args:
        form: suffix of the file.

    Raises:
        RealityCheckError: no such form is written, or a package is missing.
    """
    if form not in FORMS:
        named = f"not by {form}" if form else "and this name has no suffix"
        raise RealityCheckError(
            f"The suffix says how rows are written: by {', '.join(FORMS[:-1])} or {FORMS[-1]}, "
            f"{named}."
        )
    if form == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise RealityCheckError(
            f"Parquet needs one more package: {PARQUET}. Without it, write .csv or .jsonl."
        )


def write(path: Path, form: str, classes: Sequence[str], written: Rows) -> None:
    """Writes rows one after another, and puts the file in its place once it is whole.

    Args:
        path: the file.
        form: one of `FORMS`.
        classes: the detector's.
        written: rows of `rows.row` and `rows.failed`.

    Raises:
        WriteError: as `files.atomic_write`.
    """
    with atomic_write(path) as temporary:
        _WRITERS[form](temporary, classes, written)


def _csv(path: Path, classes: Sequence[str], written: Rows) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        write_row = rows.csv_writer(file, classes)
        for row in written:
            write_row(row)


def _jsonl(path: Path, _: Sequence[str], written: Rows) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in written:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _parquet(path: Path, classes: Sequence[str], written: Rows) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = parquet_schema(classes)
    waiting = iter(written)
    with parquet.ParquetWriter(path, schema, compression="zstd") as file:
        while group := [parquet_row(row) for row in islice(waiting, GROUP)]:
            file.write_batch(pyarrow.RecordBatch.from_pylist(group, schema))


def parquet_schema(classes: Sequence[str]) -> "pyarrow.Schema":
    """The columns of a Parquet file and their types.

    Args:
        classes: the detector's, a column each.
    """
    import pyarrow

    text = pyarrow.string()
    finding = pyarrow.struct([(field.name, text) for field in fields(Finding)])
    return pyarrow.schema(
        [
            ("file", text),
            ("verdict", text),
            *((name, pyarrow.float64()) for name in classes),
            ("warnings", pyarrow.list_(text)),
            ("origin", text),
            ("provenance", pyarrow.list_(finding)),
            ("model", text),
            ("family", text),
            ("error", text),
        ]
    )


def parquet_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a line of a Parquet file; what it lacks is null there."""
    if "error" in row:
        return row
    flat = {name: value for name, value in row.items() if name != "probabilities"}
    family = row.get("family")
    name = family["name"] if family else None
    names = {"model": rows.model_name(row["model"]), "family": name}
    return {**flat, **row["probabilities"], **names}


_WRITERS: dict[str, Callable[[Path, Sequence[str], Rows], None]] = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
