"""What a run's loaders give: pictures augmented for an epoch, or as the detector sees them."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from realitycheck.data import augment, loading
from realitycheck.data.augment import Transform
from realitycheck.data.dataset import Draw, EpochSampler, PictureSet
from realitycheck.data.pixels import PixelSet
from realitycheck.training.recipe import Recipe

Part = PictureSet | PixelSet | TensorDataset  # a set to train on or to test by


def train_transform(recipe: Recipe, epoch: int) -> Transform:
    """From a training picture to a tensor, in an epoch counted from 0."""
    if recipe.cache_features:
        return validation_transform(recipe, epoch)
    return augmented_view(recipe, recipe.crop_size(epoch))


def augmented_view(recipe: Recipe, size: int) -> Transform:
    """The recipe's augmentation, for crops of a size in px."""
    if recipe.mode == "whole":
        return augment.paper_view(recipe.preprocessing)
    return augment.training_view(size, recipe.preprocessing, recipe.strength)


def validation_transform(recipe: Recipe, epoch: int) -> Transform:
    """From a validation picture to a tensor, in an epoch counted from 0."""
    if recipe.mode == "whole":
        return augment.paper_view(recipe.preprocessing, augment=False)
    # Cached features serve the classifier at the size it will be used at.
    size = recipe.view_size if recipe.cache_features else recipe.crop_size(epoch)
    return augment.centre_view(size, recipe.preprocessing)


def labels(part: Part) -> list[int]:
    """Class index of every sample of a set."""
    return part.tensors[1].tolist() if isinstance(part, TensorDataset) else part.labels


def make_loader(
    part: Part,
    recipe: Recipe,
    workers: int,
    order: EpochSampler | list[Draw] | None = None,
    processes: int = 1,
) -> DataLoader[Any]:
    """A loader in training order, or, without one, once through the set as it lies.

    Args:
        part: the set.
        recipe: the choices.
        workers: loader processes of this training process.
        order: of an epoch of training, which leaves out what fills no batch, or of all pictures.
        processes: that train side by side, each with such a loader.
    """
    if isinstance(part, PixelSet):  # it makes batches itself, on the device that they are for
        return loading.make_loader(
            *(part, recipe.batch_size, 0),
            sampler=order,
            drop_last=isinstance(order, EpochSampler),
            collate_fn=_as_it_is,
        )
    whole = recipe.mode == "whole" or recipe.cache_features
    side = recipe.view_size if whole else max(recipe.crop_sizes)
    return loading.make_loader(
        part,
        recipe.batch_size,
        0 if isinstance(part, TensorDataset) else workers,
        batch_bytes=recipe.batch_size * 3 * side * side * torch.float32.itemsize,
        sharing=processes,
        sampler=order,
        drop_last=isinstance(order, EpochSampler),
        pin_memory=torch.cuda.is_available(),
    )


def _as_it_is(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return batch
