"""The detector: a picture in, a `Prediction` out. The one object everybody else uses."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from realitycheck import checkpoints, doubts, images, provenance
from realitycheck.checkpoints import Checkpoint
from realitycheck.doubts import Doubt
from realitycheck.errors import PictureError
from realitycheck.images import Picture
from realitycheck.model import ChunkedForward, split
from realitycheck.provenance import Finding
from realitycheck.views import CONDITIONS, View, evaluation_views, to_batch

SURVIVAL = ("q90", "q70", "q50", "half", "crop", "screenshot")  # keys of CONDITIONS

SENTENCES = {
    "ai": "Probably made by an AI.",
    "real": "Probably a photograph or made by a person.",
    "uncertain": "Uncertain: the picture does not point clearly either way.",
}


@dataclass(frozen=True)
class Prediction:
    """What the detector says about one picture.

    Attributes:
        verdict: "ai", "real" or "uncertain": between the thresholds, or withheld for one of the
            reasons that `warnings` name.
        probabilities: class name to calibrated probability; they sum to 1.
        heatmaps: class name to its Grad-CAM map [H, W] in [0, 1] over the whole picture:
            regions that raised that class's score. Empty where none was asked for.
        views: the parts that were looked at: kind, box in px, AI probability of that part.
        warnings: sentences about what limits this answer.
        model: which checkpoint answered.
        picture: the picture as it was examined.
        provenance: what the file says about its origin; it did not move the probabilities.
    """

    verdict: str
    probabilities: dict[str, float]
    heatmaps: dict[str, np.ndarray]
    views: list[dict[str, Any]]
    warnings: list[str]
    model: dict[str, Any]
    picture: Picture
    provenance: list[Finding]

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        return SENTENCES[self.verdict]

    @property
    def label(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.get)

    @property
    def heatmap(self) -> np.ndarray:
        """The map of the most probable class.

        Raises:
            ValueError: the prediction was made with `explain=False`.
        """
        if not self.heatmaps:
            raise ValueError("This prediction has no maps: call predict(..., explain=True).")
        return self.heatmaps[self.label]

    def report(self) -> dict[str, Any]:
        """Everything but pixels, JSON-ready."""
        image, data = self.picture.image, self.picture.data
        return {
            "verdict": self.verdict,
            "sentence": self.sentence,
            "probabilities": self.probabilities,
            "warnings": self.warnings,
            "provenance": [finding.report() for finding in self.provenance],
            "views": self.views,
            "picture": {
                "name": self.picture.name,
                "format": self.picture.format,
                "width": image.width,
                "height": image.height,
                "sha256": hashlib.sha256(data).hexdigest() if data is not None else None,
            },
            "model": self.model,
        }


class Detector:
    """Answers whether pictures were made by an AI. Safe to share between threads.

    Args:
        checkpoint: loaded weights and configuration.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.config = checkpoint.config
        features, head = split(checkpoint.model)
        self._features = ChunkedForward(features.eval())
        self.device = self._features.device
        self._head = head.eval().to(self.device)

    @classmethod
    def from_pretrained(cls, source: str | Path | None = None) -> "Detector":
        """Loads a detector; see `checkpoints.load` for what `source` may be.

        Raises:
            CheckpointError: the checkpoint cannot be had.
        """
        return cls(checkpoints.load(source))

    def predict(
        self, image: str | Path | bytes | Image.Image | Picture, explain: bool = True
    ) -> Prediction:
        """Examines one picture.

        Args:
            image: path, file content, PIL image, or what `images.read` returned.
            explain: make the Grad-CAM maps, one per class.

        Returns:
            A `Prediction`.

        Raises:
            PictureError: the picture cannot be examined; the message says why.
        """
        picture = images.read(image)
        shape = self.config.preprocessing
        views = evaluation_views(picture.image, shape)
        features = self._features(to_batch([view.pixels for view in views], shape))
        return self._conclude(picture, views, features, explain)

    def predict_batch(
        self, batch: Iterable[str | Path | bytes | Image.Image | Picture], explain: bool = False
    ) -> Iterator[Prediction | PictureError]:
        """Examines many pictures, one at a time in memory.

        Args:
            batch: what `predict` takes, any number of them.
            explain: make the maps too.

        Yields:
            For each picture in turn its `Prediction`, or the `PictureError` that says why
            there is none.
        """
        for image in batch:
            try:
                yield self.predict(image, explain)
            except PictureError as error:
                yield error

    def survive(self, image: str | Path | bytes | Image.Image | Picture) -> dict[str, Prediction]:
        """Examines a picture as it is and as the web would have changed it.

        Args:
            image: what `predict` takes.

        Returns:
            "clean" and the names in `SURVIVAL` to what `predict` says, without maps. A change
            that leaves too small a picture is left out.

        Raises:
            PictureError: the picture itself cannot be examined.
        """
        picture = images.read(image)
        found = {"clean": self.predict(picture, explain=False)}
        for name in SURVIVAL:
            try:
                found[name] = self.predict(CONDITIONS[name](picture.image), explain=False)
            except PictureError:
                continue
        return found

    def _conclude(
        self, picture: Picture, views: list[View], features: Tensor, explain: bool
    ) -> Prediction:
        heatmaps = {}
        if explain:
            # Imported here: the package takes seconds, and answers without maps do not need it.
            from realitycheck import explain as explaining

            for index, name in enumerate(self.config.classes):
                maps, logits = explaining.class_maps(self._head, features, index)
                heatmaps[name] = explaining.stitch(maps, views, picture.image.size)
        else:
            with torch.inference_mode():
                logits = self._head(features)
        logits = logits.cpu()
        values = self.config.probabilities(logits.mean(dim=0)).tolist()
        p_ai = self.config.probabilities(logits)[:, self.config.ai_index].tolist()
        doubted = self._doubts(picture, values[self.config.ai_index], p_ai)
        withheld = any(doubt.withholds for doubt in doubted)
        return Prediction(
            verdict="uncertain" if withheld else self.config.verdict(values[self.config.ai_index]),
            probabilities=dict(zip(self.config.classes, values, strict=True)),
            heatmaps=heatmaps,
            views=[
                {"kind": v.kind, "box": [round(edge) for edge in v.box], "p_ai": p}
                for v, p in zip(views, p_ai, strict=True)
            ],
            warnings=[*picture.warnings, *(doubt.sentence for doubt in doubted)],
            model=self.checkpoint.describe(),
            picture=picture,
            provenance=provenance.examine(picture.data),
        )

    def _doubts(self, picture: Picture, p_ai: float, parts: list[float]) -> list[Doubt]:
        side = self.config.preprocessing.size
        found = [
            *doubts.of_answer(p_ai, parts, self.config.thresholds),
            *doubts.of_picture(picture.image, picture.data, side),
        ]
        if not self.config.calibrated:
            found.append(Doubt("This checkpoint is not calibrated: its probabilities mean little."))
        return found
