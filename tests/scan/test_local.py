"""Scanning what lies on this machine: each picture once, equal ones computed once."""

import os
import shutil
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from helpers import drawing
from PIL import Image

from realitycheck.errors import PictureError
from realitycheck.scan import local
from realitycheck.scan.journal import Journal

SETTING = {"pictures": ["all"]}


class Counting:
    """A detector that counts what it is given to examine."""

    def __init__(self, detector) -> None:
        self.detector, self.config, self.examined = detector, detector.config, 0

    def predict_batch(self, batch, explain=False):
        def counted():
            for source in batch:
                self.examined += source != local._NOTHING
                yield source

        return self.detector.predict_batch(counted(), explain)


@pytest.fixture
def counting(quick_detector):
    return Counting(quick_detector)


@pytest.fixture
def pictures(tmp_path):
    """Two different pictures six times, a broken file twice, a file too large, a bad archive."""
    root = tmp_path / "pictures"
    (root / "inner").mkdir(parents=True)
    drawing(120, 90).save(root / "a.png")
    drawing(120, 90, 1).save(root / "b.png")
    shutil.copy(root / "a.png", root / "inner" / "c.png")
    (root / "broken.jpg").write_bytes(b"broken")
    with zipfile.ZipFile(root / "d.zip", "w") as archive:
        archive.write(root / "b.png", "b.png")
        archive.write(root / "broken.jpg", "in/broken.jpg")
    with tarfile.open(root / "e.tar.gz", "w:gz") as archive:
        archive.add(root / "a.png", "a.png")
        archive.add(root / "inner" / "c.png", "c.png")
    with (root / "large.png").open("wb") as file:
        file.truncate(26 * 2**20)
    (root / "f.zip").write_bytes(b"no archive")
    return root


NAMES = (
    *("a.png", "b.png", "broken.jpg", "d.zip!/b.png", "d.zip!/in/broken.jpg"),
    *("e.tar.gz!/a.png", "e.tar.gz!/c.png", "f.zip", "inner/c.png", "large.png"),
)


def scanned(detector, root, target, heatmaps=None, stop_after=None):
    """The rows of a scan, and how many it made itself; a stop leaves the journal."""
    made = 0
    with Journal(target, SETTING) as journal:
        items = local.Items(*local.find([root], heatmaps), journal.done)
        for made, _ in enumerate(local.scan(detector, items, heatmaps, journal), 1):
            if made == stop_after:
                break
        return list(journal.all()), made, items.total


def told(rows, root):
    return {
        row["file"].removeprefix(f"{root}/"): row.get("error") or row["probabilities"]
        for row in rows
    }


def test_every_picture_has_a_row_and_equal_ones_are_computed_once(pictures, tmp_path, counting):
    rows, made, total = scanned(counting, pictures, tmp_path / "t.csv")
    found = told(rows, pictures)
    assert tuple(found) == NAMES
    assert made == total == len(NAMES)
    assert counting.examined == 4  # a, b, broken and large, which is not read
    alike = [found[n] for n in ("a.png", "e.tar.gz!/a.png", "e.tar.gz!/c.png", "inner/c.png")]
    assert all(shares == alike[0] for shares in alike)
    assert found["b.png"] == found["d.zip!/b.png"] != alike[0]
    assert found["broken.jpg"] == found["d.zip!/in/broken.jpg"]
    assert "not a picture" in found["broken.jpg"]
    assert "26 MB" in found["large.png"]
    assert "cannot be read" in found["f.zip"]


def test_rows_are_those_without_a_journal(pictures, tmp_path, counting):
    rows, *_ = scanned(counting, pictures, tmp_path / "t.csv")
    items = local.Items(*local.find([pictures]))
    plain = list(local.scan(counting.detector, items))
    assert [row.keys() for row in plain] == [row.keys() for row in rows]
    for one, other in zip(plain, rows, strict=True):
        if "error" in one:
            assert one == other
        else:
            shares = one.pop("probabilities")
            # Batches of another size round otherwise.
            assert shares == pytest.approx(other.pop("probabilities"), abs=1e-4)
            assert one == other


@pytest.mark.parametrize("stop_after", [1, 4, 6, 9])
def test_a_scan_goes_on_where_it_was_stopped(pictures, tmp_path, counting, stop_after):
    whole, *_ = scanned(counting.detector, pictures, tmp_path / "whole.csv")
    scanned(counting, pictures, tmp_path / "t.csv", stop_after=stop_after)
    counting.examined = 0
    rows, made, total = scanned(counting, pictures, tmp_path / "t.csv")
    assert sorted(told(rows, pictures)) == sorted(NAMES)
    assert len(rows) == total == len(NAMES)
    # What could not be read (f.zip, large.png) is tried again.
    done = stop_after - (stop_after > NAMES.index("f.zip"))
    assert made == len(NAMES) - done
    assert counting.examined <= 4
    assert counting.examined < 4 or stop_after < 2
    for name, shares in told(whole, pictures).items():
        found = told(rows, pictures)[name]
        assert found == (shares if isinstance(shares, str) else pytest.approx(shares, abs=1e-4))


