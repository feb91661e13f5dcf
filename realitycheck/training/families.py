"""Recipe `families`: a linear head that tells families of generators apart, on cached features.

It is a multinomial logistic regression on the features' principal components, multiplied out to
one matrix. Pictures of one source look alike in much else than their generator: sources weigh
alike, and what is measured are pictures of sources that the head did not see.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor

from realitycheck.checkpoints import Checkpoint
from realitycheck.committee import transformer
from realitycheck.committee.families import OTHER, FamilyHead
from realitycheck.committee.transformer import TransformerNetwork
from realitycheck.data.left_out import LeftOut, warn_left_out
from realitycheck.data.manifest import manifest_rows
from realitycheck.data.samples import Splits
from realitycheck.errors import CheckpointError, DataError, RealityCheckError
from realitycheck.files import sha256
from realitycheck.images import MIN_SIDE
from realitycheck.training import token_features

log = logging.getLogger(__name__)

FILE = "transformer.families.safetensors"
COLUMN = "family"  # of the manifest
COMPONENTS = 512  # of the features that the regression sees, at most
STEPS = 1000  # of the solver, at most

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FamiliesRecipe:
    """Every choice of such a run.

    Attributes:
        weights: a checkpoint with a transformer, see `checkpoints.load`.
        per_source: pictures of each source at most.
        copies: conditions that each picture is seen under beside as it is.
        strength: of the data against the penalty on large weights, above 0.
        folds: parts that whole sources are dealt to.
        seed: of draws and folds.
        min_side: px that a picture's short side must have.
    """

    weights: str
    per_source: int = 24
    copies: int = 1
    strength: float = 3.0
    folds: int = 5
    seed: int = 0
    min_side: int = MIN_SIDE

    def __post_init__(self) -> None:
        if self.per_source < 1 or not 0 <= self.copies < len(token_features.CONDITIONS):
            raise RealityCheckError(
                "--per-source must be 1 or more, and --copies 0 or more and fewer than there are "
                f"conditions ({len(token_features.CONDITIONS)})."
            )


@dataclass(frozen=True)
class FamilyViews:
    """Features of N views of AI pictures, and what is known of each.

    Attributes:
        features: class tokens and patch means of the tower, [N, 7680].
        names: of the families.
        family: number of the picture's family, [N].
        source: number of its source, [N].
        picture: number of the picture under its condition, [N].
        clean: whether that is as it is, [N].
    """

    features: Tensor
    names: tuple[str, ...]
    family: Numbers
    source: Numbers
    picture: Numbers
    clean: NDArray[np.bool_]


@dataclass(frozen=True)
class Named:
    """What heads that saw no picture of their sources say of N pictures.

    Attributes:
        names: of the families.
        logits: means over each picture's views, [N, families]; -inf for a family that the head
            was not taught.
        family: number of the picture's family, [N].
        source: number of its source, [N].
        clean: whether it is seen as it is, [N].
    """

    names: tuple[str, ...]
    logits: NDArray[np.float64]
    family: Numbers
    source: Numbers
    clean: NDArray[np.bool_]

    def take(self, chosen: NDArray[np.bool_]) -> "Named":
        """The pictures of a mask [N]."""
        columns = (self.family[chosen], self.source[chosen], self.clean[chosen])
        return Named(self.names, self.logits[chosen], *columns)


@dataclass(frozen=True)
class FittedFamilies:
    """A trained head.

    Attributes:
        head: in eval mode, rounded to float16.
        held_out: of every picture, by heads that saw no picture of its source.
        unknown: of every picture of a named family, by heads that saw no picture of that family,
            nor of its sources.
        views: how many views the head was trained on.
    """

    head: FamilyHead
    held_out: Named
    unknown: Named
    views: int


def transformer_of(checkpoint: Checkpoint) -> int:
    """Position of the member that can name families; raises CheckpointError without one."""
    archs = [member.arch for member in checkpoint.config.members]
    if transformer.ARCH not in archs:
        raise CheckpointError(
            f"{checkpoint.source} has no member that can name families, only {', '.join(archs)}. "
            "Pass --weights with a checkpoint of `--recipe transformer`."
        )
    return archs.index(transformer.ARCH)


def fit(
    recipe: FamiliesRecipe, checkpoint: Checkpoint, splits: Splits, output: Path, ai_index: int
) -> FittedFamilies:
    """Trains a head on the AI pictures of the training set that have a family.

    Args:
        recipe: the choices.
        checkpoint: loaded.
        splits: with "train" and a manifest.
        output: folder that holds `features/`, which a second run goes on from.
        ai_index: position of the AI class.

    Raises:
        CheckpointError: the checkpoint has no transformer, or its answers are no numbers.
        DataError: there are too few families, or too few sources of one.
    """
    position = transformer_of(checkpoint)
    network = checkpoint.members[position].network
    assert isinstance(network, TransformerNetwork)
    tower = checkpoint.folder / checkpoint.config.members[position].files[0]
    labels = _labels(splits, ai_index)
    _check(labels, recipe.folds)
    kept = [sample for sample in splits.sets["train"] if sample.path in labels]
    found = token_features.by_source(splits, kept, recipe.per_source, recipe.seed)
    log.info("%d sources, %d pictures", len(found), sum(len(s.samples) for s in found))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    parts = token_features.compute(
        network.to(device),
        found,
        output / "features",
        copies=recipe.copies,
        seed=recipe.seed,
        mark=sha256(tower),
    )
    views = _gather(list(parts), {path: family for path, (family, _) in labels.items()})
    network.to("cpu")
    return fit_views(recipe, views)


def fit_views(recipe: FamiliesRecipe, views: FamilyViews) -> FittedFamilies:
    """Trains a head, and those that hold sources or families out.

    All share the components, which are found without a look at the families.
    """
    projection, seen = _projected(views.features, recipe.seed)
    held_out, unknown = cross_fitted(seen, views, recipe), without_its_family(seen, views, recipe)
    every = np.ones(len(views.family), bool)
    head = projection.head(*_regression(seen, views, recipe, every))
    return FittedFamilies(head, held_out, unknown, len(views.family))


@dataclass(frozen=True)
class _Projection:
    """From features [N, 7680] to D components: standardised, then turned."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    components: Floats

    def head(self, rows: Floats, biases: Floats) -> FamilyHead:
        """The head that does both at once, rounded to what its file keeps."""
        head = FamilyHead(len(self.mean), len(rows))
        head.mean, head.std = torch.from_numpy(self.mean), torch.from_numpy(self.std)
        with torch.no_grad():
            head.fc.weight.copy_(torch.from_numpy(rows @ self.components).half())
            head.fc.bias.copy_(torch.from_numpy(biases))
        return head.eval().requires_grad_(False)


