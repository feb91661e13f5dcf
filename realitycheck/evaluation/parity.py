"""How far an engine's answers are from PyTorch's in float32."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from realitycheck.checkpoints import Checkpoint
from realitycheck.committee.committee import Member
from realitycheck.data.samples import Sample
from realitycheck.engines.choice import described
from realitycheck.engines.pytorch import PyTorchEngine
from realitycheck.evaluation.metrics import balanced_accuracy
from realitycheck.evaluation.score import is_ai, run_committee

PICTURES = 500
MOST_CHANGED, MOST_LOST = 0.01, 0.003  # verdicts; balanced accuracy


@dataclass(frozen=True)
class Parity:
    """What changes with an engine, on pictures that training did not see.

    Attributes:
        pictures: number of them.
        engine: its name and numbers.
        mean: difference of the AI probability.
        largest: of these differences.
        changed: share of verdicts that are others.
        accuracy: balanced, at 0.5, with PyTorch in float32.
        engine_accuracy: the same with the engine.
    """

    pictures: int
    engine: str
    mean: float
    largest: float
    changed: float
    accuracy: float
    engine_accuracy: float

    @property
    def holds(self) -> bool:
        """Whether the engine's answers may stand for PyTorch's."""
        lost = abs(self.engine_accuracy - self.accuracy)
        return self.changed <= MOST_CHANGED and lost <= MOST_LOST

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.engine}, {self.pictures} pictures: the probability differs by {self.mean:.4f} "
            f"on average and {self.largest:.3f} at most; {self.changed:.1%} of verdicts change; "
            f"balanced accuracy {self.engine_accuracy:.1%}, with PyTorch in float32 "
            f"{self.accuracy:.1%}."
        )


def drawn(samples: Sequence[Sample], count: int, seed: int = 0) -> list[Sample]:
    """As many pictures of each class as there are, `count` in all at most."""
    rng = random.Random(seed)
    by_class: dict[int, list[Sample]] = {}
    for sample in samples:
        by_class.setdefault(sample.label, []).append(sample)
    each = count // max(1, len(by_class))
    return [s for part in by_class.values() for s in rng.sample(part, min(each, len(part)))]


def measure(
    checkpoint: Checkpoint, members: Sequence[Member], samples: list[Sample], workers: int = 1
) -> Parity:
    """Asks an engine and PyTorch in float32 about the same pictures.

    Args:
        checkpoint: loaded, with its networks.
        members: the same with their engines.
        samples: the pictures.
        workers: loader processes.

    Raises:
        DataError: the pictures that can be used are all of one class.
    """
    config = checkpoint.config
    plain = [replace(m, engine=PyTorchEngine(m.backbone)) for m in checkpoint.members]
    ours, reference = (
        run_committee(group, config, samples, workers=workers) for group in (members, plain)
    )
    p_ai, exact = ours.p_ai(config), reference.p_ai(config)
    truth, difference = is_ai(reference.samples, config), np.abs(p_ai - exact)
    return Parity(
        len(truth),
        described(members),
        float(difference.mean()),
        float(difference.max()),
        float((ours.verdicts(config) != reference.verdicts(config)).mean()),
        balanced_accuracy(exact, truth),
        balanced_accuracy(p_ai, truth),
    )
