"""Measuring a checkpoint: calibration, metrics with intervals, and the report."""

import csv
import json
import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from realitycheck import checkpoints, controls, data, doubts, figures, images
from realitycheck.card import UNGROUPED, USUAL_CONDITIONS, percent
from realitycheck.checkpoints import Config
from realitycheck.data import Sample, Splits
from realitycheck.errors import DataError, PictureError, RealityCheckError
from realitycheck.files import replacing
from realitycheck.model import ChunkedForward
from realitycheck.views import (
    CONDITIONS,
    Preprocessing,
    evaluation_views,
    reencode,
    to_batch,
)

log = logging.getLogger(__name__)

RESAMPLES = 1000
LEVEL = 0.95
# Share of real validation pictures that may be called `ai`. Of sources held out from training as
# many as 4.9 % were, in the worst of four folds (docs/experiments.md).
MAX_FALSE_AI = 0.025
MAX_FALSE_REAL = 0.10  # share of AI validation pictures that may be called `real`
GALLERY = 20  # pictures that the detector was most wrong about
GROUPED = (  # figures by group, of `summarise`
    "generators",
    "real_sources",
    "real_sources_called_ai",
    "real_kinds_called_ai",
    "worst_false_alarms",
    "worst_misses",
)
METRICS = "metrics.json"
SCORES = "scores.csv"
# One class saved once more as JPEG, the other kept as it is, as PNG would: a detector that learned
# the format would change its mind.
SWAPS = {"ai-jpeg-real-png": True, "ai-png-real-jpeg": False}


# --- running the network ------------------------------------------------------------------


class _Views(Dataset):
    """Pictures as their evaluation views under a condition.

    An item is `(position, tensor [V, 3, S, S], withheld)`, or None for a picture that cannot be
    read; `withheld` says whether the picture itself forbids a verdict.
    """

    def __init__(
        self, samples: list[Sample], condition: str, preprocessing: Preprocessing, ai_index: int
    ) -> None:
        self.samples, self.preprocessing = samples, preprocessing
        self.condition, self.ai_index = condition, ai_index

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> tuple[int, Tensor, bool] | None:
        try:
            picture = images.read(self.samples[position].path)
        except PictureError:
            return None
        image = self._changed(picture.image, position)
        # What a file says of its compression is no longer true of a changed picture.
        file = picture.data if self.condition == "clean" else None
        reasons = doubts.of_picture(image, file, self.preprocessing.size)
        withheld = any(doubt.withholds for doubt in reasons)
        found = evaluation_views(image, self.preprocessing)
        pixels = to_batch([view.pixels for view in found], self.preprocessing)
        return position, pixels, withheld

    def _changed(self, image: Image.Image, position: int) -> Image.Image:
        if self.condition not in SWAPS:
            return CONDITIONS[self.condition](image)
        is_ai = self.samples[position].label == self.ai_index
        return reencode(image, "JPEG", 90) if is_ai == SWAPS[self.condition] else image


@dataclass(frozen=True)
class Outputs:
    """What a network said about N pictures, before calibration.

    Attributes:
        samples: the pictures that could be read.
        logits: mean over each picture's views, as the detector takes it, [N, classes].
        parts: logits of each picture's views, N times [V, classes].
        poor: which pictures forbid a verdict by themselves, [N].
    """

    samples: list[Sample]
    logits: Tensor
    parts: list[Tensor]
    poor: np.ndarray

    def p_ai(self, config: Config) -> np.ndarray:
        """Calibrated AI probabilities, [N]."""
        return config.probabilities(self.logits)[:, config.ai_index].numpy()

    def verdicts(self, config: Config) -> np.ndarray:
        """What the detector would say of each, [N]."""
        said = []
        for p_ai, views, poor in zip(self.p_ai(config), self.parts, self.poor, strict=True):
            parts = config.probabilities(views)[:, config.ai_index].tolist()
            reasons = doubts.of_answer(p_ai, parts, config.thresholds)
            withheld = poor or any(doubt.withholds for doubt in reasons)
            said.append("uncertain" if withheld else config.verdict(p_ai))
        return np.array(said)


