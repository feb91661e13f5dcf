"""Starts the page and keeps it clean and closed until it is stopped."""

import logging
import signal
import threading
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from realitycheck import images
from realitycheck.web.page import QUEUE
from realitycheck.web.uploads import forget, forget_regularly

STATIC = Path(__file__).with_name("static")
# Of Gradio and unused here: they write files that nothing deletes, or fetch what an address names.
STYLES = ("page.css", "gradio.css")
CLOSED = tuple(
    f"/gradio_api/{route}"
    for route in ("deep_link", "process_recording", "component_server", "file=http", "proxy=")
)


def _theme() -> gr.themes.Base:
    # As in gradio.css.
    return gr.themes.Default().set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
    )


def launch(demo: gr.Blocks, **options: Any) -> None:
    """Starts the page, adds `/healthz` and blocks until it is stopped.

    What visitors left in Gradio's folder (its variable GRADIO_TEMP_DIR) is deleted when it is
    older than `keep` of `build_demo`, and all of it at the end: use a folder of its own.

    Args:
        demo: from `build_demo`.
        options: further arguments of `gr.Blocks.launch`.
    """
    app, _, _ = demo.launch(
        prevent_thread_lock=True,
        theme=_theme(),
        css="".join((STATIC / name).read_text(encoding="utf-8") for name in STYLES),
        head=f"<script>{(STATIC / 'page.js').read_text(encoding='utf-8')}</script>",
        run_history=False,
        max_file_size=images.MAX_BYTES,
        state_session_capacity=QUEUE,  # each holds a visitor's last answer, maps and all
        app_kwargs={"middleware": [Middleware(_Closed)]},
        **options,
    )

    if demo.mcp_server_obj:
        # Gradio 6.31 describes its list of files to MCP clients in a way that none can follow,
        # and would open any file of this machine that an entry names.
        demo.mcp_server_obj.tool_to_endpoint.pop("predict_batch")

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    threading.Thread(target=forget_regularly, args=(demo,), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: demo.close(verbose=False))
    logging.getLogger(__name__).info("Ready.")
    try:
        demo.block_thread()
    finally:
        forget(demo, 0)


class _Closed:
    """Answers 404 for what the page never asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        closed = scope["type"] == "http" and scope["path"].startswith(CLOSED)
        await (PlainTextResponse("Not found.", 404) if closed else self.app)(scope, receive, send)
