"""Architectures trained from nothing for the same time: python benchmarks/architectures.py DATA

Each trains on the same pictures, on one thread, by the product's own recipe, and is written as a
checkpoint, uncalibrated, into its folder of --output; finished ones are not repeated. Measure each
with `train.py DATA --evaluate FOLDER --output RUN`, and compare the RUNs with compare.py.

Time is counted in seconds, so leave the machine to it: no more processes than cores.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from search import Design, Sources, train

from realitycheck import checkpoints, data, evaluation
from realitycheck.data import PictureSet, Splits
from realitycheck.errors import exit_status
from realitycheck.training import RECIPES, Recipe, for_architecture

OWN = replace(RECIPES["full"], weights="none", crop_sizes=(64,), strength=0.5)
NAMES = ("resnet50", "efficientnet_b0", "vit_b_16")


def read(splits: Splits) -> Sources:
    """All training pictures. Nobody is asked here, so nothing is held out."""
    pictures = PictureSet(splits["train"], lambda image: image)
    ai_index = splits.classes.index(data.ai_class(splits.classes))
    return Sources(pictures, pictures, pictures, [], ai_index, "")


def perform(recipe: Recipe, splits: Splits, sources: Sources, seconds: float, folder: Path) -> None:
    """Trains one architecture and writes its checkpoint."""
    started = time.monotonic()
    model, crops = train(Design(recipe), sources, seconds)
    taken = time.monotonic() - started
    history = [{"pictures": crops, "seconds": taken}]
    ai_class = splits.classes[sources.ai_index]
    config = evaluation.uncalibrated_config(recipe, splits, ai_class, history)
    checkpoints.save(folder, model, config)
    side = recipe.crop_sizes[0]
    print(f"{recipe.arch}: {crops:,} crops of {side} px in {taken:.0f} s", flush=True)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("data", metavar="DATA", type=Path, help="folder of pictures")
    p.add_argument("--output", type=Path, default=Path("Models/architectures"))
    p.add_argument("--seconds", type=float, default=1200, help="of training, each (1200)")
    p.add_argument("--only", nargs="+", metavar="NAME", choices=NAMES)
    args = p.parse_args()
    torch.set_num_threads(1)  # so that two processes on two cores do not disturb each other
    splits = data.find(args.data)
    sources = read(splits)
    for name in args.only or NAMES:
        if not (args.output / name).is_dir():
            recipe = for_architecture(OWN, name)
            perform(recipe, splits, sources, args.seconds, args.output / name)


if __name__ == "__main__":
    sys.exit(exit_status(main))
