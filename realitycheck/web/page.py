"""The page: one picture, many pictures, and what is known of the model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from realitycheck import verdict_card
from realitycheck.web import answer_html, api, calls, feedback_page, model_html, report
from realitycheck.web.answer import About, Answer
from realitycheck.web.batch import batch_tab
from realitycheck.web.feedback import Feedback
from realitycheck.web.service import Service
from realitycheck.web.uploads import EXAMPLES, UPLOAD_TTL, ask, to_cache
from realitycheck.wording import SURVIVAL, TITLE

EMPTY = "<p>Drop, paste or take a picture, or try an example: the answer stands here.</p>"
QUEUE = 32  # waiting visitors, before one is told to try again

INTRO = """# RealityCheck
Photograph, made by a person, or made by an AI? **Evidence, not proof.**"""

WHAT = """## What this is
A neural network that was trained to tell pictures made by an AI from photographs and other pictures
made by people. It looks at a small copy of the whole and at a part in its own scale, averages what
it finds, and turns that into a probability that was calibrated on pictures from sources it had not
seen. It does not search the web, and it does not know who made a picture.

Pictures stay on this server for an hour at most and are used for nothing but the answer, unless
you choose to give one. The list of what you checked lives in your browser and ends with the tab."""

HOW_TRAINED = """## How it was trained
The image tower of CLIP ViT-B/16 (OpenAI, MIT licence), kept as it was, under a small network that
was trained on pictures from some 500 public repositories: generators from StyleGAN2 and Stable
Diffusion 1.x to GPT-Image-2 and FLUX.2, against photographs, portraits, art and screenshots. Both
kinds went through the same scaling and JPEG saving, so that file size and format give nothing away.
The checkpoint's own card lists every setting."""

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


