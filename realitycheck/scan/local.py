"""Scans files, folders and archives of this machine."""

import hashlib
import os
import shutil
from collections import deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from realitycheck import images
from realitycheck.data.folders import picture_files
from realitycheck.data.left_out import LeftOut
from realitycheck.detector import Detector
from realitycheck.errors import PictureError
from realitycheck.files import atomic_write
from realitycheck.images.overlay import overlay
from realitycheck.prediction import Prediction
from realitycheck.scan import archives, rows
from realitycheck.scan.journal import Entry, Journal, Mark, mark
from realitycheck.wording import RAISED

_NOTHING = b""  # holds the place of a picture that need not be examined: it is refused at once


def find(paths: Iterable[Path], maps: Path | None = None) -> tuple[list[Path], list[LeftOut]]:
    """The files that are named, and the pictures and archives in the folders that are named.

    Args:
        paths: of files and folders.
        maps: folder whose pictures a scan writes itself: what lies in it is not found.

    Returns:
        Those, each once, and what was left out in the folders.
    """
    files: dict[Path, None] = {}
    left_out: dict[LeftOut, None] = {}
    own = os.path.join(os.path.abspath(maps), "") if maps else None
    for path in paths:
        if not path.is_dir():
            files[path] = None
            continue
        found, lost = picture_files(path, archives.SUFFIXES)
        found = [f for f in found if own is None or not os.path.abspath(f).startswith(own)]
        files |= dict.fromkeys(found)
        left_out |= dict.fromkeys(lost)
    return list(files), list(left_out)


@dataclass(frozen=True)
class Item:
    """A picture on its way to the detector.

    Attributes:
        name: as rows name it.
        file: the file, or the archive that holds it.
        mark: that file's; None where it cannot be looked at.
        source: what the detector takes: a path, or the bytes of an archive's member; nothing
            where there is an error.
        sha256: of its bytes, or "" where they could not be read or are too many.
        error: why it cannot be examined, or "".
    """

    name: str
    file: Path
    mark: Mark | None = None
    source: Path | bytes = _NOTHING
    sha256: str = ""
    error: str = ""


class Items:
    """The pictures in files and archives, read one at a time as they are asked for.

    Args:
        files: of `find`.
        left_out: of `find`; each comes as an item too, last.
        done: names that are not wanted again.

    Attributes:
        total: how many there are, those that are done among them. Members of tar files come to
            it as they are met, because such files have no list of them.
    """

    def __init__(
        self, files: list[Path], left_out: list[LeftOut], done: Container[str] = ()
    ) -> None:
        self._files, self._left_out, self._done = files, left_out, done
        self._counts = {f: archives.count(f) for f in files if archives.is_archive(f)}
        self.total = len(files) + len(left_out) - len(self._counts)
        self.total += sum(filter(None, self._counts.values()))

    def __iter__(self) -> Iterator[Item]:
        for file in self._files:
            if file in self._counts:
                yield from self._members(file)
            elif str(file) not in self._done:
                # Its mark first: a file that changes while it is read is examined again.
                yield Item(str(file), file, mark(file), file, _sha256(file))
        for left in self._left_out:
            yield Item(str(left.path), left.path, error=left.why)

    def _members(self, archive: Path) -> Iterator[Item]:
        counted, met, now = self._counts[archive] or 0, 0, mark(archive)
        for member in archives.members(archive):
            met += 1
            self.total += met > counted
            if member.name in self._done:
                continue
            try:
                data = member.read()
            except PictureError as error:
                yield Item(member.name, archive, now, error=str(error))
            else:
                digest = hashlib.sha256(data).hexdigest()
                yield Item(member.name, archive, now, data, digest)
        self.total -= max(0, counted - met)


