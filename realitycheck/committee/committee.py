"""The members of a committee, and the one way from pictures to what each member says of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor, nn

from realitycheck.committee.views import (
    Preprocessing,
    View,
    evaluation_views,
    quick_views,
    to_batch,
    view_shares,
)
from realitycheck.images import borders
from realitycheck.images.borders import Box

Look = tuple[list[View], ...]  # the views of one picture, a list per member


@dataclass(frozen=True)
class Member:
    """One network of a committee, in two halves, with everything that is its own.

    Attributes:
        name: within its committee, such as "resnet50".
        preprocessing: how it wants its pictures.
        network: the whole module, whose state dict is its weights.
        backbone: pixels [N, 3, H, W] to features [N, ...].
        head: features to logits [N, classes]; differentiable, so maps can be made of it.
        to_grid: features, or gradients of them, to [N, C, h, w], the layout of a map.
        clip: where a map's cells are longer vectors than this many medians, they are shortened
            to that; None for maps as they are.
        half: its answers stay the same, for all that a verdict shows, when the backbone runs
            in bfloat16.
        exact: of a transformer, which of its backbone's modules must not be rounded to int8, as
            a regular expression of their names; None of other networks.
        engine: what runs the backbone; None for the module itself.
        families: logits of generator families that its head gives after those of the classes.
    """

    name: str
    preprocessing: Preprocessing
    network: nn.Module
    backbone: nn.Module
    head: nn.Module
    to_grid: Callable[[Tensor], Tensor]
    clip: float | None = None
    half: bool = False
    exact: str | None = None
    engine: Callable[[Tensor], Tensor] | None = None
    families: int = 0

    def read(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What the head says of features [N, ...]: logits [N, classes] and [N, families]."""
        said = self.head(features)
        classes = said.shape[1] - self.families
        return said[:, :classes], said[:, classes:]


@dataclass(frozen=True)
class Scored:
    """What a committee of M members says of one picture.

    Attributes:
        views: the views that each member looked at, M lists.
        logits: of each member's views, M tensors [V, classes] on the CPU.
        shares: how much each of them counts, M tensors [V, 1], 1 on average.
        families: logits of generator families of each member's views, M tensors [V, families].
        features: of each member's views, M tensors [V, ...]; empty where they were not kept.
    """

    views: Look
    logits: tuple[Tensor, ...]
    shares: tuple[Tensor, ...]
    families: tuple[Tensor, ...] = ()
    features: tuple[Tensor, ...] = ()


def look(
    image: Image.Image,
    preprocessings: Sequence[Preprocessing],
    within: Box | None = None,
    *,
    quick: bool = False,
) -> Look:
    """The views of a picture for each member, which can be made in another process.

    Args:
        image: upright RGB picture of any size.
        preprocessings: the members', in their order.
        within: of `borders.inside`, where it is known already.
        quick: leave out all but `quick_views`.
    """
    within = within or borders.inside(image)
    found = (evaluation_views(image, preprocessing, within) for preprocessing in preprocessings)
    return tuple(quick_views(views) if quick else views for views in found)


def score(
    members: Sequence[Member], looks: Sequence[Look], *, keep_features: bool = False
) -> list[Scored]:
    """Runs every member on the views of all pictures together.

    Every answer, figure and map begins here: there is no other way from a picture to a verdict.

    Args:
        members: of the committee.
        looks: a `look` per picture.
        keep_features: keep what the backbones returned, for maps.

    Returns:
        What the members say, per picture.
    """
    by_member = [
        _run(member, [views[index] for views in looks], keep_features)
        for index, member in enumerate(members)
    ]
    return [
        Scored(
            views,
            tuple(logits[position] for logits, _, _ in by_member),
            tuple(map(view_shares, views)),
            tuple(families[position] for _, families, _ in by_member),
            tuple(features[position] for _, _, features in by_member) if keep_features else (),
        )
        for position, views in enumerate(looks)
    ]


@torch.inference_mode()
def _run(
    member: Member, parts: list[list[View]], keep_features: bool
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Logits, families' logits and features of one member, split by picture."""
    counts = [len(views) for views in parts]
    pixels = [view.pixels for views in parts for view in views]
    run = member.engine or member.backbone
    features = run(to_batch(pixels, member.preprocessing))
    logits, families = (part.float().cpu().split(counts) for part in member.read(features))
    return logits, families, features.split(counts) if keep_features else ()
