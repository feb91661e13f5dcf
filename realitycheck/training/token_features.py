"""The frozen tower's features of pictures under several conditions, cached a source at a time.

On two cores they take hours, so every source is a file of its own: an interrupted run goes on
where it stopped, and a changed tower, picture or condition makes a new file.
"""

import hashlib
import json
import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm.auto import tqdm

from realitycheck.committee.transformer import (
    PREPROCESSING,
    TransformerNetwork,
    pooled_features,
)
from realitycheck.committee.views import evaluation_views, to_batch
from realitycheck.data.left_out import LeftOut, warn_left_out
from realitycheck.data.manifest import source_names
from realitycheck.data.samples import Sample, Splits, check_classes
from realitycheck.engines.processor import half_precision
from realitycheck.errors import CheckpointError
from realitycheck.files import atomic_write, encodable
from realitycheck.images import MIN_SIDE
from realitycheck.images.perturbations import PERTURBATIONS
from realitycheck.results import USUAL_CONDITIONS
from realitycheck.training.tokens import TokenViews

log = logging.getLogger(__name__)

BATCH = 16  # views per forward
CONDITIONS = tuple(PERTURBATIONS)


TENSORS = ("features", "picture", "condition", "weight")  # of N views: [N, 7680], else [N]
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Source:
    """Pictures of one origin within one class.

    Attributes:
        name: of the class and the origin.
        label: class index.
        samples: its pictures, as many as were asked for.
    """

    name: str
    label: int
    samples: list[Sample]


def sources(splits: Splits, split: str, per_source: int, seed: int) -> list[Source]:
    """The sources of a set: the manifest's `set`, or the sub-folder within the class folder.

    Args:
        splits: holds the set.
        split: its name.
        per_source: pictures of each source at most, drawn at random.
        seed: of the draw.
    """
    return by_source(splits, splits[split], per_source, seed)


def by_source(splits: Splits, samples: list[Sample], per_source: int, seed: int) -> list[Source]:
    """The sources of some samples, as `sources` finds them."""
    members: dict[tuple[int, str], list[Sample]] = {}
    for sample, name in zip(samples, source_names(samples, splits.root), strict=True):
        members.setdefault((sample.label, name), []).append(sample)
    found = []
    for (label, name), part in sorted(members.items()):
        drawn = random.Random(f"{seed}:{name}").sample(part, min(per_source, len(part)))
        found.append(Source(f"{splits.classes[label]}/{name}", label, drawn))
    return found


def conditions_of(sample: Sample, copies: int, seed: int) -> list[str]:
    """What a picture is seen under: as it is, and `copies` conditions drawn for it.

    The first of them is one that thresholds are set by, so that there are enough of each.
    """
    rng = random.Random(f"{seed}:{encodable(sample.path.name)}")
    usual = rng.choice([name for name in USUAL_CONDITIONS if name != "clean"])
    others = [name for name in CONDITIONS if name not in USUAL_CONDITIONS]
    return ["clean", usual, *rng.sample(others, max(0, copies - 1))][: copies + 1]


def compute(
    network: TransformerNetwork,
    found: Sequence[Source],
    folder: Path,
    *,
    copies: int,
    seed: int,
    mark: str,
) -> Iterator[tuple[Source, Tensors, list[LeftOut]]]:
    """Features of every source, from its file where that is there already.

    Args:
        network: whose tower to run.
        found: the sources.
        folder: of the files.
        copies: conditions per picture beside "clean".
        seed: of the draw of conditions.
        mark: of the tower, such as its SHA-256.

    Yields:
        The source, its tensors, `features` in float16, and which of its pictures are left out.

    Raises:
        CheckpointError: the tower's answers are no numbers.
    """
    for source in tqdm(found, desc="features", unit="source", disable=None):
        file = folder / f"{_key(source, copies, seed, mark)}.safetensors"
        computed = _cached(file, source)
        if computed is None:
            computed = tensors, left_out = _compute(network, source, copies, seed)
            places = {sample.path: place for place, sample in enumerate(source.samples)}
            notes = [[places[lost.path], lost.why, lost.size, lost.least] for lost in left_out]
            with atomic_write(file) as temporary:
                metadata = {"source": source.name, "left_out": json.dumps(notes)}
                save_file(tensors, temporary, metadata)
        yield source, *computed


