"""Folders of real and AI pictures as training, validation and test sets."""

import csv
import hashlib
import logging
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, Sampler

from realitycheck import images
from realitycheck.errors import DataError, PictureError

SPLITS = ("train", "val", "test")
SPLIT_SHARES = (0.8, 0.1, 0.1)
AI_NAMES = ("ai", "fake", "generated", "synthetic")
MANIFEST = "manifest.csv"
NEAR = 4  # perceptual hashes that differ in so many of 64 bits or fewer are near duplicates
BAND = 13  # bits: NEAR + 1 bands of these cover a hash

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """One picture of a set: its file and its class index."""

    path: Path
    label: int


@dataclass(frozen=True)
class Splits:
    """The sets found in a folder.

    Attributes:
        root: the folder.
        classes: class names, sorted; a sample's label is the position in this list.
        sets: split name ("train", "val", "test", ...) to its samples.
    """

    root: Path
    classes: list[str]
    sets: dict[str, list[Sample]]

    def __getitem__(self, name: str) -> list[Sample]:
        """The samples of a split.

        Raises:
            DataError: the folder has no such split, or a class is empty in it.
        """
        samples = self.sets.get(name, [])
        absent = [c for i, c in enumerate(self.classes) if all(s.label != i for s in samples)]
        if absent:
            raise DataError(
                f"{self.root} has no {name} pictures of {' or '.join(absent)}. "
                f"Sets found: {', '.join(self.sets)}."
            )
        return samples


def find(root: str | Path, seed: int = 0) -> Splits:
    """Finds the sets in a folder.

    Args:
        root: holds `train`, `val`, `test` (and any other split) folders of class folders, or
            class folders only. The latter are split 80/10/10, exact and near duplicates kept
            on one side.
        seed: of the random split.

    Raises:
        DataError: no such folder, fewer than two classes, or splits with different classes.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"There is no folder {root}. Pass the folder that holds your pictures.")
    names = _folders(root)
    if set(names) & set(SPLITS):
        classes = _classes(root / ("train" if "train" in names else names[0]))
        sets = {name: _samples(root / name, classes) for name in names}
    else:
        classes = _classes(root)
        sets = split(_samples(root, classes), seed)
    return Splits(root, classes, sets)


def ai_class(classes: list[str], name: str | None = None) -> str:
    """Which class means "made by an AI".

    Args:
        classes: class names.
        name: the caller's choice; None to recognise a usual name.

    Raises:
        DataError: `name` is no class, or no usual name is among them.
    """
    if name is None:
        name = next((c for c in classes if c.lower() in AI_NAMES), None)
    if name not in classes:
        raise DataError(
            f"Which of the classes {classes} is made by an AI? Say so with --ai-class NAME, or "
            'name the folders "ai" and "real".'
        )
    return name


def _folders(root: Path) -> list[str]:
    return sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _classes(root: Path) -> list[str]:
    classes = _folders(root)
    if len(classes) < 2:
        found = f"only {classes[0]!r}" if classes else "none"
        raise DataError(
            f"{root} needs one folder of pictures per class, such as ai/ and real/; found {found}."
        )
    return classes


def _samples(folder: Path, classes: list[str]) -> list[Sample]:
    found = _folders(folder)
    if found != classes:
        raise DataError(f"{folder} has the class folders {found}, but {classes} are expected.")
    return [
        Sample(path, label)
        for label, name in enumerate(classes)
        for path in picture_files(folder / name)
    ]


def picture_files(folder: Path) -> list[Path]:
    """Files under a folder whose suffix is a picture's, sorted."""
    return sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in images.SUFFIXES and not p.name.startswith(".") and p.is_file()
    )


# --- splitting ----------------------------------------------------------------------------


def split(samples: list[Sample], seed: int = 0) -> dict[str, list[Sample]]:
    """Splits samples 80/10/10 within each class; duplicates stay together.

    Unreadable pictures are left out, with a warning that counts them.

    Raises:
        DataError: too few pictures to give every split one of each class.
    """
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(_perceptual_hash, samples))
    readable = [(s, h) for s, h in zip(samples, hashes, strict=True) if h is not None]
    warn_unreadable(len(samples) - len(readable), len(samples))
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


def _deal(groups: dict[int, list[Sample]], sets: dict[str, list[Sample]], rng) -> None:
    total = sum(map(len, groups.values()))
    order = list(groups.values())
    rng.shuffle(order)
    dealt = dict.fromkeys(SPLITS, 0)
    for group in order:
        # To the split that is furthest below its share.
        name = max(SPLITS, key=lambda n: SPLIT_SHARES[SPLITS.index(n)] - dealt[n] / max(total, 1))
        dealt[name] += len(group)
        sets[name] += group


def _perceptual_hash(sample: Sample) -> int | None:
    import imagehash

    try:
        picture = images.read(sample.path)
    except PictureError:
        return None
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


def warn_unreadable(count: int, total: int) -> None:
    """Logs how many of `total` pictures could not be read, if any."""
    if count:
        log.warning("%d of %d pictures could not be read and are left out.", count, total)


# --- sets for the loader ------------------------------------------------------------------


