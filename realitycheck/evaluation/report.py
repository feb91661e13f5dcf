"""What a measurement leaves behind: `metrics.json`, `scores.csv`, and its lines on the console."""

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realitycheck.data.samples import Sample
from realitycheck.files import atomic_write
from realitycheck.results import Attacks, Groups, Measurements, SetMetrics
from realitycheck.tables import COLUMNS, percent

METRICS, SCORES = "metrics.json", "scores.csv"


@dataclass(frozen=True)
class Scores:
    """What a committee said about the pictures of one set under one condition.

    Attributes:
        name: of the set.
        condition: under which they were seen.
        samples: the N pictures that could be read.
        p_ai: calibrated AI probabilities, [N].
        is_ai: which are AI-made, [N].
        groups: the generator or real source of each.
    """

    name: str
    condition: str
    samples: list[Sample]
    p_ai: NDArray[np.float64]
    is_ai: NDArray[np.bool_]
    groups: list[str]


@dataclass
class Report:
    """Everything that was measured of one checkpoint.

    Attributes:
        model: of `Checkpoint.describe`.
        sets: what was measured.
        shortcuts: baseline to set to its balanced accuracy, see `evaluation.shortcuts`.
        explanations: set to how the maps did.
        attacks: set to how attacked pictures were judged.
    """

    model: dict[str, Any]
    sets: Measurements = field(default_factory=dict)
    shortcuts: dict[str, Groups] = field(default_factory=dict)
    explanations: dict[str, Groups] = field(default_factory=dict)
    attacks: Attacks = field(default_factory=dict)


def write_metrics(folder: Path, report: Report) -> None:
    """Writes `metrics.json`."""
    with atomic_write(folder / METRICS) as temporary:
        temporary.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")


def write_scores(folder: Path, scores: list[Scores], root: Path) -> None:
    """Writes `scores.csv`, a row per picture and condition, file names relative to `root`."""
    with (
        atomic_write(folder / SCORES) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        table = csv.writer(file)
        table.writerow(["set", "condition", "file", "group", "is_ai", "p_ai"])
        for part in scores:
            for sample, group, is_ai, p_ai in zip(
                part.samples, part.groups, part.is_ai, part.p_ai, strict=True
            ):
                name = sample.path.relative_to(root).as_posix()
                table.writerow([part.name, part.condition, name, group, int(is_ai), f"{p_ai:.6f}"])


def lines(name: str, condition: str, metrics: SetMetrics) -> Iterator[str]:
    """The printed report of one set under one condition; shares in percent, 95 % intervals."""
    counts = metrics.pictures
    yield f"\n{name}, {condition}: {counts['ai']} AI, {counts['real']} real"
    shown = [(column.head, column.read(metrics)) for column in COLUMNS]
    shown += [
        ("accuracy on AI", metrics.accuracy_ai),
        ("accuracy on real", metrics.accuracy_real),
        ("AI called `ai`", metrics.verdicts.ai_called_ai),
        ("real called `real`", metrics.verdicts.real_called_real),
    ]
    for label, figure in shown:
        yield f"  {label:32}{percent(figure)}"
    for fpr, share in metrics.tpr_at_fpr.items():
        yield f"  {f'AI found at {fpr} % false alarms':32}{100 * share:.1f}"
    for label, groups in (
        ("accuracy per generator", metrics.generators),
        ("per real source", metrics.real_sources),
    ):
        yield f"  {label}"
        for group, figure in sorted(groups.items(), key=lambda item: item[1].value):
            yield f"    {group[:58]:60}{percent(figure):22}n = {figure.count}"
