"""How much each member of a committee counts, by sources that none of them saw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realitycheck.committee.committee import Member
from realitycheck.config import Config
from realitycheck.data.samples import Sample
from realitycheck.evaluation import calibration, metrics
from realitycheck.evaluation.score import is_ai, run_committee
from realitycheck.results import USUAL_CONDITIONS


@dataclass(frozen=True)
class Asked:
    """What M members say of N pictures, each under every usual condition.

    Attributes:
        leads: [N, M].
        truth: which of them are AI-made, [N].
        condition: name of what each was seen under, [N].
    """

    leads: NDArray[np.float64]
    truth: NDArray[np.bool_]
    condition: NDArray[np.str_]


def ask(
    members: Sequence[Member], config: Config, samples: list[Sample], workers: int = 1
) -> Asked:
    """Asks a committee about pictures as they are and re-saved.

    Args:
        members: of it, none of which saw a picture of these sources.
        config: of it.
        samples: the pictures.
        workers: loader processes.

    Raises:
        RealityCheckError: as `score.run_committee`.
    """
    found = [
        run_committee(members, config, samples, condition, workers=workers)
        for condition in USUAL_CONDITIONS
    ]
    return Asked(
        np.concatenate([outputs.leads(config.ai_index) for outputs in found]),
        np.concatenate([is_ai(outputs.samples, config) for outputs in found]),
        np.repeat(np.array(USUAL_CONDITIONS), [len(outputs.samples) for outputs in found]),
    )


def calibrated(config: Config, asked: Asked) -> Config:
    """The configuration with stack and thresholds fitted.

    Raises:
        RealityCheckError: nothing was learned.
    """
    return calibration.calibrated_on_held_out(config, asked.leads, asked.truth, asked.condition)


def lines(config: Config, asked: Asked) -> Iterator[str]:
    """What each member does by itself, and all together, as lines to print.

    Args:
        config: calibrated.
        asked: what the members say.
    """
    yield from calibration.held_out_lines(config, asked.leads, asked.truth, asked.condition)
    weights = np.array(config.stack.weights)
    names = [*(member.name for member in config.members), "together"]
    parts = zip(names, [*asked.leads.T, asked.leads @ weights], strict=True)
    areas = [f"{name} {100 * metrics.auc(leads, asked.truth):.1f}" for name, leads in parts]
    yield f"AUC on the same: {', '.join(areas)}"
    for member, weight in zip(config.members, weights, strict=True):
        if not weight:
            yield f"{member.name} adds nothing: it is heard as a second opinion and weighs nothing."
