"""Grad-CAM on the classifier alone, put together over all views of a picture.

The map needs gradients only between the backbone's last features and the logit. So the
backbone runs once without gradients, and the grad-cam package sees a small network whose
input are those features: the same map as from hooks on the whole network, for the price of
the classifier. Method: Selvaraju et al. 2017, "Grad-CAM", arXiv 1610.02391.
"""

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from realitycheck.views import View

MAP_SIDE = 448  # px, long side of a map
OVERLAY_SIDE = 1024  # px, long side of an overlay: a screen's, not the camera's
MAP_SHARE = 0.5  # of the map in an overlay
LEGEND = 26  # px, height of the strip under an overlay


class _RawGradCAM(GradCAM):
    """Grad-CAM without the package's scaling to each view's own maximum.

    Several views of one picture can only be put together while their maps share a scale.
    """

    def compute_cam_per_layer(self, input_tensor, targets, eigen_smooth):
        (activations,) = self.activations_and_grads.activations
        (gradients,) = self.activations_and_grads.gradients
        layer = self.target_layers[0]
        return self.get_cam_image(
            input_tensor, layer, targets, activations.numpy(), gradients.numpy(), eigen_smooth
        )

    def aggregate_multi_layers(self, cams):
        return np.maximum(cams, 0)


def _tokens_to_grid(tokens: Tensor) -> Tensor:
    """A ViT's tokens [N, 1 + h * w, C] without the class token, as [N, C, h, w]."""
    side = round((tokens.shape[1] - 1) ** 0.5)
    return tokens[:, 1:].transpose(1, 2).unflatten(2, (side, side))


def class_maps(head: nn.Module, features: Tensor, class_index: int) -> tuple[np.ndarray, Tensor]:
    """Grad-CAM of every view for one class, and the logits, from one pass of the head.

    Safe to call from many threads on one head: hooks live on a layer made for this call.

    Args:
        head: second half of a model from `model.split`, parameters frozen, in eval mode.
        features: what its first half returned, [V, C, h, w], or tokens [V, 1 + h * w, C].
        class_index: the class to explain.

    Returns:
        Maps [V, h, w], zero or positive, on one scale; and logits [V, classes].
    """
    entry = nn.Identity()
    reshape = _tokens_to_grid if features.ndim == 3 else None
    # Cloned, because features made in inference mode cannot take part in a graph.
    leaf = features.detach().clone().requires_grad_(True)
    targets = [ClassifierOutputTarget(class_index)] * len(features)
    with torch.enable_grad():
        network = nn.Sequential(entry, head)
        with _RawGradCAM(network, [entry], reshape) as cam:
            maps = cam(leaf, targets)
            logits = cam.outputs.detach()
    return maps, logits


def stitch(maps: np.ndarray, views: list[View], size: tuple[int, int]) -> np.ndarray:
    """Puts the maps of a picture's views together.

    Views of one kind are averaged where they overlap, each counting most in its middle, so
    that no seams show; then the kinds where both have seen a pixel.

    Args:
        maps: [V, h, w], zero or positive.
        views: where each one lies.
        size: width and height of the picture, px.

    Returns:
        Map [H, W] in [0, 1], long side at most 448 px, of the whole picture.
    """
    # Raw maps can be so faint that the final scaling's own epsilon would show.
    maps = maps / (maps.max() or 1)
    scale = min(1.0, MAP_SIDE / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    total, kinds_seen = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for kind in {view.kind for view in views}:
        part, seen = np.zeros_like(total), np.zeros_like(total)
        for values, view in zip(maps, views, strict=True):
            if view.kind == kind:
                _add(part, seen, values, [edge * scale for edge in view.box])
        total += part / np.where(seen > 0, seen, 1)
        kinds_seen += seen > 0
    return scale_cam_image((total / np.maximum(kinds_seen, 1))[None])[0]


def _add(total: np.ndarray, seen: np.ndarray, values: np.ndarray, box: list[float]) -> None:
    left, top, right, bottom = (round(edge) for edge in box)
    height, width = total.shape
    enlarged = cv2.resize(np.float32(values), (max(1, right - left), max(1, bottom - top)))
    # A view may reach beyond the picture, where it was mirrored.
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, right), min(height, bottom)
    weights = np.outer(_tent(bottom - top), _tent(right - left))
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    total[y0:y1, x0:x1] += (enlarged * weights)[inside]
    seen[y0:y1, x0:x1] += weights[inside]


def _tent(length: int) -> np.ndarray:
    """Weights [length] from 0.05 at the ends to 1 in the middle."""
    return 1 - 0.95 * np.abs(np.linspace(-1, 1, max(1, length), dtype=np.float32))


def _colours(heatmap: np.ndarray) -> np.ndarray:
    """Map [H, W] in [0, 1] as RGB [H, W, 3] in [0, 1]; dark is low, yellow is high."""
    levels = np.uint8(np.clip(heatmap, 0, 1) * 255)
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB).astype(np.float32) / 255


def coloured(heatmap: np.ndarray) -> Image.Image:
    """Draws a map [H, W] in [0, 1] by itself, as an RGB image; dark is low, yellow is high."""
    return Image.fromarray(np.uint8(_colours(heatmap) * 255))


def overlay(
    image: Image.Image, heatmap: np.ndarray, legend: str = "", share: float = MAP_SHARE
) -> Image.Image:
    """Draws a map over the picture it explains.

    Args:
        image: upright RGB picture of any size.
        heatmap: its map [H, W] in [0, 1].
        legend: text under the colour scale; "" for no legend.
        share: of the map in the mix, in [0, 1].

    Returns:
        RGB image, long side at most 1024 px, plus a strip with the legend.
    """
    shown = screen_size(image)
    enlarged = cv2.resize(np.float32(heatmap), shown.size)
    mixed = (1 - share) * np.asarray(shown, np.float32) / 255 + share * _colours(enlarged)
    drawn = Image.fromarray(np.uint8(np.clip(mixed, 0, 1) * 255))
    return _with_legend(drawn, legend) if legend else drawn


def screen_size(image: Image.Image) -> Image.Image:
    """A copy whose long side is at most 1024 px."""
    shown = image.copy()
    shown.thumbnail((OVERLAY_SIDE, OVERLAY_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return shown


def _with_legend(drawn: Image.Image, text: str) -> Image.Image:
    framed = Image.new("RGB", (drawn.width, drawn.height + LEGEND), "white")
    framed.paste(drawn)
    bar_width = min(96, drawn.width // 3)
    ramp = np.tile(np.linspace(0, 1, bar_width, dtype=np.float32), (LEGEND - 12, 1))
    framed.paste(Image.fromarray(np.uint8(_colours(ramp) * 255)), (6, drawn.height + 6))
    pen = ImageDraw.Draw(framed)
    room = drawn.width - bar_width - 18
    while text and pen.textlength(text) > room:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
    pen.text((bar_width + 12, drawn.height + 7), text, fill="black")
    return framed
