"""Answers about many pictures as rows: what the command line and the batch page write."""

import csv
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from realitycheck.files import encodable
from realitycheck.images.provenance import Finding, summary
from realitycheck.verdict_card import resembles


def row(file: str, report: dict[str, Any]) -> dict[str, Any]:
    """The row of a picture that was examined.

    Args:
        file: its name.
        report: of `Prediction.report`.

    Returns:
        `file`; of the report `verdict`, `probabilities`, `warnings`, `provenance`, `model` and
        `family`; and `origin`, what the file says about its origin in a sentence, or "".
    """
    findings = [Finding(**finding) for finding in report["provenance"]]
    found = {
        "file": file,
        "verdict": report["verdict"],
        "probabilities": report["probabilities"],
        "warnings": report["warnings"],
        "origin": summary(findings),
        "provenance": report["provenance"],
        # A table would repeat in every row how such verdicts fared.
        "model": {name: value for name, value in report["model"].items() if name != "calls"},
        "family": report.get("family"),
    }
    return {name: encodable(value) for name, value in found.items()}


def failed(file: str, error: Exception) -> dict[str, Any]:
    """The row of a picture that could not be examined."""
    return {"file": encodable(file), "error": encodable(str(error))}


def named(file: str, row: dict[str, Any]) -> dict[str, Any]:
    """The same row for another file of the same content."""
    return {**row, "file": encodable(file)}


def csv_writer(file: TextIO, classes: Sequence[str]) -> Callable[[dict[str, Any]], Any]:
    """Starts a table, and gives what adds a row to it.

    Args:
        file: opened for text with `newline=""`.
        classes: the detector's, a column each.
    """
    columns = ["file", "verdict", *classes, "warnings", "origin", "model", "family", "error"]
    table = csv.DictWriter(file, columns, restval="")
    table.writeheader()
    return lambda row: table.writerow(_flat(row))


def model_name(model: dict[str, Any]) -> str:
    """A checkpoint's name, version and checksum in short, and the mode if it is the quick one."""
    where = model["source"] + (f"@{model['revision'][:12]}" if model["revision"] else "")
    quick = " quick" if model.get("mode") == "quick" else ""
    return f"{where} v{model['version']} {model['sha256'][:12]}{quick}"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    if "error" in row:
        return {"file": _inert(row["file"]), "error": row["error"]}
    return {
        "file": _inert(row["file"]),
        "verdict": row["verdict"],
        **{name: f"{value:.4f}" for name, value in row["probabilities"].items()},
        "warnings": " ".join(row["warnings"]),
        "origin": _inert(row["origin"]),
        "model": model_name(row["model"]),
        "family": _inert(row["family"]["name"]) if row.get("family") else "",
    }


def _inert(text: str) -> str:
    # A spreadsheet runs cells that begin like a formula.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def line(row: dict[str, Any]) -> str:
    """A row as text to read."""
    if "error" in row:
        return f"{row['file']}: error: {row['error']}"
    shares = ", ".join(f"{name} {value:.1%}" for name, value in row["probabilities"].items())
    notes = "".join(f"\n  note: {warning}" for warning in row["warnings"])
    notes += f"\n  origin: {row['origin']}" if row["origin"] else ""
    notes += f"\n  note: {resembles(row)}" if row.get("family") else ""
    return f"{row['file']}: {row['verdict']} ({shares}) [{model_name(row['model'])}]{notes}"
