"""What is left out is named, with the reason."""

import csv
import os
from pathlib import Path

import pytest
from helpers import drawing, fill

from realitycheck.data.dataset import PictureSet
from realitycheck.data.folders import find
from realitycheck.data.left_out import LEFT_OUT, LeftOut, list_left_out, warn_left_out
from realitycheck.data.samples import Sample
from realitycheck.errors import DataError


def rows(folder):
    with (folder / LEFT_OUT).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_ten_are_named_and_all_are_listed(tmp_path, caplog):
    left = [LeftOut(Path(f"lost{i:02}.jpg"), f"Reason {i}.") for i in range(14)]
    with list_left_out(tmp_path):
        warn_left_out([], 0)
        assert not (tmp_path / LEFT_OUT).exists()
        warn_left_out(left, 40)
    assert "14 of 40 pictures are left out" in caplog.text
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


def small(folder: Path, size: tuple[int, int], count: int, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        drawing(*size, seed + i).save(folder / f"{size[0]}-{i:02}.png")


def test_too_small_is_said_by_number_and_size_with_a_way_out(tmp_path, caplog):
    small(tmp_path / "ai", (32, 32), 12)
    small(tmp_path / "real", (32, 32), 12, 50)
    with pytest.raises(DataError) as refused:
        find(tmp_path)
    for said in ("24 of 24 are 32 x 32 px; at least 64 px", "--min-side 32"):
        assert said in str(refused.value)
    assert "24 of 24 are 32 x 32 px; at least 64 px" in caplog.text
    assert "could not be read" not in caplog.text + str(refused.value)
    splits = find(tmp_path, min_side=32)
    assert sum(map(len, splits.sets.values())) == 24


def test_one_class_alone_is_too_small_in_several_sizes(tmp_path):
    small(tmp_path / "train" / "ai", (32, 32), 3)
    small(tmp_path / "train" / "ai", (28, 60), 2)
    (tmp_path / "train" / "ai" / "page.jpg").write_text("<html>404</html>")
    fill(tmp_path / "train" / "real", 6, 50)
    with pytest.raises(DataError) as refused:
        PictureSet(find(tmp_path)["train"], lambda image: image)
    said = str(refused.value)
    assert "train/ai" in said
    assert "5 of 6 are from 32 x 32 to 28 x 60 px" in said
    assert "1 of 6: This is not a picture" in said
    assert "--min-side 28" in said
    assert "train/real" not in said


def test_a_side_of_nearly_nothing_is_refused(tmp_path):
    small(tmp_path / "ai", (4, 4), 2)
    small(tmp_path / "real", (4, 4), 2)
    with pytest.raises(DataError, match="--min-side must be 8 px"):
        find(tmp_path, min_side=1)
    with pytest.raises(DataError, match="4 of 4 are 4 x 4 px") as refused:
        find(tmp_path)
    assert "--min-side" not in str(refused.value)


def test_a_picture_is_named_once_however_often_it_is_left_out(tmp_path, caplog):
    first, second = (LeftOut(Path(name), "The file is empty. Save it anew.") for name in "ab")
    with list_left_out(tmp_path):
        warn_left_out([first], 9)
        caplog.clear()
        warn_left_out([first], 9)
        assert not caplog.text
        warn_left_out([first, second], 9)
    assert "1 of 9 pictures are left out" in caplog.text
    assert rows(tmp_path) == [["file", "why"], ["a", first.why], ["b", second.why]]
