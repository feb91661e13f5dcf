"""What a run leaves behind: history, curves, and a state from which it can be resumed."""

import csv
import os
import platform
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from realitycheck import checkpoints
from realitycheck.committee.abstention import Abstention
from realitycheck.config import CONFIG, Config, MemberConfig, read_config
from realitycheck.data.manifest import sources
from realitycheck.data.samples import Splits, describe, fingerprint
from realitycheck.errors import RealityCheckError
from realitycheck.files import atomic_write, encodable
from realitycheck.results import Record, Settings
from realitycheck.training.recipe import Recipe

STATE, HISTORY = "state.pt", "history.csv"
CHANGEABLE = ("epochs", "lr", "precision")  # choices that a resumed run may make anew


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
    scheduler: torch.optim.lr_scheduler.LambdaLR
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


def write(run: Run, output: Path) -> None:
    """Writes history, curves and state after an epoch."""
    with atomic_write(output / HISTORY) as temporary, temporary.open("w", newline="") as file:
        # Epochs of an older version have fewer columns.
        names = dict.fromkeys(name for row in run.history for name in row)
        writer = csv.DictWriter(file, list(names))
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
    with atomic_write(output / STATE) as temporary:
        torch.save(state, temporary)


def about(splits: Splits, processes: int, teacher: str | None = None) -> dict[str, Any]:
    """What a resumed run must have in common with the one that it resumes.

    Args:
        splits: with "train" and "val".
        processes: that train side by side.
        teacher: SHA-256 of its weights; None without one.
    """
    taught = {"weights of the teacher": teacher} if teacher else {}
    return {
        **taught,
        "classes": splits.classes,
        "training set": fingerprint(splits["train"], splits.root),
        "validation set": fingerprint(splits["val"], splits.root),
        "processes": processes,
    }


def continued(recipe: Recipe, output: Path, given: Collection[str], *, resume: bool) -> Recipe:
    """The recipe that a run in a folder is to follow, before anything is read or trained.

    Args:
        recipe: as it was asked for.
        output: the folder.
        given: names of the choices that were asked for; of those that a resumed run may make
            anew, the others stay as they were.
        resume: go on with the run that is there.

    Raises:
        RealityCheckError: there is none to resume, or one that would be written over.
    """
    if not resume:
        refuse_unfinished(output)
        return recipe
    saved = _load(output / STATE)["recipe"]
    return replace(recipe, **{name: saved[name] for name in CHANGEABLE if name not in given})


def refuse_unfinished(output: Path) -> None:
    """Sees to it that no unfinished run is written over.

    Raises:
        RealityCheckError: the folder holds one.
    """
    path = output / STATE
    try:
        state = _load(path)
    except RealityCheckError:  # nothing that could be resumed
        return
    done, epochs = len(state["history"]), state["recipe"]["epochs"]
    if done < epochs:
        raise RealityCheckError(
            f"{path} holds a run that is unfinished, after {done} of {epochs} epochs. Pass "
            "--resume to go on with it, or another --output to keep it, or remove that file to "
            "begin anew."
        )


def read_state(path: Path, recipe: Recipe, about: dict[str, Any]) -> dict[str, Any]:
    """Reads the state of an interrupted run.

    Raises:
        RealityCheckError: there is none, it is damaged, or it belongs to another run.
    """
    state = _load(path)
    # Choices that did not exist when it was written were made as they are by default.
    saved = {**asdict(Recipe("")), **state["recipe"], **state["about"]}
    for name, now in {**asdict(recipe), **about}.items():
        if name not in CHANGEABLE and saved.get(name) != now:
            raise RealityCheckError(
                f"The run in {path} has {name} = {saved.get(name)}, not {now}. Give it what it was "
                f"started with (only {', '.join(CHANGEABLE)} may change), or start without "
                "--resume."
            )
    done = len(state["history"])
    if recipe.epochs < done:
        raise RealityCheckError(
            f"The run in {path} has {done} epochs behind it already. Pass --epochs {done} or more."
        )
    return state


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise RealityCheckError(f"There is nothing to resume: {path} is missing. Drop --resume.")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        _ = state["recipe"], state["about"], state["history"]
        whole = is_finite(state["model"])
    except Exception as error:  # torch.load raises many types on a damaged file
        raise RealityCheckError(f"{path} is damaged ({error}). Start without --resume.") from error
    if not whole:  # versions before 5 went on training
        raise RealityCheckError(
            f"The weights in {path} are no longer numbers. Start without --resume, with a lower "
            "--lr or --precision fp32."
        )
    return state


