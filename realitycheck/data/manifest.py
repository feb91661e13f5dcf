"""What a folder's `manifest.csv` says about each picture."""

import csv
from dataclasses import replace
from pathlib import Path

from realitycheck.data.samples import Sample, Splits
from realitycheck.errors import DataError
from realitycheck.results import Source

MANIFEST = "manifest.csv"


def read_manifest(root: Path) -> dict[str, dict[str, str]]:
    """Rows of the folder's `manifest.csv` by file name relative to it; {} without one.

    Raises:
        DataError: the manifest has no column `file`.
    """
    path = root / MANIFEST
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if rows and "file" not in rows[0]:
        raise DataError(f'{path} needs a column "file". Add it or remove the manifest.')
    return {row["file"]: row for row in rows}


def manifest_rows(samples: list[Sample], root: Path) -> list[dict[str, str]]:
    """The manifest's row of each sample; {} for one that it does not name."""
    rows = read_manifest(root)
    return [rows.get(sample.path.relative_to(root).as_posix(), {}) for sample in samples]


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
