"""Finds the sets in a folder."""

from pathlib import Path

from realitycheck import images
from realitycheck.data.samples import Sample, Splits
from realitycheck.data.splitting import SPLITS, split
from realitycheck.errors import DataError

AI_NAMES = ("ai", "fake", "generated", "synthetic")


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
