"""The web demo: a Gradio page and API over a `Service`."""

import contextlib
import io
import json
import logging
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from PIL import Image
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from realitycheck import images, page, report, rows
from realitycheck.errors import PictureError
from realitycheck.service import Answer, Service

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPT = Path(__file__).with_name("page.js")
QUEUE = 32  # waiting visitors, before one is told to try again
KEEP = 2700  # seconds a visitor's files stay on the server, and a third more until it is looked
BATCH = 50  # pictures at once
THUMBNAIL = 64  # px
# Of Gradio and unused here: they write files that nothing deletes, or fetch what an address names.
CLOSED = tuple(
    f"/gradio_api/{route}"
    for route in ("deep_link", "process_recording", "component_server", "file=http", "proxy=")
)

# Contrast where Gradio's own colours have too little (WCAG 2.1, 1.4.3), and no icon button that
# holds another control.
CSS = """
footer *, .or, .token {color: inherit !important}
button[role="tab"] {color: var(--body-text-color) !important}
.download-link {color: var(--body-text-color) !important}
pre, pre code {white-space: pre-wrap !important; overflow-wrap: anywhere}
#files button[aria-haspopup="false"]:has(input) {display: none}
"""

INTRO = """# RealityCheck
Is this picture a photograph or made by a person, or was it made by an AI?
**The answer is a probability, not proof: never accuse anyone on its strength alone.**"""

WHAT = """## What this is
A neural network that was trained to tell pictures made by an AI from photographs and other pictures
made by people. It looks at parts of the picture at their own scale and at a smaller copy of the
whole, averages what it finds, and turns that into a probability that was calibrated on pictures it
had not seen. It does not search the web, and it does not know who made a picture.

Pictures stay on this server for an hour at most and are used for nothing but the answer. The list
of what you checked lives in your browser and ends with the tab."""

HOW_TRAINED = """## How it was trained
From scratch, on some 13,000 pictures and crops of them: generators from StyleGAN2 and Stable
Diffusion 1.x to GPT-Image-2 and FLUX.2, against photographs, portraits, art and screenshots. Both
kinds went through the same scaling, cropping and JPEG saving, so that file size and format give
nothing away. The checkpoint's own card lists every setting."""

BASE_RATE = """## How to read it
A verdict means little without knowing how common AI pictures are where you look. Where they are
rare, most pictures that are called AI are false alarms, however good the detector."""

CITE = """## How to cite
> RealityCheck, version {version} of the weights (SHA-256 {sha256}), and the date of the check.

Give the probability and the verdict, say that it is a detector's estimate, and keep the report."""

API = """## Use it from a program
```python
from gradio_client import Client, handle_file

client = Client("http://127.0.0.1:7860")
label, overlay, report = client.predict(handle_file("picture.jpg"), api_name="/predict")
print(report["verdict"], report["probabilities"], overlay)
for row in client.predict([handle_file("picture.jpg")], api_name="/predict_batch"):
    print(row["file"], row.get("verdict"), row.get("error"))
```
With the address of this page in place of the one above."""


