"""The part of the page where a visitor says that an answer is wrong. Only where it is asked for."""

import logging
from html import escape
from typing import Any

import gradio as gr

from realitycheck import hub
from realitycheck.errors import PictureError
from realitycheck.web import language
from realitycheck.web.feedback import AI, REAL, SHOWN, UNSURE, Feedback, Refused
from realitycheck.web.feedback_box import Entry
from realitycheck.web.language import Texts
from realitycheck.web.service import AT_ONCE, Service
from realitycheck.web.uploads import ask
from realitycheck.wording import ENGLISH, Language

_ALONE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
log = logging.getLogger(__name__)


def part(service: Service, picture: gr.Image, feedback: Feedback | None, texts: Texts) -> None:
    """Builds it, below an answer; nothing where feedback is off.

    Args:
        service: answers.
        picture: that was answered about.
        feedback: takes what is said.
        texts: takes what it says before anybody has said anything.
    """
    if feedback is None:
        return
    with gr.Accordion(
        texts(lambda words: words.FEEDBACK["open"]), open=False, elem_id="feedback"
    ) as opened:
        with gr.Column() as form:
            terms = gr.HTML(texts(lambda words: _terms(feedback, words)))
            truth = gr.Radio(
                _choices(ENGLISH), label=texts(lambda words: words.FEEDBACK["question"])
            )
            agreed = gr.CheckboxGroup(
                _boxes(feedback, ENGLISH), label=texts(lambda words: words.FEEDBACK["consent"])
            )
            send = gr.Button(texts(lambda words: words.FEEDBACK["send"]))
        # It comes without a new page: screen readers are told about it.
        said = gr.HTML("", js_on_load="element.setAttribute('aria-live', 'polite')")

    def sent(picture: Any, truth: Any, agreed: Any, request: gr.Request) -> tuple[gr.Column, str]:
        words, visitor = language.of(request), _visitor(request)
        return _sent(service, feedback, picture, truth, agreed, visitor=visitor, words=words)

    def told(request: gr.Request) -> tuple[str, gr.Radio, gr.CheckboxGroup]:
        words = language.of(request)
        boxes = gr.CheckboxGroup(_boxes(feedback, words), value=[])
        return _terms(feedback, words), gr.Radio(_choices(words)), boxes

    send.click(
        sent,
        [picture, truth, agreed],
        [form, said],
        preprocess=False,
        concurrency_id="model",
        concurrency_limit=AT_ONCE,
        **_ALONE,
    )
    # Who can see the dataset may have changed since the page was made, for all its visitors.
    opened.expand(told, outputs=[terms, truth, agreed], **_ALONE)
    picture.change(
        lambda: (gr.Accordion(open=False), gr.Column(visible=True), None, [], ""),
        outputs=[opened, form, truth, agreed, said],
        **_ALONE,
    )


def _choices(words: Language) -> list[tuple[str, str]]:
    says = words.FEEDBACK
    return [(says["real"], REAL), (says["ai"], AI), (says["unsure"], UNSURE)]


def _boxes(feedback: Feedback, words: Language) -> list[tuple[str, str]]:
    # What the first one stands for names who was said to see it.
    says = words.FEEDBACK
    return [(says[f"to_{feedback.seen_by}"], feedback.seen_by), (says["picture"], "picture")]


def _terms(feedback: Feedback, words: Language = ENGLISH) -> str:
    says = words.FEEDBACK
    name, address = escape(feedback.repo), escape(hub.address(feedback.repo, "dataset"))
    link = f"<a href='{address}' target='_blank' rel='noopener'>{name}</a>"
    where = says[feedback.visibility].format(link=link, name=name)
    delete = says[f"delete_{feedback.seen_by}"].format(owner=name.partition("/")[0])
    return f"<p>{says['what']}</p><p>{where} {delete}</p>"


def _visitor(request: gr.Request) -> str:
    """An address to count by, whichever proxies it came through; it is kept nowhere."""
    through = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    return through or (request.client.host if request.client else "")


def _sent(
    service: Service,
    feedback: Feedback,
    picture: Any,
    truth: Any,
    agreed: Any,
    *,
    visitor: str,
    words: Language = ENGLISH,
) -> tuple[gr.Column, str]:
    """The form, gone if it was taken, and the sentence that stays."""
    try:
        entry = ask(lambda path: feedback.take(service, path, truth, agreed, visitor), picture)
    except (Refused, PictureError) as error:
        return gr.Column(visible=True), _sentence(words.said(str(error)))
    except gr.Error as error:
        return gr.Column(visible=True), _sentence(words.said(error.message))
    return gr.Column(visible=False), _sentence(thanks(entry, words))


def _sentence(text: str) -> str:
    return f"<p><strong>{escape(text)}</strong></p>"


def thanks(entry: Entry, words: Language = ENGLISH) -> str:
    """What a visitor is told in the end.

    Args:
        entry: that was kept.
        words: the reader's.
    """
    says = words.FEEDBACK["thanks" if entry.picture is None else "thanks_for_both"]
    return str(says.format(entry.sha256[:SHOWN]))
