"""Training: recipes, one epoch forth, one epoch of testing, and the run around them.

Runs through Hugging Face Accelerate, so one GPU, several, or a CPU need no other code.
"""

import csv
import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Subset, TensorDataset
from tqdm.auto import tqdm

from realitycheck import augmentation, checkpoints
from realitycheck.data import EpochSampler, PictureSet, Splits, fingerprint
from realitycheck.errors import DataError, RealityCheckError
from realitycheck.files import replacing
from realitycheck.model import (
    architecture,
    build_model,
    freeze_backbone,
    frequency_stem,
    imagenet_state,
    load_pretrained,
    train_mode,
)
from realitycheck.residuals import Residuals
from realitycheck.views import Preprocessing

log = logging.getLogger(__name__)

NAME = "RealityCheck"
AVERAGE_EVERY = 4  # steps between updates of the moving average: each one reads every weight
WHITENED = 4096  # training pictures that residual statistics are whitened on
STATE, HISTORY = "state.pt", "history.csv"


@dataclass(frozen=True)
class Recipe:
    """Every choice of a training run.

    Attributes:
        name: "paper" or "full".
        arch: torchvision architecture.
        weights: "imagenet" (torchvision's DEFAULT), a torchvision name such as
            "ResNet50_Weights.IMAGENET1K_V2", "none", a weights file or a checkpoint directory.
        stem: where a ResNet starts from nothing: "frequency" (see `model.frequency_stem`)
            or "random".
        frozen: train the classifier only.
        cache_features: with a frozen backbone, run it once and train on its output.
        copies: of every training picture among the cached features: the first as it is, the
            others augmented once.
        mode: preprocessing mode, see `views.Preprocessing`.
        view_size: side of an evaluation view, px; the paper's training size too.
        crop_sizes: sides of training crops, px, in turn, each for an equal share of epochs.
        epochs: passes over the training set.
        batch_size: pictures per step and process.
        optimizer: "adam", "adamw" or "sgd".
        lr: peak learning rate.
        weight_decay: of weights; biases and norms are spared.
        warmup: share of all steps in which the rate rises from zero.
        cosine: let the rate fall to zero on a cosine.
        ema: decay of the weights' moving average per step; 0 for none.
        label_smoothing: of the cross-entropy, in [0, 1).
        dropout: in the classifier.
        feature_noise: standard deviation of the Gaussian noise on cached features.
        strength: of the augmentation, see `augmentation.training_view`.
        balanced: draw every class equally often.
        seed: of weights, order and augmentation.
        precision: "auto", "fp32", "bf16" or "fp16".
    """

    name: str
    arch: str = "resnet50"
    weights: str = "imagenet"
    stem: str = "frequency"
    frozen: bool = False
    cache_features: bool = False
    copies: int = 1
    mode: str = "native"
    view_size: int = 176
    crop_sizes: tuple[int, ...] = (128,)
    epochs: int = 30
    batch_size: int = 64
    optimizer: str = "adamw"
    lr: float = 6e-4
    weight_decay: float = 0.05
    warmup: float = 0.05
    cosine: bool = True
    ema: float = 0.995
    label_smoothing: float = 0.05
    dropout: float = 0.3
    feature_noise: float = 0.0
    strength: float = 1.0
    balanced: bool = True
    seed: int = 0
    precision: str = "auto"

    def __post_init__(self) -> None:
        if self.cache_features and not self.frozen:
            raise RealityCheckError("Features can only be cached when the backbone is frozen.")
        if self.copies < 1 or (self.copies > 1 and not self.cache_features):
            raise RealityCheckError("--copies is 1, or more together with --cache-features.")
        if self.epochs < 1 or self.batch_size < 2:
            raise RealityCheckError("Training needs at least 1 epoch and batches of 2 pictures.")
        if min(self.view_size, *self.crop_sizes) < 32:
            raise RealityCheckError("--view-size and --crop-sizes must be 32 px or more.")
        if self.lr <= 0 or min(self.weight_decay, self.strength, self.feature_noise) < 0:
            raise RealityCheckError(
                "--lr must be positive; weight decay, strength and feature noise not negative."
            )
        for name in ("dropout", "label_smoothing", "ema", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                option = name.replace("_", "-")
                raise RealityCheckError(f"--{option} must be at least 0 and below 1.")
        fixed = architecture(self.arch).input_size
        if fixed and {self.view_size, *self.crop_sizes} != {fixed}:
            raise RealityCheckError(
                f"{self.arch} takes {fixed} px only: pass --view-size {fixed} --crop-sizes {fixed}."
            )

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures are prepared for a checkpoint of this recipe."""
        return Preprocessing(mode=self.mode, size=self.view_size)

    def crop_size(self, epoch: int) -> int:
        """Side of the training crops in an epoch (counted from 0), px."""
        return self.crop_sizes[epoch * len(self.crop_sizes) // self.epochs]


RECIPES = {
    "paper": Recipe(
        "paper",
        frozen=True,
        mode="whole",
        view_size=224,
        crop_sizes=(224,),
        epochs=10,
        batch_size=32,
        optimizer="adam",
        lr=1e-3,
        weight_decay=0.0,
        warmup=0.0,
        cosine=False,
        ema=0.0,
        label_smoothing=0.0,
        dropout=0.5,
        balanced=False,
    ),
    "full": Recipe("full"),
}


def for_architecture(recipe: Recipe, arch: str) -> Recipe:
    """The recipe for another architecture, with pictures of the only size that it takes, if any.

    Raises:
        CheckpointError: no such architecture is known.
    """
    side = architecture(arch).input_size
    sizes = {"view_size": side, "crop_sizes": (side,)} if side else {}
    return replace(recipe, arch=arch, **sizes)


@dataclass
class Run:
    """A training run between two epochs: what a resumed run needs, and what it has shown.

    Attributes:
        recipe: its choices.
        model: the network that is trained.
        trained: `model`, or its classifier when it is fed cached features.
        average: moving average of `trained`; None without one.
        optimizer: over the trainable parameters.
        scheduler: of the learning rate, stepped after every batch.
        history: a row per finished epoch.
        best: tensors of the epoch with the lowest validation loss, classifier included.
        about: classes, sets and processes: a resumed run must have the same.
    """

    recipe: Recipe
    model: nn.Module
    trained: nn.Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


def best_precision(choice: str = "auto") -> str:
    """Resolves "auto" to what the machine computes fastest: "bf16", "fp16" or "fp32"."""
    if choice != "auto":
        return choice
    if torch.cuda.is_available():
        # Asked without emulation, which older GPUs offer and which is slow.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if native else "fp16"
    # Without these instructions a CPU emulates bf16, several times slower than fp32.
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bf16" if native() else "fp32"


def make_accelerator(precision: str = "auto") -> Accelerator:
    """An Accelerator on the GPUs there are, else on the CPU."""
    mixed = best_precision(precision)
    return Accelerator(
        mixed_precision="no" if mixed == "fp32" else mixed, cpu=not torch.cuda.is_available()
    )


# --- one epoch ----------------------------------------------------------------------------


def train_step(
    model: nn.Module,
    loader: Iterable,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
    after_batch: Callable[[], None] = lambda: None,
) -> tuple[float, float]:
    """Trains for one epoch.

    Args:
        model: maps inputs to logits [N, classes]; in the mode it shall be trained in.
        loader: gives `(inputs, labels)` batches.
        loss_fn: of logits and labels.
        optimizer: over the model's trainable parameters.
        accelerator: that prepared the model, loader and optimizer.
        after_batch: called after every step of the optimizer.

    Returns:
        Mean loss and accuracy in [0, 1] over the epoch's pictures of all processes.
    """
    totals = torch.zeros(3, device=accelerator.device)  # loss, right, pictures
    for inputs, labels in _progress(loader, "train", accelerator):
        with accelerator.autocast():
            logits = model(inputs)
        loss = loss_fn(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        optimizer.step()
        after_batch()
        right = (logits.argmax(dim=1) == labels).sum()
        totals += torch.stack([loss.detach() * len(labels), right, right.new_tensor(len(labels))])
    loss, right, count = accelerator.reduce(totals, "sum").tolist()
    if not math.isfinite(loss):
        raise RealityCheckError(
            "The training loss is no longer a number. Lower --lr, or pass --precision fp32."
        )
    return loss / count, right / count


def test_step(
    model: nn.Module, loader: Iterable, accelerator: Accelerator
) -> tuple[float, float, Tensor, Tensor]:
    """Tests once over a loader.

    Args:
        model: maps inputs to logits [N, classes].
        loader: gives `(inputs, labels)` batches.
        accelerator: that prepared the loader.

    Returns:
        Mean cross-entropy, accuracy in [0, 1], logits [N, classes] and labels [N] over the
        pictures of all processes.
    """
    model.eval()
    gathered = []
    with torch.inference_mode():
        for inputs, labels in _progress(loader, "test", accelerator):
            with accelerator.autocast():
                logits = model(inputs)
            gathered.append(accelerator.gather_for_metrics((logits.float(), labels)))
    logits, labels = (torch.cat(parts).cpu() for parts in zip(*gathered, strict=True))
    loss = nn.functional.cross_entropy(logits, labels).item()
    accuracy = (torch.softmax(logits, dim=1).argmax(dim=1) == labels).float().mean().item()
    return loss, accuracy, logits, labels


def _progress(loader: Iterable, name: str, accelerator: Accelerator) -> tqdm:
    hidden = not accelerator.is_local_main_process
    return tqdm(loader, desc=name, leave=False, disable=hidden or None, mininterval=1.0)


# --- the run ------------------------------------------------------------------------------


def fit(
    recipe: Recipe,
    splits: Splits,
    output: Path,
    accelerator: Accelerator,
    *,
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
        resume: go on from `state.pt`.
        workers: loader processes per training process.
        memory: bytes of decoded pictures each set may keep.

    Returns:
        The trained model (the epoch with the lowest validation loss; for the paper's recipe
        the last) in eval mode on the CPU, and the history: one row per epoch.

    Raises:
        DataError: a set is missing or unreadable.
        CheckpointError: starting weights cannot be had.
        RealityCheckError: nothing to resume, or it was started with other choices.
    """
    set_seed(recipe.seed)
    output.mkdir(parents=True, exist_ok=True)
    about = _about(splits, accelerator)
    state = _read_state(output / STATE, recipe, about) if resume else None
    # A resumed run finds its weights in the state.
    start = replace(recipe, weights="none") if state is not None else recipe
    model = starting_model(start, len(splits.classes))
    if state is not None:
        model.load_state_dict(state["model"])
    memory //= accelerator.num_processes
    train = PictureSet(splits["train"], _train_transform(recipe, 0), memory)
    val = PictureSet(splits["val"], _val_transform(recipe, 0), memory)
    if len(train) < recipe.batch_size * accelerator.num_processes:
        raise DataError(
            f"{len(train)} training pictures are fewer than a batch of {recipe.batch_size} for "
            f"each of {accelerator.num_processes} processes. Pass a smaller --batch-size."
        )
    trained = model
    if recipe.frozen:
        freeze_backbone(model, recipe.arch)
    if getattr(model, "residuals", None) and not model.residuals.fitted:
        _fit_residuals(model.residuals, recipe, train, workers)
    if recipe.cache_features:
        train, val = _cached_features(model, recipe, (train, val), accelerator, workers)
        trained = getattr(model, architecture(recipe.arch).head_name)
        if recipe.feature_noise:
            _disturb_features(trained, recipe.feature_noise)
    order = EpochSampler(_labels(train), recipe.seed, recipe.balanced)
    train_loader = accelerator.prepare(make_loader(train, recipe, workers, order))
    val_loader = accelerator.prepare(make_loader(val, recipe, workers))
    run = new_run(recipe, model, trained, len(train_loader))
    run.about = about
    if state is not None:
        _restore(run, state)
    _run_epochs(run, order, train_loader, val_loader, output, accelerator)
    accelerator.free_memory()
    # A new module: Accelerate left its mixed precision in the one it prepared.
    finished = build_model(recipe.arch, len(splits.classes), recipe.dropout)
    finished.load_state_dict(run.best)
    return finished.eval(), run.history


def starting_model(recipe: Recipe, classes: int) -> nn.Module:
    """The model that a recipe starts from.

    Raises:
        CheckpointError: its starting weights cannot be had.
    """
    model = build_model(recipe.arch, classes, recipe.dropout)
    if recipe.weights == "none":
        if recipe.arch.startswith("resnet") and recipe.stem == "frequency":
            frequency_stem(model)
        return model
    path = Path(recipe.weights)
    named = recipe.weights in ("imagenet", "DEFAULT") or "_Weights." in recipe.weights
    if path.is_dir():
        state = checkpoints.load(path).model.state_dict()
    elif named and not path.is_file():
        state = imagenet_state(recipe.arch, recipe.weights)
    else:
        state = checkpoints.read_tensors(recipe.weights)
    fresh = load_pretrained(model, recipe.arch, state)
    log.info("Starting weights: %s; %d tensors start at random.", recipe.weights, len(fresh))
    return model


def _train_transform(recipe: Recipe, epoch: int) -> Callable:
    if recipe.cache_features:
        return _val_transform(recipe, epoch)
    return _augmented_view(recipe, recipe.crop_size(epoch))


def _augmented_view(recipe: Recipe, size: int) -> Callable:
    if recipe.mode == "whole":
        return augmentation.paper_view(recipe.preprocessing)
    return augmentation.training_view(size, recipe.preprocessing, recipe.strength)


def _val_transform(recipe: Recipe, epoch: int) -> Callable:
    if recipe.mode == "whole":
        return augmentation.paper_view(recipe.preprocessing, augment=False)
    # Cached features serve the classifier at the size it will be used at.
    size = recipe.view_size if recipe.cache_features else recipe.crop_size(epoch)
    return augmentation.centre_view(size, recipe.preprocessing)


def _labels(part: PictureSet | TensorDataset) -> list[int]:
    return part.tensors[1].tolist() if isinstance(part, TensorDataset) else part.labels


def make_loader(
    part: PictureSet | TensorDataset,
    recipe: Recipe,
    workers: int,
    order: EpochSampler | None = None,
) -> DataLoader:
    """A loader in training order, or, without one, once through the set as it lies."""
    return DataLoader(
        part,
        recipe.batch_size,
        sampler=order,
        num_workers=0 if isinstance(part, TensorDataset) else workers,
        drop_last=order is not None,
        pin_memory=torch.cuda.is_available(),
    )


def _fit_residuals(residuals: Residuals, recipe: Recipe, train: PictureSet, workers: int) -> None:
    """Learns the whitening of residual statistics from some of the training pictures."""
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(recipe.seed))
    chosen = Subset(train, order[:WHITENED].tolist())
    loader = DataLoader(chosen, recipe.batch_size, num_workers=workers)
    progress = tqdm(loader, desc="residuals", leave=False, disable=None)
    residuals.fit(torch.cat([residuals.frequencies(pixels)[:, 0] for pixels, _ in progress]))