def test_a_finished_journal_leaves_nothing_to_examine(pictures, tmp_path, counting):
    before, *_ = scanned(counting, pictures, tmp_path / "t.csv")
    counting.examined = 0
    rows, made, total = scanned(counting, pictures, tmp_path / "t.csv")
    assert (made, counting.examined, total) == (2, 1, len(NAMES))
    assert told(rows, pictures) == told(before, pictures)


def test_changed_files_are_examined_again(pictures, tmp_path, counting):
    before, *_ = scanned(counting, pictures, tmp_path / "t.csv")
    drawing(120, 90, 2).save(pictures / "a.png")
    (pictures / "b.png").unlink()
    with zipfile.ZipFile(pictures / "d.zip", "a") as archive:
        archive.write(pictures / "a.png", "new.png")
    counting.examined = 0
    rows, *_ = scanned(counting, pictures, tmp_path / "t.csv")
    assert counting.examined == 2  # the new a.png, and large.png again
    old, new = told(before, pictures), told(rows, pictures)
    assert set(new) == {*NAMES, "d.zip!/new.png"} - {"b.png"}
    assert len(rows) == len(new)
    assert new["a.png"] == new["d.zip!/new.png"] != old["a.png"]
    assert new["d.zip!/b.png"] == old["d.zip!/b.png"]


def test_a_file_that_changes_while_it_is_examined_is_examined_again(tmp_path, counting):
    root = tmp_path / "pictures"
    root.mkdir()
    for name in ("a.png", "b.png"):
        drawing(120, 90).save(root / name)

    class Racing(Counting):
        def predict_batch(self, batch, explain=False):
            def changed():
                for source in batch:
                    if source == root / "a.png":
                        drawing(120, 90, 1).save(source)
                    yield source

            return self.detector.predict_batch(changed(), explain)

    rows, *_ = scanned(Racing(counting.detector), root, tmp_path / "t.csv")
    assert "changed meanwhile" in rows[1]["error"]
    rows, made, _ = scanned(counting, root, tmp_path / "t.csv")
    assert (made, counting.examined) == (2, 1)  # what a.png has become is known already
    assert sorted(told(rows, root)) == ["a.png", "b.png"]
    assert told(rows, root)["a.png"] != told(rows, root)["b.png"]


def test_maps_of_equal_pictures_are_copied(pictures, tmp_path, counting):
    maps = pictures / "maps"  # inside, where a second call would take them for pictures
    scanned(counting, pictures, tmp_path / "t.csv", maps)
    drawn = {path.name: path.read_bytes() for path in maps.iterdir()}
    assert len(drawn) == 6
    assert len(set(drawn.values())) == 2
    rows, made, _ = scanned(counting, pictures, tmp_path / "t.csv", maps)
    assert (len(rows), made) == (len(NAMES), 2)
    for path in maps.iterdir():
        path.unlink()
    shutil.copy(pictures / "a.png", pictures / "z.png")
    counting.examined = 0
    scanned(counting, pictures, tmp_path / "t.csv", maps)
    assert counting.examined == 2  # z.png, whose twin's map is gone, and large.png
    assert [path.name.split(".")[0] for path in maps.iterdir()] == ["z"]


def test_a_maps_name_fits_whatever_the_members(tmp_path, quick_detector):
    root = tmp_path / "pictures"
    root.mkdir()
    drawing(120, 90).save(tmp_path / "a.png")
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        for name in (f"{'猫' * 200}.png", "../../up.png", "..png", f"{'a/' * 50}a.png"):
            archive.write(tmp_path / "a.png", name)
    items = local.Items(*local.find([root]))
    assert all("error" not in row for row in local.scan(quick_detector, items, tmp_path / "maps"))
    assert len(list((tmp_path / "maps").iterdir())) == 3  # "..png" is hidden
    assert {path.name for path in tmp_path.iterdir()} == {"pictures", "a.png", "maps"}


def test_a_file_named_twice_is_scanned_once(pictures):
    files, _ = local.find([pictures / "a.png", pictures, pictures / "a.png"])
    assert files[0] == pictures / "a.png"
    assert len(files) == len(set(files)) == 8


class Refusing:
    """Says of every picture that it is none, so that only the scan itself takes memory."""

    def predict_batch(self, batch, explain=False):
        for _ in batch:
            yield PictureError("No picture.")


def test_memory_stays_flat(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        for number in range(3000):
            archive.writestr(f"{number}.png", os.urandom(2000))
    grown = []
    with Journal(tmp_path / "t.csv", SETTING) as journal:
        tracemalloc.start()
        items = local.Items(*local.find([root]), journal.done)
        for number, _ in enumerate(local.scan(Refusing(), items, None, journal), 1):
            if number in (500, 3000):
                grown.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert journal.rows == 3000
    # A content's mark and its place; rows and bytes would take 2,500 a picture.
    assert (grown[1] - grown[0]) / 2500 < 400


def test_maps_are_pictures(pictures, tmp_path, quick_detector):
    items = local.Items([pictures / "d.zip"], [])
    list(local.scan(quick_detector, items, tmp_path / "maps"))
    (path,) = (tmp_path / "maps").iterdir()
    assert Image.open(path).width == 120
    assert isinstance(path, Path)
