"""Loader processes: as many as shared memory bears, and what ends them in words."""

import errno
import logging
import multiprocessing
import re
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from torch.utils.data import DataLoader, Dataset

from realitycheck.errors import RealityCheckError

log = logging.getLogger(__name__)

SHARED_MEMORY = "/dev/shm"  # where Linux keeps it; containers give it 64 MB unless told otherwise
RESERVE = 2**20  # bytes: what queues between processes need, and more
PREFETCH = 2  # batches that each process prepares
IN_USE = 2  # batches that were taken from them and are not given back yet
PATIENCE = 900  # seconds without a batch, after which none will come
LOST = (
    "A loader process was lost, most often because memory ran out. Pass fewer --workers; 0 loads "
    "in this process."
)
MORE = "In a container, `docker run --shm-size 2g` gives more."


def make_loader(
    data: Dataset[Any],
    batch_size: int,
    workers: int,
    *,
    batch_bytes: int = 0,
    sharing: int = 1,
    **options: Any,
) -> DataLoader[Any]:
    """A loader with as many processes as shared memory has room for.

    Args:
        data: to load.
        batch_size: items per batch.
        workers: processes wanted.
        batch_bytes: of the tensors in a batch, which travel through shared memory.
        sharing: how many loaders like this share it.
        options: further ones of `DataLoader`.
    """
    workers = _bearable(workers, batch_bytes * sharing)
    return DataLoader(
        data, batch_size, num_workers=workers, timeout=PATIENCE if workers else 0, **options
    )


@contextmanager
def worker_errors() -> Iterator[None]:
    """Turns the end of a loader's process, in a block or a decorated function, into a sentence.

    Raises:
        RealityCheckError: it was killed, could not be started, gave nothing for long, or shared
            memory ran out.
    """
    # Twice: that a process ended may be signalled while an earlier sign of it is looked at.
    with _in_words(), _in_words():
        yield


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, OSError, EOFError) as error:
        if sentence := _sentence(error):
            raise RealityCheckError(sentence) from error
        raise


def _bearable(wanted: int, batch_bytes: int) -> int:
    if wanted <= 0:
        return 0
    try:
        multiprocessing.Semaphore()  # what the queues to the processes are made of
    except (OSError, ImportError) as error:
        _tell(f"cannot be used ({getattr(error, 'strerror', None) or error})", 0)
        return 0
    try:
        free = shutil.disk_usage(SHARED_MEMORY).free
    except OSError:  # a system that has it elsewhere, and limits it in another way if at all
        return wanted
    room = free - RESERVE
    most = wanted if room > 0 else 0
    if batch_bytes:
        most = max(0, (room // batch_bytes - IN_USE) // PREFETCH)
    if most < wanted:
        _tell(f"has {free / 2**20:.0f} MB left", most)
    return min(wanted, most)


@cache  # once, however many loaders follow
def _tell(state: str, workers: int) -> None:
    log.warning(
        "Shared memory (%s) %s: pictures are loaded by %s, which takes longer. %s",
        SHARED_MEMORY,
        state,
        f"{workers} processes" if workers > 1 else f"{'one' if workers else 'this'} process alone",
        MORE,
    )


def _sentence(error: RuntimeError | OSError | EOFError) -> str:
    """What happened to a loader's process, or "" where it is none of that."""
    text = str(error)
    if isinstance(error, ConnectionError | EOFError):
        # Where this process reads what another one hands over, that one ended meanwhile.
        last = traceback.extract_tb(error.__traceback__)[-1:]
        return LOST if any("multiprocessing" in frame.filename for frame in last) else ""
    if isinstance(error, OSError):
        starved = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
        if error.errno not in starved or error.filename is not None:
            return ""
        return f"Loader processes could not be started: {error.strerror}. Pass --workers 0."
    if re.search(r"Bus error|shared memory", text):
        return f"Shared memory ran out. Pass fewer --workers; 0 needs none of it. {MORE}"
    if "Too many open files" in text or "ancdata" in text:
        return (
            "Loader processes had too many files open. Pass --workers 0, or raise the limit with "
            "`ulimit -n`."
        )
    if re.search(r"DataLoader worker \(pid.*?\) (is killed|exited)", text):
        return LOST
    if "DataLoader timed out" in text:
        return (
            f"Loader processes gave nothing for {PATIENCE / 60:.0f} minutes. Look at the disk that "
            "the pictures lie on, or pass --workers 0, which loads in this process."
        )
    return ""