def _projected(features: Tensor, seed: int) -> tuple[_Projection, Floats]:
    found = features.float().numpy()
    mean = found.mean(axis=0)
    std = np.maximum(found.std(axis=0), 1e-4)
    found = (found - mean) / std
    most = min(COMPONENTS, *found.shape)
    components = PCA(most, svd_solver="randomized", iterated_power=2, random_state=seed)
    components.fit(found)  # the standardised features have no mean of their own left
    turned = np.asarray(components.components_, np.float64)
    return _Projection(mean, std, turned), found @ turned.T


def _labels(splits: Splits, ai_index: int) -> dict[Path, tuple[str, str]]:
    """Family and source of every AI picture for which the manifest names a family."""
    samples = [s for s in splits.sets.get("train", []) if s.label == ai_index]
    found = {}
    for sample, row in zip(samples, manifest_rows(samples, splits.root), strict=True):
        if family := row.get(COLUMN, "").strip():
            source = row.get("set") or sample.path.parent.as_posix()
            found[sample.path] = (family, source)
    return found


def _check(labels: dict[Path, tuple[str, str]], folds: int) -> None:
    """Raises DataError where families cannot be told apart on sources that are held out."""
    sources: dict[str, set[str]] = {}
    for family, source in labels.values():
        sources.setdefault(family, set()).add(source)
    few = [f"{name} ({len(found)})" for name, found in sources.items() if len(found) < folds]
    if few or len(sources) < 2:
        reason = f"too few sources of {', '.join(sorted(few))}" if few else "fewer than two"
        raise DataError(
            f"The families of the training pictures cannot be learned: {reason}. Name two families "
            f"or more in the column `{COLUMN}` of manifest.csv, each with pictures from {folds} "
            f"sources or more (column `set`); call those that are too few `{OTHER}`."
        )


