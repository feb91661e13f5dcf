import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import ROOT, drawing
from PIL import Image, ImageOps
from saving import TWO

import realitycheck
from realitycheck import checkpoints
from realitycheck.committee.abstention import (
    COLOURLESS_AI_ODDS,
    COLOURLESS_REAL_ODDS,
    decide,
)
from realitycheck.detector import BATCH, PERTURBED, Detector
from realitycheck.errors import PictureError
from realitycheck.images.perturbations import PERTURBATIONS
from realitycheck.wording import QUICK

BUNDLED = pytest.param("detector", marks=pytest.mark.slow, id="bundled")


@pytest.fixture(params=["quick_detector", BUNDLED])
def any_detector(request):
    """For what holds whatever the networks: one of random weights, and in slow runs the bundled."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def two_threads():
    """With which an engine runs chunks side by side, on whatever machine."""
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(usual)


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
    parts = [view["p_ai"] for view in prediction.views]
    assert prediction.verdict == decide(p_ai, parts, [], detector.config.abstention).verdict
    assert prediction.sentence


def test_each_witness_says_what_it_alone_would(two, picture):
    committee = Detector.from_pretrained(two)
    prediction = committee.predict(picture)
    # The one that weighs most comes first, and its maps stand for the answer.
    assert [witness.name for witness in prediction.witnesses] == ["transformer", "resnet50"]
    assert prediction.heatmaps is prediction.witnesses[0].heatmaps
    for witness in prediction.witnesses:
        position = TWO.index(witness.name)
        found = checkpoints.load(two)
        alone = committee.config.alone(position)
        member = found.members[position]
        same = Detector(replace(found, config=alone, members=(member,))).predict(picture)
        assert witness.p_ai == pytest.approx(same.probabilities["ai"], abs=1e-6)
        assert (witness.heatmaps["ai"] == same.heatmaps["ai"]).all()
        parts = [view["p_ai"] for view in prediction.views if view["witness"] == witness.name]
        assert parts == pytest.approx([view["p_ai"] for view in same.views], abs=1e-6)
    first, second = (witness.heatmaps for witness in prediction.witnesses)
    assert any((first[name] != second[name]).any() for name in first)
    assert prediction.report()["witnesses"] == [
        {"name": witness.name, "p_ai": witness.p_ai} for witness in prediction.witnesses
    ]
    assert not any(w.heatmaps for w in committee.predict(picture, explain=False).witnesses)


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


def test_bars_change_neither_answer_nor_map(detector):
    image = Image.open(ROOT / "examples" / "cat.jpg").convert("RGB")  # 451 x 300
    plain = detector.predict(image)
    framed = detector.predict(ImageOps.expand(image, (0, 70), "black"))
    assert framed.probabilities == pytest.approx(plain.probabilities, abs=1e-5)
    assert framed.heatmap.shape == (437, 448)
    assert not framed.heatmap[:69].any()
    assert not framed.heatmap[-69:].any()
    assert np.abs(framed.heatmap[70:367] - plain.heatmap[:297]).mean() < 0.05
    assert any("Bars" in warning for warning in framed.warnings)
    assert framed.picture.image.size == (451, 440)


@pytest.mark.usefixtures("two_threads")
def test_threads_do_not_mix_up_visitors(any_detector):
    detector = any_detector
    pictures = [drawing(180, 170, seed) for seed in range(6)]
    alone = [detector.predict(p) for p in pictures]
    assert len({round(prediction.probabilities["ai"], 4) for prediction in alone}) == 6
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
    assert good.probabilities == pytest.approx(also_good.probabilities, abs=1e-5)
    assert not good.heatmaps
    with pytest.raises(ValueError, match="explain=True"):
        _ = good.heatmap
    with pytest.raises(PictureError):
        detector.predict(b"no picture")


def in_turn(detector, source, explain):
    try:
        return detector.predict(source, explain)
    except PictureError as error:
        return error


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("explain", [False, True])
def test_a_batch_gives_what_asking_one_by_one_gives(any_detector, explain):
    detector = any_detector
    sizes = [(300, 240), (64, 64), (700, 90), (176, 176), (900, 800), (120, 400), (200, 200)]
    asked = [drawing(*size, seed) for seed, size in enumerate(sizes)]
    asked[2:2] = [b"no picture", "/missing.png"]
    # Enough for two parts, the second begins with an error.
    asked += [drawing(90 + seed, 80, seed) for seed in range(7, 7 + BATCH - len(asked))]
    asked += [drawing(40, 40), drawing(250, 190, 50), drawing(180, 300, 51)]
    together = list(detector.predict_batch(iter(asked), explain))
    assert len(together) == len(asked) == BATCH + 3
    for source, found in zip(asked, together, strict=True):
        alone = in_turn(detector, source, explain)
        assert type(found) is type(alone)
        if isinstance(alone, PictureError):
            assert str(found) == str(alone)
            continue
        assert found.picture.image.size == alone.picture.image.size
        assert (found.verdict, found.warnings) == (alone.verdict, alone.warnings)
        assert found.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
        assert [v["box"] for v in found.views] == [v["box"] for v in alone.views]
        parts = [[v["p_ai"] for v in prediction.views] for prediction in (found, alone)]
        assert parts[0] == pytest.approx(parts[1], abs=1e-5)
        assert set(found.heatmaps) == set(alone.heatmaps) == ({"ai", "real"} if explain else set())
        for name, heatmap in found.heatmaps.items():
            assert np.abs(heatmap - alone.heatmaps[name]).max() < 1e-3
    assert sum(isinstance(found, PictureError) for found in together) == 3


def test_a_batch_reads_a_few_pictures_ahead_at_most(quick_detector):
    taken = []
    picture = drawing(64, 64)

    def endless():
        while True:
            taken.append(picture)
            yield picture

    found = quick_detector.predict_batch(endless())
    next(found)
    found.close()
    assert len(taken) <= 2 * BATCH
    assert list(quick_detector.predict_batch([])) == []


def test_a_batch_passes_on_what_its_source_raises(quick_detector, picture):
    def broken():
        yield picture
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(quick_detector.predict_batch(broken()))


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
    assert len(parts) > 1
    assert min(parts) <= prediction.probabilities["ai"] <= max(parts)


def test_quick_mode_answers_by_the_whole_alone_and_says_so(detector):
    quick = Detector.from_pretrained(checkpoints.BUNDLE, quick=True)
    image = drawing(400, 300)
    answer, full = quick.predict(image), detector.predict(image, explain=False)
    (whole,) = [view for view in full.views if view["kind"] == "whole"]
    assert [view["box"] for view in answer.views] == [whole["box"]]
    assert answer.probabilities["ai"] == pytest.approx(whole["p_ai"], abs=1e-5)
    assert answer.heatmap.shape == (300, 400)
    assert answer.warnings[0] == QUICK
    assert QUICK not in full.warnings
    modes = [prediction.report()["model"]["mode"] for prediction in (answer, full)]
    assert modes == ["quick", "full"]
    # How verdicts fared was measured in the full mode.
    assert full.model["calls"]
    assert not answer.model["calls"]
    assert answer.model["thresholds"]["ai"] > full.model["thresholds"]["ai"]


def test_a_picture_without_colour_is_asked_for_more(quick_detector, picture):
    rule = quick_detector.config.abstention
    grey = quick_detector.predict(picture.convert("L").convert("RGB"), explain=False)
    assert any("no colour" in warning for warning in grey.warnings)
    assert (
        grey.model["thresholds"]
        == rule.stricter(COLOURLESS_AI_ODDS, COLOURLESS_REAL_ODDS).thresholds
    )
    coloured = quick_detector.predict(picture, explain=False)
    assert not any("no colour" in warning for warning in coloured.warnings)
    assert coloured.model["thresholds"] == rule.thresholds


def test_what_withholds_a_verdict_is_said_before_all_else(quick, picture):
    hasty = Detector.from_pretrained(quick, quick=True)
    dark = hasty.predict(picture.point(lambda value: value // 8), explain=False)
    assert dark.verdict == "uncertain"
    assert "very dark" in dark.warnings[0]
    assert dark.warnings.count(dark.warnings[0]) == 1
    assert dark.warnings[1] == QUICK
    assert hasty.predict(picture, explain=False).warnings[0] == QUICK


def test_small_pictures_come_with_a_warning(detector):
    assert any("small" in w for w in detector.predict(drawing(90, 80)).warnings)
    assert not any("small" in w for w in detector.predict(drawing(300, 300)).warnings)


def test_the_package_offers_its_main_names():
    assert realitycheck.Detector.__name__ == "Detector"
    with pytest.raises(AttributeError, match="nothing"):
        _ = realitycheck.nothing


def test_perturbed_copies_are_compared_with_the_picture(any_detector, picture):
    detector = any_detector
    found = detector.predict_perturbed(picture)
    assert list(found) == ["clean", *PERTURBED]
    alone = detector.predict(picture)
    assert found["clean"].probabilities == pytest.approx(alone.probabilities, abs=1e-5)
    changed = detector.predict(PERTURBATIONS["q50"](picture), explain=False)
    assert found["q50"].probabilities == pytest.approx(changed.probabilities, abs=1e-5)
    assert found["half"].picture.image.size == (150, 120)
    small = detector.predict_perturbed(drawing(90, 80))
    assert "half" not in small
    assert "q50" in small
