"""What a cluster is sent to: files of this machine, and of other places by their URIs."""

import json
import os
import shutil
import sys

import pytest
from helpers import drawing

from realitycheck.errors import RealityCheckError
from realitycheck.scan import cluster, stores
from realitycheck.scan.journal import mark

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

    from realitycheck import __version__

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
        cluster.check_packages()
