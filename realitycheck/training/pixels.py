"""Training from cached squares: which are cut, and whether they fit, in memory or on the GPU."""

import logging
import os
from pathlib import Path

import psutil
import torch
from accelerate import Accelerator
from PIL import Image

from realitycheck.data.augment import (
    RESAVED,
    SCALED,
    Centre,
    RandomReencode,
    RandomScaledCrop,
    WholeSquare,
    chance,
)
from realitycheck.data.batches import (
    MARGIN,
    PaperBatch,
    PlainBatch,
    TrainingBatch,
    resaved_versions,
)
from realitycheck.data.pixels import Cut, PixelSet, Plan
from realitycheck.data.samples import Splits
from realitycheck.errors import RealityCheckError
from realitycheck.training.recipe import Recipe

log = logging.getLogger(__name__)

MEMORY_SHARE = 0.8  # of what is free: the rest is for the network and for reading
GPU_SHARE = 0.5  # of what is free there: training needs more than holding
CONTAINER = Path("/sys/fs/cgroup")  # where Linux keeps a container's limits


def cached_pixels(
    recipe: Recipe, splits: Splits, accelerator: Accelerator
) -> tuple[PixelSet, PixelSet]:
    """Decodes training and validation pictures once, and keeps squares of them.

    Of a training picture, the full recipe keeps `copies` squares from places of their own, 1.25
    times as wide as the largest crop, each at the picture's scale or rescaled. Several are divided
    into those left so and those re-saved; a single one is re-saved or not, by chance. The paper's
    recipe keeps the whole picture, resized.

    Args:
        recipe: the choices.
        splits: with "train" and "val".
        accelerator: whose device trains.

    Raises:
        RealityCheckError: the squares do not fit.
        DataError: a set is missing or unreadable.
    """
    plans = {"train": _training_plan(recipe), "val": _validation_plan(recipe)}
    need = sum(plan.bytes(len(splits[name])) for name, plan in plans.items())
    place = _place(need, accelerator)
    log.info(
        "Keeping %d squares of %d px in %s: %.2f GB.",
        *(len(splits["train"]) * recipe.copies, plans["train"].side),
        *("memory" if place.type == "cpu" else "the GPU's memory", need / 2**30),
    )
    train, val = (
        PixelSet(splits[name], plan, recipe.seed, place, accelerator.device)
        for name, plan in plans.items()
    )
    set_transforms(recipe, 0, train, val)
    return train, val


def set_transforms(recipe: Recipe, epoch: int, train: PixelSet, val: PixelSet) -> None:
    """Makes the batches of two sets those of an epoch, counted from 0."""
    preprocessing = recipe.preprocessing
    if recipe.mode == "whole":
        train.transform = PaperBatch(preprocessing)
        val.transform = PlainBatch(0, recipe.view_size, preprocessing)
        return
    size = recipe.crop_size(epoch)
    train.transform = TrainingBatch(size, preprocessing, recipe.strength)
    val.transform = PlainBatch(_validation_sizes(recipe).index(size), size, preprocessing)


def _validation_sizes(recipe: Recipe) -> list[int]:
    """Sides of the squares that validation looks at in some epoch, px."""
    return [recipe.view_size] if recipe.mode == "whole" else sorted(set(recipe.crop_sizes))


def _training_plan(recipe: Recipe) -> Plan:
    if recipe.mode == "whole":

        def whole(image: Image.Image, generator: torch.Generator) -> Image.Image:
            return WholeSquare(recipe.view_size, anywhere=True, generator=generator)(image)

        return Plan((whole,) * recipe.copies, recipe.view_size)
    side = round(MARGIN * max(recipe.crop_sizes))

    def cut(p: float) -> Cut:
        def square(image: Image.Image, generator: torch.Generator) -> Image.Image:
            scaled = chance(SCALED, recipe.strength)
            image = RandomScaledCrop(side, p=scaled, generator=generator)(image)
            return RandomReencode(p, generator=generator)(image)

        return square

    if recipe.copies == 1:
        return Plan((cut(chance(RESAVED, recipe.strength)),), side)
    resaved = resaved_versions(recipe.copies, recipe.strength)
    return Plan((cut(0.0),) * (recipe.copies - resaved) + (cut(1.0),) * resaved, side)


def _validation_plan(recipe: Recipe) -> Plan:
    sizes = _validation_sizes(recipe)

    def cut(size: int) -> Cut:
        whole = recipe.mode == "whole"
        square = WholeSquare(size, anywhere=False) if whole else Centre(size)
        return lambda image, generator: square(image)

    return Plan(tuple(cut(size) for size in sizes), max(sizes))


def _place(need: int, accelerator: Accelerator) -> torch.device:
    """Where squares of so many bytes are kept.

    Raises:
        RealityCheckError: they fit nowhere.
    """
    device: torch.device = accelerator.device
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if need <= GPU_SHARE * free:
            return device
    # Each process of this machine has its own.
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes))
    free = int(MEMORY_SHARE * free_memory())
    if need * processes > free:
        each = f" in each of {processes} processes" if processes > 1 else ""
        raise RealityCheckError(
            f"The squares of --cache-pixels need {need / 2**30:.2f} GB{each}, and "
            f"{free / 2**30:.2f} GB can be had for them. Pass fewer --copies or smaller "
            "--crop-sizes, or drop --cache-pixels."
        )
    return torch.device("cpu")


def free_memory(container: Path = CONTAINER) -> int:
    """Bytes of memory that this machine, or the container that this runs in, has left.

    Args:
        container: folder of the container's limits, as cgroup version 2 lays them out.
    """
    free = int(psutil.virtual_memory().available)
    try:
        limit = int((container / "memory.max").read_text())  # "max" where there is none
        used = int((container / "memory.current").read_text())
        counts = dict(line.split() for line in (container / "memory.stat").open(encoding="ascii"))
    except (OSError, ValueError):
        return free
    # Files that were read are counted as used, and given up when memory is needed.
    return min(free, max(0, limit - used + int(counts.get("inactive_file", 0))))
