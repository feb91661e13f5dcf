import numpy as np
from helpers import drawing

from realitycheck.images import overlay


def test_overlay_is_screen_sized_with_a_legend():
    image = drawing(3000, 2000)
    heatmap = np.zeros((300, 448), np.float32)
    heatmap[:, 224:] = 1
    plain = overlay.overlay(image, heatmap)
    assert plain.size == (1024, 683)
    assert overlay.overlay(image, heatmap, "raised the score").size == (1024, 683 + overlay.LEGEND)
    shown = np.asarray(overlay.screen_size(image), float)
    change = np.abs(np.asarray(plain, float) - shown).mean(axis=2)
    assert np.array_equal(np.asarray(overlay.overlay(image, heatmap, share=0)), shown)
    # Half heat: the bright half turns towards yellow, the dark half towards black.
    drawn = np.asarray(plain, float)
    assert drawn[:, 600:].mean() > drawn[:, :400].mean() + 40
    assert change.mean() > 10


def test_long_legends_are_cut_to_fit():
    small = overlay.overlay(drawing(64, 64), np.zeros((4, 4), np.float32), "word " * 50)
    assert small.size == (64, 64 + overlay.LEGEND)
