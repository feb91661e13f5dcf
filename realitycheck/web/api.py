"""The API: `/predict` and `/predict_batch`, apart from the page, so that it can change."""

import io
from typing import Any

import gradio as gr
from PIL import Image

from realitycheck.web.batch import batch_answers, files_input
from realitycheck.web.service import Service
from realitycheck.web.uploads import ask


def endpoints(service: Service, picture: gr.Image) -> None:
    """Adds both.

    Args:
        service: answers them.
        picture: an input of the page's kind, for these alone.
    """
    files = files_input()
    label, overlay, details = gr.Label(), gr.Image(format="jpeg"), gr.JSON()
    answers = gr.JSON()
    for part in (picture, files, label, overlay, details, answers):
        part.visible = False

    def predict(
        picture: dict[str, Any] | None,
    ) -> tuple[dict[str, float], Image.Image, dict[str, Any]]:
        """Says whether a picture was made by an AI.

        Args:
            picture: the picture.

        Returns:
            The probabilities, the picture with its Grad-CAM map drawn over it, and a report with
            verdict, probabilities, warnings, provenance, views and model.
        """
        answer = ask(service.check, picture)
        return answer.report["probabilities"], Image.open(io.BytesIO(answer.overlay)), answer.report

    def predict_batch(pictures: list[str]) -> list[dict[str, Any]]:
        """Says of up to 50 pictures whether each was made by an AI.

        Args:
            pictures: the pictures.

        Returns:
            For each in turn: file, verdict, probabilities, warnings, origin, provenance and model;
            or file and error.
        """
        return [row for row, _ in batch_answers(service, pictures)]

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
