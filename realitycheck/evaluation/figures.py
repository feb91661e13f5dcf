"""What an evaluation draws and writes: PNG figures and `report.md`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from realitycheck.evaluation.report import Report, Scores
from realitycheck.files import atomic_write
from realitycheck.results import Interval, Measurements, SetMetrics
from realitycheck.tables import (
    attack_table,
    explanation_table,
    markdown,
    measurement_table,
    percent,
)
from realitycheck.wording import ATTACKS, MAPS

BINS = 10
QUALITIES = {"clean": 100, "q90": 90, "q70": 70, "q50": 50, "q30": 30}
SCALES = {"clean": 1.0, "screenshot": 0.8, "half": 0.5}
REPORT = "report.md"


def reliability(scores: list[Scores]) -> Figure:
    """The share of AI pictures against the probability they were given; classes weigh the same."""
    figure, axes = _square("AI probability", "share of AI pictures")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for part in scores:
        weights = np.where(part.is_ai, 0.5 / part.is_ai.sum(), 0.5 / (~part.is_ai).sum())
        which = np.minimum((part.p_ai * BINS).astype(int), BINS - 1)
        points = [
            (
                np.average(part.p_ai[which == b], weights=weights[which == b]),
                np.average(part.is_ai[which == b], weights=weights[which == b]),
            )
            for b in np.unique(which)
        ]
        axes.plot(*zip(*points, strict=True), marker="o", label=part.name)
    axes.legend()
    return figure


def roc(scores: list[Scores]) -> Figure:
    """Found AI pictures against false alarms, with 1 % and 5 % false alarms marked."""
    figure, axes = _square("real pictures called AI", "AI pictures found")
    for alarms in (0.01, 0.05):
        axes.axvline(alarms, color="grey", linewidth=1, linestyle=":")
        axes.text(alarms, 1.01, f"{alarms:.0%}", ha="center", fontsize=8)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for part in scores:
        alarms, hits, _ = roc_curve(part.is_ai, part.p_ai)
        axes.plot(alarms, hits, label=part.name)
    axes.legend(loc="lower right")
    return figure


def coverage(scores: list[Scores]) -> Figure:
    """Accuracy among the share of pictures whose probability is farthest from one half."""
    figure, axes = _square("share of pictures answered", "right among those")
    for part in scores:
        order = np.argsort(-np.abs(part.p_ai - 0.5), kind="stable")
        right = ((part.p_ai >= 0.5) == part.is_ai)[order]
        counts = np.arange(1, len(right) + 1)
        shown = counts >= min(len(right), 20)
        share = counts / len(right)
        axes.plot(share[shown], (np.cumsum(right) / counts)[shown], label=part.name)
    axes.set_ylim(0.4, 1)
    axes.legend()
    return figure


def robustness(sets: Measurements) -> Figure:
    """Balanced accuracy against JPEG quality, against scale, and under every condition."""
    figure = Figure(figsize=(13, 4.5), layout="constrained")
    parts = figure.subplots(1, 3, sharey=True)
    for axes, stops, title in (
        (parts[0], QUALITIES, "saved again as JPEG, quality (100: not again)"),
        (parts[1], SCALES, "made smaller by"),
    ):
        for name, conditions in sets.items():
            found = [(x, conditions[key]) for key, x in stops.items() if key in conditions]
            _with_intervals(axes, [x for x, _ in found], [f for _, f in found], name)
        axes.set(xlabel=title)
        axes.invert_xaxis()
    for name, conditions in sets.items():
        _with_intervals(parts[2], list(conditions), list(conditions.values()), name, line="none")
    parts[2].tick_params(axis="x", rotation=70)
    parts[0].set(ylabel="balanced accuracy")
    for axes in parts:
        axes.axhline(0.5, color="grey", linewidth=1)
        axes.grid(alpha=0.3)
    parts[2].legend()
    return figure


def _with_intervals(
    axes: Any, x: list[Any], found: list[SetMetrics], name: str, line: str = "-"
) -> None:
    values, spread = _spread([metrics.balanced_accuracy for metrics in found])
    axes.errorbar(x, values, spread, marker="o", linestyle=line, capsize=3, label=name)


def _spread(shares: list[Interval]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Values, and how far their intervals reach down and up, as Matplotlib wants it."""
    values = np.array([share.value for share in shares])
    low = values - [share.low for share in shares]
    high = [share.high for share in shares] - values
    return values, [np.clip(low, 0, None), np.clip(high, 0, None)]


