import numpy as np
from helpers import drawing
from PIL import Image

from realitycheck.images.perturbations import PERTURBATIONS


def test_perturbations_degrade_and_never_enlarge():
    image = drawing(1000, 700)
    sizes = {name: change(image).size for name, change in PERTURBATIONS.items()}
    assert sizes["clean"] == (1000, 700)
    assert max(sizes["web"]) == 768
    assert max(sizes["hard"]) == 512
    assert sizes["half"] == (500, 350)
    assert sizes["crop"] == (698, 490)
    assert sizes["screenshot"] == (800, 560)
    assert sizes["q50"] == (1000, 700)
    small = drawing(100, 100)
    assert PERTURBATIONS["web"](small).size == (100, 100)
    assert not np.array_equal(np.asarray(PERTURBATIONS["hard"](small)), np.asarray(small))


def test_lower_quality_changes_more():
    pixels = np.asarray(drawing(200, 160), int)
    change = [
        np.abs(np.asarray(PERTURBATIONS[name](drawing(200, 160)), int) - pixels).mean()
        for name in ("q90", "q70", "q50")
    ]
    assert 0 < change[0] < change[1] < change[2]


def test_retouching_keeps_the_size_and_smooths_within_edges():
    edge = np.zeros((100, 120, 3), np.uint8)
    edge[:, 60:] = 200
    noisy = np.clip(edge + np.random.default_rng(1).normal(20, 6, edge.shape), 0, 255)
    image = Image.fromarray(noisy.astype(np.uint8))
    for name in ("denoised", "retouched"):
        changed = np.asarray(PERTURBATIONS[name](image), float)
        assert changed.shape == edge.shape
        assert changed[:, :50].std() < 0.8 * noisy[:, :50].std()
        assert changed[:, 70:].mean() - changed[:, :50].mean() > 150  # the edge is still there


def test_grading_shifts_colours_towards_warm():
    red, _, blue = np.asarray(PERTURBATIONS["graded"](drawing(200, 160)), float).mean((0, 1))
    red_before, _, blue_before = np.asarray(drawing(200, 160), float).mean((0, 1))
    assert red / blue > 1.1 * red_before / blue_before


def test_enlarged_pictures_have_at_most_2048_px():
    assert PERTURBATIONS["enlarged"](drawing(300, 200)).size == (600, 400)
    assert PERTURBATIONS["enlarged"](drawing(1600, 800)).size == (2048, 1024)
    assert PERTURBATIONS["enlarged"](drawing(3000, 300)).size == (3000, 300)
