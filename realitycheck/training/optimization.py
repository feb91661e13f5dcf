"""What turns gradients into weights: optimizer, learning rate and moving average."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from realitycheck.training.recipe import Recipe
from realitycheck.training.record import Run

AVERAGE_EVERY = 4  # steps between updates of the moving average: each one reads every weight


def new_run(recipe: Recipe, model: nn.Module, trained: nn.Module, steps: int) -> Run:
    """A run before its first epoch.

    Args:
        recipe: the choices.
        model: the network, with frozen parameters marked so.
        trained: `model`, or the part of it that is trained by itself.
        steps: batches per epoch and process.
    """
    parameters = [p for p in trained.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    makers: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    }
    optimizer = makers[recipe.optimizer](groups, lr=recipe.lr, fused=True)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate(recipe, step, recipe.epochs * steps)
    )
    average = None
    if recipe.ema:
        average = AveragedModel(trained, avg_fn=_moving_average(recipe.ema), use_buffers=True)
    return Run(recipe, model, trained, average, optimizer, scheduler)


def _moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential moving average that forgets faster in its first steps.

    Otherwise a short run would end with an average that is still mostly the start.
    """

    def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        if not averaged.is_floating_point():
            return current
        count = float(updates)
        keep = min(decay**AVERAGE_EVERY, (1 + count) / (10 + count))
        return torch.lerp(averaged, current, 1 - keep)

    return average


def rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate as a share of its peak: linear warm-up, then a half cosine."""
    warmup = round(recipe.warmup * steps)
    if step < warmup:
        return (step + 1) / warmup
    if not recipe.cosine:
        return 1.0
    done = (step - warmup) / max(1, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
