"""Starts the page and keeps it clean and closed until it is stopped."""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from fastapi.responses import FileResponse
from gradio.routes import App
from starlette.routing import Mount

from realitycheck import images, verdict_card
from realitycheck.errors import RealityCheckError
from realitycheck.web import address, calls, head, routes, signals
from realitycheck.web.page import QUEUE
from realitycheck.web.uploads import forget, forget_regularly
from realitycheck.wording import LANGUAGES

STATIC = Path(__file__).with_name("static")
STYLES = (
    *(STATIC / f"{name}.css" for name in ("page", "gradio", "look", "flow", "examples", "batch")),
    verdict_card.CSS,
)
SCRIPTS = tuple(STATIC / f"{name}.js" for name in ("page", "flow", "examples", "batch"))
_TOLD = json.dumps({code: words.IN_BROWSER for code, words in LANGUAGES.items()})
_WORDS = f"window.realitycheck = {{ told: {_TOLD} }};"
log = logging.getLogger(__name__)


def launch(demo: calls.Blocks, ready: Callable[[], None] | None = None, **options: Any) -> None:
    """Starts the page, adds `/healthz` and blocks until SIGTERM or Ctrl+C.

    What visitors left in Gradio's folder (its variable GRADIO_TEMP_DIR) is deleted when it is
    older than `keep` of `build_demo`, and all of it at the end: use a folder of its own.

    Args:
        demo: from `build_demo`.
        ready: waits for what the page needs beside itself; an error of it ends the page.
        options: further arguments of `gr.Blocks.launch`. Its `root_path` is the sub-path or full
            address that a proxy serves the page at, also taken from Gradio's GRADIO_ROOT_PATH.

    Raises:
        RealityCheckError: the page cannot start; the message says what to set.
        OSError: the port is in use.
        KeyboardInterrupt: Ctrl+C was pressed, and the page has ended.
    """
    signals.exit_on_sigterm()
    try:
        _start(demo, options)
        if ready is not None:
            ready()
        log.info("RealityCheck is at %s (Ctrl+C stops it).", demo.local_url)
        while demo.is_running:
            time.sleep(0.2)
    finally:
        signals.ignore()
        demo.close(verbose=False)
        forget(0)


def _start(demo: calls.Blocks, options: dict[str, Any]) -> None:
    host = options.pop("server_name", None) or os.environ.get("GRADIO_SERVER_NAME", address.LOCAL)
    root_path = options.pop("root_path", None)
    if root_path is None:
        root_path = os.environ.get("GRADIO_ROOT_PATH", "")
    try:
        with address.without_proxy(host, share=bool(options.get("share"))):
            app, _, _ = demo.launch(
                prevent_thread_lock=True,
                favicon_path=str(STATIC / "favicon.svg"),
                quiet=True,  # its words name options that ours does not have
                server_name=address.bracketed(host),
                root_path=_normalised(root_path),
                state_session_capacity=QUEUE,  # each holds a visitor's last answer, maps and all
                **_options(demo),
                **options,
            )
    except OSError:
        raise
    except Exception as error:  # Gradio raises bare ones, and those of its HTTP client
        log.debug("Gradio did not start.", exc_info=True)
        raise RealityCheckError(
            f"The page could not start: {error}{address.proxy_advice()}"
        ) from error
    _finish(app, demo)


def mount(app: FastAPI, demo: calls.Blocks, path: str) -> FastAPI:
    """Puts the page below a path of another app, closed in the same way.

    Args:
        app: the other app.
        demo: from `build_demo`.
        path: such as "/check".

    Returns:
        The other app.
    """
    gr.mount_gradio_app(app, demo, path, **_options(demo))
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, App) and route.app.blocks is demo:
            _finish(route.app, demo)
    return app


def _options(demo: calls.Blocks) -> dict[str, Any]:
    """What both ways of serving the page tell Gradio."""
    return {
        "theme": _theme(),
        "css": _together(STYLES),
        "head": f"<script>{_WORDS}{_together(SCRIPTS)}</script>",
        "i18n": demo.texts.i18n(),
        "run_history": False,
        "footer_links": ["api", "gradio"],
        "max_file_size": images.MAX_BYTES,
        "app_kwargs": {**routes.app_options(), "exception_handlers": calls.HANDLERS},
    }


def _together(files: tuple[Path, ...]) -> str:
    return "".join(file.read_text(encoding="utf-8") for file in files)


def _theme() -> gr.themes.Base:
    # The visitor's own fonts: Gradio's come without bold letters, and their place is taken by
    # another font's. Contrast as in gradio.css, the rest in look.css; no colour of a verdict.
    return gr.themes.Default(
        primary_hue="indigo",
        text_size="lg",
        font=("system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif"),
        font_mono=("ui-monospace", "Consolas", "monospace"),
    ).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        body_background_fill="*neutral_50",
        block_radius="14px",
        button_large_radius="10px",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
    )


def _normalised(root_path: str) -> str:
    """A root path as Gradio's links and the router need it."""
    if root_path.startswith(("http://", "https://")):
        return root_path.rstrip("/")
    return routes.sub_path(root_path)


def _finish(app: FastAPI, demo: gr.Blocks) -> None:
    """Does what Gradio cannot be told beforehand."""
    if demo.mcp_server_obj:
        # Gradio 6.31 describes its list of files to MCP clients in a way that none can follow,
        # and would open any file of this machine that an entry names.
        demo.mcp_server_obj.tool_to_endpoint.pop("predict_batch")

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(f"/{head.PICTURE}")
    def picture() -> FileResponse:
        return FileResponse(STATIC / head.PICTURE)

    threading.Thread(target=forget_regularly, args=(demo,), daemon=True).start()
