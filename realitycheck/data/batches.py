"""From cached squares to what the network sees: whole batches, changed on the device they are for.

The changes are torchvision's. It changes a whole batch alike, so pictures that are to be changed
alike, by one of a few steps between two ends, are changed together: no picture's random numbers
depend on the batch it comes in, and a GPU is given few, large jobs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from realitycheck.committee.views import Preprocessing
from realitycheck.data import augment

NUMBERS = 13  # random numbers for a picture
STEPS = 9  # between the ends of a change
MARGIN = 1.25  # sides of a crop that a cached square has


@dataclass(frozen=True)
class Pictures:
    """The pictures of a batch.

    Attributes:
        squares: of the whole set, uint8 [M, V, S, S, 3]: V versions of each of M pictures.
        rows: which of the M, for each of N in the batch.
        numbers: in [0, 1), what is random about each, [N, NUMBERS] on the CPU.
        device: for the result.
    """

    squares: Tensor
    rows: list[int]
    numbers: Tensor
    device: torch.device

    def cut(self, versions: list[int], lefts: list[int], tops: list[int], side: int) -> Tensor:
        """A square of each, uint8 [N, 3, side, side] on the device."""
        parts = [
            self.squares[row, version, top : top + side, left : left + side]
            for row, version, left, top in zip(self.rows, versions, lefts, tops, strict=True)
        ]
        # Behind one another as networks in `channels_last` want them.
        return to_device(torch.stack(parts), self.device).permute(0, 3, 1, 2)


BatchTransform = Callable[[Pictures], Tensor]
_Change = Callable[[Tensor, int], Tensor]  # of pictures, by a step


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Values on a device; on a GPU without waiting for what it is doing."""
    if device.type != "cuda" or values.is_cuda:
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def resaved_versions(versions: int, strength: float) -> int:
    """How many of a picture's cached versions, of several, are surely re-saved: the last ones."""
    share = augment.chance(augment.RESAVED, strength)
    return versions if share == 1 else min(versions - 1, math.ceil(versions * share))


class TrainingBatch:
    """The full recipe's augmentation of cached squares: crops, flips, turns, colour and blur.

    What was rescaled and re-saved was so beforehand. A re-saved version is drawn as often as
    `augment.training_view` saves a picture anew.

    Args:
        size: side of a training crop in pixels.
        preprocessing: gives mean and std.
        strength: see `augment.training_view`.
    """

    def __init__(self, size: int, preprocessing: Preprocessing, strength: float = 1.0) -> None:
        self.size, self.preprocessing, self.strength = size, preprocessing, strength

    def __call__(self, pictures: Pictures) -> Tensor:
        """The batch, float [N, 3, size, size]."""
        which, x, y, flip, turned, turn, jittered, *factors, blurred, sigma = pictures.numbers.T
        # Half of every crop or more is picture, if it comes from no wider a square than this.
        room = min(pictures.squares.shape[2], round(MARGIN * self.size))
        start = (pictures.squares.shape[2] - room) // 2
        lefts, tops = (start + _step(places, room - self.size + 1) for places in (x, y))
        batch = pictures.cut(
            self._versions(which, pictures.squares.shape[1]).tolist(),
            *(lefts.tolist(), tops.tolist(), self.size),
        )
        _alike(batch, _only(_step(flip, 2), flip >= 0.5), lambda few, _: tv.horizontal_flip(few))
        turns = self._sometimes(augment.TURNED, turned, _step(turn, 3))
        _alike(batch, turns, lambda few, step: torch.rot90(few, step + 1, (2, 3)))
        batch = tv.to_dtype(batch, torch.float32, scale=True)
        changes = (
            (tv.adjust_brightness, 1.0, augment.JITTER["brightness"]),
            (tv.adjust_contrast, 1.0, augment.JITTER["contrast"]),
            (tv.adjust_saturation, 1.0, augment.JITTER["saturation"]),
            (tv.adjust_hue, 0.0, augment.JITTER["hue"]),
        )
        for (change, middle, reach), factor in zip(changes, factors, strict=True):
            steps = self._sometimes(augment.JITTERED, jittered, _step(factor, STEPS))
            _alike(batch, steps, _by(change, middle - reach, middle + reach))
        steps = self._sometimes(augment.BLURRED, blurred, _step(sigma, STEPS))
        _alike(batch, steps, _by(_blur, *augment.BLUR_SIGMA))
        return _normalised(batch, self.preprocessing)

    def _versions(self, which: Tensor, versions: int) -> Tensor:
        share = augment.chance(augment.RESAVED, self.strength)
        resaved = resaved_versions(versions, self.strength)
        if resaved in (0, versions):
            return _step(which, versions)
        untouched = versions - resaved
        return torch.where(
            which < share,
            untouched + _step(which / share, resaved),
            _step((which - share) / (1 - share), untouched),
        )

    def _sometimes(self, share: float, number: Tensor, steps: Tensor) -> Tensor:
        return _only(steps, number < augment.chance(share, self.strength))


