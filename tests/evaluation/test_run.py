import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from realitycheck import checkpoints, controls, data, evaluation, faithfulness, model
from realitycheck.checkpoints import Config
from realitycheck.data import Sample
from realitycheck.errors import DataError, RealityCheckError
from realitycheck.training import RECIPES

RNG = np.random.default_rng(0)


def scores(count=400):
    is_ai = np.arange(count) % 2 == 0
    lead = RNG.normal(size=count) + np.where(is_ai, 1.0, -1.0)
    return lead, is_ai


def test_calibration_recovers_the_odds():
    lead, is_ai = scores(20_000)
    # For unit normals at +1 and -1 the log odds are exactly twice the value.
    logits = torch.tensor(np.stack([lead, np.zeros_like(lead)], axis=1))
    temperature, shift = evaluation.calibrate(logits, np.where(is_ai, 0, 1), 0)
    assert temperature == pytest.approx(0.5, rel=0.05)
    assert shift == pytest.approx(0, abs=0.05)
    config = Config("resnet50", ["ai", "real"], "ai", temperature=temperature, shift=shift)
    p_ai = config.probabilities(logits)[:, 0].numpy()
    assert evaluation.expected_calibration_error(p_ai, is_ai) < 0.03


def test_calibration_ignores_how_common_a_class_is():
    lead, is_ai = scores(20_000)
    keep = is_ai | (np.arange(20_000) % 10 == 1)
    logits = torch.tensor(np.stack([lead, np.zeros_like(lead)], axis=1))[keep]
    _, shift = evaluation.calibrate(logits, np.where(is_ai, 0, 1)[keep], 0)
    assert shift == pytest.approx(0, abs=0.1)


def test_calibration_refuses_a_network_that_learned_nothing():
    lead, is_ai = scores()
    logits = torch.tensor(np.stack([-lead, np.zeros_like(lead)], axis=1))
    with pytest.raises(RealityCheckError, match="does not tell"):
        evaluation.calibrate(logits, np.where(is_ai, 0, 1), 0)


def test_thresholds_keep_false_accusations_rare():
    for count in (40, 401, 5000):
        lead, is_ai = scores(count)
        p_ai = 1 / (1 + np.exp(-lead))
        thresholds = evaluation.choose_thresholds(p_ai, is_ai)
        assert (p_ai[~is_ai] >= thresholds["ai"]).mean() <= 0.025
        assert (p_ai[is_ai] <= thresholds["real"]).mean() <= 0.10 + 1 / is_ai.sum()
        assert thresholds["real"] <= 0.5 <= thresholds["ai"]


def test_a_strong_model_still_needs_even_odds_to_accuse():
    lead, is_ai = scores(4000)
    thresholds = evaluation.choose_thresholds(1 / (1 + np.exp(-4 * lead)), is_ai)
    assert thresholds["real"] <= 0.5 <= thresholds["ai"]


def test_unreadable_pictures_are_left_out_and_counted(checkpoint, folder, tmp_path, caplog):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"broken")
    samples = [Sample(broken, 0), *data.find(folder)["test"]]
    loaded = checkpoints.load(checkpoint)
    config = loaded.config
    outputs = evaluation.run_network(loaded.model, config, samples, workers=0)
    assert outputs.samples == samples[1:]
    assert len(outputs.logits) == len(outputs.parts) == len(outputs.poor) == 12
    assert "1 of 13 pictures" in caplog.text
    with pytest.raises(DataError, match="every class"):
        evaluation.run_network(loaded.model, config, samples[:3], workers=0)


def test_metrics_on_cases_done_by_hand():
    p_ai = np.array([0.9, 0.8, 0.4, 0.7, 0.2, 0.1])
    is_ai = np.array([True, True, True, False, False, False])
    assert evaluation.balanced_accuracy(p_ai, is_ai) == pytest.approx(2 / 3)
    assert evaluation.auc(p_ai, is_ai) == pytest.approx(8 / 9)
    assert evaluation.detection_rate(p_ai, is_ai, 0.01) == pytest.approx(2 / 3)
    assert evaluation.detection_rate(p_ai, is_ai, 0.34) == pytest.approx(1)
    sure = np.array([1.0, 1, 1, 0, 0, 0])
    assert evaluation.expected_calibration_error(sure, is_ai) == 0
    assert evaluation.expected_calibration_error(1 - sure, is_ai) == pytest.approx(1)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    truth, covered = 0.8413, 0  # share of N(1, 1) above 0
    rng = np.random.default_rng(5)
    for seed in range(60):
        is_ai = np.arange(300) % 2 == 0
        lead = rng.normal(size=300) + np.where(is_ai, 1.0, -1.0)
        figure = evaluation.interval(
            evaluation.balanced_accuracy, 1 / (1 + np.exp(-lead)), is_ai, seed
        )
        assert figure["low"] <= figure["value"] <= figure["high"]
        covered += figure["low"] <= truth <= figure["high"]
    assert 52 <= covered <= 60


