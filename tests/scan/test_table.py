"""Tables that were stopped."""

import csv

import pytest

from realitycheck.errors import PictureError, WriteError
from realitycheck.scan import rows
from realitycheck.scan.table import table

ROW = rows.failed("a.jpg", PictureError("No picture."))


def names(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [row["file"] for row in csv.DictReader(file)]


def _stopped(path, error):
    with table(path, ("ai", "real")) as writing:
        writing.write(ROW)
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_the_rows_so_far_are_kept_and_the_older_table_too(tmp_path, error, caplog):
    target = tmp_path / "table.csv"
    target.write_text("older")
    for name in ("table.partial.csv", "table.partial2.csv"):
        with pytest.raises(error):
            _stopped(target, error)
        assert names(tmp_path / name) == ["a.jpg"]
    assert target.read_text() == "older"
    assert ("rows so far are in" in caplog.text) == (error is ValueError)
    assert len(list(tmp_path.iterdir())) == 3


def test_without_a_row_nothing_is_left(tmp_path):
    with pytest.raises(KeyboardInterrupt), table(tmp_path / "table.csv", ("ai",)) as writing:
        raise KeyboardInterrupt
    assert writing.kept is None
    assert not list(tmp_path.iterdir())


def test_a_whole_table_takes_the_place_of_the_older(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("older")
    with table(target, ("ai", "real")) as writing:
        writing.write(ROW)
        assert target.read_text() == "older"
    assert names(target) == ["a.jpg"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    writing = table(tmp_path / "file" / "table.csv", ("ai",))
    with pytest.raises(WriteError, match="in the place of a folder"), writing:
        pass
