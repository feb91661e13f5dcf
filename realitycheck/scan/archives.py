"""Pictures inside archives, read where they lie: nothing is unpacked to disk.

ZIP files and tar files, the latter also packed by gzip, bzip2 or xz. A member is read only where
its size is within the limit for pictures, and an archive only as long as it does not grow beyond
measure. Archives inside archives are not opened, and links are not followed.
"""

import bz2
import gzip
import lzma
import os
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from realitycheck import images
from realitycheck.data.layout import is_hidden, is_no_data
from realitycheck.errors import PictureError
from realitycheck.files import encodable

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MARK = "!/"  # between an archive's name and its member's
GROWTH = 200  # times its own size that an archive may unpack to; pictures are packed already
AT_LEAST = 2**30  # bytes that any archive may unpack to
MAX_DIRECTORY = 2**28  # bytes of a ZIP file's list of members, which is held in memory
MAX_HEADER = 2**20  # bytes of a tar member's names and remarks
_BZIP2 = (b"1AY&SY", b"\x17rE8P\x90")  # bzip2's first block, and its end where there is none
_BEGINNING = 32  # bytes that tell a picture
_READ_ERRORS = (*images.READ_ERRORS, zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError)
_NESTED = "This is an archive inside an archive, which is not opened. Unpack the outer one first."
_ENCRYPTED = (
    "This member is encrypted. Unpack the archive with its password, and scan what comes out."
)
_LINK = "This is a link inside an archive, which is not followed. Unpack the archive to examine it."
_GROWS = (
    f"This archive unpacks to more than {GROWTH} times its size and is not read on: it looks like "
    "a bomb. If you trust it, unpack it and scan the folder."
)


@dataclass(frozen=True)
class Member:
    """What an archive holds, or what is wrong with the archive.

    Attributes:
        name: ARCHIVE!/path, as rows name it; a second one of that name has #2 behind it.
        read: gives its bytes, once, before the next member is asked for; raises PictureError
            where it cannot be examined.
    """

    name: str
    read: Callable[[], bytes]


@dataclass
class _Entry:
    """A file in an archive of either kind.

    Attributes:
        name: within the archive.
        size: bytes, as the archive says.
        open: for reading.
        apart: whether damage to it leaves the others readable.
        problem: why it cannot be opened, or "".
        file: where it is open already.
        beginning: what was read of that.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]
    apart: bool
    problem: str = ""
    file: IO[bytes] | None = None
    beginning: bytes = b""


class _Refused(Exception):
    """An archive that must not be read on, and why."""


def is_archive(path: str | Path) -> bool:
    """Whether a file is called like an archive that can be looked into."""
    return str(path).lower().endswith(SUFFIXES)


def count(path: Path) -> int | None:
    """About how many pictures a ZIP file holds, by their names; None where that takes reading it.

    A tar file has no list of its members.
    """
    if not path.name.lower().endswith(".zip"):
        return None
    try:
        with path.open("rb") as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                names = [i.filename for i in archive.infolist()]
    except (_Refused, *_READ_ERRORS):
        return 0
    return sum(not _is_left_out(name) and _is_named(name) for name in names)


def members(path: Path) -> Iterator[Member]:
    """The pictures in an archive, by suffix, or by content where the suffix says nothing.

    Never raises: where the archive is damaged, encrypted or grows beyond measure, the last member
    bears the archive's own name, and its `read` says why.
    """
    seen: Counter[str] = Counter()
    last = ""
    try:
        with path.open("rb") as file:
            for entry in _entries(file, path):
                last = entry.name
                if _is_left_out(entry.name) or not _is_picture(entry):
                    continue
                seen[entry.name] += 1
                again = f"#{seen[entry.name]}" if seen[entry.name] > 1 else ""
                shown = entry.name.removeprefix("./")
                yield Member(f"{path}{MARK}{shown}{again}", partial(_read, entry))
    except _Refused as refusal:
        yield Member(str(path), partial(_fail, str(refusal)))
    except _READ_ERRORS as error:
        where = f" behind {encodable(last)}" if last else ""
        yield Member(
            str(path),
            partial(
                _fail,
                f"This archive cannot be read{where}: {_reason(error)}. Check that it was copied "
                "whole. What could be read has rows of its own.",
            ),
        )


def _entries(file: BinaryIO, path: Path) -> Iterator[_Entry]:
    start = file.read(10)
    if path.name.lower().endswith(".zip") or start.startswith((b"PK\3\4", b"PK\5\6")):
        return _zipped(file)
    return _tarred(file, start)


def _fail(why: str) -> bytes:
    raise PictureError(why)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(encodable(str(text).splitlines()[0].rstrip(".")))


def _is_left_out(name: str) -> bool:
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return not parts or is_hidden(parts[-1]) or any(map(is_no_data, parts[:-1]))


def _is_named(name: str) -> bool:
    return name.lower().endswith((*images.SUFFIXES, *SUFFIXES))


def _is_picture(entry: _Entry) -> bool:
    """Whether a row is due: for pictures, and for archives that may hold some."""
    if _is_named(entry.name):
        return True
    if entry.problem:
        return False
    try:
        # Left open: what is read of a tar file cannot be read again.
        entry.file = entry.open()
        entry.beginning = entry.file.read(_BEGINNING)
    except _READ_ERRORS:
        if entry.apart:
            return False
        raise
    has_suffix = "." in entry.name.rpartition("/")[2]
    return images.begins_as_picture(entry.beginning, tiff=not has_suffix)


def _read(entry: _Entry) -> bytes:
    if is_archive(entry.name):
        _fail(_NESTED)
    if entry.problem:
        _fail(entry.problem)
    if entry.size > images.MAX_BYTES:
        _fail(
            f"This member has {entry.size / 2**20:.0f} MB; the limit is "
            f"{images.MAX_BYTES >> 20} MB. Unpack it, and save it smaller."
        )
    try:
        with entry.file or entry.open() as file:
            return entry.beginning + file.read(images.MAX_BYTES + 1)
    except _Refused as refusal:
        raise PictureError(str(refusal)) from refusal
    except _READ_ERRORS as error:
        raise PictureError(
            f"This member cannot be unpacked: {_reason(error)}. Check that the archive was copied "
            "whole."
        ) from error


# --- ZIP ------------------------------------------------------------------------------------------


def _zipped(file: BinaryIO) -> Iterator[_Entry]:
    _check_directory(file)
    room = _room(file)
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            # Many members may share the same bytes, so each alone can be small.
            room -= min(info.file_size, images.MAX_BYTES) if _is_named(info.filename) else 0
            if room < 0:
                raise _Refused(_GROWS)
            problem = _ENCRYPTED if info.flag_bits & 1 else ""
            yield _Entry(info.filename, info.file_size, partial(archive.open, info), True, problem)


def _check_directory(file: BinaryIO) -> None:
    """Refuses a list of members that would fill the memory (APPNOTE 6.3, 4.3.14 and 4.3.16)."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2**16 - 22))
    tail = file.read()
    end = tail.rfind(b"PK\5\6")
    length = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if length == 2**32 - 1 and (end := tail.rfind(b"PK\6\6")) >= 0:
        length = int.from_bytes(tail[end + 40 : end + 48], "little")
    if length > MAX_DIRECTORY:
        raise _Refused(
            f"This archive's list of members has {length / 2**20:.0f} MB; the limit is "
            f"{MAX_DIRECTORY >> 20} MB. Unpack it and scan the folder, or split it."
        )


