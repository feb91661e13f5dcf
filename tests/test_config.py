import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import new_config

from realitycheck.committee.abstention import Abstention
from realitycheck.committee.cnn import MEAN, STD
from realitycheck.committee.stack import Stack
from realitycheck.committee.views import Preprocessing
from realitycheck.config import FORMAT, read_config
from realitycheck.errors import CheckpointError

VERSION_4 = Path(__file__).parent / "recorded" / "version-4-config.json"
MINIMAL = {"arch": "resnet50", "classes": ["ai", "real"], "ai_class": "ai"}


def test_a_config_is_read_as_it_was_written():
    config = new_config(
        stack=Stack((1.5,), -0.25),
        calibrated=True,
        abstention=Abstention(0.8, 0.3),
        version="7",
        sha256={"model.safetensors": "ab"},
    )
    again, record = read_config(config.to_json())
    assert again == config
    assert record is None
    assert again.members[0].preprocessing.mean == MEAN  # a tuple, as it was


def test_two_members_are_read_as_they_were_written():
    one = new_config()
    (first,) = one.members
    second = replace(first, name="second", preprocessing=Preprocessing("whole", 224, MEAN, STD))
    config = replace(one, members=(first, second), stack=Stack((1.0, 2.0), 0.5))
    assert read_config(config.to_json())[0] == config
    assert config.side == 224
    assert config.arch == "resnet50+resnet50"


def test_quick_mode_asks_the_transformer_or_else_the_first_member():
    one = new_config(abstention=Abstention(0.8, 0.3))
    (first,) = one.members
    names = ["second", "transformer"]
    members = (first, *(replace(first, name=name) for name in names))
    config = replace(one, members=members, stack=Stack((1.0, 2.0, 0.5), 0.25))
    quick = config.quick()
    assert [member.name for member in quick.members] == ["transformer"]
    assert quick.stack == Stack((3.5,), 0.25)  # as if the others said the same
    assert one.quick().members == one.members
    assert quick.abstention.ai > 0.8
    assert quick.abstention.real < 0.3


def test_version_4s_config_is_a_committee_of_one():
    old = json.loads(VERSION_4.read_text(encoding="utf-8"))
    config, record = read_config(VERSION_4.read_text(encoding="utf-8"))
    assert config.format == FORMAT == 3
    assert (config.classes, config.ai_class) == (("ai", "real"), "ai")
    (member,) = config.members
    assert (member.name, member.arch) == ("resnet50", "resnet50")
    assert member.files == ("model.safetensors",)
    assert member.preprocessing == Preprocessing("native", 176, MEAN, STD)
    assert config.stack.weights == (1 / old["temperature"],)
    assert config.stack.bias == old["shift"]
    assert config.calibrated
    assert config.abstention == Abstention(old["thresholds"]["ai"], old["thresholds"]["real"])
    assert (config.version, config.sha256) == ("4", old["sha256"])
    # Its record is read as well, the runs behind it in the order they were made.
    assert [step["epochs"] for step in record.training][-1] == old["training"]["epochs"]
    assert record.data == old["data"]
    assert len(record.sources) == len(old["sources"])
    assert set(record.metrics) == set(old["metrics"])


def test_format_2_weighs_all_views_alike():
    new = new_config()
    (member,) = new.members
    weighed = replace(member.preprocessing, native_weight=0.4)
    text = replace(new, members=(replace(member, preprocessing=weighed),)).to_json()
    assert read_config(text)[0].members[0].preprocessing == weighed
    values = json.loads(text)
    del values["members"][0]["preprocessing"]["native_weight"]
    old, _ = read_config(json.dumps({**values, "format": 2}))
    assert old.members[0].preprocessing.native_weight == 1.0


def test_what_format_1_may_leave_out():
    config, record = read_config(json.dumps(MINIMAL))
    assert config == new_config()
    assert record.training == ()
    old = {**MINIMAL, "preprocessing": {"mode": "whole", "size": 224}}
    (member,) = read_config(json.dumps(old))[0].members
    assert member.preprocessing == Preprocessing("whole", 224, MEAN, STD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        json.dumps({**MINIMAL, "temperature": 0}),
        json.dumps({**MINIMAL, "temperature": "warm"}),
        json.dumps({**MINIMAL, "thresholds": {"ai": 0.2, "real": 0.8}}),
        json.dumps({**MINIMAL, "thresholds": {"robot": 0.2}}),
        json.dumps({**MINIMAL, "classes": ["ai"]}),
        json.dumps({**MINIMAL, "ai_class": "robot"}),
        json.dumps({**MINIMAL, "arch": "alexnet"}),
        json.dumps({**MINIMAL, "preprocessing": {"mode": "sideways"}}),
        json.dumps({**MINIMAL, "metrics": {"test": {"clean": {}}}}),
        json.dumps({**MINIMAL, "format": "two"}),
        json.dumps({**MINIMAL, "format": FORMAT}),
        json.dumps({**json.loads(new_config().to_json()), "members": []}),
        json.dumps({**json.loads(new_config().to_json()), "stack": {"weights": [], "bias": 0}}),
        json.dumps({**json.loads(new_config().to_json()), "stack": None}),
    ],
)
def test_what_is_no_config_is_refused_in_words(text):
    with pytest.raises(CheckpointError):
        read_config(text)


def test_a_newer_layout_asks_for_an_update():
    with pytest.raises(CheckpointError, match="Update RealityCheck"):
        read_config(json.dumps({"format": FORMAT + 1}))
