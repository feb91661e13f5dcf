"""The page: one picture, many pictures, and what is known of the model."""

from pathlib import Path

import gradio as gr

from realitycheck.web import api, calls, model_html
from realitycheck.web.answer import About
from realitycheck.web.batch import batch_tab
from realitycheck.web.check import CheckTab, picture_input
from realitycheck.web.feedback import Feedback
from realitycheck.web.gallery import Gallery
from realitycheck.web.language import Texts
from realitycheck.web.service import Service
from realitycheck.web.uploads import UPLOAD_TTL
from realitycheck.wording import PICTURE, TITLE, Language

QUEUE = 32  # waiting visitors, before one is told to try again

INTRO = """<header class="rc-head">{mark}<div><h1>RealityCheck</h1>
<p>{says}</p>
</div></header>"""
MARK = Path(__file__).with_name("static") / "favicon.svg"

API = """{title}
```python
from gradio_client import Client, handle_file

client = Client("http://127.0.0.1:7860")
label, overlay, report = client.predict(handle_file("picture.jpg"), api_name="/predict")
print(report["verdict"], report["probabilities"], overlay)
for row in client.predict([handle_file("picture.jpg")], api_name="/predict_batch"):
    print(row["file"], row.get("verdict"), row.get("error"))
```
{address}"""


def build_demo(
    service: Service, keep: int = UPLOAD_TTL, feedback: Feedback | None = None
) -> calls.Blocks:
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
    about, gallery, texts = service.about(), Gallery(service), Texts()
    demo = calls.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(max(1, keep // 3), keep)
    )
    demo.texts = texts
    with demo:
        gr.HTML(texts(lambda words: INTRO.format(mark=_mark(), says=words.INTRO)))
        with gr.Tabs():
            with gr.Tab(texts(lambda words: words.TABS[0])):
                CheckTab(service, about, gallery, texts, feedback)
            with gr.Tab(texts(lambda words: words.TABS[1])):
                batch_tab(service, about, texts)
            with gr.Tab(texts(lambda words: words.TABS[2])):
                _about_tab(about, texts)
        api.endpoints(service, picture_input(PICTURE))
    gallery.prepare()
    demo.queue(api_open=False, max_size=QUEUE, default_concurrency_limit=1)
    return demo


def _mark() -> str:
    """The page's icon, which a screen reader leaves out."""
    return MARK.read_text(encoding="utf-8").replace("<svg ", "<svg aria-hidden='true' ", 1)


# --- about ------------------------------------------------------------------------------------


def _about_tab(about: About, texts: Texts) -> None:
    model = about.model
    metrics = about.record.metrics
    gr.HTML(texts(lambda words: model_html.in_short(model["calls"], words)), elem_id="in-short")
    gr.Markdown(texts(lambda words: words.WHAT))
    gr.HTML(texts(lambda words: f"<h2>{words.TRUST}</h2>{model_html.limits(words)}"))
    gr.HTML(texts(lambda words: _running(about, words)), elem_id="model")
    if model["source"] == "bundled":
        gr.Markdown(texts(lambda words: words.HOW_TRAINED))
    gr.HTML(texts(lambda words: model_html.training(about.record, words)))
    gr.Markdown(texts(lambda words: words.HOW_TO_READ))
    gr.HTML(texts(lambda words: model_html.base_rates(metrics, words)), elem_id="base-rates")
    named = {"version": model["version"], "sha256": model["sha256"][:12]}
    gr.Markdown(texts(lambda words: words.CITE.format(**named)))
    gr.Markdown(texts(lambda words: API.format(title=words.FROM_A_PROGRAM, address=words.ADDRESS)))


def _running(about: About, words: Language) -> str:
    metrics = about.record.metrics
    return (
        f"<h2>{words.RUNNING}</h2>{model_html.model(about.model, words)}"
        f"{model_html.figures(metrics, words)}{model_html.weakest(metrics, words)}"
        f"{model_html.maps(about.record.explanations, words)}"
    )
