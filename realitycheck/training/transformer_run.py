"""Recipe `transformer`: features of the frozen tower, the head, and scores to calibrate it by."""

import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from realitycheck.committee import transformer
from realitycheck.committee.abstention import Abstention
from realitycheck.committee.transformer import TokenHead, TransformerNetwork
from realitycheck.config import MemberConfig
from realitycheck.data.samples import Splits
from realitycheck.errors import CheckpointError, DataError, RealityCheckError
from realitycheck.files import sha256
from realitycheck.images import MIN_SIDE
from realitycheck.results import USUAL_CONDITIONS, Settings
from realitycheck.tensors import read_tensors
from realitycheck.training import token_features
from realitycheck.training.tokens import HeadRecipe, TokenViews, cross_fitted, train_head

log = logging.getLogger(__name__)

TOWER, HEAD = "transformer.tower.safetensors", "transformer.head.safetensors"


MEMBER = MemberConfig("transformer", transformer.ARCH, transformer.PREPROCESSING, (TOWER, HEAD))
# The cut at a picture's own scale is half of its parts: by itself it withholds no verdict.
RULE = Abstention(split=0.6)


@dataclass(frozen=True)
class TransformerRecipe:
    """Every choice of such a run.

    Attributes:
        weights: a tower file, or a checkpoint directory that holds one.
        per_source: pictures of each source at most.
        copies: conditions that each picture is seen under beside as it is.
        head: the choices of the head's training.
        seed: of the draws of pictures and conditions.
        min_side: px that a picture's short side must have.
    """

    weights: str
    per_source: int = 60
    copies: int = 2
    head: HeadRecipe = field(default_factory=HeadRecipe)
    seed: int = 0
    min_side: int = MIN_SIDE

    def __post_init__(self) -> None:
        # One of the usual conditions, and each of the others.
        most = len(set(token_features.CONDITIONS) - set(USUAL_CONDITIONS)) + 1
        if self.per_source < 1 or not 0 <= self.copies <= most:
            raise RealityCheckError(
                f"--per-source must be 1 or more, and --copies from 0 to {most}."
            )


def settings(recipe: TransformerRecipe) -> Settings:
    """A recipe's choices, for the record."""
    chosen = {"recipe": "transformer", **asdict(recipe), **asdict(recipe.head)}
    del chosen["head"]
    return chosen


@dataclass(frozen=True)
class HeldOut:
    """Leads on N pictures by heads that saw no picture of their sources.

    Attributes:
        leads: mean over each picture's views, [N].
        is_ai: whether it is AI-made, [N].
        condition: name of what it was seen under, [N].
        source: name of its source, [N].
    """

    leads: NDArray[np.float64]
    is_ai: NDArray[np.bool_]
    condition: NDArray[np.str_]
    source: NDArray[np.str_]


@dataclass(frozen=True)
class Fold:
    """What one of the folds left.

    Attributes:
        head: in eval mode.
        sources: names of those that it saw no picture of.
    """

    head: TokenHead
    sources: frozenset[str]


@dataclass(frozen=True)
class Fitted:
    """A trained member.

    Attributes:
        network: tower and head, in eval mode.
        tower: the file that its tower came from.
        held_out: scores of the folds.
        views: how many views the head was trained on.
        fold: the first of the folds.
    """

    network: TransformerNetwork
    tower: Path
    held_out: HeldOut
    views: int
    fold: Fold


def fit(recipe: TransformerRecipe, splits: Splits, output: Path, ai_index: int) -> Fitted:
    """Trains a head on the training set.

    Args:
        recipe: the choices.
        splits: with "train".
        output: folder that holds `features/`, which a second run goes on from.
        ai_index: position of the AI class.

    Raises:
        CheckpointError: there is no such tower, or its answers are no numbers.
        DataError: the sources are too few to hold some out.
        RealityCheckError: the head's weights are no longer numbers.
    """
    if len(splits.classes) != 2:
        raise DataError(f"This recipe tells two classes apart, not {', '.join(splits.classes)}.")
    tower = tower_file(recipe.weights)
    network = load_tower(tower, ai_index)
    found = token_features.sources(splits, "train", recipe.per_source, recipe.seed)
    _check_sources([source.label == ai_index for source in found], recipe.head.folds)
    log.info("%d sources, %d pictures", len(found), sum(len(s.samples) for s in found))
    parts = token_features.compute(
        network,
        found,
        output / "features",
        copies=recipe.copies,
        seed=recipe.seed,
        mark=sha256(tower),
    )
    views, names = token_features.gather(parts, ai_index)
    # Again, without those whose pictures were all left out.
    used = dict(zip(views.source.tolist(), views.is_ai.tolist(), strict=True))
    _check_sources(used.values(), recipe.head.folds)
    leads, head, unseen = cross_fitted(views, recipe.head, ai_index)
    network.head = train_head(views, recipe.head, ai_index)
    held_out = _by_picture(views, leads, names)
    fold = Fold(head, frozenset(names[number] for number in unseen))
    return Fitted(network.eval(), tower, held_out, len(views.is_ai), fold)


def tower_file(weights: str) -> Path:
    """The tower's file, which `weights` names or which lies in the directory that it names.

    Raises:
        CheckpointError: there is none.
    """
    path = Path(weights)
    file = path / TOWER if path.is_dir() else path
    if not file.is_file():
        raise CheckpointError(
            f"There is no tower {file}. Pass --weights with a {TOWER}, or a checkpoint directory "
            "that holds one."
        )
    return file


def load_tower(file: Path, ai_index: int) -> TransformerNetwork:
    """A network with this tower and a head that is not trained yet.

    Raises:
        CheckpointError: the file holds no such tower.
    """
    tower = transformer.build_tower()
    try:
        tower.load_state_dict(read_tensors(file))
    except RuntimeError as error:
        raise CheckpointError(f"{file} holds no tower of {transformer.ARCH}: {error}") from error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = TransformerNetwork(tower.eval(), TokenHead([], ai_index))
    return network.requires_grad_(False).to(device)


def _check_sources(are_ai: Collection[bool], folds: int) -> None:
    """Raises DataError where a class has too few sources, each of which is AI-made or not."""
    for kind, wanted in (("AI", True), ("real", False)):
        count = sum(is_ai == wanted for is_ai in are_ai)
        if count < folds:
            raise DataError(
                f"There are too few sources of {kind} pictures ({count}): {folds} are needed, so "
                "that whole sources can be held out. Sort each class's pictures into a folder per "
                "source, or name their sources in the column `set` of manifest.csv."
            )


def _by_picture(views: TokenViews, leads: NDArray[np.float64], names: list[str]) -> HeldOut:
    """Means over the views of each picture under each condition."""
    key = views.picture * len(token_features.CONDITIONS) + views.condition
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    means = np.bincount(inverse, leads * views.weight) / np.bincount(inverse, views.weight)
    return HeldOut(
        means,
        views.is_ai[first],
        np.array(token_features.CONDITIONS)[views.condition[first]],
        np.array(names)[views.source[first]],
    )
