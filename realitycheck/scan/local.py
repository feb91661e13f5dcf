"""Scans files and folders of this machine."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from realitycheck.data.folders import picture_files
from realitycheck.data.left_out import LeftOut
from realitycheck.detector import Detector
from realitycheck.errors import PictureError
from realitycheck.files import atomic_write
from realitycheck.images.overlay import overlay
from realitycheck.prediction import Prediction
from realitycheck.scan import rows
from realitycheck.wording import RAISED


def find(paths: Iterable[Path]) -> tuple[list[Path], list[LeftOut]]:
    """The files that are named, and the pictures in the folders that are named.

    Returns:
        Those, and what was left out in the folders.
    """
    files: list[Path] = []
    left_out: list[LeftOut] = []
    for path in paths:
        if path.is_dir():
            found, lost = picture_files(path)
            files += found
            left_out += lost
        else:
            files.append(path)
    return files, left_out


def scan(
    detector: Detector,
    files: list[Path],
    heatmaps: Path | None = None,
    left_out: Iterable[LeftOut] = (),
) -> Iterator[dict[str, Any]]:
    """Examines files in turn.

    Args:
        detector: that answers.
        files: the pictures.
        heatmaps: folder for a picture of each map; None for none.
        left_out: of `find`.

    Yields:
        A row of `rows` for each file, whether it could be examined or not, and then for each
        that was left out.
    """
    predictions = detector.predict_batch(files, explain=heatmaps is not None)
    for file, prediction in zip(files, predictions, strict=True):
        if isinstance(prediction, PictureError):
            yield rows.failed(str(file), prediction)
            continue
        if heatmaps is not None:
            _save_heatmap(prediction, heatmaps / _heatmap_name(file, prediction.label))
        yield rows.row(str(file), prediction.report())
    for left in left_out:
        yield rows.failed(str(left.path), PictureError(left.why))


def _heatmap_name(file: Path, label: str) -> str:
    # Two folders may hold the same file name, so a mark of the whole path is in it.
    mark = hashlib.sha256(str(file.resolve()).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{file.stem[:100]}.{mark}.{label}.png"


def _save_heatmap(prediction: Prediction, target: Path) -> None:
    drawn = overlay(prediction.picture.image, prediction.heatmap, RAISED.format(prediction.label))
    with atomic_write(target) as temporary:
        drawn.save(temporary)
