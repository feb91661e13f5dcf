import shutil

import numpy as np
import pytest
from conftest import drawing
from PIL import Image
from realitycheck.augmentation import centre_view
from realitycheck.views import Preprocessing

from realitycheck import data
from realitycheck.data import EpochSampler, PictureSet, Sample
from realitycheck.errors import DataError


def fill(folder, count, seed, **options):
    folder.mkdir(parents=True)
    for i in range(count):
        drawing(96, 80, seed + i).save(folder / f"{i:03}.png", **options)


def test_finds_prepared_splits(folder):
    splits = data.find(folder)
    assert splits.classes == ["ai", "real"]
    assert {name: len(part) for name, part in splits.sets.items()} == {
        "train": 24,
        "val": 12,
        "test": 12,
    }
    assert all(s.path.parent.name == splits.classes[s.label] for s in splits["test"])


def test_splits_bare_folders_and_keeps_duplicates_on_one_side(tmp_path):
    fill(tmp_path / "ai", 40, 0)
    fill(tmp_path / "real", 60, 1000)
    copies = {}
    for i in range(0, 40, 4):
        original = tmp_path / "ai" / f"{i:03}.png"
        (tmp_path / "ai" / f"exact{i:03}.png").write_bytes(original.read_bytes())
        Image.open(original).save(tmp_path / "ai" / f"near{i:03}.jpg", quality=70)
        copies[original.name] = (f"exact{i:03}.png", f"near{i:03}.jpg")
    splits = data.find(tmp_path)
    where = {s.path.name: name for name in splits.sets for s in splits[name] if s.label == 0}
    for original, others in copies.items():
        assert {where[other] for other in others} == {where[original]}
    sizes = {name: len(part) for name, part in splits.sets.items()}
    assert sum(sizes.values()) == 120
    assert 90 <= sizes["train"] <= 102
    for name in ("val", "test"):
        assert 9 <= sizes[name] <= 15
        assert {s.label for s in splits[name]} == {0, 1}
    again = data.find(tmp_path)
    assert again.sets == splits.sets
    assert data.find(tmp_path, seed=1).sets != splits.sets


def test_near_duplicates_are_found_however_bits_differ():
    rng = np.random.default_rng(0)
    hashes = [int(h) for h in rng.integers(0, 2**63, 50)]
    for i in range(50):
        flipped = hashes[i]
        for bit in rng.choice(63, 4, replace=False):
            flipped ^= 1 << int(bit)
        hashes.append(flipped)
    groups = data._group(hashes)
    assert groups[50:] == groups[:50] == list(range(50))


def test_unusable_folders_say_what_is_wrong(tmp_path, folder):
    with pytest.raises(DataError, match="no folder"):
        data.find(tmp_path / "missing")
    with pytest.raises(DataError, match="found none"):
        data.find(tmp_path)
    fill(tmp_path / "one" / "ai", 3, 0)
    with pytest.raises(DataError, match="only 'ai'"):
        data.find(tmp_path / "one")
    (tmp_path / "one" / "real").mkdir()
    with pytest.raises(DataError, match="too few"):
        data.find(tmp_path / "one")
    fill(tmp_path / "mixed" / "train" / "ai", 3, 0)
    fill(tmp_path / "mixed" / "train" / "real", 3, 9)
    fill(tmp_path / "mixed" / "val" / "ai", 3, 20)
    fill(tmp_path / "mixed" / "val" / "photo", 3, 30)
    with pytest.raises(DataError, match="photo"):
        data.find(tmp_path / "mixed")
    with pytest.raises(DataError, match="no unseen pictures of ai or real"):
        data.find(folder)["unseen"]


def test_the_ai_class_is_recognised_or_asked_for():
    assert data.ai_class(["ai", "real"]) == "ai"
    assert data.ai_class(["FAKE", "REAL"]) == "FAKE"
    assert data.ai_class(["camera", "midjourney"], "midjourney") == "midjourney"
    with pytest.raises(DataError, match="--ai-class"):
        data.ai_class(["camera", "midjourney"])
    with pytest.raises(DataError, match="--ai-class"):
        data.ai_class(["ai", "real"], "robot")


