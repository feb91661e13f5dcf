"""Finds the sets in a folder, and the pictures in any folder."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from realitycheck import images
from realitycheck.data.layout import SPLITS, is_hidden, is_no_data, meaning, split_name
from realitycheck.data.left_out import SMALLEST, LeftOut, warn_left_out
from realitycheck.data.manifest import read_manifest
from realitycheck.data.samples import Sample, Splits
from realitycheck.data.splitting import split, with_validation
from realitycheck.errors import DataError
from realitycheck.files import encodable

log = logging.getLogger(__name__)

SMALL = (
    "Pictures from {} px on are let in. What is smaller than a view is enlarged or mirrored, which "
    "adds no evidence: such figures say nothing of larger pictures, and `scan` and `serve` go on "
    "refusing any below {} px."
)
NAMES_THAT_WORK = "Name the folders train, val and test, and in each of them ai and real"


def find(
    root: str | Path,
    seed: int = 0,
    wanted: Sequence[str] | None = None,
    *,
    min_side: int = images.MIN_SIDE,
    validation: bool = False,
) -> Splits:
    """Finds the sets in a folder.

    Names of folders are taken by meaning: `Training/` is train, `valid/` is val. The manifest
    and all names are checked before any picture is read.

    Args:
        root: holds `train`, `val`, `test` (and any other split) folders of class folders, or
            class folders only. The latter are split 80/10/10, exact and near duplicates kept
            on one side.
        seed: of the random split.
        wanted: a checkpoint's classes, which the class folders must mean; they keep their order.
        min_side: px that a picture's short side must have.
        validation: make a validation set of a tenth of the training set where there is none.

    Raises:
        DataError: no such folder, fewer than two classes, splits with different classes, classes
            other than `wanted`, a manifest that cannot be read, or a `min_side` of nearly nothing.
    """
    root = Path(root)
    if min_side < SMALLEST:
        raise DataError(f"--min-side must be {SMALLEST} px or more, not {min_side}.")
    if not root.is_dir():
        raise DataError(f"There is no folder {root}. Pass the folder that holds your pictures.")
    read_manifest(root)
    classes, sets = _layout(root, wanted)
    left_out: list[LeftOut] = []
    found = {name: _samples(folders, left_out, min_side) for name, folders in sets.items()}
    warn_left_out(left_out, sum(map(len, found.values())) + len(left_out))
    if min_side < images.MIN_SIDE:
        log.warning(SMALL.format(min_side, images.MIN_SIDE))
    splits = Splits(root, classes, found if "" not in found else split(found[""], seed))
    return with_validation(splits, seed) if validation else splits


def class_names(root: str | Path) -> list[str]:
    """The classes that `find` would find, without a look at any picture.

    Raises:
        DataError: as `find`.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"There is no folder {root}. Pass the folder that holds your pictures.")
    return _layout(root, None)[0]


def ai_class(classes: list[str], name: str | None = None) -> str:
    """Which class means "made by an AI".

    Args:
        classes: class names.
        name: the caller's choice; None to recognise a usual name.

    Raises:
        DataError: `name` is no class, or not exactly one of them says that it is AI.
    """
    if name is None:
        found = [c for c in classes if meaning(c) == "ai"]
    else:
        name = encodable(name)
        found = [c for c in classes if c == name] or [
            c for c in classes if c.casefold() == name.casefold()
        ]
    if len(found) != 1:
        raise DataError(
            f"Which of the classes {classes} is made by an AI? Say so with --ai-class NAME, or "
            'name the folders "ai" and "real".'
        )
    return found[0]


def inner_folders(path: Path, root: Path, class_name: str) -> tuple[str, ...]:
    """The folders between a sample's class folder and its file.

    Args:
        path: of the sample.
        root: of its set.
        class_name: of its class, as in `Splits.classes`.
    """
    parts = path.relative_to(root).parts[:-1]
    is_split = len(parts) > 1 and not _same(parts[0], class_name) and _same(parts[1], class_name)
    return parts[2 if is_split else 1 :]


def picture_files(folder: Path, also: tuple[str, ...] = ()) -> tuple[list[Path], list[LeftOut]]:
    """The pictures under a folder, by suffix, or by content where the suffix says nothing.

    Linked folders are followed, as torchvision's `ImageFolder` does, each real folder once.
    Hidden folders and those of systems are not looked into, unless `folder` is one.

    Args:
        folder: to look into.
        also: suffixes of other files that are wanted, in small letters.

    Returns:
        The files, sorted; and what cannot be looked at: links to nothing, closed folders.
    """
    files: list[Path] = []
    left_out: list[LeftOut] = []
    again: list[Path] = []
    # A link to a folder above would lead back here, and into the folders of other classes.
    seen = {(s.st_dev, s.st_ino) for s in map(os.stat, folder.resolve().parents)}
    plain, linked = [folder], list[Path]()
    while plain or linked:
        # Real folders first, so that a picture is found under its own name, not a link's.
        here = plain.pop() if plain else linked.pop(0)
        try:
            status, entries = here.stat(), sorted(os.scandir(here), key=lambda e: e.name)
        except OSError as error:
            why = f"This folder cannot be opened: {error.strerror}. Check its permissions."
            left_out.append(LeftOut(here, why))
            continue
        if (status.st_dev, status.st_ino) in seen:
            again.append(here)
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            path = here / entry.name
            if os.path.isdir(path):
                if not is_no_data(entry.name):
                    (linked if entry.is_symlink() else plain).append(path)
            elif not is_hidden(entry.name):
                _sort_in(path, files, left_out, also)
    if again:
        log.warning(
            "%d linked folders lead to folders that are looked into anyway and are not followed: "
            "%s",
            len(again),
            ", ".join(encodable(str(path)) for path in again[:10]) + (", ..." * (len(again) > 10)),
        )
    return sorted(files), sorted(left_out, key=lambda left: left.path)


