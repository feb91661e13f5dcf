"""What a loader reads: decoded pictures with their labels, and the order of an epoch."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch.utils.data import Dataset, Sampler

from realitycheck.data.augment import Transform
from realitycheck.data.left_out import LeftOut, warn_left_out
from realitycheck.data.samples import Sample, check_classes
from realitycheck.errors import PictureError
from realitycheck.images import borders

T = TypeVar("T")


class Draw(int):
    """A picture of a set as it is drawn in an epoch: its index, and the seed of its augmentation.

    With the seed, a draw gives the same tensor in whichever process it is made.

    Attributes:
        seed: of the random numbers, in [0, 2**62).
    """

    seed: int

    def __new__(cls, index: int, seed: int) -> "Draw":
        """A draw of a picture."""
        draw = super().__new__(cls, index)
        draw.seed = seed
        return draw

    def __getnewargs__(self) -> tuple[int, int]:  # type: ignore[override]
        return int(self), self.seed


def draws(indices: Iterable[int], generator: torch.Generator) -> list[Draw]:
    """Draws of pictures in an order, with seeds from a generator."""
    order = list(indices)
    seeds = torch.randint(2**62, (len(order),), generator=generator).tolist()
    return [Draw(index, seed) for index, seed in zip(order, seeds, strict=True)]


def read_each(
    samples: list[Sample], keep: Callable[[int, Image.Image], T]
) -> list[tuple[Sample, T]]:
    """Decodes pictures once, several at a time, and gives those that can be used, in order.

    Args:
        samples: files and labels.
        keep: what is kept of a picture, from its place in `samples` and its upright RGB image
            without bars of one colour around it; called in threads.

    Raises:
        DataError: of some class, none of the pictures can be used.
    """

    def read(numbered: tuple[int, Sample]) -> tuple[Sample, T] | LeftOut:
        place, sample = numbered
        picture = sample.read()
        if isinstance(picture, LeftOut):
            return picture
        return sample, keep(place, borders.without(picture.image))

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(read, enumerate(samples)))
    left_out = [f for f in found if isinstance(f, LeftOut)]
    warn_left_out(left_out, len(samples))
    kept = [f for f in found if not isinstance(f, LeftOut)]
    check_classes(samples, [sample for sample, _ in kept], left_out)
    return kept


class PictureSet(Dataset[tuple[torch.Tensor, int | torch.Tensor]]):
    """Samples as `(tensor [3, H, W], label)`, decoded once while they fit in memory.

    Args:
        samples: files and labels.
        transform: from an RGB image to a tensor; may be replaced between epochs.
        memory: bytes of decoded pixels to keep; later pictures are decoded at each use.

    Attributes:
        soft_labels: probabilities [N, classes] to give in place of the labels; None for these.

    Raises:
        DataError: of some class, none of the pictures can be used.
    """

    def __init__(
        self, samples: list[Sample], transform: Transform, memory: int = 8 * 2**30
    ) -> None:
        self.transform = transform
        self.soft_labels: torch.Tensor | None = None
        kept = read_each(samples, _Budget(memory))
        self.samples = [sample for sample, _ in kept]
        self._pixels = [pixels for _, pixels in kept]

    @property
    def labels(self) -> list[int]:
        """Class index of every sample."""
        return [sample.label for sample in self.samples]

    def image(self, index: int) -> Image.Image:
        """The upright RGB image of a sample, without bars of one colour around it."""
        pixels = self._pixels[index]
        if pixels is not None:
            return Image.fromarray(pixels)
        picture = self.samples[index].read()
        if isinstance(picture, LeftOut):
            raise PictureError(f"{picture.path} can no longer be read: {picture.why}")
        return borders.without(picture.image)  # as the detector's views are cut

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int | torch.Tensor]:
        image, soft = self.image(index), self.soft_labels
        label = self.samples[index].label if soft is None else soft[index]
        if not isinstance(index, Draw):
            return self.transform(image), label
        with torch.random.fork_rng(devices=()):  # this process draws other numbers too
            torch.default_generator.manual_seed(index.seed)
            return self.transform(image), label


class _Budget:
    """Keeps pictures' pixels while memory lasts, then None."""

    def __init__(self, memory: int) -> None:
        self.left = memory

    def __call__(self, place: int, image: Image.Image) -> np.ndarray | None:
        pixels = np.asarray(image)
        if pixels.nbytes > self.left:
            return None
        self.left -= pixels.nbytes
        return pixels


class EpochSampler(Sampler[int]):
    """A shuffled epoch of `Draw`s that depends on the seed and the epoch's number alone.

    So every process of a distributed run draws the same order and augmentation, and a resumed run
    continues with those it would have had.

    Args:
        labels: class index of every sample.
        seed: of the shuffles.
        balanced: draw every class equally often, with replacement within rare ones.
        sources: of every sample; then, balanced too, pictures are drawn by the root of their
            source's size, with replacement.
    """

    def __init__(
        self, labels: list[int], seed: int, balanced: bool, sources: list[str] | None = None
    ) -> None:
        self.labels = torch.tensor(labels)
        self.seed, self.balanced, self.epoch = seed, balanced, 0
        self._shares = None if sources is None else source_shares(labels, sources, -0.5)

    def set_epoch(self, epoch: int) -> None:
        """Chooses which epoch's order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        yield from draws(self._order(generator), generator)

    def _order(self, generator: torch.Generator) -> list[int]:
        order: list[int]
        if self._shares is not None:
            order = torch.multinomial(
                self._shares, len(self), replacement=True, generator=generator
            ).tolist()
            return order
        if not self.balanced:
            order = torch.randperm(len(self.labels), generator=generator).tolist()
            return order
        classes = self.labels.unique().tolist()
        share = -(-len(self) // len(classes))
        chosen = [self._draw(label, share, generator) for label in classes]
        mixed = torch.cat(chosen)[torch.randperm(share * len(classes), generator=generator)]
        order = mixed[: len(self)].tolist()
        return order

    def _draw(self, label: int, count: int, generator: torch.Generator) -> torch.Tensor:
        members = (self.labels == label).nonzero()[:, 0]
        rounds = -(-count // len(members))
        orders = [torch.randperm(len(members), generator=generator) for _ in range(rounds)]
        return members[torch.cat(orders)[:count]]


def source_shares(labels: ArrayLike, sources: ArrayLike, power: float) -> torch.Tensor:
    """How often each of N samples is drawn, [N]: classes alike, sources by their size.

    Args:
        labels: its class, [N].
        sources: number or name of its source, [N]; that of another class is another one.
        power: sources weigh as n ** (1 + power) in all, n being their samples of a class.
    """
    label = np.asarray(labels).astype(np.int64)
    _, source = np.unique(np.asarray(sources), return_inverse=True)
    key = source * (label.max() + 1) + label
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    share = counts[inverse].astype(np.float64) ** power
    for name in np.unique(label):
        share[label == name] /= share[label == name].sum()
    return torch.from_numpy(share)
