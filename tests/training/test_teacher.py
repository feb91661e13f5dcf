from dataclasses import replace

import pytest
import torch
from saving import QUICK_CONFIG, lively_network, save

from realitycheck import checkpoints, images
from realitycheck.committee import stack
from realitycheck.committee.committee import look, score
from realitycheck.data.folders import find
from realitycheck.errors import CheckpointError, PictureError
from realitycheck.training import teacher
from realitycheck.training.recipe import Recipe
from realitycheck.training.run import fit


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A recipe with a teacher."""
    folder = tmp_path_factory.mktemp("teacher") / "Teacher"
    save(folder, lively_network(), QUICK_CONFIG)
    return Recipe("resnet50", teacher=str(folder), teacher_share=0.25)


def labels_of(recipe, folder, output):
    splits = find(folder)
    return teacher.soft_labels(recipe, splits["train"], splits.classes, output)


def test_labels_lie_between_what_pictures_are_and_what_the_teacher_says(taught, folder, tmp_path):
    samples = find(folder)["train"]
    found = labels_of(taught, folder, tmp_path)
    checkpoint = checkpoints.load(taught.teacher)
    (member,) = checkpoint.members
    for sample, soft in zip(samples, found, strict=True):
        views = look(images.read(sample.path).image, [member.preprocessing])
        (scored,) = score([member], [views])
        p_ai = stack.judge(checkpoint.config.stack, scored.logits, 0).p_ai
        said = torch.tensor([p_ai, 1 - p_ai])
        hard = torch.tensor([1.0, 0.0] if sample.label == 0 else [0.0, 1.0])
        assert torch.allclose(soft, 0.75 * hard + 0.25 * said, atol=1e-5)
    assert torch.equal(found.argmax(dim=1), torch.tensor([s.label for s in samples]))
    assert len(found[:, 0].unique()) > 2  # the teacher says something of each


def test_a_resumed_run_need_not_ask_again(taught, folder, tmp_path, monkeypatch):
    first = labels_of(taught, folder, tmp_path)

    def asked(*_):
        raise AssertionError("asked again")

    monkeypatch.setattr(teacher, "score", asked)
    assert torch.equal(labels_of(taught, folder, tmp_path), first)
    # What counts is how much: it is not part of what was said.
    firmer = labels_of(replace(taught, teacher_share=1.0), folder, tmp_path)
    assert not torch.equal(firmer, first)
    other = replace(find(folder)["train"][0], label=1)
    with pytest.raises(AssertionError, match="asked again"):
        teacher.soft_labels(taught, [other], ["ai", "real"], tmp_path)


def test_a_damaged_file_is_made_anew(taught, folder, tmp_path, caplog):
    first = labels_of(taught, folder, tmp_path)
    (tmp_path / teacher.FILE).write_bytes(b"no tensors")
    assert torch.equal(labels_of(taught, folder, tmp_path), first)
    assert "damaged" in caplog.text


def test_classes_may_be_in_another_order(taught, folder, tmp_path):
    samples = find(folder)["train"]
    other = [replace(sample, label=1 - sample.label) for sample in samples]
    mirrored = teacher.soft_labels(taught, other, ["real", "ai"], tmp_path)
    assert torch.allclose(mirrored.flip(1), labels_of(taught, folder, tmp_path), atol=1e-6)


def test_a_teacher_of_other_classes_is_refused(taught, folder, tmp_path):
    with pytest.raises(CheckpointError, match="--teacher"):
        teacher.soft_labels(taught, find(folder)["train"], ["cat", "dog"], tmp_path)


def test_a_teacher_that_is_not_there_is_named(taught, folder, tmp_path):
    with pytest.raises(CheckpointError, match="missing"):
        labels_of(replace(taught, teacher=str(tmp_path / "missing")), folder, tmp_path)


def test_a_picture_that_is_gone_is_named(taught, folder, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    sample = replace(find(folder)["train"][0], path=broken)
    with pytest.raises(PictureError, match=r"broken\.png can no longer be read"):
        teacher.soft_labels(taught, [sample], ["ai", "real"], tmp_path)


@pytest.mark.parametrize("cache", [False, True])
def test_a_network_learns_what_its_teacher_says(
    taught, folder, tmp_path, accelerator, full, cache, monkeypatch
):
    """A teacher that calls everything the opposite, and counts alone."""

    def opposite(recipe, samples, classes, output):
        return torch.eye(2)[[1 - sample.label for sample in samples]]

    monkeypatch.setattr(teacher, "soft_labels", opposite)
    recipe = replace(full, epochs=12, lr=1e-3, strength=0.0, ema=0.0, label_smoothing=0.0)
    recipe = replace(recipe, teacher=taught.teacher, cache_pixels=cache, mixup=0.1)
    _, history = fit(recipe, find(folder), tmp_path, accelerator, workers=0)
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert min(row["val_balanced_acc"] for row in history) < 0.1
    assert max(row["train_acc"] for row in history) > 0.9  # of what was learned from
