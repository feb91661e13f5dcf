"""What a loader reads: decoded pictures with their labels, and the order of an epoch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, Sampler

from realitycheck.data.augment import Transform
from realitycheck.data.left_out import LeftOut, warn_left_out
from realitycheck.data.samples import Sample, check_classes
from realitycheck.errors import PictureError
from realitycheck.images import borders


class PictureSet(Dataset[tuple[torch.Tensor, int]]):
    """Samples as `(tensor [3, H, W], label)`, decoded once while they fit in memory.

    Args:
        samples: files and labels.
        transform: from an RGB image to a tensor; may be replaced between epochs.
        memory: bytes of decoded pixels to keep; later pictures are decoded at each use.

    Raises:
        DataError: of some class, none of the pictures can be used.
    """

    def __init__(
        self, samples: list[Sample], transform: Transform, memory: int = 8 * 2**30
    ) -> None:
        self.transform = transform
        with ThreadPoolExecutor() as pool:
            kept = list(pool.map(_Budget(memory), samples))
        left_out = [k for k in kept if isinstance(k, LeftOut)]
        warn_left_out(left_out, len(samples))
        readable = [
            (s, k) for s, k in zip(samples, kept, strict=True) if not isinstance(k, LeftOut)
        ]
        self.samples = [s for s, _ in readable]
        check_classes(samples, self.samples, left_out)
        self._pixels = [k for _, k in readable]

    @property
    def labels(self) -> list[int]:
        """Class index of every sample."""
        return [sample.label for sample in self.samples]

    def image(self, index: int) -> Image.Image:
        """The upright RGB image of a sample, without bars of one colour around it."""
        pixels = self._pixels[index]
        if isinstance(pixels, np.ndarray):
            return Image.fromarray(pixels)
        picture = self.samples[index].read()
        if isinstance(picture, LeftOut):
            raise PictureError(f"{picture.path} can no longer be read: {picture.why}")
        return borders.without(picture.image)  # as the detector's views are cut

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.image(index)), self.samples[index].label


class _Budget:
    """Reads a sample: its pixels while memory lasts, then True; why not if unreadable."""

    def __init__(self, memory: int) -> None:
        self.left = memory

    def __call__(self, sample: Sample) -> np.ndarray | bool | LeftOut:
        picture = sample.read()
        if isinstance(picture, LeftOut):
            return picture
        pixels = np.asarray(borders.without(picture.image))
        if pixels.nbytes > self.left:
            return True
        self.left -= pixels.nbytes
        return pixels


class EpochSampler(Sampler[int]):
    """A shuffled epoch that depends on the seed and the epoch's number alone.

    So every process of a distributed run draws the same order, and a resumed run continues
    with the order it would have had.

    Args:
        labels: class index of every sample.
        seed: of the shuffles.
        balanced: draw every class equally often, with replacement within rare ones.
    """

    def __init__(self, labels: list[int], seed: int, balanced: bool) -> None:
        self.labels = torch.tensor(labels)
        self.seed, self.balanced, self.epoch = seed, balanced, 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses which epoch's order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        if not self.balanced:
            yield from torch.randperm(len(self.labels), generator=generator).tolist()
            return
        classes = self.labels.unique().tolist()
        share = -(-len(self) // len(classes))
        chosen = [self._draw(label, share, generator) for label in classes]
        mixed = torch.cat(chosen)[torch.randperm(share * len(classes), generator=generator)]
        yield from mixed[: len(self)].tolist()

    def _draw(self, label: int, count: int, generator: torch.Generator) -> torch.Tensor:
        members = (self.labels == label).nonzero()[:, 0]
        rounds = -(-count // len(members))
        orders = [torch.randperm(len(members), generator=generator) for _ in range(rounds)]
        return members[torch.cat(orders)[:count]]