def _cached_features(model, recipe, parts, accelerator, workers) -> list[TensorDataset]:
    """Runs the frozen backbone over each set: what the classifier would receive."""
    # The same augmented copies for a resumed run.
    set_seed(recipe.seed)
    name = architecture(recipe.arch).head_name
    head = getattr(model, name)
    setattr(model, name, nn.Identity())
    model.to(device=accelerator.device, memory_format=torch.channels_last)
    sets = []
    for part, copies in zip(parts, (recipe.copies, 1), strict=True):
        found = []
        for copy in range(copies):
            if copy:
                part.transform = _augmented_view(recipe, recipe.view_size)
            loader = accelerator.prepare(make_loader(part, recipe, workers))
            found.append(test_step(model, loader, accelerator)[2:])
        sets.append(TensorDataset(*(torch.cat(kind) for kind in zip(*found, strict=True))))
    setattr(model, name, head)
    return sets


def _disturb_features(head: nn.Module, noise: float) -> None:
    """Adds noise to what a classifier receives while it trains: cached features never change.

    It acts like a penalty on the weights' squares (Bishop 1995, "Training with Noise is Equivalent
    to Tikhonov Regularization"), the same for all features whatever their scale.
    """

    def disturb(module: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        (features,) = inputs
        return features + noise * torch.randn_like(features) if module.training else features

    head.register_forward_pre_hook(disturb)


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
    makers = {
        "adam": lambda: torch.optim.Adam(groups, recipe.lr, fused=True),
        "adamw": lambda: torch.optim.AdamW(groups, recipe.lr, fused=True),
        "sgd": lambda: torch.optim.SGD(groups, recipe.lr, momentum=0.9, nesterov=True, fused=True),
    }
    optimizer = makers[recipe.optimizer]()
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate(recipe, step, recipe.epochs * steps)
    )
    average = None
    if recipe.ema:
        average = AveragedModel(trained, avg_fn=_moving_average(recipe.ema), use_buffers=True)
    return Run(recipe, model, trained, average, optimizer, scheduler)