def is_finite(state: Mapping[str, Tensor]) -> bool:
    """Whether all tensors of a state dict hold numbers alone."""
    return all(bool(tensor.isfinite().all()) for tensor in state.values())


def restore(run: Run, state: dict[str, Any]) -> None:
    """Puts a run where the state of `read_state` was written, at its own learning rate."""
    if run.average is not None:
        run.average.load_state_dict(state["average"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.scheduler.load_state_dict(state["scheduler"])
    # Both bring along the rate of before.
    peak, groups = run.recipe.lr, run.optimizer.param_groups
    run.scheduler.base_lrs = [peak] * len(groups)
    for group, share in zip(groups, run.scheduler.lr_lambdas, strict=True):
        group["initial_lr"], group["lr"] = peak, peak * share(run.scheduler.last_epoch)
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
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def new_checkpoint(
    recipe: Recipe,
    splits: Splits,
    ai_class: str,
    history: list[dict[str, float]],
    version: str = "1",
) -> tuple[Config, Record]:
    """The configuration and the record of a freshly trained model, before calibration.

    Args:
        recipe: its choices.
        splits: what it was trained on.
        ai_class: name of the AI class.
        history: of the run.
        version: of the weights.
    """
    # Cached features are seen in every epoch, the pictures behind them once.
    counted = history[:1] if recipe.cache_features else history
    seconds = sum(row["seconds"] for row in history)
    pictures = sum(int(row["pictures"]) for row in counted)
    settings = asdict(recipe) | {"teacher": _without_folder(recipe.teacher)}
    step = finished_step(settings, recipe.weights, pictures, seconds)
    step |= _data_wait(history)
    member = MemberConfig(recipe.arch, recipe.arch, recipe.preprocessing)
    # No verdicts before there are thresholds.
    rule = Abstention().undecided()
    config = Config(tuple(splits.classes), ai_class, (member,), abstention=rule, version=version)
    return config, new_record(splits, (*_steps_before(recipe.weights), step))


def finished_step(settings: Settings, weights: str, pictures: int, seconds: float) -> Settings:
    """What the record keeps of a run.

    Args:
        settings: of its recipe.
        weights: that it started from.
        pictures: that it has seen, each view counted.
        seconds: that it took.
    """
    return {
        **settings,
        "weights": encodable(Path(weights).name),  # without its folder
        "pictures_seen": pictures,
        "hours": round(seconds / 3600, 2),
        "machine": _machine(),
        "torch": torch.__version__,
        "finished": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _without_folder(checkpoint: str) -> str:
    """A checkpoint's name on the Hub, or that of its directory or file."""
    path = Path(checkpoint).expanduser()
    name: str = encodable(path.resolve().name if checkpoint and path.exists() else checkpoint)
    return name


def _data_wait(history: list[dict[str, float]]) -> Settings:
    """The share of a run's training that waited for data, where it was measured."""
    rows = [row for row in history if "data_wait" in row]
    took = [row["pictures"] / row["pictures_per_s"] for row in rows]
    if not rows:
        return {}
    waited = sum(row["data_wait"] * seconds for row, seconds in zip(rows, took, strict=True))
    return {"data_wait": round(waited / sum(took), 3)}


def new_record(splits: Splits, steps: tuple[Settings, ...]) -> Record:
    """The record of a checkpoint that was trained on sets and not measured yet."""
    return Record(training=steps, data=describe(splits), sources=sources(splits))


def _machine() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def _steps_before(weights: str) -> tuple[Settings, ...]:
    """How a run's starting weights were trained, where a checkpoint says so."""
    # A directory, or the .pth that training writes beside it.
    folder = Path(weights).with_suffix("")
    config = folder / CONFIG
    if not config.is_file():
        return ()
    _, old = read_config(config.read_text(encoding="utf-8"))
    return (old or checkpoints.read_record(folder)).training
