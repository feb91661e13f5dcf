"""Which of Gradio's routes are closed, and where the page lies below a sub-path."""

from typing import Any
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from realitycheck.web.head import Described

# Of Gradio and unused here: they write files that nothing deletes, or fetch what an address names.
CLOSED = tuple(
    f"/gradio_api/{route}"
    for route in (
        "deep_link",
        "process_recording",
        "component_server",
        "file=http",
        "file/http",
        "proxy=",
    )
)


def app_options() -> dict[str, Any]:
    """Arguments for Gradio's FastAPI app: closed routes, a sub-path, words for shared links."""
    return {
        # First in the router: what it matches is closed, however the request came here.
        "routes": [Route(path + "{rest:path}", _Closed()) for path in CLOSED],
        "middleware": [Middleware(Described), Middleware(_SubPath)],
    }


def sub_path(root_path: str) -> str:
    """The path of a root path, which may be a full address: "" or "/" and names, no "/" behind.

    Args:
        root_path: such as "/demo", "demo/" or "https://example.com/demo".
    """
    names = urlsplit(root_path).path.strip("/")
    return f"/{names}" if names else ""


class _Closed:
    """Answers 404, to every method."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("Not found.", 404)(scope, receive, send)


class _SubPath:
    """Lets the router find its routes with the sub-path before them and without it.

    Some proxies pass the sub-path on and some cut it off, and a sub-path may itself begin like a
    route. The router alone would take the first part of such a route for the sub-path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("root_path"):
            scope = _placed(scope)
        await self.app(scope, receive, send)


def _placed(scope: Scope) -> Scope:
    below = {**scope, "root_path": sub_path(scope["root_path"])}
    whole = {**scope, "root_path": ""}
    routes: list[BaseRoute] = scope["app"].router.routes
    return whole if not _matched(routes, below) and _matched(routes, whole) else below


def _matched(routes: list[BaseRoute], scope: Scope) -> bool:
    return any(route.matches(scope)[0] is not Match.NONE for route in routes)
