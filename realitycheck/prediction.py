"""What the detector says about one picture. Needs no torch."""

import hashlib
import io
from base64 import b64encode
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realitycheck.images import Picture
from realitycheck.images.provenance import Finding
from realitycheck.verdict_card import headline, resembles, styled

THUMBNAIL = 256  # px, long side of the picture in a notebook


@dataclass(frozen=True)
class Family:
    """The family of generators that a picture resembles.

    Attributes:
        name: such as "FLUX".
        probability: that the picture is of it, if it was made by an AI, in [0, 1].
    """

    name: str
    probability: float


@dataclass(frozen=True)
class Witness:
    """What one member of the committee says by itself.

    Attributes:
        name: of the member, such as "transformer".
        p_ai: the AI probability if the others said the same, in [0, 1].
        heatmaps: class name to its Grad-CAM map, as `Prediction.heatmaps`.
    """

    name: str
    p_ai: float
    heatmaps: dict[str, NDArray[np.float32]] = field(repr=False)

    def report(self) -> dict[str, Any]:
        """Everything but pixels, JSON-ready."""
        return {"name": self.name, "p_ai": self.p_ai}


@dataclass(frozen=True)
class Prediction:
    """What the detector says about one picture.

    Attributes:
        verdict: "ai", "real" or "uncertain": between the thresholds, or withheld for one of the
            reasons that `warnings` name.
        probabilities: class name to calibrated probability; they sum to 1.
        witnesses: what each member of the committee says by itself, the one that weighs most
            first.
        views: the parts that were looked at: by which witness, kind, box in px, AI probability of
            that part.
        warnings: sentences about what limits this answer.
        model: which checkpoint answered.
        picture: the picture as it was examined.
        provenance: what the file says about its origin; it did not move the probabilities.
        family: of generators, where the verdict is "ai" and it resembles a known one; else None.
    """

    verdict: str
    probabilities: dict[str, float]
    witnesses: tuple[Witness, ...]
    views: list[dict[str, Any]]
    warnings: list[str]
    model: dict[str, Any]
    picture: Picture
    provenance: list[Finding]
    family: Family | None = None

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        return headline(self._answer())

    @property
    def label(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def heatmaps(self) -> dict[str, NDArray[np.float32]]:
        """Class name to its Grad-CAM map [H, W] in [0, 1] over the whole picture.

        They show the regions that raised that class's score, for the witness that weighs most;
        the others have their own. Empty where none was asked for.
        """
        return self.witnesses[0].heatmaps

    @property
    def heatmap(self) -> NDArray[np.float32]:
        """The map of the most probable class.

        Raises:
            ValueError: the prediction was made with `explain=False`.
        """
        if not self.heatmaps:
            raise ValueError("This prediction has no maps: call predict(..., explain=True).")
        return self.heatmaps[self.label]

    def _answer(self) -> dict[str, Any]:
        """What the verdict's card needs of the report."""
        return {
            "verdict": self.verdict,
            "probabilities": self.probabilities,
            "warnings": self.warnings,
            "model": self.model,
            "family": asdict(self.family) if self.family else None,
        }

    def report(self) -> dict[str, Any]:
        """Everything but pixels, JSON-ready."""
        image, data = self.picture.image, self.picture.data
        return {
            **self._answer(),
            "sentence": self.sentence,
            "provenance": [finding.report() for finding in self.provenance],
            "witnesses": [witness.report() for witness in self.witnesses],
            "views": self.views,
            "picture": {
                "name": self.picture.name,
                "format": self.picture.format,
                "width": image.width,
                "height": image.height,
                "sha256": hashlib.sha256(data).hexdigest() if data is not None else None,
            },
        }

    def __repr__(self) -> str:
        """At most ten lines, for a prompt."""
        shares = ", ".join(f"{name} {value:.1%}" for name, value in self.probabilities.items())
        name, (width, height) = self.picture.name or "picture", self.picture.image.size
        lines = [f"{name}, {width} x {height} px: {self.verdict} ({shares})", self.sentence]
        lines += [f"- {warning}" for warning in self.warnings[:4]]
        lines += [f"- {finding.says}" for finding in self.provenance[:2]]
        lines += [f"- {resembles(self._answer())}"] if self.family else []
        model = self.model
        lines.append(f"[{model['source']} v{model['version']} {model['sha256'][:12]}]")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The picture beside the verdict's card, for a notebook."""
        small = self.picture.image.copy()
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=85)
        notes = [*self.warnings, *(finding.says for finding in self.provenance)]
        return (
            "<div style='display: flex; flex-wrap: wrap; gap: 1em; align-items: start'>"
            f"<img alt='' src='data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}'>"
            f"<div style='flex: 1 1 20em; max-width: 36em'>{styled(self._answer())}"
            f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul></div></div>"
        )
