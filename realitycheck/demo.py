"""The web demo: a Gradio page and API over a `Service`."""

import html
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from PIL import Image

from realitycheck import images, provenance
from realitycheck.card import percent
from realitycheck.errors import PictureError
from realitycheck.service import ORIGINAL, Answer, Service

EXAMPLES = Path(__file__).parent.parent / "examples"
QUEUE = 32  # waiting visitors, before one is told to try again
KEEP = 3600  # seconds a visitor's files stay on the server
SESSIONS = 200  # visitors whose last answer is kept for the switches, about 0.5 MB each
SHOW_MAP, SHOW_ORIGINAL = "Map", "Original"
CAPTION = "Brighter regions raised the score of the chosen class. They are not “fake areas”."

UNMOVED = "None of this moves the probability. Content Credentials (C2PA) are not looked for."

CHANGES = {
    "clean": "as it is",
    "q90": "JPEG, quality 90",
    "q70": "JPEG, quality 70",
    "q50": "JPEG, quality 50",
    "half": "half the size",
    "crop": "cut to the middle",
    "screenshot": "like a screenshot",
}

CSS = """
#verdict h2 {margin: 0.2em 0 0; font-size: 1.6rem; line-height: 1.25}
#verdict p {margin: 0.3em 0 0}
#verdict ul {margin: 0.4em 0 0 1.2em; padding: 0}
#trust table {display: block; overflow-x: auto}
#trust th, #trust td {overflow-wrap: normal; word-break: normal}
#survival {width: 100%; border-collapse: collapse}
#survival th, #survival td {padding: 0.2em 0.5em; text-align: left; font-weight: normal}
#survival .bar {width: 35%}
#survival .bar div {height: 0.8em; background: var(--color-accent); border-radius: 2px}
"""

INTRO = """# RealityCheck
Is this picture a photograph or made by a person, or was it made by an AI?
**The answer is a probability, not proof: never accuse anyone on its strength alone.**"""

LIMITS = """### How far to trust it
- The detector can be wrong, more often on generators and cameras it has never seen.
- It says “uncertain” where calling it either way would too often be false.
- Re-saved, shrunken, filtered or collaged pictures carry less evidence. Screenshots, artwork and
  smooth studio portraits are the usual victims of false alarms.
- “Made by a person” includes drawings and edited photographs: it does not mean unedited.
- The map shows which regions raised a score. It does not outline manipulated parts."""


