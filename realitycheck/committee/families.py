"""Which family of generators a picture resembles: a light head beside a member's own.

A linear classifier on the features that the member's head reads, which costs nothing more. It may
say that it does not know: below a threshold, and where it sees no family that it was taught.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

OTHER = "other"  # family of all generators that have none of their own; never named


@dataclass(frozen=True)
class Families:
    """What is needed to name families. Stored in the checkpoint's config.

    Attributes:
        file: weights file of the head, in the checkpoint's directory.
        names: of the families, in the order of the head's logits; `OTHER` may be one.
        temperature: by which the logits are divided (Guo et al. 2017, arXiv 1706.04599).
        threshold: probability from which a family is named, in [0, 1]; above 1 none ever is.
    """

    file: str
    names: tuple[str, ...]
    temperature: float = 1.0
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names) or len(self.names) < 2:
            raise ValueError(f"families need two names or more, each once, not {self.names}")
        if not 0 < self.temperature < math.inf or not self.threshold >= 0:
            raise ValueError(
                f"families need a positive temperature and a threshold of 0 or more, not "
                f"{self.temperature} and {self.threshold}"
            )


class FamilyHead(nn.Module):
    """Features [N, inputs] to a logit per family, [N, families]."""

    mean: Tensor
    std: Tensor

    def __init__(self, inputs: int, families: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("std", torch.ones(inputs))
        self.fc = nn.Linear(inputs, families)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.fc((features - self.mean) / self.std))


def shares(families: Families, logits: Tensor) -> Tensor:
    """Probabilities [..., F] of the families.

    Args:
        families: of the member.
        logits: means over the views of a picture, [..., F].
    """
    return torch.softmax(logits.double() / families.temperature, dim=-1)


def likely(families: Families, logits: Tensor) -> tuple[str, float] | None:
    """The family that a picture resembles and its probability; None where that is unknown.

    Args:
        families: of the member.
        logits: of the picture's views, [V, F].
    """
    found = shares(families, logits.double().mean(dim=0))
    best = int(found.argmax())
    name, share = families.names[best], found[best].item()
    return None if name == OTHER or share < families.threshold else (name, share)