def _gather(
    parts: Sequence[tuple[token_features.Source, token_features.Tensors, list[LeftOut]]],
    families: dict[Path, str],
) -> FamilyViews:
    names = tuple(sorted(set(families.values()), key=lambda name: (name == OTHER, name)))
    left_out: list[LeftOut] = []
    columns: list[tuple[Numbers, ...]] = []
    pictures = 0
    for number, (source, tensors, lost) in enumerate(parts):
        left_out += lost
        own = np.array([names.index(families[sample.path]) for sample in source.samples])
        place, condition = tensors["picture"].numpy(), tensors["condition"].numpy()
        key = place * len(token_features.CONDITIONS) + condition + pictures
        pictures += len(own) * len(token_features.CONDITIONS)
        columns.append((own[place], np.full(len(place), number), key, condition))
    warn_left_out(left_out, sum(len(source.samples) for source, _, _ in parts))
    used = [tensors["features"] for _, tensors, _ in parts if len(tensors["picture"])]
    if not used:
        raise DataError("None of the pictures with a family can be used.")
    family, source_, picture, condition = map(np.concatenate, zip(*columns, strict=True))
    clean = condition == token_features.CONDITIONS.index("clean")
    return FamilyViews(torch.cat(used), names, family, source_, picture, clean)


def _regression(
    seen: Floats, views: FamilyViews, recipe: FamiliesRecipe, chosen: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """A row per family and its bias, trained on the chosen views; -inf for families not among them.

    Args:
        seen: components of N views, [N, D].
        views: what is known of them.
        recipe: the choices.
        chosen: which to train on, [N].
    """
    model = LogisticRegression(C=recipe.strength, max_iter=STEPS, tol=1e-3)
    weight = _weights(views.source[chosen], views.family[chosen])
    model.fit(seen[chosen], views.family[chosen], sample_weight=weight)
    rows, biases = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps the second's alone
        rows, biases = np.stack([-rows[0], rows[0]]) / 2, np.array([-biases[0], biases[0]]) / 2
    every = np.zeros((len(views.names), seen.shape[1])), np.full(len(views.names), -np.inf)
    every[0][model.classes_], every[1][model.classes_] = rows, biases
    return every


def _weights(source: Numbers, family: Numbers) -> Floats:
    """Of N views, summing to 1: sources of a family weigh alike, families by the root of theirs."""
    key = source * (int(family.max()) + 1) + family
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    weight = 1 / counts[inverse]
    weight /= np.sqrt(np.bincount(family, weight))[family]
    return np.asarray(weight / weight.sum())


def cross_fitted(seen: Floats, views: FamilyViews, recipe: FamiliesRecipe) -> Named:
    """What is said of every picture by heads that saw no picture of its source."""
    logits = np.zeros((len(views.family), len(views.names)))
    dealer = StratifiedGroupKFold(recipe.folds, shuffle=True, random_state=recipe.seed)
    for number, (_, held) in enumerate(dealer.split(seen, views.family, views.source)):
        chosen = np.ones(len(views.family), bool)
        chosen[held] = False
        rows, biases = _regression(seen, views, recipe, chosen)
        logits[held] = seen[held] @ rows.T + biases
        log.info("fold %d of %d: %d views held out", number + 1, recipe.folds, len(held))
    return by_picture(views, logits)


def without_its_family(seen: Floats, views: FamilyViews, recipe: FamiliesRecipe) -> Named:
    """What is said of every picture of a named family by heads that were not taught it.

    Nor did they see the sources that such pictures come from.
    """
    logits = np.zeros((len(views.family), len(views.names)))
    for number, name in enumerate(views.names):
        own = views.family == number
        chosen = ~np.isin(views.source, views.source[own])
        if name == OTHER or len(np.unique(views.family[chosen])) < 2:
            continue
        rows, biases = _regression(seen, views, recipe, chosen)
        logits[own] = seen[own] @ rows.T + biases
        log.info("without %s: %d views", name, own.sum())
    found = by_picture(views, logits)
    return found.take(np.asarray(np.isneginf(found.logits).any(axis=1)))


def by_picture(views: FamilyViews, logits: NDArray[np.float64]) -> Named:
    """Means of logits [N, families] over the views of each picture under each condition."""
    _, first, inverse = np.unique(views.picture, return_index=True, return_inverse=True)
    means = np.zeros((len(first), len(views.names)))
    np.add.at(means, inverse, logits)
    means /= np.bincount(inverse)[:, None]
    own = (views.family[first], views.source[first], views.clean[first])
    return Named(views.names, means, *own)
