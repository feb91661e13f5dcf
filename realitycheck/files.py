"""Writing files so that a reader never meets half of one, and saying why where it cannot be."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from realitycheck.errors import WriteError

# Why a file cannot be written, and what to do: error number to both.
_REASONS = {
    errno.ENOSPC: ("the disk is full", "Make room on it, or write to another disk"),
    errno.EDQUOT: (
        "your quota on this disk is used up",
        "Delete what you need no more, or write to another disk",
    ),
    errno.EFBIG: (
        "it would be larger than a file may be there",
        "Raise the limit on file sizes (ulimit -f), or write to another disk",
    ),
    errno.EROFS: ("that place is read-only", "Write to another folder"),
    errno.EACCES: (
        "you may not write there",
        "Write to another folder, or change the permissions of this one",
    ),
    errno.ENOTDIR: ("a file is in the place of a folder", "Choose another name"),
    errno.EISDIR: ("a folder of that name is there", "Choose another name"),
    errno.ENAMETOOLONG: ("its name is too long", "Choose a shorter name"),
}
_REASONS[errno.EPERM] = _REASONS[errno.EACCES]
_REASONS[errno.EEXIST] = _REASONS[errno.ENOTDIR]
_REASONS[errno.ENOTEMPTY] = _REASONS[errno.EISDIR]
# Only writing fails with these, so they need not name the file that they are about.
_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_PROBE = 2**20  # bytes; more than a nearly full disk has left over


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Gives a temporary name next to `path`; renames it to `path` when the block succeeds.

    What is written may be a file or a folder. After an error `path` is as it was.

    Args:
        path: final name; missing parent folders are made.

    Raises:
        WriteError: the disk is full, a quota or a limit on file sizes is reached, or the place
            is not writable; however the block's writer said so.
    """
    path = Path(path)
    # The suffix stays, because writers choose the format by it.
    temporary = path.with_name(f".{path.stem[:20]}.{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        _put(temporary, path)
    except Exception as error:
        number = _write_errno(error, temporary, path)
        if number is None:
            raise
        raise WriteError(_not_written(path, number)) from error
    finally:
        with suppress(OSError):
            _remove(temporary)


def check_writable(folder: str | Path) -> None:
    """Finds out before long work whether its results can be written; leaves nothing behind.

    Args:
        folder: for the results; it need not be there yet.

    Raises:
        WriteError: they cannot.
    """
    folder = Path(folder)
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
    except OSError as error:
        raise WriteError(_not_written(folder, error.errno or errno.EIO)) from error


def why_unwritable(error: BaseException) -> tuple[str, str] | None:
    """Why something cannot be written and what to do; None if the error does not say so.

    Args:
        error: what a writer raised, or any error that was raised because of that.

    Returns:
        Two parts of sentences, such as "the disk is full" and "Make room on it, ...".
    """
    return next((_REASONS[number] for number in _numbers(error) if number in _REASONS), None)


def _sync(path: Path) -> None:
    # Some file systems notice only now that there is no room.
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb+") as opened:
                os.fsync(opened.fileno())


def _put(temporary: Path, path: Path) -> None:
    if not (temporary.is_dir() and path.is_dir()):
        temporary.replace(path)
        return
    old = temporary.with_name(f"{temporary.name}.old")
    path.rename(old)
    try:
        temporary.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _write_errno(error: Exception, temporary: Path, path: Path) -> int | None:
    """The error number of a failure to write this file; None for any other error."""
    if isinstance(error, WriteError):  # of a file that the block wrote beside
        return None
    if isinstance(error, OSError) and error.filename is not None:
        about = Path(os.fsdecode(error.filename))
        ours = about in (path, *path.parents) or about.is_relative_to(temporary)
        return error.errno if ours else None
    number = next((n for n in _numbers(error) if n in _OF_WRITING), None)
    if number is None and isinstance(error, RuntimeError | OSError) and temporary.is_file():
        # PyTorch's writer says "unexpected pos" and not why: ask the file itself.
        number = _append(temporary)
    return number


def _numbers(error: BaseException | None) -> Iterator[int]:
    """The error numbers that an error and those behind it hold, the last raised first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno:
            yield error.errno
        elif found := re.search(r"\(os error (\d+)\)", str(error)):  # as Rust's libraries say it
            yield int(found[1])
        error = error.__cause__ or error.__context__


def _append(file: Path) -> int | None:
    try:
        with file.open("ab") as opened:
            opened.write(bytes(_PROBE))
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        return error.errno
    return None


def _not_written(path: Path, number: int) -> str:
    reason, advice = _REASONS.get(number, (os.strerror(number), "Write to another folder"))
    left = "what was there before is whole" if os.path.lexists(path) else "nothing was left behind"
    return f"{path} could not be written because {reason}; {left}. {advice}, and try again."


def encodable(value: Any) -> Any:
    r"""The same with every text fit for UTF-8: bytes of a name that are none become "\xe9".

    Args:
        value: JSON-ready.
    """
    if isinstance(value, str):
        try:
            # Python holds each byte of a name in another encoding as half a surrogate pair.
            data = value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            data = value.encode("utf-8", "backslashreplace")
        return data.decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {encodable(name): encodable(part) for name, part in value.items()}
    return [encodable(part) for part in value] if isinstance(value, list) else value


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_all(digests: Mapping[Path, str]) -> str:
    """One SHA-256 for several files: of their list of checksums, or of the only one."""
    if len(digests) == 1:
        return next(iter(digests.values()))
    lines = sorted(f"{digest}  {file.name}\n" for file, digest in digests.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def shipped(name: str) -> Path:
    """A file or folder that lies at the top of a checkout, and inside an installed package.

    Args:
        name: such as "examples".
    """
    package = Path(__file__).parent
    inside = package / "shipped" / name
    return inside if inside.exists() else package.parent / name