def build_demo(service: Service) -> gr.Blocks:
    """Builds the page. Start it with `launch` below: never mount it in another app.

    Args:
        service: answers every visitor.

    Returns:
        The Gradio app, with the API endpoint `/predict`.

    Raises:
        CheckpointError: the service's checkpoint cannot be had.
    """
    about = service.about()
    with gr.Blocks(
        title="RealityCheck", analytics_enabled=False, delete_cache=(KEEP // 4, KEEP)
    ) as demo:
        gr.Markdown(INTRO)
        shown = gr.State(None, time_to_live=KEEP)
        with gr.Row():
            with gr.Column():
                picture = _picture_input()
                check = gr.Button("Check this picture", variant="primary")
                examples = _examples(picture)
            with gr.Column():
                verdict = gr.Markdown("Choose a picture.", elem_id="verdict")
                label = gr.Label(label="Probabilities", show_heading=False)
                drawn = gr.Image(
                    label="Where the score comes from",
                    format="jpeg",
                    interactive=False,
                    buttons=["download", "fullscreen"],
                    alt_text="The picture with the regions that raised the score made bright",
                )
                with gr.Row():
                    layer = gr.Radio([SHOW_MAP, SHOW_ORIGINAL], value=SHOW_MAP, label="Show")
                    which = gr.Radio(about["classes"], value=None, label="Map for class")
                gr.Markdown(CAPTION)
                origin = gr.Markdown(elem_id="origin")
                _survival_part(service, picture, about["ai_class"])
                with gr.Accordion("Full report (JSON)", open=False):
                    report = gr.JSON(label="Report", show_label=False)
        gr.Markdown(
            f"{LIMITS}\n\n### The model that is running\n{describe_model(about)}", elem_id="trust"
        )

        answers = {
            "fn": _predictor(service),
            "inputs": picture,
            "outputs": [label, drawn, report, shown],
        }
        finish = {
            "fn": _summary,
            "inputs": report,
            "outputs": [verdict, layer, which, origin],
            "api_visibility": "private",
            "show_progress": "hidden",
        }
        check.click(
            **answers,
            api_name="predict",
            api_description=_predictor.__doc__,
            concurrency_id="model",
        ).success(**finish)
        for chosen in (picture.upload, examples.load_input_event.success):
            chosen(**answers, api_visibility="private", concurrency_id="model").success(**finish)
        for switch in (layer, which):
            switch.input(
                _switch,
                [shown, layer, which],
                drawn,
                api_visibility="private",
                show_progress="hidden",
            )
        picture.clear(
            lambda: ("Choose a picture.", None, None, None, None, ""),
            outputs=[verdict, label, drawn, report, shown, origin],
            api_visibility="private",
        )
    demo.queue(api_open=False, max_size=QUEUE, default_concurrency_limit=1)
    return demo


def _picture_input() -> gr.Image:
    picture = gr.Image(
        label="Picture",
        type="filepath",
        image_mode=None,
        sources=["upload", "webcam", "clipboard"],
        height=360,
    )
    # Gradio would open the file itself, before any check of ours and with words of its own.
    # An instance attribute, because the browser looks a component up by its class.
    picture.preprocess = _named_path
    return picture


def _named_path(payload: Any) -> str | None:
    return payload.path if payload is not None else None


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


def _predictor(service: Service) -> Callable:
    """Says whether a picture was made by an AI.

    Takes an uploaded picture. Returns the probabilities, the picture with its Grad-CAM map,
    and a JSON report with verdict, probabilities, warnings, views and model.
    """

    def predict(picture: str | None) -> tuple[dict, Image.Image, dict, dict]:
        answer: Answer = _asked(service.check, picture)
        return (
            answer.report["probabilities"],
            _decode(answer.layers[answer.label]),
            answer.report,
            answer.layers,
        )

    return predict


def _survival_part(service: Service, picture: gr.Image, ai_class: str) -> None:
    """On demand, the same question about changed copies of the picture."""
    with gr.Accordion("Would the answer survive?", open=False):
        gr.Markdown("The same picture, re-saved, shrunken and cut, asked again.")
        again = gr.Button("Ask again")
        table = gr.HTML()
    again.click(
        _survivor(service, ai_class),
        picture,
        table,
        api_visibility="private",
        concurrency_id="model",
    )
    # A table about the picture before would mislead.
    picture.change(lambda: "", outputs=table, api_visibility="private")


def _survivor(service: Service, ai_class: str) -> Callable:
    def survive(picture: str | None) -> str:
        return _survival_table(_asked(service.survive, picture), ai_class)

    return survive


def _asked(question: Callable[[str], Any], picture: str | None) -> Any:
    if picture is None:
        raise gr.Error("Choose a picture first.", print_exception=False)
    try:
        path = images.allowed_path(picture, [get_upload_folder(), EXAMPLES])
        return question(str(path))
    except PictureError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _survival_table(rows: list[dict[str, Any]], ai_class: str) -> str:
    """The AI probability and verdict under each change, as a table with bars and a sentence."""
    first, *changed = rows
    fallen = [CHANGES[row["condition"]] for row in changed if row["verdict"] != first["verdict"]]
    if fallen:
        sentence = f"The verdict changes in {len(fallen)} of {len(changed)}: {', '.join(fallen)}."
    else:
        sentence = f"The verdict is the same in all {len(changed)} changed copies."
    lines = []
    for row in rows:
        share = 100 * row["probabilities"][ai_class]
        lines.append(
            f"<tr><th scope='row'>{CHANGES[row['condition']]}</th>"
            f"<td class='bar'><div style='width:{share:.0f}%'></div></td>"
            f"<td>{share:.0f}&nbsp;%</td><td>{html.escape(row['verdict'])}</td></tr>"
        )
    heads = "".join(
        f"<th scope='col'>{name}</th>"
        for name in ("Copy", f"Score of “{html.escape(ai_class)}”", "", "Verdict")
    )
    return f"<p>{sentence}</p><table id='survival'><tr>{heads}</tr>{''.join(lines)}</table>"


def _decode(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def _switch(layers: dict[str, bytes] | None, layer: str, name: str | None) -> Image.Image | None:
    if not layers:
        return None
    return _decode(layers[name if layer == SHOW_MAP and name in layers else ORIGINAL])


def _summary(report: dict) -> tuple[str, str, str, str]:
    """The verdict in words, the switches set to what is shown, and what the file says."""
    probabilities = report["probabilities"]
    label = max(probabilities, key=probabilities.get)
    notes = "".join(f"\n- {html.escape(note)}" for note in report["warnings"])
    return f"## {report['sentence']}\n{notes}", SHOW_MAP, label, _origin(report["provenance"])


def _origin(findings: list[dict[str, str]]) -> str:
    lines = [
        f"- {html.escape(finding['says'])} *Found in {html.escape(finding['where'])}. "
        f"{html.escape(finding['trust'])}*"
        for finding in findings
    ]
    return "\n".join(["### What the file says", *(lines or [provenance.NOTHING]), "", UNMOVED])


def describe_model(about: dict[str, Any]) -> str:
    """Which checkpoint answers and how accurate it was measured to be, as Markdown.

    Args:
        about: from `Service.about`.
    """
    model = about["model"]
    where = model["source"] + (f" @ {model['revision'][:12]}" if model["revision"] else "")
    facts = f"version {model['version']}, {model['arch']}, SHA-256 `{model['sha256'][:12]}`"
    lines = [f"`{where}`, {facts}.", ""]
    rows = [
        f"| {name}, {condition} | {percent(figures['balanced_accuracy'])} | "
        f"{percent(figures['verdicts']['decided'])} | "
        f"{percent(figures['verdicts']['real_called_ai'])} |"
        for name, conditions in about["metrics"].items()
        for condition, figures in conditions.items()
    ]
    if not rows:
        return "\n".join([*lines, "No accuracy was measured for this checkpoint."])
    lines += [
        "| pictures | balanced accuracy, % | verdict given, % | real called AI, % |",
        "|---|---|---|---|",
        *rows,
        "",
        "In brackets: 95 % intervals. “Unseen”: generators and cameras training never saw.",
    ]
    return "\n".join(lines)


def launch(demo: gr.Blocks, **options: Any) -> None:
    """Starts the page, adds `/healthz` and blocks until it is stopped.

    Args:
        demo: from `build_demo`.
        options: further arguments of `gr.Blocks.launch`.
    """
    app, _, _ = demo.launch(
        prevent_thread_lock=True,
        css=CSS,
        run_history=False,
        state_session_capacity=SESSIONS,
        max_file_size=images.MAX_BYTES,
        **options,
    )

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    logging.getLogger(__name__).info("Ready.")
    demo.block_thread()
