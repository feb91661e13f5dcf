"""Calls that do not fit an endpoint: their senders get a sentence that says what would fit."""

import logging
from typing import Any

import gradio as gr
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio.context import LocalContext
from gradio.route_utils import FnIndexInferError

from realitycheck.web import language
from realitycheck.web.language import Texts

ENDPOINTS = "/predict takes one file and /predict_batch a list of files"
HOW = (
    "In Python, wrap each path in gradio_client's handle_file; from elsewhere, POST the file to "
    "/gradio_api/upload and send the path that it answers, as the README shows."
)
BROKEN = "Something went wrong here, and the server's log says what."
META = {"_type": "gradio.FileData"}
log = logging.getLogger(__name__)


class Blocks(gr.Blocks):
    """Gradio's page, which answers every call that fails with a sentence, never with null.

    Attributes:
        texts: that it shows before anybody has asked anything.
    """

    texts: Texts

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], *args: Any, **options: Any
    ) -> Any:
        """Reads what a client sent for an event.

        Raises:
            gr.Error: it does not fit the event.
        """
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **options)
        except gr.Error:
            raise
        except Exception as error:  # Gradio, pydantic and httpx raise whatever they like
            log.debug("A call did not fit.", exc_info=True)
            raise _as_answer(misfit(inputs, block_fn.inputs)) from error

    async def process_api(self, block_fn: Any, *args: Any, **options: Any) -> dict[str, Any]:
        """Runs an event.

        Raises:
            gr.Error: it cannot be run; the message says why.
        """
        try:
            answer: dict[str, Any] = await super().process_api(block_fn, *args, **options)
        except (gr.Error, StopIteration, StopAsyncIteration):
            raise
        except Exception as error:
            log.exception("An event failed.")
            # Of the page's own events browsers ask; of the API programs, which read English.
            private = getattr(block_fn, "api_visibility", "") == "private"
            words = language.of(options.get("request") if private else None)
            raise _as_answer(words.said(BROKEN)) from error
        return answer


def deserted() -> bool:
    """Whether who asked for the event that is running has left since."""
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if blocks is None or event_id is None:
        return False
    event = blocks._queue.event_ids_to_events.get(event_id)
    return event is not None and not event.alive


def _as_answer(sentence: str) -> gr.Error:
    return gr.Error(sentence, print_exception=False)


def misfit(inputs: list[Any], components: list[Any]) -> str:
    """What is wrong with the data of a call.

    Args:
        inputs: what was sent.
        components: what the event takes.
    """
    if len(inputs) < len(components):
        return f"Nothing was sent: {ENDPOINTS}. {HOW}"
    if len(components) != 1 or not isinstance(components[0], gr.Image | gr.File):
        return "What was sent does not fit this event of the page."
    (sent, *_), (component,) = inputs, components
    if isinstance(component, gr.Image):
        if isinstance(sent, list):
            return f"A list was sent, and {ENDPOINTS}."
        return wrong_file(sent)
    if isinstance(sent, dict):
        return f"One file was sent, and {ENDPOINTS}: put it in a list."
    if not isinstance(sent, list):
        return f"{ENDPOINTS[0].upper()}{ENDPOINTS[1:]}. {wrong_file(sent)}"
    return wrong_file(next((file for file in sent if not _looks_sent(file)), {"meta": META}))


def _looks_sent(sent: Any) -> bool:
    return isinstance(sent, dict) and sent.get("meta") == META and not _address(sent)


def _address(sent: dict[str, Any]) -> bool:
    named = (sent.get("path"), sent.get("url"))
    return any(str(name).lower().startswith(("http:", "https:", "ftp:", "file:")) for name in named)


def wrong_file(sent: Any) -> str:
    """Why something that was sent is no file that can be examined."""
    if isinstance(sent, str):
        return f"Text was sent where a file belongs (a path, an address or base64). {HOW}"
    if not isinstance(sent, dict):
        return f"No file was sent. {HOW}"
    if _address(sent):
        return (
            "The file at this address cannot be had from here. Download it, and send the file "
            f"itself. {HOW}"
        )
    if sent.get("meta") != META:
        return 'A file needs "meta": {"_type": "gradio.FileData"} beside its "path". ' + HOW
    return f"This is not a file you uploaded. {HOW}"


async def _unreadable(request: Request, error: Exception) -> JSONResponse:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    where = [".".join(map(str, one["loc"])) + ": " + one["msg"] for one in errors[:3]]
    return _detail(422, f"This call cannot be read ({'; '.join(where)}): {ENDPOINTS}. {HOW}")


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    return _detail(404, f"There is no such endpoint: {ENDPOINTS}.")


async def _failed(request: Request, error: Exception) -> JSONResponse:
    return _detail(500, f"This call could not be answered: {ENDPOINTS}. {HOW}")


def _detail(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status)


HANDLERS = {
    RequestValidationError: _unreadable,
    FnIndexInferError: _unknown,
    Exception: _failed,
}
