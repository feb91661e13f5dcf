"""What the commands share of a terminal: the log, and how a run that is stopped ends."""

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # exit status after Ctrl+C, as shells have it
TERMINATED = 143  # and after SIGTERM

log = logging.getLogger("realitycheck")


class _Console(logging.Handler):
    """What the library logs: news to standard output, warnings to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        warns = record.levelno >= logging.WARNING
        text = self.format(record)
        if warns:
            text = f"{record.levelname.lower()}: {text}"
        tqdm.write(text, file=sys.stderr if warns else sys.stdout)
        sys.stdout.flush()


def log_to_console() -> None:
    """Has the library's log printed; a second call changes nothing."""
    log.setLevel(logging.INFO)
    log.propagate = False
    if not any(isinstance(handler, _Console) for handler in log.handlers):
        log.addHandler(_Console())


@contextmanager
def stoppable() -> Iterator[list[int]]:
    """Within the block SIGTERM stops as Ctrl+C does; gives the exit status for what stopped it."""
    status = [INTERRUPTED]

    def stop(*_: object) -> None:
        status[0] = TERMINATED
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only there can it be caught
        yield status
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield status
    finally:
        signal.signal(signal.SIGTERM, before)