def _sort_in(path: Path, files: list[Path], left_out: list[LeftOut], also: tuple[str, ...]) -> None:
    by_name = path.suffix.lower() in images.SUFFIXES or path.name.lower().endswith(also)
    if os.path.isfile(path):
        if by_name or _begins_as_picture(path):
            files.append(path)
    elif os.path.islink(path):
        if by_name or not path.suffix:
            why = f"This is a link to {os.readlink(path)}, which is not there."
            left_out.append(LeftOut(path, why))
    elif by_name:
        left_out.append(LeftOut(path, "This is not a regular file, or it cannot be looked at."))


def _begins_as_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return images.begins_as_picture(file.read(32), tiff=not path.suffix)
    except OSError:
        return False


def _layout(
    root: Path, wanted: Sequence[str] | None
) -> tuple[list[str], dict[str, list[tuple[int, Path]]]]:
    """Class names, and for each set its class folders with their labels; one set "" if bare."""
    names = _folders(root)
    splits: dict[str, str] = {}
    for name in names:
        known = split_name(name)
        if known in splits:
            raise DataError(
                f"{root} has both {splits[known]} and {name} for the {known} set. Move their "
                "pictures into one of them."
            )
        splits[known or name] = name
    if not set(splits) & set(SPLITS):
        _check_bare(root, names)
        found = _classes(root)
        classes = list(wanted or map(encodable, found))
        return classes, {"": _labelled(root, found, classes, by_meaning=bool(wanted))}
    first = root / splits["train" if "train" in splits else next(iter(splits))]
    classes = list(wanted or map(encodable, _classes(first)))
    folders = {encodable(split): root / name for split, name in splits.items()}
    return classes, {
        split: _labelled(folder, _folders(folder), classes, by_meaning=bool(wanted))
        for split, folder in folders.items()
    }


def _folders(root: Path) -> list[str]:
    return sorted(p.name for p in root.iterdir() if p.is_dir() and not is_no_data(p.name))


def _check_bare(root: Path, names: list[str]) -> None:
    """Raises DataError where what looks like classes are sets, or a folder around them."""
    inside = {name: _folders(root / name) for name in names}
    if len(names) == 1:
        inner = inside[names[0]]
        if any(map(split_name, inner)) or any(meaning(name) == "ai" for name in inner):
            raise DataError(f"The sets are one folder deeper. Pass {root / names[0]}.")
        return
    if names and all(any(meaning(c) == "ai" for c in inner) for inner in inside.values()):
        shown = ", ".join(map(encodable, names))
        raise DataError(
            f"{root} has the folders {shown}, and each has classes of its own, which makes them "
            f"sets. {NAMES_THAT_WORK}."
        )


def _classes(root: Path) -> list[str]:
    classes = _folders(root)
    if len(classes) < 2:
        found = f"only {classes[0]!r}" if classes else "none"
        raise DataError(
            f"{root} needs one folder of pictures per class, such as ai/ and real/; found {found}. "
            f"Where your sets are split: {NAMES_THAT_WORK[0].lower()}{NAMES_THAT_WORK[1:]}."
        )
    if len({name.casefold() for name in classes}) < len(classes):
        raise DataError(f"Of the class folders {classes} in {root} some differ only in case.")
    return classes


def _labelled(
    folder: Path, found: list[str], classes: list[str], by_meaning: bool
) -> list[tuple[int, Path]]:
    """The class folders of a set with their labels, in the order of the labels."""
    placed: dict[int, Path] = {}
    for name in found:
        exact = [i for i, c in enumerate(classes) if c.casefold() == encodable(name).casefold()]
        labels = exact or [i for i, c in enumerate(classes) if by_meaning and _same(name, c)]
        if len(labels) == 1 and labels[0] not in placed:
            placed[labels[0]] = folder / name
    if len(placed) != len(classes) or len(found) != len(classes):
        shown = list(map(encodable, found))
        raise DataError(
            f"{folder} has the class folders {shown}, but {classes} are expected. Rename the "
            "class folders."
        )
    return sorted(placed.items())


def _same(folder: str, class_name: str) -> bool:
    """Whether a folder's name and a class's are the same, or mean the same."""
    named = encodable(folder)
    same = meaning(named) == meaning(class_name) != ""
    return bool(named.casefold() == class_name.casefold() or same)


def _samples(
    folders: list[tuple[int, Path]], left_out: list[LeftOut], min_side: int
) -> list[Sample]:
    samples = []
    for label, folder in folders:
        files, lost = picture_files(folder)
        samples += [Sample(path, label, min_side) for path in files]
        left_out += lost
    return samples
