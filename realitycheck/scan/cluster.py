"""Scans on a cluster: Ray Data reads files from wherever pyarrow can, and actors examine them.

Files travel as they are: their pixels are decoded by `images.reading` alone, behind its guards.
Rows come back to the process that asked, which keeps them in its journal as a local scan does. What
Ray loses (a name that it cannot open, a file that went away, a block whose actors died again and
again) is read by that process and given to the actors one by one.
"""

import hashlib
import json
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from realitycheck import __version__, hub, images
from realitycheck.detector import Detector
from realitycheck.errors import PictureError, RealityCheckError
from realitycheck.scan import rows
from realitycheck.scan.connection import connected
from realitycheck.scan.journal import Entry, Journal, Mark
from realitycheck.scan.stores import Found

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.fs import FileSystem

BLOCK = 32  # pictures that an actor gets at a time
PIPELINE = 50_000  # pictures that Ray Data is given at a time: it keeps a list of them too
SINGLE = 64  # pictures that are read here at a time, where Ray lost them
ATTEMPTS = 2  # times that a block whose actor died is given to another
_LOST = (
    "The process that examined it died each time. The same command tries it again; if that fails "
    "too, scan it by itself."
)


# --- the actors -----------------------------------------------------------------------------------


class Examiner:
    """What runs on each core of the cluster: one detector, and rows for the files it is given.

    Args:
        model: the checkpoint, as `Detector.from_pretrained` takes it.
        wanted: version of the package and SHA-256 of the weights at the one who asked.
        quick: in the quick mode, as `Detector.from_pretrained` takes it.

    Raises:
        RealityCheckError: this machine has others: rows of both must not be mixed.
    """

    def __init__(self, model: str | None, wanted: tuple[str, str], quick: bool = False) -> None:
        self.detector = Detector.from_pretrained(model, quick=quick)
        here = (__version__, self.detector.checkpoint.sha256)
        if here != wanted:
            raise RealityCheckError(
                f"A machine of the cluster has RealityCheck {here[0]} with the weights "
                f"{here[1][:12]}, this one {wanted[0]} with {wanted[1][:12]}. Install the same "
                "on all of them."
            )

    def __call__(self, files: "pyarrow.Table") -> "pyarrow.Table":
        """Examines files.

        Args:
            files: columns `path` and `bytes`.

        Returns:
            Columns `path`, `sha256` and `row`: a row as JSON, without its file's name; "" where a
            file without a suffix is no picture.
        """
        import pyarrow

        paths: list[str] = files.column("path").to_pylist()
        data: list[bytes] = files.column("bytes").to_pylist()
        told = []
        for path, content, answer in zip(
            paths, data, self.detector.predict_batch(data), strict=True
        ):
            if isinstance(answer, PictureError):
                is_picture = images.begins_as_picture(content) or "." in path.rpartition("/")[2]
                told.append(rows.failed("", answer) if is_picture else None)
            else:
                told.append(rows.row("", answer.report()))
        return pyarrow.table(
            {
                "path": pyarrow.array(paths, pyarrow.string()),
                "sha256": [hashlib.sha256(content).hexdigest() for content in data],
                "row": [json.dumps(row) if row else "" for row in told],
            }
        )


# --- the one who asks -----------------------------------------------------------------------------


