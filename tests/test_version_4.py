"""Version 4's weights answer as they did: the code around them changed, not the detector."""

import json

import pytest
import version_4
from helpers import make_version_4
from PIL import Image

from realitycheck import Detector
from realitycheck.images import perturbations

PROBABILITY, MAP = 2e-4, 5e-3  # processors differ in their last digits


@pytest.fixture(scope="module")
def known():
    return json.loads(version_4.RECORD.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return Detector.from_pretrained(make_version_4(tmp_path_factory.mktemp("four") / "checkpoint"))


@pytest.mark.slow
def test_every_answer_is_version_4s(detector, known):
    found = version_4.answers(detector, version_4.pictures())
    assert list(found) == list(known)
    probability, maps, words = version_4.differences(known, found)
    assert words == []
    assert probability < PROBABILITY
    assert maps < MAP


def test_some_answers_are_version_4s(detector, known):
    names = ("cat.jpg", "176 px", "strip", "66 px", "grey", "transparent", "dark", "flat", "noise")
    asked = {name: picture for name, picture in version_4.pictures() if name in names}
    assert set(asked) == set(names)
    found = version_4.answers(detector, iter(asked.items()))
    probability, maps, words = version_4.differences({name: known[name] for name in names}, found)
    assert words == []
    assert probability < PROBABILITY
    assert maps < MAP


def test_a_difference_would_be_noticed(detector, known):
    """The comparison is no formality: one more JPEG compression shows in it."""
    path = version_4.ROOT / "examples" / "cat.jpg"
    with Image.open(path) as image:
        changed = perturbations.reencode(image.convert("RGB"), "JPEG", 90)
    found = version_4.answers(detector, iter([("cat.jpg", changed)]))
    probability, maps, _ = version_4.differences({"cat.jpg": known["cat.jpg"]}, found)
    assert probability > PROBABILITY
    assert maps > MAP
