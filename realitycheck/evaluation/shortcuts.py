"""Two baselines that see no traces of a generator: where they do well, the data is to blame.

One knows only a file's size, dimensions and format, the other only 16 x 16 px thumbnails, that is
content. A detector's figures mean something as far as they lie above these.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image
from sklearn.ensemble import HistGradientBoostingClassifier
from tqdm.auto import tqdm

from realitycheck import images
from realitycheck.data.left_out import LeftOut, warn_left_out
from realitycheck.data.samples import Sample, check_classes
from realitycheck.images import Picture

THUMBNAIL = 16  # px
_FORMATS: dict[str, int] = {name: code for code, name in enumerate(images.FORMATS)}


def file_facts(picture: Picture) -> list[float]:
    """Bytes, width, height, bytes per pixel and a code of the format."""
    width, height = picture.image.size
    size = len(picture.data or b"")
    return [size, width, height, size / (width * height), _FORMATS.get(picture.format, -1)]


def thumbnail(picture: Picture) -> np.ndarray:
    """The picture as 16 x 16 px, 768 values."""
    return np.asarray(picture.image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)).ravel()


SHORTCUTS: dict[str, Callable[[Picture], np.ndarray | list[float]]] = {
    "size and format only": file_facts,
    "16 px thumbnails only": thumbnail,
}


def scores(
    describe: Callable[[Picture], np.ndarray | list[float]],
    train: list[Sample],
    sets: dict[str, list[Sample]],
    ai_index: int,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What a shortcut says about other pictures, by gradient boosting (scikit-learn's).

    Args:
        describe: one of `SHORTCUTS`.
        train: the pictures it learns from; classes weigh the same.
        sets: the pictures it is asked about.
        ai_index: index of the AI class.

    Returns:
        Per set, AI probabilities [N] and which pictures are AI-made [N], of those that could be
        used.

    Raises:
        DataError: of a class there are none.
    """
    values, is_ai = _table(describe, train, ai_index)
    model = HistGradientBoostingClassifier(class_weight="balanced", random_state=0)
    model.fit(values, is_ai)
    found = {}
    for name, samples in sets.items():
        values, is_ai = _table(describe, samples, ai_index)
        found[name] = model.predict_proba(values)[:, 1], is_ai
    return found


def _table(
    describe: Callable[[Picture], np.ndarray | list[float]], samples: list[Sample], ai_index: int
) -> tuple[np.ndarray, np.ndarray]:
    rows, used = [], []
    left_out: list[LeftOut] = []
    for sample in tqdm(samples, desc=describe.__name__, leave=False, disable=None):
        picture = sample.read()
        if isinstance(picture, LeftOut):
            left_out.append(picture)
            continue
        rows.append(describe(picture))
        used.append(sample)
    warn_left_out(left_out, len(samples))
    check_classes(samples, used, left_out)
    is_ai = np.array([sample.label == ai_index for sample in used])
    return np.array(rows, dtype=np.float32), is_ai