class PaperBatch:
    """The paper's rotation and flip of cached squares, which are as large as the network's view."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        self.preprocessing = preprocessing

    def __call__(self, pictures: Pictures) -> Tensor:
        """The batch, float [N, 3, size, size]."""
        which, angle, flip = pictures.numbers.T[:3]
        versions = _step(which, pictures.squares.shape[1])
        nowhere = [0] * len(pictures.rows)
        batch = pictures.cut(versions.tolist(), nowhere, nowhere, self.preprocessing.size)
        angles = augment.ROTATION * (2 * angle - 1)
        rotated = [tv.rotate(one, a) for one, a in zip(batch, angles.tolist(), strict=True)]
        batch = torch.stack(rotated).contiguous(memory_format=torch.channels_last)
        _alike(batch, _only(_step(flip, 2), flip >= 0.5), lambda few, _: tv.horizontal_flip(few))
        batch = tv.to_dtype(batch, torch.float32, scale=True)
        return _normalised(batch, self.preprocessing)


class PlainBatch:
    """One version of cached squares as it is, such as the middle of pictures at their own scale.

    Args:
        version: which.
        size: its side in pixels; it lies in the upper left corner.
        preprocessing: gives mean and std.
    """

    def __init__(self, version: int, size: int, preprocessing: Preprocessing) -> None:
        self.version, self.size, self.preprocessing = version, size, preprocessing

    def __call__(self, pictures: Pictures) -> Tensor:
        """The batch, float [N, 3, size, size]."""
        nowhere = [0] * len(pictures.rows)
        batch = pictures.cut([self.version] * len(nowhere), nowhere, nowhere, self.size)
        return _normalised(tv.to_dtype(batch, torch.float32, scale=True), self.preprocessing)


def _step(numbers: Tensor, steps: int) -> Tensor:
    """Numbers in [0, 1) as one of so many steps, from 0."""
    return (numbers * steps).long().clamp_(max=steps - 1)


def _only(steps: Tensor, where: Tensor) -> Tensor:
    """Steps where a picture is to be changed, and -1 elsewhere."""
    return torch.where(where, steps, -1)


def _by(change: Callable[[Tensor, float], Tensor], low: float, high: float) -> _Change:
    return lambda few, step: change(few, low + (high - low) * step / (STEPS - 1))


def _alike(batch: Tensor, steps: Tensor, change: _Change) -> None:
    """Changes pictures of a batch in place, those of one step together and those of -1 not.

    Args:
        batch: [N, ...].
        steps: of each picture, [N] on the CPU, so that no GPU is waited for.
        change: from pictures of a step, and the step, to what they become.
    """
    found, counts = steps.unique(return_counts=True)
    order = to_device(steps.argsort(stable=True), batch.device)
    for step, rows in zip(found.tolist(), order.split(counts.tolist()), strict=True):
        if step >= 0:
            batch[rows] = change(batch[rows], step)


def _blur(few: Tensor, sigma: float) -> Tensor:
    return cast(Tensor, tv.gaussian_blur(few, [augment.BLUR_SIDE] * 2, [sigma] * 2))


def _normalised(batch: Tensor, preprocessing: Preprocessing) -> Tensor:
    mean, std = list(preprocessing.mean), list(preprocessing.std)
    return cast(Tensor, tv.normalize(batch, mean, std, inplace=True))