def test_wilson_interval_from_the_literature():
    figure = evaluation.wilson(81, 263)  # Newcombe 1998, table I: 0.2553 to 0.3662
    assert figure["low"] == pytest.approx(0.2553, abs=1e-4)
    assert figure["high"] == pytest.approx(0.3662, abs=1e-4)
    assert evaluation.wilson(0, 20)["low"] == 0
    assert evaluation.wilson(20, 20)["high"] == pytest.approx(1)


def test_worst_mistakes_and_kinds_done_by_hand(monkeypatch):
    monkeypatch.setattr(evaluation, "RESAMPLES", 10)
    monkeypatch.setattr(evaluation, "GALLERY", 3)
    p_ai = np.array([0.9, 0.2, 0.1, 0.95, 0.9, 0.8, 0.6, 0.3])
    is_ai = np.array([True, True, True, False, False, False, False, False])
    called = np.where(p_ai > 0.7, "ai", "uncertain")
    groups = ["g1", "g1", "g2", "face", "face", "shop", "shop", "shop"]
    kinds = ["", "", "", "portrait", "portrait", "", "stock", "stock"]
    found = evaluation.summarise(p_ai, is_ai, called, groups, kinds)
    assert found["worst_false_alarms"] == {"face": 2, "shop": 1}
    assert found["worst_misses"] == {"g2": 1, "g1": 1}
    shares = {name: figure["value"] for name, figure in found["real_kinds_called_ai"].items()}
    assert shares == {"portrait": 1, "stock": 0}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    network = model.build_model("resnet50", 2).eval()
    folder = tmp_path_factory.mktemp("models") / "RealityCheck"
    checkpoints.save(folder, network, Config("resnet50", ["ai", "real"], "ai"), half=True)
    return folder


def test_the_command_measures_groups_and_writes_what_it_prints(
    checkpoint, folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(evaluation, "RESAMPLES", 50)
    monkeypatch.setattr(faithfulness, "PICTURES", 4)
    manifest = ["file,generator,set,content"]
    for path in sorted((folder / "test").rglob("*.png")):
        kind = "Painter 3" if "ai" in path.parts else "shop"
        manifest.append(f"{path.relative_to(folder)},{kind},{kind},food")
    (folder / "manifest.csv").write_text("\n".join(manifest))
    try:
        written = evaluation.run(
            folder,
            str(checkpoint),
            output=tmp_path / "out",
            conditions=["clean", "hard"],
            workers=0,
            explanations=True,
            export=tmp_path / "small",
        )
    finally:
        (folder / "manifest.csv").unlink()
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == written
    assert set(written["sets"]) == {"test"}
    figures = written["sets"]["test"]["clean"]
    assert figures["pictures"] == {"ai": 6, "real": 6}
    assert set(figures["generators"]) == {"Painter 3"}
    assert figures["real_sources"]["shop"]["count"] == 6
    printed = capsys.readouterr().out
    assert "Painter 3" in printed
    assert f"{100 * figures['balanced_accuracy']['value']:.1f}" in printed
    confusion = figures["confusion"]
    assert sum(confusion["ai"].values()) == sum(confusion["real"].values()) == 6
    assert figures["verdicts"]["ai_called_ai"]["value"] == confusion["ai"]["ai"] / 6
    scores = list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))
    assert len(scores) == 24
    found = [float(s["p_ai"]) for s in scores if s["condition"] == "clean"]
    truth = np.array([s["is_ai"] == "1" for s in scores if s["condition"] == "clean"])
    again = evaluation.balanced_accuracy(np.array(found), truth)
    assert again == pytest.approx(figures["balanced_accuracy"]["value"], abs=1e-5)
    report = (tmp_path / "out" / "report.md").read_text()
    drawn = re.findall(r"\((.*?\.png)\)", report)
    assert set(drawn) == {path.name for path in (tmp_path / "out").glob("*.png")}
    assert {"reliability.png", "roc.png", "robustness.png", "groups-test.png"} <= set(drawn)
    assert "## Maps" in report
    exported = checkpoints.load(tmp_path / "small")
    changed = written["sets"]["test"].pop("hard")
    kept = exported.config.metrics["test"].pop("hard")
    assert exported.config.metrics == written["sets"]
    assert set(changed) - set(kept) == set(evaluation.GROUPED)
    assert kept == {key: changed[key] for key in kept}
    assert exported.config.explanations == written["explanations"]
    card = (tmp_path / "small" / "README.md").read_text()
    for said in ("balanced accuracy", "| test | food |", "Painter 3", "Worst mistakes", "Deletion"):
        assert said in card
    assert "maps: mean of 4 pictures" in printed