def _moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """An exponential moving average that forgets faster in its first steps.

    Otherwise a short run would end with an average that is still mostly the start.
    """

    def average(averaged: Tensor, current: Tensor, updates: Tensor) -> Tensor:
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


def _run_epochs(
    run: Run,
    order: EpochSampler,
    train_loader: DataLoader,
    val_loader: DataLoader,
    output: Path,
    accelerator: Accelerator,
) -> None:
    recipe = run.recipe
    device = accelerator.device
    for part in (run.model, run.average):
        if part is not None:
            part.to(device=device, memory_format=torch.channels_last)
    model, optimizer = accelerator.prepare(run.trained, run.optimizer)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

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
        # So that a resumed epoch augments as it would have without the interruption.
        torch.manual_seed((recipe.seed * 1_000_003 + epoch) * 1_009 + accelerator.process_index)
        train_mode(run.trained)
        train_loss, train_acc = train_step(
            model, train_loader, loss_fn, optimizer, accelerator, after_batch
        )
        trained_for = time.monotonic() - started
        tested = run.average.module if run.average is not None else run.trained
        val_loss, val_acc, logits, labels = test_step(tested, val_loader, accelerator)
        pictures = len(train_loader) * recipe.batch_size * accelerator.num_processes
        row = {
            "epoch": epoch + 1,
            "crop": recipe.crop_size(epoch),
            "lr": run.scheduler.get_last_lr()[0],
            "train_loss": train_loss,
            "train_acc": train_acc,
            "val_loss": val_loss,
            "val_acc": val_acc,
            "val_balanced_acc": _balanced_accuracy(logits, labels),
            "seconds": time.monotonic() - started,
            "pictures": pictures,
            "pictures_per_s": pictures / trained_for,
        }
        _keep_best(run, tested, row)
        run.history.append(row)
        if accelerator.is_main_process:
            _report(row, recipe.epochs)
            _write_records(run, output)
        accelerator.wait_for_everyone()


