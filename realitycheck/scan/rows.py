"""Answers about many pictures as rows: what the command line and the batch page write."""

import csv
from collections.abc import Callable, Sequence
from typing import Any, TextIO

_KEPT = ("verdict", "probabilities", "warnings", "model")


def row(file: str, report: dict[str, Any]) -> dict[str, Any]:
    """The row of a picture that was examined.

    Args:
        file: its name.
        report: of `Prediction.report`.
    """
    return {"file": file, **{name: report[name] for name in _KEPT}}


def failed(file: str, error: Exception) -> dict[str, Any]:
    """The row of a picture that could not be examined."""
    return {"file": file, "error": str(error)}


def csv_writer(file: TextIO, classes: Sequence[str]) -> Callable[[dict[str, Any]], Any]:
    """Starts a table, and gives what adds a row to it.

    Args:
        file: opened for text with `newline=""`.
        classes: the detector's, a column each.
    """
    columns = ["file", "verdict", *classes, "warnings", "model", "error"]
    table = csv.DictWriter(file, columns, restval="")
    table.writeheader()
    return lambda row: table.writerow(_flat(row))


def model_name(model: dict[str, Any]) -> str:
    """A checkpoint's name, version and checksum in short."""
    where = model["source"] + (f"@{model['revision'][:12]}" if model["revision"] else "")
    return f"{where} v{model['version']} {model['sha256'][:12]}"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    if "error" in row:
        return {"file": _inert(row["file"]), "error": row["error"]}
    return {
        "file": _inert(row["file"]),
        "verdict": row["verdict"],
        **{name: f"{value:.4f}" for name, value in row["probabilities"].items()},
        "warnings": " ".join(row["warnings"]),
        "model": model_name(row["model"]),
    }


def _inert(name: str) -> str:
    # A spreadsheet runs cells that begin like a formula.
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name


def line(row: dict[str, Any]) -> str:
    """A row as text to read."""
    if "error" in row:
        return f"{row['file']}: error: {row['error']}"
    shares = ", ".join(f"{name} {value:.1%}" for name, value in row["probabilities"].items())
    notes = "".join(f"\n  note: {warning}" for warning in row["warnings"])
    return f"{row['file']}: {row['verdict']} ({shares}) [{model_name(row['model'])}]{notes}"
