"""Trains the transformer's head on cached features of its frozen tower.

New sources help far more than more pictures of one source, so pictures are drawn by source:
within a class every source is drawn as often as any other.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from realitycheck.committee.transformer import TokenHead
from realitycheck.data.dataset import source_shares
from realitycheck.errors import RealityCheckError
from realitycheck.training.recipe import MAX_LR

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeadRecipe:
    """Every choice of a head's training.

    Attributes:
        hidden: units of each network.
        networks: how many are averaged, each from a seed of its own.
        steps: batches per network.
        batch_size: views per batch.
        lr: peak learning rate of AdamW, which falls to zero on a cosine.
        weight_decay: of the matrices.
        dropout: probability that a hidden unit is dropped while training, in [0, 1).
        label_smoothing: of the labels, in [0, 1).
        power: sources weigh as n ** (1 + power) in all, n being their views.
        folds: parts that whole sources are dealt to, for scores that nothing was trained on.
        seed: of weights, order and folds.
    """

    hidden: int = 192
    networks: int = 4
    steps: int = 900
    batch_size: int = 256
    lr: float = 7e-4
    weight_decay: float = 0.1
    dropout: float = 0.5
    label_smoothing: float = 0.05
    power: float = -1.0
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.hidden, self.networks, self.steps, self.batch_size) < 1 or self.folds < 2:
            raise RealityCheckError(
                "--hidden, --networks, --steps and --batch-size must be 1 or more."
            )
        if not 0 < self.lr <= MAX_LR or not 0 <= self.weight_decay < math.inf:
            raise RealityCheckError(
                f"--lr must be above 0 and at most {MAX_LR}, and --weight-decay 0 or more."
            )
        if not 0 <= self.dropout < 1 or not 0 <= self.label_smoothing < 1:
            raise RealityCheckError(
                "--dropout and --label-smoothing must be at least 0 and below 1."
            )


@dataclass(frozen=True)
class TokenViews:
    """Features of N views of pictures, and what is known of each.

    Attributes:
        features: class tokens and patch means of the tower, float16 [N, 7680].
        is_ai: whether the picture is AI-made, [N].
        source: number of the picture's source, [N].
        picture: number of the picture, [N].
        condition: number of the condition that it was seen under, [N].
        weight: how much it counts beside the picture's other views, [N].
    """

    features: Tensor
    is_ai: NDArray[np.bool_]
    source: NDArray[np.int64]
    picture: NDArray[np.int64]
    condition: NDArray[np.int64]
    weight: NDArray[np.float32]

    def take(self, chosen: NDArray[np.bool_]) -> "TokenViews":
        """The views of a mask [N]."""
        return TokenViews(
            self.features[torch.from_numpy(np.flatnonzero(chosen))],
            self.is_ai[chosen],
            self.source[chosen],
            self.picture[chosen],
            self.condition[chosen],
            self.weight[chosen],
        )


def train_head(views: TokenViews, recipe: HeadRecipe, ai_index: int) -> TokenHead:
    """Trains a head.

    Args:
        views: to train on.
        recipe: the choices.
        ai_index: position of the AI class among the logits.

    Returns:
        The head in eval mode.

    Raises:
        RealityCheckError: its weights are no longer numbers.
    """
    inputs = views.features.shape[1]
    head = TokenHead([(inputs, recipe.hidden)] * recipe.networks, ai_index)
    drawn = source_shares(views.is_ai, views.source, recipe.power)
    head.mean, head.std = _moments(views.features, drawn, recipe)
    labels = torch.from_numpy(views.is_ai).float()
    for position, network in enumerate(head.children()):
        generator = torch.Generator().manual_seed(recipe.seed * 1_009 + position)
        _fit(network, head, views.features, labels, drawn, recipe, generator)
    if not all(bool(tensor.isfinite().all()) for tensor in head.state_dict().values()):
        raise RealityCheckError(
            "The head's weights are no longer numbers, so nothing is kept: train it again with a "
            f"lower --lr (such as {recipe.lr / 4:.1g}); the features of the pictures are there."
        )
    return head.eval().requires_grad_(False)


def _moments(features: Tensor, drawn: Tensor, recipe: HeadRecipe) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the features as training draws them."""
    generator = torch.Generator().manual_seed(recipe.seed)
    chosen = torch.multinomial(drawn, min(8192, 4 * len(drawn)), True, generator=generator)
    sample = features[chosen].float()
    return sample.mean(dim=0), sample.std(dim=0).clamp_min(1e-4)


def _fit(
    network: nn.Module,
    head: TokenHead,
    features: Tensor,
    labels: Tensor,
    drawn: Tensor,
    recipe: HeadRecipe,
    generator: torch.Generator,
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        for layer in network.children():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
    groups: list[dict[str, Any]] = [
        {"params": [p for p in network.parameters() if p.ndim > 1]},
        {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    loss_fn = nn.BCEWithLogitsLoss()
    order = torch.multinomial(drawn, recipe.steps * recipe.batch_size, True, generator=generator)
    for batch in order.split(recipe.batch_size):
        scaled = (features[batch].float() - head.mean) / head.std
        smoothed = labels[batch] * (1 - recipe.label_smoothing) + recipe.label_smoothing / 2
        kept = torch.rand((len(batch), recipe.hidden), generator=generator) >= recipe.dropout
        optimizer.zero_grad(set_to_none=True)
        loss_fn(network(scaled, kept), smoothed).backward()
        optimizer.step()
        scheduler.step()


def deal_folds(
    source: NDArray[np.int64], is_ai: NDArray[np.bool_], recipe: HeadRecipe
) -> Iterator[NDArray[np.bool_]]:
    """Masks [N] of the views of each fold: whole sources, both classes in each."""
    rng = np.random.default_rng(recipe.seed)
    fold = np.zeros(int(source.max()) + 1, np.int64)
    mixed = {s for s in np.unique(source) if len(set(is_ai[source == s])) == 2}
    for side in (True, False):
        names = [s for s in np.unique(source[is_ai == side]) if side or s not in mixed]
        rng.shuffle(names)
        for position, name in enumerate(names):
            fold[name] = position % recipe.folds
    for number in range(recipe.folds):
        yield fold[source] == number


@torch.inference_mode()
def leads(head: TokenHead, features: Tensor) -> NDArray[np.float64]:
    """The head's leads on views, [N]."""
    logits = torch.cat([head(part.float()) for part in features.split(4096)])
    ahead = logits[:, head.ai_index] - logits[:, 1 - head.ai_index]
    return ahead.double().numpy()


def cross_fitted(
    views: TokenViews, recipe: HeadRecipe, ai_index: int
) -> tuple[NDArray[np.float64], TokenHead, NDArray[np.int64]]:
    """Asks about every view a head that saw no picture of its source.

    Returns:
        Their leads, [N]; the first fold's head, and the numbers of the sources that it did not see.
    """
    found = np.zeros(len(views.source))
    heads, held_out = [], []
    for number, fold in enumerate(deal_folds(views.source, views.is_ai, recipe)):
        heads.append(train_head(views.take(~fold), recipe, ai_index))
        held_out.append(np.unique(views.source[fold]))
        found[fold] = leads(heads[-1], views.features[torch.from_numpy(np.flatnonzero(fold))])
        log.info("fold %d of %d: %d views held out", number + 1, recipe.folds, fold.sum())
    return found, heads[0], held_out[0]
