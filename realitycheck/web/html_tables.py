"""Tables as HTML."""

from collections.abc import Iterable
from html import escape

from realitycheck.wording import ENGLISH, Language


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], words: Language = ENGLISH) -> str:
    """A table whose every cell is escaped."""
    top = "".join(f"<th scope='col'>{escape(head)}</th>" for head in heads)
    body = "".join(
        f"<tr><th scope='row'>{escape(first)}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return scrolling(f"<tr>{top}</tr>{body}", words)


def scrolling(lines: str, words: Language = ENGLISH) -> str:
    """A table, of its rows as HTML, that scrolls by itself where the page is narrower."""
    # On a phone a table is wider than the page; with a tab stop it scrolls by keyboard too.
    return (
        f"<div class='rc-scroll' role='region' aria-label='{words.TABLE}' tabindex='0'>"
        f"<table class='rc-table'>{lines}</table></div>"
    )
