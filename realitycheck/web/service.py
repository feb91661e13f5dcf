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
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, TypeVar

from realitycheck.errors import CheckpointError, PictureError
from realitycheck.files import encodable
from realitycheck.web import signals
from realitycheck.web.answer import About, Answer
from realitycheck.web.waiting import Asked, Waiting
from realitycheck.wording import MAP_SIDES, PERTURBATIONS

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from PIL import Image

    from realitycheck.checkpoints import Found
    from realitycheck.detector import Detector
    from realitycheck.images.stripping import Stripped
    from realitycheck.prediction import Prediction

TOGETHER = 8  # pictures of different visitors that are examined together, at most
PART = 4  # of them whose views run together: meanwhile the next are read, and the last packed
AT_ONCE = 2 * TOGETHER  # visitors that are let in: while some are answered, others come together

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
    """Answers about pictures from a process of its own, restarted if it dies.

    What waits is examined together, and nothing waits for company. Where that goes wrong, each
    picture is asked about again by itself: only the one that is to blame gets no answer.

    Args:
        source: the checkpoint, see `checkpoints.load`.
        engine: what runs its networks, see `engines.choice.equip`.
    """

    def __init__(self, source: str | None = None, engine: str | None = None) -> None:
        self._source, self._engine = source, engine
        self._lock = threading.Lock()
        self._closed = False
        self._asking = 0
        self._asked = time.monotonic()
        self._start()
        self._waiting = Waiting(TOGETHER)
        threading.Thread(target=self._serve, name="service", daemon=True).start()

    def _start(self) -> None:
        # Glibc's, read when a process starts: threads would each keep what they have freed, some
        # 500 MB after hostile pictures where one pool keeps 100.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        # Spawned: a forked copy of a process that runs threads can hang.
        context = multiprocessing.get_context("spawn")
        closed, self._open = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(1, context, _watch_parent, (closed,))
        with signals.held_back():
            self._found: Future[About] = self._pool.submit(_find, self._source)
        closed.close()  # the process has its own end of it
        hear_of_its_end(self._pool)
        self._loaded: Future[None] = self._pool.submit(_load, self._engine)
        self._pool.submit(_warm_up)

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
        answer: Answer = self._wait_for(Asked(_check, (path,), together=True))
        return answer

    def check_perturbed(self, path: str) -> Iterator[dict[str, Any]]:
        """Examines a picture file again after what the web does to pictures, copy by copy.

        Yields:
            For "clean" and each change in turn, as soon as it is known: `condition`,
            `probabilities` and `verdict`. A change that leaves too small a picture is left out.

        Raises:
            PictureError: as `check`.
        """
        for condition in PERTURBATIONS:
            yield from self._ask(_check_copy, path, condition)

    def stripped(self, path: str) -> "Stripped":
        """A picture file without metadata, see `images.stripping`.

        Raises:
            PictureError: as `check`.
        """
        return self._ask(_stripped, path)

    def idle_for(self) -> float:
        """Seconds since the last question was answered; 0 while one is being answered."""
        with self._lock:
            return 0.0 if self._asking else time.monotonic() - self._asked

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._asking += 1
        try:
            yield
        finally:
            with self._lock:
                self._asking -= 1
                self._asked = time.monotonic()

    def _ask(self, question: Callable[..., T], *arguments: Any) -> T:
        answer: T = self._wait_for(Asked(partial(_each, question), arguments, together=False))
        return answer

    def _wait_for(self, asked: Asked) -> Any:
        with self._counted():
            self._waiting.put(asked)
            return asked.answer.result()

    def _serve(self) -> None:
        while asked := self._waiting.take():
            try:
                self._answer(asked)
            except Exception as error:
                if len(asked) == 1:
                    asked[0].answer.set_exception(error)
                else:
                    self._waiting.put_back(asked)

    def _answer(self, asked: list[Asked]) -> None:
        pool = self._pool
        question, arguments = asked[0].question, [one.arguments for one in asked]
        try:
            answers = pool.submit(question, arguments).result()
        except BrokenProcessPool as error:
            self._restart(pool)
            raise PictureError(
                "The detector stopped while it examined this picture and is starting again. "
                "Save the picture anew in an editor, and try in a few seconds."
            ) from error
        for one, answer in zip(asked, answers, strict=True):
            if isinstance(answer, Exception):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)

    def _restart(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:  # several visitors may notice the same death
            if self._pool is broken and not self._closed:
                broken.shutdown(wait=False)
                self._open.close()
                self._start()

    def close(self) -> None:
        """Ends the process, whatever it is doing, and waits until it is gone."""
        with self._lock:
            self._closed = True
        self._waiting.close()
        self._open.close()
        # Left to the interpreter's end, the pool's thread may close what that end still writes to.
        self._pool.shutdown(wait=True, cancel_futures=True)


def hear_of_its_end(pool: ProcessPoolExecutor) -> None:
    """Lets a pool notice that its only process, which was started, left in the midst of an answer.

    Its thread would otherwise read on for ever: this process, too, holds the end of the pipe open
    that is written to, and has no use for it.
    """
    results: Any = pool._result_queue
    results._writer.close()


# --- what runs in the detector's process ------------------------------------------------------


def _watch_parent(closed: "Connection") -> None:
    # A worker whose parent was killed would wait for work for ever; one whose service is closed
    # would first finish what it does. Either ends the other end of this pipe.
    def leave() -> None:
        wait([closed])
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


def _each(question: Callable[..., T], calls: list[tuple[Any, ...]]) -> list[T]:
    return [question(*arguments) for arguments in calls]


def _check(calls: list[tuple[str]]) -> list[Answer | PictureError]:
    """One picture's answer is packed while the next is made."""
    paths = [path for (path,) in calls]
    with ThreadPoolExecutor(1, "pack") as packer:
        found = [
            item if isinstance(item, PictureError) else packer.submit(pack, item)
            for item in _detector.predict_batch(paths, explain=True, part=PART)
        ]
        return [item if isinstance(item, PictureError) else item.result() for item in found]


def _check_copy(path: str, condition: str) -> list[dict[str, Any]]:
    """One row, or none of too small a copy."""
    return [
        {
            "condition": name,
            "probabilities": prediction.probabilities,
            "verdict": prediction.verdict,
        }
        for name, prediction in _detector.predict_perturbed(path, [condition]).items()
    ]


def _stripped(path: str) -> "Stripped":
    from realitycheck.images.stripping import stripped

    return stripped(path)


def pack(prediction: "Prediction") -> Answer:
    """What a page needs of a prediction with maps."""
    from realitycheck.images.overlay import coloured, overlay, screen_size

    report = prediction.report()
    image = screen_size(prediction.picture.image)
    drawn = overlay(image, prediction.heatmaps[report["model"]["ai_class"]], MAP_SIDES[0])
    return Answer(
        report=encodable(report),  # metadata may hold halves of characters
        picture=_encode(image, "JPEG"),
        maps={
            (witness.name, name): _encode(coloured(values), "WEBP")
            for witness in prediction.witnesses
            for name, values in witness.heatmaps.items()
        },
        overlay=_encode(drawn, "JPEG"),
    )


def _encode(image: "Image.Image", kind: str) -> bytes:
    buffer = io.BytesIO()
    # Of WebP's methods the quickest: a quarter of the usual one's time, at the same look.
    image.save(buffer, kind, quality=88, **({"method": 0} if kind == "WEBP" else {}))
    return buffer.getvalue()
