"""A training run: epochs, the moving average, the best weights so far."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn
from torchvision.transforms.v2 import MixUp

from realitycheck.committee.cnn import architecture, build_model, freeze_backbone
from realitycheck.data.dataset import EpochSampler, PictureSet
from realitycheck.data.manifest import source_names
from realitycheck.data.pixels import PixelSet
from realitycheck.data.samples import Splits
from realitycheck.errors import DataError, RealityCheckError
from realitycheck.training import features, loaders, pixels, record
from realitycheck.training.adversarial import Attack
from realitycheck.training.distillation import Taught
from realitycheck.training.initial import starting_model
from realitycheck.training.loop import (
    DivergedError,
    Trained,
    best_precision,
    train_one_epoch,
    validate,
)
from realitycheck.training.optimization import AVERAGE_EVERY, new_run
from realitycheck.training.processes import train_as_one
from realitycheck.training.recipe import Recipe
from realitycheck.training.record import Run

log = logging.getLogger(__name__)


def fit(
    recipe: Recipe,
    splits: Splits,
    output: Path,
    accelerator: Accelerator,
    *,
    taught: Taught | None = None,
    resume: bool = False,
    workers: int = 1,
    memory: int = 8 * 2**30,
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Trains a model, keeping history, curves and a resumable state in `output`.

    Args:
        recipe: the choices.
        splits: with "train" and "val".
        output: folder for `history.csv`, `curves.png` and `state.pt`.
        accelerator: from `make_accelerator`.
        taught: what the recipe's teacher says, where it names one.
        resume: go on from `state.pt`.
        workers: loader processes per training process.
        memory: bytes of decoded pictures each set may keep.

    Returns:
        The trained model (the epoch with the lowest validation loss; for the paper's recipe
        the last) in eval mode on the CPU, and the history: one row per epoch. They are fewer than
        the recipe's where the numbers came to an end; what to do then is logged.

    Raises:
        DataError: a set is missing or unreadable.
        CheckpointError: starting weights cannot be had.
        RealityCheckError: nothing to resume, or it was started with other choices; an unfinished
            run would be written over; or there are no numbers to be had at all.
    """
    set_seed(recipe.seed)
    if not resume:
        record.refuse_unfinished(output)
    about = record.about(splits, accelerator.num_processes, taught.sha256 if taught else None)
    state = record.read_state(output / record.STATE, recipe, about) if resume else None
    model = _model(recipe, len(splits.classes), state)
    pictures = _pictures(recipe, splits, memory, accelerator, taught)
    trained, train, val = _trained_part(model, recipe, pictures, accelerator, workers)
    order = _order(recipe, loaders.labels(train), pictures[0], splits)
    train_loader, val_loader = (
        accelerator.prepare(
            loaders.make_loader(part, recipe, workers, sampler, accelerator.num_processes)
        )
        for part, sampler in ((train, order), (val, None))
    )
    run = new_run(recipe, model, trained, len(train_loader))
    run.about = about
    if state is not None:
        record.restore(run, state)
    try:
        _run_epochs(run, order, train_loader, val_loader, output, accelerator)
    except DivergedError as error:
        _stop(run, str(error), quiet=not accelerator.is_main_process)
    accelerator.free_memory()
    return _finished(run, len(splits.classes)), run.history


def _model(recipe: Recipe, classes: int, state: dict[str, Any] | None) -> nn.Module:
    """The network as a run begins, or as the state of one holds it."""
    if state is None:
        return starting_model(recipe, classes)
    model = starting_model(replace(recipe, weights="none"), classes)
    model.load_state_dict(state["model"])
    return model


def _finished(run: Run, classes: int) -> nn.Module:
    """A new module: Accelerate left its mixed precision in the one it prepared."""
    finished = build_model(run.recipe.arch, classes, run.recipe.dropout)
    finished.load_state_dict(run.best)
    return finished.eval()


def _order(
    recipe: Recipe, labels: list[int], pictures: PictureSet | PixelSet, splits: Splits
) -> EpochSampler:
    sources = source_names(pictures.samples, splits.root) if recipe.by_source else None
    return EpochSampler(labels, recipe.seed, recipe.balanced, sources)


