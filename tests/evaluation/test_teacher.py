from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from saving import QUICK_CONFIG, lively_network, save

from realitycheck import checkpoints, images
from realitycheck.committee import stack
from realitycheck.committee.committee import look, score
from realitycheck.data.folders import find
from realitycheck.errors import CheckpointError
from realitycheck.evaluation import teacher
from realitycheck.training.recipe import Recipe

ALONE = SimpleNamespace(num_processes=1, process_index=0)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A recipe with a teacher."""
    folder = tmp_path_factory.mktemp("teacher") / "Teacher"
    save(folder, lively_network(), QUICK_CONFIG)
    return Recipe("resnet50", teacher=str(folder), teacher_share=0.25)


@pytest.fixture
def asked(monkeypatch):
    """How many pictures the teacher was asked about, each time."""
    counts = []

    def run_committee(members, config, samples, **options):
        counts.append(len(samples))
        return original(members, config, samples, **options)

    original = teacher.run_committee
    monkeypatch.setattr(teacher, "run_committee", run_committee)
    return counts


def ask(recipe, splits, output, accelerator=ALONE):
    return teacher.ask(recipe, splits, output, accelerator, workers=0)


def test_it_says_of_every_picture_what_the_detector_would(taught, folder, tmp_path):
    found = ask(taught, find(folder), tmp_path)
    checkpoint = checkpoints.load(taught.teacher)
    assert found.sha256 == checkpoint.sha256
    (member,) = checkpoint.members
    samples = find(folder)["train"]
    assert set(found.said) == {sample.path for sample in samples}
    for sample in samples:
        views = look(images.read(sample.path).image, [member.preprocessing])
        (scored,) = score([member], [views])
        p_ai = stack.judge(checkpoint.config.stack, scored.logits, 0).p_ai
        assert found.said[sample.path] == pytest.approx((p_ai, 1 - p_ai), abs=1e-4)
    assert len({round(ai, 3) for ai, _ in found.said.values()}) > 2


def test_labels_lie_between_what_pictures_are_and_what_it_says(taught, folder, tmp_path):
    samples = find(folder)["train"]
    found = ask(taught, find(folder), tmp_path)
    labels = found.soft_labels(samples, 2, 0.25)
    for sample, soft in zip(samples, labels, strict=True):
        hard = torch.tensor([1.0, 0.0] if sample.label == 0 else [0.0, 1.0])
        said = torch.tensor(found.said[sample.path])
        assert torch.allclose(soft, 0.75 * hard + 0.25 * said, atol=1e-6)


def test_nobody_is_asked_without_a_teacher(folder, tmp_path):
    assert ask(Recipe("resnet50"), find(folder), tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_parts_that_were_asked_about_are_not_asked_again(
    taught, folder, tmp_path, asked, monkeypatch
):
    monkeypatch.setattr(teacher, "PART", 10)
    splits = find(folder)
    first = ask(taught, splits, tmp_path)
    assert asked == [8, 8, 8]  # of 24
    assert ask(taught, splits, tmp_path) == first
    assert len(asked) == 3
    damaged, gone, _ = sorted((tmp_path / teacher.FOLDER).iterdir())
    damaged.write_bytes(b"no tensors")
    gone.unlink()
    assert ask(taught, splits, tmp_path) == first
    assert len(asked) == 5


def test_other_weights_are_another_teacher(taught, folder, tmp_path, asked):
    first = ask(taught, find(folder), tmp_path)
    other = tmp_path / "Other"
    save(other, lively_network(1), QUICK_CONFIG)
    second = ask(replace(taught, teacher=str(other)), find(folder), tmp_path)
    assert second.sha256 != first.sha256
    assert second.said != first.said
    assert len(asked) == 2


def test_processes_share_the_work(taught, folder, tmp_path, asked, monkeypatch):
    whole = ask(taught, find(folder), tmp_path / "whole")
    own = []

    def gather(part):  # each process is run here in turn: it knows what those before it found
        own.extend(part)
        return own

    monkeypatch.setattr(teacher, "gather_object", gather)
    for index in range(2):
        process = SimpleNamespace(num_processes=2, process_index=index)
        found = ask(taught, find(folder), tmp_path / str(index), process)
    assert asked == [24, 12, 12]
    assert [len(part) for part in own] == [12, 12]
    for path, shares in whole.said.items():
        assert found.said[path] == pytest.approx(shares, abs=1e-4)


def test_classes_may_be_in_another_order(taught, folder, tmp_path):
    splits = find(folder)
    mirrored = replace(splits, classes=["real", "ai"])
    found, other = ask(taught, splits, tmp_path), ask(taught, mirrored, tmp_path)
    assert all(other.said[path] == shares[::-1] for path, shares in found.said.items())


def test_a_picture_that_cannot_be_read_is_left_out(taught, folder, tmp_path):
    splits = find(folder)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    samples = [*splits["train"], replace(splits["train"][0], path=broken)]
    found = ask(taught, replace(splits, sets={"train": samples}), tmp_path)
    assert len(found.said) == len(samples) - 1


def test_the_bundled_checkpoint_can_be_named():
    found = teacher.find(Recipe("resnet50", teacher="bundled"), ["real", "ai"])
    assert found.checkpoint.source == "bundled"


def test_a_teacher_of_other_classes_is_refused(taught):
    with pytest.raises(CheckpointError, match="--teacher"):
        teacher.find(taught, ["cat", "dog"])


def test_a_teacher_that_is_not_there_is_named(taught, tmp_path):
    with pytest.raises(CheckpointError, match="missing"):
        teacher.find(replace(taught, teacher=str(tmp_path / "missing")), ["ai", "real"])


def test_answers_that_are_no_numbers_are_refused(folder, tmp_path):
    network = lively_network()
    torch.nn.init.constant_(network.classifier[-1].bias, torch.nan)
    save(tmp_path / "Broken", network, QUICK_CONFIG)
    recipe = Recipe("resnet50", teacher=str(tmp_path / "Broken"))
    with pytest.raises(CheckpointError):
        ask(recipe, find(folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()
