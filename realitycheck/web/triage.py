"""The events behind many pictures: check one, open its answer, pack all. The browser asks for each.

One picture is one call, so that visitors with many take turns in the queue and nothing goes on for
those who leave. They run beside the events of single pictures, which therefore wait for `LANES`
pictures of others at most. Answers lie on disk, see `triage_kept`: no session holds them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from realitycheck import images
from realitycheck.errors import PictureError
from realitycheck.files import encodable
from realitycheck.web import answer_html, language, triage_html, triage_kept, triage_zip
from realitycheck.web.answer import About
from realitycheck.web.service import Service
from realitycheck.web.triage_kept import Kept
from realitycheck.web.uploads import NAME, allowed
from realitycheck.wording import ENGLISH, Language

LANES = 2  # pictures of all batches in the detector's queue: while one is examined, one waits


def events(service: Service, about: About, most: int) -> None:
    """Adds them, hidden, for `static/batch.js`.

    Args:
        service: answers about pictures.
        about: which model that is.
        most: pictures at once.
    """

    def triage(picture: Any, request: gr.Request) -> dict[str, Any]:
        return examined(service, picture, language.of(request))

    def triage_open(token: Any, request: gr.Request) -> dict[str, Any]:
        return full(token, language.of(request))

    def triage_pack(tokens: Any, request: gr.Request) -> Iterator[dict[str, Any]]:
        words = language.of(request)
        if not isinstance(tokens, list) or not 0 < len(tokens) <= most:
            raise _misfit(words.said(f"Choose pictures first, {most} at most."))
        yield from triage_zip.pack(tokens, about, words)

    sent, answer = gr.JSON(visible=False), gr.JSON(visible=False)
    for event, name, limit in (
        (triage, "triage", LANES),
        (triage_open, "triage-open", 4),
        (triage_pack, "triage-pack", 1),
    ):
        gr.Button(visible=False).click(
            event,
            sent,
            answer,
            preprocess=False,
            api_visibility="private",
            concurrency_id=name,
            concurrency_limit=limit,
        )


def _misfit(sentence: str) -> gr.Error:
    return gr.Error(sentence, print_exception=False)


def examined(service: Service, sent: Any, words: Language = ENGLISH) -> dict[str, Any]:
    """Checks one picture of many and keeps the answer.

    Args:
        service: answers.
        sent: `file`, the path of an upload; or `name`, and the `size` in bytes of a picture that
            is too large to be sent.
        words: the reader's.

    Returns:
        Of `triage_html.tile`, with `kept`, the token of its answer; where the disk had no room for
        that, "" and why in `unkept`.

    Raises:
        gr.Error: what was sent is neither.
    """
    if not isinstance(sent, dict):
        raise _misfit(words.said("No picture was sent."))
    kept = _answer(service, sent, words)
    found = triage_html.tile(kept, words)
    try:
        found["kept"] = triage_kept.keep(kept)
    except gr.Error as error:
        found |= {"kept": "", "unkept": words.said(error.message)}
    return {name: encodable(value) for name, value in found.items()}


def _answer(service: Service, sent: dict[str, Any], words: Language) -> Kept:
    path, name, size = sent.get("file"), sent.get("name"), sent.get("size")
    if isinstance(path, str):
        try:
            return Kept(Path(path).name, service.check(allowed(path)))
        except PictureError as error:
            return Kept(Path(path).name, error=str(error))
    if not isinstance(name, str):
        raise _misfit(words.said("No picture was sent."))
    name = Path(name.replace("\0", "")[-NAME:]).name or words.UNNAMED
    if isinstance(size, int) and size > images.MAX_BYTES:
        return Kept(name, error=str(images.too_many_bytes(size)))
    return Kept(name, error=ENGLISH.WORDS["lost"])


def full(token: Any, words: Language = ENGLISH) -> dict[str, Any]:
    """The whole answer of a token.

    Returns:
        `html`; and `gone`, whether it is only a sentence that says why there is no answer.
    """
    try:
        return {"html": triage_html.opened(triage_kept.read(token), words), "gone": False}
    except PictureError as error:
        return {"html": answer_html.error(str(error), words), "gone": True}
