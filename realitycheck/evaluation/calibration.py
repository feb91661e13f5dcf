"""From raw scores to probabilities and thresholds, on held-out pictures."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from realitycheck.committee.committee import Member
from realitycheck.committee.stack import Stack
from realitycheck.config import Config
from realitycheck.data.samples import Splits
from realitycheck.errors import RealityCheckError
from realitycheck.evaluation.score import Outputs, is_ai, run_committee
from realitycheck.results import USUAL_CONDITIONS

# Share of real validation pictures that may be called `ai`. Of sources held out from training as
# many as 4.9 % were, in the worst of four folds (docs/experiments.md).
MAX_FALSE_AI = 0.025
MAX_FALSE_REAL = 0.10  # share of AI validation pictures that may be called `real`


def fit_stack(leads: NDArray[np.float64], truth: NDArray[np.bool_]) -> Stack:
    """Fits the stack's weights and bias on held-out pictures.

    Both classes weigh the same, so that 0.5 means "as likely as not" where AI and real
    pictures are equally common. With one member this is Platt scaling (Platt 1999).

    Args:
        leads: of M members on N pictures, [N, M].
        truth: which of them are AI-made, [N].

    Raises:
        RealityCheckError: AI pictures do not get higher leads: nothing was learned.
    """
    fit = LogisticRegression(C=np.inf, class_weight="balanced").fit(leads, truth)
    weights = tuple(float(weight) for weight in fit.coef_[0])
    if sum(weights) <= 0:
        raise RealityCheckError(
            "On the validation pictures the network does not tell AI from real at all. Train "
            "longer, lower --lr, or check the folders' labels."
        )
    return Stack(weights, float(fit.intercept_[0]))


def choose_thresholds(p_ai: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Thresholds that keep false accusations rare on held-out pictures.

    Args:
        p_ai: calibrated AI probabilities, [N].
        truth: which pictures are AI-made, [N].

    Returns:
        The lowest probability of `ai`: at least 0.5, and at most 2.5 % of the real pictures reach
        it; and the highest of `real`: at most 0.5, and at most 10 % of the AI pictures fall to it.
        Between them lies `uncertain`.
    """
    ai = float(np.quantile(p_ai[~truth], 1 - MAX_FALSE_AI, method="higher"))
    real = float(np.quantile(p_ai[truth], MAX_FALSE_REAL, method="lower"))
    # A strictly greater number, because a verdict of `ai` starts at its threshold.
    return max(0.5, float(np.nextafter(ai, 1))), min(real, 0.5)


def calibrated(
    config: Config, members: Sequence[Member], splits: Splits, workers: int = 1
) -> Config:
    """A configuration with stack and thresholds fitted on the validation set.

    Args:
        config: of the committee.
        members: of it, in eval mode.
        splits: with "val".
        workers: loader processes.

    Raises:
        RealityCheckError: the model learned nothing, or the set cannot be used.
    """
    found = [
        run_committee(members, config, splits["val"], condition, workers=workers)
        for condition in USUAL_CONDITIONS
    ]
    leads = np.concatenate([part.leads(config.ai_index) for part in found])
    truth = np.concatenate([is_ai(part.samples, config) for part in found])
    config = replace(config, stack=fit_stack(leads, truth), calibrated=True)
    return _with_worst_thresholds(config, found)


def _with_worst_thresholds(config: Config, found: list[Outputs]) -> Config:
    chosen = [choose_thresholds(part.p_ai(config), is_ai(part.samples, config)) for part in found]
    ai, real = max(ai for ai, _ in chosen), min(real for _, real in chosen)
    return replace(config, abstention=replace(config.abstention, ai=ai, real=real))
