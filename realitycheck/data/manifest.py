"""What a folder's `manifest.csv` says about each picture."""

import csv
import io
import os
import unicodedata
from dataclasses import replace
from pathlib import Path

from realitycheck.data.samples import Sample, Splits
from realitycheck.errors import DataError
from realitycheck.files import encodable
from realitycheck.results import Source

MANIFEST = "manifest.csv"
# Excel writes the separator of the country, and as "Unicode text" tabs.
_SEPARATORS = ",;\t|"


def read_manifest(root: Path) -> dict[str, dict[str, str]]:
    r"""Rows of the folder's `manifest.csv` by file name relative to it; {} without one.

    It may be as Excel saves it: UTF-8 with or without a mark, UTF-16, or Windows-1252; commas,
    semicolons or tabs; "/" or "\" between folders.

    Raises:
        DataError: it cannot be read, has no column `file`, or a row does not fit its head.
    """
    path = root / MANIFEST
    if not path.is_file():
        return {}
    try:
        text = _decoded(path.read_bytes(), path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. Mend or remove it.") from error
    return _rows(text, path) if text.strip() else {}


def manifest_rows(samples: list[Sample], root: Path) -> list[dict[str, str]]:
    """The manifest's row of each sample; {} for one that it does not name."""
    rows = read_manifest(root)
    if not rows:
        return [{} for _ in samples]
    return [_row_of(sample.path.relative_to(root).as_posix(), rows) for sample in samples]


def source_names(samples: list[Sample], root: Path) -> list[str]:
    """Where each sample comes from: the manifest's `set`, or its sub-folder.

    Args:
        samples: of a folder.
        root: the folder, which may hold a manifest.
    """
    return [
        row.get("set") or encodable(sample.path.relative_to(root).parent.as_posix())
        for sample, row in zip(samples, manifest_rows(samples, root), strict=True)
    ]


def sources(splits: Splits) -> tuple[Source, ...]:
    """Where the training and validation pictures come from, as the folder's manifest says.

    Returns:
        An entry per class and `set` of the manifest, with its columns `source_repo` and
        `licence`; none without a manifest.
    """
    samples = [*splits.sets.get("train", []), *splits.sets.get("val", [])]
    found: dict[tuple[str, str], Source] = {}
    for sample, row in zip(samples, manifest_rows(samples, splits.root), strict=True):
        if not row.get("set"):
            continue
        key = (splits.classes[sample.label], row["set"])
        new = Source(*key, 0, row.get("source_repo") or "", row.get("licence") or "")
        before = found.get(key, new)
        found[key] = replace(before, pictures=before.pictures + 1)
    return tuple(found[key] for key in sorted(found))


def _decoded(data: bytes, path: Path) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif data[:1] == b"\0":
        encodings = ["utf-16-be"]
    elif data[1:2] == b"\0":
        encodings = ["utf-16-le"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            before, byte = data[: error.start], data[error.start]
    line = before.count(b"\n") + 1
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    raise DataError(
        f"{path}, line {line}, column {column}: the byte 0x{byte:02x} is no text in UTF-8, UTF-16 "
        "or Windows-1252. Save the table as CSV UTF-8."
    )


def _rows(text: str, path: Path) -> dict[str, dict[str, str]]:
    first, _, rest = text.partition("\n")
    skipped = 0
    separator = ""
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's own line
        separator, text, skipped = first.strip()[4], rest, 1
        first = rest.partition("\n")[0]
    separator = separator or max(_SEPARATORS, key=first.count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found: dict[str, dict[str, str]] = {}
    head: list[str] = []
    line = skipped + 1
    try:
        for cells in table:
            if not head:
                head = _head(cells, f"{path}, line {line}")
            elif any(cells):
                row = _row(cells, head, f"{path}, line {line}")
                found[_plain(row["file"])] = row
            line = skipped + table.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line}: {error}. Check the quotation marks there, or save it anew."
        ) from error
    return found


def _head(cells: list[str], where: str) -> list[str]:
    head = [cell.strip().lower() if cell.strip().lower() == "file" else cell for cell in cells]
    if "file" not in head:
        raise DataError(
            f'{where}: the manifest needs a column "file"; found {", ".join(head)}. Add it or '
            "remove the manifest."
        )
    return head


def _row(cells: list[str], head: list[str], where: str) -> dict[str, str]:
    # Spreadsheets fill rows up with empty cells.
    while len(cells) > len(head) and not cells[-1]:
        cells = cells[:-1]
    if len(cells) > len(head):
        raise DataError(
            f"{where}, column {len(head) + 1}: the row has {len(cells)} cells, the head "
            f"{len(head)}. Put texts that hold a separator in quotation marks."
        )
    row = dict.fromkeys(head, "") | dict(zip(head, cells, strict=False))
    if not row["file"].strip():
        column = head.index("file") + 1
        raise DataError(f'{where}, column {column} ("file"): no file is named. Add its name.')
    return row


def _row_of(name: str, rows: dict[str, dict[str, str]]) -> dict[str, str]:
    # A name on the disk may be in Windows-1252 itself.
    latin = os.fsencode(name).decode("cp1252", "replace")
    return rows.get(_plain(name)) or rows.get(_plain(latin)) or {}


def _plain(name: str) -> str:
    """A name as macOS, Windows and Linux would agree on it."""
    return unicodedata.normalize("NFC", name.replace("\\", "/")).removeprefix("./")
