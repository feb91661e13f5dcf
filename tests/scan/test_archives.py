"""Pictures in archives: read where they lie, each once, and nothing that is wrong with an archive
ends a scan."""

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from helpers import drawing
from hypothesis import given
from hypothesis import strategies as st

from realitycheck import images
from realitycheck.errors import PictureError
from realitycheck.scan import archives

PACKERS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def png(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    drawing(80, 70, seed).save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = png()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], **header) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in header.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def read(path: Path) -> dict[str, bytes | str]:
    """Members by their names without the archive's, to their bytes or what is wrong with them."""
    found: dict[str, bytes | str] = {}
    for member in archives.members(path):
        name = member.name.removeprefix(f"{path}{archives.MARK}")
        assert name not in found
        try:
            found[name] = member.read()
        except PictureError as error:
            found[name] = str(error)
    return found


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


HOLDS = {
    "a.png": PICTURE,
    "inner/B.JPG": b"no picture",
    "inner/no suffix": png(1),
    "inner/other.dat": png(2),
    "raw.nef": b"II*\0 as camera's raw files begin",
    "notes.txt": b"text",
    ".hidden.png": PICTURE,
    "__MACOSX/._a.png": PICTURE,
    "inner/@eaDir/a.png": PICTURE,
}
FOUND = {
    name: HOLDS[name] for name in ("a.png", "inner/B.JPG", "inner/no suffix", "inner/other.dat")
}


@pytest.mark.parametrize("packed", PACKERS)
def test_pictures_in_tar_files_are_found_as_in_folders(tmp_path, packed):
    archive = written(tmp_path, f"a.tar{packed}", PACKERS[packed](tarred(HOLDS)))
    assert archives.is_archive(archive)
    assert read(archive) == FOUND
    assert archives.count(archive) is None


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_pictures_in_zip_files_are_found_as_in_folders(tmp_path, method):
    archive = written(tmp_path, "A.ZIP", zipped(HOLDS, method))
    assert archives.is_archive(archive)
    assert read(archive) == FOUND
    assert archives.count(archive) == 2  # by their names alone


def test_what_an_archive_is_its_content_says(tmp_path):
    """A tar file whose last member ends like a ZIP file, or whose first is called like bzip2."""
    inside = {"BZh91.png": PICTURE, "PK.png": PICTURE, "z.bin": zipped({"no.txt": b""})}
    assert read(written(tmp_path, "a.tar", tarred(inside))) == {
        "BZh91.png": PICTURE,
        "PK.png": PICTURE,
    }
    assert read(written(tmp_path, "b.tgz", tarred({"a.png": PICTURE}))) == {"a.png": PICTURE}
    assert read(written(tmp_path, "c.tar", zipped({"a.png": PICTURE}))) == {"a.png": PICTURE}


def test_names_lead_nowhere_and_are_told_apart(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("a.png", "../../etc/a.png", "/etc/a.png", "two\nlines.png"):
            archive.writestr(name, PICTURE)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", PICTURE)
    names = ["a.png", "../../etc/a.png", "/etc/a.png", "two\nlines.png", "a.png#2"]
    assert list(read(written(tmp_path, "a.zip", buffer.getvalue()))) == names
    dots = tarred({"./a.png": PICTURE, "./in/b.png": PICTURE, "caf\udce9.png": PICTURE})
    found = read(written(tmp_path, "a.tar", dots))
    assert list(found) == ["a.png", "in/b.png", "caf\udce9.png"]
    assert [p.name for p in tmp_path.iterdir() if not archives.is_archive(p)] == []


def test_an_encrypted_member_is_named(tmp_path):
    data = bytearray(zipped({"a.png": PICTURE, "notes.txt": b"text"}))
    for start, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(start) + flags] |= 1
    found = read(written(tmp_path, "a.zip", bytes(data)))
    assert list(found) == ["a.png"]
    assert "encrypted" in found["a.png"]


def test_archives_inside_are_named_and_not_opened(tmp_path):
    inside = {"b.zip": zipped({"a.png": PICTURE}), "c.tar.gz": b"", "d.png": PICTURE}
    for name, data in (("a.zip", zipped(inside)), ("a.tar", tarred(inside))):
        found = read(written(tmp_path, name, data))
        assert "inside an archive" in found["b.zip"]
        assert "inside an archive" in found["c.tar.gz"]
        assert found["d.png"] == PICTURE