def build_demo(
    service: Service, keep: int = UPLOAD_TTL, feedback: Feedback | None = None
) -> gr.Blocks:
    """Builds the page. Start it with `launch` below: never mount it in another app.

    Args:
        service: answers every visitor.
        keep: seconds a visitor's files stay on the server.
        feedback: takes what visitors say of answers; None to ask nobody.

    Returns:
        The Gradio app, with the API endpoints `/predict` and `/predict_batch`.

    Raises:
        CheckpointError: the service's checkpoint cannot be had.
    """
    about = service.about()
    with calls.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(max(1, keep // 3), keep)
    ) as demo:
        gr.Markdown(INTRO)
        with gr.Tabs():
            with gr.Tab("Check"):
                _check_tab(service, about, feedback)
            with gr.Tab("Batch"):
                batch_tab(service, about)
            with gr.Tab("About"):
                _about_tab(about)
        api.endpoints(service, _picture_input())
    demo.queue(api_open=False, max_size=QUEUE, default_concurrency_limit=1)
    return demo


# --- one picture ------------------------------------------------------------------------------


# How the page asks about the picture. Without preprocessing: Gradio would open the file itself,
# before any check of ours and with words of its own.
_FROM_PAGE = {"preprocess": False, "api_visibility": "private", "concurrency_id": "model"}


def _check_tab(service: Service, about: About, feedback: Feedback | None) -> None:
    # A grid of page.css: on a phone the verdict comes before map and examples.
    with gr.Row(elem_id="check"):
        with gr.Column(elem_id="chosen"):
            picture = _picture_input(elem_id="picture")
            check = gr.Button("Check this picture", variant="primary")
        with gr.Column(elem_id="answer"):
            verdict = gr.HTML(
                EMPTY,
                elem_id="verdict",
                # The answer appears without a new page: screen readers are told about it.
                js_on_load="element.setAttribute('aria-live', 'polite')",
            )
            evidence = gr.HTML(elem_id="evidence", visible=False)
            with gr.Column(visible=False) as more:
                feedback_page.part(service, picture, feedback)
                survival = _survival_part(service, picture, about)
                made = _report_part(service, picture, about)
                with gr.Accordion("Details (JSON)", open=False):
                    details = gr.JSON(label="Details", show_label=False)
        with gr.Column(elem_id="shown"):
            viewer = gr.HTML(elem_id="viewer", visible=False)
            examples = _examples(picture)
    with gr.Accordion("Checked in this tab", open=False, elem_id="history"):
        gr.HTML("<div class='rc-history'></div>", js_on_load="realitycheck.show()")
        clear = gr.Button("Clear the list")
    clear.click(fn=None, js="() => realitycheck.clear()", api_visibility="private")

    answered = [verdict, evidence, more, viewer, details]
    for chosen in (check.click, picture.upload, examples.load_input_event.success):
        chosen(_examiner(service), picture, answered, **_FROM_PAGE).success(
            fn=None,
            inputs=details,
            js="(report) => realitycheck.remember(report)",
            api_visibility="private",
        )
    picture.clear(
        lambda: (EMPTY, *_hidden(), None),
        outputs=answered,
        api_visibility="private",
    )
    # What was made of the picture before would mislead.
    picture.change(
        lambda: ("", gr.File(value=None, visible=False)),
        outputs=[survival, made],
        api_visibility="private",
        show_progress="hidden",
    )


def _hidden() -> tuple[gr.HTML, gr.Column, gr.HTML]:
    """What stands beside and below a verdict, where there is none."""
    return gr.HTML(visible=False), gr.Column(visible=False), gr.HTML(visible=False)


def _picture_input(elem_id: str | None = None) -> gr.Image:
    return gr.Image(
        elem_id=elem_id,
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


def _examiner(service: Service) -> Callable[..., tuple[Any, ...]]:
    def examine(picture: dict[str, Any] | None) -> tuple[Any, ...]:
        try:
            answer = ask(service.check, picture)
        except gr.Error as error:  # said where the answer would stand, and it stays
            return (answer_html.error(error.message), *_hidden(), None)
        return (
            verdict_card.card(answer.report),
            gr.HTML(answer_html.evidence(answer.report), visible=True),
            gr.Column(visible=True),
            gr.HTML(answer_html.viewer(answer), visible=True),
            answer.report,
        )

    return examine


def _survival_part(service: Service, picture: gr.Image, about: About) -> gr.HTML:
    """On demand, the same question about changed copies of the picture."""
    with gr.Column(elem_classes="rc-card"):
        gr.HTML(f"<h3>{SURVIVAL}</h3>")
        again = gr.Button("Re-save, shrink and cut it, and ask again")
        table = gr.HTML(elem_id="survival")

    def survive(picture: dict[str, Any] | None) -> str:
        try:
            return answer_html.perturbed(ask(service.check_perturbed, picture), about.model)
        except gr.Error as error:
            return answer_html.error(error.message)

    again.click(survive, picture, table, **_FROM_PAGE)
    return table


def _report_part(service: Service, picture: gr.Image, about: About) -> gr.File:
    """On demand, everything about the picture as files to keep."""
    with gr.Accordion("Keep a report", open=False):
        gr.Markdown("The picture, its map and all that is said here, as one HTML file and as JSON.")
        make = gr.Button("Make the report")
        made = gr.File(label="Report", file_count="multiple", visible=False, elem_id="report")

    def write(picture: dict[str, Any] | None) -> gr.File:
        answer: Answer = ask(service.check, picture)
        kept = report.contents(answer, ask(service.check_perturbed, picture), about)
        stem = f"realitycheck-{Path(kept['picture']['name']).stem or 'picture'}"
        written = [
            to_cache(f"{stem}.html", report.html(answer, kept, about)),
            to_cache(f"{stem}.json", json.dumps(kept, indent=2, ensure_ascii=False)),
        ]
        return gr.File(value=written, visible=True)

    make.click(write, picture, made, **_FROM_PAGE)
    return made


# --- about ------------------------------------------------------------------------------------


def _about_tab(about: About) -> None:
    metrics = about.record.metrics
    gr.HTML(model_html.in_short(about.model["calls"]), elem_id="in-short")
    gr.Markdown(WHAT)
    gr.HTML(f"<h2>How far to trust it</h2>{model_html.limits()}")
    gr.HTML(
        f"<h2>The model that is running</h2>{model_html.model(about.model)}"
        f"{model_html.figures(metrics)}{model_html.weakest(metrics)}"
        f"{model_html.maps(about.record.explanations)}",
        elem_id="model",
    )
    if about.model["source"] == "bundled":
        gr.Markdown(HOW_TRAINED)
    with gr.Accordion("Its training in full", open=False):
        gr.HTML(model_html.training(about.record))
    gr.Markdown(BASE_RATE)
    share = gr.Slider(
        0.1, 99, value=5, step=0.1, label="Share of AI pictures among those you check, %"
    )
    table = gr.HTML(model_html.base_rates(metrics, 0.05), elem_id="base-rates")
    share.change(  # not release: a number that is typed releases nothing
        lambda chosen: model_html.base_rates(metrics, chosen / 100),
        share,
        table,
        trigger_mode="always_last",
        api_visibility="private",
        show_progress="hidden",
    )
    model = about.model
    gr.Markdown(CITE.format(version=model["version"], sha256=model["sha256"][:12]))
    gr.Markdown(API)
