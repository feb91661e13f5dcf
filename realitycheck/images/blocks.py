"""How strongly a picture was compressed when it was saved as JPEG, as its decoded pixels show it.

A JPEG's values are multiples of its steps in every block of 8 x 8 px, and stay near them when the
picture is saved again in another format, or cut: so the steps of an earlier JPEG can be read from
any picture that was not resized since. Method: the blocks' grid and the steps are those under which
the transformed values lie in combs; after Fan and de Queiroz 2003, "Identification of bitmap
compression history", IEEE Trans. Image Processing 12(2), which reads combs from histograms.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float32]

BLOCK = 8  # px
HIGHEST = 62  # quality up to which an earlier JPEG is told: above, its traces weigh little
_QUALITIES = (3, 96)  # from, to below: those whose combs are compared
_TILE, _TILES, _CANDIDATES = 13 * BLOCK, 9, 5  # px; looked at; along a side, to choose from
# ITU T.81, table K.1: luminance steps at quality 50, by which libjpeg scales all others.
_STEPS_50 = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
_SEARCHED = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1))  # for the grid: row, column
_READ = tuple((v, u) for v in range(5) for u in range(5) if 0 < u + v <= 5)  # for the quality
_WIDTH, _BINS = 0.04, 800  # of the histogram, in steps of quality 50
# Values that must lie outside the comb's zero, the least z by which the grid and then the quality
# stand out, and the least mean cosine; above the second mean no finer comb can be the cause, below
# it one may that has so much more. Qualities within the last factor are told apart by z.
_FEWEST, _GRID_Z, _QUALITY_Z, _MEAN, _SURE, _FINER, _ALIKE = 40, 4.0, 8.0, 0.12, 0.45, 1.5, 1.15
_EVEN = 0.45  # steps from 0: less than the half at which a comb with steps half as wide has teeth


def earlier_quality(image: Image.Image) -> int | None:
    """The quality of a JPEG that a picture once was, if that was low.

    Measured by `benchmarks/passed_on.py`. Blind to JPEGs that were resized afterwards.

    Args:
        image: RGB picture of any size, not resized since; it may have been cut.

    Returns:
        3 to 62 on the scale of the Independent JPEG Group's library, or None.
    """
    tiles = _busy_tiles(image)
    place = _grid(tiles)
    return None if place is None else _quality(tiles, *place)


def steps(quality: int) -> NDArray[np.float64]:
    """libjpeg's luminance steps [8, 8] of a quality, 1 to 100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    table = np.array(_STEPS_50, np.float64).reshape(BLOCK, BLOCK)
    return np.clip(np.floor((table * scale + 50) / 100), 1, 255)


def _busy_tiles(image: Image.Image) -> list[FloatArray]:
    """Luminance of the parts that hold most, cut on multiples of a block's side."""
    width, height = image.size
    found = []
    for top in _starts(height):
        for left in _starts(width):
            box = (left, top, min(width, left + _TILE), min(height, top + _TILE))
            found.append(np.asarray(image.crop(box).convert("L"), np.float32))
    return sorted(found, key=lambda tile: -float(tile[::2, ::2].std()))[:_TILES]


