"""Finds pictures for a cluster: on this machine, and wherever pyarrow finds files."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from realitycheck import images
from realitycheck.data.layout import is_hidden, is_no_data
from realitycheck.errors import PictureError, RealityCheckError
from realitycheck.files import encodable
from realitycheck.scan import archives, local
from realitycheck.scan.journal import Mark, mark

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_ARCHIVE = "Archives are not opened with --cluster. Scan it without, or unpack it."
_NAME = "Its name holds bytes that are no text. Rename it, or scan it without --cluster."


@dataclass(frozen=True)
class Found:
    """A file that may be a picture.

    Attributes:
        name: as rows name it.
        path: as its file system calls it.
        store: the file system.
        mark: size and time of change; None where they are not known.
        error: why it cannot be examined, or "".
    """

    name: str
    path: str
    store: "FileSystem"
    mark: Mark | None = None
    error: str = ""


def is_uri(path: str) -> bool:
    """Whether a path names something that is not on this machine, or says so like a URI."""
    return "://" in path and not os.path.lexists(path)


def public(uri: str) -> str:
    """A URI without keys and options: as rows, journal and messages name it."""
    plain = re.split(r"[?#]", uri, maxsplit=1)[0].rstrip("/")
    return re.sub(r"^(\w[\w+.-]*://)[^/@]*@", r"\1", plain)


def find(paths: Iterable[str]) -> list[Found]:
    """The files that may be pictures, each once.

    On this machine they are found as `local.find` does. Elsewhere they are those with a picture's
    suffix and those without any, into which an actor looks.

    Args:
        paths: of files and folders of this machine, and URIs.

    Raises:
        RealityCheckError: nothing is there, or it cannot be reached.
    """
    found: dict[str, Found] = {}
    for path in paths:
        found |= {one.name: one for one in (_elsewhere(path) if is_uri(path) else _here(path))}
    return list(found.values())


def _here(path: str) -> Iterator[Found]:
    from pyarrow.fs import LocalFileSystem

    store = LocalFileSystem()
    files, left_out = local.find([Path(path)])
    for file in files:
        name, error = str(file), ""
        if archives.is_archive(file):
            error = _ARCHIVE
        elif encodable(name) != name:
            error = _NAME
        else:
            error = _why_unreadable(file)
        yield Found(name, os.path.abspath(file), store, mark(file), error)
    for left in left_out:
        yield Found(str(left.path), str(left.path), store, None, left.why)


def _why_unreadable(file: Path) -> str:
    """What `images.read` says of a file that it would not read."""
    try:
        if file.is_file() and file.stat().st_size <= images.MAX_BYTES:
            return ""
        images.read(file)
    except (PictureError, OSError, ValueError) as error:
        return str(error)
    return ""


def _elsewhere(uri: str) -> Iterator[Found]:
    from pyarrow.fs import FileSelector, FileSystem, FileType

    shown = public(uri)
    try:
        store, base = FileSystem.from_uri(uri)
        base = base.rstrip("/")
        top = store.get_file_info(base)
        if top.type == FileType.NotFound:
            raise RealityCheckError(f"There is nothing at {shown}. Check the address.")
        folder = top.type == FileType.Directory
        infos = store.get_file_info(FileSelector(base, recursive=True)) if folder else [top]
    except (OSError, ValueError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].replace(uri, shown)
        raise RealityCheckError(
            f"{shown} cannot be looked into: {reason}. Check the address, and the keys in the "
            "environment (AWS_ACCESS_KEY_ID and so on)."
        ) from error
    for info in sorted(infos, key=lambda info: info.path):
        inner = info.path[len(base) :]
        if info.type != FileType.File or (folder and not _is_wanted(inner)):
            continue
        why = ""
        if archives.is_archive(info.path):
            why = _ARCHIVE
        elif info.size is not None and info.size > images.MAX_BYTES:
            why = str(images.too_many_bytes(info.size))
        now = (info.size or 0, info.mtime_ns or 0)
        yield Found(shown + inner, info.path, store, now, why)


def _is_wanted(inner: str) -> bool:
    *folders, name = inner.strip("/").split("/")
    if is_hidden(name) or any(map(is_no_data, folders)):
        return False
    return "." not in name or name.lower().endswith((*images.SUFFIXES, *archives.SUFFIXES))
