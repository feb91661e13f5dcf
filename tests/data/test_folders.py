import os

import pytest
from helpers import drawing, fill

from realitycheck import images
from realitycheck.data import splitting
from realitycheck.data.folders import ai_class, class_names, find, inner_folders, picture_files
from realitycheck.data.layout import meaning, split_name
from realitycheck.data.samples import describe
from realitycheck.errors import DataError
from realitycheck.images import begins_as_picture


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


def names_in(folder):
    files, left_out = picture_files(folder)
    return [f.relative_to(folder).as_posix() for f in files], left_out


def test_linked_folders_are_followed_once_and_circles_end(tmp_path, caplog):
    fill(tmp_path / "elsewhere" / "more", 2, 0)
    fill(tmp_path / "set" / "inner", 1, 9)
    (tmp_path / "set" / "a-link").symlink_to("inner")  # sorts before what it leads to
    (tmp_path / "set" / "more").symlink_to("../elsewhere/more")
    (tmp_path / "set" / "inner" / "up").symlink_to("..")
    (tmp_path / "set" / "inner" / "top").symlink_to(tmp_path)
    (tmp_path / "set" / "self").symlink_to(".")
    (tmp_path / "elsewhere" / "more" / "back").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "round").symlink_to("round")
    (tmp_path / "set" / "one.png").symlink_to("inner/000.png")
    found, left_out = names_in(tmp_path / "set")
    assert found == ["inner/000.png", "more/000.png", "more/001.png", "one.png"]
    assert "5 linked folders" in caplog.text
    assert [left.path.name for left in left_out] == ["round"]


def test_links_to_nothing_and_closed_folders_are_said(tmp_path, monkeypatch):
    fill(tmp_path / "a", 1, 0)
    (tmp_path / "gone.jpg").symlink_to("nowhere/gone.jpg")
    (tmp_path / "notes.txt").symlink_to("nowhere/notes.txt")
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def scandir(path):
        if path == tmp_path / "closed":  # permissions do not keep root out
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found, left_out = names_in(tmp_path)
    assert found == ["a/000.png"]
    assert [left.path.name for left in left_out] == ["closed", "gone.jpg", "pipe.png"]
    closed, gone, _ = (left.why for left in left_out)
    assert "Permission denied" in closed
    assert "nowhere/gone.jpg" in gone


def test_half_a_class_behind_a_link_is_trained_on(tmp_path, caplog):
    for group, start in (("ai", 0), ("real", 50)):
        fill(tmp_path / "elsewhere" / group, 7, start)
        fill(tmp_path / "set" / group, 6, start + 20)
        (tmp_path / "set" / group / "more").symlink_to(f"../../elsewhere/{group}")
    (tmp_path / "set" / "ai" / "gone.jpg").symlink_to("nothing")
    splits = find(tmp_path / "set")
    assert sum(map(len, splits.sets.values())) == 26
    assert "1 of 27 pictures are left out" in caplog.text
    assert "gone.jpg" in caplog.text


def test_suffixes_of_cameras_and_content_where_there_is_none(tmp_path):
    for name in ("a.HIF", "b.jpe", "c.heics", "d.AVIF"):
        (tmp_path / name).touch()  # by name: what is in it is found out when it is read
    drawing(96, 80).save(tmp_path / "e.jpg_large", "JPEG")
    drawing(96, 80).save(tmp_path / "no-suffix", "TIFF")
    drawing(96, 80).save(tmp_path / "Screenshot 10.30", "PNG")
    for name, data in {
        "README": b"Holiday pictures.",
        "empty": b"",
        "BMW": b"BMW makes cars, and this is a text about them.",
        "raw.NEF": b"MM\0*" + bytes(40),
        "clip.mp4": b"\0\0\0\x18ftypisom" + bytes(40),
        "sound": b"RIFF\0\0\0\0WAVE" + bytes(40),
        "a.xmp": b"<x:xmpmeta/>",
    }.items():
        (tmp_path / name).write_bytes(data)
    found, left_out = names_in(tmp_path)
    pictures = ["a.HIF", "b.jpe", "c.heics", "d.AVIF", "e.jpg_large", "no-suffix"]
    assert sorted(found) == sorted([*pictures, "Screenshot 10.30"])
    assert not left_out


@pytest.mark.parametrize("name", images.FORMATS)
def test_every_format_is_known_by_its_beginning(name, tmp_path):
    drawing(96, 80).save(tmp_path / "picture", name)
    assert begins_as_picture((tmp_path / "picture").read_bytes()[:32])


def test_hidden_and_system_folders_are_not_looked_into(tmp_path):
    names = (".thumbnails", ".ipynb_checkpoints", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "@eadir")
    root = tmp_path / ".cache"  # a folder that is named is looked into
    for group, start in (("ai", 0), ("real", 50)):
        fill(root / group, 12, start)
        for name in names:
            fill(root / group / name / "deep", 1, start + 20)
        (root / group / "._00.png").write_bytes(b"a resource fork")
    for name in names:
        fill(root / name, 1, 99)
    splits = find(root)
    assert splits.classes == ["ai", "real"]
    assert sum(map(len, splits.sets.values())) == 24


