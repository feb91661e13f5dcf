import numpy as np
import pytest

from realitycheck.errors import DataError
from realitycheck.evaluation import metrics


def test_metrics_on_cases_done_by_hand():
    p_ai = np.array([0.9, 0.8, 0.4, 0.7, 0.2, 0.1])
    is_ai = np.array([True, True, True, False, False, False])
    assert metrics.balanced_accuracy(p_ai, is_ai) == pytest.approx(2 / 3)
    assert metrics.auc(p_ai, is_ai) == pytest.approx(8 / 9)
    assert metrics.tpr_at_fpr(p_ai, is_ai, 0.01) == pytest.approx(2 / 3)
    assert metrics.tpr_at_fpr(p_ai, is_ai, 0.34) == pytest.approx(1)
    sure = np.array([1.0, 1, 1, 0, 0, 0])
    assert metrics.expected_calibration_error(sure, is_ai) == 0
    assert metrics.expected_calibration_error(1 - sure, is_ai) == pytest.approx(1)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    truth, covered = 0.8413, 0  # share of N(1, 1) above 0
    rng = np.random.default_rng(5)
    for seed in range(60):
        is_ai = np.arange(300) % 2 == 0
        lead = rng.normal(size=300) + np.where(is_ai, 1.0, -1.0)
        figure = metrics.bootstrap_ci(
            metrics.balanced_accuracy, 1 / (1 + np.exp(-lead)), is_ai, seed
        )
        assert figure.low <= figure.value <= figure.high
        covered += figure.low <= truth <= figure.high
    assert 52 <= covered <= 60


def test_wilson_interval_from_the_literature():
    figure = metrics.wilson_ci(81, 263)  # Newcombe 1998, table I: 0.2553 to 0.3662
    assert figure.low == pytest.approx(0.2553, abs=1e-4)
    assert figure.high == pytest.approx(0.3662, abs=1e-4)
    assert metrics.wilson_ci(0, 20).low == 0
    assert metrics.wilson_ci(20, 20).high == pytest.approx(1)


def test_worst_mistakes_and_kinds_done_by_hand(monkeypatch):
    monkeypatch.setattr(metrics, "RESAMPLES", 10)
    monkeypatch.setattr(metrics, "WORST_K", 3)
    p_ai = np.array([0.9, 0.2, 0.1, 0.95, 0.9, 0.8, 0.6, 0.3])
    is_ai = np.array([True, True, True, False, False, False, False, False])
    called = np.where(p_ai > 0.7, "ai", "uncertain")
    groups = ["g1", "g1", "g2", "face", "face", "shop", "shop", "shop"]
    kinds = [{"grey"}, (), (), {"portraits"}, {"portraits", "grey"}, (), {"stock"}, {"stock"}]
    eras = [*["not known"] * 6, "2005 to 2014", "2005 to 2014"]
    found = metrics.summarise(p_ai, is_ai, called, groups, kinds, eras)
    assert found.worst_false_alarms == {"face": 2, "shop": 1}
    assert found.worst_misses == {"g2": 1, "g1": 1}
    shares = {name: figure.value for name, figure in found.real_kinds_called_ai.items()}
    assert shares == {"portraits": 1, "grey": 1, "stock": 0}  # an AI picture accuses nobody
    eras = {name: (f.value, f.count) for name, f in found.real_eras_called_ai.items()}
    assert eras == {"not known": (1, 3), "2005 to 2014": (0, 2)}


def test_an_interval_by_sources_is_wider_where_sources_differ():
    source = np.repeat(np.arange(10), 20)
    mixed, apart = np.arange(200) % 2 == 0, source % 2 == 0
    by_picture = metrics.wilson_ci(100, 200)
    assert metrics.clustered_ci(mixed, source) == by_picture
    wide = metrics.clustered_ci(apart, source)
    assert (wide.value, wide.count) == (0.5, 200)
    assert wide.low < by_picture.low - 0.1
    assert wide.high > by_picture.high + 0.1
    alone = metrics.clustered_ci(apart, np.full(200, "all"))
    assert alone == by_picture


def test_one_class_has_no_figures():
    with pytest.raises(DataError, match="empty"):
        metrics.summarise(np.array([0.5]), np.array([True]), np.array(["ai"]), ["x"])
