"""The detector: a picture in, a `Prediction` out. The one object everybody else uses."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realitycheck import checkpoints, images
from realitycheck.checkpoints import Checkpoint, Found
from realitycheck.committee import families, stack
from realitycheck.committee.abstention import Caveat, decide, image_caveats
from realitycheck.committee.committee import Look, Scored, look, score
from realitycheck.engines.choice import described, equip, with_heads
from realitycheck.errors import PictureError
from realitycheck.images import Picture, borders, provenance
from realitycheck.images.perturbations import PERTURBATIONS
from realitycheck.images.provenance import Finding
from realitycheck.prediction import Family, Prediction, Witness
from realitycheck.wording import QUICK, UNCALIBRATED

PERTURBED = ("q90", "q70", "q50", "half", "crop", "screenshot")  # keys of PERTURBATIONS
BATCH = 16  # pictures whose views run together, at most
BATCH_PIXELS = 24_000_000  # of such pictures, about: two such parts are in memory at a time

Source = str | Path | bytes | Image.Image | Picture


@dataclass(frozen=True)
class _Prepared:
    """A picture that is ready for the networks."""

    picture: Picture
    within: borders.Box
    look: Look
    caveats: tuple[Caveat, ...]
    findings: list[Finding]


class Detector:
    """Answers whether pictures were made by an AI. Safe to share between threads.

    Args:
        checkpoint: loaded weights and configuration.
        engine: what runs the networks, see `engines.choice.equip`.

    Attributes:
        checkpoint: without its networks.
        members: the committee, each with its engine.
    """

    def __init__(self, checkpoint: Checkpoint, engine: str | None = None) -> None:
        self.config = checkpoint.config
        self.members = equip(checkpoint, engine)
        # An engine of its own holds the weights: here they would lie in memory once more.
        self.checkpoint = replace(checkpoint, members=())

    @classmethod
    def from_pretrained(
        cls, source: str | Path | None = None, engine: str | None = None, *, quick: bool = False
    ) -> "Detector":
        """Loads a detector.

        Args:
            source: see `checkpoints.load`.
            engine: "pytorch", "openvino" or "onnx"; None for the fastest one, see
                `engines.choice.equip`.
            quick: ask one member alone, about the whole picture made small: several times as fast,
                and verdicts ask for more.

        Raises:
            CheckpointError: the checkpoint cannot be had.
            RealityCheckError: there is no such engine.
        """
        found = checkpoints.find(source)
        return cls.from_found(found.quick() if quick else found, engine)

    @classmethod
    def from_found(cls, found: Found, engine: str | None = None) -> "Detector":
        """Loads a detector whose checkpoint was found before; raises as `from_pretrained`."""
        return cls(with_heads(found, engine) or found.load(), engine)

    def describe(self) -> dict[str, Any]:
        """Which model answers, with what, and how its verdicts fared: JSON-ready."""
        return {**self.checkpoint.describe(), "engine": described(self.members)}

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
        (prediction,) = self._examine([self._prepare(image)], explain)
        return prediction

    def predict_batch(
        self, batch: Iterable[Source], explain: bool = False, part: int = BATCH
    ) -> Iterator[Prediction | PictureError]:
        """Examines many pictures, views of several together, a few pictures at a time in memory.

        The next pictures are read while the last ones are examined.

        Args:
            batch: what `predict` takes, any number of them.
            explain: make the maps too.
            part: pictures whose views run together, at most.

        Yields:
            For each picture in turn its `Prediction`, or the `PictureError` that says why
            there is none.
        """
        waiting = iter(batch)
        with ThreadPoolExecutor(1, "read") as reader:
            following = reader.submit(self._prepare_next, waiting, part)
            while prepared := following.result():
                following = reader.submit(self._prepare_next, waiting, part)
                found = self._examine([p for p in prepared if isinstance(p, _Prepared)], explain)
                for item in prepared:
                    yield next(found) if isinstance(item, _Prepared) else item

    def predict_perturbed(
        self, image: Source, conditions: Sequence[str] = ("clean", *PERTURBED)
    ) -> dict[str, Prediction]:
        """Examines a picture as it is and as the web would have changed it.

        Args:
            image: what `predict` takes.
            conditions: "clean", for the picture as it is, and names in `PERTURBED`.

        Returns:
            Each of them to what `predict` says, without maps. A change that leaves too small a
            picture is left out.

        Raises:
            PictureError: the picture itself cannot be examined.
        """
        picture = images.read(image)
        copies = {}
        for name in conditions:
            if name == "clean":
                copies[name] = self._prepare(picture)
                continue
            with contextlib.suppress(PictureError):
                copies[name] = self._prepare(PERTURBATIONS[name](picture.image))
        found = self._examine(list(copies.values()), explain=False)
        return dict(zip(copies, found, strict=True))

    def _prepare(self, source: Source) -> _Prepared:
        """Everything about a picture that needs no network."""
        picture = images.read(source)
        image, config, within = picture.image, self.config, borders.inside(picture.image)
        return _Prepared(
            picture,
            within,
            look(image, config.preprocessings, within, quick=self.checkpoint.quick),
            tuple(image_caveats(image, picture.data, config.side, within)),
            provenance.examine(picture.data, picture.hidden),
        )

    def _prepare_next(self, waiting: Iterator[Source], most: int) -> list[_Prepared | PictureError]:
        part: list[_Prepared | PictureError] = []
        pixels = 0
        for source in waiting:
            try:
                prepared = self._prepare(source)
            except PictureError as error:
                part.append(error)
            else:
                part.append(prepared)
                pixels += prepared.picture.image.width * prepared.picture.image.height
            if len(part) >= most or pixels > BATCH_PIXELS:
                break
        return part

    def _examine(self, prepared: Sequence[_Prepared], explain: bool) -> Iterator[Prediction]:
        """Runs the networks on all, then makes of one after the other what is said of it."""
        if not prepared:
            return
        scored = score(self.members, [item.look for item in prepared], keep_features=explain)
        for item, part in zip(prepared, scored, strict=True):
            yield self._conclude(item, part, explain)

    def _conclude(self, prepared: _Prepared, scored: Scored, explain: bool) -> Prediction:
        config, picture = self.config, prepared.picture
        judged = stack.judge(config.stack, scored.logits, config.ai_index, scored.shares)
        p_ai = judged.p_ai
        decision = decide(p_ai, judged.parts, prepared.caveats, config.abstention)
        caveats = [*decision.caveats, *([] if config.calibrated else [Caveat(UNCALIBRATED)])]
        # Said before all else: the card names the first reason alone.
        withheld = [caveat.sentence for caveat in caveats if caveat.abstains]
        return Prediction(
            verdict=decision.verdict,
            probabilities=stack.probabilities(
                p_ai, scored.logits, config.classes, config.ai_index, scored.shares
            ),
            witnesses=self._witnesses(prepared, scored, judged.members, explain),
            views=[
                {"witness": m.name, "kind": v.kind, "box": [round(e) for e in v.box], "p_ai": p}
                for m, views, shares in zip(self.members, scored.views, judged.views, strict=True)
                for v, p in zip(views, shares, strict=True)
            ],
            warnings=[
                *withheld,
                *([QUICK] if self.checkpoint.quick else []),
                *picture.warnings,
                *(caveat.sentence for caveat in caveats if not caveat.abstains),
            ],
            model={**self.describe(), "thresholds": decision.rule.thresholds},
            picture=picture,
            provenance=prepared.findings,
            family=self._family(scored) if decision.verdict == "ai" else None,
        )

    def _family(self, scored: Scored) -> Family | None:
        """What the first member that names families takes the generator for."""
        for member, logits in zip(self.config.members, scored.families, strict=True):
            if member.families is not None:
                found = families.likely(member.families, logits)
                return Family(*found) if found else None
        return None

    def _witnesses(
        self, prepared: _Prepared, scored: Scored, shares: Sequence[float], explain: bool
    ) -> tuple[Witness, ...]:
        """What each member says by itself, the one that weighs most first."""
        found = [
            Witness(member.name, share, self._maps(prepared, scored, position) if explain else {})
            for position, (member, share) in enumerate(zip(self.members, shares, strict=True))
        ]
        first = found.pop(self.config.stack.heaviest)
        return first, *found

    def _maps(
        self, prepared: _Prepared, scored: Scored, position: int
    ) -> dict[str, NDArray[np.float32]]:
        # Imported here: answers without maps do not need OpenCV.
        from realitycheck.committee import gradcam

        member, views = self.members[position], scored.views[position]
        features = scored.features[position]
        classes = self.config.classes
        maps = gradcam.class_maps(member, features, range(len(classes)))
        return {
            name: gradcam.stitch(part, views, prepared.picture.image.size, prepared.within)
            for name, part in zip(classes, maps, strict=True)
        }
