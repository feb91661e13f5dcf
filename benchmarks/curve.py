"""What a chain of training runs gained: python benchmarks/curve.py HISTORY... --figure curve.png

Each HISTORY is the `history.csv` that `train.py` wrote; every run began with the weights of the one
before. Prints a row per epoch and draws validation accuracy against crops seen and against hours.
It is that of centre crops as large as the training crops: compare within one size only.
"""

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parent.parent))

from realitycheck.files import replacing


@dataclass(frozen=True)
class Point:
    """The end of an epoch.

    Attributes:
        run: number of the run, from 1.
        crop: side of the crops, px.
        crops: seen since the first run's start.
        hours: taken since then, validation included.
        loss: of the validation pictures' centre crops.
        accuracy: balanced, of the same.
    """

    run: int
    crop: int
    crops: int
    hours: float
    loss: float
    accuracy: float


def read(histories: list[Path], crops: int, hours: float) -> list[Point]:
    """The epochs of all runs, after the crops and hours that came before them."""
    points = []
    for run, path in enumerate(histories, 1):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                crops += int(row["pictures"])
                hours += float(row["seconds"]) / 3600
                figures = float(row["val_loss"]), float(row["val_balanced_acc"])
                points.append(Point(run, int(row["crop"]), crops, hours, *figures))
    return points


def draw(points: list[Point], path: Path) -> None:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, name, label in ((left, "crops", "crops seen"), (right, "hours", "hours of training")):
        for run in sorted({p.run for p in points}):
            own = [p for p in points if p.run == run]
            for crop in sorted({p.crop for p in own}):
                part = [p for p in own if p.crop == crop]
                axes.plot(
                    [getattr(p, name) for p in part],
                    [p.accuracy for p in part],
                    marker="o",
                    label=f"run {run}, {crop} px",
                )
        axes.set(xlabel=label)
        axes.grid(alpha=0.3)
    left.set(xscale="log", ylabel="validation, balanced accuracy")
    right.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("histories", nargs="+", metavar="HISTORY", type=Path)
    p.add_argument("--crops", type=int, default=0, help="seen before the first run (0)")
    p.add_argument("--hours", type=float, default=0, help="taken before the first run (0)")
    p.add_argument("--figure", type=Path, help="PNG to write")
    args = p.parse_args()
    points = read(args.histories, args.crops, args.hours)
    print("run  crop px      crops  hours  val loss  val balanced accuracy")
    for point in points:
        print(
            f"{point.run:3}  {point.crop:7}  {point.crops:9,}  {point.hours:5.2f}  "
            f"{point.loss:8.4f}  {point.accuracy:.4f}"
        )
    if args.figure:
        draw(points, args.figure)


if __name__ == "__main__":
    main()
