"""What is left out is named, with the reason."""

import csv
import os
from pathlib import Path

from helpers import drawing, fill

from realitycheck.data.dataset import PictureSet
from realitycheck.data.folders import find
from realitycheck.data.samples import LEFT_OUT, LeftOut, Sample, list_left_out, warn_left_out


def rows(folder):
    with (folder / LEFT_OUT).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_ten_are_named_and_all_are_listed(tmp_path, caplog):
    left = [LeftOut(Path(f"lost{i:02}.jpg"), f"Reason {i}.") for i in range(14)]
    with list_left_out(tmp_path):
        warn_left_out([], 0)
        assert not (tmp_path / LEFT_OUT).exists()
        warn_left_out(left, 40)
    assert "14 of 40 pictures could not be read" in caplog.text
    assert [f"lost{i:02}.jpg: Reason {i}." in caplog.text for i in range(14)] == [True] * 10 + [
        False
    ] * 4
    assert f"and 4 more; all are in {tmp_path / LEFT_OUT}" in caplog.text
    assert rows(tmp_path) == [["file", "why"], *([str(x.path), x.why] for x in left)]
    warn_left_out(left[:1], 40)  # nobody asks for a list now
    assert len(rows(tmp_path)) == 15
    with list_left_out(tmp_path):
        assert not (tmp_path / LEFT_OUT).exists()


def test_reasons_are_the_readers(tmp_path, caplog):
    fill(tmp_path / "ai", 10, 0)
    fill(tmp_path / "real", 10, 50)
    (tmp_path / "ai" / "empty.jpg").touch()
    (tmp_path / "ai" / "page.jpg").write_text("<html>404</html>")
    drawing(40, 40).save(tmp_path / "real" / "tiny.png")
    odd = os.fsdecode(os.fsencode(tmp_path / "real") + b"/caf\xe9\n.jpg")
    Path(odd).touch()
    with list_left_out(tmp_path / "out"):
        splits = find(tmp_path)
        PictureSet([*splits["train"], Sample(tmp_path / "ai" / "page.jpg", 0)], lambda image: image)
    listed = {Path(name).name: why for name, why in rows(tmp_path / "out")[1:]}
    assert set(listed) == {"empty.jpg", "page.jpg", "tiny.png", "caf\\xe9\n.jpg"}
    assert "empty" in listed["empty.jpg"]
    assert "not a picture" in listed["page.jpg"]
    assert "64" in listed["tiny.png"]
    assert "caf\\xe9\\n.jpg: The file is empty" in caplog.text
