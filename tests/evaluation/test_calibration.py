from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import new_config

from realitycheck.data.samples import Sample, Splits
from realitycheck.errors import RealityCheckError
from realitycheck.evaluation import calibration
from realitycheck.evaluation.metrics import auc, expected_calibration_error
from realitycheck.evaluation.score import Outputs
from realitycheck.publish import card
from realitycheck.results import MIN_HELD_OUT, Record
from realitycheck.wording import NO_THRESHOLDS

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


def test_a_member_that_only_corrects_the_others_weighs_nothing():
    lead, is_ai = scores(20_000)
    noise = RNG.normal(size=20_000)
    # The second knows nothing but the first's error, so its weight alone would be negative.
    stack = calibration.fit_stack(np.stack([lead + noise, noise], axis=1), is_ai)
    alone = calibration.fit_stack((lead + noise)[:, None], is_ai)
    assert stack.weights == (pytest.approx(alone.weights[0]), 0.0)
    assert stack.bias == pytest.approx(alone.bias)


def separated(count, gap=20.0):
    """Leads on as many pictures of each class, told apart without an error."""
    is_ai = np.arange(2 * count) % 2 == 0
    return RNG.normal(size=2 * count) + np.where(is_ai, gap, -gap), is_ai


def said_of(lead, is_ai, monkeypatch):
    """What a committee says that has these leads on the validation set, whatever the condition."""
    samples = [Sample(Path(f"{i}.png"), int(not ai)) for i, ai in enumerate(is_ai)]
    logits = [(torch.tensor([[value, 0.0]]),) for value in lead]
    monkeypatch.setattr(
        calibration, "run_committee", lambda *_, **__: Outputs(samples, logits, [()] * len(lead))
    )
    splits = Splits(Path("."), ["ai", "real"], {"val": samples})
    config = calibration.calibrated(new_config(), [], splits)
    return config, Outputs(samples, logits, [()] * len(lead))


@pytest.mark.parametrize("count", [1, 5, 20, 100])
def test_pictures_told_apart_with_ease_prove_no_more_than_their_number(count):
    lead, is_ai = separated(count, gap=1e4)  # all alike, in effect
    stack = calibration.fit_stack(np.concatenate([lead] * 3)[:, None], np.tile(is_ai, 3), 3)
    p_ai = stack.p_ai(torch.tensor(lead[:, None])).numpy()
    sure = (count + 1) / (count + 2)
    assert p_ai[is_ai].mean() == pytest.approx(sure, abs=2e-3)
    assert p_ai[~is_ai].mean() == pytest.approx(1 - sure, abs=2e-3)


@pytest.mark.parametrize("count", [1, 6, MIN_HELD_OUT - 1])
def test_too_few_held_out_pictures_give_no_verdicts(count, monkeypatch, caplog):
    lead, is_ai = separated(count)
    config, outputs = said_of(lead, is_ai, monkeypatch)
    assert config.calibrated
    assert set(outputs.verdicts(config)) == {"uncertain"}
    sure = Outputs(outputs.samples, [(torch.tensor([[1e6, 0.0]]),)] * len(lead), outputs.caveats)
    assert sure.p_ai(config)[0] == 1  # whatever the probability
    assert set(sure.verdicts(config)) == {"uncertain"}
    assert f"{count} AI and {count} real pictures were held out" in caplog.text
    assert str(MIN_HELD_OUT) in caplog.text
    assert f"{NO_THRESHOLDS} They take at least {MIN_HELD_OUT}" in card.text(config, Record())


def test_one_class_with_enough_pictures_does_not_help_the_other(monkeypatch):
    lead, is_ai = separated(200)
    few = is_ai | (np.arange(400) < 40)
    config, _ = said_of(lead[few], is_ai[few], monkeypatch)
    assert not config.abstention.decides


def test_between_classes_that_do_not_touch_there_is_no_verdict(monkeypatch):
    lead, is_ai = separated(300)
    config, outputs = said_of(lead, is_ai, monkeypatch)
    rule, p_ai = config.abstention, outputs.p_ai(config)
    assert p_ai[~is_ai].max() == pytest.approx(rule.real, abs=0.02)
    assert 0.9 < rule.ai <= np.quantile(p_ai[is_ai], 0.05)
    verdicts = outputs.verdicts(config)
    assert (verdicts[is_ai] == "ai").mean() > 0.95
    assert (verdicts[~is_ai] == "real").mean() > 0.95
    assert "No verdicts" not in card.text(config, Record())


def test_sources_held_out_are_counted_by_picture():
    lead, is_ai = separated(MIN_HELD_OUT // 2)
    names = np.array(["clean", "web", "hard"])

    def fitted(lead, is_ai):
        condition = np.repeat(names, len(lead))
        return calibration.calibrated_on_held_out(
            new_config(), np.tile(lead, 3)[:, None], np.tile(is_ai, 3), condition
        )

    few = fitted(lead, is_ai)
    assert few.calibrated
    assert not few.abstention.decides
    enough = fitted(*separated(MIN_HELD_OUT))
    assert enough.abstention.real < 0.5 < enough.abstention.ai < 1


def test_real_pictures_enough_of_a_condition_hold_the_threshold_though_ai_ones_are_few():
    rng = np.random.default_rng(5)
    clean, is_ai = rng.normal(np.repeat([-2, 2], 2_000)), np.repeat([False, True], 2_000)

    def fitted(real, ai):
        lead = np.concatenate([clean, rng.normal(0, 1, real), rng.normal(2, 1, ai)])
        truth = np.concatenate([is_ai, np.zeros(real, bool), np.ones(ai, bool)])
        condition = np.repeat(["clean", "webp"], [4_000, real + ai])
        config = calibration.calibrated_on_held_out(new_config(), lead[:, None], truth, condition)
        accused = config.stack.p_ai(torch.from_numpy(lead[:, None])).numpy() >= config.abstention.ai
        return accused[(condition == "webp") & ~truth].mean()

    assert fitted(calibration.ENOUGH, 50) <= calibration.MAX_FALSE_AI_HELD_OUT
    assert fitted(calibration.ENOUGH - 1, 50) > calibration.MAX_FALSE_AI_HELD_OUT


def test_one_ai_picture_of_a_condition_does_not_set_where_ai_begins():
    lead, is_ai = scores(4_000)
    real = np.resize(lead[~is_ai], calibration.ENOUGH)

    def threshold(sure):
        config = calibration.calibrated_on_held_out(
            new_config(),
            np.concatenate([lead, real, [sure]])[:, None],
            np.concatenate([is_ai, np.zeros(len(real), bool), [True]]),
            np.repeat(["clean", "webp"], [len(lead), len(real) + 1]),
        )
        return config.abstention.ai

    assert threshold(9.0) == pytest.approx(threshold(0.0), abs=0.05)


def test_leads_that_are_no_numbers_are_refused():
    lead, is_ai = scores()
    lead[3] = np.nan
    with pytest.raises(RealityCheckError, match="no number"):
        calibration.fit_stack(lead[:, None], is_ai)
