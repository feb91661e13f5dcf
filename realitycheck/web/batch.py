"""The tab for many pictures, and the rows that it shares with the API."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from realitycheck.errors import PictureError
from realitycheck.scan import rows
from realitycheck.web.answer import About, Answer
from realitycheck.web.answer_html import data_url
from realitycheck.web.service import Service
from realitycheck.web.uploads import allowed, to_cache

BATCH = 50  # pictures at once
THUMBNAIL = 64  # px
_HEADS = ["Picture", "File", "Verdict", "AI, %", "Origin", "Notes"]


def batch_tab(service: Service, about: About) -> None:
    """Builds the tab."""
    gr.Markdown(
        f"Up to {BATCH} pictures. Sort and filter the table by its column heads. Each answer can "
        "be wrong by itself; look at one closely on the first tab."
    )
    files = files_input()
    check = gr.Button("Check these pictures", variant="primary")
    status = gr.HTML(elem_id="batch-status")
    table = gr.Dataframe(
        headers=_HEADS,
        datatype=["html", "str", "str", "number", "str", "str"],
        type="array",
        interactive=False,
        show_search="filter",
        wrap=True,
        column_widths=["90px", "20%", "110px", "90px", "25%", "30%"],
        label="Answers",
        elem_id="batch",
        visible=False,
    )
    with gr.Row():
        as_csv = gr.DownloadButton("Download CSV", interactive=False)
        as_json = gr.DownloadButton("Download JSON", interactive=False)
    check.click(
        _batch_examiner(service, about),
        files,
        [status, table, as_csv, as_json],
        api_visibility="private",
        concurrency_id="batch",
    )


def files_input() -> gr.File:
    """Where a visitor drops many files."""
    # No file_types: one file of a wrong kind would refuse the lot, and here it gets its own row.
    files = gr.File(label="Pictures", file_count="multiple", height=200, elem_id="files")
    # As in _FROM_PAGE; and no empty copies are left behind. An instance attribute, because the
    # browser looks a component up by its class.
    files.preprocess = _named_paths
    return files


def _named_paths(payload: Any) -> list[str]:
    return [file.path for file in payload.root] if payload is not None else []


def _batch_examiner(service: Service, about: About) -> Callable[..., Iterator[tuple[Any, ...]]]:
    def examine(
        files: list[str],
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        found, lines = [], []
        # What stood here is about other pictures.
        yield (
            "",
            gr.Dataframe(visible=False),
            *[gr.DownloadButton(value=None, interactive=False)] * 2,
        )
        for found_row, answer in batch_answers(service, files):
            found.append(found_row)
            lines.append(_line(found_row, answer, about.ai_class))
            progress((len(found), len(files)), unit="pictures")
            yield gr.skip(), gr.Dataframe(value=lines, visible=True), gr.skip(), gr.skip()
        yield (
            _tally(found),
            gr.skip(),
            gr.DownloadButton(
                value=to_cache("realitycheck.csv", _as_csv(found, about.classes)),
                interactive=True,
            ),
            gr.DownloadButton(
                value=to_cache(
                    "realitycheck.json", json.dumps(found, indent=2, ensure_ascii=False)
                ),
                interactive=True,
            ),
        )

    return examine


def batch_answers(
    service: Service, files: list[str]
) -> Iterator[tuple[dict[str, Any], Answer | None]]:
    """A row for every file, and the answer where there is one."""
    if not files:
        raise gr.Error("Choose pictures first.", print_exception=False)
    if len(files) > BATCH:
        raise gr.Error(
            f"{len(files)} pictures are too many: send at most {BATCH} at once.",
            print_exception=False,
        )
    for file in files:
        name = Path(file).name
        try:
            answer = service.check(allowed(file))
        except PictureError as error:
            yield rows.failed(name, error), None
        else:
            yield rows.row(name, answer.report), answer


def _line(row: dict[str, Any], answer: Answer | None, ai_class: str) -> list[Any]:
    if answer is None:
        return ["", row["file"], "not examined", None, "", row["error"]]
    share = round(100 * row["probabilities"][ai_class], 1)
    notes = " ".join(row["warnings"])
    return [_thumbnail(answer), row["file"], row["verdict"], share, row["origin"], notes]


def _thumbnail(answer: Answer) -> str:
    small = Image.open(io.BytesIO(answer.picture))
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return f"<img src='{data_url(buffer.getvalue())}' alt=''>"


def _tally(found: list[dict[str, Any]]) -> str:
    verdicts = [row.get("verdict", "not examined") for row in found]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in dict.fromkeys(verdicts))
    return f"<p>{len(found)} pictures: {counts}.</p>"


def _as_csv(found: list[dict[str, Any]], classes: tuple[str, ...]) -> str:
    buffer = io.StringIO(newline="")
    write = rows.csv_writer(buffer, classes)
    for row in found:
        write(row)
    return buffer.getvalue()
