"""The page: one picture, many pictures, and what is known of the model."""

from pathlib import Path

import gradio as gr

from realitycheck.web import api, calls, model_html
from realitycheck.web.answer import About
from realitycheck.web.batch import batch_tab
from realitycheck.web.check import CheckTab, picture_input
from realitycheck.web.feedback import Feedback
from realitycheck.web.gallery import Gallery
from realitycheck.web.service import Service
from realitycheck.web.uploads import UPLOAD_TTL
from realitycheck.wording import TITLE

QUEUE = 32  # waiting visitors, before one is told to try again

INTRO = """<header class="rc-head">{mark}<div><h1>RealityCheck</h1>
<p>Photograph, made by a person, or made by an AI? <strong>Evidence, not proof.</strong></p>
</div></header>"""
MARK = Path(__file__).with_name("static") / "favicon.svg"

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
    about, gallery = service.about(), Gallery(service)
    with calls.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(max(1, keep // 3), keep)
    ) as demo:
        gr.HTML(INTRO.format(mark=_mark()))
        with gr.Tabs():
            with gr.Tab("Check"):
                CheckTab(service, about, gallery, feedback)
            with gr.Tab("Batch"):
                batch_tab(service, about)
            with gr.Tab("About"):
                _about_tab(about)
        api.endpoints(service, picture_input())
    gallery.prepare()
    demo.queue(api_open=False, max_size=QUEUE, default_concurrency_limit=1)
    return demo


def _mark() -> str:
    """The page's icon, which a screen reader leaves out."""
    return MARK.read_text(encoding="utf-8").replace("<svg ", "<svg aria-hidden='true' ", 1)


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
    gr.HTML(model_html.training(about.record))
    gr.Markdown(BASE_RATE)
    gr.HTML(model_html.base_rates(metrics), elem_id="base-rates")
    model = about.model
    gr.Markdown(CITE.format(version=model["version"], sha256=model["sha256"][:12]))
    gr.Markdown(API)
