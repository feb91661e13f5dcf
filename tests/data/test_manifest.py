import codecs
import shutil

import pytest

from realitycheck.data.folders import find
from realitycheck.data.manifest import manifest_rows, read_manifest, sources
from realitycheck.data.samples import Sample
from realitycheck.errors import DataError
from realitycheck.results import Source


def test_manifest(tmp_path):
    assert read_manifest(tmp_path) == {}
    (tmp_path / "manifest.csv").write_text("file,generator\ntest/ai/a.jpg,DALL-E\n")
    assert read_manifest(tmp_path)["test/ai/a.jpg"]["generator"] == "DALL-E"
    (tmp_path / "manifest.csv").write_text("name\nx\n")
    with pytest.raises(DataError, match='column "file"'):
        read_manifest(tmp_path)


def test_sources_are_counted_from_the_manifest(folder, tmp_path):
    root = tmp_path / "pictures"
    shutil.copytree(folder, root)
    splits = find(root)
    assert sources(splits) == ()
    rows = ["file,set,source_repo,licence"]
    for name in ("train", "val", "test"):
        for sample in splits[name]:
            path = sample.path.relative_to(root).as_posix()
            if splits.classes[sample.label] == "ai":
                rows.append(f"{path},painter,owner/painter,CC0")
            elif name == "train":
                rows.append(f"{path},shop,,")
    (root / "manifest.csv").write_text("\n".join(rows))
    assert sources(splits) == (
        Source("ai", "painter", 18, "owner/painter", "CC0"),
        Source("real", "shop", 12),
    )


TABLE = 'file,set,generator\r\ntest\\ai\\Caf\u00e9 1.jpg,painter,"one, two"\r\n'


@pytest.mark.parametrize("mark", [None, ";", "\t"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_manifests_as_spreadsheets_save_them(tmp_path, encoding, mark):
    text = TABLE
    if mark:
        text = TABLE.replace("file,set,", f"file{mark}set{mark}").replace(
            "jpg,painter,", f"jpg{mark}painter{mark}"
        )
    (tmp_path / "manifest.csv").write_bytes(text.encode(encoding))
    names = ["test/ai/Caf\u00e9 1.jpg", "test/ai/Cafe\u0301 1.jpg", "test/ai/Caf\udce9 1.jpg"]
    samples = [Sample(tmp_path / name, 0) for name in [*names, "test/ai/other.jpg"]]
    *same, other = manifest_rows(samples, tmp_path)
    assert [(row["set"], row["generator"]) for row in same] == [("painter", "one, two")] * 3
    assert other == {}


def test_a_separator_may_be_said_in_the_first_line(tmp_path):
    (tmp_path / "manifest.csv").write_text("sep=;\nfile;set\n\na.jpg;x;;\n")
    assert read_manifest(tmp_path) == {"a.jpg": {"file": "a.jpg", "set": "x"}}
    (tmp_path / "manifest.csv").write_text("sep=;\nfile;set\na.jpg;x;y\n")
    with pytest.raises(DataError, match="line 3, column 3"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"name,set\nx,y\n", 'line 1: .*column "file"'),
        (b"file,set\na.jpg,x\nb.jpg,y,z\n", "line 3, column 3"),
        (b'file,set\n"a\nb.jpg",x\nb.jpg,y,z\n', "line 4, column 3"),
        (b"file,set\na.jpg,x\n,y\n", "line 3, column 1"),
        (b"set,file\ny,\n", "line 2, column 2"),
        (b'file,set\na.jpg,x\nb.jpg,"y\n', "line 3"),
        (b'file,set\na.jpg,"x"y\n', "line 2"),
        (b"file,set\na.jpg,\x81\n", "line 2, column 7: the byte 0x81"),
        (codecs.BOM_UTF16_LE + b"f\0i\0l", "line 1"),
    ],
)
def test_errors_name_the_place_before_a_picture_is_read(tmp_path, data, where):
    (tmp_path / "manifest.csv").write_bytes(data)
    with pytest.raises(DataError, match=where):
        find(tmp_path)


def test_an_empty_manifest_says_nothing(tmp_path):
    (tmp_path / "manifest.csv").write_text("\n")
    assert read_manifest(tmp_path) == {}
    assert manifest_rows([Sample(tmp_path / "a.jpg", 0)], tmp_path) == [{}]
