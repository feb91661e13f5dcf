"""Splits pictures at random, copies of one picture on one side."""

import logging
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from realitycheck.data.left_out import LeftOut, none_left, warn_left_out
from realitycheck.data.samples import Sample, Splits, check_classes

log = logging.getLogger(__name__)

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
WITHOUT_VAL = {"train": 0.9, "val": 0.1}  # of a training set that comes with a test set alone
NEAR = 4  # perceptual hashes that differ in so many of 64 bits or fewer are near duplicates
BAND = 13  # bits: NEAR + 1 bands of these cover a hash


def split(
    samples: list[Sample], seed: int = 0, shares: Mapping[str, float] = SHARES
) -> dict[str, list[Sample]]:
    """Splits samples within each class, by default 80/10/10; duplicates stay together.

    Pictures that cannot be used are left out, with a warning that names them.

    Args:
        samples: of all classes.
        seed: of the shuffles.
        shares: name of each set to its share.

    Raises:
        DataError: too few pictures to give every split one of each class.
    """
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(_perceptual_hash, samples))
    left_out = [h for h in hashes if isinstance(h, LeftOut)]
    warn_left_out(left_out, len(samples))
    readable = [(s, h) for s, h in zip(samples, hashes, strict=True) if isinstance(h, int)]
    check_classes(samples, [s for s, _ in readable], left_out)
    groups = _group([h for _, h in readable])
    sets: dict[str, list[Sample]] = {name: [] for name in shares}
    for label in sorted({s.label for s, _ in readable}):
        members: dict[int, list[Sample]] = {}
        for (sample, _), group in zip(readable, groups, strict=True):
            # A group goes where its first member's class puts it, all classes together.
            if readable[group][0].label == label:
                members.setdefault(group, []).append(sample)
        _deal(members, sets, random.Random(f"{seed}:{label}"), shares)
    labels = {s.label for s, _ in readable}
    for name, part in sets.items():
        if {s.label for s in part} != labels:
            raise none_left(
                f"{len(readable)} pictures are too few for a {name} set with every class, which "
                "takes at least ten different ones of each",
                left_out,
                len(samples),
            )
    return sets


def with_validation(splits: Splits, seed: int) -> Splits:
    """The same sets; a tenth of the training set becomes the validation set if there is none.

    Raises:
        DataError: the training pictures are too few for that.
    """
    if splits.sets.get("val") or not splits.sets.get("train"):
        return splits
    log.info("%s has no validation set: it becomes a tenth of the training set.", splits.root)
    return replace(splits, sets={**splits.sets, **split(splits["train"], seed, WITHOUT_VAL)})


def _deal(
    groups: dict[int, list[Sample]],
    sets: dict[str, list[Sample]],
    rng: random.Random,
    shares: Mapping[str, float],
) -> None:
    total = sum(map(len, groups.values()))
    order = list(groups.values())
    rng.shuffle(order)
    dealt = dict.fromkeys(shares, 0)
    for group in order:
        # To the split that is furthest below its share.
        name = max(shares, key=lambda n: shares[n] - dealt[n] / max(total, 1))
        dealt[name] += len(group)
        sets[name] += group


def _perceptual_hash(sample: Sample) -> int | LeftOut:
    import imagehash

    picture = sample.read()
    if isinstance(picture, LeftOut):
        return picture
    return int(str(imagehash.phash(picture.image)), 16)


def _group(hashes: list[int]) -> list[int]:
    """For each hash, the index of the first one it is linked to by near duplicates.

    Two hashes that differ in at most 4 bits share at least one of five bands of bits, so only
    hashes that share a band are compared.
    """
    parent = list(range(len(hashes)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first_with: dict[int, int] = {}
    bands: dict[tuple[int, int], list[int]] = {}
    for i, value in enumerate(hashes):
        if value in first_with:
            parent[i] = root(first_with[value])
            continue
        first_with[value] = i
        for band in range(NEAR + 1):
            near = bands.setdefault((band, value >> (BAND * band) & (1 << BAND) - 1), [])
            for j in near:
                if (hashes[j] ^ value).bit_count() <= NEAR:
                    a, b = sorted((root(i), root(j)))
                    parent[b] = a
            near.append(i)
    return [root(i) for i in range(len(hashes))]