def _trained_part(
    model: nn.Module,
    recipe: Recipe,
    pictures: tuple[Any, Any],  # two of a kind, of pictures or of cached squares
    accelerator: Accelerator,
    workers: int,
) -> tuple[nn.Module, loaders.Part, loaders.Part]:
    """What is trained, and on what: the network on pictures, or its head on cached features."""
    if recipe.frozen:
        freeze_backbone(model, recipe.arch)
    if not recipe.cache_features:
        train_as_one(model, accelerator)
        return model, *pictures
    train, val = features.cached_features(model, recipe, pictures, accelerator, workers)
    head = getattr(model, architecture(recipe.arch).head_name)
    if recipe.feature_noise:
        features.disturb(head, recipe.feature_noise, accelerator)
    train_as_one(head, accelerator)
    return head, train, val


def _pictures(
    recipe: Recipe,
    splits: Splits,
    memory: int,
    accelerator: Accelerator,
    taught: Taught | None,
) -> tuple[PictureSet | PixelSet, PictureSet | PixelSet]:
    """Training and validation pictures of one of several processes, which share the memory."""
    processes = accelerator.num_processes
    sets: tuple[PictureSet | PixelSet, PictureSet | PixelSet]
    if recipe.cache_pixels:
        sets = pixels.cached_pixels(recipe, splits, accelerator)
    else:
        transforms = loaders.train_transform(recipe, 0), loaders.validation_transform(recipe, 0)
        sets = (
            PictureSet(splits["train"], transforms[0], memory // processes),
            PictureSet(splits["val"], transforms[1], memory // processes),
        )
    if len(sets[0]) < recipe.batch_size * processes:
        raise DataError(
            f"{len(sets[0])} training pictures are fewer than a batch of {recipe.batch_size} for "
            f"each of {processes} processes. Pass a smaller --batch-size."
        )
    if taught is not None:
        labels = taught.soft_labels(sets[0].samples, len(splits.classes), recipe.teacher_share)
        sets[0].soft_labels = labels
    return sets


def _stop(run: Run, diverged: str, *, quiet: bool) -> None:
    """Says that a run ends here, and how to go on; an error where there is nothing to keep."""
    lower = f"a lower --lr (such as {run.recipe.lr / 4:.1g})"
    if best_precision(run.recipe.precision) != "fp32":
        lower += " or --precision fp32"
    epoch = len(run.history) + 1
    if not run.best:
        raise RealityCheckError(
            f"The {diverged} is no longer a number in the first epoch, so there is nothing to "
            f"keep: start again with {lower}."
        )
    if not quiet:
        log.warning(
            "The %s is no longer a number in epoch %d of %d, so training stops and keeps the best "
            "of the epochs before: to go on from there, pass --resume with %s.",
            *(diverged, epoch, run.recipe.epochs, lower),
        )


def _run_epochs(
    run: Run,
    order: EpochSampler,
    train_loader: Any,  # a DataLoader that Accelerate prepared
    val_loader: Any,
    output: Path,
    accelerator: Accelerator,
) -> None:
    recipe = run.recipe
    device = accelerator.device
    for part in (run.model, run.average):
        if part is not None:
            part.to(device).to(memory_format=torch.channels_last)
    model, optimizer = accelerator.prepare(run.trained, run.optimizer)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    change = _change(recipe, len(run.about["classes"]), run.trained, loss_fn, accelerator)

    def after_batch() -> None:
        run.scheduler.step()
        if run.average is not None and run.scheduler.last_epoch % AVERAGE_EVERY == 0:
            run.average.update_parameters(accelerator.unwrap_model(model))

    for epoch in range(len(run.history), recipe.epochs):
        started = time.monotonic()
        order.set_epoch(epoch)
        # Accelerate counts epochs itself, from 0 in a resumed run, and tells the sampler.
        train_loader.set_epoch(epoch)
        _set_transforms(recipe, epoch, train_loader, val_loader)
        # So that a resumed epoch drops units as it would have without the interruption.
        torch.manual_seed((recipe.seed * 1_000_003 + epoch) * 1_009)
        train_mode(run.trained)
        trained = train_one_epoch(
            model, train_loader, loss_fn, optimizer, accelerator, after_batch, change
        )
        trained_for = time.monotonic() - started
        tested = run.average.module if run.average is not None else run.trained
        val_loss, val_acc, logits, labels = validate(tested, val_loader, accelerator)
        _check_numbers(run, val_loss, accelerator)
        pictures = len(train_loader) * recipe.batch_size * accelerator.num_processes
        row = {
            **_row(run, epoch, trained),
            "val_loss": val_loss,
            "val_acc": val_acc,
            "val_balanced_acc": _balanced_accuracy(logits, labels),
            "seconds": time.monotonic() - started,
            "pictures": pictures,
            "pictures_per_s": pictures / trained_for,
            "data_wait": trained.data_wait,
        }
        _keep_best(run, tested, row)
        run.history.append(row)
        if accelerator.is_main_process:
            _report(row, recipe.epochs)
            record.write(run, output)
        accelerator.wait_for_everyone()


def _change(
    recipe: Recipe,
    classes: int,
    model: nn.Module,
    loss_fn: nn.Module,
    accelerator: Accelerator,
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """What happens to the pictures and labels of a batch before they are learned from."""
    mix = MixUp(alpha=recipe.mixup, num_classes=classes) if recipe.mixup else None
    attack = None
    if recipe.adversarial:
        attack = Attack(model, loss_fn, recipe.adversarial, recipe.preprocessing, accelerator)

    def change(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if mix is not None:
            inputs, labels = mix(inputs, labels)
        return (inputs if attack is None else attack(inputs, labels)), labels

    return change


def _row(run: Run, epoch: int, trained: Trained) -> dict[str, float]:
    """What history keeps of an epoch's training."""
    return {
        "epoch": epoch + 1,
        "crop": run.recipe.crop_size(epoch),
        "lr": float(run.scheduler.get_last_lr()[0]),
        "train_loss": trained.loss,
        "train_acc": trained.accuracy,
    }


def _check_numbers(run: Run, val_loss: float, accelerator: Accelerator) -> None:
    """Raises DivergedError where an epoch left something that is no number, in any process."""
    if not math.isfinite(val_loss):
        raise DivergedError("validation loss")
    # A last step may spoil the weights after the moving average, which is tested, took them in.
    broken = torch.tensor(not record.is_finite(run.trained.state_dict()), dtype=torch.float32)
    if accelerator.reduce(broken.to(accelerator.device), "sum").item():
        raise DivergedError("outcome of the last step")


def _set_transforms(recipe: Recipe, epoch: int, train_loader: Any, val_loader: Any) -> None:
    if recipe.cache_pixels:
        pixels.set_transforms(recipe, epoch, train_loader.dataset, val_loader.dataset)
    elif not recipe.cache_features:
        train_loader.dataset.transform = loaders.train_transform(recipe, epoch)
        val_loader.dataset.transform = loaders.validation_transform(recipe, epoch)


def _balanced_accuracy(logits: Tensor, labels: Tensor) -> float:
    right = logits.argmax(dim=1) == labels
    classes = sorted(set(labels.tolist()))
    return sum(right[labels == c].float().mean().item() for c in classes) / len(classes)


def _keep_best(run: Run, tested: nn.Module, row: dict[str, float]) -> None:
    """Copies the tested weights if this epoch is the one to ship so far."""
    # A larger crop is a new scale of losses: what was best on smaller ones does not count.
    rivals = [r["val_loss"] for r in run.history if r["crop"] == row["crop"]]
    if run.recipe.name != "paper" and rivals and min(rivals) <= row["val_loss"]:
        return
    state = {k: v.detach().cpu() for k, v in run.model.state_dict().items()}
    prefix = ""
    if run.trained is not run.model:
        prefix = architecture(run.recipe.arch).head_name + "."
    for name, value in tested.state_dict().items():
        state[prefix + name] = value.detach().cpu()
    run.best = {
        name: value.clone(memory_format=torch.contiguous_format) for name, value in state.items()
    }


def _report(row: dict[str, float], epochs: int) -> None:
    log.info(
        "epoch {epoch}/{epochs}  crop {crop}  train loss {train_loss:.4f} acc {train_acc:.3f}  "
        "val loss {val_loss:.4f} acc {val_acc:.3f} balanced {val_balanced_acc:.3f}  "
        "{seconds:.0f} s, {pictures_per_s:.0f} pictures/s, data wait {data_wait:.0%}".format(
            epochs=epochs, **row
        )
    )


def train_mode(model: nn.Module) -> None:
    """Puts the trainable parts of a model in training mode and its frozen parts in eval mode.

    A frozen backbone whose batch norms kept updating would not stay the backbone it was.
    """
    model.train()
    for child in model.children():
        # `all`, so that a layer without parameters, such as dropout, trains as well.
        child.train(all(p.requires_grad for p in child.parameters()))
