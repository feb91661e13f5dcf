import shutil

import pytest
import torch
from helpers import drawing

from realitycheck import Detector, checkpoints
from realitycheck.cli import main
from realitycheck.data import folders
from realitycheck.training import committee_run, transformer_run


@pytest.fixture
def with_validation(data, tmp_path):
    """The sources' folder, and pictures to choose epochs by."""
    root = tmp_path / "data"
    shutil.copytree(data, root)
    for label in ("ai", "real"):
        (root / "val" / label).mkdir(parents=True)
        for number in range(2):
            image = drawing(240, 230, seed=900 + number)
            image = image.point(lambda value: value // 4) if label == "ai" else image
            image.save(root / "val" / label / f"{number}.png")
    return root


def test_sources_of_the_fold_are_held_out_whole(data):
    splits = folders.find(data)
    parted = committee_run.without(splits, frozenset({"ai/ai source 3", "real/real source 0"}))
    assert sorted(sample.path.name for sample in parted.held_out) == [
        *("0-0.png", "0-1.png", "3-0.png", "3-1.png")
    ]
    assert len(parted.splits["train"]) == 16
    assert not set(parted.splits["train"]) & set(parted.held_out)
    assert len(splits["train"]) == 20


@pytest.mark.slow
def test_the_command_trains_both_and_weighs_them(with_validation, tower, tmp_path, full, capsys):
    out = tmp_path / "out"
    command = ["train", str(with_validation), "--recipe", "committee", "--tower", str(tower)]
    command += ["--arch", full.arch, "--weights", "none", "--epochs", "2", "--batch-size", "4"]
    command += ["--crop-sizes", "64", "--view-size", "64", "--workers", "0", "--precision", "fp32"]
    command += ["--steps", "40", "--networks", "1", "--per-source", "2", "--output", str(out)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "sources held out" in said
    assert f"{full.arch} " in said
    loaded = checkpoints.load(out / "RealityCheck")
    assert [member.name for member in loaded.members] == ["transformer", full.arch]
    assert len(loaded.config.stack.weights) == 2
    assert min(loaded.config.stack.weights) >= 0
    steps = loaded.record().training
    assert [step.get("name") or step["recipe"] for step in steps] == ["resnet50", "transformer"]
    # The head that is kept has seen every source, the fold's own has not.
    kept = loaded.members[0].network.head.state_dict()
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept.values())
    assert (out / "RealityCheck" / transformer_run.TOWER).read_bytes() == tower.read_bytes()
    prediction = Detector(loaded).predict(drawing(300, 260))
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
