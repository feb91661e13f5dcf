import json
from dataclasses import replace

import pytest
from helpers import new_config

from realitycheck import checkpoints
from realitycheck.data.folders import find
from realitycheck.results import Record
from realitycheck.training.recipe import RECIPES
from realitycheck.training.record import new_checkpoint


def format_1() -> dict[str, str]:
    old = {"arch": "resnet50", "classes": ["ai", "real"], "ai_class": "ai", "format": 1}
    return {"config.json": json.dumps({**old, "training": {"epochs": 7}})}


def format_2() -> dict[str, str]:
    record = Record(training=({"epochs": 7},))
    return {
        "config.json": new_config().to_json(),
        "record.json": checkpoints.record_json(record),
    }


@pytest.mark.parametrize("written", [format_1, format_2])
def test_a_second_training_records_the_first_and_no_folder_of_this_machine(
    folder, tmp_path, written
):
    (tmp_path / "first").mkdir()
    for name, text in written().items():
        (tmp_path / "first" / name).write_text(text)
    recipe = replace(RECIPES["full"], weights=str(tmp_path / "first"))
    config, record = new_checkpoint(recipe, find(folder), "ai", [])
    assert record.training[:-1] == ({"epochs": 7},)
    assert record.training[-1]["weights"] == "first"
    assert str(tmp_path) not in config.to_json() + checkpoints.record_json(record)
