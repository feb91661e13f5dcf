"""The frozen tower's features of pictures under several conditions, cached a source at a time.

On two cores they take hours, so every source is a file of its own: an interrupted run goes on
where it stopped, and a changed tower, picture or condition makes a new file.
"""

import hashlib
import json
import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm.auto import tqdm

from realitycheck import images
from realitycheck.committee.transformer import (
    PREPROCESSING,
    TransformerNetwork,
    pooled_features,
)
from realitycheck.committee.views import evaluation_views, to_batch
from realitycheck.data.manifest import manifest_rows
from realitycheck.data.samples import LeftOut, Sample, Splits, warn_left_out
from realitycheck.engines.pytorch import half_precision
from realitycheck.errors import DataError, PictureError
from realitycheck.files import atomic_write, encodable
from realitycheck.images.perturbations import PERTURBATIONS
from realitycheck.results import USUAL_CONDITIONS
from realitycheck.training.tokens import TokenViews

log = logging.getLogger(__name__)

BATCH = 16  # views per forward
CONDITIONS = tuple(PERTURBATIONS)


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
    members: dict[tuple[int, str], list[Sample]] = {}
    samples = splits[split]
    for sample, row in zip(samples, manifest_rows(samples, splits.root), strict=True):
        inner = encodable(sample.path.relative_to(splits.root).parent.as_posix())
        members.setdefault((sample.label, row.get("set") or inner), []).append(sample)
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
) -> Iterator[tuple[Source, dict[str, Tensor]]]:
    """Features of every source, from its file where that is there already.

    Args:
        network: whose tower to run.
        found: the sources.
        folder: of the files.
        copies: conditions per picture beside "clean".
        seed: of the draw of conditions.
        mark: of the tower, such as its SHA-256.

    Yields:
        The source, and its tensors: `features` float16 [N, 7680], `picture` [N] and
        `condition` [N].
    """
    for source in tqdm(found, desc="features", unit="source", disable=None):
        file = folder / f"{_key(source, copies, seed, mark)}.safetensors"
        if not file.is_file():
            tensors = _compute(network, source, copies, seed)
            with atomic_write(file) as temporary:
                save_file(tensors, temporary, metadata={"source": source.name})
        with safe_open(file, framework="pt") as opened:
            yield source, {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118


def _key(source: Source, copies: int, seed: int, mark: str) -> str:
    files = [(sample.path.name, sample.path.stat().st_size) for sample in source.samples]
    text: Any = [mark, source.name, files, copies, seed, CONDITIONS]
    return hashlib.sha256(json.dumps(text).encode()).hexdigest()[:24]


def _compute(
    network: TransformerNetwork, source: Source, copies: int, seed: int
) -> dict[str, Tensor]:
    features, picture, condition, waiting = [], [], [], []
    left_out: list[LeftOut] = []
    for position, sample in enumerate(source.samples):
        try:
            image = images.read(sample.path).image
        except PictureError as error:
            left_out.append(LeftOut(sample.path, str(error)))
            continue
        for name in conditions_of(sample, copies, seed):
            views = evaluation_views(PERTURBATIONS[name](image), PREPROCESSING)
            waiting += [view.pixels for view in views]
            picture += [position] * len(views)
            condition += [CONDITIONS.index(name)] * len(views)
        while len(waiting) >= BATCH:
            features.append(_run(network, waiting[:BATCH]))
            del waiting[:BATCH]
    warn_left_out(left_out, len(source.samples))
    if waiting:
        features.append(_run(network, waiting))
    empty = torch.zeros(0, 0, dtype=torch.float16)
    return {
        "features": torch.cat(features) if features else empty,
        "picture": torch.tensor(picture, dtype=torch.int64),
        "condition": torch.tensor(condition, dtype=torch.int64),
    }


@torch.inference_mode()
def _run(network: TransformerNetwork, pixels: list[Any]) -> Tensor:
    device = next(network.parameters()).device
    batch = to_batch(pixels, PREPROCESSING).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=half_precision()):
        return pooled_features(network, batch).half().cpu()


def gather(
    parts: Iterator[tuple[Source, dict[str, Tensor]]], ai_index: int
) -> tuple[TokenViews, list[str]]:
    """All sources' features as one, and the sources' names.

    Raises:
        DataError: no picture could be read.
    """
    features, columns = [], []
    names: list[str] = []
    pictures = 0
    for source, tensors in parts:
        count = len(tensors["picture"])
        if not count:
            continue
        picture = tensors["picture"].numpy() + pictures
        pictures = int(picture.max()) + 1
        is_ai = np.full(count, source.label == ai_index)
        columns.append((is_ai, np.full(count, len(names)), picture, tensors["condition"].numpy()))
        features.append(tensors["features"])
        names.append(source.name)
    if not features:
        raise DataError("None of the pictures could be read. Check the files.")
    is_ai, source_, picture, condition = (np.concatenate(c) for c in zip(*columns, strict=True))
    return TokenViews(torch.cat(features), is_ai, source_, picture, condition), names
