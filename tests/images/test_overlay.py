import numpy as np
from helpers import drawing

from realitycheck.images import overlay


def test_overlay_is_screen_sized_with_a_legend():
    image = drawing(300, 200).resize((3000, 2000))
    heatmap = np.zeros((300, 448), np.float32)
    heatmap[:, 224:] = 1
    plain = overlay.overlay(image, heatmap)
    assert plain.size == (1024, 683)
    assert overlay.overlay(image, heatmap, "raised the score").size == (1024, 683 + overlay.LEGEND)
    shown = np.asarray(overlay.screen_size(image), float)
    change = np.abs(np.asarray(plain, float) - shown).mean(axis=2)
    assert np.array_equal(np.asarray(overlay.overlay(image, heatmap, share=0)), shown)
    # The cold half stays as it was: a map never darkens a picture.
    assert change[:, :400].max() == 0
    assert change[:, 600:].min() > 10


def test_long_legends_are_cut_to_fit():
    small = overlay.overlay(drawing(64, 64), np.zeros((4, 4), np.float32), "word " * 50)
    assert small.size == (64, 64 + overlay.LEGEND)


def test_a_map_by_itself_is_as_opaque_as_it_is_hot():
    layer = overlay.coloured(np.linspace(0, 1, 256, dtype=np.float32)[None])
    alpha = np.asarray(layer)[0, :, 3].astype(int)
    assert (alpha[0], alpha[-1]) == (0, 255)
    assert (np.diff(alpha) >= 0).all()
    assert len(set(alpha)) > 200
    ends = np.asarray(layer)[0, [0, -1], :3]
    assert np.abs(ends[0].astype(int) - ends[1]).sum() > 100  # colour tells them apart too
