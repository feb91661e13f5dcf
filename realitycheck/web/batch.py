"""The tab for many pictures, and the rows that the API answers about many."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from realitycheck.errors import PictureError
from realitycheck.scan import rows
from realitycheck.web import calls, triage, triage_html
from realitycheck.web.answer import About
from realitycheck.web.language import Texts
from realitycheck.web.service import Service
from realitycheck.web.uploads import allowed

BATCH = 200  # pictures at once


def batch_tab(service: Service, about: About, texts: Texts) -> None:
    """Builds the tab."""
    gr.HTML(
        texts(lambda words: triage_html.frame(BATCH, triage.LANES, words)),
        elem_id="batch",
        js_on_load="realitycheck.triage(element)",
    )
    triage.events(service, about, BATCH)


def files_input() -> gr.File:
    """Many files of an API call."""
    # No file_types: one file of a wrong kind would refuse the lot, and here it gets its own row.
    files = gr.File(label="Pictures", file_count="multiple")
    # Gradio would leave empty copies behind. An instance attribute, because the browser looks a
    # component up by its class.
    files.preprocess = _named_paths
    return files


def _named_paths(payload: Any) -> list[str]:
    return [file.path for file in payload.root] if payload is not None else []


def batch_answers(service: Service, files: list[str]) -> Iterator[dict[str, Any]]:
    """A row for every file, for as long as somebody waits for them.

    Raises:
        gr.Error: no files, or more than `BATCH`.
    """
    if not files:
        raise gr.Error("Choose pictures first.", print_exception=False)
    if len(files) > BATCH:
        raise gr.Error(
            f"{len(files)} pictures are too many: send at most {BATCH} at once.",
            print_exception=False,
        )
    for file in files:
        if calls.deserted():
            return
        name = Path(file).name
        try:
            yield rows.row(name, service.check(allowed(file)).report)
        except PictureError as error:
            yield rows.failed(name, error)
