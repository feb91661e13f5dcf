"""The tab for one picture: chosen, answered, asked about again, kept as a report."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from realitycheck import verdict_card
from realitycheck.errors import PictureError
from realitycheck.web import answer_html, feedback_page, language, report
from realitycheck.web.answer import About, Answer
from realitycheck.web.feedback import Feedback
from realitycheck.web.gallery import Gallery
from realitycheck.web.language import Texts
from realitycheck.web.service import AT_ONCE, Service
from realitycheck.web.uploads import ask, ask_each, to_cache
from realitycheck.wording import DROP, Language

# How the page asks about the picture. Without preprocessing: Gradio would open the file itself,
# before any check of ours and with words of its own. Waiting is shown by flow.js, in one place.
_FROM_PAGE: dict[str, Any] = {
    "preprocess": False,
    "api_visibility": "private",
    "concurrency_id": "model",
    "concurrency_limit": AT_ONCE,
    "show_progress": "hidden",
}
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# Inputs pass through it unchanged.
_WAIT = "(...sent) => { realitycheck.wait('%s'); return sent }"
# The answer appears without a new page: screen readers are told about it.
_LIVE = "element.setAttribute('aria-live', 'polite')"

Updates = dict[Any, Any]  # component to its new value or update


def picture_input(
    label: str | I18nData, placeholder: str | I18nData = DROP, elem_id: str | None = None
) -> gr.Image:
    """Where a visitor drops, pastes or takes a picture; the API's input has the same kind."""
    return gr.Image(
        elem_id=elem_id,
        label=label,
        type="filepath",
        image_mode=None,
        sources=["upload", "webcam", "clipboard"],
        height=360,
        buttons=[],
        placeholder=placeholder,
    )