class PictureSet(Dataset):
    """Samples as `(tensor [3, H, W], label)`, decoded once while they fit in memory.

    Args:
        samples: files and labels.
        transform: from an RGB image to a tensor; may be replaced between epochs.
        memory: bytes of decoded pixels to keep; later pictures are decoded at each use.

    Raises:
        DataError: of some class, none of the pictures can be read.
    """

    def __init__(self, samples: list[Sample], transform: Callable, memory: int = 8 * 2**30) -> None:
        self.transform = transform
        with ThreadPoolExecutor() as pool:
            kept = list(pool.map(_Budget(memory), samples))
        readable = [(s, k) for s, k in zip(samples, kept, strict=True) if k is not None]
        warn_unreadable(len(samples) - len(readable), len(samples))
        lost = {s.label: s.path.parent for s in samples}
        for sample, _ in readable:
            lost.pop(sample.label, None)
        if lost or not readable:
            folders = " or ".join(map(str, lost.values()))
            raise DataError(f"None of the pictures in {folders} could be read. Check the files.")
        self.samples = [s for s, _ in readable]
        self._pixels = [k for _, k in readable]

    @property
    def labels(self) -> list[int]:
        """Class index of every sample."""
        return [sample.label for sample in self.samples]

    def image(self, index: int) -> Image.Image:
        """The upright RGB image of a sample."""
        pixels = self._pixels[index]
        if isinstance(pixels, np.ndarray):
            return Image.fromarray(pixels)
        return images.read(self.samples[index].path).image

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.image(index)), self.samples[index].label


class _Budget:
    """Reads a sample: its pixels while memory lasts, then True; None if unreadable."""

    def __init__(self, memory: int) -> None:
        self.left = memory

    def __call__(self, sample: Sample) -> np.ndarray | bool | None:
        try:
            pixels = np.asarray(images.read(sample.path).image)
        except PictureError as error:
            log.debug("%s: %s", sample.path, error)
            return None
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


# --- what is known about each picture ------------------------------------------------------


def read_manifest(root: Path) -> dict[str, dict[str, str]]:
    """Rows of the folder's `manifest.csv` by file name relative to it; {} without one.

    Raises:
        DataError: the manifest has no column `file`.
    """
    path = root / MANIFEST
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if rows and "file" not in rows[0]:
        raise DataError(f'{path} needs a column "file". Add it or remove the manifest.')
    return {row["file"]: row for row in rows}


def manifest_rows(samples: list[Sample], root: Path) -> list[dict[str, str]]:
    """The manifest's row of each sample; {} for one that it does not name."""
    rows = read_manifest(root)
    return [rows.get(sample.path.relative_to(root).as_posix(), {}) for sample in samples]


def sources(splits: Splits) -> list[dict[str, Any]]:
    """Where the training and validation pictures come from, as the folder's manifest says.

    Returns:
        A row per class and `set` of the manifest: "class", "set", "pictures", and "source" and
        "licence", the values of its columns `source_repo` and `licence`, "" where it has none.
        [] without a manifest.
    """
    samples = [*splits.sets.get("train", []), *splits.sets.get("val", [])]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for sample, row in zip(samples, manifest_rows(samples, splits.root), strict=True):
        if not row.get("set"):
            continue
        label = splits.classes[sample.label]
        entry = found.setdefault(
            (label, row["set"]),
            {
                "class": label,
                "set": row["set"],
                "pictures": 0,
                "source": row.get("source_repo") or "",
                "licence": row.get("licence") or "",
            },
        )
        entry["pictures"] += 1
    return [found[key] for key in sorted(found)]


def by_column(splits: Splits, column: str) -> Splits:
    """The training and validation sets with finer classes, such as each picture's source.

    Naming its source asks more of a network than calling a picture AI or real, so its backbone
    gets more to learn from every picture.

    Args:
        splits: with "train" and "val".
        column: of the folder's `manifest.csv`; a class is a class of `splits` with a value.

    Returns:
        The same pictures under finer classes; those of a class that either set lacks, or that
        the manifest does not name, are left out.

    Raises:
        DataError: no manifest, no such column, or fewer than two classes remain.
    """
    rows = read_manifest(splits.root)
    if not rows or column not in next(iter(rows.values())):
        raise DataError(f'{splits.root} needs a {MANIFEST} with a column "{column}".')
    named = {}
    for name in ("train", "val"):
        named[name] = [
            (sample, f"{splits.classes[sample.label]}/{row[column]}")
            for sample in splits[name]
            if (row := rows.get(sample.path.relative_to(splits.root).as_posix())) and row[column]
        ]
    classes = sorted(set.intersection(*({fine for _, fine in part} for part in named.values())))
    if len(classes) < 2:
        raise DataError(f'The column "{column}" tells fewer than two kinds of picture apart.')
    labels = {fine: label for label, fine in enumerate(classes)}
    sets = {
        name: [Sample(sample.path, labels[fine]) for sample, fine in part if fine in labels]
        for name, part in named.items()
    }
    return Splits(splits.root, classes, sets)


def fingerprint(samples: list[Sample], root: Path) -> str:
    """A short hash of which files a set holds, to tell sets apart in records."""
    names = "\n".join(sorted(str(s.path.relative_to(root)) for s in samples))
    return hashlib.sha256(names.encode()).hexdigest()[:12]
