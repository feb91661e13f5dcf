"""From raw scores to probabilities and thresholds, on held-out pictures."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from realitycheck.committee.committee import Member
from realitycheck.committee.stack import Stack
from realitycheck.config import Config
from realitycheck.data.samples import Splits
from realitycheck.errors import RealityCheckError
from realitycheck.evaluation import metrics
from realitycheck.evaluation.score import Outputs, is_ai, run_committee
from realitycheck.results import MIN_HELD_OUT, USUAL_CONDITIONS

log = logging.getLogger(__name__)

# Share of real validation pictures that may be called `ai`. Of sources held out from training as
# many as 4.9 % were in version 4, in the worst of four folds.
MAX_FALSE_AI = 0.025
MAX_FALSE_REAL = 0.10  # share of AI validation pictures that may be called `real`
# The same where whole sources are held out, in the worst condition that enough pictures show.
MAX_FALSE_AI_HELD_OUT, MAX_FALSE_REAL_HELD_OUT = 0.03, 0.05
ENOUGH = 500  # pictures of a class under a condition, to set a threshold by


def fit_stack(leads: NDArray[np.float64], truth: NDArray[np.bool_], repeats: float = 1.0) -> Stack:
    """Fits the stack's weights and bias on held-out pictures.

    A member whose weight would be negative weighs nothing. Both classes weigh the same, so that
    0.5 means "as likely as not" where AI and real pictures are equally common. With one member this
    is Platt scaling, with Platt's targets: of n pictures of a class, a next one belongs to it with
    (n + 1) / (n + 2), not with certainty (Platt 1999). So few pictures never give odds that only
    many can show, however well they are told apart.

    Args:
        leads: of M members on N rows, [N, M].
        truth: which of them are AI-made, [N].
        repeats: rows for each picture, which count as one.

    Raises:
        RealityCheckError: AI pictures do not get higher leads: nothing was learned.
    """
    if not np.isfinite(leads).all():
        raise RealityCheckError("What the networks say of some held-out pictures is no number.")
    count = np.where(truth, truth.sum(), (~truth).sum())
    sure = (count / repeats + 1) / (count / repeats + 2)
    # The cross-entropy with soft targets: each row as both classes, by how much it is each.
    row_weights = np.concatenate([sure / count, (1 - sure) / count]) * len(truth)
    heard = np.ones(leads.shape[1], bool)
    weights, bias = _logistic(leads, truth, row_weights)
    while len(weights) > 1 and weights.min() < 0:
        # It only corrects the others' errors on these pictures: it weighs nothing.
        heard[np.flatnonzero(heard)[weights.argmin()]] = False
        weights, bias = _logistic(leads[:, heard], truth, row_weights)
    if weights.sum() <= 0:
        raise RealityCheckError(
            "On the validation pictures the network does not tell AI from real at all. Train "
            "longer, lower --lr, or check the folders' labels."
        )
    every = np.zeros(leads.shape[1])
    every[heard] = weights
    return Stack(tuple(every.tolist()), bias)


def _logistic(
    leads: NDArray[np.float64], truth: NDArray[np.bool_], row_weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Weights and bias for N rows taken as both classes, by `row_weights` [2 N]."""
    scale = leads.std(axis=0)
    scale[scale == 0] = 1.0
    fit = LogisticRegression(C=np.inf, max_iter=1000).fit(
        np.concatenate([leads, leads]) / scale,
        np.concatenate([truth, ~truth]),
        sample_weight=row_weights,
    )
    return fit.coef_[0] / scale, float(fit.intercept_[0])


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
        Between them lies `uncertain`, and with it any gap between the classes: where no picture
        was seen, nothing is known.
    """
    last_real = float(np.quantile(p_ai[~truth], 1 - false_ai, method="higher"))
    first_ai = float(np.quantile(p_ai[truth], false_ai, method="lower"))
    real = float(np.quantile(p_ai[truth], false_real, method="lower"))
    # A strictly greater number, because a verdict of `ai` starts at its threshold.
    return max(0.5, float(np.nextafter(last_real, 1)), first_ai), min(0.5, real, last_real)


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
    config = replace(config, stack=fit_stack(leads, truth, len(found)), calibrated=True)
    if _are_few(is_ai(found[0].samples, config)):
        return replace(config, abstention=config.abstention.undecided())
    return _with_worst_thresholds(config, found)


def _are_few(truth: NDArray[np.bool_]) -> bool:
    """Whether N held-out pictures are too few to set thresholds by; if so, that is logged."""
    ai, real = int(truth.sum()), int((~truth).sum())
    if min(ai, real) >= MIN_HELD_OUT:
        return False
    log.warning(
        "%d AI and %d real pictures were held out, and thresholds take %d of each: every verdict "
        "will be `uncertain`. Hold out more and run `realitycheck calibrate`.",
        *(ai, real, MIN_HELD_OUT),
    )
    return True


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
        condition: what each was seen under, [N]; each picture once as it is ("clean").

    Raises:
        RealityCheckError: nothing was learned.
    """
    clean = condition == "clean"
    fitted = fit_stack(leads, truth, len(clean) / max(1, clean.sum()))
    if _are_few(truth[clean]):
        rule = config.abstention.undecided()
        return replace(config, stack=fitted, calibrated=True, abstention=rule)
    p_ai = _p_ai(fitted, leads)
    highest, lowest = [], []
    limits = (MAX_FALSE_AI_HELD_OUT, MAX_FALSE_REAL_HELD_OUT)
    for name in (None, *sorted(set(condition))):
        part = np.ones_like(truth) if name is None else condition == name
        # Each limit is a share of one class: beside its pictures stand all of the other class, of
        # which a condition may have too few to say where they begin.
        if name is None or (part & ~truth).sum() >= ENOUGH:
            asked = part | truth
            highest.append(choose_thresholds(p_ai[asked], truth[asked], *limits)[0])
        if name is None or (part & truth).sum() >= ENOUGH:
            asked = part | ~truth
            lowest.append(choose_thresholds(p_ai[asked], truth[asked], *limits)[1])
    ai, real = max(highest), min(lowest)
    rule = replace(config.abstention, ai=ai, real=real)
    return replace(config, stack=fitted, calibrated=True, abstention=rule)


def _p_ai(stack: Stack, leads: NDArray[np.float64]) -> NDArray[np.float64]:
    return stack.p_ai(torch.from_numpy(leads)).numpy()


def held_out_lines(
    config: Config,
    leads: NDArray[np.float64],
    truth: NDArray[np.bool_],
    condition: NDArray[np.str_],
) -> Iterator[str]:
    """How a committee of M does on sources that were held out, as lines to print.

    Args:
        config: calibrated.
        leads: on N pictures, [N, M].
        truth: which of them are AI-made, [N].
        condition: what each was seen under, [N].
    """
    p_ai = _p_ai(config.stack, leads)
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