def _set_transforms(recipe: Recipe, epoch: int, train_loader, val_loader) -> None:
    if not recipe.cache_features:
        train_loader.dataset.transform = _train_transform(recipe, epoch)
        val_loader.dataset.transform = _val_transform(recipe, epoch)


def _balanced_accuracy(logits: Tensor, labels: Tensor) -> float:
    right = logits.argmax(dim=1) == labels
    return sum(right[labels == c].float().mean().item() for c in labels.unique()) / len(
        labels.unique()
    )


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
    print(
        "epoch {epoch}/{epochs}  crop {crop}  train loss {train_loss:.4f} acc {train_acc:.3f}  "
        "val loss {val_loss:.4f} acc {val_acc:.3f} balanced {val_balanced_acc:.3f}  "
        "{seconds:.0f} s, {pictures_per_s:.0f} pictures/s".format(epochs=epochs, **row),
        flush=True,
    )


def save_checkpoint(output: Path, model: nn.Module, config: checkpoints.Config) -> Path:
    """Writes `RealityCheck.pth` and the checkpoint directory `RealityCheck/` into `output`."""
    folder = output / NAME
    checkpoints.save(folder, model, config)
    return folder


def save_weights(output: Path, model: nn.Module) -> Path:
    """Writes the bare state dict of a model that is no detector, `RealityCheck.pth`."""
    path = (output / NAME).with_suffix(".pth")
    with replacing(path) as temporary:
        torch.save(model.cpu().state_dict(), temporary)
    return path


