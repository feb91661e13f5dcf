"""Labels that lie between what pictures are and what a teacher says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from realitycheck.data.samples import Sample


@dataclass(frozen=True)
class Taught:
    """What a teacher says of training pictures, see `evaluation.teacher`.

    Attributes:
        sha256: of its weights.
        said: path of a picture to a probability for each class.
    """

    sha256: str
    said: Mapping[Path, tuple[float, ...]]

    def soft_labels(self, samples: Sequence[Sample], classes: int, share: float) -> Tensor:
        """Probabilities to learn, [N, classes].

        Args:
            samples: N pictures.
            classes: how many there are.
            share: of what the teacher says, in (0, 1]; the rest is what the picture is.
        """
        hard = torch.eye(classes)[[sample.label for sample in samples]]
        said = torch.tensor([self.said[sample.path] for sample in samples])
        return torch.lerp(hard, said, share)
