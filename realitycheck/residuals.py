"""Statistics of a picture's residuals: what is left of it once its smooth content is taken away.

Fixed high-pass filters, their answers cut to five levels, and how often each run of three
neighbours occurs: features of steganalysis, which know a camera's and a codec's traces from a
generator's without being trained. Method: the spatial rich model of Fridrich and Kodovsky 2012,
"Rich Models for Steganalysis of Digital Images", and its colour form, Goljan et al. 2014, "Rich
Model for Steganalysis of Color Images". Here the histograms are counted per cell of a grid, so
that they can stand beside a network's features and be explained like them.
"""

import torch
from torch import Tensor, nn

from realitycheck.views import MEAN, STD

STEPS = (1.0, 2.0)  # widths of a level, in steps of an 8-bit value
LEVELS = 5
BINS = LEVELS**3
MARGIN = 4  # px that the filters take from a side
# Differences of rising order, along a row; each is also used along a column.
ORIENTED = (
    [[-1, 1]],
    [[1, -2, 1]],
    [[1, -3, 3, -1]],
    [[1, 0, -2, 0, 1]],
    [[-1, 2, -1], [2, -4, 2]],
)
# Alike in both directions; each is also used mirrored.
SYMMETRIC = ([[-1, 0], [0, 1]], [[-1, 2, -1], [2, -4, 2], [-1, 2, -1]])
# Luminance and two differences of colours, then the colours themselves. Quarters are exact in
# binary, so that the same picture has the same levels on every machine.
PLANES = ([0.25, 0.5, 0.25], [1, -1, 0], [0, -1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1])
SINGLE = 3  # of the planes are counted by themselves, the other three against each other


def _filters() -> list[list[tuple[int, int, int]]]:
    """The taps of every filter (down, right, weight), two directions of one after the other."""
    found = []
    for rows in (*ORIENTED, *SYMMETRIC):
        columns = [list(line) for line in zip(*rows, strict=True)]
        mirrored = [line[::-1] for line in rows]
        found += [_taps(rows), _taps(columns if rows in ORIENTED else mirrored)]
    return found