# --- records ------------------------------------------------------------------------------


def _write_records(run: Run, output: Path) -> None:
    with replacing(output / HISTORY) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(run.history[0]))
        writer.writeheader()
        writer.writerows(run.history)
    plot_curves(run.history, output / checkpoints.CURVES)
    state = {
        "recipe": asdict(run.recipe),
        "about": run.about,
        "history": run.history,
        "model": run.model.state_dict(),
        "average": run.average.state_dict() if run.average is not None else None,
        "optimizer": run.optimizer.state_dict(),
        "scheduler": run.scheduler.state_dict(),
        "best": run.best,
    }
    with replacing(output / STATE) as temporary:
        torch.save(state, temporary)


def _about(splits: Splits, accelerator: Accelerator) -> dict[str, Any]:
    return {
        "classes": splits.classes,
        "training set": fingerprint(splits["train"], splits.root),
        "validation set": fingerprint(splits["val"], splits.root),
        "processes": accelerator.num_processes,
    }


def _read_state(path: Path, recipe: Recipe, about: dict[str, Any]) -> dict[str, Any]:
    if not path.is_file():
        raise RealityCheckError(f"There is nothing to resume: {path} is missing. Drop --resume.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many types on a damaged file
        raise RealityCheckError(f"{path} is damaged ({error}). Start without --resume.") from error
    saved = {**state["recipe"], **state["about"]}
    for name, now in {**asdict(recipe), **about}.items():
        if saved.get(name) != now:
            raise RealityCheckError(
                f"The run in {path} has {name} = {saved.get(name)}, not {now}. Give it what it was "
                "started with, or start without --resume."
            )
    return state


def _restore(run: Run, state: dict[str, Any]) -> None:
    if run.average is not None:
        run.average.load_state_dict(state["average"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.scheduler.load_state_dict(state["scheduler"])
    run.history, run.best = state["history"], state["best"]


def plot_curves(history: list[dict[str, float]], path: Path) -> None:
    """Draws loss and accuracy per epoch, training beside validation, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for axes, kind, title in zip(
        figure.subplots(1, 2), ("loss", "acc"), ("Loss", "Accuracy"), strict=True
    ):
        for part in ("train", "val"):
            axes.plot(epochs, [row[f"{part}_{kind}"] for row in history], label=part, marker=".")
        axes.set(title=title, xlabel="Epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