def test_links_and_devices_are_not_followed(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo(f"{kind.decode()}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    found = read(written(tmp_path, "a.tar", buffer.getvalue()))
    assert list(found) == ["2.png", "1.png"]
    assert all("link" in why for why in found.values())


def test_a_member_beyond_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 2**20)
    inside = {"a.png": bytes(2**20 + 1), "b.png": bytes(2**20), "c.png": PICTURE}
    for name, data in (("a.zip", zipped(inside)), ("a.tar.gz", gzip.compress(tarred(inside)))):
        found = read(written(tmp_path, name, data))
        assert "the limit is 1 MB" in found["a.png"]
        assert found["b.png"] == bytes(2**20)
        assert found["c.png"] == PICTURE


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_bomb_ends_in_a_sentence(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archives, "AT_LEAST", 2**20)
    inside = {"a.png": PICTURE, **{f"{i}.png": bytes(2**20) for i in range(20)}}
    data = zipped(inside) if kind == "zip" else PACKERS[kind[3:]](tarred(inside))
    path = written(tmp_path, f"a.{kind}", data)
    assert sum(map(len, inside.values())) > archives.GROWTH * len(data)
    monkeypatch.setattr(archives, "GROWTH", 2)
    found = read(path)
    assert found["a.png"] == PICTURE
    assert "looks like a bomb" in found[str(path)]
    assert len(found) < len(inside)


def test_headers_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    name = "long" * 2**19 + ".png"
    path = written(tmp_path, "a.tar", tarred({"a.png": PICTURE, name: PICTURE}))
    found = read(path)
    assert found["a.png"] == PICTURE
    assert "header of 2 MB" in found[str(path)]
    monkeypatch.setattr(archives, "MAX_DIRECTORY", 100)
    path = written(tmp_path, "a.zip", zipped({f"{i}.png": PICTURE for i in range(9)}))
    assert "list of members" in read(path)[str(path)]
    assert archives.count(path) == 0


def test_what_is_no_archive_says_so(tmp_path):
    for name in ("a.zip", "a.tar", "a.tar.xz"):
        for data in (b"", b"no archive", bytes(5000), PICTURE):
            path = written(tmp_path, name, data)
            found = read(path)
            if name != "a.zip" and data == bytes(5000):
                assert found == {}  # an empty tar file
                continue
            assert list(found) == [str(path)]
            assert "cannot be read" in found[str(path)]
    gone = read(tmp_path / "gone.zip")
    assert "No such file" in next(iter(gone.values()))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_copy_that_was_cut_short_says_so(tmp_path, kind):
    inside = {f"{i}.png": png(i) for i in range(4)}
    data = zipped(inside) if kind == "zip" else PACKERS[kind[3:]](tarred(inside))
    for length in (len(data) // 3, len(data) * 2 // 3, len(data) - 11_000):
        if not 0 < length < len(data):
            continue
        path = written(tmp_path, f"a.{kind}", data[:length])
        found = read(path)
        assert "cannot be read" in found.pop(str(path))
        assert all(found[name] == inside[name] for name in found if isinstance(found[name], bytes))


def test_a_tar_file_without_its_end_says_so(tmp_path):
    whole = tarred({"a.png": PICTURE})
    path = written(tmp_path, "a.tar", whole[: 512 + -(-len(PICTURE) // 512) * 512])
    found = read(path)
    assert found["a.png"] == PICTURE
    assert "ends too early" in found[str(path)]


def test_damage_to_one_member_of_a_zip_file_leaves_the_others(tmp_path):
    inside = {"a.png": PICTURE, "b.png": png(1)}
    data = bytearray(zipped(inside, zipfile.ZIP_STORED))
    data[data.index(PICTURE) + 100] ^= 1
    found = read(written(tmp_path, "a.zip", bytes(data)))
    assert "cannot be unpacked: Bad CRC-32" in found["a.png"]
    assert found["b.png"] == inside["b.png"]


def test_a_damaged_header_amid_a_tar_file_is_not_its_end(tmp_path):
    data = bytearray(tarred({"a.png": PICTURE, "b.png": png(1)}))
    data[data.index(b"b.png")] ^= 1
    path = written(tmp_path, "a.tar", bytes(data))
    found = read(path)
    assert found["a.png"] == PICTURE
    assert "behind a.png: a member's header is damaged" in found[str(path)]


def test_sizes_below_zero_end(tmp_path):
    """As in CVE-2025-8194, where tarfile went round for ever."""
    data = bytearray(tarred({"a.png": b"", "b.png": PICTURE}))
    data[124:136] = b"\xff" + struct.pack(">11s", (-1024).to_bytes(11, "big", signed=True))
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + 8 * 32 + sum(data[156:512]))
    path = written(tmp_path, "a.tar", bytes(data))
    assert "below zero" in read(path)[str(path)]


@given(st.integers(0, 2**32), st.sampled_from(["zip", "tar", "tar.gz", "tar.xz"]))
def test_no_damage_ends_a_scan(tmp_path_factory, seed, kind):
    chance = random.Random(seed)
    inside = {"a.png": PICTURE, "in/b": png(1), "c.txt": b"text" * 50}
    data = bytearray(zipped(inside) if kind == "zip" else PACKERS[kind[3:]](tarred(inside)))
    for _ in range(chance.randint(1, 20)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)) :]
    path = written(tmp_path_factory.mktemp("damaged"), f"a.{kind}", bytes(data))
    archives.count(path)
    for content in read(path).values():
        assert isinstance(content, bytes | str)
        assert content != ""
    assert zlib.crc32(path.read_bytes()) == zlib.crc32(bytes(data))
