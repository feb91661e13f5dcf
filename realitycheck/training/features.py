"""A frozen backbone run once: what its classifier would receive."""

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from realitycheck.committee.cnn import architecture
from realitycheck.data.dataset import PictureSet, draws
from realitycheck.errors import RealityCheckError
from realitycheck.training import loaders
from realitycheck.training.loop import validate
from realitycheck.training.processes import own_rows
from realitycheck.training.recipe import Recipe


def cached_features(
    model: nn.Module,
    recipe: Recipe,
    parts: tuple[PictureSet, PictureSet],
    accelerator: Accelerator,
    workers: int,
) -> list[TensorDataset]:
    """Runs the frozen backbone over training and validation set.

    Args:
        model: from `initial.starting_model`; its classifier is left as it was.
        recipe: says how many copies of each training picture are seen.
        parts: both sets.
        accelerator: to run on.
        workers: loader processes.

    Returns:
        What the classifier would receive, with labels, for each set.

    Raises:
        RealityCheckError: some of it is no number.
    """
    # The same augmented copies for a resumed run.
    generator = torch.Generator().manual_seed(recipe.seed)
    name = architecture(recipe.arch).head_name
    head = getattr(model, name)
    setattr(model, name, nn.Identity())
    model.to(accelerator.device).to(memory_format=torch.channels_last)
    sets = []
    for part, copies in zip(parts, (recipe.copies, 1), strict=True):
        found = []
        for copy in range(copies):
            if copy:
                part.transform = loaders.augmented_view(recipe, recipe.view_size)
            drawn = draws(range(len(part)), generator)
            loader = accelerator.prepare(
                loaders.make_loader(part, recipe, workers, drawn, accelerator.num_processes)
            )
            found.append(validate(model, loader, accelerator)[2:])
        sets.append(TensorDataset(*(torch.cat(kind) for kind in zip(*found, strict=True))))
    setattr(model, name, head)
    if not all(part.tensors[0].isfinite().all() for part in sets):
        raise RealityCheckError(
            "What the frozen backbone says of the pictures is no number. Pass --precision fp32, or "
            "other --weights."
        )
    return sets


def disturb(head: nn.Module, noise: float, accelerator: Accelerator) -> None:
    """Adds noise to what a classifier receives while it trains: cached features never change.

    It acts like a penalty on the weights' squares (Bishop 1995, "Training with Noise is Equivalent
    to Tikhonov Regularization"), the same for all features whatever their scale.
    """
    processes, index = accelerator.num_processes, accelerator.process_index

    def add_noise(module: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        (features,) = inputs
        if not module.training:
            return features
        shape = (len(features) * processes, *features.shape[1:])
        whole = torch.randn(shape, device=features.device)
        return features + noise * own_rows(whole, processes, index)

    head.register_forward_pre_hook(add_noise)