def scan(
    detector: Detector,
    items: Iterable[Item],
    heatmaps: Path | None = None,
    journal: Journal | None = None,
) -> Iterator[dict[str, Any]]:
    """Examines pictures in turn, a few at a time in memory.

    Args:
        detector: that answers.
        items: the pictures.
        heatmaps: folder for a picture of each map; None for none.
        journal: where each row is written before it is given. What it knows by its content is
            not examined again.

    Yields:
        A row of `rows` for each, whether it could be examined or not.

    Raises:
        WriteError: a map or the journal cannot be written.
    """
    waiting: deque[tuple[Item, bool]] = deque()  # and whether it is a twin of one before it
    under_way: set[str] = set()

    def sources() -> Iterator[Path | bytes]:
        for item in items:
            twin = item.sha256 in under_way or _is_known(item, journal, heatmaps)
            if journal and item.sha256:
                under_way.add(item.sha256)
            # Its bytes left out: the detector has them. A source for each, so that answers come
            # in turn and soon, however many are alike.
            waiting.append((replace(item, source=_NOTHING), twin))
            yield _NOTHING if twin else item.source

    for answer in detector.predict_batch(sources(), explain=heatmaps is not None):
        item, twin = waiting.popleft()
        if twin and journal:
            entry = _copied(item, journal, heatmaps)
        else:
            entry = _examined(item, answer, heatmaps)
        if journal:
            journal.add(entry)
            under_way.discard(item.sha256)
        yield entry.row


def _is_known(item: Item, journal: Journal | None, heatmaps: Path | None) -> bool:
    if journal is None or not item.sha256 or not journal.knows(item.sha256):
        return False
    if heatmaps is None:
        return True
    known = journal.same(item.sha256)
    return not known.map or (heatmaps / known.map).is_file()


def _examined(item: Item, answer: Prediction | PictureError, heatmaps: Path | None) -> Entry:
    file = str(item.file)
    if item.error:
        row = rows.failed(item.name, PictureError(item.error))
        return Entry(item.name, file, item.mark, "", row)
    if isinstance(answer, PictureError):
        # Of a file that went away meanwhile the answer says nothing about its content.
        sha256 = item.sha256 if mark(file) == item.mark else ""
        return Entry(item.name, file, item.mark, sha256, rows.failed(item.name, answer))
    map_ = ""
    if heatmaps is not None:
        map_ = _heatmap_name(item, answer.label)
        _save_heatmap(answer, heatmaps / map_)
    report = answer.report()
    # Of what was examined: the file may have changed since `item` was made.
    sha256 = report["picture"]["sha256"]
    return Entry(item.name, file, item.mark, sha256, rows.row(item.name, report), map_)


def _copied(item: Item, journal: Journal, heatmaps: Path | None) -> Entry:
    """The entry of a picture by that of another of the same content."""
    file = str(item.file)
    if not journal.knows(item.sha256):
        error = PictureError("A file of the same content changed meanwhile. Scan this one again.")
        return Entry(item.name, file, item.mark, "", rows.failed(item.name, error))
    twin = journal.same(item.sha256)
    map_ = ""
    if heatmaps and twin.map:
        shares = twin.row["probabilities"]
        map_ = _heatmap_name(item, max(shares, key=shares.__getitem__))
        if map_ != twin.map:
            with atomic_write(heatmaps / map_) as temporary:
                shutil.copyfile(heatmaps / twin.map, temporary)
    row = rows.named(item.name, twin.row)
    return Entry(item.name, file, item.mark, item.sha256, row, map_)


def _sha256(file: Path) -> str:
    """Of a file's content; "" where it cannot be read, or has more bytes than are read."""
    try:
        if not file.is_file() or file.stat().st_size > images.MAX_BYTES:
            return ""
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def _heatmap_name(item: Item, label: str) -> str:
    # Two folders may hold the same file name, so a mark of the whole path is in it.
    whole = str(item.file.resolve()) + item.name.removeprefix(str(item.file))
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    stem = Path(item.name.replace("\0", "")).stem
    stem = stem.encode("utf-8", "ignore")[:150].decode("utf-8", "ignore")  # bytes are limited
    return f"{stem}.{digest}.{label}.png"


def _save_heatmap(prediction: Prediction, target: Path) -> None:
    drawn = overlay(prediction.picture.image, prediction.heatmap, RAISED.format(prediction.label))
    with atomic_write(target) as temporary:
        drawn.save(temporary)
