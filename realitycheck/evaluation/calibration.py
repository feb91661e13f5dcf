"""From raw scores to probabilities and thresholds, on held-out pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from realitycheck.committee.committee import Member
from realitycheck.committee.stack import Stack
from realitycheck.config import Config
from realitycheck.data.samples import Splits
from realitycheck.errors import RealityCheckError
from realitycheck.evaluation import metrics
from realitycheck.evaluation.score import Outputs, is_ai, run_committee
from realitycheck.results import USUAL_CONDITIONS

# Share of real validation pictures that may be called `ai`. Of sources held out from training as
# many as 4.9 % were, in the worst of four folds (docs/experiments.md).
MAX_FALSE_AI = 0.025
MAX_FALSE_REAL = 0.10  # share of AI validation pictures that may be called `real`
# The same where whole sources are held out, in the worst condition that enough pictures show.
MAX_FALSE_AI_HELD_OUT, MAX_FALSE_REAL_HELD_OUT = 0.03, 0.05
ENOUGH = 500  # pictures of a class under a condition, to set a threshold by


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


def choose_thresholds(
    p_ai: NDArray[np.float64],
    truth: NDArray[np.bool_],
    false_ai: float = MAX_FALSE_AI,
    false_real: float = MAX_FALSE_REAL,
) -> tuple[float, float]:
    """Thresholds that keep false accusations rare on held-out pictures.

    Args:
        p_ai: calibrated AI probabilities, [N].
        truth: which pictures are AI-made, [N].
        false_ai: share of the real pictures that may be called `ai`.
        false_real: share of the AI pictures that may be called `real`.

    Returns:
        The lowest probability of `ai`, at least 0.5, and the highest of `real`, at most 0.5.
        Between them lies `uncertain`.
    """
    ai = float(np.quantile(p_ai[~truth], 1 - false_ai, method="higher"))
    real = float(np.quantile(p_ai[truth], false_real, method="lower"))
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


def calibrated_on_held_out(
    config: Config,
    leads: NDArray[np.float64],
    truth: NDArray[np.bool_],
    condition: NDArray[np.str_],
) -> Config:
    """A configuration with stack and thresholds fitted on sources that no member saw.

    Known sources promise too much: on a source of its own, each fold's network errs more often.

    Args:
        config: of the committee.
        leads: of M members on N pictures, [N, M], by networks that saw no picture of its source.
        truth: which of them are AI-made, [N].
        condition: what each was seen under, [N].

    Raises:
        RealityCheckError: nothing was learned.
    """
    fitted = fit_stack(leads, truth)
    p_ai = 1 / (1 + np.exp(-(leads @ np.array(fitted.weights) + fitted.bias)))
    chosen = []
    for name in (None, *sorted(set(condition))):
        part = np.ones_like(truth) if name is None else condition == name
        enough = min(truth[part].sum(), (~truth[part]).sum()) >= ENOUGH
        if name is None or enough:
            limits = (MAX_FALSE_AI_HELD_OUT, MAX_FALSE_REAL_HELD_OUT)
            chosen.append(choose_thresholds(p_ai[part], truth[part], *limits))
    ai, real = max(ai for ai, _ in chosen), min(real for _, real in chosen)
    rule = replace(config.abstention, ai=ai, real=real)
    return replace(config, stack=fitted, calibrated=True, abstention=rule)


def held_out_lines(
    config: Config,
    leads: NDArray[np.float64],
    truth: NDArray[np.bool_],
    condition: NDArray[np.str_],
) -> Iterator[str]:
    """How a committee of one does on sources that were held out, as lines to print.

    Args:
        config: calibrated.
        leads: on N pictures, [N].
        truth: which of them are AI-made, [N].
        condition: what each was seen under, [N].
    """
    p_ai = 1 / (1 + np.exp(-(leads * config.stack.weights[0] + config.stack.bias)))
    rule = config.abstention
    yield "sources held out, percent: balanced accuracy, AUC; AI called ai, real called ai"
    for name in ("all", *sorted(set(condition))):
        part = np.ones_like(truth) if name == "all" else condition == name
        if truth[part].all() or not truth[part].any():
            continue
        accuracy = metrics.balanced_accuracy(p_ai[part], truth[part])
        area = metrics.auc(p_ai[part], truth[part])
        found = (p_ai[part & truth] >= rule.ai).mean()
        accused = (p_ai[part & ~truth] >= rule.ai).mean()
        figures = "  ".join(f"{100 * value:5.1f}" for value in (accuracy, area, found, accused))
        yield f"  {name:18}{figures}  n = {part.sum()}"
