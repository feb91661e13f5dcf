"""All answers about many pictures in one ZIP: a table, a map and a report for each."""

import io
import json
import re
import secrets
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from realitycheck.errors import PictureError
from realitycheck.scan import rows
from realitycheck.web import report, triage_kept
from realitycheck.web.answer import About
from realitycheck.web.uploads import cached, short_name
from realitycheck.wording import ENGLISH, Language

ARCHIVE = "realitycheck.zip"
STEP = 10  # pictures between two words of progress
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u202a-\u202e\u2066-\u2069]+')


def pack(
    tokens: Sequence[Any], about: About, words: Language = ENGLISH
) -> Iterator[dict[str, Any]]:
    """Writes the ZIP, an answer at a time; whoever stops asking leaves nothing behind.

    In it are `verdicts.csv` and `verdicts.json`, a line for each picture in the order of the
    tokens, and by the number of that line `maps/001-NAME.jpg` and `reports/001-NAME.html`.

    Args:
        tokens: of `triage_kept.keep`.
        about: of `Service.about`.
        words: the reader's.

    Yields:
        `done` and `of`; at the end `file`, where it lies, its `bytes`, and how many answers were
        `missing` because their time was over.

    Raises:
        gr.Error: nothing is left of all answers, or the disk refuses.
    """
    path = Path(get_upload_folder()) / secrets.token_hex(16) / ARCHIVE
    table: list[dict[str, Any]] = []
    missing = 0
    # Pictures are compressed as they are; text shrinks to a third at the least effort.
    with cached(path) as temporary, zipfile.ZipFile(temporary, "w", compresslevel=1) as archive:
        for done, token in enumerate(tokens):
            if done % STEP == 0:
                yield {"done": done, "of": len(tokens)}
            try:
                one = triage_kept.read(token)
            except PictureError as error:
                missing += 1
                if missing == len(tokens):
                    raise gr.Error(words.said(str(error)), print_exception=False) from error
                continue
            table.append(one.row())
            _add(archive, len(table), one, about, words)
        _write(archive, "verdicts.csv", _as_csv(table, about.classes))
        _write(archive, "verdicts.json", json.dumps(table, indent=2, ensure_ascii=False))
    yield {"file": str(path), "bytes": path.stat().st_size, "missing": missing}


def _add(
    archive: zipfile.ZipFile,
    number: int,
    one: triage_kept.Kept,
    about: About,
    words: Language = ENGLISH,
) -> None:
    if one.answer is None:
        return
    # Numbered, because names may be the same; without signs that a system forbids in names.
    stem = _UNSAFE.sub("_", Path(short_name(one.file)).stem).strip(". ") or "picture"
    archive.writestr(f"maps/{number:03}-{stem}.jpg", one.answer.overlay)
    held = report.contents(one.answer, [], about)
    _write(archive, f"reports/{number:03}-{stem}.html", report.html(one.answer, held, about, words))


def _write(archive: zipfile.ZipFile, name: str, text: str) -> None:
    archive.writestr(name, text.encode("utf-8", "replace"), zipfile.ZIP_DEFLATED)


def _as_csv(table: list[dict[str, Any]], classes: Sequence[str]) -> str:
    buffer = io.StringIO(newline="")
    write = rows.csv_writer(buffer, classes)
    for row in table:
        write(row)
    return buffer.getvalue()
