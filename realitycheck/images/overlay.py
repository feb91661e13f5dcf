"""Drawing a map over the picture it explains."""

import cv2
import numpy as np
from PIL import Image, ImageDraw

OVERLAY_SIDE = 1024  # px, long side of an overlay: a screen's, not the camera's
MAP_SHARE = 0.5  # of the map in an overlay
LEGEND = 26  # px, height of the strip under an overlay


def _colours(heatmap: np.ndarray) -> np.ndarray:
    """Map [H, W] in [0, 1] as RGB [H, W, 3] in [0, 1]; dark is low, yellow is high."""
    levels = (np.clip(heatmap, 0, 1) * 255).astype(np.uint8)
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    rgb: np.ndarray = cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB)
    return rgb.astype(np.float32) / 255


def coloured(heatmap: np.ndarray) -> Image.Image:
    """Draws a map [H, W] in [0, 1] by itself, as an RGB image; dark is low, yellow is high."""
    return Image.fromarray((_colours(heatmap) * 255).astype(np.uint8))


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
    drawn = Image.fromarray((np.clip(mixed, 0, 1) * 255).astype(np.uint8))
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
    framed.paste(Image.fromarray((_colours(ramp) * 255).astype(np.uint8)), (6, drawn.height + 6))
    pen = ImageDraw.Draw(framed)
    room = drawn.width - bar_width - 18
    while text and pen.textlength(text) > room:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
    pen.text((bar_width + 12, drawn.height + 7), text, fill="black")
    return framed
