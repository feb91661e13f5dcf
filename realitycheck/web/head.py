"""What a link to the page shows where it is shared: title and description in place of Gradio's."""

import re
from html import escape

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realitycheck.wording import DESCRIPTION, TITLE

_THEIRS = re.compile(rb"<meta\s[^>]*\"(?:og|twitter):[^>]*>\s*")
_OURS = "".join(
    f'<meta {kind}="{name}" content="{escape(content)}">\n'
    for kind, name, content in (
        ("name", "description", DESCRIPTION),
        ("property", "og:title", TITLE),
        ("property", "og:type", "website"),
        ("property", "og:description", DESCRIPTION),
        ("name", "twitter:card", "summary"),
        ("name", "twitter:title", TITLE),
        ("name", "twitter:description", DESCRIPTION),
    )
).encode()


def described(html: bytes) -> bytes:
    """A page of Gradio's with our description for whoever shares it, and none of Gradio's."""
    return _THEIRS.sub(b"", html).replace(b"</head>", _OURS + b"</head>", 1)


class Described:
    """Describes every page on its way out; scripts, pictures and answers pass as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, _Page(send).send if scope["type"] == "http" else send)


class _Page:
    """Holds an answer back until it is whole, if it is a page."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None  # of a page
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
            return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        # Of a HEAD request there is no body, and the length stands.
        if self._body:
            self._body = described(self._body)
            headers = [pair for pair in self._start["headers"] if pair[0] != b"content-length"]
            length = (b"content-length", str(len(self._body)).encode())
            self._start["headers"] = [*headers, length]
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": self._body})


def _is_page(start: Message) -> bool:
    kinds = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return any(kind.startswith(b"text/html") for kind in kinds)