@pytest.mark.parametrize(
    ("splits", "classes"),
    [
        (("Train", "Validation", "Test"), ("Fake", "Real")),
        (("train", "valid", "test"), ("FAKE", "REAL")),
        (("Training_Set", "dev", "testing"), ("0_fake", "1_real")),
        (("trainset", "VAL", "test_data"), ("AI-generated", "photos")),
    ],
)
def test_sets_and_classes_are_recognised_by_meaning(tmp_path, splits, classes):
    for i, name in enumerate(splits):
        for j, group in enumerate(classes):
            # One set in capitals: data sets are put together from several.
            named = group.upper() if i == 1 else group
            fill(tmp_path / name / named, 2, 20 * i + 10 * j)
    found = find(tmp_path)
    assert {name: len(found[name]) for name in ("train", "val", "test")} == dict.fromkeys(
        ("train", "val", "test"), 4
    )
    assert found.classes == sorted(classes)
    assert ai_class(class_names(tmp_path)) == classes[0]


def test_meanings():
    for name in ("ai", "1_fake", "FAKE", "AIGenerated", "AiArtData", "deepfakes", "not_real"):
        assert meaning(name) == "ai", name
    for name in ("0_real", "REAL", "nature", "non-ai", "Human", "photos", "not ai"):
        assert meaning(name) == "real", name
    for name in ("camera_midjourney", "real_or_fake", "air", "rain", "0", "Aiko", "\udce9"):
        assert meaning(name) in ("", "real"), name
    assert not meaning("real_or_fake")
    assert not meaning("Aiko")
    assert [split_name(n) for n in ("Validation", "VALID", "train set", "Testing")] == [
        *("val", "val", "train", "test")
    ]
    assert [split_name(n) for n in ("unseen", "test2", "retrain", "training dogs", "")] == [""] * 5


def test_names_that_mean_nothing_are_refused_before_a_picture_is_read(tmp_path, monkeypatch):
    def never(_):
        raise AssertionError("a picture was read")

    monkeypatch.setattr(splitting, "_perceptual_hash", never)
    fill(tmp_path / "sets" / "first" / "ai", 1, 0)
    fill(tmp_path / "sets" / "first" / "real", 1, 1)
    fill(tmp_path / "sets" / "second" / "ai", 1, 2)
    fill(tmp_path / "sets" / "second" / "real", 1, 3)
    with pytest.raises(DataError, match="train, val and test"):
        find(tmp_path / "sets")
    with pytest.raises(DataError, match="train, val and test"):
        class_names(tmp_path / "sets")
    (tmp_path / "outer").mkdir()
    (tmp_path / "sets" / "first").rename(tmp_path / "outer" / "set")
    with pytest.raises(DataError, match="one folder deeper"):
        find(tmp_path / "outer")
    fill(tmp_path / "twice" / "val" / "ai", 1, 0)
    fill(tmp_path / "twice" / "Validation" / "ai", 1, 0)
    with pytest.raises(DataError, match="both Validation and val"):
        find(tmp_path / "twice")
    fill(tmp_path / "other" / "cats", 1, 0)
    fill(tmp_path / "other" / "dogs", 1, 0)
    with pytest.raises(DataError, match=r"\['ai', 'real'\] are expected"):
        find(tmp_path / "other", wanted=("ai", "real"))


def test_a_checkpoints_classes_are_found_by_meaning_and_keep_their_order(tmp_path):
    fill(tmp_path / "test" / "0_real", 2, 0)
    fill(tmp_path / "test" / "1_fake" / "painter", 3, 9)
    splits = find(tmp_path, wanted=("ai", "real"))
    assert splits.classes == ["ai", "real"]
    assert [s.label for s in splits["test"]] == [0, 0, 0, 1, 1]
    assert inner_folders(splits["test"][0].path, tmp_path, "ai") == ("painter",)
    assert inner_folders(splits["test"][3].path, tmp_path, "real") == ()


def test_names_in_any_bytes(tmp_path):
    for group, start in (("ai", 0), ("real", 50)):
        fill(tmp_path / group, 11, start)
        picture = drawing(96, 80, start + 20)
        picture.save(tmp_path / "x.png")
        (tmp_path / "x.png").rename(os.fsdecode(os.fsencode(tmp_path / group) + b"/caf\xe9.png"))
    splits = find(tmp_path)
    assert sum(map(len, splits.sets.values())) == 24
    assert len({part["fingerprint"] for part in describe(splits).values()}) == 3
    os.rename(tmp_path / "ai", os.fsencode(tmp_path) + b"/ai \xe9")
    named = find(tmp_path)
    assert named.classes == ["ai \\xe9", "real"]
    assert ai_class(named.classes) == ai_class(named.classes, "ai \udce9") == "ai \\xe9"


def test_sets_without_validation_hold_out_a_tenth_of_training(tmp_path, caplog):
    """The layout of CIFAKE."""
    for split, count in (("train", 20), ("test", 4)):
        fill(tmp_path / split / "REAL", count, 0)
        fill(tmp_path / split / "FAKE", count, 500)
    copy = tmp_path / "train" / "REAL" / "copy.png"
    copy.write_bytes((tmp_path / "train" / "REAL" / "000.png").read_bytes())
    with pytest.raises(DataError, match="no val pictures"):
        find(tmp_path)["val"]
    caplog.set_level("INFO")
    splits = find(tmp_path, validation=True)
    assert ai_class(splits.classes) == "FAKE"
    assert {name: len(part) for name, part in splits.sets.items()} == {
        "train": 41 - len(splits["val"]),
        "val": len(splits["val"]),
        "test": 8,
    }
    assert 4 <= len(splits["val"]) <= 5
    assert "tenth of the training set" in caplog.text
    originals = {copy, copy.with_name("000.png")}
    assert originals <= {s.path for s in splits["train"]} or originals <= {
        s.path for s in splits["val"]
    }
    assert find(tmp_path, validation=True).sets == splits.sets


def test_a_validation_set_that_is_there_is_kept(folder):
    assert find(folder, validation=True).sets == find(folder).sets
