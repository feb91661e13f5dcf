import csv
import json
import logging
import re
from dataclasses import asdict

import numpy as np
import pytest
from helpers import new_config

from realitycheck import checkpoints
from realitycheck.data.folders import find
from realitycheck.data.samples import Sample, describe
from realitycheck.errors import DataError, RealityCheckError
from realitycheck.evaluation import conditions, faithfulness, metrics, run, shortcuts
from realitycheck.evaluation.metrics import balanced_accuracy
from realitycheck.evaluation.run import Choices
from realitycheck.results import Record


def test_the_command_measures_groups_and_writes_what_it_prints(
    checkpoint, folder, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(metrics, "RESAMPLES", 50)
    monkeypatch.setattr(faithfulness, "PICTURES", 4)
    caplog.set_level(logging.INFO)
    manifest = ["file,generator,set,content"]
    for path in sorted((folder / "test").rglob("*.png")):
        kind = "Painter 3" if "ai" in path.parts else "shop"
        manifest.append(f"{path.relative_to(folder)},{kind},{kind},food")
    (folder / "manifest.csv").write_text("\n".join(manifest))
    try:
        choices = Choices(
            tmp_path / "out",
            conditions=("clean", "hard"),
            workers=0,
            explanations=True,
            export=tmp_path / "small",
        )
        written = run.run(folder, str(checkpoint), choices)
    finally:
        (folder / "manifest.csv").unlink()
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == asdict(written)
    assert set(written.sets) == {"test"}
    figures = written.sets["test"]["clean"]
    assert figures.pictures == {"ai": 6, "real": 6}
    assert set(figures.generators) == {"Painter 3"}
    assert figures.real_sources["shop"].count == 6
    printed = caplog.text
    assert "Painter 3" in printed
    assert f"{100 * figures.balanced_accuracy.value:.1f}" in printed
    confusion = figures.confusion
    assert sum(confusion["ai"].values()) == sum(confusion["real"].values()) == 6
    assert figures.verdicts.ai_called_ai.value == confusion["ai"]["ai"] / 6
    scores = list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))
    assert len(scores) == 24
    found = [float(s["p_ai"]) for s in scores if s["condition"] == "clean"]
    truth = np.array([s["is_ai"] == "1" for s in scores if s["condition"] == "clean"])
    again = balanced_accuracy(np.array(found), truth)
    assert again == pytest.approx(figures.balanced_accuracy.value, abs=1e-5)
    report = (tmp_path / "out" / "report.md").read_text()
    drawn = re.findall(r"\((.*?\.png)\)", report)
    assert set(drawn) == {path.name for path in (tmp_path / "out").glob("*.png")}
    assert {"reliability.png", "roc.png", "robustness.png", "groups-test.png"} <= set(drawn)
    assert "## Maps" in report
    exported = checkpoints.load(tmp_path / "small")
    record = exported.record()
    changed = written.sets["test"].pop("hard")
    kept = record.metrics["test"].pop("hard")
    assert record.metrics == written.sets
    assert changed.generators
    assert changed.worst_misses or changed.worst_false_alarms
    grouped = ("generators", "real_sources", "real_sources_called_ai", "real_kinds_called_ai")
    for name, figure in asdict(kept).items():
        if name in (*grouped, "worst_false_alarms", "worst_misses"):
            assert figure == {}
        else:
            assert figure == asdict(changed)[name]
    assert record.explanations == written.explanations
    card = (tmp_path / "small" / "README.md").read_text()
    for said in ("balanced accuracy", "| test | food |", "Painter 3", "Worst mistakes", "Deletion"):
        assert said in card
    assert "maps: mean of 4 pictures" in printed


def test_an_interrupted_measurement_keeps_what_was_finished(
    checkpoint, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(metrics, "RESAMPLES", 10)
    finished = run.run_committee

    def interrupted(*args, **options):
        if args[3] == "hard":
            raise KeyboardInterrupt
        return finished(*args, **options)

    monkeypatch.setattr(run, "run_committee", interrupted)
    choices = Choices(tmp_path, conditions=("clean", "hard"), workers=0)
    with pytest.raises(KeyboardInterrupt):
        run.run(folder, str(checkpoint), choices)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert set(written["sets"]["test"]) == {"clean"}
    scores = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert len(scores) == 12
    assert {row["condition"] for row in scores} == {"clean"}


def test_all_conditions_come_with_the_shortcuts(checkpoint, folder, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(metrics, "RESAMPLES", 50)
    clean = conditions.PERTURBATIONS["clean"]
    monkeypatch.setattr(conditions, "PERTURBATIONS", {"clean": clean})
    caplog.set_level(logging.INFO)
    choices = Choices(tmp_path, conditions=("all",), workers=0)
    written = run.run(folder, str(checkpoint), choices)
    assert set(written.sets["test"]) == {"clean", *conditions.SWAPS}
    assert set(written.shortcuts) == set(shortcuts.SHORTCUTS)
    assert "thumbnails" in (tmp_path / "report.md").read_text()
    assert "shortcut, size" in caplog.text


def folder_without_test(folder, tmp_path):
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "train").symlink_to(folder / "train")
    return tmp_path / "short"


def test_a_changed_test_set_is_noticed(folder, caplog):
    splits = find(folder)
    record = Record(data=describe(splits))
    run._warn_if_changed("test", splits, record)
    assert not caplog.text
    splits.sets["test"].pop()
    run._warn_if_changed("test", splits, record)
    assert "not the one recorded" in caplog.text


def test_wrong_requests_say_what_is_possible(checkpoint, folder, tmp_path):
    with pytest.raises(RealityCheckError, match="clean, web"):
        run.run(folder, str(checkpoint), Choices(tmp_path, conditions=("dirty",)))
    for name in ("cats", "dogs"):
        (tmp_path / "zoo" / "train" / name).mkdir(parents=True)
        source = folder / "train" / "ai" / "train0.png"
        (tmp_path / "zoo" / "train" / name / "a.png").write_bytes(source.read_bytes())
    with pytest.raises(DataError, match="cats"):
        run.run(tmp_path / "zoo", str(checkpoint), Choices(tmp_path))
    with pytest.raises(DataError, match="no test set"):
        run.run(folder_without_test(folder, tmp_path), str(checkpoint), Choices(tmp_path))


def test_groups_without_a_manifest_are_sub_folders(tmp_path):
    samples = [
        Sample(tmp_path / "test" / "ai" / "dalle" / "a.png", 0),
        Sample(tmp_path / "test" / "real" / "b.png", 1),
    ]
    assert run.group_names(samples, tmp_path, new_config()) == ["dalle", "all"]