def groups(metrics: SetMetrics) -> Figure:
    """Accuracy for every generator and every source of real pictures, with intervals."""
    parts = [(metrics.generators, "AI pictures"), (metrics.real_sources, "real pictures")]
    rows = max(len(found) for found, _ in parts)
    figure = Figure(figsize=(13, 1.5 + 0.28 * rows), layout="constrained")
    for axes, (members, title) in zip(figure.subplots(1, 2), parts, strict=True):
        found = sorted(members.items(), key=lambda item: item[1].value)
        values, spread = _spread([share for _, share in found])
        names = [f"{name[:40]} ({share.count})" for name, share in found]
        axes.errorbar(values, range(len(found)), xerr=spread, fmt="o", capsize=3)
        axes.set_yticks(range(len(found)), names, fontsize=8)
        axes.set(title=f"{title}, share right at 0.5", xlim=(-0.02, 1.02))
        axes.axvline(0.5, color="grey", linewidth=1)
        axes.grid(alpha=0.3)
    return figure


def _square(x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def write(folder: Path, report: Report, scores: list[Scores]) -> None:
    """Draws every figure and writes `report.md` beside them.

    Args:
        folder: where `metrics.json` is.
        report: what it holds.
        scores: of every set under every condition.
    """
    sets = report.sets
    clean = [part for part in scores if part.condition == "clean"] or scores
    drawn = {
        "reliability": reliability(clean),
        "roc": roc(clean),
        "coverage": coverage(clean),
        "robustness": robustness(sets),
    }
    for name, conditions in sets.items():
        drawn[f"groups-{name}"] = groups(conditions.get("clean") or next(iter(conditions.values())))
    for name, figure in drawn.items():
        with atomic_write(folder / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=110)
    with atomic_write(folder / REPORT) as temporary:
        temporary.write_text("\n".join(_lines(report, list(drawn))) + "\n", encoding="utf-8")


def _lines(report: Report, drawn: list[str]) -> Iterator[str]:
    model = report.model
    mode = ", quick mode" if model["mode"] == "quick" else ""
    yield f"# {model['source']}, version {model['version']}, SHA-256 {model['sha256']}{mode}"
    yield "\nPercent, with 95 % intervals.\n"
    yield from markdown(*measurement_table(report.sets))
    if report.shortcuts:
        yield "\n## Shortcuts\n\nBalanced accuracy of baselines that see no traces; chance is 50.\n"
        yield from markdown(
            ("shortcut", "set", "balanced accuracy"),
            (
                (shortcut, name, percent(figure))
                for shortcut, found in report.shortcuts.items()
                for name, figure in found.items()
            ),
        )
    yield "\n## Verdicts\n"
    heads = ("set", "condition", "truth", "ai", "uncertain", "real")
    yield from markdown(heads, _confusion(report.sets))
    if report.attacks:
        yield f"\n## Attacks\n\n{ATTACKS}\n"
        yield from markdown(*attack_table(report.attacks))
    if report.explanations:
        yield f"\n## Maps\n\n{MAPS}\n"
        yield from markdown(*explanation_table(report.explanations))
    for name in drawn:
        yield f"\n![{name}]({name}.png)"


def _confusion(sets: Measurements) -> Iterator[tuple[str, ...]]:
    for name, conditions in sets.items():
        for condition, metrics in conditions.items():
            for truth, counts in metrics.confusion.items():
                yield name, condition, truth, *(str(count) for count in counts.values())