def test_unreadable_files_are_counted_and_left_out(tmp_path, caplog):
    fill(tmp_path / "ai", 20, 0)
    fill(tmp_path / "real", 20, 500)
    (tmp_path / "ai" / "broken.jpg").write_bytes(b"not a picture")
    splits = data.find(tmp_path)
    assert "1 of 41 pictures could not be read" in caplog.text
    assert sum(map(len, splits.sets.values())) == 40
    caplog.clear()
    samples = [*splits["train"], Sample(tmp_path / "ai" / "broken.jpg", 0)]
    pictures = PictureSet(samples, centre_view(32, Preprocessing()))
    assert len(pictures) == len(splits["train"])
    assert f"1 of {len(samples)} pictures" in caplog.text
    with pytest.raises(DataError, match="None of the pictures"):
        PictureSet(samples[-1:], lambda image: image)


def test_pictures_are_the_same_with_and_without_memory(folder):
    samples = data.find(folder)["val"]
    transform = centre_view(64, Preprocessing())
    kept, read_again = (PictureSet(samples, transform, memory) for memory in (2**30, 0))
    for i in range(len(samples)):
        (a, label_a), (b, label_b) = kept[i], read_again[i]
        assert label_a == label_b == samples[i].label
        assert (a == b).all()


def test_balanced_epochs_draw_classes_alike_and_repeat_by_seed():
    labels = [0] * 90 + [1] * 10
    sampler = EpochSampler(labels, seed=3, balanced=True)
    first = list(sampler)
    assert len(first) == 100
    assert sum(labels[i] for i in first) == 50
    assert {i for i in first if labels[i]} == set(range(90, 100))
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first
    plain = list(EpochSampler(labels, seed=3, balanced=False))
    assert sorted(plain) == list(range(100))
    assert plain != sorted(plain)


def test_manifest(tmp_path):
    assert data.read_manifest(tmp_path) == {}
    (tmp_path / "manifest.csv").write_text("file,generator\ntest/ai/a.jpg,DALL-E\n")
    assert data.read_manifest(tmp_path)["test/ai/a.jpg"]["generator"] == "DALL-E"
    (tmp_path / "manifest.csv").write_text("name\nx\n")
    with pytest.raises(DataError, match='column "file"'):
        data.read_manifest(tmp_path)


def test_sources_are_counted_from_the_manifest(folder, tmp_path):
    root = tmp_path / "pictures"
    shutil.copytree(folder, root)
    splits = data.find(root)
    assert data.sources(splits) == []
    rows = ["file,set,source_repo,licence"]
    for name in ("train", "val", "test"):
        for sample in splits[name]:
            path = sample.path.relative_to(root).as_posix()
            if splits.classes[sample.label] == "ai":
                rows.append(f"{path},painter,owner/painter,CC0")
            elif name == "train":
                rows.append(f"{path},shop,,")
    (root / "manifest.csv").write_text("\n".join(rows))
    assert data.sources(splits) == [
        {
            "class": "ai",
            "set": "painter",
            "pictures": 18,
            "source": "owner/painter",
            "licence": "CC0",
        },
        {"class": "real", "set": "shop", "pictures": 12, "source": "", "licence": ""},
    ]


def test_finer_classes_come_from_the_manifest(folder, tmp_path):
    root = tmp_path / "pictures"
    shutil.copytree(folder, root)
    splits = data.find(root)
    with pytest.raises(DataError, match="manifest"):
        data.by_column(splits, "source")
    rows = ["file,source"]
    for name in ("train", "val"):
        for i, sample in enumerate(splits[name]):
            # "rare" has no validation picture; every seventh picture is not named.
            source = ("one", "two", "rare" if name == "train" else "one")[i % 3]
            rows.append(f"{sample.path.relative_to(root)},{source if i % 7 else ''}")
    (root / "manifest.csv").write_text("\n".join(rows))
    with pytest.raises(DataError, match="column"):
        data.by_column(splits, "camera")
    fine = data.by_column(data.find(root), "source")
    assert fine.classes == ["ai/one", "ai/two", "real/one", "real/two"]
    assert 0 < len(fine["train"]) < len(splits["train"])
    for sample in fine["train"] + fine["val"]:
        assert fine.classes[sample.label].startswith(sample.path.parent.name + "/")


def test_a_folder_may_hold_a_test_set_only(tmp_path):
    fill(tmp_path / "test" / "ai", 2, 0)
    fill(tmp_path / "test" / "real", 2, 9)
    splits = data.find(tmp_path)
    assert len(splits["test"]) == 4
    with pytest.raises(DataError, match="no train pictures"):
        _ = splits["train"]
