import numpy as np
import pytest
from helpers import drawing

from realitycheck.errors import RealityCheckError
from realitycheck.evaluation import conditions
from realitycheck.images.perturbations import PERTURBATIONS
from realitycheck.wording import PERTURBATIONS as ON_THE_PAGE


def test_a_condition_of_every_kind_is_measured():
    named = "clean web hard halved-and-back double-jpeg webp avif blur noise sharpened grey quarter"
    every = conditions.known(["all"])
    assert {*named.split(), "bars", "screenshot", *conditions.SWAPS} <= set(every)
    image = drawing(200, 160)
    for name in every:
        for is_ai in (True, False):
            assert conditions.apply(name, image, is_ai=is_ai).mode == "RGB"
    saved = np.asarray(conditions.apply("avif", image, is_ai=True), float)
    assert 0.5 < np.abs(saved - np.asarray(image, float)).mean() < 12


def test_what_is_only_measured_is_neither_trained_on_nor_asked_by_the_page():
    assert "avif" not in PERTURBATIONS
    assert set(ON_THE_PAGE) < set(PERTURBATIONS)


def test_an_unknown_condition_names_those_there_are():
    with pytest.raises(RealityCheckError, match=r"Unknown conditions: dirty\. .*avif.*or all"):
        conditions.known(["clean", "dirty"])