def run_network(
    model: nn.Module,
    config: Config,
    samples: list[Sample],
    condition: str = "clean",
    *,
    workers: int = 1,
    batch_size: int = 32,
) -> Outputs:
    """Runs a network on each picture's views, exactly as the detector does.

    Args:
        model: torchvision module in eval mode; moved to the GPU where there is one.
        config: of its checkpoint.
        samples: the pictures.
        condition: a key of `views.CONDITIONS` or `SWAPS`, applied to each picture first.
        workers: loader processes.
        batch_size: pictures per batch.

    Returns:
        What it said, on the CPU.

    Raises:
        DataError: the readable pictures are all of one class.
    """
    forward = ChunkedForward(model)
    pictures = _Views(samples, condition, config.preprocessing, config.ai_index)
    loader = DataLoader(pictures, batch_size, num_workers=workers, collate_fn=list)
    parts, kept, poor = [], [], []
    for batch in tqdm(loader, desc=condition, leave=False, disable=None):
        read = [item for item in batch if item is not None]
        if not read:
            continue
        outputs = forward(torch.cat([views for _, views, _ in read])).float().cpu()
        parts += outputs.split([len(views) for _, views, _ in read])
        kept += [samples[position] for position, _, _ in read]
        poor += [withheld for _, _, withheld in read]
    data.warn_unreadable(len(samples) - len(kept), len(samples))
    if len({sample.label for sample in kept}) < 2:
        raise DataError("Measuring needs readable pictures of every class. Check the files.")
    logits = torch.stack([part.mean(dim=0) for part in parts])
    return Outputs(kept, logits, parts, np.array(poor))


# --- calibration --------------------------------------------------------------------------


def calibrate(logits: Tensor, labels: np.ndarray, ai_index: int) -> tuple[float, float]:
    """Fits the temperature and the shift of the AI logit on held-out pictures.

    Both classes weigh the same, so that 0.5 means "as likely as not" where AI and real
    pictures are equally common. Platt scaling of the AI logit's lead (Platt 1999).

    Args:
        logits: [N, classes].
        labels: class index of each, [N].
        ai_index: position of the AI class.

    Returns:
        `(temperature, shift)` for `Config`.

    Raises:
        RealityCheckError: AI pictures do not get higher AI logits: nothing was learned.
    """
    others = torch.cat([logits[:, :ai_index], logits[:, ai_index + 1 :]], dim=1)
    lead = (logits[:, ai_index] - others.logsumexp(dim=1)).double().numpy()[:, None]
    fit = LogisticRegression(C=np.inf, class_weight="balanced").fit(lead, labels == ai_index)
    slope, shift = fit.coef_[0, 0], fit.intercept_[0]
    if slope <= 0:
        raise RealityCheckError(
            "On the validation pictures the network does not tell AI from real at all. Train "
            "longer, lower --lr, or check the folders' labels."
        )
    return 1 / slope, shift


def choose_thresholds(p_ai: np.ndarray, is_ai: np.ndarray) -> dict[str, float]:
    """Thresholds that keep false accusations rare on held-out pictures.

    Args:
        p_ai: calibrated AI probabilities, [N].
        is_ai: which pictures are AI-made, [N].

    Returns:
        "ai": at least 0.5, and at most 2.5 % of the real pictures reach it; "real": at most
        0.5, and at most 10 % of the AI pictures fall to it. Between them lies `uncertain`.
    """
    ai = float(np.quantile(p_ai[~is_ai], 1 - MAX_FALSE_AI, method="higher"))
    real = float(np.quantile(p_ai[is_ai], MAX_FALSE_REAL, method="lower"))
    # A strictly greater number, because a verdict of `ai` starts at its threshold.
    return {"ai": max(0.5, float(np.nextafter(ai, 1))), "real": min(real, 0.5)}


