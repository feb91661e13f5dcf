"""The example pictures: shown small, answered at once, and what each truly is."""

import contextlib
import json
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from realitycheck.errors import RealityCheckError
from realitycheck.files import sha256, shipped
from realitycheck.web.answer import Answer
from realitycheck.web.answer_html import thumbnail
from realitycheck.web.service import Service
from realitycheck.wording import ENGLISH, Language

FOLDER = shipped("examples")
THUMBNAIL = 240  # px
QUIET = 2  # seconds that nobody asked anything, before an example is


@dataclass(frozen=True)
class Example:
    """A picture whose origin is known.

    Attributes:
        file: its name in `FOLDER`.
        label: "ai" or "real", which it truly is.
        subject: what it shows, without a hint at the label.
        made_by: who or what made it, as sentences.
        source: the package that it comes from.
        licence: its terms.
    """

    file: str
    label: str
    subject: str
    made_by: str
    source: str
    licence: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return FOLDER / self.file


class Gallery:
    """The examples, and the answers about them, which are kept in memory.

    Args:
        service: is asked, once about each picture as long as its checkpoint is the same.
    """

    def __init__(self, service: Service) -> None:
        listed = json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))
        self.examples = tuple(Example(**entry) for entry in listed)
        self._service = service
        self._known = {sha256(example.path): example for example in self.examples}
        self._answers: dict[tuple[str, str], Answer] = {}  # by checkpoint and file

    def example(self, number: Any) -> Example | None:
        """One of them by its place in the strip; None for what a browser made up."""
        if type(number) is int and 0 <= number < len(self.examples):
            return self.examples[number]
        return None

    def answer(self, example: Example) -> Answer:
        """What the detector says of it.

        Raises:
            PictureError: the detector broke down over it.
        """
        key = (self._service.about().model["sha256"], example.file)
        if key not in self._answers:
            self._answers[key] = self._service.check(str(example.path))
        return self._answers[key]

    def prepare(self) -> None:
        """Asks about all of them in the background, each when nobody else has a question."""
        threading.Thread(target=self._ask_all, daemon=True).start()

    def _ask_all(self) -> None:
        # Whatever ends the service ends this; who clicks later is answered then.
        with contextlib.suppress(RealityCheckError, CancelledError, RuntimeError):
            self._service.wait()
            time.sleep(QUIET)  # for whoever was waiting for the page
            for example in self.examples:
                while self._service.idle_for() < QUIET:
                    time.sleep(QUIET / 8)
                self.answer(example)

    def strip(self, words: Language = ENGLISH) -> str:
        """Buttons for the pictures, without a word of what they are, as HTML.

        Their pictures come with `thumbnails`, once for all languages.
        """
        buttons = "".join(
            _button(number, escape(words.said(example.subject)), words)
            for number, example in enumerate(self.examples)
        )
        return (
            f"<div class='rc-strip'><h2>{words.TRY}</h2><label><input type='checkbox' "
            f"role='switch' id='rc-guess-first'> {words.GUESS_FIRST}</label>"
            f"<ul>{buttons}</ul></div>"
        )

    def thumbnails(self) -> list[str]:
        """The pictures of the strip, as sources of `img`."""
        return [thumbnail(one.path.read_bytes(), THUMBNAIL) for one in self.examples]

    def truth(self, report: dict[str, Any], words: Language = ENGLISH) -> str:
        """What an examined picture truly is, as HTML; "" if it is none of the examples.

        Args:
            report: of `Prediction.report`.
            words: the reader's.
        """
        example = self._known.get(report["picture"]["sha256"])
        if example is None:
            return ""
        verdict = report["verdict"]
        made_by, licence = words.said(example.made_by), words.said(example.licence)
        outcome = verdict if verdict == "uncertain" else str(verdict == example.label)
        return (
            f"<section class='rc-card rc-truth' data-label='{example.label}' "
            f"data-file='{escape(example.file)}'><h3>{words.TRULY}</h3>"
            f"<p><strong>{words.TRUTHS[example.label]}</strong> {escape(made_by)}</p>"
            f"<p>{words.OUTCOMES[outcome]}</p><p class='rc-small'>"
            f"{words.SOURCE.format(escape(example.source), escape(licence))}</p></section>"
        )


def _button(number: int, subject: str, words: Language) -> str:
    return (
        f"<li><button data-number='{number}' title='{subject}' "
        f"aria-label='{words.EXAMPLE.format(number + 1, subject)}'><img alt=''></button></li>"
    )