def _key(source: Source, copies: int, seed: int, mark: str) -> str:
    files = [(sample.path.name, sample.path.stat().st_size) for sample in source.samples]
    views = asdict(PREPROCESSING)
    text: list[Any] = [mark, source.name, files, copies, seed, CONDITIONS, TENSORS, views]
    if smaller := [s.min_side for s in source.samples if s.min_side != MIN_SIDE]:
        text.append(smaller)
    return hashlib.sha256(json.dumps(text).encode()).hexdigest()[:24]


def _cached(file: Path, source: Source) -> tuple[Tensors, list[LeftOut]] | None:
    """What an earlier run left; None where that is nothing, or damaged."""
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in TENSORS}
            notes = json.loads((opened.metadata() or {}).get("left_out", "[]"))
        left_out = [
            LeftOut(source.samples[place].path, why, size and tuple(size), least)
            for place, why, size, least in notes
        ]
        if tensors["features"].isfinite().all():
            return tensors, left_out
    except (SafetensorError, OSError, ValueError, TypeError, IndexError):
        pass
    log.warning("%s is damaged: the features of %s are made anew.", file, source.name)
    return None


def _compute(
    network: TransformerNetwork, source: Source, copies: int, seed: int
) -> tuple[Tensors, list[LeftOut]]:
    features, picture, condition, weight, waiting = [], [], [], [], []
    left_out: list[LeftOut] = []
    for position, sample in enumerate(source.samples):
        read = sample.read()
        if isinstance(read, LeftOut):
            left_out.append(read)
            continue
        for name in conditions_of(sample, copies, seed):
            views = evaluation_views(PERTURBATIONS[name](read.image), PREPROCESSING)
            waiting += [view.pixels for view in views]
            picture += [position] * len(views)
            condition += [CONDITIONS.index(name)] * len(views)
            weight += [view.weight for view in views]
        while len(waiting) >= BATCH:
            features.append(_run(network, waiting[:BATCH]))
            del waiting[:BATCH]
    if waiting:
        features.append(_run(network, waiting))
    empty = torch.zeros(0, 0, dtype=torch.float16)
    return {
        "features": torch.cat(features) if features else empty,
        "picture": torch.tensor(picture, dtype=torch.int64),
        "condition": torch.tensor(condition, dtype=torch.int64),
        "weight": torch.tensor(weight),
    }, left_out


@torch.inference_mode()
def _run(network: TransformerNetwork, pixels: list[Any]) -> Tensor:
    device = next(network.parameters()).device
    batch = to_batch(pixels, PREPROCESSING).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=half_precision()):
        features = pooled_features(network, batch).half().cpu()
    if not features.isfinite().all():
        raise CheckpointError(
            "What the tower says of the pictures is no number: its file is damaged. Fetch it "
            "again, or pass other --weights."
        )
    return features


def gather(
    parts: Iterator[tuple[Source, Tensors, list[LeftOut]]], ai_index: int
) -> tuple[TokenViews, list[str]]:
    """All sources' features as one, and the sources' names.

    Raises:
        DataError: of a class no picture can be used.
    """
    features, columns = [], []
    names: list[str] = []
    left_out: list[LeftOut] = []
    samples: list[Sample] = []
    pictures = 0
    for source, tensors, lost in parts:
        left_out += lost
        samples += source.samples
        count = len(tensors["picture"])
        if not count:
            continue
        picture = tensors["picture"].numpy() + pictures
        pictures = int(picture.max()) + 1
        is_ai = np.full(count, source.label == ai_index)
        seen = (tensors[name].numpy() for name in ("condition", "weight"))
        columns.append((is_ai, np.full(count, len(names)), picture, *seen))
        features.append(tensors["features"])
        names.append(source.name)
    warn_left_out(left_out, len(samples))
    unusable = {lost.path for lost in left_out}
    check_classes(samples, [s for s in samples if s.path not in unusable], left_out)
    known = [np.concatenate(column) for column in zip(*columns, strict=True)]
    return TokenViews(torch.cat(features), *known), names
