import pytest
from helpers import fill

from realitycheck.data.folders import ai_class, find
from realitycheck.errors import DataError


def test_finds_prepared_splits(folder):
    splits = find(folder)
    assert splits.classes == ["ai", "real"]
    assert {name: len(part) for name, part in splits.sets.items()} == {
        "train": 24,
        "val": 12,
        "test": 12,
    }
    assert all(s.path.parent.name == splits.classes[s.label] for s in splits["test"])


def test_unusable_folders_say_what_is_wrong(tmp_path, folder):
    with pytest.raises(DataError, match="no folder"):
        find(tmp_path / "missing")
    with pytest.raises(DataError, match="found none"):
        find(tmp_path)
    fill(tmp_path / "one" / "ai", 3, 0)
    with pytest.raises(DataError, match="only 'ai'"):
        find(tmp_path / "one")
    (tmp_path / "one" / "real").mkdir()
    with pytest.raises(DataError, match="too few"):
        find(tmp_path / "one")
    fill(tmp_path / "mixed" / "train" / "ai", 3, 0)
    fill(tmp_path / "mixed" / "train" / "real", 3, 9)
    fill(tmp_path / "mixed" / "val" / "ai", 3, 20)
    fill(tmp_path / "mixed" / "val" / "photo", 3, 30)
    with pytest.raises(DataError, match="photo"):
        find(tmp_path / "mixed")
    with pytest.raises(DataError, match="no unseen pictures of ai or real"):
        find(folder)["unseen"]


def test_the_ai_class_is_recognised_or_asked_for():
    assert ai_class(["ai", "real"]) == "ai"
    assert ai_class(["FAKE", "REAL"]) == "FAKE"
    assert ai_class(["camera", "midjourney"], "midjourney") == "midjourney"
    with pytest.raises(DataError, match="--ai-class"):
        ai_class(["camera", "midjourney"])
    with pytest.raises(DataError, match="--ai-class"):
        ai_class(["ai", "real"], "robot")


def test_a_folder_may_hold_a_test_set_only(tmp_path):
    fill(tmp_path / "test" / "ai", 2, 0)
    fill(tmp_path / "test" / "real", 2, 9)
    splits = find(tmp_path)
    assert len(splits["test"]) == 4
    with pytest.raises(DataError, match="no train pictures"):
        _ = splits["train"]
