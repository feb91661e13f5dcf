"""Splits pictures at random, copies of one picture on one side."""

import random
from concurrent.futures import ThreadPoolExecutor

from realitycheck import images
from realitycheck.data.layout import SPLITS
from realitycheck.data.samples import LeftOut, Sample, warn_left_out
from realitycheck.errors import DataError, PictureError

SPLIT_SHARES = (0.8, 0.1, 0.1)
NEAR = 4  # perceptual hashes that differ in so many of 64 bits or fewer are near duplicates
BAND = 13  # bits: NEAR + 1 bands of these cover a hash


def split(samples: list[Sample], seed: int = 0) -> dict[str, list[Sample]]:
    """Splits samples 80/10/10 within each class; duplicates stay together.

    Unreadable pictures are left out, with a warning that names them.

    Raises:
        DataError: too few pictures to give every split one of each class.
    """
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(_perceptual_hash, samples))
    warn_left_out([h for h in hashes if isinstance(h, LeftOut)], len(samples))
    readable = [(s, h) for s, h in zip(samples, hashes, strict=True) if isinstance(h, int)]
    groups = _group([h for _, h in readable])
    sets: dict[str, list[Sample]] = {name: [] for name in SPLITS}
    for label in sorted({s.label for s, _ in readable}):
        members: dict[int, list[Sample]] = {}
        for (sample, _), group in zip(readable, groups, strict=True):
            # A group goes where its first member's class puts it, all classes together.
            if readable[group][0].label == label:
                members.setdefault(group, []).append(sample)
        _deal(members, sets, random.Random(f"{seed}:{label}"))
    labels = {s.label for s, _ in readable}
    for name, part in sets.items():
        if {s.label for s in part} != labels:
            raise DataError(
                f"{len(readable)} readable pictures are too few for a {name} set with every class. "
                "Give at least ten different pictures of each."
            )
    return sets


def _deal(
    groups: dict[int, list[Sample]], sets: dict[str, list[Sample]], rng: random.Random
) -> None:
    total = sum(map(len, groups.values()))
    order = list(groups.values())
    rng.shuffle(order)
    dealt = dict.fromkeys(SPLITS, 0)
    for group in order:
        # To the split that is furthest below its share.
        name = max(SPLITS, key=lambda n: SPLIT_SHARES[SPLITS.index(n)] - dealt[n] / max(total, 1))
        dealt[name] += len(group)
        sets[name] += group


def _perceptual_hash(sample: Sample) -> int | LeftOut:
    import imagehash

    try:
        picture = images.read(sample.path)
    except PictureError as error:
        return LeftOut(sample.path, str(error))
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
