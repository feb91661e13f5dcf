"""A language as an object that is handed down, and which one a visitor reads."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from realitycheck.wording import english, english_page, german, german_page, german_said

_GAP = re.compile(r"({}|{said})")


@dataclass(frozen=True)
class Language:
    """The sentences of one language, by the names of the tables in `wording`.

    Attributes:
        code: as in `<html lang>`.
        point: between a number and its decimals.
        percent: sign behind a number.
        tables: modules that hold its sentences.
        sentences: of what is made in English where nobody knows the reader (doubts, errors, what a
            file says): the English template to the language's, in which gaps are numbered. A gap
            `{said}` is itself translated, `{}` stays as it is. The first that fits counts.
        phrases: the same for what stands in a gap `{said}` alone.
    """

    code: str
    point: str
    percent: str
    tables: tuple[ModuleType, ...]
    sentences: Mapping[str, str]
    phrases: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            for table in self.tables:
                if hasattr(table, name):
                    return getattr(table, name)
        raise AttributeError(f"no sentence of this name: {name}")

    def said(self, sentence: str) -> str:
        """A finished English sentence in this language; as it is where nobody translated it."""
        return self._rendered(sentence, (self.sentences,))

    def _rendered(self, text: str, known: tuple[Mapping[str, str], ...]) -> str:
        for templates in known:
            for english_, own in templates.items():
                if found := _pattern(english_).fullmatch(text):
                    _, *gaps = _GAP.split(english_)
                    inner = (self.sentences, self.phrases)
                    parts = zip(gaps[::2], found.groups(), strict=True)
                    return own.format(
                        *(self._rendered(p, inner) if gap == "{said}" else p for gap, p in parts)
                    )
        return text

    def figures(self, text: str) -> str:
        """A text of English numbers as this language writes them."""
        return re.sub(r"(?<=\d)\.(?=\d)", self.point, text).replace("%", self.percent)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = _GAP.split(template)
    gaps = {"{}": "(.*?)", "{said}": "(.*)"}
    return re.compile("".join(gaps.get(p) or re.escape(p) for p in parts), re.DOTALL)


ENGLISH = Language("en", ".", "%", (english, english_page), {}, {})
GERMAN = Language(
    "de", ",", " %", (german, german_page), german_said.SENTENCES, german_said.PHRASES
)
LANGUAGES = {language.code: language for language in (ENGLISH, GERMAN)}


def preferred(accept_language: str) -> Language:
    """The language to answer in: the visitor's first one where it is known, else English.

    What the browser itself fills in follows its first language, so a second choice counts for
    nothing here either: half a page in each would help nobody.

    Args:
        accept_language: the header (RFC 9110, 12.5.4), such as "de-CH, en;q=0.8"; "" for none.
    """
    best, first = 0.0, ""
    for choice in accept_language[:500].split(","):
        code, _, weight = choice.partition(";")
        found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight or "q=1")
        if found and float(found[1]) > best:
            best, first = float(found[1]), code
    return LANGUAGES.get(first.strip().lower().partition("-")[0], ENGLISH)


def sets_meant(names: Iterable[str], words: Language = ENGLISH) -> str:
    """A sentence, after a space, for each of the sets that is one of `SETS`."""
    return "".join(
        words.SET_MEANT.format(name, words.SETS[name]) for name in names if name in words.SETS
    )