def _starts(length: int) -> list[int]:
    if length <= _TILE:
        return [0]
    count = min(_CANDIDATES, length // _TILE)
    return [int(i * (length - _TILE) / max(1, count - 1)) // BLOCK * BLOCK for i in range(count)]


@cache
def _cosines() -> FloatArray:
    """The cosines of the transform [frequency, place] (ITU T.81, A.3.3)."""
    places = np.arange(BLOCK)
    waves = np.cos((2 * places[None] + 1) * places[:, None] * np.pi / 16) / 2
    waves[0] /= np.sqrt(2)
    return np.asarray(waves, np.float32)


@cache
def _combs() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a value [bin] adds to the sum and the count of each comb [bin, quality]."""
    qualities = np.unique(np.round(np.geomspace(3, 75, 40)))
    scales = np.where(qualities < 50, 50 / qualities, 2 - qualities / 50)
    values = (np.arange(_BINS)[:, None] + 0.5) * _WIDTH
    counted = (values > scales / 2).astype(np.float64)
    counted[-1] = 0  # holds all that is larger
    return counted * np.cos(2 * np.pi * values / scales), counted


def _grid(tiles: list[FloatArray]) -> tuple[int, int] | None:
    """Row and column where blocks begin, 0 to 7 each, or None where nothing tells."""
    table = np.array(_STEPS_50).reshape(BLOCK, BLOCK)
    found = []
    for tile in tiles:
        height, width = (max(0, side - BLOCK + 1) // BLOCK * BLOCK for side in tile.shape)
        if not height or not width:
            continue
        rows, columns = np.arange(height) % BLOCK, np.arange(width) % BLOCK
        place = ((rows[:, None] * BLOCK + columns) * _BINS).astype(np.int32)
        for (v, u), values in _everywhere(tile, height, width).items():
            scaled = np.abs(values) * np.float32(1 / (table[v, u] * _WIDTH))
            found.append((np.minimum(scaled, _BINS - 1).astype(np.int32) + place).ravel())
    if not found:
        return None
    histogram = np.bincount(np.concatenate(found), minlength=BLOCK * BLOCK * _BINS)
    histogram = histogram.reshape(BLOCK * BLOCK, _BINS).astype(np.float64)
    waves, counted = _combs()
    counts = histogram @ counted
    z = histogram @ waves / np.sqrt(counts / 2 + 1)
    z[counts < _FEWEST] = 0
    best = int(z.max(axis=1).argmax())
    return divmod(best, BLOCK) if z[best].max() >= _GRID_Z else None


def _everywhere(tile: FloatArray, height: int, width: int) -> dict[tuple[int, int], FloatArray]:
    """Transformed values of the blocks that begin at each of a tile's first pixels."""
    waves = _cosines()
    along = {
        u: sum(waves[u, i] * tile[:, i : i + width] for i in range(BLOCK))
        for u in {u for _, u in _SEARCHED}
    }
    return {
        (v, u): np.asarray(sum(waves[v, i] * along[u][i : i + height] for i in range(BLOCK)))
        for v, u in _SEARCHED
    }


def _quality(tiles: list[FloatArray], top: int, left: int) -> int | None:
    """The quality whose combs the values of a grid of blocks lie in, or None."""
    blocks = []
    for tile in tiles:
        height, width = (
            (side - start) // BLOCK for side, start in zip(tile.shape, (top, left), strict=True)
        )
        cut = tile[top : top + height * BLOCK, left : left + width * BLOCK]
        blocks.append(
            cut.reshape(height, BLOCK, width, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)
        )
    # What is drawn repeats itself, lighter or darker, and then one block's chance values would
    # count many times.
    every = np.concatenate(blocks)
    values = _cosines() @ np.unique(every - every[:, :1, :1], axis=0) @ _cosines().T
    rows, columns = np.array(_READ).T
    sizes = np.abs(values[:, rows, columns])

    def fitted(one: int, beyond: float) -> tuple[float, float]:
        return _fit(sizes / steps(one)[rows, columns], beyond)

    fits: list[tuple[float, float]] = []
    for one in range(*_QUALITIES):
        if one == HIGHEST + 1 and not any(z >= _QUALITY_Z and mean >= _MEAN for mean, z in fits):
            return None  # finer steps matter only beside a coarse one that fits
        fits.append(fitted(one, 0.5))
    quality = np.arange(*_QUALITIES)
    mean, z = np.array(fits).T
    clear = z >= _QUALITY_Z
    for found in np.flatnonzero(clear & (mean >= _MEAN) & (quality <= HIGHEST)).tolist():
        # The steps of a finer JPEG alone fall into the combs of coarser ones now and then.
        finer = mean[clear & (quality > _ALIKE * quality[found])].max(initial=0)
        if finer <= _FINER * mean[found] or fitted(int(quality[found]), _EVEN)[0] >= _SURE:
            alike = (quality >= quality[found]) & (quality <= _ALIKE * quality[found])
            best = int(quality[np.where(alike, z, -1).argmax()])
            return best if best <= HIGHEST else None
    return None


def _fit(ratios: NDArray[np.float64], beyond: float) -> tuple[float, float]:
    """Mean cosine of values in steps, of those beyond so many from 0, and its z."""
    chosen = ratios[ratios > beyond]
    if len(chosen) < _FEWEST:
        return 0.0, 0.0
    cosines = np.cos(2 * np.pi * chosen)
    return float(cosines.mean()), float(cosines.sum() / np.sqrt(len(chosen) / 2))
