"""Recipe `committee`: a transformer and a second witness.

What each counts for can only be told where neither has seen the source. The transformer's head is
fitted in folds of sources anyway; the second network, which takes hours, is trained once, on all
sources but those of the first fold, and both are asked about these.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from accelerate import Accelerator
from torch import nn

from realitycheck.committee import members as networks
from realitycheck.committee.committee import Member
from realitycheck.committee.stack import Stack
from realitycheck.committee.transformer import TransformerNetwork
from realitycheck.config import Config, MemberConfig
from realitycheck.data.manifest import source_names
from realitycheck.data.samples import Sample, Splits
from realitycheck.training import run, token_features, transformer_run
from realitycheck.training.recipe import Recipe
from realitycheck.training.transformer_run import Fitted, TransformerRecipe


@dataclass(frozen=True)
class Both:
    """A trained committee.

    Attributes:
        transformer: the first member, with a head that was trained on every source.
        second: the other network, in eval mode; it saw no picture of the fold.
        history: of its run, one row per epoch.
        held_out: pictures of the fold.
    """

    transformer: Fitted
    second: nn.Module
    history: list[dict[str, float]]
    held_out: list[Sample]

    @property
    def networks(self) -> Sequence[nn.Module]:
        """The members' networks, on the CPU."""
        return self.transformer.network.cpu(), self.second.cpu()

    def blind(self, config: Config) -> list[Member]:
        """The committee with a transformer's head that has not seen the fold either.

        Args:
            config: of the committee.
        """
        first = TransformerNetwork(self.transformer.network.tower, self.transformer.fold.head)
        return [
            networks.wrap(member.name, member.arch, member.preprocessing, network)
            for member, network in zip(config.members, (first, self.second), strict=True)
        ]


class Parted(NamedTuple):
    """Pictures of a training set, parted by whether their source is held out."""

    splits: Splits
    held_out: list[Sample]


def without(splits: Splits, sources: frozenset[str]) -> Parted:
    """Takes the sources of a fold out of the training set.

    Args:
        splits: with "train".
        sources: their names, each after its class's, as `token_features.sources` has them.
    """
    samples = splits["train"]
    names = source_names(samples, splits.root)
    out = [
        f"{splits.classes[sample.label]}/{name}" in sources
        for sample, name in zip(samples, names, strict=True)
    ]
    kept = [sample for sample, held in zip(samples, out, strict=True) if not held]
    held_out = [sample for sample, held in zip(samples, out, strict=True) if held]
    return Parted(replace(splits, sets={**splits.sets, "train": kept}), held_out)


def fit(
    first: TransformerRecipe,
    second: Recipe,
    splits: Splits,
    output: Path,
    accelerator: Accelerator,
    ai_index: int,
    **options: Any,
) -> Both:
    """Trains both members.

    Args:
        first: the transformer's choices.
        second: the other network's.
        splits: with "train" and "val".
        output: folder of the transformer's features and of the other's run.
        accelerator: see `run.fit`.
        ai_index: position of the AI class.
        options: further ones of `run.fit`; the features are gone on with in any case.

    Raises:
        RealityCheckError: as `transformer_run.fit` and `run.fit`.
    """
    fitted = transformer_run.fit(first, splits, output, ai_index)
    parted = without(splits, fitted.fold.sources)
    network, history = run.fit(second, parted.splits, output, accelerator, **options)
    asked = token_features.by_source(splits, parted.held_out, first.per_source, first.seed)
    return Both(fitted, network, history, [sample for source in asked for sample in source.samples])


def config_of(second: Recipe, splits: Splits, ai_class: str, version: str) -> Config:
    """The committee's configuration before calibration.

    Args:
        second: the choices of the second network.
        splits: whose classes it tells apart.
        ai_class: name of the AI class.
        version: of the weights.
    """
    file = f"{second.arch}.safetensors"
    other = MemberConfig(second.arch, second.arch, second.preprocessing, (file,))
    members, alike = (transformer_run.MEMBER, other), Stack((0.5, 0.5))
    return Config(tuple(splits.classes), ai_class, members, alike, version=version)