# --- tar ------------------------------------------------------------------------------------------


def _tarred(file: BinaryIO, start: bytes) -> Iterator[_Entry]:
    limit = _room(file)
    file.seek(0)
    with ExitStack() as stack:
        unpacked: IO[bytes] = file
        if start.startswith(b"\x1f\x8b"):
            unpacked = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=file)))
        elif start.startswith(b"BZh") and start[4:] in _BZIP2:
            unpacked = stack.enter_context(bz2.BZ2File(file))
        elif start.startswith(b"\xfd7zXZ\0"):
            unpacked = stack.enter_context(lzma.LZMAFile(file))
        stream: Any = _Limited(unpacked, limit)
        # As a stream, which never goes back and so always ends.
        with tarfile.open(fileobj=stream, mode="r|", bufsize=2**18, tarinfo=_Header) as archive:
            while (info := archive.next()) is not None:
                vars(archive)["members"].clear()  # it would keep them all
                if info.isreg():
                    yield _Entry(info.name, info.size, partial(_extract, archive, info), False)
                elif info.issym() or info.islnk():
                    yield _Entry(info.name, 0, partial(_extract, archive, info), False, _LINK)


def _extract(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(info)
    assert file is not None  # of a regular file
    return file


def _room(file: BinaryIO) -> int:
    """How many bytes an archive may unpack to."""
    return max(AT_LEAST, GROWTH * file.seek(0, os.SEEK_END))


class _Limited:
    """A file that is read no further than a limit."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._left = file, limit

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _Refused(_GROWS)
        return data


class _Header(tarfile.TarInfo):
    """A member's header that says so where it is damaged: tarfile takes that for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        """Reads a header, as tarfile asks for it.

        Raises:
            _Refused: its names and remarks are longer than any need to be.
            ReadError: it is damaged.
        """
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if any(buf):
                raise tarfile.ReadError("a member's header is damaged") from error
            if not buf:
                raise tarfile.ReadError("it ends too early") from error
            raise  # the end
        if header.size < 0:
            raise tarfile.ReadError("a member's size is below zero")
        if not header.isfile() and not header.isdir() and header.size > MAX_HEADER:
            raise _Refused(
                f"A member of this archive has a header of {header.size / 2**20:.0f} MB and is not "
                "read on. Unpack it and scan the folder."
            )
        return header
