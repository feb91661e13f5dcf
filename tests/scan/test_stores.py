"""What a cluster is sent to: files of this machine, and of other places by their URIs."""

import json
import os
import shutil
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import drawing

from realitycheck import __version__
from realitycheck.errors import RealityCheckError
from realitycheck.scan import cluster, connection, stores
from realitycheck.scan.journal import Entry, Journal, mark

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install -e '.[dev]'")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "in").mkdir(parents=True)
    (folder / "@eaDir").mkdir()
    for name in ("a.png", "in/b.PNG", "in/no suffix", ".hidden.png", "@eaDir/a.png"):
        drawing(80, 70).save(folder / name, "PNG")
    (folder / "notes.txt").write_text("text")
    (folder / "readme").write_text("text")
    (folder / "c.zip").write_bytes(b"")
    with (folder / "large.jpg").open("wb") as file:
        file.truncate(26 * 2**20)
    return folder


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("s3://bucket/a b/", "s3://bucket/a b"),
        ("s3://key:secret@bucket/a?region=x", "s3://bucket/a"),
        ("s3://bucket/a?secret_key=word", "s3://bucket/a"),
        ("hdfs://user@host:8020/a", "hdfs://host:8020/a"),
        ("file:///a/b", "file:///a/b"),
    ],
)
def test_names_hold_no_keys(uri, shown):
    assert stores.public(uri) == shown


def test_a_file_that_is_called_like_a_uri_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert stores.is_uri("s3://bucket")
    assert not stores.is_uri(str(tmp_path))
    os.makedirs("s3:/bucket")
    assert not stores.is_uri("s3://bucket")


def test_files_of_this_machine_are_those_of_a_local_scan(root):
    found = {
        f.name.removeprefix(f"{root}/"): f for f in stores.find([str(root), str(root / "a.png")])
    }
    assert sorted(found) == ["a.png", "c.zip", "in/b.PNG", "in/no suffix", "large.jpg"]
    assert found["a.png"].mark == mark(root / "a.png")
    assert {name for name, one in found.items() if one.error} == {"c.zip", "large.jpg"}
    assert "26 MB" in found["large.jpg"].error
    assert "--cluster" in found["c.zip"].error
    missing = stores.find([str(root / "gone.png")])
    assert "There is no file" in missing[0].error


def test_what_uris_name_is_found_by_suffix_and_without_one(root):
    uri = root.as_uri()
    found = {f.name.removeprefix(f"{uri}/"): f for f in stores.find([uri, f"{uri}/a.png"])}
    names = ["a.png", "c.zip", "in/b.PNG", "in/no suffix", "large.jpg", "readme"]
    assert sorted(found) == names
    assert found["a.png"].mark == mark(root / "a.png")
    assert {name for name, one in found.items() if one.error} == {"c.zip", "large.jpg"}


@pytest.mark.parametrize(
    ("uri", "said"), [("file:///missing/folder", "There is nothing"), ("xyz://a", "looked into")]
)
def test_a_place_that_is_not_there_is_named(uri, said):
    with pytest.raises(RealityCheckError, match=said):
        stores.find([uri])


def test_names_that_are_no_text_are_refused(tmp_path):
    shutil.copy(__file__, os.fsencode(tmp_path) + b"/caf\xe9.png")
    (found,) = stores.find([str(tmp_path)])
    assert "no text" in found.error


def test_an_actor_gives_rows_of_bytes(root, quick, quick_detector):
    import pyarrow

    wanted = (__version__, quick_detector.checkpoint.sha256)
    examiner = cluster.Examiner(str(quick), wanted)
    paths = ["b/a.png", "b/no suffix", "b/readme", "b/broken.jpg"]
    data = [(root / "a.png").read_bytes(), (root / "in" / "no suffix").read_bytes(), b"text", b"x"]
    told = examiner(pyarrow.table({"bytes": data, "path": paths})).to_pydict()
    assert told["path"] == paths
    first, second = map(json.loads, told["row"][:2])
    assert first["probabilities"] == pytest.approx(second["probabilities"], abs=1e-4)
    assert first["verdict"] == second["verdict"]
    assert told["row"][2] == ""
    assert "not a picture" in told["row"][3]
    for other in (("0.1", wanted[1]), (wanted[0], "0" * 64)):
        with pytest.raises(RealityCheckError, match="Install the same"):
            cluster.Examiner(str(quick), other)


def test_without_ray_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RealityCheckError, match=r"pip install 'ray\[data\]'"):
        connection.check_packages()


class Here(cluster.Scan):
    """A scan whose actors are this process, and whose Ray loses all that is called so."""

    def _run(self, dataset, files, size):
        examiner = cluster.Examiner(*self._arguments)
        read = dataset()
        if size == cluster.BLOCK:
            read = read.filter([("lost" not in path) for path in read.column("path").to_pylist()])
        for answer in examiner(read).to_pylist():
            one = files.pop(answer["path"])
            row = json.loads(answer["row"] or "{}")
            yield Entry(one.name, one.name, one.mark, answer["sha256"], row and {"file": one.name})


def test_what_ray_loses_is_examined_one_by_one(root, tmp_path, quick, quick_detector, monkeypatch):
    import pyarrow

    def read(store, paths):
        data = [Path(path).read_bytes() for path in paths]
        return pyarrow.table({"bytes": data, "path": paths})

    # The last one, which is gone, is lost at once.
    monkeypatch.setattr(cluster, "_read_by_ray", lambda store, paths: read(store, paths[:-1]))
    monkeypatch.setattr(cluster, "_given_to_ray", pyarrow.concat_tables)
    monkeypatch.setattr(cluster, "connected", nullcontext)
    monkeypatch.setattr(cluster, "SINGLE", 2)
    for number in range(3):
        shutil.copy(root / "a.png", root / f"lost {number}.png")
    # The same files by other names, and one that is gone before it is read.
    twice = f"{root}/in/../in"
    found = stores.find([root.as_uri(), str(root / "in"), twice])
    gone = replace(found[0], name="gone", path=f"{root}/lost and gone.png")
    wanted = (__version__, quick_detector.checkpoint.sha256)
    scan = Here([*found, gone], str(quick), wanted)
    with Journal(tmp_path / "t.csv", {}) as journal:
        rows = list(scan.rows(journal))
    names = sorted(one.name for one in found if not one.name.endswith("readme"))
    assert sorted(row["file"] for row in rows) == sorted([*names, "gone"])
    assert scan.total == len(rows)
    errors = {row["file"]: row["error"] for row in rows if "error" in row}
    assert sorted(name.rpartition("/")[2] for name in errors) == ["c.zip", "gone", "large.jpg"]
    assert "cannot be opened" in errors["gone"]
