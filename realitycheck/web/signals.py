"""How Ctrl+C and SIGTERM end the demo: once, in order, and without a traceback."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
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
def inherited_as_ignored() -> Iterator[None]:
    """Processes that are started meanwhile never notice Ctrl+C: their parent ends them."""
    if not _in_main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
