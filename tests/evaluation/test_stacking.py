import numpy as np

from realitycheck.committee.stack import Stack
from realitycheck.committee.views import Preprocessing
from realitycheck.config import Config, MemberConfig
from realitycheck.evaluation import stacking
from realitycheck.evaluation.stacking import Asked

SQUARE = Preprocessing("whole", 64, (0.5,) * 3, (0.5,) * 3)
CONFIG = Config(
    ("ai", "real"),
    "ai",
    (MemberConfig("first", "resnet50", SQUARE), MemberConfig("second", "resnet50", SQUARE)),
    Stack((0.5, 0.5)),
)


def asked(second):
    rng = np.random.default_rng(0)
    truth = np.arange(3000) % 2 == 0
    first = rng.normal(size=3000) + np.where(truth, 1.0, -1.0)
    leads = np.stack([first, second(truth, rng)], axis=1)
    return Asked(leads, truth, np.tile(["clean", "web", "hard"], 1000))


def test_a_second_witness_that_sees_something_else_is_weighed():
    found = asked(lambda truth, rng: rng.normal(size=3000) + np.where(truth, 0.5, -0.5))
    config = stacking.calibrated(CONFIG, found)
    assert min(config.stack.weights) > 0.5
    said = list(stacking.lines(config, found))
    areas = dict(part.rsplit(" ", 1) for part in said[-1].split(": ")[1].split(", "))
    assert float(areas["together"]) > float(areas["first"]) > float(areas["second"]) > 50


def test_one_that_knows_nothing_is_said_to_weigh_nothing():
    found = asked(lambda truth, rng: np.where(truth, -1.0, 1.0) + 3 * rng.normal(size=3000))
    config = stacking.calibrated(CONFIG, found)
    assert config.stack.weights[1] == 0
    *_, areas, last = stacking.lines(config, found)
    assert "together" in areas
    assert last.startswith("second adds nothing")
