"""What visitors gave and the Hub does not have yet: on disk, so that no restart loses it.

An entry is a file of its own, named by picture and truth: the same said twice is kept once, here
and in the dataset. The layout is that of a folder for `realitycheck evaluate`.
"""

import json
import logging
import shutil
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realitycheck.errors import WriteError
from realitycheck.files import atomic_write, encodable

if TYPE_CHECKING:
    from realitycheck.images.stripping import Stripped

SET = "test"  # of the dataset: measured whole, where bare class folders would be split
MOST_BYTES = 1 << 30  # that wait, while the Hub cannot be reached
log = logging.getLogger(__name__)


class FullError(WriteError):
    """So much waits for the Hub that no more is kept."""


@dataclass(frozen=True)
class Entry:
    """What a visitor said of an answer. Nothing in it tells who that was.

    Attributes:
        truth: "real", "ai" or "cannot say".
        verdict: that was given.
        probability: of the AI class.
        model: source, version, SHA-256 and engine of what answered.
        date: day, UTC.
        sha256: of the file that was examined.
        seen_by: who could see the dataset when the visitor agreed: "owner" or "everybody".
        picture: name of the picture in the dataset; None where it was not given.
        picture_is: what was done to it, see `Stripped.how`.
    """

    truth: str
    verdict: str
    probability: float
    model: dict[str, Any]
    date: str
    sha256: str
    seen_by: str
    picture: str | None = None
    picture_is: str | None = None

    @property
    def name(self) -> str:
        """Of its file in the dataset."""
        return f"{SET}/{self.sha256}-{self.truth.replace(' ', '-')}.json"

    def line(self) -> str:
        """As one line of JSON."""
        return json.dumps(encodable(asdict(self))) + "\n"


class Box:
    """A folder of what waits, and a list of what was sent.

    Args:
        folder: for them; it is made.

    Raises:
        WriteError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.waiting = folder / "waiting"
        self._new, self._list = folder / "new", folder / "sent.txt"
        self._lock = threading.Lock()
        with suppress(OSError):
            shutil.rmtree(self._new)  # of a process that was killed while it wrote
        self._make_folders()
        self._sent = set()
        with suppress(FileNotFoundError):
            self._sent = set(self._list.read_text(encoding="utf-8").split("\n"))

    def _make_folders(self) -> None:
        for truth in ("ai", "real"):
            (self.waiting / SET / truth).mkdir(parents=True, exist_ok=True)
        self._new.mkdir(exist_ok=True)

    def has(self, name: str) -> bool:
        """Whether a file waits or was sent."""
        return name in self._sent or (self.waiting / name).exists()

    def files(self) -> list[Path]:
        """Those that wait."""
        return [path for path in self.waiting.rglob("*") if path.is_file()]

    def keep(self, entry: Entry, picture: "Stripped | None") -> bool:
        """Keeps an entry and its picture, both or none.

        Args:
            entry: whose `picture` names the picture, if there is one.
            picture: without metadata.

        Returns:
            False where the same is kept already.

        Raises:
            WriteError: they cannot be written, or too much waits; nothing was kept.
        """
        contents = {entry.name: entry.line().encode()}
        if picture is not None and entry.picture:
            contents = {f"{SET}/{entry.picture}": picture.data, **contents}
        with self._lock:
            if all(map(self.has, contents)):
                return False
            self._check_room(sum(map(len, contents.values())))
            self._put(contents)
        return True

    def add(self, name: str, content: bytes) -> None:
        """Lets any other file be sent.

        Raises:
            WriteError: it cannot be written.
        """
        with self._lock:
            self._put({name: content})

    def _check_room(self, more: int) -> None:
        total = more
        for path in self.files():
            with suppress(FileNotFoundError):  # another server has sent it from the same folder
                total += path.stat().st_size
        if total > MOST_BYTES:
            log.warning("%d MB of feedback wait in %s.", total >> 20, self.waiting)
            raise FullError("too much waits to be sent")

    def _put(self, contents: dict[str, bytes]) -> None:
        # Whole and on the disk before one of them lies where the sender looks.
        self._make_folders()
        written = {self._new / Path(name).name: self.waiting / name for name in contents}
        try:
            for path, content in zip(written, contents.values(), strict=True):
                with atomic_write(path) as temporary:
                    temporary.write_bytes(content)
            for path, place in written.items():
                path.replace(place)
        finally:
            for path in written:
                path.unlink(missing_ok=True)

    def sent(self, times: Iterable[tuple[Path, float]]) -> None:
        """Deletes what has arrived: what the owner deletes in the dataset must not come again.

        Args:
            times: each file that was sent, and when it had been written; one that was written
                anew since stays.
        """
        gone = []
        with self._lock:
            for path, written in times:
                with suppress(OSError):
                    if path.stat().st_mtime == written:
                        path.unlink()
                        gone.append(path.relative_to(self.waiting.resolve()).as_posix())
            self._sent.update(gone)
            if gone:
                self._note(gone)

    def _note(self, names: list[str]) -> None:
        try:
            with self._list.open("a", encoding="utf-8") as file:
                file.write("".join(f"{name}\n" for name in names))
        except OSError as error:  # a second copy would replace the first one
            log.warning("%s could not be written (%s).", self._list, error.strerror)
