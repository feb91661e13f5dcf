"""Measured checkpoints side by side: python benchmarks/compare.py RUN RUN RUN+RUN ...

A RUN is a folder into which `realitycheck evaluate DATA --model CHECKPOINT --output RUN` wrote
metrics.json and scores.csv. RUN+RUN is their ensemble: the mean of their AI probabilities. Prints
what each costs, and its figures on the pictures and under the conditions that all were measured on,
with 95 % intervals; the last column is the AUC less the first run's, picture by picture.
"""

import argparse
import csv
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from latency import timed
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from realitycheck import checkpoints
from realitycheck.committee.committee import Member
from realitycheck.evaluation.metrics import auc, balanced_accuracy, bootstrap_ci
from realitycheck.evaluation.report import METRICS, SCORES
from realitycheck.tables import markdown, percent

Scores = dict[tuple[str, str], dict[str, tuple[float, bool]]]


@dataclass
class Run:
    """A measured checkpoint.

    Attributes:
        members: its networks, in eval mode.
        views: one normalised view of each, [1, 3, side, side].
        scores: of each set and condition, file to AI probability and whether it is AI-made.
    """

    members: tuple[Member, ...]
    views: list[torch.Tensor]
    scores: Scores

    @property
    def parameters(self) -> float:
        """Millions of numbers in the networks."""
        networks = [member.network for member in self.members]
        return sum(p.numel() for network in networks for p in network.parameters()) / 1e6

    def macs(self) -> float:
        """Thousand millions of multiply-adds per view, in convolutions and matrix products."""
        with FlopCounterMode(display=False) as counter:
            self.forward()
        return counter.get_total_flops() / 2e9

    def forward(self) -> None:
        with torch.inference_mode():
            for member, view in zip(self.members, self.views, strict=True):
                member.head(member.backbone(view))


def read(folder: Path) -> Run:
    """The checkpoint and scores of a measured run."""
    measured = json.loads((folder / METRICS).read_text())["model"]
    source = measured["source"]
    checkpoint = checkpoints.load(checkpoints.BUNDLE if source == "bundled" else source)
    if checkpoint.sha256 != measured["sha256"]:
        sys.exit(f"{folder} was measured with other weights than {source} has now: measure again.")
    scores: Scores = {}
    with (folder / SCORES).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = scores.setdefault((row["set"], row["condition"]), {})
            found[row["file"]] = float(row["p_ai"]), row["is_ai"] == "1"
    views = []
    for member in checkpoint.members:
        side = member.preprocessing.size
        views.append(torch.randn(1, 3, side, side).contiguous(memory_format=torch.channels_last))
        member.network.to(memory_format=torch.channels_last)
    return Run(checkpoint.members, views, scores)


def probabilities(members: list[Run], place: tuple[str, str], files: list[str]) -> np.ndarray:
    """The mean AI probability of each file, [N]."""
    return np.mean([[member.scores[place][f][0] for f in files] for member in members], axis=0)


def gain(p_ai: np.ndarray, other: np.ndarray, is_ai: np.ndarray) -> str:
    """AUC less that of other scores of the same pictures, in percent, resampled in pairs."""

    def difference(pairs: np.ndarray, is_ai: np.ndarray) -> float:
        return auc(pairs[:, 0], is_ai) - auc(pairs[:, 1], is_ai)

    found = bootstrap_ci(difference, np.stack([p_ai, other], axis=1), is_ai)
    value, low, high = (f"{100 * part:+.1f}" for part in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def figures(p_ai: np.ndarray, first: np.ndarray, is_ai: np.ndarray) -> list[str]:
    """Balanced accuracy, AUC, and AUC less that of the first run, in percent."""
    own = [percent(bootstrap_ci(statistic, p_ai, is_ai)) for statistic in (balanced_accuracy, auc)]
    return [*own, gain(p_ai, first, is_ai)]


def print_costs(rows: dict[str, list[str]], runs: dict[str, Run], times: int) -> None:
    taken = timed({folder: run.forward for folder, run in runs.items()}, times)
    milliseconds = {folder: 1000 * statistics.median(values) for folder, values in taken.items()}
    lines = []
    for name, folders in rows.items():
        members = [runs[folder] for folder in folders]
        size, macs = sum(m.parameters for m in members), sum(m.macs() for m in members)
        took = sum(milliseconds[folder] for folder in folders)
        lines.append((name, f"{size:.1f}", f"{macs:.2f}", f"{took:.0f}"))
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; per view\n")
    print("\n".join(markdown(("run", "parameters, M", "GMACs", "ms"), lines)))


def print_figures(rows: dict[str, list[str]], runs: dict[str, Run]) -> None:
    all_scores = [run.scores for run in runs.values()]
    lines = []
    for place in (place for place in all_scores[0] if all(place in s for s in all_scores)):
        files = sorted(set.intersection(*(set(scores[place]) for scores in all_scores)))
        is_ai = np.array([all_scores[0][place][file][1] for file in files])
        found = {
            name: probabilities([runs[folder] for folder in folders], place, files)
            for name, folders in rows.items()
        }
        first = next(iter(found.values()))
        lines += [(name, *place, *figures(p_ai, first, is_ai)) for name, p_ai in found.items()]
    heads = ("run", "set", "condition", "balanced accuracy", "AUC", "against the first")
    print("", *markdown(heads, lines), sep="\n")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("runs", nargs="+", metavar="RUN", help="folder, or FOLDER+FOLDER")
    p.add_argument("--times", type=int, default=15, help="each network is timed (15)")
    args = p.parse_args()
    rows = {name: name.split("+") for name in args.runs}
    runs = {folder: read(Path(folder)) for folders in rows.values() for folder in folders}
    print_costs(rows, runs, args.times)
    print_figures(rows, runs)


if __name__ == "__main__":
    main()
