"""The address that the page listens on: that it can be had, and is reached without a proxy."""

import contextlib
import os
import socket
from collections.abc import Iterator
from urllib.request import getproxies

from realitycheck.errors import RealityCheckError

LOCAL = "127.0.0.1"
_BYPASS = ("NO_PROXY", "no_proxy")  # clients look at the second first


def bracketed(host: str) -> str:
    """A host as it stands in an address: IPv6 in brackets."""
    bare = host.strip("[]")
    return f"[{bare}]" if ":" in bare else bare


def check(host: str, port: int | None) -> None:
    """Sees that one can listen here, before anything slow is begun.

    Args:
        host: name or address of this machine.
        port: to listen on; None for any.

    Raises:
        RealityCheckError: one cannot; the message says what to pass.
    """
    bare = host.strip("[]")
    if port is not None and not 1 <= port <= 65535:
        raise RealityCheckError(f"--port {port} is none: pass one from 1 to 65535.")
    try:
        found = socket.getaddrinfo(bare, port or 0, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # elsewhere it would take a port that is in use
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        where = bracketed(bare) + ("" if port is None else f":{port}")
        raise RealityCheckError(
            f"cannot listen on {where}: {reason}. Pass another --host or --port."
        ) from error


@contextlib.contextmanager
def without_proxy(host: str, *, share: bool) -> Iterator[None]:
    """While this lasts, this process reaches its own address without a proxy.

    Gradio asks its own page whether it is up, and a proxy cannot know.

    Args:
        host: of the page.
        share: a public link is made meanwhile, which may need the proxy.
    """
    before = {name: os.environ.get(name) for name in _BYPASS}
    own = ",".join(
        filter(None, (getproxies().get("no"), "localhost", LOCAL, "::1", host.strip("[]")))
    )
    os.environ.update(dict.fromkeys(_BYPASS, own if share else "*"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def proxy_advice() -> str:
    """What to do where a proxy is set and the page did not start; "" where none is."""
    names = [
        name
        for name in os.environ
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy") and os.environ[name]
    ]
    if not names:
        return ""
    return f" A proxy is set by {', '.join(sorted(names))}: unset it, or set NO_PROXY={LOCAL}."
