"""Pictures held as squares of uint8, in memory or on a GPU, and given in whole batches."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from realitycheck.data.batches import NUMBERS, BatchTransform, Pictures, to_device
from realitycheck.data.dataset import Draw, read_each
from realitycheck.data.samples import Sample

# One version of a picture, a square of at most the side of a plan, by a generator's numbers.
Cut = Callable[[Image.Image, torch.Generator], Image.Image]


@dataclass(frozen=True)
class Plan:
    """What is kept of every picture.

    Attributes:
        cuts: one for each version.
        side: of the squares, px.
    """

    cuts: tuple[Cut, ...]
    side: int

    def bytes(self, pictures: int) -> int:
        """What the squares of so many pictures take."""
        return pictures * len(self.cuts) * 3 * self.side**2


class PixelSet(Dataset[tuple[Tensor, Tensor]]):
    """Samples as squares that are cut once, given as batches `([N, 3, H, W], labels)`.

    Args:
        samples: files and labels; each is decoded once.
        plan: what is kept of them.
        seed: of what is random about the squares.
        place: where they are kept.
        device: where batches are made and given.

    Attributes:
        transform: from squares to a batch; may be replaced between epochs.
        soft_labels: probabilities [M, classes] to give in place of the labels; None for these.

    Raises:
        DataError: of some class, none of the pictures can be used.
    """

    transform: BatchTransform

    def __init__(
        self,
        samples: list[Sample],
        plan: Plan,
        seed: int,
        place: torch.device,
        device: torch.device,
    ) -> None:
        self._squares = torch.zeros(
            (len(samples), len(plan.cuts), plan.side, plan.side, 3),
            dtype=torch.uint8,
            device=place,
        )

        def keep(row: int, image: Image.Image) -> int:
            mixed = np.random.SeedSequence((seed, row)).generate_state(1, np.uint64)
            generator = torch.Generator().manual_seed(int(mixed[0]))
            for version, cut in enumerate(plan.cuts):
                pixels = torch.from_numpy(np.array(cut(image, generator)))
                self._squares[row, version, : pixels.shape[0], : pixels.shape[1]] = pixels
            return row

        kept = read_each(samples, keep)
        self.samples = [sample for sample, _ in kept]
        self._rows = [row for _, row in kept]
        self._device = device
        self.soft_labels: Tensor | None = None

    @property
    def labels(self) -> list[int]:
        """Class index of every sample."""
        return [sample.label for sample in self.samples]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        """A batch of pictures; how it is augmented depends on the seeds of `Draw`s alone."""
        generator = torch.Generator()
        numbers = torch.zeros((len(indices), NUMBERS))
        for row, index in zip(numbers, indices, strict=True):
            if isinstance(index, Draw):
                row.uniform_(generator=generator.manual_seed(index.seed))
        rows = [self._rows[index] for index in indices]
        if self.soft_labels is None:
            labels = torch.tensor([self.samples[index].label for index in indices])
        else:
            labels = self.soft_labels[indices]
        batch = self.transform(Pictures(self._squares, rows, numbers, self._device))
        return batch, to_device(labels, self._device)
