import numpy as np
import pytest
import torch

from realitycheck.errors import RealityCheckError
from realitycheck.evaluation import calibration
from realitycheck.evaluation.metrics import auc, expected_calibration_error

RNG = np.random.default_rng(0)


def scores(count=400):
    is_ai = np.arange(count) % 2 == 0
    lead = RNG.normal(size=count) + np.where(is_ai, 1.0, -1.0)
    return lead, is_ai


def test_calibration_recovers_the_odds():
    lead, is_ai = scores(20_000)
    # For unit normals at +1 and -1 the log odds are exactly twice the value.
    stack = calibration.fit_stack(lead[:, None], is_ai)
    assert 1 / stack.weights[0] == pytest.approx(0.5, rel=0.05)
    assert stack.bias == pytest.approx(0, abs=0.05)
    p_ai = stack.p_ai(torch.tensor(lead[:, None])).numpy()
    assert expected_calibration_error(p_ai, is_ai) < 0.03


def test_calibration_ignores_how_common_a_class_is():
    lead, is_ai = scores(20_000)
    keep = is_ai | (np.arange(20_000) % 10 == 1)
    stack = calibration.fit_stack(lead[keep, None], is_ai[keep])
    assert stack.bias == pytest.approx(0, abs=0.1)


def test_calibration_refuses_a_network_that_learned_nothing():
    lead, is_ai = scores()
    with pytest.raises(RealityCheckError, match="does not tell"):
        calibration.fit_stack(-lead[:, None], is_ai)


def test_thresholds_keep_false_accusations_rare():
    for count in (40, 401, 5000):
        lead, is_ai = scores(count)
        p_ai = 1 / (1 + np.exp(-lead))
        ai, real = calibration.choose_thresholds(p_ai, is_ai)
        assert (p_ai[~is_ai] >= ai).mean() <= 0.025
        assert (p_ai[is_ai] <= real).mean() <= 0.10 + 1 / is_ai.sum()
        assert real <= 0.5 <= ai


def test_a_strong_model_still_needs_even_odds_to_accuse():
    lead, is_ai = scores(4000)
    ai, real = calibration.choose_thresholds(1 / (1 + np.exp(-4 * lead)), is_ai)
    assert real <= 0.5 <= ai


def test_two_members_are_weighed_by_what_each_adds():
    lead, is_ai = scores(20_000)
    second, _ = scores(20_000)
    useless = RNG.normal(size=20_000)
    # Independent members: their log odds add up, each twice its lead.
    stack = calibration.fit_stack(np.stack([lead, second, useless], axis=1), is_ai)
    assert stack.weights[:2] == pytest.approx((2, 2), rel=0.1)
    assert stack.weights[2] == pytest.approx(0, abs=0.1)
    together = stack.p_ai(torch.tensor(np.stack([lead, second, useless], axis=1))).numpy()
    alone = calibration.fit_stack(lead[:, None], is_ai).p_ai(torch.tensor(lead[:, None])).numpy()
    assert auc(together, is_ai) > auc(alone, is_ai) + 0.03
    assert expected_calibration_error(together, is_ai) < 0.03
