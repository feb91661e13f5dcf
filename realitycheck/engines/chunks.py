"""Pictures in chunks side by side, for engines whose library gives a thread its own request."""

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import torch
from torch import Tensor

CHUNK = 16  # pictures a request: more cost memory and save no time
# What libraries set up at their first call in a process can lock two threads for ever that come
# at once (seen with OpenVINO 2026.4 and its arrays).
_FIRST = threading.Lock()
R = TypeVar("R")


class Chunks(Generic[R]):
    """Runs chunks of pictures side by side; safe to share between threads.

    Args:
        streams: chunks side by side, at most.
        make: makes what runs one chunk at a time.
        run: runs it on pictures [N, 3, H, W]; gives features [N, ...].
        side: of a picture, px.
    """

    def __init__(
        self, streams: int, make: Callable[[], R], run: Callable[[R, Tensor], Tensor], side: int
    ) -> None:
        self._streams, self._make, self._do = streams, make, run
        self._pool = ThreadPoolExecutor(streams, "forward")
        self._own = threading.local()
        with _FIRST:
            self(torch.zeros(1, 3, side, side))

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] to features [N, ...], in their order."""
        size = min(CHUNK, math.ceil(len(pixels) / self._streams))
        return torch.cat(list(self._pool.map(self._one, pixels.split(size))))

    def _one(self, pixels: Tensor) -> Tensor:
        if not hasattr(self._own, "request"):
            self._own.request = self._make()
        return self._do(self._own.request, pixels)