class Scan:
    """Files on their way through a cluster.

    Args:
        files: of `stores.find`.
        model: the checkpoint, as `Detector.from_pretrained` takes it; each machine must have it.
        wanted: as `Examiner` takes it.
        address: of a running Ray; "" starts one on the cores of this machine.
        quick: as `Examiner` takes it.

    Attributes:
        total: how many pictures there are, those that are done among them.
    """

    def __init__(
        self,
        files: list[Found],
        model: str | None,
        wanted: tuple[str, str],
        address: str = "",
        *,
        quick: bool = False,
    ) -> None:
        self._files, self._address = files, address
        # The actors' machines have an environment of their own.
        self._arguments = (model or os.environ.get(hub.VARIABLE), wanted, quick)
        self.total = len(files)

    def marks(self) -> Callable[[str], Mark | None]:
        """How a journal finds out whether a file has changed since."""
        return {one.name: one.mark for one in self._files}.get

    def rows(self, journal: Journal) -> Iterator[dict[str, Any]]:
        """Examines what is not done yet.

        Yields:
            A row for each, in the order in which they come back.

        Raises:
            RealityCheckError: the cluster cannot be reached, or gives up. The journal has what came
                back.
        """
        waiting = iter([one for one in self._files if one.name not in journal.done])
        with connected(self._address):
            while part := list(islice(waiting, PIPELINE)):
                for entry in self._examined(part):
                    if not entry.row:
                        self.total -= 1
                        continue
                    journal.add(entry)
                    yield entry.row

    def _examined(self, part: list[Found]) -> Iterator[Entry]:
        """An entry for each file; one without a row for what is no picture."""
        stores: list[tuple[FileSystem, dict[str, Found]]] = []
        again = []  # the same file under another name
        for one in part:
            if one.error:
                row = rows.failed(one.name, PictureError(one.error))
                yield Entry(one.name, one.name, one.mark, "", row)
            else:
                files = next((f for store, f in stores if store.equals(one.store)), None)
                if files is None:
                    stores.append((one.store, files := {}))
                if one.path in files:
                    again.append(one)
                else:
                    files[one.path] = one
        for store, files in stores:
            yield from self._run(partial(_read_by_ray, store, list(files)), files, BLOCK)
            lost = iter(list(files.values()))
            while few := list(islice(lost, SINGLE)):
                yield from self._one_by_one(few)
        if again:
            yield from self._examined(again)

    def _one_by_one(self, few: list[Found]) -> Iterator[Entry]:
        import pyarrow

        tables, files = [], {}
        for one in few:
            try:
                with one.store.open_input_stream(one.path) as stream:
                    content = stream.read(images.MAX_BYTES + 1)
            except OSError as error:
                why = str(error).splitlines()[0]
                row = rows.failed(one.name, PictureError(f"It cannot be opened: {why}"))
                yield Entry(one.name, one.name, one.mark, "", row)
            else:
                files[one.path] = one
                tables.append(pyarrow.table({"bytes": [content], "path": [one.path]}))
        if tables:
            yield from self._run(partial(_given_to_ray, tables), files, 1)
        for one in files.values():
            row = rows.failed(one.name, PictureError(_LOST))
            yield Entry(one.name, one.name, one.mark, "", row)

    def _run(
        self, dataset: Callable[[], Any], files: dict[str, Found], size: int
    ) -> Iterator[Entry]:
        """What comes back of some files, which are taken out of `files`."""
        import ray
        from ray.data import ActorPoolStrategy

        cores = int(ray.cluster_resources().get("CPU", 1))
        actors = max(1, min(cores, -(-len(files) // size)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # how a task's attempts are limited will have a name
            answers = dataset().map_batches(
                Examiner,
                fn_constructor_args=self._arguments,
                batch_format="pyarrow",
                batch_size=None,
                compute=ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
                num_cpus=0.9,  # the rest is for those who read
                # A picture that brings its process down must not do so for ever.
                max_task_retries=ATTEMPTS,
            )
        batches = answers.iter_batches(batch_size=None, batch_format="pyarrow")
        try:
            for batch in _pumped(batches):
                for answer in batch.to_pylist():
                    one = files.pop(answer["path"], None)
                    if one is not None:
                        row = json.loads(answer["row"] or "{}")
                        row = rows.named(one.name, row) if row else row
                        yield Entry(one.name, one.name, one.mark, answer["sha256"], row)
        except ray.exceptions.RayError as error:
            raise _given_up(error) from error


def _read_by_ray(store: "FileSystem", paths: list[str]) -> Any:
    import ray.data

    return ray.data.read_binary_files(
        paths,
        include_paths=True,
        filesystem=store,
        ignore_missing_paths=True,
        override_num_blocks=-(-len(paths) // BLOCK),
        num_cpus=0.1,
    )


def _given_to_ray(tables: "list[pyarrow.Table]") -> Any:
    import ray.data

    return ray.data.from_arrow(tables)


def _pumped(batches: Iterable[Any]) -> Iterator[Any]:
    """The same, by way of a thread: Ctrl+C is then met here, and not amid Ray's own code."""
    waiting: Queue[Any] = Queue(1)
    stopped = threading.Event()

    def pump() -> None:
        try:
            for batch in batches:
                waiting.put(batch)
                if stopped.is_set():
                    return
        except Exception as error:
            waiting.put(error)
        else:
            waiting.put(None)

    thread = threading.Thread(target=pump, name="rows of the cluster", daemon=True)
    thread.start()
    try:
        while (batch := waiting.get()) is not None:
            if isinstance(batch, Exception):
                raise batch
            yield batch
    finally:
        stopped.set()
        while thread.is_alive():
            with suppress(Empty):
                waiting.get(timeout=0.1)


def _given_up(error: Exception) -> RealityCheckError:
    lines = [line for line in str(error).splitlines() if line.strip()]
    why = re.sub(r"^[\w.]+(?:Error|Exception): ", "", lines[-1].strip()) if lines else repr(error)
    return RealityCheckError(
        f"The cluster gave up: {why.rstrip('.')}. Rows so far are kept: the same command goes on."
    )
