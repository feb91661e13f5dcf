"""Figures of one set of pictures, with 95 % confidence intervals."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score, roc_curve

from realitycheck.errors import DataError
from realitycheck.results import Groups, Interval, SetMetrics, Verdicts

RESAMPLES = 1000
CONFIDENCE = 0.95
WORST_K = 20  # pictures that the detector was most wrong about

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def bootstrap_ci(
    statistic: Callable[[Floats, Bools], float], p_ai: Floats, is_ai: Bools, seed: int = 0
) -> Interval:
    """A statistic with its 95 % bootstrap interval; classes are resampled separately.

    Args:
        statistic: of `(p_ai, is_ai)`.
        p_ai: AI probabilities, [N].
        is_ai: which pictures are AI-made, [N].
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(is_ai == side) for side in (True, False)]
    draws = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([rng.choice(m, len(m)) for m in members])
        draws.append(statistic(p_ai[chosen], is_ai[chosen]))
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(statistic(p_ai, is_ai)), float(low), float(high))


def wilson_ci(right: int, count: int) -> Interval:
    """A share with its 95 % Wilson score interval (Wilson 1927): fit for small groups."""
    z, share = 1.959964, right / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2))
    return Interval(share, max(0.0, float(centre - half)), min(1.0, float(centre + half)), count)


def clustered_ci(hits: Bools, source: NDArray[Any]) -> Interval:
    """A share with the wider of Wilson's interval and one by resampling whole sources.

    Args:
        hits: of N pictures, which count, [N].
        source: a name or number for where each comes from, [N].
    """
    by_picture = wilson_ci(int(hits.sum()), len(hits))
    _, inverse = np.unique(source, return_inverse=True)
    counts, right = np.bincount(inverse), np.bincount(inverse, hits)
    drawn = np.random.default_rng(0).integers(len(counts), size=(RESAMPLES, len(counts)))
    means = right[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    ends = min(by_picture.low, float(low)), max(by_picture.high, float(high))
    return Interval(by_picture.value, *ends, len(hits))


def mean_ci(values: Floats) -> Interval:
    """The mean of N values with its 95 % bootstrap interval."""
    spread = bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(0))
    low, high = spread.confidence_interval
    return Interval(float(np.mean(values)), float(low), float(high), len(values))


def balanced_accuracy(p_ai: Floats, is_ai: Bools) -> float:
    """Mean of both classes' accuracy, AI from 0.5."""
    return float(((p_ai[is_ai] >= 0.5).mean() + (p_ai[~is_ai] < 0.5).mean()) / 2)


def auc(p_ai: Floats, is_ai: Bools) -> float:
    """Area under the ROC curve."""
    return float(roc_auc_score(is_ai, p_ai))


def expected_calibration_error(p_ai: Floats, is_ai: Bools, bins: int = 15) -> float:
    """ECE of the AI probability, classes weighted equally, equal-width bins (Guo et al. 2017)."""
    weight = np.where(is_ai, 0.5 / is_ai.sum(), 0.5 / (~is_ai).sum())
    which = np.minimum((p_ai * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = which == b
        total += abs((weight[inside] * (p_ai[inside] - is_ai[inside])).sum())
    return float(total)


def tpr_at_fpr(p_ai: Floats, is_ai: Bools, fpr: float) -> float:
    """Share of AI pictures found when a share `fpr` of the real ones may be flagged."""
    alarms, hits, _ = roc_curve(is_ai, p_ai)
    return float(hits[alarms <= fpr].max())


def summarise(
    p_ai: Floats,
    is_ai: Bools,
    verdicts: NDArray[np.str_],
    groups: list[str],
    kinds: Sequence[Collection[str]] = (),
    eras: Sequence[str] = (),
) -> SetMetrics:
    """All figures of one set under one condition.

    Args:
        p_ai: calibrated AI probabilities, [N].
        is_ai: which of the N pictures are AI-made.
        verdicts: the verdict on each.
        groups: a name per picture: its generator or its real source.
        kinds: names per picture for what it shows, or none for all.
        eras: a name per picture for when it was taken, or none for all.

    Raises:
        DataError: one of the two classes is absent.
    """
    if is_ai.all() or not is_ai.any():
        raise DataError("Measuring needs AI and real pictures; one of the classes is empty.")
    right = (p_ai >= 0.5) == is_ai
    called_ai = verdicts == "ai"
    return SetMetrics(
        pictures={"ai": int(is_ai.sum()), "real": int((~is_ai).sum())},
        balanced_accuracy=bootstrap_ci(balanced_accuracy, p_ai, is_ai),
        auc=bootstrap_ci(auc, p_ai, is_ai),
        verdicts=_verdicts(is_ai, verdicts),
        accuracy_ai=_share(right, is_ai),
        accuracy_real=_share(right, ~is_ai),
        tpr_at_fpr={name: tpr_at_fpr(p_ai, is_ai, int(name) / 100) for name in ("1", "5")},
        ece=bootstrap_ci(expected_calibration_error, p_ai, is_ai),
        confusion={
            side: {v: int((verdicts[members] == v).sum()) for v in ("ai", "uncertain", "real")}
            for side, members in (("ai", is_ai), ("real", ~is_ai))
        },
        generators=_by_group(right, groups, is_ai),
        real_sources=_by_group(right, groups, ~is_ai),
        real_sources_called_ai=_by_group(called_ai, groups, ~is_ai),
        real_kinds_called_ai=_by_kind(called_ai, kinds, groups, ~is_ai),
        real_eras_called_ai=_by_kind(called_ai, [(era,) for era in eras], groups, ~is_ai),
        worst_false_alarms=_worst(p_ai, ~is_ai & ~right, groups),
        worst_misses=_worst(1 - p_ai, is_ai & ~right, groups),
    )


def _verdicts(is_ai: Bools, verdicts: NDArray[np.str_]) -> Verdicts:
    decided = verdicts != "uncertain"
    right = verdicts == np.where(is_ai, "ai", "real")
    everything = np.ones_like(is_ai)
    return Verdicts(
        coverage=_share(decided, everything),
        selective_accuracy=_share(right, decided) if decided.any() else None,
        ai_called_ai=_share(verdicts == "ai", is_ai),
        real_called_ai=_share(verdicts == "ai", ~is_ai),
        ai_called_real=_share(verdicts == "real", is_ai),
        real_called_real=_share(verdicts == "real", ~is_ai),
    )


def _share(hits: Bools, members: Bools) -> Interval:
    return wilson_ci(int(hits[members].sum()), int(members.sum()))


def _worst(error: Floats, members: Bools, groups: list[str]) -> dict[str, int]:
    """How often each group is among the members with the largest error, most often first."""
    chosen = sorted(np.flatnonzero(members), key=lambda i: -float(error[i]))[:WORST_K]
    return dict(Counter(groups[i] for i in chosen).most_common())


def _by_group(hits: Bools, groups: list[str], members: Bools) -> Groups:
    names = np.array(groups)
    return {
        str(name): _share(hits, members & (names == name)) for name in sorted(set(names[members]))
    }


def _by_kind(
    hits: Bools, kinds: Sequence[Collection[str]], sources: list[str], members: Bools
) -> Groups:
    """The share of hits among the members of each kind; one may be of several, or of none."""
    source = np.array(sources)
    parts = {
        name: members & np.array([name in of for of in kinds])
        for name in sorted({name for of in kinds for name in of})
    }
    return {n: clustered_ci(hits[part], source[part]) for n, part in parts.items() if part.any()}
