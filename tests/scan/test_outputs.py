"""Rows in files: CSV, JSON lines, Parquet."""

import csv
import json
import math
import sys

import pytest

from realitycheck.errors import PictureError, RealityCheckError
from realitycheck.scan import outputs, rows

CLASSES = ("ai", "real")
MODEL = {"source": "bundled", "revision": None, "version": "4", "sha256": "a" * 64}
FINDING = {"says": "The file says it is AI.", "where": "XMP", "points_to": "ai", "trust": "Low."}
ROWS = [
    rows.row(
        f"{number}.jpg",
        {
            "verdict": "real",
            "probabilities": {"ai": 1 / 3, "real": 2 / 3},
            "warnings": ["Small.", "Dark."],
            "provenance": [{**FINDING, "generator": "", "prompt": ""}] * (number % 2),
            "model": MODEL,
            "family": {"name": "FLUX", "probability": 0.7} if number else None,
        },
    )
    for number in range(5)
] + [rows.failed("two\nlines.jpg", PictureError("No picture."))]


def test_json_lines_hold_rows_as_they_are(tmp_path):
    path = tmp_path / "rows.jsonl"
    outputs.write(path, ".jsonl", CLASSES, iter(ROWS))
    assert [json.loads(line) for line in path.read_text().splitlines()] == ROWS


def test_csv_is_what_a_spreadsheet_reads(tmp_path):
    path = tmp_path / "rows.csv"
    outputs.write(path, ".csv", CLASSES, iter(ROWS))
    with path.open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [row["file"] for row in found] == [row["file"] for row in ROWS]
    assert found[0]["ai"] == "0.3333"
    assert [row["family"] for row in found[:2]] == ["", "FLUX"]
    assert found[-1]["error"] == "No picture."


def test_parquet_holds_numbers_lists_and_nulls(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(outputs, "GROUP", 4)
    path = tmp_path / "rows.parquet"
    outputs.write(path, ".parquet", CLASSES, iter(ROWS))
    assert parquet.ParquetFile(path).num_row_groups == 2
    table = parquet.read_table(path)
    names = ["file", "verdict", "ai", "real", "warnings", "origin", "provenance", "model"]
    assert table.column_names == [*names, "family", "error"]
    found = table.to_pylist()
    for row, written in zip(found[:-1], ROWS, strict=False):
        assert math.isclose(row["ai"], 1 / 3)
        assert row["warnings"] == ["Small.", "Dark."]
        assert row["provenance"] == written["provenance"]
        assert row["model"] == "bundled v4 aaaaaaaaaaaa"
        assert row["family"] == (written["family"] and "FLUX")
        assert row["error"] is None
    last = {name: value for name, value in found[-1].items() if value is not None}
    assert last == {"file": "two\nlines.jpg", "error": "No picture."}


@pytest.mark.parametrize("form", outputs.FORMS)
def test_half_a_file_is_never_there(tmp_path, form):
    if form == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"rows{form}"
    path.write_text("older")

    def stopping():
        yield ROWS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outputs.write(path, form, CLASSES, stopping())
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("form", "said"), [(".xlsx", "not by .xlsx"), ("", "has no suffix")])
def test_other_suffixes_are_refused(form, said):
    with pytest.raises(RealityCheckError, match=rf"\.parquet, \.csv or \.jsonl, .*{said}"):
        outputs.check_form(form)


def test_without_its_package_parquet_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RealityCheckError, match="pip install pyarrow"):
        outputs.check_form(".parquet")
    outputs.check_form(".csv")
