import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import drawing
from realitycheck.views import CONDITIONS

import realitycheck
from realitycheck.detector import SURVIVAL
from realitycheck.errors import PictureError


def test_a_prediction_is_complete(detector, picture):
    prediction = detector.predict(picture)
    assert prediction.verdict in ("ai", "real", "uncertain")
    assert set(prediction.probabilities) == set(detector.config.classes)
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.label == max(prediction.probabilities, key=prediction.probabilities.get)
    assert set(prediction.heatmaps) == set(detector.config.classes)
    for heatmap in prediction.heatmaps.values():
        assert heatmap.shape == (240, 300)
        assert heatmap.min() >= 0
        assert heatmap.max() <= 1
    assert prediction.heatmap is prediction.heatmaps[prediction.label]
    p_ai = prediction.probabilities[detector.config.ai_class]
    assert prediction.verdict == detector.config.verdict(p_ai)
    assert prediction.sentence


def test_the_same_picture_gets_the_same_answer_however_it_comes(detector, picture, tmp_path):
    file = tmp_path / "a.png"
    picture.save(file)
    answers = [
        detector.predict(source, explain=explain).probabilities["ai"]
        for source in (picture, file, str(file), file.read_bytes())
        for explain in (True, False)
    ]
    assert answers == pytest.approx([answers[0]] * len(answers), abs=1e-5)


def test_different_pictures_get_different_answers(detector):
    answers = {
        round(detector.predict(drawing(200, 200, s)).probabilities["ai"], 6) for s in range(4)
    }
    assert len(answers) == 4


def test_threads_do_not_mix_up_visitors(detector):
    pictures = [drawing(180, 170, seed) for seed in range(6)]
    alone = [detector.predict(p) for p in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(detector.predict, pictures * 3))
    for i, prediction in enumerate(together):
        expected = alone[i % 6]
        assert prediction.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
        for name, heatmap in prediction.heatmaps.items():
            assert np.abs(heatmap - expected.heatmaps[name]).max() < 1e-3


def test_batch_goes_on_after_a_bad_picture(detector, picture):
    good, bad, also_good = detector.predict_batch([picture, b"no picture", picture])
    assert isinstance(bad, PictureError)
    assert good.probabilities == also_good.probabilities
    assert not good.heatmaps
    with pytest.raises(ValueError, match="explain=True"):
        _ = good.heatmap
    with pytest.raises(PictureError):
        detector.predict(b"no picture")


def test_report_is_json_and_names_model_and_file(detector, picture, tmp_path):
    file = tmp_path / "a.png"
    picture.save(file)
    report = json.loads(json.dumps(detector.predict(file).report()))
    assert report["picture"]["name"] == "a.png"
    assert (report["picture"]["width"], report["picture"]["height"]) == (300, 240)
    assert len(report["picture"]["sha256"]) == 64
    assert report["model"]["sha256"] == detector.checkpoint.sha256
    assert report["views"]
    assert all(0 <= view["p_ai"] <= 1 for view in report["views"])
    assert "path" not in json.dumps(report)
    assert detector.predict(picture).report()["picture"]["sha256"] is None


def test_probability_comes_from_the_mean_of_the_views(detector):
    prediction = detector.predict(drawing(1200, 900))
    parts = [view["p_ai"] for view in prediction.views]
    assert len(parts) > 6
    assert min(parts) <= prediction.probabilities["ai"] <= max(parts)


def test_small_pictures_come_with_a_warning(detector):
    assert any("small" in w for w in detector.predict(drawing(90, 80)).warnings)
    assert not any("small" in w for w in detector.predict(drawing(300, 300)).warnings)


def test_the_package_offers_its_main_names():
    assert realitycheck.Detector.__name__ == "Detector"
    with pytest.raises(AttributeError, match="nothing"):
        _ = realitycheck.nothing


def test_survival_compares_the_picture_with_changed_copies(detector, picture):
    found = detector.survive(picture)
    assert list(found) == ["clean", *SURVIVAL]
    assert found["clean"].probabilities == detector.predict(picture).probabilities
    changed = detector.predict(CONDITIONS["q50"](picture), explain=False)
    assert found["q50"].probabilities == changed.probabilities
    assert found["half"].picture.image.size == (150, 120)
    small = detector.survive(drawing(90, 80))
    assert "half" not in small
    assert "q50" in small
