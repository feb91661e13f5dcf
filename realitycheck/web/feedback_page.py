"""The part of the page where a visitor says that an answer is wrong. Only where it is asked for."""

import logging
from html import escape
from typing import Any

import gradio as gr

from realitycheck import hub
from realitycheck.errors import PictureError
from realitycheck.web.feedback import (
    AI,
    EVERYBODY,
    OWNER,
    REAL,
    SHOWN,
    UNSURE,
    Feedback,
    Refused,
)
from realitycheck.web.feedback_box import Entry
from realitycheck.web.service import AT_ONCE, Service
from realitycheck.web.uploads import ask

OPEN = "This is wrong?"
QUESTION = "What is the picture, truly?"
CHOICES = (
    (REAL, "A photograph, or made by a person"),
    (AI, "Made by an AI"),
    (UNSURE, "I cannot say"),
)
CONSENT = "What you agree to"
AGREE = {
    EVERYBODY: "Send my answer, for everybody to see",
    OWNER: "Send my answer, for whoever runs this page to see",
}
PICTURE = "Send the picture too, if I know what it is: nobody in it or behind it would mind"
SEND = "Send"
WHAT = (
    "Sent are your answer, the detector's, today's date and the file's fingerprint (SHA-256); "
    "nothing about you. A picture loses its place, time, device and all other notes first."
)
WHERE = {
    "public": "Everybody can see the dataset {link}.",
    "private": "It goes to the dataset {name}, which is private.",
    "unknown": "It goes to the dataset {name}: count on everybody seeing it.",
}
DELETE = {
    EVERYBODY: "To have it deleted, name the fingerprint in a discussion there.",
    OWNER: "To have it deleted, name the fingerprint to {owner}.",
}
_ALONE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
log = logging.getLogger(__name__)


def part(service: Service, picture: gr.Image, feedback: Feedback | None) -> None:
    """Builds it, below an answer; nothing where feedback is off.

    Args:
        service: answers.
        picture: that was answered about.
        feedback: takes what is said.
    """
    if feedback is None:
        return
    with gr.Accordion(OPEN, open=False, elem_id="feedback") as opened:
        with gr.Column() as form:
            terms = gr.HTML(_terms(feedback))
            truth = gr.Radio([(text, value) for value, text in CHOICES], label=QUESTION)
            agreed = gr.CheckboxGroup(_boxes(feedback), label=CONSENT)
            send = gr.Button(SEND)
        # It comes without a new page: screen readers are told about it.
        said = gr.HTML("", js_on_load="element.setAttribute('aria-live', 'polite')")

    def sent(picture: Any, truth: Any, agreed: Any, request: gr.Request) -> tuple[gr.Column, str]:
        return _sent(service, feedback, picture, truth, agreed, visitor=_visitor(request))

    send.click(
        sent,
        [picture, truth, agreed],
        [form, said],
        preprocess=False,
        concurrency_id="model",
        concurrency_limit=AT_ONCE,
        **_ALONE,
    )
    # Who can see the dataset may have changed since the page was made.
    opened.expand(
        lambda: (_terms(feedback), gr.CheckboxGroup(_boxes(feedback), value=[])),
        outputs=[terms, agreed],
        **_ALONE,
    )
    picture.change(
        lambda: (gr.Accordion(open=False), gr.Column(visible=True), None, [], ""),
        outputs=[opened, form, truth, agreed, said],
        **_ALONE,
    )


def _boxes(feedback: Feedback) -> list[tuple[str, str]]:
    # What the first one stands for names who was said to see it.
    return [(AGREE[feedback.seen_by], feedback.seen_by), (PICTURE, "picture")]


def _terms(feedback: Feedback) -> str:
    name, address = escape(feedback.repo), escape(hub.address(feedback.repo, "dataset"))
    link = f"<a href='{address}' target='_blank' rel='noopener'>{name}</a>"
    where = WHERE[feedback.visibility].format(link=link, name=name)
    delete = DELETE[feedback.seen_by].format(owner=name.partition("/")[0])
    return f"<p>{WHAT}</p><p>{where} {delete}</p>"


def _visitor(request: gr.Request) -> str:
    """An address to count by, whichever proxies it came through; it is kept nowhere."""
    through = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    return through or (request.client.host if request.client else "")


def _sent(
    service: Service, feedback: Feedback, picture: Any, truth: Any, agreed: Any, *, visitor: str
) -> tuple[gr.Column, str]:
    """The form, gone if it was taken, and the sentence that stays."""
    try:
        entry = ask(lambda path: feedback.take(service, path, truth, agreed, visitor), picture)
    except (Refused, PictureError) as error:
        return gr.Column(visible=True), _sentence(str(error))
    except gr.Error as error:
        return gr.Column(visible=True), _sentence(error.message)
    return gr.Column(visible=False), _sentence(thanks(entry))


def _sentence(text: str) -> str:
    return f"<p><strong>{escape(text)}</strong></p>"


def thanks(entry: Entry) -> str:
    """What a visitor is told in the end.

    Args:
        entry: that was kept.
    """
    what = "your answer" if entry.picture is None else "your answer and the picture"
    return f"Thank you: {what} will be sent. Fingerprint: {entry.sha256[:SHOWN]}."
