"""Starts the demo: the detector in a process of its own, and the page."""

import contextlib
import gc
import os
import tempfile
from importlib.util import find_spec

from realitycheck.errors import RealityCheckError
from realitycheck.web import address, signals
from realitycheck.web.feedback import Feedback, from_environment
from realitycheck.web.service import Service


def start(
    model: str | None,
    *,
    engine: str | None = None,
    host: str | None = None,
    port: int | None = None,
    share: bool = False,
    mcp: bool = False,
    feedback: str | None = None,
) -> int:
    """Runs the demo until it is stopped.

    Args:
        model: the checkpoint, see `checkpoints.load`.
        engine: what runs its networks, see `engines.choice.equip`.
        host: address to listen on; None for this machine alone.
        port: to listen on; None for 7860 or the next free one.
        share: ask Gradio for a temporary public link.
        mcp: answer MCP clients too.
        feedback: dataset on the Hub for what visitors say of answers; None for what
            `REALITYCHECK_FEEDBACK` names, and without that nobody is asked.

    Returns:
        The exit status.

    Raises:
        RealityCheckError: the checkpoint cannot be had, the page cannot start, or what
            visitors say cannot be kept.
    """
    if find_spec("gradio") is None:
        raise RealityCheckError("the demo needs more packages: pip install 'realitycheck[web]'")
    if mcp and find_spec("mcp") is None:  # Gradio would say nothing and leave it out
        raise RealityCheckError("--mcp needs one more package: pip install 'gradio[mcp]'")
    # Taken away, because Gradio would look for a free port by it, which fails with IPv6.
    host = host or os.environ.pop("GRADIO_SERVER_NAME", None) or address.LOCAL
    address.check(host, port)
    signals.exit_on_sigterm()
    taken = from_environment(feedback)
    with tempfile.TemporaryDirectory(prefix="realitycheck-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("GRADIO_TEMP_DIR", folder)  # Gradio's own is every app's
        # Before gradio is imported: it asks outside hosts for its version otherwise.
        os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
        with contextlib.ExitStack() as ending:
            with signals.held_back():  # a signal between the two would leave its process behind
                # Loads in a process of its own while this one imports gradio.
                service = Service(model, engine)
                ending.callback(_end, service, taken)
            try:
                _serve(service, taken, host, port, share, mcp)
            except OSError as error:
                if error.errno is not None:  # of a file; Gradio's about a port have none
                    raise
                raise RealityCheckError(f"{error} Pass another --host or --port.") from error
    return 0


def _end(service: Service, feedback: Feedback | None) -> None:
    signals.ignore()
    service.close()
    if feedback is not None:
        feedback.close()


def _serve(
    service: Service,
    feedback: Feedback | None,
    host: str,
    port: int | None,
    share: bool,
    mcp: bool,
) -> None:
    gc.disable()  # imports make a million objects that stay: looking for garbage takes seconds
    try:
        with address.without_proxy(host, share=share):  # Gradio makes HTTP clients at once
            from realitycheck.web.page import build_demo
            from realitycheck.web.server import launch
    except ImportError as error:  # such as httpx's, of a SOCKS proxy
        raise RealityCheckError(
            f"the demo cannot be imported: {error}{address.proxy_advice()}"
        ) from error
    gc.freeze()
    gc.enable()

    def ready() -> None:
        service.wait()
        if feedback is not None:
            feedback.start()

    launch(
        build_demo(service, feedback=feedback),
        ready=ready,
        share=share,
        server_name=host,
        server_port=port,
        mcp_server=mcp or None,  # None: Gradio's own variable decides
    )
