"""Drawing a map over the picture it explains."""

import cv2
import numpy as np
from PIL import Image, ImageDraw

OVERLAY_SIDE = 1024  # px, long side of an overlay: a screen's, not the camera's
MAP_SHARE = 0.85  # of the map's colour in an overlay, where the map is hottest
LEGEND = 26  # px, height of the strip under an overlay


# Colours of a map from its coldest to its hottest: seldom in pictures, and none of a verdict's.
_RAMP = np.array([(110, 40, 220), (214, 20, 190), (255, 80, 160)]) / 255


def _colours(heatmap: np.ndarray) -> np.ndarray:
    """Map [H, W] in [0, 1] as RGB [H, W, 3] in [0, 1]: violet is low, pink is high."""
    stops, levels = np.linspace(0, 1, len(_RAMP)), np.clip(heatmap, 0, 1)
    return np.stack([np.interp(levels, stops, channel) for channel in _RAMP.T], -1).astype("f4")


def coloured(heatmap: np.ndarray) -> Image.Image:
    """Draws a map [H, W] in [0, 1] by itself: RGBA, as opaque as it is hot, cold is transparent."""
    levels = np.clip(heatmap, 0, 1)[..., None]
    layers = np.concatenate([_colours(heatmap), levels], axis=-1)
    return Image.fromarray((layers * 255).astype(np.uint8), "RGBA")


def overlay(
    image: Image.Image, heatmap: np.ndarray, legend: str = "", share: float = MAP_SHARE
) -> Image.Image:
    """Draws a map over the picture it explains.

    Args:
        image: upright RGB picture of any size.
        heatmap: its map [H, W] in [0, 1].
        legend: text under the colour scale; "" for no legend.
        share: of the map's colour in the mix where the map is 1, in [0, 1]; elsewhere it is less in
            proportion, and none where the map is 0.

    Returns:
        RGB image, long side at most 1024 px, plus a strip with the legend.
    """
    shown = screen_size(image)
    enlarged = cv2.resize(np.float32(heatmap), shown.size)
    part = share * np.clip(enlarged, 0, 1)[..., None]
    mixed = (1 - part) * np.asarray(shown, np.float32) / 255 + part * _colours(enlarged)
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
    bar = coloured(ramp)
    framed.paste(bar, (6, drawn.height + 6), bar)
    pen = ImageDraw.Draw(framed)
    room = drawn.width - bar_width - 18
    while text and pen.textlength(text) > room:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
    pen.text((bar_width + 12, drawn.height + 7), text, fill="black")
    return framed