def uncalibrated_config(
    recipe: Any,
    splits: Splits,
    ai_class: str,
    history: list[dict[str, float]],
    version: str = "1",
) -> Config:
    """The configuration of a freshly trained model.

    Args:
        recipe: its `training.Recipe`.
        splits: what it was trained on.
        ai_class: name of the AI class.
        history: of the run.
        version: of the weights.
    """
    # Cached features are seen in every epoch, the pictures behind them once.
    counted = history[:1] if recipe.cache_features else history
    training = {
        **asdict(recipe),
        **_starting_point(recipe.weights),
        "pictures_seen": sum(int(row["pictures"]) for row in counted),
        "hours": round(sum(row["seconds"] for row in history) / 3600, 2),
        "machine": _machine(),
        "torch": torch.__version__,
        "finished": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    return Config(
        recipe.arch,
        splits.classes,
        ai_class,
        recipe.preprocessing,
        training=training,
        data=describe_data(splits),
        sources=data.sources(splits),
        version=version,
    )


def _machine() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def _starting_point(weights: str) -> dict[str, Any]:
    """Where a run's weights came from: a name without its folder, and how they were trained."""
    path = Path(weights)
    start = {"weights": path.name}
    # A directory, or the .pth that training writes beside it.
    config = path.with_suffix("") / checkpoints.CONFIG
    if config.is_file():
        start["started_from"] = Config.from_json(config.read_text(encoding="utf-8")).training
    return start


def calibrated(config: Config, model: nn.Module, splits: Splits, workers: int = 1) -> Config:
    """A configuration with temperature, shift and thresholds fitted on the validation set.

    Args:
        config: of the model.
        model: in eval mode.
        splits: with "val".
        workers: loader processes.

    Raises:
        RealityCheckError: the model learned nothing, or the set cannot be used.
    """
    found = [
        run_network(model, config, splits["val"], condition, workers=workers)
        for condition in USUAL_CONDITIONS
    ]
    logits = torch.cat([part.logits for part in found])
    labels = np.array([sample.label for part in found for sample in part.samples])
    temperature, shift = calibrate(logits, labels, config.ai_index)
    config = replace(config, temperature=temperature, shift=shift, calibrated=True)
    return replace(config, thresholds=_worst_thresholds(config, found))


def _worst_thresholds(config: Config, found: list[Outputs]) -> dict[str, float]:
    chosen = [choose_thresholds(part.p_ai(config), _is_ai(part.samples, config)) for part in found]
    return {
        "ai": max(part["ai"] for part in chosen),
        "real": min(part["real"] for part in chosen),
    }


def describe_data(splits: Splits) -> dict[str, Any]:
    """How many pictures of which class each set holds, and a fingerprint of each set."""
    return {
        name: {
            "fingerprint": data.fingerprint(samples, splits.root),
            **{c: sum(s.label == i for s in samples) for i, c in enumerate(splits.classes)},
        }
        for name, samples in splits.sets.items()
        if samples
    }


def _is_ai(samples: list[Sample], config: Config) -> np.ndarray:
    return np.array([s.label == config.ai_index for s in samples])


# --- metrics ------------------------------------------------------------------------------


def interval(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    p_ai: np.ndarray,
    is_ai: np.ndarray,
    seed: int = 0,
) -> dict[str, float]:
    """A statistic with its 95 % bootstrap interval; classes are resampled separately.

    Args:
        statistic: of `(p_ai, is_ai)`.
        p_ai: AI probabilities, [N].
        is_ai: which pictures are AI-made, [N].
        seed: of the resampling.

    Returns:
        "value", "low" and "high".
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(is_ai == side) for side in (True, False)]
    draws = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([rng.choice(m, len(m)) for m in members])
        draws.append(statistic(p_ai[chosen], is_ai[chosen]))
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"value": float(statistic(p_ai, is_ai)), "low": float(low), "high": float(high)}


def wilson(right: int, count: int) -> dict[str, float]:
    """A share with its 95 % Wilson score interval (Wilson 1927): fit for small groups."""
    z, share = 1.959964, right / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2))
    return {
        "value": share,
        "low": max(0.0, float(centre - half)),
        "high": min(1.0, float(centre + half)),
        "count": count,
    }


def balanced_accuracy(p_ai: np.ndarray, is_ai: np.ndarray) -> float:
    """Mean of both classes' accuracy, AI from 0.5."""
    return float(((p_ai[is_ai] >= 0.5).mean() + (p_ai[~is_ai] < 0.5).mean()) / 2)


def auc(p_ai: np.ndarray, is_ai: np.ndarray) -> float:
    """Area under the ROC curve."""
    return float(roc_auc_score(is_ai, p_ai))


def expected_calibration_error(p_ai: np.ndarray, is_ai: np.ndarray, bins: int = 15) -> float:
    """ECE of the AI probability, classes weighted equally, equal-width bins (Guo et al. 2017)."""
    weight = np.where(is_ai, 0.5 / is_ai.sum(), 0.5 / (~is_ai).sum())
    which = np.minimum((p_ai * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = which == b
        total += abs((weight[inside] * (p_ai[inside] - is_ai[inside])).sum())
    return float(total)


def detection_rate(p_ai: np.ndarray, is_ai: np.ndarray, false_alarms: float) -> float:
    """Share of AI pictures found when `false_alarms` of the real ones may be flagged."""
    found, hits, _ = roc_curve(is_ai, p_ai)
    return float(hits[found <= false_alarms].max())


def summarise(
    p_ai: np.ndarray,
    is_ai: np.ndarray,
    called: np.ndarray,
    groups: list[str],
    kinds: list[str],
) -> dict[str, Any]:
    """All figures of one set under one condition.

    Args:
        p_ai: calibrated AI probabilities, [N].
        is_ai: which of the N pictures are AI-made.
        called: the verdict on each.
        groups: a name per picture: its generator or its real source.
        kinds: a word per picture for what it shows, "" where that is not known.

    Returns:
        JSON-ready figures with 95 % intervals.

    Raises:
        DataError: one of the two classes is absent.
    """
    if is_ai.all() or not is_ai.any():
        raise DataError("Measuring needs AI and real pictures; one of the classes is empty.")
    truth = np.where(is_ai, "ai", "real")
    decided = called != "uncertain"
    right = (p_ai >= 0.5) == is_ai
    return {
        "pictures": {"ai": int(is_ai.sum()), "real": int((~is_ai).sum())},
        "balanced_accuracy": interval(balanced_accuracy, p_ai, is_ai),
        "auc": interval(auc, p_ai, is_ai),
        "accuracy_ai": wilson(int(right[is_ai].sum()), int(is_ai.sum())),
        "accuracy_real": wilson(int(right[~is_ai].sum()), int((~is_ai).sum())),
        "tpr_at_1_percent_fpr": detection_rate(p_ai, is_ai, 0.01),
        "tpr_at_5_percent_fpr": detection_rate(p_ai, is_ai, 0.05),
        "ece": interval(expected_calibration_error, p_ai, is_ai),
        "verdicts": {
            "decided": wilson(int(decided.sum()), len(p_ai)),
            "right_when_decided": wilson(int((called == truth)[decided].sum()), int(decided.sum()))
            if decided.any()
            else None,
            "ai_called_ai": wilson(int((called[is_ai] == "ai").sum()), int(is_ai.sum())),
            "real_called_ai": wilson(int((called[~is_ai] == "ai").sum()), int((~is_ai).sum())),
            "ai_called_real": wilson(int((called[is_ai] == "real").sum()), int(is_ai.sum())),
        },
        "confusion": {
            side: {v: int((called[truth == side] == v).sum()) for v in ("ai", "uncertain", "real")}
            for side in ("ai", "real")
        },
        "generators": _by_group(right, groups, is_ai),
        "real_sources": _by_group(right, groups, ~is_ai),
        "real_sources_called_ai": _by_group(called == "ai", groups, ~is_ai),
        "real_kinds_called_ai": _by_group(called == "ai", kinds, ~is_ai & (np.array(kinds) != "")),
        "worst_false_alarms": _worst(p_ai, ~is_ai & ~right, groups),
        "worst_misses": _worst(1 - p_ai, is_ai & ~right, groups),
    }


def _worst(error: np.ndarray, members: np.ndarray, groups: list[str]) -> dict[str, int]:
    """How often each group is among the members with the largest error, most often first."""
    chosen = sorted(np.flatnonzero(members), key=lambda i: -error[i])[:GALLERY]
    return dict(Counter(groups[i] for i in chosen).most_common())


def _by_group(hits: np.ndarray, groups: list[str], members: np.ndarray) -> dict[str, dict]:
    names, hits = np.array(groups)[members], hits[members]
    return {
        name: wilson(int(hits[names == name].sum()), int((names == name).sum()))
        for name in sorted(set(names))
    }


def kind_names(samples: list[Sample], root: Path) -> list[str]:
    """What each picture shows, from the manifest's column `content`; "" where it does not say."""
    return [row.get("content") or "" for row in data.manifest_rows(samples, root)]


def group_names(samples: list[Sample], root: Path, config: Config) -> list[str]:
    """The generator of each AI picture and the source of each real one.

    Read from the folder's manifest; without one, the sub-folder below the class folder, and
    "all" for pictures that lie directly in it.
    """
    names = []
    for sample, row in zip(samples, data.manifest_rows(samples, root), strict=True):
        relative = sample.path.relative_to(root)
        column = "generator" if sample.label == config.ai_index else "set"
        inner = relative.parts[relative.parts.index(config.classes[sample.label]) + 1 : -1]
        folder = "/".join(inner) or UNGROUPED
        names.append(row.get(column) or folder)
    return names


# --- the command --------------------------------------------------------------------------


def run(
    root: Path,
    source: str | None,
    *,
    output: Path,
    splits: list[str] | None = None,
    conditions: list[str] | None = None,
    explanations: bool = False,
    workers: int = 1,
    export: Path | None = None,
) -> dict[str, Any]:
    """Measures a checkpoint on a folder and prints the report.

    Writes `metrics.json`, `scores.csv` with a row per picture, and `report.md` with figures; the
    first two after every condition, so that an interruption loses one.

    Args:
        root: the folder, see `data.find`.
        source: checkpoint, see `checkpoints.load`.
        output: folder for what is written.
        splits: sets to measure; None for all but train and val.
        conditions: keys of `views.CONDITIONS` or `SWAPS`; or "all", with the controls too.
        explanations: test the maps too, see `faithfulness.measure`.
        workers: loader processes.
        export: write the measured weights there as a float16 checkpoint that holds the
            figures; they are then rounded to float16 before measuring.

    Returns:
        What was written: set, condition, figures.

    Raises:
        RealityCheckError: unknown condition, unusable folder or checkpoint.
    """
    wanted = _known_conditions(conditions or ["clean"])
    checkpoint = checkpoints.load(source)
    config, model = checkpoint.config, checkpoint.model
    found = data.find(root, config.training.get("seed", 0))
    if found.classes != config.classes:
        raise DataError(
            f"{root} has the classes {found.classes}, the checkpoint {config.classes}. Rename the "
            "class folders."
        )
    if export:
        checkpoints.round_to_half(model)
    names = splits or [name for name in found.sets if name not in ("train", "val")]
    if not names:
        raise DataError(f"{root} has no test set. Name the sets to measure with --splits.")
    for name in names:
        _warn_if_changed(name, found, config)
    written = {"model": checkpoint.describe(), "sets": {}, "controls": {}, "explanations": {}}

    def keep(measured: dict[str, dict[str, dict]], scores: list[Scores]) -> None:
        written["sets"] = measured
        _write_metrics(output / METRICS, written)
        _write_scores(output / SCORES, scores, root)

    measured, scores = measure(model, config, found, names, wanted, workers, keep)
    if conditions == ["all"]:
        written["controls"] = _controls(found, names, config)
    if explanations:
        written["explanations"] = _explanations(model, config, found, names)
    _write_metrics(output / METRICS, written)
    figures.write(output, written, scores)
    print(f"\nWrote {output / METRICS}, {SCORES} and {figures.REPORT} with its figures.")
    if export:
        config = replace(config, metrics=_for_card(measured), explanations=written["explanations"])
        checkpoints.save(export, model.cpu(), config, half=True)
        print(f"Wrote {export}.")
    return written


def _for_card(measured: dict[str, dict[str, dict]]) -> dict[str, dict[str, dict]]:
    """Figures without the groups of changed pictures, which nobody is shown: they are long."""
    return {
        name: {
            condition: {k: v for k, v in found.items() if condition == "clean" or k not in GROUPED}
            for condition, found in conditions.items()
        }
        for name, conditions in measured.items()
    }


def _explanations(
    model: nn.Module, config: Config, found: Splits, names: list[str]
) -> dict[str, dict[str, dict]]:
    """How the maps did on each set, printed as it comes."""
    from realitycheck import faithfulness  # grad-cam, which nothing else here needs

    measured = {}
    for name in names:
        measured[name] = faithfulness.measure(
            model.cpu(), config, found[name], faithfulness.PICTURES
        )
        print("\n".join(faithfulness.lines(name, measured[name])), flush=True)
    return measured


@dataclass(frozen=True)
class Scores:
    """What a model said about the pictures of one set under one condition.

    Attributes:
        name: of the set.
        condition: under which they were seen.
        samples: the N pictures that could be read.
        p_ai: calibrated AI probabilities, [N].
        is_ai: which are AI-made, [N].
        groups: the generator or real source of each.
    """

    name: str
    condition: str
    samples: list[Sample]
    p_ai: np.ndarray
    is_ai: np.ndarray
    groups: list[str]


def _write_metrics(path: Path, written: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


def _write_scores(path: Path, scores: list[Scores], root: Path) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["set", "condition", "file", "group", "is_ai", "p_ai"])
        for part in scores:
            for sample, group, is_ai, p_ai in zip(
                part.samples, part.groups, part.is_ai, part.p_ai, strict=True
            ):
                name = sample.path.relative_to(root).as_posix()
                table.writerow([part.name, part.condition, name, group, int(is_ai), f"{p_ai:.6f}"])


def _controls(found: Splits, names: list[str], config: Config) -> dict[str, dict[str, dict]]:
    """Balanced accuracy of the baselines on each set; they learn from the training set."""
    if not found.sets.get("train"):
        return {}
    sets = {name: found[name] for name in names}
    measured: dict[str, dict[str, dict]] = {}
    for label, describe in controls.CONTROLS.items():
        said = controls.scores(describe, found["train"], sets, config.ai_index)
        measured[label] = {name: interval(balanced_accuracy, *pair) for name, pair in said.items()}
        for name, figure in measured[label].items():
            print(f"control, {label}, {name}: balanced accuracy {percent(figure)}", flush=True)
    return measured


def measure(
    model: nn.Module,
    config: Config,
    splits: Splits,
    names: list[str],
    conditions: list[str],
    workers: int = 1,
    keep: Callable[[dict[str, dict[str, dict]], list[Scores]], None] = lambda *_: None,
) -> tuple[dict[str, dict[str, dict]], list[Scores]]:
    """Measures a model on sets under conditions, and prints the report of each as it comes.

    Args:
        model: in eval mode.
        config: its configuration.
        splits: holds the sets.
        names: of the sets.
        conditions: keys of `views.CONDITIONS` or `SWAPS`.
        workers: loader processes.
        keep: called after every condition with what will be returned, as far as it goes.

    Returns:
        Set name to condition to what `summarise` returned, the value of `Config.metrics`; and
        the scores behind it.
    """
    measured: dict[str, dict[str, dict]] = {name: {} for name in names}
    scores = []
    for name in names:
        for condition in conditions:
            outputs = run_network(model, config, splits[name], condition, workers=workers)
            samples = outputs.samples
            p_ai, is_ai = outputs.p_ai(config), _is_ai(samples, config)
            groups = group_names(samples, splits.root, config)
            kinds = kind_names(samples, splits.root)
            found = summarise(p_ai, is_ai, outputs.verdicts(config), groups, kinds)
            measured[name][condition] = found
            scores.append(Scores(name, condition, samples, p_ai, is_ai, groups))
            print("\n".join(report_lines(name, condition, found)), flush=True)
            keep(measured, scores)
    return measured, scores


def _warn_if_changed(name: str, found: Splits, config: Config) -> None:
    recorded = config.data.get(name)
    now = describe_data(found).get(name)
    if recorded and now and recorded["fingerprint"] != now["fingerprint"]:
        log.warning(
            "The %s set is not the one recorded when this checkpoint was trained: if these are "
            "the same folders, pictures it was trained on may be among the measured ones.",
            name,
        )


def _known_conditions(names: list[str]) -> list[str]:
    known = [*CONDITIONS, *SWAPS]
    if names == ["all"]:
        return known
    unknown = [name for name in names if name not in known]
    if unknown:
        raise RealityCheckError(
            f"Unknown conditions: {', '.join(unknown)}. Choose from {', '.join(known)}, or all."
        )
    return names


def report_lines(name: str, condition: str, figures: dict) -> Iterator[str]:
    """The printed report of one set under one condition; shares in percent, 95 % intervals."""
    counts, verdicts = figures["pictures"], figures["verdicts"]
    yield f"\n{name}, {condition}: {counts['ai']} AI, {counts['real']} real"
    for label, figure in (
        ("balanced accuracy", figures["balanced_accuracy"]),
        ("AUC (x 100)", figures["auc"]),
        ("accuracy on AI", figures["accuracy_ai"]),
        ("accuracy on real", figures["accuracy_real"]),
        ("ECE", figures["ece"]),
        ("verdict given (not uncertain)", verdicts["decided"]),
        ("right when given", verdicts["right_when_decided"]),
        ("AI called ai", verdicts["ai_called_ai"]),
        ("real called ai", verdicts["real_called_ai"]),
        ("AI called real", verdicts["ai_called_real"]),
    ):
        yield f"  {label:32}{percent(figure)}"
    for fpr in (1, 5):
        share = figures[f"tpr_at_{fpr}_percent_fpr"]
        yield f"  {f'AI found at {fpr} % false alarms':32}{100 * share:.1f}"
    for label, key in (
        ("accuracy per generator", "generators"),
        ("per real source", "real_sources"),
    ):
        yield f"  {label}"
        for group, figure in sorted(figures[key].items(), key=lambda item: item[1]["value"]):
            yield f"    {group[:58]:60}{percent(figure):22}n = {figure['count']}"
