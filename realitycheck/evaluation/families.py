"""How well families of generators are named on sources that were held out, and from when on."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from realitycheck.committee.families import OTHER, Families, shares
from realitycheck.evaluation.metrics import clustered_ci, wilson_ci
from realitycheck.results import UNGROUPED, FamilyMetrics, Interval
from realitycheck.training.families import FILE, FittedFamilies, Named

RIGHT = 0.8  # of named families that must be right on sources held out
ENOUGH = 30  # pictures for which a family is named, below which no threshold is set
NEVER = 2.0  # threshold that no probability reaches
TEMPERATURES = np.geomspace(0.05, 20, 200)
HELD_OUT, RE_SAVED = "held out, as they are", "held out, re-saved"

Bools = NDArray[np.bool_]


def calibrated(held_out: Named) -> Families:
    """Temperature and threshold that fit pictures of sources that were held out.

    The temperature has the lowest cross-entropy (Guo et al. 2017, arXiv 1706.04599). The threshold
    is the lowest from which on 80 % of the families that are named are right, for certain
    (Wilson's lower end) where that can be had.

    Args:
        held_out: what heads said that saw no picture of these sources.
    """
    unscaled = Families(FILE, held_out.names)
    rows, truth = torch.from_numpy(held_out.logits), torch.from_numpy(held_out.family)
    losses = [torch.nn.functional.cross_entropy(rows / t, truth).item() for t in TEMPERATURES]
    temperature = float(TEMPERATURES[int(np.argmin(losses))])
    found = Families(FILE, unscaled.names, temperature, 0.0)
    called, share = answers(found, held_out)
    order = np.argsort(-share)
    order = order[called[order] >= 0]
    right = np.cumsum(called[order] == held_out.family[order])
    enough = [n for n in range(ENOUGH, len(order) + 1) if _holds(int(right[n - 1]), n)]
    threshold = float(share[order[max(enough) - 1]]) if enough else NEVER
    return Families(FILE, unscaled.names, temperature, threshold)


def _holds(right: int, count: int) -> bool:
    return wilson_ci(right, count).low >= RIGHT


def answers(families: Families, said: Named) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of N pictures the number of the family that is named, -1 for none, and its probability."""
    found = shares(families, torch.from_numpy(said.logits)).numpy()
    best = found.argmax(axis=1)
    share = found.max(axis=1)
    others = np.array([name == OTHER for name in families.names])[best]
    return np.where(others | (share < families.threshold), -1, best), share


def measure(families: Families, fitted: FittedFamilies) -> dict[str, FamilyMetrics]:
    """Figures on the sources that were held out, as they are and re-saved.

    Args:
        families: calibrated.
        fitted: of `training.families.fit`.
    """
    return {
        name: of_set(
            families, *(s.take(s.clean == clean) for s in (fitted.held_out, fitted.unknown))
        )
        for name, clean in ((HELD_OUT, True), (RE_SAVED, False))
        if (fitted.held_out.clean == clean).any()
    }


def of_set(families: Families, said: Named, unknown: Named | None = None) -> FamilyMetrics:
    """Figures of one set of AI pictures.

    Args:
        families: calibrated.
        said: of pictures whose family is known.
        unknown: of pictures whose family the head was not taught; None where that is not known.
    """
    called, _ = answers(families, said)
    named, right = called >= 0, called == said.family
    groups = {UNGROUPED: np.ones_like(named)}
    groups |= {name: said.family == number for number, name in enumerate(families.names)}
    untaught: dict[str, Interval] = {}
    if unknown is not None and len(unknown.family):
        alarms = answers(families, unknown)[0] >= 0
        parts = {UNGROUPED: np.ones_like(alarms)}
        parts |= {name: unknown.family == n for n, name in enumerate(families.names)}
        untaught = _figures(alarms, parts, unknown.source)
    taught = {name: part & named for name, part in groups.items() if name != OTHER}
    so_called = {name: called == number for number, name in enumerate(families.names)}
    return FamilyMetrics(
        named=_figures(named, groups, said.source),
        right=_figures(right, taught, said.source),
        called=_figures(right, so_called, said.source),
        untaught=untaught,
    )


def _figures(
    hits: Bools, parts: dict[str, Bools], source: NDArray[np.int64]
) -> dict[str, Interval]:
    return {name: clustered_ci(hits[p], source[p]) for name, p in parts.items() if p.any()}


def lines(families: Families, metrics: dict[str, FamilyMetrics]) -> Iterator[str]:
    """What was found, as lines to print."""
    if families.threshold >= 1:
        yield (
            f"No family will be named: on sources held out fewer than {RIGHT:.0%} of the names "
            "would be right. Add sources, or put families that look alike under one name."
        )
    for name, found in metrics.items():
        named, right = found.named[UNGROUPED], found.right.get(UNGROUPED)
        yield f"{name}: a family is named for {named.percent()} % of {named.count} pictures"
        if right is not None:
            yield f"  {right.percent()} % of the names are right"
