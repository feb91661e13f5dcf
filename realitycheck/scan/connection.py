"""The connection to a Ray: one that runs somewhere, or one that is started on this machine."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from realitycheck.errors import RealityCheckError

SETTINGS = {  # of Ray's environment, before it is loaded; what a user has set stays
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
PACKAGES = "pip install 'ray[data]'"
STARTS = 3  # times that Ray is asked to start here: it gives itself half a minute
STORE = 512 * 2**20  # bytes of shared memory of a Ray that is started here

log = logging.getLogger(__name__)


def check_packages() -> None:
    """Finds out whether Ray is installed.

    Raises:
        RealityCheckError: it is not.
    """
    os.environ |= {**SETTINGS, **os.environ}
    try:
        import pyarrow
        import ray.data
    except ImportError as error:
        raise RealityCheckError(f"--cluster needs one more package: {PACKAGES}.") from error
    log.debug("Ray %s, pyarrow %s", ray.__version__, pyarrow.__version__)


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Within the block this process is connected to a Ray; to one that runs already, if so.

    Args:
        address: of a running Ray; "" starts one on the cores of this machine.

    Raises:
        RealityCheckError: it cannot be reached.
    """
    os.environ |= {**SETTINGS, **os.environ}
    import ray
    from ray.data import DataContext

    own = not ray.is_initialized()
    if own:
        stop = signal.getsignal(signal.SIGTERM)
        start(address)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, stop)  # Ray's own would bring the process down
    context = DataContext.get_current()
    before = context.enable_progress_bars, context.max_errored_blocks
    # What is lost is examined one by one.
    context.enable_progress_bars, context.max_errored_blocks = False, -1
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        context.enable_progress_bars, context.max_errored_blocks = before
        if own:
            ray.shutdown()


def start(address: str, cores: int | None = None) -> None:
    """Connects to a Ray, or starts one on this machine.

    Args:
        address: as `connected` takes it.
        cores: how many cores one on this machine uses; None for all.

    Raises:
        RealityCheckError: it cannot be reached, or does not start.
    """
    import ray

    options: dict[str, Any] = {"address": address or "local", "log_to_driver": False}
    if not address:
        options |= {"include_dashboard": False, "object_store_memory": STORE, "num_cpus": cores}
    for attempt in range(STARTS):
        try:
            ray.init(**options, logging_level=logging.ERROR)
            return
        except Exception as error:  # Ray raises all sorts, bare ones too
            ray.shutdown()
            if not address and attempt + 1 < STARTS:
                log.warning("Ray did not start on this machine, which may be busy: once more.")
                continue
            where = f"the Ray at {address}" if address else "a Ray of this machine"
            raise RealityCheckError(
                f"Could not connect to {where}: {str(error).strip().splitlines()[0]} Without an "
                "address, --cluster starts one on this machine."
            ) from error
