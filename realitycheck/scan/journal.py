"""The rows of a scan on their way into a file: kept as they come, so that a second call goes on.

Beside the file that is to be written lies NAME.partial.jsonl: a first line that says which scan
this is, and then a line for each picture, written at once. A process that is killed leaves whole
lines and at most one that is torn, which is cut off when the next call opens the journal.
"""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, Self

from realitycheck.errors import RealityCheckError, WriteError
from realitycheck.files import check_writable, encodable, why_unwritable

try:
    import fcntl
except ImportError:  # on Windows two scans into one file are the user's to avoid
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

SUFFIX = ".partial.jsonl"
FORMAT = 1  # of the lines
Mark = tuple[int, int]  # size of a file in bytes and its time of change in ns


@dataclass(frozen=True)
class Entry:
    """A line of the journal.

    Attributes:
        name: of the picture, unique in a scan.
        file: path of the file, or of the archive that holds it.
        mark: that file's, when it was read; None where it could not be.
        sha256: of the picture's bytes, hexadecimal; "" where they could not be read.
        row: as `rows` makes it.
        map: file name of its Grad-CAM picture, or "".
    """

    name: str
    file: str
    mark: Mark | None
    sha256: str
    row: dict[str, Any]
    map: str = ""


class Journal:
    """An open journal, which no other process can open meanwhile.

    A picture is done where its bytes were read and its file has not changed since. Others are
    looked at again: what could not be read may be readable now.

    Args:
        target: the file that is to be written in the end.
        setting: what makes one scan another: JSON-ready, by names that a user knows.
        restart: throw the rows of a scan that was stopped away.

    Raises:
        RealityCheckError: another process has it open, or it holds rows of another scan.
        WriteError: it cannot be written.
    """

    def __init__(self, target: Path, setting: dict[str, Any], restart: bool = False) -> None:
        self.path = target.with_name(target.name + SUFFIX)
        self.done: set[str] = set()
        self.rows = 0
        self._places: dict[bytes, int] = {}  # of each content's first line
        self._outdated: set[int] = set()  # places of lines that count no more
        check_writable(target.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Unbuffered: what is written is the system's, whatever becomes of this process.
            self._file: BinaryIO = open(self.path, "a+b", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._lock()
            if restart:
                self._file.truncate(0)
            self._end = self._read(json.loads(json.dumps(setting)))
            self._tell()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def knows(self, sha256: str) -> bool:
        """Whether a line is about a picture of the same content."""
        return bytes.fromhex(sha256) in self._places

    def same(self, sha256: str) -> Entry:
        """The first line that is about a picture of this content."""
        with self.path.open("rb") as file:
            file.seek(self._places[bytes.fromhex(sha256)])
            entry = _entry(file.readline())
        assert entry is not None  # it was whole when its place was noted
        return entry

    def add(self, entry: Entry) -> None:
        """Writes a line.

        Raises:
            WriteError: it cannot be written; all lines before it are whole.
        """
        # ASCII: what a name holds that is no text comes back as it was.
        place = self._append({**vars(entry)})
        if entry.sha256:
            self._places.setdefault(bytes.fromhex(entry.sha256), place)
        self.rows += 1

    def all(self) -> Iterator[dict[str, Any]]:
        """The row of each picture, in the order in which they were written."""
        with self.path.open("rb") as file:
            place = len(file.readline())
            for line in file:
                if place not in self._outdated:
                    yield json.loads(line)["row"]
                place += len(line)

    def delete(self) -> None:
        """Deletes it, once its rows are where they belong."""
        self.path.unlink(missing_ok=True)

    # --- opening --------------------------------------------------------------------------------

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RealityCheckError(
                f"Another scan is writing {self.path}. Wait for it, or name another file."
            ) from error
        except OSError:  # a file system without locks
            log.debug("%s cannot be locked", self.path)

    def _read(self, setting: dict[str, Any]) -> int:
        """Reads what is there, and cuts off a torn end; returns the length of what is whole."""
        self._file.seek(0)
        with open(self._file.fileno(), "rb", closefd=False) as file:
            first = file.readline()
            if not first.endswith(b"\n"):  # new, or its beginning was torn
                self._file.truncate(0)
                self._end = 0
                self._append({"format": FORMAT, **setting})
                return self._end
            self._check(first, setting)
            place = len(first)
            current: dict[str, Mark | None] = {}
            for line in file:
                entry = _entry(line)
                if entry is None:
                    break
                if entry.file not in current:
                    current = {entry.file: mark(entry.file)}
                self._take(entry, place, current[entry.file])
                place += len(line)
        if place < self._file.seek(0, os.SEEK_END):
            log.warning("The end of %s was torn: it is cut off, and examined again.", self.path)
            self._file.truncate(place)
        return place

    def _check(self, first: bytes, setting: dict[str, Any]) -> None:
        before, wanted = _parsed(first), {"format": FORMAT, **setting}
        if before.get("format") is None:
            raise RealityCheckError(
                f"{self.path} holds something else than the rows of a scan. Move it away, or name "
                "another file."
            )
        differing = [name for name in {**before, **wanted} if before.get(name) != wanted.get(name)]
        if differing:
            values = [
                f"{name} {_shown(before.get(name))}, not {_shown(wanted.get(name))}"
                for name in differing
            ]
            raise RealityCheckError(
                f"{self.path} holds the rows of another scan that was stopped: its "
                f"{'; its '.join(values)}. Repeat that one to finish it, name another file, or "
                "pass --restart to throw its rows away."
            )

    def _take(self, entry: Entry, place: int, now: Mark | None) -> None:
        if entry.sha256:
            self._places.setdefault(bytes.fromhex(entry.sha256), place)
        if entry.sha256 and entry.mark == now and entry.name not in self.done:
            self.done.add(entry.name)
            self.rows += 1
        else:
            self._outdated.add(place)

    def _tell(self) -> None:
        if not self.rows and not self._outdated:
            return
        again = ""
        if self._outdated:
            again = (
                f"; rows that do not count, because their files could not be read, have changed "
                f"or are gone: {len(self._outdated)}"
            )
        log.info("Going on with %s: pictures done before: %d%s.", self.path, self.rows, again)

    # --- lines ----------------------------------------------------------------------------------

    def _append(self, value: dict[str, Any]) -> int:
        """Writes a line at the end; returns where it begins."""
        line = json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
        place, left = self._end, memoryview(line)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise self._unwritable(error) from error
        self._end += len(line)
        return place

    def _unwritable(self, error: OSError) -> WriteError:
        reason, advice = why_unwritable(error) or (error.strerror, "Name another file")
        return WriteError(
            f"{self.path} could not be written because {reason}. {advice}, and try again: the "
            "same command goes on where this one stopped."
        )


def mark(file: str | Path) -> Mark | None:
    """What shows whether a file has changed; None where it cannot be looked at."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def _parsed(line: bytes) -> dict[str, Any]:
    """A line's object; {} where it is torn or none."""
    try:
        value = json.loads(line) if line.endswith(b"\n") else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _entry(line: bytes) -> Entry | None:
    """A line's entry; None where it is torn."""
    held = _parsed(line)
    if {field.name for field in fields(Entry)} - set(held):
        return None
    return Entry(**{**held, "mark": held["mark"] and tuple(held["mark"])})


def _shown(value: Any) -> str:
    return str(encodable(value if isinstance(value, str) else json.dumps(value)))
