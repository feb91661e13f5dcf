"""How Ctrl+C and SIGTERM end the demo: once, in order, and without a traceback."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)


def exit_on_sigterm() -> None:
    """Lets SIGTERM end this process as `sys.exit` does, so that it cleans up."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    if _in_main_thread():
        signal.signal(signal.SIGTERM, leave)


def ignore() -> None:
    """Ignores both from now on: the second Ctrl+C of an impatient hand breaks off no cleaning."""
    if _in_main_thread():
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Holds both back until the end; processes that are started meanwhile never notice them.

    Their parent ends them. Ignored instead, a Ctrl+C of that moment would be lost.
    """
    if not (_in_main_thread() and hasattr(signal, "pthread_sigmask")):
        yield
        return
    resource_tracker.ensure_running()  # its start would let the signal through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
