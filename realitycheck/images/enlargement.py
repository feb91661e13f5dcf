"""Tells that a picture was enlarged, and from what size, by the copies that interpolation leaves.

Interpolation puts faded copies of a small picture's spectrum at multiples of its sampling rate, and
little else beyond its own end. So values at two frequencies that lie one such rate apart go
together, which in no other picture they do, however soft, smooth or dark it is. Method: the
spectral coherence of cyclostationary signals (Gardner 1986, "Measurement of spectral correlation",
IEEE Trans. ASSP 34(5)), which interpolated pictures are (Vazquez-Padin, Mosquera and
Perez-Gonzalez 2010, "Two-dimensional statistical test for the presence of almost cyclostationarity
on images", ICIP).
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float64]

_LINES, _SHORTEST, _LONGEST = 96, 512, 2048  # rows and columns looked at; their lengths, px
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
# The size before as a share, and its short side in px: whatever lies outside is not told.
_LEAST, _MOST, _SMALLEST = 0.02, 0.83, 32
_REACH = 0.9  # of the rate, up to where frequencies are compared
# Ranges of frequencies, in halves of the rate: up to 1 the small picture held something.
_ACROSS, _WITHIN = ((0.6, 0.9), (1.15, 1.6)), ((0.55, 0.7), (0.88, 1.0))
# dB by which the spectrum may fall before it has reached that end: what falls earlier was smoothed,
# as by the decoder of an AI, whose layers leave copies of spectra too.
_STEEPEST = 9.5
# Fall across that end, dB, and the coherence above that of its neighbours which is then needed.
# Interpolation falls by 6 (bilinear) to 15 (Lanczos).
_FALLS, _NEEDED = (-2.0, 2.0, 4.0, 7.0, 11.0), (0.45, 0.35, 0.24, 0.16, 0.11)
# dB; below the first it can be but repeated pixels, from the second on it is interpolation.
_INTERPOLATED = (2.0, 3.5)
_PEAK = 1.6  # bins, half the width of a peak
_OFF = 0.12  # by how much the share of repeated pixels may differ from what the size asks for


def original_size(image: Image.Image, below: int) -> tuple[int, int] | None:
    """The size that a picture had before it was enlarged, if that was small.

    Measured by `benchmarks/passed_on.py`. Blind to pictures that were shrunken again afterwards,
    or stretched along one side alone.

    Args:
        image: RGB picture of any size, not resized since; it may have been cut.
        below: the short side before in px, up to which it is looked for.

    Returns:
        Width and height before in px, roughly; None where nothing tells of an enlargement.
    """
    length = max(_SHORTEST, min(_LONGEST, 1 << math.ceil(math.log2(max(image.size)))))
    sides = [_Side(_lines(image, upright), length) for upright in (False, True)]
    last = math.ceil(min(_MOST, below / min(image.size)) * length)
    first = int(max(_LEAST, _SMALLEST / min(image.size)) * length)
    if first >= last:
        return None
    bins = range(first, last + 13)
    together = np.sqrt(np.prod([side.coherence(bins) for side in sides], axis=0))
    best, rate = 0.0, 0.0
    around = np.lib.stride_tricks.sliding_window_view(together[: last + 2 - first], 3)
    for place in (np.flatnonzero(around[:, 1] == around.max(axis=1)) + 1).tolist():
        height = _height(together, place)
        if height - min(_NEEDED) <= best:
            continue  # it cannot exceed what is needed by more: the rest need not be looked at
        excess = _excess(sides, height, bins[place])
        if excess > best:
            best, rate = excess, bins[place] / length
    if not rate:
        return None
    width, height = (max(1, round(side * rate)) for side in image.size)
    return width, height


class _Side:
    """The spectra of a picture's lines in one direction.

    Args:
        lines: luminance [lines, px].
        length: of the transform.
    """

    def __init__(self, lines: NDArray[np.float32], length: int) -> None:
        self.length = length
        slopes = np.diff(lines, axis=1)  # as strong at all frequencies, roughly
        self.sizes = np.abs(slopes).mean(axis=0)
        slopes *= np.hanning(slopes.shape[1] + 2)[1:-1].astype(np.float32)
        spectra = np.fft.rfft(slopes, length, axis=1).astype(np.complex64)
        # Kept so that every comparison below reads memory in order.
        self.conjugates = np.ascontiguousarray(spectra.conj().T)
        self.reversed = np.ascontiguousarray(spectra.T[::-1])
        power = np.square(np.abs(spectra), dtype=np.float64).sum(axis=0)
        self.power = np.concatenate([[0.0], np.cumsum(power)])

    def coherence(self, bins: range) -> FloatArray:
        """How far frequencies one rate apart go together, 0 to 1, for each rate."""
        return np.array([self._coherence(rate) for rate in bins])

    def _coherence(self, rate: int) -> float:
        low, high = rate // 2 + 2, min(int(_REACH * rate), self.length // 2) + 1
        if high - low < 3:
            return 0.0
        # Of real lines: what is at rate - f is the conjugate of what is at f - rate.
        first = len(self.reversed) - 1 - (rate - low)
        product = np.vdot(self.conjugates[low:high], self.reversed[first : first + high - low])
        size = self._power(low, high) * self._power(rate - high + 1, rate - low + 1)
        return float(abs(product) / (math.sqrt(size) + 1e-6))

    def fall(self, rate: int, inside: tuple[float, float], outside: tuple[float, float]) -> float:
        """Power within one range over that within another, dB; ranges in halves of a rate."""
        means = []
        for low, high in (inside, outside):
            first = int(low * rate / 2)
            last = max(first + 1, min(int(high * rate / 2), self.length // 2 + 1))
            means.append(self._power(first, last) / (last - first))
        return 10 * math.log10((means[0] + 1) / (means[1] + 1))

    def repeats(self, rate: int) -> float:
        """Share of places where a pixel is about as the one before, but not those around."""
        reach = math.ceil(self.length / rate)
        around = np.lib.stride_tricks.sliding_window_view(self.sizes, 2 * reach + 1).max(axis=1)
        return float((self.sizes[reach:-reach] < 0.5 * around).mean())

    def _power(self, low: int, high: int) -> float:
        high = min(high, self.length // 2 + 1)
        return float(self.power[high] - self.power[min(low, high)])


def _lines(image: Image.Image, upright: bool) -> NDArray[np.float32]:
    """Luminance of rows, or of columns, spread over a picture [lines, px]."""
    width, height = image.size
    across, along = (width, height) if upright else (height, width)
    size = min(along, _LONGEST)
    start = (along - size) // 2
    places = np.unique(np.linspace(0, across - 1, min(across, _LINES)).astype(int)).tolist()
    # Gathered in one image: to turn each into an array by itself takes half as long again.
    found = Image.new("RGB", (len(places), size) if upright else (size, len(places)))
    for i, place in enumerate(places):
        box = (place, start, place + 1, start + size)
        if not upright:
            box = (start, place, start + size, place + 1)
        found.paste(image.crop(box), (i, 0) if upright else (0, i))
    lines = np.asarray(found, np.float32)
    return (lines.swapaxes(0, 1) if upright else lines) @ _LUMINANCE


def _excess(sides: list[_Side], height: float, rate: int) -> float:
    """By how much a peak of the coherence is higher than one needs to be; 0 if it is not.

    Args:
        sides: the picture's.
        height: of the peak above its neighbours.
        rate: where it lies, bins.
    """
    share = rate / sides[0].length
    if np.mean([side.fall(rate, *_WITHIN) for side in sides]) > _STEEPEST:
        return 0.0
    fall = float(np.mean([side.fall(rate, *_ACROSS) for side in sides]))
    repeats = float(np.mean([side.repeats(rate) for side in sides]))
    repeated = fall < _INTERPOLATED[0] or (fall < _INTERPOLATED[1] and repeats > 2 * _OFF)
    if repeated and abs(repeats - (1 - share)) > _OFF:
        return 0.0
    line = round(8 * share)
    at_line = line and abs(8 * share - line) * sides[0].length / 8 < _PEAK
    if at_line and (line > 5 or height <= _other_lines(sides, line)):
        return 0.0
    return max(0.0, height - float(np.interp(fall, _FALLS, _NEEDED)))


def _height(values: FloatArray, place: int) -> float:
    """A value above the middle of those some places away."""
    around = np.concatenate(
        [values[max(0, place - 12) : max(0, place - 2)], values[place + 3 : place + 13]]
    )
    return float(values[place] - (np.median(around) if around.size else 0))


def _other_lines(sides: list[_Side], line: int) -> float:
    """The highest peak at eighths that are no multiples of one: what the blocks of a JPEG leave."""
    highest = 0.0
    for other in range(1, 7):
        if other % line:
            middle = round(other * sides[0].length / 8)
            bins = range(middle - 12, middle + 13)
            together = np.sqrt(np.prod([side.coherence(bins) for side in sides], axis=0))
            highest = max(highest, max(_height(together, place) for place in range(10, 15)))
    return highest
