"""The tab for many pictures, and the rows that it shares with the API."""

import io
import json
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from realitycheck import verdict_card
from realitycheck.errors import PictureError
from realitycheck.scan import rows
from realitycheck.web import answer_html
from realitycheck.web.answer import About, Answer
from realitycheck.web.answer_html import data_url
from realitycheck.web.service import Service
from realitycheck.web.uploads import allowed, to_cache
from realitycheck.wording import VERDICT_NAMES

BATCH = 50  # pictures at once
THUMBNAIL = 64  # px
_HEADS = ["No.", "Picture", "File", "Verdict", "AI, %", "Origin", "Notes"]


def batch_tab(service: Service, about: About) -> None:
    """Builds the tab."""
    gr.Markdown(
        f"Up to {BATCH} pictures. Sort and filter the table by its column heads; choose a "
        "line to see its answer in full."
    )
    files = files_input()
    check = gr.Button("Check these pictures", variant="primary")
    status = gr.HTML(elem_id="batch-status")
    table = gr.Dataframe(
        headers=_HEADS,
        datatype=["number", "html", "str", "str", "number", "str", "str"],
        type="array",
        interactive=False,
        show_search="filter",
        wrap=True,
        column_widths=["60px", "90px", "20%", "130px", "90px", "25%", "25%"],
        label="Answers",
        elem_id="batch",
        visible=False,
    )
    detail = gr.HTML(
        elem_id="batch-detail", js_on_load="element.setAttribute('aria-live', 'polite')"
    )
    reports = gr.State([])
    with gr.Row():
        as_csv = gr.DownloadButton("Download CSV", interactive=False)
        as_json = gr.DownloadButton("Download JSON", interactive=False)
    check.click(
        _batch_examiner(service, about),
        files,
        [status, table, as_csv, as_json, reports, detail],
        api_visibility="private",
        concurrency_id="batch",
    )
    table.select(_detail, reports, detail, api_visibility="private")


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
        found, lines, reports = [], [], []
        # What stood here is about other pictures.
        yield (
            "",
            gr.Dataframe(visible=False),
            *[gr.DownloadButton(value=None, interactive=False)] * 2,
            [],
            "",
        )
        for found_row, answer in batch_answers(service, files):
            found.append(found_row)
            lines.append([len(found), *_line(found_row, answer)])
            reports.append(found_row if answer is None else answer.report)
            progress((len(found), len(files)), unit="pictures")
            table = gr.Dataframe(value=lines, visible=True)
            yield gr.skip(), table, gr.skip(), gr.skip(), reports, gr.skip()
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
            gr.skip(),
            gr.skip(),
        )

    return examine


def _detail(reports: list[dict[str, Any]], chosen: gr.SelectData) -> str:
    """The answer about the picture whose line was chosen, however the table is sorted."""
    number = int(chosen.row_value[0])
    return detail(reports[number - 1]) if 0 < number <= len(reports) else ""


def detail(report: dict[str, Any]) -> str:
    """One answer of many: the verdict's card, doubts and what the file says.

    Args:
        report: of `Prediction.report`, or the row of a picture that could not be examined.
    """
    if "error" in report:
        return f"<p>{escape(report['file'])}: {escape(report['error'])}</p>"
    name = escape(report["picture"]["name"] or "picture")
    return f"<h3>{name}</h3>{verdict_card.card(report)}{answer_html.evidence(report)}"


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


def _line(row: dict[str, Any], answer: Answer | None) -> list[Any]:
    if answer is None:
        return ["", row["file"], "not examined", None, "", row["error"]]
    # A number that the verdict does not follow would contradict it.
    hidden = verdict_card.withheld(answer.report)
    share = None if hidden else round(100 * verdict_card.p_ai(answer.report), 1)
    notes = " ".join(row["warnings"])
    return [
        _thumbnail(answer),
        row["file"],
        VERDICT_NAMES[row["verdict"]],
        share,
        row["origin"],
        notes,
    ]


def _thumbnail(answer: Answer) -> str:
    small = Image.open(io.BytesIO(answer.picture))
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return f"<img src='{data_url(buffer.getvalue())}' alt=''>"


def _tally(found: list[dict[str, Any]]) -> str:
    verdicts = [VERDICT_NAMES.get(row.get("verdict", ""), "not examined") for row in found]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in dict.fromkeys(verdicts))
    return f"<p>{len(found)} pictures: {counts}.</p>"


def _as_csv(found: list[dict[str, Any]], classes: tuple[str, ...]) -> str:
    buffer = io.StringIO(newline="")
    write = rows.csv_writer(buffer, classes)
    for row in found:
        write(row)
    return buffer.getvalue()