def build_demo(service: Service, keep: int = KEEP) -> gr.Blocks:
    """Builds the page. Start it with `launch` below: never mount it in another app.

    Args:
        service: answers every visitor.
        keep: seconds a visitor's files stay on the server.

    Returns:
        The Gradio app, with the API endpoints `/predict` and `/predict_batch`.

    Raises:
        CheckpointError: the service's checkpoint cannot be had.
    """
    about = service.about()
    with gr.Blocks(
        title="RealityCheck", analytics_enabled=False, delete_cache=(max(1, keep // 3), keep)
    ) as demo:
        gr.Markdown(INTRO)
        with gr.Tabs():
            with gr.Tab("Check"):
                _check_tab(service, about)
            with gr.Tab("Batch"):
                _batch_tab(service, about)
            with gr.Tab("About"):
                _about_tab(about)
        _endpoints(service)
    demo.queue(api_open=False, max_size=QUEUE, default_concurrency_limit=1)
    return demo


# --- one picture ------------------------------------------------------------------------------


# How the page asks about the picture. Without preprocessing: Gradio would open the file itself,
# before any check of ours and with words of its own.
_FROM_PAGE = {"preprocess": False, "api_visibility": "private", "concurrency_id": "model"}


def _check_tab(service: Service, about: dict[str, Any]) -> None:
    with gr.Row():
        with gr.Column():
            picture = _picture_input()
            check = gr.Button("Check this picture", variant="primary")
            examples = _examples(picture)
        with gr.Column():
            verdict = gr.HTML(
                "<p>Choose a picture.</p>",
                elem_id="verdict",
                # The answer appears without a new page: screen readers are told about it.
                js_on_load="element.setAttribute('aria-live', 'polite')",
            )
            label = gr.Label(label="Probabilities", show_heading=False, visible=False)
            viewer = gr.HTML(elem_id="viewer")
            doubts = gr.HTML(elem_id="doubts")
            origin = gr.HTML(elem_id="origin")
            survival = _survival_part(service, picture, about["ai_class"])
            made = _report_part(service, picture, about)
            with gr.Accordion("Details (JSON)", open=False):
                details = gr.JSON(label="Details", show_label=False)
    with gr.Accordion("Checked in this tab", open=False, elem_id="history"):
        gr.HTML("<div class='rc-history'></div>", js_on_load="realitycheck.show()")
        clear = gr.Button("Clear the list")
    clear.click(fn=None, js="() => realitycheck.clear()", api_visibility="private")

    for chosen in (check.click, picture.upload, examples.load_input_event.success):
        chosen(
            _examiner(service, about),
            picture,
            [verdict, label, viewer, doubts, origin, details],
            **_FROM_PAGE,
        ).success(
            fn=None,
            inputs=details,
            js=f"(report) => realitycheck.remember(report, {json.dumps(about['ai_class'])})",
            api_visibility="private",
        )
    picture.clear(
        lambda: ("<p>Choose a picture.</p>", gr.Label(visible=False), "", "", "", None),
        outputs=[verdict, label, viewer, doubts, origin, details],
        api_visibility="private",
    )
    # What was made of the picture before would mislead.
    picture.change(
        lambda: ("", gr.File(value=None, visible=False)),
        outputs=[survival, made],
        api_visibility="private",
        show_progress="hidden",
    )


def _picture_input() -> gr.Image:
    return gr.Image(
        label="Picture",
        type="filepath",
        image_mode=None,
        sources=["upload", "webcam", "clipboard"],
        height=360,
    )


def _examples(picture: gr.Image) -> Any:
    """Pictures a visitor can click, each with what it is; a click loads the picture."""
    entries = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    caption = gr.Textbox(label="What it is", visible=False)
    return gr.Examples(
        [[str(EXAMPLES / entry["file"]), entry["caption"]] for entry in entries],
        [picture, caption],
        label="Examples (click one)",
        api_visibility="private",
    )


def _examiner(service: Service, about: dict[str, Any]) -> Callable:
    def examine(picture: dict | None) -> tuple[str, gr.Label, str, str, str, dict]:
        answer = _answer(service.check, picture)
        return (
            page.headline(answer.report, about["ai_class"]),
            gr.Label(value=answer.report["probabilities"], visible=True),
            page.viewer(answer, about["explanations"]),
            page.doubts(answer.report, about["metrics"]),
            page.origin(answer.report),
            answer.report,
        )

    return examine


def _survival_part(service: Service, picture: gr.Image, ai_class: str) -> gr.HTML:
    """On demand, the same question about changed copies of the picture."""
    with gr.Accordion("Would the answer survive?", open=False):
        gr.Markdown("The same picture, re-saved, shrunken and cut, asked again.")
        again = gr.Button("Ask again")
        table = gr.HTML(elem_id="survival")

    def survive(picture: dict | None) -> str:
        return page.survival(_answer(service.survive, picture), ai_class)

    again.click(survive, picture, table, **_FROM_PAGE)
    return table


def _report_part(service: Service, picture: gr.Image, about: dict[str, Any]) -> gr.File:
    """On demand, everything about the picture as files to keep."""
    with gr.Accordion("Keep a report", open=False):
        gr.Markdown("The picture, its map and all that is said here, as one HTML file and as JSON.")
        make = gr.Button("Make the report")
        made = gr.File(label="Report", file_count="multiple", visible=False, elem_id="report")

    def write(picture: dict | None) -> gr.File:
        answer: Answer = _answer(service.check, picture)
        held = report.contents(answer, _answer(service.survive, picture), about)
        stem = f"realitycheck-{Path(held['picture']['name']).stem[:60] or 'picture'}"
        written = [
            _to_cache(f"{stem}.html", report.html(answer, held, about)),
            _to_cache(f"{stem}.json", json.dumps(held, indent=2, ensure_ascii=False)),
        ]
        return gr.File(value=written, visible=True)

    make.click(write, picture, made, **_FROM_PAGE)
    return made


def _to_cache(name: str, text: str) -> str:
    """Writes a file where Gradio serves it from, and deletes it when its time has come."""
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def _answer(question: Callable[[str], Any], picture: dict | None) -> Any:
    if picture is None:
        raise gr.Error("Choose a picture first.", print_exception=False)
    try:
        return question(_allowed(picture["path"]))
    except PictureError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _allowed(picture: str) -> str:
    return str(images.allowed_path(picture, [get_upload_folder(), EXAMPLES]))


# --- many pictures ----------------------------------------------------------------------------

_HEADS = ["Picture", "File", "Verdict", "AI, %", "Notes"]


def _batch_tab(service: Service, about: dict[str, Any]) -> None:
    gr.Markdown(
        f"Up to {BATCH} pictures. Sort and filter the table by its column heads. Each answer can "
        "be wrong by itself; look at one closely on the first tab."
    )
    files = _files_input()
    check = gr.Button("Check these pictures", variant="primary")
    status = gr.HTML(elem_id="batch-status")
    table = gr.Dataframe(
        headers=_HEADS,
        datatype=["html", "str", "str", "number", "str"],
        type="array",
        interactive=False,
        show_search="filter",
        wrap=True,
        column_widths=["90px", "25%", "110px", "90px", "45%"],
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


def _files_input() -> gr.File:
    # No file_types: one file of a wrong kind would refuse the lot, and here it gets its own row.
    files = gr.File(label="Pictures", file_count="multiple", height=200, elem_id="files")
    # As in _FROM_PAGE; and no empty copies are left behind. An instance attribute, because the
    # browser looks a component up by its class.
    files.preprocess = _named_paths
    return files


def _named_paths(payload: Any) -> list[str]:
    return [file.path for file in payload.root] if payload is not None else []


def _batch_examiner(service: Service, about: dict[str, Any]) -> Callable:
    def examine(files: list[str], progress=gr.Progress()) -> Iterator[tuple]:  # noqa: B008
        found, lines = [], []
        # What stood here is about other pictures.
        yield (
            "",
            gr.Dataframe(visible=False),
            *[gr.DownloadButton(value=None, interactive=False)] * 2,
        )
        for found_row, answer in _batch_answers(service, files):
            found.append(found_row)
            lines.append(_line(found_row, answer, about["ai_class"]))
            progress((len(found), len(files)), unit="pictures")
            yield gr.skip(), gr.Dataframe(value=lines, visible=True), gr.skip(), gr.skip()
        yield (
            _tally(found),
            gr.skip(),
            gr.DownloadButton(
                value=_to_cache("realitycheck.csv", _as_csv(found, about["classes"])),
                interactive=True,
            ),
            gr.DownloadButton(
                value=_to_cache(
                    "realitycheck.json", json.dumps(found, indent=2, ensure_ascii=False)
                ),
                interactive=True,
            ),
        )

    return examine


def _batch_answers(
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
            answer = service.check(_allowed(file))
        except PictureError as error:
            yield rows.failed(name, error), None
        else:
            yield rows.row(name, answer.report), answer


def _line(row: dict[str, Any], answer: Answer | None, ai_class: str) -> list[Any]:
    if answer is None:
        return ["", row["file"], "not examined", None, row["error"]]
    share = round(100 * row["probabilities"][ai_class], 1)
    return [_thumbnail(answer), row["file"], row["verdict"], share, " ".join(row["warnings"])]


def _thumbnail(answer: Answer) -> str:
    small = _decode(answer.picture)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return f"<img src='{page.data_url(buffer.getvalue())}' alt=''>"


def _tally(found: list[dict[str, Any]]) -> str:
    verdicts = [row.get("verdict", "not examined") for row in found]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in dict.fromkeys(verdicts))
    return f"<p>{len(found)} pictures: {counts}.</p>"


def _as_csv(found: list[dict[str, Any]], classes: list[str]) -> str:
    buffer = io.StringIO(newline="")
    write = rows.csv_writer(buffer, classes)
    for row in found:
        write(row)
    return buffer.getvalue()


# --- about ------------------------------------------------------------------------------------


def _about_tab(about: dict[str, Any]) -> None:
    metrics = about["metrics"]
    gr.Markdown(WHAT)
    gr.HTML(f"<h2>How far to trust it</h2>{page.limits()}")
    gr.HTML(
        f"<h2>The model that is running</h2>{page.model(about)}"
        f"{page.figures(metrics)}{page.weakest(metrics)}",
        elem_id="model",
    )
    if about["model"]["source"] == "bundled":
        gr.Markdown(HOW_TRAINED)
    with gr.Accordion("Its training in full", open=False):
        gr.HTML(page.training(about))
    gr.Markdown(BASE_RATE)
    share = gr.Slider(
        0.1, 99, value=5, step=0.1, label="Share of AI pictures among those you check, %"
    )
    table = gr.HTML(page.base_rates(metrics, 0.05), elem_id="base-rates")
    share.change(  # not release: a number that is typed releases nothing
        lambda chosen: page.base_rates(metrics, chosen / 100),
        share,
        table,
        trigger_mode="always_last",
        api_visibility="private",
        show_progress="hidden",
    )
    model = about["model"]
    gr.Markdown(CITE.format(version=model["version"], sha256=model["sha256"][:12]))
    gr.Markdown(API)


# --- the API ----------------------------------------------------------------------------------


def _endpoints(service: Service) -> None:
    """`/predict` and `/predict_batch`, apart from the page, so that it can change."""
    picture, files = _picture_input(), _files_input()
    label, overlay, details = gr.Label(), gr.Image(format="jpeg"), gr.JSON()
    answers = gr.JSON()
    for part in (picture, files, label, overlay, details, answers):
        part.visible = False

    def predict(picture: dict | None) -> tuple[dict, Image.Image, dict]:
        """Says whether a picture was made by an AI.

        Args:
            picture: the picture.

        Returns:
            The probabilities, the picture with its Grad-CAM map drawn over it, and a report with
            verdict, probabilities, warnings, provenance, views and model.
        """
        answer = _answer(service.check, picture)
        return answer.report["probabilities"], _decode(answer.overlay), answer.report

    def predict_batch(pictures: list[str]) -> list[dict]:
        """Says of up to 50 pictures whether each was made by an AI.

        Args:
            pictures: the pictures.

        Returns:
            For each in turn: file, verdict, probabilities, warnings and model; or file and error.
        """
        return [row for row, _ in _batch_answers(service, pictures)]

    gr.Button(visible=False).click(
        predict,
        picture,
        [label, overlay, details],
        preprocess=False,
        api_name="predict",
        concurrency_id="model",
    )
    gr.Button(visible=False).click(
        predict_batch, files, answers, api_name="predict_batch", concurrency_id="batch"
    )


def _decode(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def _theme() -> gr.themes.Base:
    # As in CSS above.
    return gr.themes.Default().set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
    )


def launch(demo: gr.Blocks, **options: Any) -> None:
    """Starts the page, adds `/healthz` and blocks until it is stopped.

    What visitors left in Gradio's folder (its variable GRADIO_TEMP_DIR) is deleted when it is
    older than `keep` of `build_demo`, and all of it at the end: use a folder of its own.

    Args:
        demo: from `build_demo`.
        options: further arguments of `gr.Blocks.launch`.
    """
    app, _, _ = demo.launch(
        prevent_thread_lock=True,
        theme=_theme(),
        css=page.CSS + CSS,
        head=f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>",
        run_history=False,
        max_file_size=images.MAX_BYTES,
        state_session_capacity=QUEUE,  # each holds a visitor's last answer, maps and all
        app_kwargs={"middleware": [Middleware(_Closed)]},
        **options,
    )

    if demo.mcp_server_obj:
        # Gradio 6.31 describes its list of files to MCP clients in a way that none can follow,
        # and would open any file of this machine that an entry names.
        demo.mcp_server_obj.tool_to_endpoint.pop("predict_batch")

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    threading.Thread(target=_forget_regularly, args=(demo,), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: demo.close(verbose=False))
    logging.getLogger(__name__).info("Ready.")
    try:
        demo.block_thread()
    finally:
        _forget(demo, 0)


class _Closed:
    """Answers 404 for what the page never asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        closed = scope["type"] == "http" and scope["path"].startswith(CLOSED)
        await (PlainTextResponse("Not found.", 404) if closed else self.app)(scope, receive, send)


def _forget_regularly(demo: gr.Blocks) -> None:
    every, keep = demo.delete_cache
    while True:
        time.sleep(every)
        with contextlib.suppress(OSError):  # once more next time
            _forget(demo, keep)


def _forget(demo: gr.Blocks, age: float) -> None:
    """Deletes the files older than `age` seconds.

    Gradio's own cleaning knows nothing of an upload that broke off or of the server before this
    one, and ends for good when a visitor names a folder as a picture.
    """
    examples = {file for part in demo.blocks.values() for file in part.keep_in_cache}
    for file in Path(get_upload_folder()).rglob("*"):
        with contextlib.suppress(OSError):  # Gradio was quicker
            old = time.time() - file.lstat().st_ctime >= age
            if old and str(file) not in examples and (file.is_symlink() or file.is_file()):
                file.unlink()
