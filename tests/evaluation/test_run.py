import csv
import json
import logging
import re
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from helpers import drawing, new_config

from realitycheck import checkpoints
from realitycheck.cli import main
from realitycheck.data.folders import find
from realitycheck.data.samples import Sample, describe, smallest_side
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
    assert {name: f.count for name, f in figures.real_kinds_called_ai.items()} == {"food": 6}
    assert figures.real_eras_called_ai["not known"].count == 6
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
    accused = ("real_sources_called_ai", "real_kinds_called_ai", "real_eras_called_ai")
    grouped = ("generators", "real_sources", *accused)
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


def test_the_quick_mode_is_measured_and_named(checkpoint, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(metrics, "RESAMPLES", 50)
    arguments = ["evaluate", str(folder), "--model", str(checkpoint), "--workers", "0", "--quick"]
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "metrics.json").read_text())["model"]["mode"] == "quick"
    assert ", quick mode" in (tmp_path / "report.md").read_text().splitlines()[0]
    for option in (["--export", str(tmp_path / "small")], ["--explanations"]):
        with pytest.raises(SystemExit):
            main([*arguments, *option])
        assert "leave --quick" in capsys.readouterr().err


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
    monkeypatch.setattr(conditions, "CHANGES", {"clean": conditions.CHANGES["clean"]})
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


def test_the_command_names_and_lists_what_it_leaves_out(
    checkpoint, folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(metrics, "RESAMPLES", 10)
    for label in ("ai", "real"):
        (tmp_path / "data" / "test" / label).mkdir(parents=True)
        shutil.copy(folder / "test" / label / "test0.png", tmp_path / "data" / "test" / label)
    for i in range(12):
        (tmp_path / "data" / "test" / "ai" / f"empty{i:02}.jpg").touch()
    arguments = ["evaluate", str(tmp_path / "data"), "--model", str(checkpoint), "--workers", "0"]
    options = ["--conditions", "clean", "hard", "--output", str(tmp_path / "out")]
    assert main([*arguments, *options]) == 0
    told = capsys.readouterr().err
    assert told.count("12 of 14 pictures are left out") == 1  # under two conditions
    assert told.count("12 of 14: The file is empty") == 1
    assert ("empty09.jpg: The file is empty" in told, "empty10" in told) == (True, False)
    listed = list(csv.DictReader((tmp_path / "out" / "left-out.csv").open()))
    assert len(listed) == 12
    assert "empty" in listed[-1]["why"]


def test_small_pictures_are_measured_where_they_were_trained_on(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "RESAMPLES", 10)
    for seed, label in enumerate(("ai", "real")):
        (tmp_path / "data" / "test" / label).mkdir(parents=True)
        for i in range(2):
            picture = drawing(32, 32, 10 * seed + i)
            picture.save(tmp_path / "data" / "test" / label / f"{i}.png")
    with pytest.raises(DataError, match=r"4 of 4 are 32 x 32 px.*--min-side 32"):
        run.run(tmp_path / "data", str(checkpoint), Choices(tmp_path, workers=0))
    written = run.run(tmp_path / "data", str(checkpoint), Choices(tmp_path, workers=0, min_side=32))
    assert written.sets["test"]["clean"].pictures == {"ai": 2, "real": 2}
    trained = Record(training=({"min_side": 32},))
    assert [smallest_side(trained), smallest_side(trained, 64), smallest_side(Record())] == [
        *(32, 64, 64)
    ]
