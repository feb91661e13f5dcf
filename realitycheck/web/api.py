"""The API: `/predict` and `/predict_batch`, apart from the page, so that it can change."""

import io
from typing import Any

import gradio as gr
from gradio.components.label import LabelConfidence, LabelData
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
    # Gradio would name the likeliest class. An instance attribute, because the browser looks a
    # component up by its class.
    label.postprocess = lambda found: found
    answers = gr.JSON()
    for part in (picture, files, label, overlay, details, answers):
        part.visible = False

    def predict(
        picture: dict[str, Any] | None,
    ) -> tuple[LabelData, Image.Image, dict[str, Any]]:
        """Says whether a picture was made by an AI.

        Args:
            picture: the picture.

        Returns:
            The verdict with the probabilities, the picture with its Grad-CAM map drawn over it,
            and a report with verdict, probabilities, warnings, provenance, views and model.
        """
        answer = ask(service.check, picture)
        overlaid = Image.open(io.BytesIO(answer.overlay))
        return labelled(answer.report), overlaid, answer.report

    def predict_batch(pictures: list[str]) -> list[dict[str, Any]]:
        """Says of up to 200 pictures whether each was made by an AI.

        Args:
            pictures: the pictures.

        Returns:
            For each in turn: file, verdict, probabilities, warnings, origin, provenance and model;
            or file and error.
        """
        return list(batch_answers(service, pictures))

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


def labelled(report: dict[str, Any]) -> LabelData:
    """The verdict as a label, beside the probabilities from the highest to the lowest.

    A class is the label where the verdict is one; "uncertain" where it is not.

    Args:
        report: of `Prediction.report`.
    """
    shares = sorted(report["probabilities"].items(), key=lambda share: share[1], reverse=True)
    return LabelData(
        label="uncertain" if report["verdict"] == "uncertain" else shares[0][0],
        confidences=[LabelConfidence(label=name, confidence=share) for name, share in shares],
    )
