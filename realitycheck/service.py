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
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realitycheck.errors import PictureError, RealityCheckError
from realitycheck.leave_out import left_out

if TYPE_CHECKING:
    from PIL import Image

    from realitycheck.detector import Detector, Prediction

log = logging.getLogger(__name__)

_MAPPED = "raised the score of “{}”"
# grad-cam and torchvision import these for plots, other kinds of maps and compilation. Without
# them the first answer comes in half the time.
_UNUSED = ("matplotlib", "scipy", "sklearn", "torch._dynamo")

_detector: "Detector"  # of the detector's process


@dataclass(frozen=True)
class Answer:
    """What a page needs of a `Prediction`, small enough to send between processes.

    Attributes:
        label: the most probable class.
        report: everything but pixels, see `Prediction.report`.
        picture: the picture as it was examined; JPEG bytes, long side at most 1024 px.
        maps: class name to its Grad-CAM map in colours; JPEG bytes, long side at most 448 px.
        overlay: the map of `label` drawn over the picture, with a legend; JPEG bytes.
    """

    label: str
    report: dict[str, Any]
    picture: bytes
    maps: dict[str, bytes]
    overlay: bytes


class Service:
    """Answers about pictures from a process of its own, one at a time, restarted if it dies.

    Args:
        source: the checkpoint, see `checkpoints.load`.
    """

    def __init__(self, source: str | None = None) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._pool, self._loaded = self._start()

    def _start(self, unused: tuple[str, ...] = _UNUSED) -> tuple[ProcessPoolExecutor, Future]:
        # Spawned: a forked copy of a process that runs threads can hang.
        pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _watch_parent)
        loaded = pool.submit(_load, self._source, unused)
        pool.submit(_warm_up)
        return pool, loaded

    def about(self) -> dict[str, Any]:
        """Which model answers, JSON-ready. Waits for it.

        Returns:
            `model`, of `Checkpoint.describe`, and of its `Config`: `classes`, `ai_class`,
            `metrics`, `explanations`, `training` and `data`.

        Raises:
            CheckpointError: the checkpoint cannot be had.
        """
        try:
            return self._loaded.result()
        except RealityCheckError:
            raise
        except Exception:
            # Some version of a package may need what is left out: slower, but all there.
            log.warning("Starting the detector again with every import.", exc_info=True)
            self.close()
            self._pool, self._loaded = self._start(unused=())
            return self._loaded.result()

    def check(self, path: str) -> Answer:
        """Examines a picture file.

        Raises:
            PictureError: it cannot be examined, or brought the detector down.
        """
        return self._ask(_check, path)

    def survive(self, path: str) -> list[dict[str, Any]]:
        """Examines a picture file again after what the web does to pictures.

        Returns:
            For "clean" and each change: `condition`, `probabilities` and `verdict`.

        Raises:
            PictureError: as `check`.
        """
        return self._ask(_survive, path)

    def _ask(self, question: Callable[[str], Any], path: str) -> Any:
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
                self._pool, self._loaded = self._start()

    def close(self) -> None:
        """Ends the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)


# --- what runs in the detector's process ------------------------------------------------------


def _watch_parent() -> None:
    # A worker whose parent was killed would wait for work for ever.
    def leave() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def _load(source: str | None, unused: tuple[str, ...]) -> dict[str, Any]:
    global _detector
    # PyTorch's own switch: memory for the weights comes sooner in large pages.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    gc.disable()  # imports make a million objects that stay: looking for garbage takes seconds
    with left_out(*unused):
        import realitycheck.explain  # noqa: F401
        from realitycheck.detector import Detector
    with _one_thread():
        _detector = Detector.from_pretrained(source)
    config = _detector.config
    return {
        "model": _detector.checkpoint.describe(),
        "classes": config.classes,
        "ai_class": config.ai_class,
        "metrics": config.metrics,
        "explanations": config.explanations,
        "training": config.training,
        "data": config.data,
    }


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

    side = _detector.config.preprocessing.size
    with _one_thread():
        pack(_detector.predict(Image.new("RGB", (side, side))))
    gc.freeze()
    gc.enable()


def _check(path: str) -> Answer:
    return pack(_detector.predict(path))


def _survive(path: str) -> list[dict[str, Any]]:
    return [
        {
            "condition": name,
            "probabilities": prediction.probabilities,
            "verdict": prediction.verdict,
        }
        for name, prediction in _detector.survive(path).items()
    ]


def pack(prediction: "Prediction") -> Answer:
    """What a page needs of a prediction with maps."""
    from realitycheck.explain import coloured, overlay, screen_size

    label = prediction.label
    image = screen_size(prediction.picture.image)
    return Answer(
        label=label,
        report=prediction.report(),
        picture=_encode(image),
        maps={name: _encode(coloured(values)) for name, values in prediction.heatmaps.items()},
        overlay=_encode(overlay(image, prediction.heatmap, _MAPPED.format(label))),
    )


def _encode(image: "Image.Image") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
