"""What limits training: python benchmarks/training.py [--crop PX] [--workers N] [--steps N]

Trains with the full recipe on pictures drawn for the purpose, in turn on one batch again and again
(pure compute), by the loaders, and from cached squares (--cache-pixels), and prints pictures per
second, the share of pure compute, the share of time spent waiting for data, and the time of all
cores that a picture took, loader processes included. Of several rounds the medians count, and
ratios are those of a round's neighbours: what else a machine does slows all alike.

On a GPU: python benchmarks/training.py --crop 224 --batch-size 256 --workers 14 --steps 60
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from realitycheck.committee.cnn import build_model
from realitycheck.data.dataset import EpochSampler, PictureSet
from realitycheck.data.samples import Sample, Splits
from realitycheck.training.loaders import make_loader, train_transform
from realitycheck.training.loop import Trained, best_precision, make_accelerator, train_one_epoch
from realitycheck.training.optimization import new_run
from realitycheck.training.pixels import cached_pixels
from realitycheck.training.recipe import RECIPES, Recipe
from realitycheck.training.run import train_mode

COUNT = 64  # distinct pictures
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # of a processor, that matter here
WAYS = ("network alone", "loaders", "cached pixels")


@dataclass
class Measured:
    """One epoch: pictures per second, the share that waited for data, and ms of all cores each."""

    rate: float
    wait: float
    work: float


def draw(folder: Path, side: int) -> list[Sample]:
    rng = np.random.default_rng(0)
    samples = []
    for i in range(COUNT):
        coarse = rng.integers(0, 256, (22, 22, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        path = folder / f"{i}.jpg"
        image.save(path, quality=90)
        samples.append(Sample(path, i % 2))
    return samples


def timed(pictures: int, run: Callable[[], Trained]) -> Measured:
    started, worked = time.perf_counter(), work()
    trained = run()  # which reads back its loss, so that a GPU has come to its end
    took = time.perf_counter() - started
    return Measured(pictures / took, trained.data_wait, 1000 * (work() - worked) / pictures)


def work() -> float:
    """Seconds of all cores so far, of this process and of those that it started and that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def loaders(samples: list[Sample], recipe: Recipe, workers: int, accelerator) -> dict:
    """The batches of an epoch in both ways, and how long the squares took to cut."""
    pictures = PictureSet(samples, train_transform(recipe, 0))
    started = time.perf_counter()
    splits = Splits(Path(), ["ai", "real"], {"train": samples, "val": samples[:COUNT]})
    cached, _ = cached_pixels(replace(recipe, cache_pixels=True, copies=4), splits, accelerator)
    print(f"{len(samples)} pictures cut in {time.perf_counter() - started:.1f} s", end=", ")
    print(f"squares in {cached._squares.device} memory\n")
    return {
        way: accelerator.prepare(
            make_loader(part, recipe, workers, EpochSampler(part.labels, 0, balanced=True))
        )
        for way, part in (("loaders", pictures), ("cached pixels", cached))
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{os.cpu_count()} cores"
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return " ".join([f"{os.cpu_count()} cores,", *(flag for flag in FLAGS if flag in flags)])


def report(rounds: list[dict[str, Measured]]) -> None:
    def median(of: Callable[[dict[str, Measured]], float]) -> float:
        return statistics.median(of(found) for found in rounds)

    print(f"{'':16}{'pictures/s':>12}{'of pure compute':>18}{'data wait':>12}{'core ms each':>15}")
    for way in WAYS:
        rate = median(lambda found, way=way: found[way].rate)
        share = median(lambda found, way=way: found[way].rate / found[WAYS[0]].rate)
        wait = median(lambda found, way=way: found[way].wait)
        each = median(lambda found, way=way: found[way].work)
        print(f"{way:16}{rate:12.1f}{share:18.0%}{wait:12.0%}{each:15.2f}")
    ratio = median(lambda found: found["cached pixels"].rate / found["loaders"].rate)
    ratios = sorted(found["cached pixels"].rate / found["loaders"].rate for found in rounds)
    print(f"\ncached pixels / loaders: {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def main() -> None:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--crop", type=int, default=64, help="side of a training crop, px")
    p.add_argument("--workers", type=int, default=1)
    p.add_argument("--batch-size", type=int, default=64)
    p.add_argument("--steps", type=int, default=12, help="of an epoch")
    p.add_argument("--rounds", type=int, default=5)
    args = p.parse_args()
    recipe = replace(RECIPES["full"], crop_sizes=(args.crop,), batch_size=args.batch_size)
    accelerator = make_accelerator(recipe.precision)
    count = args.steps * args.batch_size
    print(
        f"{recipe.arch}, {args.crop} px, batch {args.batch_size}, {args.workers} workers, ", end=""
    )
    print(f"{best_precision()}, {accelerator.device}, torch {torch.__version__}")
    print(f"{processor()}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        print(torch.cuda.get_device_name())

    network = build_model(recipe.arch, 2, recipe.dropout)
    run = new_run(recipe, network, network, args.steps)
    network.to(device=accelerator.device, memory_format=torch.channels_last)
    run.average.to(accelerator.device)
    model, optimizer = accelerator.prepare(network, run.optimizer)
    train_mode(network)

    def epoch(batches: Iterable) -> Trained:
        return train_one_epoch(
            *(model, batches, torch.nn.CrossEntropyLoss(), optimizer, accelerator),
            lambda: run.average.update_parameters(network),
        )

    with tempfile.TemporaryDirectory() as folder:
        samples = draw(Path(folder), max(176, 2 * args.crop))
        repeated = (samples * (count // COUNT + 1))[:count]
        ways: dict[str, Iterable] = loaders(repeated, recipe, args.workers, accelerator)
        batch = next(iter(ways["cached pixels"]))
        ways[WAYS[0]] = [batch] * args.steps
        for way in WAYS:
            epoch(ways[way])  # to warm up
        report(
            [
                {way: timed(count, lambda w=way: epoch(ways[w])) for way in WAYS}
                for _ in range(args.rounds)
            ]
        )


if __name__ == "__main__":
    main()
