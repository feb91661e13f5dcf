"""What limits training: python benchmarks/training.py [--crop PX] [--workers N]

Prints pictures per second of the loader alone, the network alone, and both together, for the
full recipe on pictures drawn for the purpose.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from realitycheck.committee.cnn import build_model
from realitycheck.data.augment import training_view
from realitycheck.data.dataset import EpochSampler, PictureSet
from realitycheck.data.samples import Sample
from realitycheck.training.loaders import make_loader
from realitycheck.training.loop import best_precision, make_accelerator, train_one_epoch
from realitycheck.training.recipe import RECIPES
from realitycheck.training.run import new_run, train_mode

COUNT, SIDE = 64, 176  # distinct pictures, and their side in px


def draw(folder: Path) -> list[Sample]:
    rng = np.random.default_rng(0)
    samples = []
    for i in range(COUNT):
        coarse = rng.integers(0, 256, (22, 22, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        path = folder / f"{i}.jpg"
        image.save(path, quality=90)
        samples.append(Sample(path, i % 2))
    return samples


def speed(pictures: int, run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return pictures / (time.perf_counter() - started)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--crop", type=int, default=64, help="side of a training crop, px")
    p.add_argument("--workers", type=int, default=1)
    p.add_argument("--batch-size", type=int, default=64)
    p.add_argument("--steps", type=int, default=12, help="counted steps of each measurement")
    args = p.parse_args()
    recipe = replace(RECIPES["full"], crop_sizes=(args.crop,), batch_size=args.batch_size)
    accelerator = make_accelerator(recipe.precision)
    count = args.steps * args.batch_size

    with tempfile.TemporaryDirectory() as folder:
        samples = draw(Path(folder))
        repeated = (samples * (count // COUNT + 1))[:count]
        pictures = PictureSet(repeated, training_view(args.crop, recipe.preprocessing))
        order = EpochSampler(pictures.labels, 0, balanced=True)
        loader = accelerator.prepare(make_loader(pictures, recipe, args.workers, order))

        network = build_model(recipe.arch, 2, recipe.dropout)
        run = new_run(recipe, network, network, args.steps)
        network.to(device=accelerator.device, memory_format=torch.channels_last)
        run.average.to(accelerator.device)
        model, optimizer = accelerator.prepare(network, run.optimizer)
        train_mode(network)

        def epoch(batches) -> None:
            train_one_epoch(
                *(model, batches, torch.nn.CrossEntropyLoss(), optimizer, accelerator),
                lambda: run.average.update_parameters(network),
            )

        batch = next(iter(loader))
        epoch([batch] * 2)
        alone = speed(count, lambda: [None for _ in loader])
        bare = speed(count, lambda: epoch([batch] * args.steps))
        together = speed(count, lambda: epoch(loader))

    print(
        f"{recipe.arch}, {args.crop} px, batch {args.batch_size}, {args.workers} workers, ", end=""
    )
    print(f"{best_precision()}, {accelerator.device}, torch {torch.__version__}\n")
    for name, value in (("loader", alone), ("network", bare), ("together", together)):
        print(f"{name:12}{value:8.1f} pictures/s")
    print(f"\ntogether / slower of both: {together / min(alone, bare):.2f}")


if __name__ == "__main__":
    main()
