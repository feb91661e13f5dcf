"""Rows as they are written: any name, any metadata, one column for the origin."""

import csv
import io
import json

import pytest

from realitycheck.errors import PictureError
from realitycheck.scan import rows

MODEL = {"source": "bundled", "revision": None, "version": "4", "sha256": "a" * 64}
FINDING = {"says": "The file says it is AI.", "where": "XMP", "points_to": "ai", "trust": "Low."}


def report(*findings):
    return {
        "verdict": "real",
        "probabilities": {"ai": 0.1, "real": 0.9},
        "warnings": ["Small.", "Dark."],
        "provenance": list(findings),
        "views": [],
        "model": MODEL,
    }


def table(*written):
    buffer = io.StringIO(newline="")
    write = rows.csv_writer(buffer, ("ai", "real"))
    for row in written:
        write(row)
    return list(csv.DictReader(io.StringIO(buffer.getvalue())))


def test_a_family_is_a_column_and_a_note():
    row = rows.row("a.jpg", report() | {"family": {"name": "=FLUX", "probability": 0.72}})
    assert row["family"]["probability"] == 0.72
    assert table(row)[0]["family"] == "'=FLUX"  # a spreadsheet runs no cell
    assert "note: Resembles pictures by =FLUX (72 %)." in rows.line(row)
    unknown = rows.row("a.jpg", report())
    assert table(unknown)[0]["family"] == ""
    assert "Resembles" not in rows.line(unknown)


def test_what_the_file_says_is_a_sentence_and_findings():
    row = rows.row("a.jpg", report(FINDING, {**FINDING, "points_to": "camera"}))
    assert row["origin"] == "Says it is AI. (and 1 more)"
    assert [finding["points_to"] for finding in row["provenance"]] == ["ai", "camera"]
    assert table(row)[0]["origin"] == row["origin"]
    assert f"origin: {row['origin']}" in rows.line(row)
    none = rows.row("a.jpg", report())
    assert (none["origin"], none["provenance"]) == ("", [])
    assert table(none)[0]["origin"] == ""
    assert "origin" not in rows.line(none)


def test_a_row_does_not_repeat_how_verdicts_fared():
    counted = {**report(), "model": {**MODEL, "calls": {"clean": {"ai": {"ai": 9}}}}}
    assert rows.row("a.jpg", counted)["model"] == MODEL


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("caf\udce9.jpg", "caf\\xe9.jpg"),
        ("half \ud800.jpg", "half \\ud800.jpg"),
        ("two\nlines.jpg", "two\nlines.jpg"),
        ("\u732b.jpg", "\u732b.jpg"),
    ],
)
def test_any_name_and_text_can_be_written(name, shown):
    examined = rows.row(name, report({**FINDING, "says": f"Made by {name}"}))
    refused = rows.failed(name, PictureError(f"{name} is no picture."))
    assert examined["file"] == refused["file"] == shown
    for row in (examined, refused):
        json.dumps(row, ensure_ascii=False).encode()
        rows.line(row).encode()
        assert table(row)[0]["file"] == shown


def test_a_spreadsheet_runs_no_cell():
    (row,) = table(rows.row("=1+1.jpg", report({**FINDING, "says": "=cmd()"})))
    assert row["file"] == "'=1+1.jpg"
    assert row["origin"] == "'=cmd()"
