"""Runs a committee over a set of pictures, exactly as the detector does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from realitycheck.committee import stack
from realitycheck.committee.abstention import Caveat, decide, image_caveats
from realitycheck.committee.committee import Look, Member, look, score
from realitycheck.config import Config
from realitycheck.data import loading
from realitycheck.data.left_out import LeftOut, warn_left_out
from realitycheck.data.samples import Sample, check_classes
from realitycheck.engines.choice import with_pytorch
from realitycheck.errors import CheckpointError, DataError
from realitycheck.evaluation import conditions
from realitycheck.evaluation.fairness import Traits, traits_of
from realitycheck.images import borders

Item = tuple[int, Look, tuple[Caveat, ...], Traits]


class _Looks(Dataset[Item | LeftOut]):
    """Pictures as the committee's views of them under a condition.

    An item is `(position, views, caveats, traits)`, or why a picture cannot be used.
    """

    def __init__(
        self, samples: list[Sample], condition: str, config: Config, quick: bool = False
    ) -> None:
        self.samples, self.condition, self.config = samples, condition, config
        self.quick = quick

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> Item | LeftOut:
        sample = self.samples[position]
        picture = sample.read()
        if isinstance(picture, LeftOut):
            return picture
        is_ai = sample.label == self.config.ai_index
        image = conditions.apply(self.condition, picture.image, is_ai=is_ai)
        # What a file says of its compression is no longer true of a changed picture.
        file = picture.data if self.condition == "clean" else None
        within = borders.inside(image)
        caveats = tuple(image_caveats(image, file, self.config.side, within))
        views = look(image, self.config.preprocessings, within, quick=self.quick)
        return position, views, caveats, traits_of(picture)


@dataclass(frozen=True)
class Outputs:
    """What a committee of M members said about N pictures, before calibration.

    Attributes:
        samples: the pictures that could be read.
        logits: of each picture, M tensors [V, classes].
        caveats: what each picture itself gives reason to doubt.
        traits: what each shows of itself, before it was changed.
        shares: how much each view counts, of each picture M tensors [V, 1]; empty for all alike.
    """

    samples: list[Sample]
    logits: list[tuple[Tensor, ...]]
    caveats: list[tuple[Caveat, ...]]
    traits: list[Traits] = field(default_factory=list)
    shares: list[tuple[Tensor, ...]] = field(default_factory=list)

    def leads(self, ai_index: int) -> NDArray[np.float64]:
        """The members' leads on each picture, [N, M]."""
        rows = [stack.picture_leads(said, ai_index, by).numpy() for said, by in self._said()]
        return np.stack(rows).astype(np.float64)

    def p_ai(self, config: Config) -> NDArray[np.float64]:
        """Calibrated AI probabilities, [N]."""
        return np.array([self._judged(config, *said)[0] for said in self._said()])

    def verdicts(self, config: Config) -> NDArray[np.str_]:
        """What the detector would say of each, [N]."""
        return np.array(
            [
                decide(*self._judged(config, *said), caveats, config.abstention).verdict
                for said, caveats in zip(self._said(), self.caveats, strict=True)
            ]
        )

    def _said(self) -> Iterator[tuple[tuple[Tensor, ...], tuple[Tensor, ...] | None]]:
        """Each picture's logits and shares."""
        return zip(self.logits, self.shares or repeat(None), strict=False)

    @staticmethod
    def _judged(
        config: Config, logits: Sequence[Tensor], shares: Sequence[Tensor] | None
    ) -> tuple[float, list[float]]:
        judged = stack.judge(config.stack, logits, config.ai_index, shares)
        return judged.p_ai, judged.parts


@loading.worker_errors()
def run_committee(
    members: Sequence[Member],
    config: Config,
    samples: list[Sample],
    condition: str = "clean",
    *,
    workers: int = 1,
    batch_size: int = 32,
    quick: bool = False,
) -> Outputs:
    """Runs a committee on each picture's views.

    Args:
        members: of the committee; PyTorch runs those without an engine.
        config: of its checkpoint.
        samples: the pictures.
        condition: see `conditions.apply`; applied to each picture first.
        workers: loader processes.
        batch_size: pictures per batch.
        quick: look at them as the quick mode does.

    Returns:
        What it said, on the CPU.

    Raises:
        DataError: the pictures that can be used are all of one class.
        CheckpointError: what the networks say are no numbers.
        RealityCheckError: a loader's process was lost.
    """
    looks = _Looks(samples, condition, config, quick)
    loader = loading.make_loader(looks, batch_size, workers, collate_fn=list)
    running = [with_pytorch(member) for member in members]
    kept: list[Sample] = []
    logits: list[tuple[Tensor, ...]] = []
    shares: list[tuple[Tensor, ...]] = []
    caveats: list[tuple[Caveat, ...]] = []
    traits: list[Traits] = []
    left_out: list[LeftOut] = []
    for batch in tqdm(loader, desc=condition, leave=False, disable=None):
        readable = [item for item in batch if not isinstance(item, LeftOut)]
        left_out += [item for item in batch if isinstance(item, LeftOut)]
        if not readable:
            continue
        scored = score(running, [views for _, views, _, _ in readable])
        logits += [part.logits for part in scored]
        shares += [part.shares for part in scored]
        kept += [samples[position] for position, _, _, _ in readable]
        caveats += [reasons for _, _, reasons, _ in readable]
        traits += [shown for _, _, _, shown in readable]
    warn_left_out(left_out, len(samples))
    check_classes(samples, kept, left_out)
    if len({sample.label for sample in kept}) < 2:
        raise DataError("Measuring needs pictures of every class; these are all of one.")
    _check_numbers(logits)
    return Outputs(kept, logits, caveats, traits, shares)


def _check_numbers(logits: list[tuple[Tensor, ...]]) -> None:
    broken = sum(not all(views.isfinite().all() for views in picture) for picture in logits)
    if broken:
        raise CheckpointError(
            f"What the networks say of {broken} of {len(logits)} pictures are no numbers: the "
            "weights are damaged, or their training went astray. Fetch them again, or train again "
            "with a lower --lr or --precision fp32."
        )


def is_ai(samples: list[Sample], config: Config) -> NDArray[np.bool_]:
    """Which of N samples are AI-made, [N]."""
    return np.array([sample.label == config.ai_index for sample in samples])
