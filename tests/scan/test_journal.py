"""The journal: whole lines only, of one scan only, by one process only."""

import json
import logging
import os
import subprocess
import sys

import pytest
from limits import file_size_limit

from realitycheck.errors import PictureError, RealityCheckError, WriteError
from realitycheck.scan import rows
from realitycheck.scan.journal import Entry, Journal, mark

SETTING = {"pictures": ["a"], "model's sha256": "b" * 64}


def entry(folder, name: str, content: bytes = b"", **changes) -> Entry:
    file = folder / name
    if not file.exists():
        file.write_bytes(content or os.fsencode(name))
    row = rows.failed(name, PictureError("No picture."))
    sha256 = (content or os.fsencode(name)).hex().ljust(64, "0")[:64]
    return Entry(**{**vars(Entry(str(file), str(file), mark(file), sha256, row)), **changes})


@pytest.fixture
def target(tmp_path):
    """A table that a killed scan has left three rows for."""
    target = tmp_path / "out" / "table.csv"
    with Journal(target, SETTING) as journal:
        for name in ("a.png", "b.png", "caf\udce9.png"):
            journal.add(entry(tmp_path, name))
    return target


def names(journal) -> list[str]:
    return [row["file"] for row in journal.all()]


def test_rows_outlive_their_process(target, tmp_path):
    with Journal(target, SETTING) as journal:
        assert journal.path.name == "table.csv.partial.jsonl"
        wanted = {str(tmp_path / name) for name in ("a.png", "b.png", "caf\udce9.png")}
        assert journal.done == wanted
        assert journal.rows == 3
        assert names(journal) == ["a.png", "b.png", "caf\\xe9.png"]
        journal.delete()
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize(
    "torn", [b"{", b'{"name": "d.png", "row"', b'{"name": "d.png"}\n', b"\0\0\0\n\0", b"7\n"]
)
def test_a_torn_end_is_cut_off(target, tmp_path, torn, caplog):
    path = target.parent / "table.csv.partial.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    with Journal(target, SETTING) as journal:
        assert len(journal.done) == 3
        journal.add(entry(tmp_path, "d.png"))
        assert names(journal)[2:] == ["caf\\xe9.png", "d.png"]
    assert path.read_bytes().startswith(whole)
    assert "torn" in caplog.text
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_every_length_that_a_kill_may_leave_is_read(target, tmp_path):
    path = target.parent / "table.csv.partial.jsonl"
    whole = path.read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    for length in {*range(0, len(whole), 7), *ends, *(end + 1 for end in ends)}:
        path.write_bytes(whole[:length])
        with Journal(target, SETTING) as journal:
            assert journal.rows == max(0, whole[:length].count(b"\n") - 1)
            journal.add(entry(tmp_path, "z.png"))
            assert names(journal)[-1] == "z.png"


def test_pictures_that_have_changed_or_gone_do_not_count(target, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / "a.png").write_bytes(b"another")
    (tmp_path / "b.png").unlink()
    with Journal(target, SETTING) as journal:
        assert len(journal.done) == 1
        assert names(journal) == ["caf\\xe9.png"]
        assert "pictures done before: 1; rows that do not count" in caplog.text
        assert "are gone: 2." in caplog.text
        journal.add(entry(tmp_path, "a.png", b"another"))
    with Journal(target, SETTING) as journal:
        assert names(journal) == ["caf\\xe9.png", "a.png"]


def test_what_could_not_be_read_is_tried_again(tmp_path):
    target = tmp_path / "table.csv"
    with Journal(target, SETTING) as journal:
        journal.add(entry(tmp_path, "a.png", sha256=""))
        journal.add(entry(tmp_path, "b.png", mark=None, sha256=""))
        assert names(journal) == ["a.png", "b.png"]
    with Journal(target, SETTING) as journal:
        assert not journal.done
        assert names(journal) == []


def test_contents_are_known_by_their_first_line(tmp_path):
    target = tmp_path / "table.csv"
    first, second = entry(tmp_path, "a.png", b"same"), entry(tmp_path, "b.png", b"same")
    with Journal(target, SETTING) as journal:
        assert not journal.knows(first.sha256)
        journal.add(first)
        assert journal.knows(second.sha256)
        journal.add(second)
        assert journal.same(second.sha256) == first
    first.row["file"] = "never written"
    with Journal(target, SETTING) as journal:
        assert journal.same(second.sha256).row["file"] == "a.png"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model's sha256": "c" * 64}, "model's sha256 bbb.*, not ccc"),
        ({"pictures": ["a", "b"]}, r'pictures \["a"\], not \["a", "b"\]'),
        ({"--heatmaps": "maps"}, "--heatmaps null, not maps"),
    ],
)
def test_rows_of_another_scan_are_not_mixed_in(target, change, said):
    path = target.parent / "table.csv.partial.jsonl"
    before = path.read_bytes()
    with pytest.raises(RealityCheckError, match=f"{said}.*--restart"):
        Journal(target, {**SETTING, **change})
    assert path.read_bytes() == before
    with Journal(target, {**SETTING, **change}, restart=True) as journal:
        assert not journal.done
        assert names(journal) == []


def test_what_is_no_journal_is_left_alone(tmp_path):
    path = tmp_path / "table.csv.partial.jsonl"
    for text in ("a diary\nof years\n", '{"rows": "of something else"}\n', "[1]\n"):
        path.write_text(text)
        with pytest.raises(RealityCheckError, match="something else"):
            Journal(tmp_path / "table.csv", SETTING)
        assert path.read_text() == text


def test_two_scans_do_not_write_into_one(target):
    code = (
        "import sys; from pathlib import Path; from realitycheck.scan.journal import Journal\n"
        f"Journal(Path(sys.argv[1]), {SETTING!r})"
    )
    with Journal(target, SETTING):
        told = subprocess.run(
            [sys.executable, "-c", code, target], capture_output=True, text=True, check=False
        )
    assert "Another scan is writing" in told.stderr


def test_a_full_disk_is_said_and_costs_no_row(target, tmp_path):
    path = target.parent / "table.csv.partial.jsonl"
    with (
        Journal(target, SETTING) as journal,
        file_size_limit(path.stat().st_size + 50),
        pytest.raises(WriteError, match="goes on where this one stopped"),
    ):
        journal.add(entry(tmp_path, "d.png", b"d" * 10))
    with Journal(target, SETTING) as journal:
        assert len(journal.done) == 3


def test_a_place_that_cannot_be_written_is_named_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="in the place of a folder"):
        Journal(tmp_path / "file" / "table.csv", SETTING)
