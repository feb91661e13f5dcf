import csv

import numpy as np
import pytest
import torch
from helpers import drawing
from safetensors.torch import save_file

from realitycheck import Detector, checkpoints
from realitycheck.cli import main
from realitycheck.committee import transformer
from realitycheck.data import folders
from realitycheck.errors import CheckpointError, DataError
from realitycheck.training import token_features, transformer_run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five sources of each class, two pictures each, named by a manifest."""
    root = tmp_path_factory.mktemp("sources")
    rows = []
    for label in ("ai", "real"):
        (root / "train" / label).mkdir(parents=True)
        for source in range(5):
            for number in range(2):
                image = drawing(240, 230, seed=20 * source + number)
                if label == "ai":
                    image = image.point(lambda value: value // 4)  # what a random tower can tell
                name = f"train/{label}/{source}-{number}.png"
                image.save(root / name)
                rows.append({"file": name, "set": f"{label} source {source}"})
    with (root / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["file", "set"])
        table.writeheader()
        table.writerows(rows)
    return root


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    """A tower with random weights."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("tower") / "tower.safetensors"
    save_file(transformer.build_tower().state_dict(), file)
    return file


def test_a_missing_tower_is_said(tmp_path):
    with pytest.raises(CheckpointError, match=r"no tower .*--weights"):
        transformer_run.tower_file(str(tmp_path / "none.safetensors"))


def test_too_few_sources_are_said(data):
    splits = folders.find(data)
    found = token_features.sources(splits, "train", per_source=2, seed=0)
    assert [source.name for source in found][:2] == ["ai/ai source 0", "ai/ai source 1"]
    with pytest.raises(DataError, match="5 sources of a class are too few: 6 are needed"):
        transformer_run._check_sources(found, folds=6)


def test_every_picture_is_seen_as_it_is_and_changed(data):
    sample = folders.find(data)["train"][0]
    drawn = token_features.conditions_of(sample, copies=3, seed=0)
    assert drawn[0] == "clean"
    assert len(set(drawn)) == 4
    assert drawn[1] in ("web", "hard")  # thresholds are set by them
    assert not {"web", "hard"} & set(drawn[2:])
    assert token_features.conditions_of(sample, copies=0, seed=0) == ["clean"]
    assert drawn == token_features.conditions_of(sample, copies=3, seed=0)


@pytest.mark.slow
def test_training_is_resumable_and_gives_a_checkpoint(data, tower, tmp_path, capsys):
    command = ["train", str(data), "--recipe", "transformer", "--weights", str(tower)]
    command += ["--output", str(tmp_path), "--steps", "40", "--networks", "1", "--per-source", "2"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "sources held out" in said
    files = sorted((tmp_path / "features").iterdir())
    assert len(files) == 10
    before = {file: file.stat().st_mtime_ns for file in files}
    files[0].unlink()  # as if it had been interrupted
    assert main(command) == 0
    after = {file: file.stat().st_mtime_ns for file in sorted((tmp_path / "features").iterdir())}
    assert {file for file in files if before[file] != after[file]} == {files[0]}
    folder = tmp_path / "RealityCheck"
    loaded = checkpoints.load(folder)
    assert [member.name for member in loaded.members] == ["transformer"]
    assert loaded.config.calibrated
    assert (folder / transformer_run.TOWER).read_bytes() == tower.read_bytes()
    prediction = Detector(loaded).predict(drawing(300, 260))
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.heatmap.shape == (260, 300)
    assert np.isfinite(prediction.heatmap).all()
