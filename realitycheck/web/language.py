"""Which language a visitor reads, and what the page says before anybody has asked anything."""

from collections.abc import Callable

import gradio as gr
from gradio.i18n import I18nData

from realitycheck.wording import LANGUAGES, Language, preferred


def of(request: gr.Request | None) -> Language:
    """The language of whoever asks; English where nobody says it."""
    return preferred(request.headers.get("accept-language", "") if request is not None else "")


class Texts:
    """The page's fixed texts in every language: the browser shows those of its own."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, str]] = {code: {} for code in LANGUAGES}

    def __call__(self, make: Callable[[Language], str]) -> I18nData:
        """A text for a component's label, placeholder or value.

        Args:
            make: makes it in a language.
        """
        key = f"realitycheck-{len(next(iter(self._told.values())))}"
        for code, told in self._told.items():
            told[key] = make(LANGUAGES[code])
        return I18nData(key)

    def i18n(self) -> gr.I18n:
        """For `launch`."""
        return gr.I18n(**self._told)