def _taps(rows: list[list[int]]) -> list[tuple[int, int, int]]:
    top, left = (MARGIN // 2 - length // 2 for length in (len(rows), len(rows[0])))
    return [
        (top + y, left + x, weight)
        for y, line in enumerate(rows)
        for x, weight in enumerate(line)
        if weight
    ]


FILTERS = _filters()


def _merging(reversible: bool) -> Tensor:
    """Which runs of three levels count as the same, [BINS, kinds], ones and zeros.

    A picture's negative leaves the same traces and, for neighbours, so does its mirror image.
    """
    runs = torch.arange(BINS).reshape(LEVELS, LEVELS, LEVELS)
    same = [runs, runs.flip(0, 1, 2)]
    if reversible:
        same += [run.permute(2, 1, 0) for run in same]
    kind = torch.stack(same).amin(dim=0).flatten()
    return (kind[:, None] == kind.unique()).float()


class Residuals(nn.Module):
    """Whitened residual statistics on a grid, without anything that gradients train.

    Args:
        channels: principal components kept.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("planes", torch.tensor(PLANES), persistent=False)
        self.register_buffer("along", _merging(reversible=True), persistent=False)
        self.register_buffer("across", _merging(reversible=False), persistent=False)
        self.register_buffer("mean", torch.zeros(self.count))
        self.register_buffer("projection", torch.zeros(self.count, channels))

    @property
    def count(self) -> int:
        """How many frequencies there are before they are projected."""
        single = SINGLE * (2 * len(ORIENTED) + len(SYMMETRIC)) * self.along.shape[1]
        mixed = (len(ORIENTED) + len(SYMMETRIC)) * self.across.shape[1]
        return len(STEPS) * (single + mixed)

    @property
    def fitted(self) -> bool:
        """Whether `fit` was called, or its result loaded."""
        return bool(self.projection.any())

    def fit(self, frequencies: Tensor) -> None:
        """Learns mean and whitening from training pictures.

        Args:
            frequencies: of P pictures, [P, count]. Fewer of them than channels leave the last
                channels empty.
        """
        from sklearn.decomposition import PCA

        values = frequencies.double()
        mean, spread = values.mean(dim=0), values.std(dim=0).clamp_min(1e-6)
        kept = min(self.projection.shape[1], len(values) - 1)
        found = PCA(kept, random_state=0).fit(((values - mean) / spread).numpy())
        axes = torch.from_numpy(found.components_.T / found.explained_variance_.clip(1e-9) ** 0.5)
        self.mean.copy_(mean)
        self.projection.zero_()
        self.projection[:, :kept] = axes / spread[:, None]

    def forward(self, pixels: Tensor, grid: tuple[int, int]) -> Tensor:
        """The statistics of each cell.

        Args:
            pixels: normalised pictures, [N, 3, H, W], sides of 32 px or more.
            grid: rows h and columns w of cells.

        Returns:
            [N, channels, h, w]; over the pictures of `fit`, means over the cells have mean
            zero and variance one.
        """
        # Small differences, much enlarged: mixed precision would lose them.
        with torch.autocast(pixels.device.type, enabled=False):
            whitened = (self.frequencies(pixels, grid) - self.mean) @ self.projection
        return whitened.transpose(1, 2).unflatten(2, grid).to(pixels.dtype)

    @torch.no_grad()
    def frequencies(self, pixels: Tensor, grid: tuple[int, int] = (1, 1)) -> Tensor:
        """How often each run of levels occurs in each cell, [N, h * w, count], in [0, 1]."""
        # One picture's levels fit into a CPU's cache, a batch's do not.
        at_once = 1 if pixels.device.type == "cpu" else len(pixels)
        return torch.cat([self._frequencies(part, grid) for part in pixels.split(at_once)])

    def _frequencies(self, pixels: Tensor, grid: tuple[int, int]) -> Tensor:
        planes = self._planes(pixels.float())
        found: dict[float, list[Tensor]] = {step: [] for step in STEPS}
        colours: dict[float, list[Tensor]] = {step: [] for step in STEPS}
        _, count, height, width = planes.shape
        answers = planes.new_empty(len(FILTERS), count, height - MARGIN, width - MARGIN)
        scaled = torch.empty_like(answers)  # once: fresh memory costs as much as the arithmetic
        for i, plane in enumerate(planes):
            _answers(plane, answers)
            for step in STEPS:
                torch.div(answers, step, out=scaled)
                levels = scaled.round_().clamp_(-2, 2).add_(2).to(torch.int8)
                if i < SINGLE:
                    found[step].append(self._along_lines(levels, grid))
                else:
                    colours[step].append(levels)
        for step in STEPS:
            found[step].append(self._across_planes(colours[step], grid))
        return torch.cat([part for step in STEPS for part in found[step]], dim=2)

    def _planes(self, pixels: Tensor) -> Tensor:
        """Luminance and colours in steps of an 8-bit value, [P, N, H, W]."""
        scale = torch.tensor(STD, device=pixels.device).view(3, 1, 1)
        shift = torch.tensor(MEAN, device=pixels.device).view(3, 1, 1)
        values = pixels.mul(scale).add_(shift).mul_(255).round_()
        # Levels hang on exact values, which mixed precision does not keep.
        with torch.autocast(pixels.device.type, enabled=False):
            return torch.einsum("pc,nchw->pnhw", self.planes, values)

    def _along_lines(self, levels: Tensor, grid: tuple[int, int]) -> Tensor:
        """Frequencies of runs along rows and columns of one plane's levels [K, N, H, W]."""
        rows = counted(_runs(levels[..., :-2], levels[..., 1:-1], levels[..., 2:]), grid)
        columns = counted(
            _runs(levels[..., :-2, :], levels[..., 1:-1, :], levels[..., 2:, :]), grid
        )
        last = 2 * len(ORIENTED)
        # Runs along a filter's own direction, then those across it.
        own = rows[:last:2] + columns[1:last:2]
        other = columns[:last:2] + rows[1:last:2]
        oriented = torch.stack([own, other], dim=1).flatten(0, 1)
        both = rows + columns
        symmetric = both[last::2] + both[last + 1 :: 2]
        return _shares(torch.cat([oriented, symmetric]) @ self.along)

    def _across_planes(self, levels: list[Tensor], grid: tuple[int, int]) -> Tensor:
        """Frequencies of what three planes' levels [K, N, H, W] are at one pixel."""
        found = counted(_runs(*levels), grid)
        return _shares((found[::2] + found[1::2]) @ self.across)


def _answers(plane: Tensor, found: Tensor) -> None:
    """Writes the answers of the filters on a plane [N, H, W] to `found`, [K, N, H - 4, W - 4].

    Divided by the filter's largest weight, as the rich model does.
    """
    height, width = found.shape[2:]
    found.zero_()
    for answer, taps in zip(found, FILTERS, strict=True):
        # Whole numbers until the last step: the same picture has the same levels everywhere.
        for down, right, weight in taps:
            answer.add_(plane[:, down : down + height, right : right + width], alpha=weight)
        answer.div_(max(abs(weight) for _, _, weight in taps))


def _runs(first: Tensor, second: Tensor, third: Tensor) -> Tensor:
    """Three levels as one number below `BINS`."""
    return torch.add(third, second, alpha=LEVELS).add_(first, alpha=LEVELS**2)


def _shares(counts: Tensor) -> Tensor:
    """Counts of histograms [M, N, cells, kinds] as shares, [N, cells, M * kinds]."""
    shares = counts / counts.sum(dim=3, keepdim=True)
    return shares.permute(1, 2, 0, 3).flatten(2)


def counted(runs: Tensor, grid: tuple[int, int]) -> Tensor:
    """Counts the runs in each cell of a grid.

    Args:
        runs: numbers below `BINS`, [K, N, H, W].
        grid: rows h and columns w.

    Returns:
        [K, N, h * w, BINS].
    """
    filters, pictures, height, width = runs.shape
    cells = grid[0] * grid[1]
    options = {"device": runs.device, "dtype": torch.int32}
    rows = torch.arange(height, **options) * grid[0] // height
    columns = torch.arange(width, **options) * grid[1] // width
    cell = (rows[:, None] * grid[1] + columns) * BINS
    first = torch.arange(filters * pictures, **options).view(filters, pictures, 1, 1)
    # Converted first: adding numbers of different types is much slower.
    where = runs.to(torch.int32).add_(cell).add_(first * (cells * BINS))
    found = torch.bincount(where.flatten(), minlength=filters * pictures * cells * BINS)
    return found.view(filters, pictures, cells, BINS).float()
