import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from realitycheck.evaluation import metrics
from realitycheck.results import AttackMetrics, Interval, Record, SetMetrics, Source
from realitycheck.tables import COLUMNS, markdown, measurement_table, plain_table, training_tables
from realitycheck.track_record import track_record

VERSION_4 = Path(__file__).parent / "recorded" / "version-4-config.json"


@pytest.fixture(scope="module")
def old():
    return json.loads(VERSION_4.read_text(encoding="utf-8"))


@pytest.fixture
def measured(monkeypatch) -> SetMetrics:
    monkeypatch.setattr(metrics, "RESAMPLES", 10)
    p_ai = np.array([0.9, 0.8, 0.4, 0.7, 0.2, 0.1])
    is_ai = np.array([True, True, True, False, False, False])
    verdicts = np.array(["ai", "uncertain", "real", "ai", "real", "real"])
    groups = ["DALL-E", "DALL-E", "Flux", "shop", "shop", "face"]
    kinds = [(), (), (), {"food"}, (), {"portraits"}]
    return metrics.summarise(p_ai, is_ai, verdicts, groups, kinds, ["not known"] * 6)


def test_a_record_is_read_as_it_was_written(measured):
    record = Record(
        training=({"epochs": 7, "crop_sizes": [64, 96]}, {"epochs": 9}),
        data={"train": {"fingerprint": "ab", "ai": 3, "real": 4}},
        sources=(Source("ai", "painter", 18, "owner/painter", "CC0"), Source("real", "shop", 2)),
        metrics={"test": {"clean": measured, "hard": measured.without_groups()}},
        explanations={"test": {"deletion": Interval(0.1, -0.05, 0.2, 12)}},
        attacks={
            "test": [
                AttackMetrics("", "clean", "a", measured.without_groups()),
                AttackMetrics("a", "attacked", "a", measured, Interval(9.0, 8.0, 10.0, 6)),
            ]
        },
    )
    text = json.dumps(record.to_json())
    assert Record.from_json(json.loads(text)) == record
    assert Record.from_json({}) == Record()


def test_figures_of_version_4_are_read_under_their_names_of_today(old):
    record = Record.from_json(old)
    before, after = old["metrics"]["test"]["clean"], record.metrics["test"]["clean"]
    assert after.verdicts.coverage.value == before["verdicts"]["decided"]["value"]
    selective = after.verdicts.selective_accuracy
    assert selective.value == before["verdicts"]["right_when_decided"]["value"]
    assert after.verdicts.real_called_real is None
    assert after.tpr_at_fpr == {
        "1": before["tpr_at_1_percent_fpr"],
        "5": before["tpr_at_5_percent_fpr"],
    }
    assert after.auc == Interval(**before["auc"])
    assert after.generators["Disco Diffusion"].count == 6
    assert set(after.generators) == set(before["generators"])
    assert after.worst_misses == before["worst_misses"]
    assert record.metrics["test"]["q50"].generators == {}
    assert record.explanations["test"]["patch"] == Interval(**old["explanations"]["test"]["patch"])
    # Written anew, they are read the same.
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_the_runs_behind_version_4_come_first_to_last(old):
    record = Record.from_json(old)
    nested, step = [], old["training"]
    while step:
        nested.insert(0, {k: v for k, v in step.items() if k != "started_from"})
        step = step.get("started_from")
    assert list(record.training) == nested
    assert len(nested) > 2
    first = old["sources"][0]
    assert record.sources[0] == Source(
        first["class"], first["set"], first["pictures"], first["source"], first["licence"]
    )


@pytest.mark.parametrize("missing", ["balanced_accuracy", "auc", "verdicts"])
def test_figures_that_lack_something_are_refused(old, missing):
    values = {k: v for k, v in old["metrics"]["test"]["clean"].items() if k != missing}
    with pytest.raises(KeyError, match=missing):
        SetMetrics.from_json(values)
    with pytest.raises((TypeError, AttributeError)):
        SetMetrics.from_json({**values, missing: None})


def test_groups_can_be_left_out(measured):
    short = measured.without_groups()
    assert measured.generators
    assert measured.worst_misses
    assert short.generators == short.worst_misses == short.real_kinds_called_ai == {}
    kept = [f.name for f in fields(SetMetrics) if getattr(short, f.name)]
    assert len(kept) == 9
    assert all(getattr(short, name) == getattr(measured, name) for name in kept)


def test_one_table_for_all(measured):
    sets = {"test": {"clean": measured, "q50": measured}, "unseen": {"clean": measured}}
    heads, rows = measurement_table(sets)
    assert heads[2:] == [column.head for column in COLUMNS]
    assert [row[:2] for row in rows] == [["test", "clean"], ["test", "q50"], ["unseen", "clean"]]
    assert all(len(row) == len(heads) for row in rows)
    assert rows[0][2] == measured.balanced_accuracy.percent()
    heads, rows = plain_table(sets, usual=True)
    assert [row[0] for row in rows] == ["test, clean", "unseen, clean"]
    assert "AUC" not in heads
    assert [row[0] for row in plain_table(sets, usual=False)[1]] == ["test, q50"]


def test_what_a_figure_looks_like():
    assert Interval(0.9123, 0.899, 0.9241).percent() == "91.2 (89.9-92.4)"
    lines = list(markdown(["a", "b"], [["x|y", "2"]]))
    assert lines == ["| a | b |", "|---|---|", "| x/y | 2 |"]


def test_settings_of_every_run_stand_side_by_side():
    record = Record(
        training=({"epochs": 7, "crop_sizes": [64, 96]}, {"epochs": 9, "lr": 0.1}),
        data={"train": {"fingerprint": "ab", "ai": 3}, "val": {"fingerprint": "cd"}},
    )
    (heads, rows), (_, counts) = training_tables(record)
    assert heads == ["setting", "step 1", "step 2"]
    assert ["epochs", "7", "9"] in rows
    assert ["crop_sizes", "64, 96", ""] in rows
    assert ["lr", "", "0.1"] in rows
    assert counts == [["train", "ab", "3"], ["val", "cd", ""]]
    assert training_tables(Record()) == []


def test_the_track_record_counts_the_largest_set_never_seen(measured):
    counts = {"ai": {"ai": 1, "uncertain": 1, "real": 1}, "real": {"ai": 1, "real": 2}}
    several = replace(measured, pictures={"ai": 300, "real": 300}, confusion={"ai": {"ai": 300}})
    known = {"test": {"clean": several}}
    assert track_record(known) == {}
    assert track_record({}) == {}
    unseen = {"unseen": {"clean": measured, "web": measured, "hard": several}}
    found = track_record({**known, **unseen})
    assert list(found) == ["clean", "web"]
    assert {k: {v: n for v, n in c.items() if n} for k, c in found["clean"].items()} == counts
    assert track_record({**unseen, "full": {"clean": several}}) == {"clean": several.confusion}


def test_the_track_record_of_a_record_without_counts(measured, old):
    rates = replace(measured, confusion={})
    found = track_record({"unseen": {"clean": rates}})["clean"]
    assert found["ai"] == {"ai": 1, "real": 1, "uncertain": 1}
    assert found["real"] == {"ai": 1, "real": 2, "uncertain": 0}
    known = replace(measured, confusion={}, verdicts=replace(measured.verdicts, ai_called_ai=None))
    assert track_record({"unseen": {"clean": known}}) == {}
    assert track_record(Record.from_json(old).metrics)["clean"]["ai"]["ai"] == 160  # version 4's
