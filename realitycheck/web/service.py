"""A detector in a process of its own, for the demo.

The web server and the detector start at the same time, each on a core of its own; and a file
that brings down a native decoder takes the detector's process with it, not the server: the
next visitor is answered by a new one.
"""

import contextlib
import gc
import io
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, TypeVar

from realitycheck.errors import CheckpointError, PictureError
from realitycheck.files import encodable
from realitycheck.web import signals
from realitycheck.web.answer import About, Answer
from realitycheck.wording import MAP_SIDES

if TYPE_CHECKING:
    from PIL import Image

    from realitycheck.checkpoints import Found
    from realitycheck.detector import Detector
    from realitycheck.images.stripping import Stripped
    from realitycheck.prediction import Prediction

T = TypeVar("T")
log = logging.getLogger(__name__)

# Of the detector's process.
_found: "Found"
_detector: "Detector"


def _result(future: Future[T]) -> T:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise CheckpointError(
            "The detector's process ended while it loaded the checkpoint, most often for want of "
            "memory: 2 GB are enough for the bundled one."
        ) from error


class Service:
    """Answers about pictures from a process of its own, one at a time, restarted if it dies.

    Args:
        source: the checkpoint, see `checkpoints.load`.
        engine: what runs its networks, see `engines.choice.equip`.
    """

    def __init__(self, source: str | None = None, engine: str | None = None) -> None:
        self._source, self._engine = source, engine
        self._lock = threading.Lock()
        self._pool, self._found, self._loaded = self._start()

    def _start(self) -> tuple[ProcessPoolExecutor, Future[About], Future[None]]:
        # Spawned: a forked copy of a process that runs threads can hang.
        pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _watch_parent)
        with signals.held_back():
            found = pool.submit(_find, self._source)
        loaded = pool.submit(_load, self._engine)
        pool.submit(_warm_up)
        return pool, found, loaded

    def about(self) -> About:
        """Which model answers. Waits until it is found, not until it is loaded.

        Raises:
            CheckpointError: the checkpoint cannot be had.
        """
        return _result(self._found)

    def wait(self) -> None:
        """Waits until the model is loaded.

        Raises:
            CheckpointError: it cannot be.
        """
        _result(self._loaded)

    def check(self, path: str) -> Answer:
        """Examines a picture file.

        Raises:
            PictureError: it cannot be examined, or brought the detector down.
        """
        return self._ask(_check, path)

    def check_perturbed(self, path: str) -> list[dict[str, Any]]:
        """Examines a picture file again after what the web does to pictures.

        Returns:
            For "clean" and each change: `condition`, `probabilities` and `verdict`.

        Raises:
            PictureError: as `check`.
        """
        return self._ask(_check_perturbed, path)

    def stripped(self, path: str) -> "Stripped":
        """A picture file without metadata, see `images.stripping`.

        Raises:
            PictureError: as `check`.
        """
        return self._ask(_stripped, path)

    def _ask(self, question: Callable[[str], T], path: str) -> T:
        pool = self._pool
        try:
            return pool.submit(question, path).result()
        except BrokenProcessPool as error:
            self._restart(pool)
            raise PictureError(
                "The detector stopped while it examined this picture and is starting again. "
                "Save the picture anew in an editor, and try in a few seconds."
            ) from error

    def _restart(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:  # several visitors may notice the same death
            if self._pool is broken:
                broken.shutdown(wait=False)
                self._pool, self._found, self._loaded = self._start()

    def close(self) -> None:
        """Ends the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)


# --- what runs in the detector's process ------------------------------------------------------


def _watch_parent() -> None:
    # A worker whose parent was killed would wait for work for ever.
    parent = multiprocessing.parent_process()

    def leave() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a process that a visitor's thread started
    threading.Thread(target=leave, daemon=True).start()


def _find(source: str | None) -> About:
    global _found
    # PyTorch's own switch: memory for the weights comes sooner in large pages.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    gc.disable()  # imports make a million objects that stay: looking for garbage takes seconds
    from realitycheck import checkpoints

    _found = checkpoints.find(source)
    checkpoint, config = _found.checkpoint, _found.checkpoint.config
    return About(checkpoint.describe(), config.classes, config.ai_class, checkpoint.record())


def _load(engine: str | None) -> None:
    global _detector
    import realitycheck.committee.gradcam  # noqa: F401
    from realitycheck.detector import Detector

    with _one_thread():
        _detector = Detector.from_found(_found, engine)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Leaves the other cores to the server, which starts at the same time.

    Threads of PyTorch's that wait for a core keep those that have one waiting.
    """
    import torch

    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def _warm_up() -> None:
    """Answers once, so that the first visitor does not wait for imports and memory.

    About a picture of one part: a visitor who is there at once waits for this too.
    """
    from PIL import Image

    side = _detector.config.side
    with _one_thread():
        pack(_detector.predict(Image.new("RGB", (side, side))))
    gc.freeze()
    gc.enable()


def _check(path: str) -> Answer:
    return pack(_detector.predict(path))


def _check_perturbed(path: str) -> list[dict[str, Any]]:
    return [
        {
            "condition": name,
            "probabilities": prediction.probabilities,
            "verdict": prediction.verdict,
        }
        for name, prediction in _detector.predict_perturbed(path).items()
    ]


def _stripped(path: str) -> "Stripped":
    from realitycheck.images.stripping import stripped

    return stripped(path)


def pack(prediction: "Prediction") -> Answer:
    """What a page needs of a prediction with maps."""
    from realitycheck.images.overlay import coloured, overlay, screen_size

    report, maps = prediction.report(), prediction.heatmaps
    image = screen_size(prediction.picture.image)
    drawn = overlay(image, maps[report["model"]["ai_class"]], MAP_SIDES[0])
    return Answer(
        report=encodable(report),  # metadata may hold halves of characters
        picture=_encode(image, "JPEG"),
        maps={name: _encode(coloured(values), "WEBP") for name, values in maps.items()},
        overlay=_encode(drawn, "JPEG"),
    )


def _encode(image: "Image.Image", kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=88)
    return buffer.getvalue()