def test_an_interrupted_measurement_keeps_what_was_finished(
    checkpoint, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(evaluation, "RESAMPLES", 10)
    finished = evaluation.run_network

    def interrupted(*args, **options):
        if args[3] == "hard":
            raise KeyboardInterrupt
        return finished(*args, **options)

    monkeypatch.setattr(evaluation, "run_network", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluation.run(
            folder, str(checkpoint), output=tmp_path, conditions=["clean", "hard"], workers=0
        )
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert set(written["sets"]["test"]) == {"clean"}
    scores = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert len(scores) == 12
    assert {row["condition"] for row in scores} == {"clean"}


def test_a_swap_of_formats_saves_one_class_again(checkpoint, folder):
    loaded = checkpoints.load(checkpoint)
    noise = [sample.path for sample in data.find(folder)["test"] if sample.label == 1]
    samples = [Sample(path, position % 2) for position, path in enumerate(noise)]
    views = {
        name: [
            evaluation._Views(samples, name, loaded.config.preprocessing, 0)[i][1]
            for i in range(len(samples))
        ]
        for name in ("clean", *evaluation.SWAPS)
    }
    for name, ai_changes in evaluation.SWAPS.items():
        for sample, before, after in zip(samples, views["clean"], views[name], strict=True):
            assert torch.equal(before, after) != ((sample.label == 0) == ai_changes)


def test_all_conditions_come_with_the_controls(checkpoint, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluation, "RESAMPLES", 50)
    monkeypatch.setattr(evaluation, "CONDITIONS", {"clean": evaluation.CONDITIONS["clean"]})
    written = evaluation.run(
        folder, str(checkpoint), output=tmp_path, conditions=["all"], workers=0
    )
    assert set(written["sets"]["test"]) == {"clean", *evaluation.SWAPS}
    assert set(written["controls"]) == set(controls.CONTROLS)
    assert "thumbnails" in (tmp_path / "report.md").read_text()
    assert "control, size" in capsys.readouterr().out


def test_evaluation_and_detector_give_the_same_answer(checkpoint, folder):
    from realitycheck.detector import Detector

    detector = Detector.from_pretrained(checkpoint)
    samples = data.find(folder)["test"][::3]
    network = checkpoints.load(checkpoint).model
    outputs = evaluation.run_network(network, detector.config, samples, workers=0)
    answers = [detector.predict(sample.path) for sample in samples]
    measured = outputs.p_ai(detector.config)
    assert measured == pytest.approx([a.probabilities["ai"] for a in answers], abs=1e-5)
    assert list(outputs.verdicts(detector.config)) == [a.verdict for a in answers]


def test_a_verdict_is_withheld_where_parts_or_picture_forbid_it():
    config = Config("resnet50", ["ai", "real"], "ai")
    sure, against = [4.0, 0.0], [0.0, 0.5]
    parts = [torch.tensor(views) for views in ([sure], [sure], [sure, sure, against, against])]
    logits = torch.stack([views.mean(dim=0) for views in parts])
    samples = [Sample(Path("x"), 0)] * 3
    outputs = evaluation.Outputs(samples, logits, parts, np.array([False, True, False]))
    assert list(outputs.verdicts(config)) == ["ai", "uncertain", "uncertain"]


def folder_without_test(folder, tmp_path):
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "train").symlink_to(folder / "train")
    return tmp_path / "short"


def test_a_changed_test_set_is_noticed(folder, caplog):
    splits = data.find(folder)
    config = Config("resnet50", ["ai", "real"], "ai", data=evaluation.describe_data(splits))
    evaluation._warn_if_changed("test", splits, config)
    assert not caplog.text
    splits.sets["test"].pop()
    evaluation._warn_if_changed("test", splits, config)
    assert "not the one recorded" in caplog.text


def test_wrong_requests_say_what_is_possible(checkpoint, folder, tmp_path):
    with pytest.raises(RealityCheckError, match="clean, web"):
        evaluation.run(folder, str(checkpoint), output=tmp_path, conditions=["dirty"])
    for name in ("cats", "dogs"):
        (tmp_path / "zoo" / "train" / name).mkdir(parents=True)
        source = folder / "train" / "ai" / "train0.png"
        (tmp_path / "zoo" / "train" / name / "a.png").write_bytes(source.read_bytes())
    with pytest.raises(DataError, match="cats"):
        evaluation.run(tmp_path / "zoo", str(checkpoint), output=tmp_path)
    with pytest.raises(DataError, match="no test set"):
        evaluation.run(folder_without_test(folder, tmp_path), str(checkpoint), output=tmp_path)
    with pytest.raises(DataError, match="empty"):
        evaluation.summarise(np.array([0.5]), np.array([True]), np.array(["ai"]), ["x"], [""])


def test_groups_without_a_manifest_are_sub_folders(tmp_path):
    config = Config("resnet50", ["ai", "real"], "ai")
    samples = [
        Sample(tmp_path / "test" / "ai" / "dalle" / "a.png", 0),
        Sample(tmp_path / "test" / "real" / "b.png", 1),
    ]
    assert evaluation.group_names(samples, tmp_path, config) == ["dalle", "all"]


def test_a_second_training_records_the_first_and_no_folder_of_this_machine(checkpoint, folder):
    first = Config("resnet50", ["ai", "real"], "ai", training={"epochs": 7})
    (checkpoint.parent / "first").mkdir()
    (checkpoint.parent / "first" / "config.json").write_text(first.to_json())
    recipe = replace(RECIPES["full"], weights=str(checkpoint.parent / "first"))
    splits = data.find(folder)
    config = evaluation.uncalibrated_config(recipe, splits, "ai", [])
    assert config.training["started_from"] == {"epochs": 7}
    assert str(checkpoint.parent) not in config.to_json()
