"""Runs a committee over a set of pictures, exactly as the detector does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from realitycheck import images
from realitycheck.committee import stack
from realitycheck.committee.abstention import Caveat, decide, image_caveats
from realitycheck.committee.committee import Look, Member, look, score
from realitycheck.config import Config
from realitycheck.data.samples import Sample, warn_unreadable
from realitycheck.engines.pytorch import with_engine
from realitycheck.errors import DataError, PictureError
from realitycheck.evaluation import conditions

Item = tuple[int, Look, tuple[Caveat, ...]]


class _Looks(Dataset[Item | None]):
    """Pictures as the committee's views of them under a condition.

    An item is `(position, views, caveats)`, or None for a picture that cannot be read.
    """

    def __init__(self, samples: list[Sample], condition: str, config: Config) -> None:
        self.samples, self.condition, self.config = samples, condition, config

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> Item | None:
        sample = self.samples[position]
        try:
            picture = images.read(sample.path)
        except PictureError:
            return None
        is_ai = sample.label == self.config.ai_index
        image = conditions.apply(self.condition, picture.image, is_ai=is_ai)
        # What a file says of its compression is no longer true of a changed picture.
        file = picture.data if self.condition == "clean" else None
        caveats = tuple(image_caveats(image, file, self.config.side))
        return position, look(image, self.config.preprocessings), caveats


@dataclass(frozen=True)
class Outputs:
    """What a committee of M members said about N pictures, before calibration.

    Attributes:
        samples: the pictures that could be read.
        logits: of each picture, M tensors [V, classes].
        caveats: what each picture itself gives reason to doubt.
    """

    samples: list[Sample]
    logits: list[tuple[Tensor, ...]]
    caveats: list[tuple[Caveat, ...]]

    def leads(self, ai_index: int) -> NDArray[np.float64]:
        """The members' leads on each picture, [N, M]."""
        rows = [stack.picture_leads(logits, ai_index).numpy() for logits in self.logits]
        return np.stack(rows).astype(np.float64)

    def p_ai(self, config: Config) -> NDArray[np.float64]:
        """Calibrated AI probabilities, [N]."""
        return np.array([self._judged(config, logits)[0] for logits in self.logits])

    def verdicts(self, config: Config) -> NDArray[np.str_]:
        """What the detector would say of each, [N]."""
        return np.array(
            [
                decide(*self._judged(config, logits), caveats, config.abstention).verdict
                for logits, caveats in zip(self.logits, self.caveats, strict=True)
            ]
        )

    @staticmethod
    def _judged(config: Config, logits: Sequence[Tensor]) -> tuple[float, list[float]]:
        return stack.judge(config.stack, logits, config.ai_index)


def run_committee(
    members: Sequence[Member],
    config: Config,
    samples: list[Sample],
    condition: str = "clean",
    *,
    workers: int = 1,
    batch_size: int = 32,
) -> Outputs:
    """Runs a committee on each picture's views.

    Args:
        members: of the committee.
        config: of its checkpoint.
        samples: the pictures.
        condition: see `conditions.apply`; applied to each picture first.
        workers: loader processes.
        batch_size: pictures per batch.

    Returns:
        What it said, on the CPU.

    Raises:
        DataError: the readable pictures are all of one class.
    """
    loader = DataLoader(
        _Looks(samples, condition, config), batch_size, num_workers=workers, collate_fn=list
    )
    running = [with_engine(member) for member in members]
    kept: list[Sample] = []
    logits: list[tuple[Tensor, ...]] = []
    caveats: list[tuple[Caveat, ...]] = []
    for batch in tqdm(loader, desc=condition, leave=False, disable=None):
        readable = [item for item in batch if item is not None]
        if not readable:
            continue
        logits += [part.logits for part in score(running, [views for _, views, _ in readable])]
        kept += [samples[position] for position, _, _ in readable]
        caveats += [reasons for _, _, reasons in readable]
    warn_unreadable(len(samples) - len(kept), len(samples))
    if len({sample.label for sample in kept}) < 2:
        raise DataError("Measuring needs readable pictures of every class. Check the files.")
    return Outputs(kept, logits, caveats)


def is_ai(samples: list[Sample], config: Config) -> NDArray[np.bool_]:
    """Which of N samples are AI-made, [N]."""
    return np.array([sample.label == config.ai_index for sample in samples])
