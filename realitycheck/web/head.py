"""What a link to the page shows where it is shared: title, description, picture."""

import re
from html import escape

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realitycheck.wording import ENGLISH, Language, preferred

PICTURE = "share.png"  # beside the page, 1200 x 630 px
_THEIRS = re.compile(rb"<meta\s[^>]*\"(?:og|twitter):[^>]*>\s*")
_LANGUAGE = re.compile(rb"(?<=lang=\")en(?=\")")
_HOST = re.compile(r"[\w.-]+(?::\d+)?|\[[\da-fA-F:.]+\](?::\d+)?")


def _tags(address: str, words: Language) -> bytes:
    pairs = [
        ("name", "description", words.DESCRIPTION),
        ("property", "og:title", words.TITLE),
        ("property", "og:type", "website"),
        ("property", "og:description", words.DESCRIPTION),
        ("name", "twitter:card", "summary_large_image" if address else "summary"),
        ("name", "twitter:title", words.TITLE),
        ("name", "twitter:description", words.DESCRIPTION),
    ]
    if address:  # of a picture, nobody takes a relative one
        pairs += [
            ("property", "og:url", f"{address}/"),
            ("property", "og:image", f"{address}/{PICTURE}"),
            ("property", "og:image:width", "1200"),
            ("property", "og:image:height", "630"),
            ("property", "og:image:alt", words.PICTURE_SHOWS),
            ("name", "twitter:image", f"{address}/{PICTURE}"),
        ]
    return "".join(
        f'<meta {kind}="{name}" content="{escape(content)}">\n' for kind, name, content in pairs
    ).encode()


def described(html: bytes, address: str = "", words: Language = ENGLISH) -> bytes:
    """A page of Gradio's with our description for whoever shares it, and none of Gradio's.

    Its language is the reader's before any script has run.

    Args:
        html: the page.
        address: where it lies, without a "/" at the end; "" where that is not known.
        words: the reader's.
    """
    html = _LANGUAGE.sub(words.code.encode(), html, count=1)
    return _THEIRS.sub(b"", html).replace(b"</head>", _tags(address, words) + b"</head>", 1)


def address_of(scope: Scope) -> str:
    """The full address of the page as whoever asks for it knows it; "" if they do not say.

    Proxies say it in X-Forwarded-Host and X-Forwarded-Proto, which Gradio's links follow too.

    Args:
        scope: of an HTTP request.
    """
    root: str = scope.get("root_path", "").rstrip("/")
    if root.startswith(("http://", "https://")):
        return root
    headers = _headers(scope)
    host, scheme = (
        headers.get(f"x-forwarded-{name}", usual).split(",")[0].strip()
        for name, usual in (("host", headers.get("host", "")), ("proto", scope["scheme"]))
    )
    if not _HOST.fullmatch(host) or scheme not in ("http", "https"):
        return ""
    return f"{scheme}://{host}{root}"


def _headers(scope: Scope) -> dict[str, str]:
    pairs = scope["headers"]
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}


class Described:
    """Describes every page on its way out; scripts, pictures and answers pass as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            words = preferred(_headers(scope).get("accept-language", ""))
            send = _Page(send, address_of(scope), words).send
        await self.app(scope, receive, send)


class _Page:
    """Holds an answer back until it is whole, if it is a page."""

    def __init__(self, send: Send, address: str, words: Language) -> None:
        self._send = send
        self._address, self._words = address, words
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
            self._body = described(self._body, self._address, self._words)
            headers = [pair for pair in self._start["headers"] if pair[0] != b"content-length"]
            length = (b"content-length", str(len(self._body)).encode())
            # So that no cache between hands it to readers of another language.
            self._start["headers"] = [*headers, length, (b"vary", b"accept-language")]
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": self._body})


def _is_page(start: Message) -> bool:
    kinds = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return any(kind.startswith(b"text/html") for kind in kinds)
