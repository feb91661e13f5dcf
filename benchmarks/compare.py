"""Measured checkpoints side by side: python benchmarks/compare.py RUN RUN RUN+RUN ...

A RUN is a folder into which `train.py DATA --evaluate CHECKPOINT --output RUN` wrote metrics.json
and scores.csv. RUN+RUN is their ensemble: the mean of their AI probabilities. Prints what each
costs, its accuracy under every condition that all were measured under, and 95 % intervals.
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
from realitycheck.evaluation import METRICS, SCORES, auc, balanced_accuracy, interval

Scores = dict[tuple[str, str], dict[str, tuple[float, bool]]]


@dataclass
class Run:
    """A measured checkpoint.

    Attributes:
        model: its network, in eval mode.
        view: one normalised view, [1, 3, side, side].
        scores: of each set and condition, file to AI probability and whether it is AI-made.
    """

    model: torch.nn.Module
    view: torch.Tensor
    scores: Scores

    @property
    def parameters(self) -> float:
        """Millions of numbers in the model."""
        return sum(p.numel() for p in self.model.parameters()) / 1e6

    def macs(self) -> float:
        """Thousand millions of multiplications and additions per view."""
        with FlopCounterMode(display=False) as counter:
            self.forward()
        return counter.get_total_flops() / 2e9

    def forward(self) -> None:
        with torch.inference_mode():
            self.model(self.view)


def read(folder: Path) -> Run:
    """The checkpoint and scores of a measured run."""
    source = json.loads((folder / METRICS).read_text())["model"]["source"]
    checkpoint = checkpoints.load(checkpoints.BUNDLE if source == "bundled" else source)
    side = checkpoint.config.preprocessing.size
    scores: Scores = {}
    with (folder / SCORES).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = scores.setdefault((row["set"], row["condition"]), {})
            found[row["file"]] = float(row["p_ai"]), row["is_ai"] == "1"
    view = torch.randn(1, 3, side, side).contiguous(memory_format=torch.channels_last)
    return Run(checkpoint.model.to(memory_format=torch.channels_last), view, scores)


def figures(members: list[Run], place: tuple[str, str]) -> list[str]:
    """Balanced accuracy and AUC of one run, or of several runs' mean, in percent."""
    parts = [member.scores[place] for member in members]
    files = sorted(set.intersection(*(set(part) for part in parts)))
    p_ai = np.mean([[part[file][0] for file in files] for part in parts], axis=0)
    is_ai = np.array([parts[0][file][1] for file in files])
    values = [interval(statistic, p_ai, is_ai) for statistic in (balanced_accuracy, auc)]
    return [f"{100 * v['value']:.1f} ({100 * v['low']:.1f}–{100 * v['high']:.1f})" for v in values]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("runs", nargs="+", metavar="RUN", help="folder, or FOLDER+FOLDER")
    p.add_argument("--times", type=int, default=15, help="each network is timed (15)")
    args = p.parse_args()
    rows = {name: name.split("+") for name in args.runs}
    runs = {folder: read(Path(folder)) for folders in rows.values() for folder in folders}
    times = timed({folder: run.forward for folder, run in runs.items()}, args.times)
    milliseconds = {folder: 1000 * statistics.median(taken) for folder, taken in times.items()}

    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; per view\n")
    print("| run | parameters, M | GMACs | ms |\n|---|---|---|---|")
    for name, folders in rows.items():
        members = [runs[folder] for folder in folders]
        size, macs = sum(m.parameters for m in members), sum(m.macs() for m in members)
        print(f"| {name} | {size:.1f} | {macs:.2f} | {sum(milliseconds[f] for f in folders):.0f} |")
    print("\n| run | set | condition | balanced accuracy | AUC |\n|---|---|---|---|---|")
    common = set.intersection(*(set(run.scores) for run in runs.values()))
    for place in (place for place in next(iter(runs.values())).scores if place in common):
        for name, folders in rows.items():
            cells = [name, *place, *figures([runs[folder] for folder in folders], place)]
            print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
