import numpy as np
from helpers import drawing

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