class CheckTab:
    """The tab's parts, and what becomes of them.

    Args:
        service: answers.
        about: which model does.
        gallery: the examples.
        texts: takes what it says before there is an answer.
        feedback: takes what visitors say of answers; None to ask nobody.
    """

    def __init__(
        self,
        service: Service,
        about: About,
        gallery: Gallery,
        texts: Texts,
        feedback: Feedback | None = None,
    ) -> None:
        self._service, self._about, self._gallery = service, about, gallery
        self._texts = texts
        # A grid of flow.css: on a phone the verdict comes before map and examples.
        with gr.Row(elem_id="check"):
            with gr.Column(elem_id="chosen"):
                self.picture = picture_input(
                    texts(lambda words: words.PICTURE), texts(lambda words: words.DROP), "picture"
                )
                self.again = gr.HTML(
                    elem_id="again",
                    visible=False,
                    js_on_load="element.addEventListener('click', "
                    "event => event.target.closest('button') && trigger('click'))",
                )
            with gr.Column(elem_id="answer"):
                gr.HTML("", elem_id="guess", js_on_load=f"{_LIVE}; realitycheck.guessIn(element)")
                self.verdict = gr.HTML(
                    "", elem_id="verdict", js_on_load=f"{_LIVE}; realitycheck.answersIn(props)"
                )
                self.truth = gr.HTML(elem_id="truth", visible=False)
                self.evidence = gr.HTML(elem_id="evidence", visible=False)
                with gr.Column(visible=False, elem_id="more") as self.more:
                    feedback_page.part(service, self.picture, feedback, texts)
                    self._survival_part()
                    self._report_part()
                    self.numbers = gr.HTML(elem_id="numbers")
            with gr.Column(elem_id="shown"):
                self.viewer = gr.HTML(elem_id="viewer", visible=False)
            self.strip = gr.HTML(
                texts(gallery.strip),
                elem_id="strip",
                pictures=gallery.thumbnails(),
                js_on_load="realitycheck.stripIn(element, props.pictures, "
                "number => trigger('click', { number }))",
            )
        gr.HTML(texts(answer_html.history), elem_id="history", js_on_load="realitycheck.show()")
        self._events()

    def _survival_part(self) -> None:
        """On demand, the same question about changed copies of the picture."""
        with gr.Column(elem_classes="rc-card"):
            gr.HTML(self._texts(lambda words: f"<h3>{words.SURVIVAL}</h3>"))
            self.survive = gr.Button(self._texts(lambda words: words.ASK_AGAIN))
            self.survival = gr.HTML(elem_id="survival", visible=False)

    def _report_part(self) -> None:
        """On demand, everything about the picture as files to keep."""
        with gr.Column(elem_classes="rc-card"):
            gr.HTML(
                self._texts(lambda words: f"<h3>{words.KEEP_REPORT}</h3><p>{words.REPORT_IS}</p>")
            )
            self.make = gr.Button(self._texts(lambda words: words.MAKE_REPORT))
            self.making = gr.HTML(elem_id="making", visible=False)
            self.made = gr.File(
                label=self._texts(lambda words: words.REPORT),
                file_count="multiple",
                visible=False,
                elem_id="report",
            )

    def _events(self) -> None:
        answered = [
            self.picture, self.again, self.verdict, self.truth, self.evidence, self.more,
            self.viewer, self.numbers, self.survive, self.survival, self.make, self.making,
            self.made,
        ]  # fmt: skip
        # Dropped, pasted and taken pictures alike are uploads.
        examined = self.picture.upload(
            self._examiner(), self.picture, answered, js=_WAIT % "verdict", **_FROM_PAGE
        )
        tried = self.strip.click(
            self._trier(),
            None,
            answered,
            js="() => { realitycheck.tried(); return [] }",
            **_PRIVATE,
        )
        for event in (examined, tried):
            event.then(fn=None, js="() => realitycheck.answered()", **_PRIVATE)
        gr.on(
            [self.picture.clear, self.again.click],
            lambda: {**self._blank(), self.picture: None, self.verdict: ""},
            outputs=answered,
            js="() => { realitycheck.left(); return [] }",
            **_PRIVATE,
        )
        self.survive.click(
            self._asker(self.survive, self.survival, self._survived),
            self.picture,
            [self.survive, self.survival],
            js=_WAIT % "survival",
            **_FROM_PAGE,
        )
        self.make.click(
            self._asker(self.make, self.making, self._written),
            self.picture,
            [self.make, self.making, self.made],
            js=_WAIT % "making",
            **_FROM_PAGE,
        )

    def _blank(self) -> Updates:
        """Nothing but the verdict's place; what was made of the picture before would mislead."""
        hidden = (
            self.again, self.truth, self.evidence, self.more, self.viewer, self.survival,
            self.making,
        )  # fmt: skip
        return {
            **{part: type(part)(visible=False) for part in hidden},
            self.numbers: "",
            self.survive: gr.Button(visible=True),
            self.make: gr.Button(visible=True),
            self.made: gr.File(value=None, visible=False),
        }

    def _shown(self, answer: Answer, words: Language) -> Updates:
        truth = self._gallery.truth(answer.report, words)
        return {
            **self._blank(),
            self.truth: gr.HTML(truth, visible=bool(truth)),
            self.again: gr.HTML(answer_html.again(answer, words), visible=True),
            self.verdict: verdict_card.card(answer.report, words),
            self.evidence: gr.HTML(answer_html.evidence(answer.report, words), visible=True),
            self.more: gr.Column(visible=True),
            self.viewer: gr.HTML(answer_html.viewer(answer, words), visible=True),
            self.numbers: answer_html.numbers(answer.report, words),
        }

    def _refused(self, sentence: str, words: Language) -> Updates:
        """Said where the answer would stand, and it stays; the next picture can be dropped."""
        told = answer_html.error(sentence, words)
        return {**self._blank(), self.picture: None, self.verdict: told}

    def _examiner(self) -> Callable[..., Updates]:
        def examine(picture: dict[str, Any] | None, request: gr.Request) -> Updates:
            words = language.of(request)
            try:
                return self._shown(ask(self._service.check, picture), words)
            except gr.Error as error:
                return self._refused(error.message, words)

        return examine

    def _trier(self) -> Callable[..., Updates]:
        def try_example(clicked: gr.EventData, request: gr.Request) -> Updates:
            words = language.of(request)
            example = self._gallery.example(clicked._data.get("number"))
            if example is None:
                return self._refused(words.NO_EXAMPLE, words)
            try:
                shown = self._shown(self._gallery.answer(example), words)
                return {**shown, self.picture: to_cache(example.file, example.path.read_bytes())}
            except PictureError as error:
                return self._refused(str(error), words)
            except gr.Error as error:
                return self._refused(error.message, words)

        return try_example

    def _asker(
        self,
        button: gr.Button,
        place: gr.HTML,
        conclude: Callable[[dict[str, Any] | None, list[dict[str, Any]], Language], Updates],
    ) -> Callable[..., Iterator[Updates]]:
        """Asks about every copy of the picture, and shows how far that is.

        Args:
            button: ordered it, and is gone unless it fails.
            place: shows it, and an error.
            conclude: what to show at the end, of the picture, what was said of its copies, and the
                visitor's words.
        """

        def ask_again(picture: dict[str, Any] | None, request: gr.Request) -> Iterator[Updates]:
            words = language.of(request)
            rows: list[dict[str, Any]] = []
            hidden = gr.Button(visible=False)
            yield {button: hidden, place: gr.HTML(answer_html.progress(0, words), visible=True)}
            try:
                for row in ask_each(self._service.check_perturbed, picture):
                    rows.append(row)
                    yield {place: answer_html.progress(len(rows), words)}
                yield conclude(picture, rows, words)
            except gr.Error as error:
                told = answer_html.error(error.message, words)
                yield {button: gr.Button(visible=True), place: gr.HTML(told, visible=True)}

        return ask_again

    def _survived(self, _: Any, rows: list[dict[str, Any]], words: Language) -> Updates:
        return {self.survival: answer_html.perturbed(rows, self._about.model, words)}

    def _written(
        self, picture: dict[str, Any] | None, rows: list[dict[str, Any]], words: Language
    ) -> Updates:
        files = self._report(ask(self._service.check, picture), rows, words)
        return {
            self.making: gr.HTML(visible=False),
            self.made: gr.File(value=files, visible=True),
        }

    def _report(self, answer: Answer, rows: list[dict[str, Any]], words: Language) -> list[str]:
        """Writes the report's files; returns where they lie."""
        kept = report.contents(answer, rows, self._about)
        stem = f"realitycheck-{Path(kept['picture']['name']).stem or 'picture'}"
        return [
            to_cache(f"{stem}.html", report.html(answer, kept, self._about, words)),
            to_cache(f"{stem}.json", json.dumps(kept, indent=2, ensure_ascii=False)),
        ]
