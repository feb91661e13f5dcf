"""The detector: a picture in, a `Prediction` out. The one object everybody else uses."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realitycheck import checkpoints, images
from realitycheck.checkpoints import Checkpoint
from realitycheck.committee import stack
from realitycheck.committee.abstention import Caveat, decide, image_caveats
from realitycheck.committee.committee import Scored, look, score
from realitycheck.engines.pytorch import with_engine
from realitycheck.errors import PictureError
from realitycheck.images import Picture, provenance
from realitycheck.images.perturbations import PERTURBATIONS
from realitycheck.prediction import Prediction
from realitycheck.wording import UNCALIBRATED

PERTURBED = ("q90", "q70", "q50", "half", "crop", "screenshot")  # keys of PERTURBATIONS
BATCH = 8  # pictures whose views run together

Source = str | Path | bytes | Image.Image | Picture


class Detector:
    """Answers whether pictures were made by an AI. Safe to share between threads.

    Args:
        checkpoint: loaded weights and configuration.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.config = checkpoint.config
        self.members = tuple(with_engine(member) for member in checkpoint.members)

    @classmethod
    def from_pretrained(cls, source: str | Path | None = None) -> "Detector":
        """Loads a detector; see `checkpoints.load` for what `source` may be.

        Raises:
            CheckpointError: the checkpoint cannot be had.
        """
        return cls(checkpoints.load(source))

    def predict(self, image: Source, explain: bool = True) -> Prediction:
        """Examines one picture.

        Args:
            image: path, file content, PIL image, or what `images.read` returned.
            explain: make the Grad-CAM maps, one per class.

        Returns:
            A `Prediction`.

        Raises:
            PictureError: the picture cannot be examined; the message says why.
        """
        (prediction,) = self._examine([images.read(image)], explain)
        return prediction

    def predict_batch(
        self, batch: Iterable[Source], explain: bool = False
    ) -> Iterator[Prediction | PictureError]:
        """Examines many pictures, views of several together, a few pictures at a time in memory.

        Args:
            batch: what `predict` takes, any number of them.
            explain: make the maps too.

        Yields:
            For each picture in turn its `Prediction`, or the `PictureError` that says why
            there is none.
        """
        waiting = iter(batch)
        while part := [_read(source) for source in islice(waiting, BATCH)]:
            pictures = [item for item in part if isinstance(item, Picture)]
            found = iter(self._examine(pictures, explain)) if pictures else iter(())
            for item in part:
                yield item if isinstance(item, PictureError) else next(found)

    def predict_perturbed(self, image: Source) -> dict[str, Prediction]:
        """Examines a picture as it is and as the web would have changed it.

        Args:
            image: what `predict` takes.

        Returns:
            "clean" and the names in `PERTURBED` to what `predict` says, without maps. A change
            that leaves too small a picture is left out.

        Raises:
            PictureError: the picture itself cannot be examined.
        """
        picture = images.read(image)
        copies = {"clean": picture}
        for name in PERTURBED:
            try:
                copies[name] = images.read(PERTURBATIONS[name](picture.image))
            except PictureError:
                continue
        found = self._examine(list(copies.values()), explain=False)
        return dict(zip(copies, found, strict=True))

    def _examine(self, pictures: Sequence[Picture], explain: bool) -> list[Prediction]:
        looks = [look(picture.image, self.config.preprocessings) for picture in pictures]
        scored = score(self.members, looks, keep_features=explain)
        return [
            self._conclude(picture, part, explain)
            for picture, part in zip(pictures, scored, strict=True)
        ]

    def _conclude(self, picture: Picture, scored: Scored, explain: bool) -> Prediction:
        config = self.config
        p_ai, parts = stack.judge(config.stack, scored.logits, config.ai_index)
        decision = decide(
            p_ai,
            parts,
            image_caveats(picture.image, picture.data, config.side),
            config.abstention,
        )
        caveats = [*decision.caveats, *([] if config.calibrated else [Caveat(UNCALIBRATED)])]
        views = [view for views in scored.views for view in views]
        return Prediction(
            verdict=decision.verdict,
            probabilities=stack.probabilities(p_ai, scored.logits, config.classes, config.ai_index),
            heatmaps=self._maps(picture, scored) if explain else {},
            views=[
                {"kind": v.kind, "box": [round(edge) for edge in v.box], "p_ai": p}
                for v, p in zip(views, parts, strict=True)
            ],
            warnings=[*picture.warnings, *(caveat.sentence for caveat in caveats)],
            model=self.checkpoint.describe(),
            picture=picture,
            provenance=provenance.examine(picture.data),
        )

    def _maps(self, picture: Picture, scored: Scored) -> dict[str, NDArray[np.float32]]:
        # Imported here: answers without maps do not need OpenCV.
        from realitycheck.committee import gradcam

        member, views, features = self.members[0], scored.views[0], scored.features[0]
        return {
            name: gradcam.stitch(
                gradcam.class_maps(member, features, index), views, picture.image.size
            )
            for index, name in enumerate(self.config.classes)
        }


def _read(source: Source) -> Picture | PictureError:
    try:
        return images.read(source)
    except PictureError as error:
        return error
