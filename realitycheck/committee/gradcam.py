"""Grad-CAM on a member's head, put together over all views of a picture.

The map needs gradients only between the backbone's last features and the logit. So the backbone
runs once without gradients, and the map is made of the small head alone, by `torch.autograd.grad`:
the same map as from hooks on the whole network, for the price of the head (a test holds it against
the grad-cam package's). Method: Selvaraju et al. 2017, "Grad-CAM", arXiv 1610.02391.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realitycheck.committee.committee import Member
from realitycheck.committee.views import View
from realitycheck.images.borders import Box

MAP_SIDE = 448  # px, long side of a map
FADED = 0.2  # weight below which a map fades: it was hardly looked at there
EPSILON = 1e-7  # as in the grad-cam package's scaling

FloatArray = NDArray[np.float32]


def class_maps(member: Member, features: Tensor, class_indices: Sequence[int]) -> FloatArray:
    """Grad-CAM of every view for some classes, from one pass of the head.

    Safe to call from many threads on one member: nothing is left in the network.

    Args:
        member: whose head to explain; parameters frozen, in eval mode.
        features: what its backbone returned, [V, ...].
        class_indices: the C classes to explain.

    Returns:
        Maps [C, V, h, w], zero or positive, those of one class on one scale.
    """
    # Cloned, because features made in inference mode cannot take part in a graph.
    leaf = features.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        sums = member.head(leaf).sum(dim=0)
        gradients = [
            torch.autograd.grad(sums[i], leaf, retain_graph=True)[0] for i in class_indices
        ]
    with torch.no_grad():
        grid = member.to_grid(leaf)
        if member.clip is not None:
            grid = _shortened(grid, member.clip)
        weights = [member.to_grid(part).mean(dim=(2, 3), keepdim=True) for part in gradients]
        maps = torch.stack([(weight * grid).sum(dim=1).clamp_min(0) for weight in weights])
        found: FloatArray = maps.float().cpu().numpy()
    return found


def _shortened(grid: Tensor, most: float) -> Tensor:
    """A grid [V, C, h, w] whose vectors are at most `most` times as long as their median."""
    lengths = grid.norm(dim=1, keepdim=True)
    limit = most * lengths.flatten(1).median(dim=1).values.view(-1, 1, 1, 1)
    factor: Tensor = (limit / lengths.clamp_min(EPSILON)).clamp_max(1)
    return grid * factor


def stitch(
    maps: FloatArray, views: list[View], size: tuple[int, int], within: Box | None = None
) -> FloatArray:
    """Puts the maps of a picture's views together, without seams.

    Views of one kind are averaged where they overlap, each counting most in its middle, and so
    are the kinds; towards a border beyond which nothing was seen a map fades.

    Args:
        maps: [V, h, w], zero or positive.
        views: where each one lies.
        size: width and height of the picture, px.
        within: the part of it that the views were cut from, where that is not all of it.

    Returns:
        Map [H, W] in [0, 1], long side at most 448 px, of the whole picture; 0 outside `within`.
    """
    # Raw maps can be so faint that the final scaling's own epsilon would show.
    maps = maps / (maps.max() or 1)
    scale = min(1.0, MAP_SIDE / max(size))
    full = np.zeros([max(1, round(side * scale)) for side in reversed(size)], np.float32)
    left, top, right, bottom = (round(edge * scale) for edge in within or (0, 0, *size))
    width, height = max(1, right - left), max(1, bottom - top)
    left, top = min(left, full.shape[1] - width), min(top, full.shape[0] - height)
    total, trust = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for kind in {view.kind for view in views}:
        part, seen = np.zeros_like(total), np.zeros_like(total)
        for values, view in zip(maps, views, strict=True):
            if view.kind == kind:
                x0, y0, x1, y1 = (edge * scale for edge in view.box)
                _add(part, seen, values, [x0 - left, y0 - top, x1 - left, y1 - top])
        weight = np.minimum(seen, 1)
        total += weight * part / np.maximum(seen, EPSILON)
        trust += weight
    shown = to_unit(np.asarray(total / np.maximum(trust, FADED), np.float32))
    full[top : top + height, left : left + width] = shown
    return full


def to_unit(heatmap: FloatArray, size: tuple[int, int] | None = None) -> FloatArray:
    """Stretches a map [h, w] to [0, 1], as the grad-cam package does, and resizes it.

    Args:
        heatmap: any finite values.
        size: width and height of the result, px; None for those of the map.
    """
    raised = heatmap - heatmap.min()
    unit = np.asarray(raised / (EPSILON + raised.max()), np.float32)
    return unit if size is None else np.asarray(cv2.resize(unit, size), np.float32)


def _add(total: FloatArray, seen: FloatArray, values: FloatArray, box: list[float]) -> None:
    left, top, right, bottom = (round(edge) for edge in box)
    height, width = total.shape
    enlarged = cv2.resize(np.float32(values), (max(1, right - left), max(1, bottom - top)))
    # A view may reach beyond the picture, where it was mirrored.
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, right), min(height, bottom)
    weights = np.outer(_window(top, bottom, height), _window(left, right, width))
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    total[y0:y1, x0:x1] += (enlarged * weights)[inside]
    seen[y0:y1, x0:x1] += weights[inside]


def _window(start: int, stop: int, length: int) -> FloatArray:
    """Weights of a view from `start` to `stop` along a picture of `length` px.

    They rise from 0 at an end within the picture to 1 in the middle, without a kink; at an end
    where the picture ends too they stay 1.
    """
    ramp = np.linspace(-1, 1, max(1, stop - start), dtype=np.float32)
    falls = ((ramp < 0) & (start > 0)) | ((ramp > 0) & (stop < length))
    feather = (1 + np.cos(np.pi * ramp)) / 2
    return np.asarray(np.where(falls, feather, 1), np.float32)
