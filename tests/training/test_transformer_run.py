import math
import shutil

import numpy as np
import pytest
import torch
from helpers import drawing
from PIL import Image
from safetensors.torch import load_file, save_file

from realitycheck import Detector, checkpoints
from realitycheck.cli import main
from realitycheck.committee import transformer
from realitycheck.data import folders
from realitycheck.errors import CheckpointError, DataError, RealityCheckError
from realitycheck.images.perturbations import PERTURBATIONS
from realitycheck.training import token_features, tokens, transformer_run
from realitycheck.training.tokens import HeadRecipe, TokenViews
from realitycheck.training.transformer_run import TransformerRecipe


def test_a_missing_tower_is_said(tmp_path):
    with pytest.raises(CheckpointError, match=r"no tower .*--weights"):
        transformer_run.tower_file(str(tmp_path / "none.safetensors"))


def test_too_few_sources_are_said(data):
    splits = folders.find(data)
    found = token_features.sources(splits, "train", per_source=2, seed=0)
    assert [source.name for source in found][:2] == ["ai/ai source 0", "ai/ai source 1"]
    with pytest.raises(DataError, match=r"too few sources of AI pictures \(5\): 6 are needed"):
        transformer_run._check_sources([source.label == 0 for source in found], folds=6)


@pytest.fixture
def quick(monkeypatch):
    """Takes colours for what the tower says of a picture: no tower is run."""

    def seen(network, pictures):
        colours = pictures.mean(dim=(2, 3))
        return torch.nn.functional.pad(colours, (0, transformer.FEATURES - 3)) * network.loud

    class Network(transformer.TransformerNetwork):
        def __init__(self):
            super().__init__(torch.nn.Linear(1, 1), transformer.TokenHead([], 0))
            self.loud = 1.0

    network = Network()
    monkeypatch.setattr(token_features, "pooled_features", seen)
    monkeypatch.setattr(transformer_run, "load_tower", lambda *_: network)
    monkeypatch.setattr(transformer_run, "sha256", lambda _: "mark")
    return network


def recipe_of(tower, **head) -> TransformerRecipe:
    small = HeadRecipe(hidden=4, networks=1, **{"steps": 20, **head})
    return TransformerRecipe(str(tower), per_source=2, head=small)


def test_a_source_without_a_picture_left_counts_for_none(data, tower, tmp_path, quick, caplog):
    shutil.copytree(data, tmp_path / "data")
    for number in range(2):
        (tmp_path / "data" / "train" / "real" / f"4-{number}.png").write_bytes(b"nothing")
    splits = folders.find(tmp_path / "data")
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        with pytest.raises(DataError, match=r"too few sources of real pictures \(4\)"):
            transformer_run.fit(recipe_of(tower), splits, tmp_path, 0)
        assert caplog.text.count("2 of 20 pictures are left out") == 1
        assert "real/4-1.png: This is not a picture" in caplog.text


def test_small_pictures_are_counted_or_let_in(data, tower, tmp_path, quick):
    for path in sorted((data / "train").rglob("*.png")):
        target = tmp_path / "data" / path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).resize((32, 32)).save(target)
    shutil.copy(data / "manifest.csv", tmp_path / "data")
    with pytest.raises(DataError, match="20 of 20 are 32 x 32 px"):
        transformer_run.fit(recipe_of(tower), folders.find(tmp_path / "data"), tmp_path, 0)
    splits = folders.find(tmp_path / "data", min_side=32)
    fitted = transformer_run.fit(recipe_of(tower), splits, tmp_path, 0)
    assert len(fitted.held_out.leads) == 60  # each picture as it is and under two conditions


def test_what_is_no_number_is_told_and_not_kept(data, tower, tmp_path, quick, caplog, monkeypatch):
    splits = folders.find(data)
    quick.loud = math.nan
    with pytest.raises(CheckpointError, match=r"no number: its file is damaged.*--weights"):
        transformer_run.fit(recipe_of(tower), splits, tmp_path, 0)
    assert not (tmp_path / "features").exists() or not list((tmp_path / "features").iterdir())
    quick.loud = 1.0
    with monkeypatch.context() as patch:
        patch.setattr(tokens, "_fit", lambda network, *_: network.fc2.bias.data.fill_(math.nan))
        with pytest.raises(RealityCheckError, match="lower --lr"):
            transformer_run.fit(recipe_of(tower), splits, tmp_path, 0)
    cached = sorted((tmp_path / "features").iterdir())
    assert len(cached) == 10
    whole = load_file(cached[0])["features"].clone()
    damaged = cached[0].read_bytes()[:5000]
    cached[0].unlink()  # the tensors of before may still be mapped to it
    cached[0].write_bytes(damaged)
    tensors = {name: tensor.clone() for name, tensor in load_file(cached[1]).items()}
    cached[1].unlink()
    tensors["features"][0, 0] = math.inf
    save_file(tensors, cached[1], {"source": "x"})
    fitted = transformer_run.fit(recipe_of(tower), splits, tmp_path, 0)
    assert caplog.text.count("is damaged: the features of") == 2
    assert torch.equal(load_file(cached[0])["features"], whole)
    assert np.isfinite(fitted.held_out.leads).all()


@pytest.mark.parametrize(
    "options",
    [
        *(["--steps", "0"], ["--networks", "0"], ["--hidden", "-1"], ["--lr", "0"]),
        *(["--lr", "nan"], ["--lr", "1e40"], ["--dropout", "1"], ["--per-source", "0"]),
        *(["--copies", "99"], ["--copies", "-1"]),
    ],
)
def test_impossible_choices_are_named(data, tower, tmp_path, capsys, options):
    command = ["train", str(data), "--recipe", "transformer", "--weights", str(tower)]
    assert main([*command, "--output", str(tmp_path), *options]) == 1
    assert options[0] in capsys.readouterr().err


def test_as_many_copies_as_there_are_conditions(data, tower):
    most = len(PERTURBATIONS) - 2  # either of web and hard, beside the picture as it is
    recipe = TransformerRecipe(str(tower), copies=most)
    drawn = token_features.conditions_of(folders.find(data)["train"][0], recipe.copies, seed=0)
    assert len(set(drawn)) == most + 1
    with pytest.raises(RealityCheckError, match=f"--copies from 0 to {most}"):
        TransformerRecipe(str(tower), copies=most + 1)


def test_three_classes_are_too_many(data, tower, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "data" / "train" / "painted").mkdir()
    drawing(100, 100).save(tmp_path / "data" / "train" / "painted" / "a.png")
    with pytest.raises(DataError, match="two classes apart, not ai, painted, real"):
        transformer_run.fit(recipe_of(tower), folders.find(tmp_path / "data"), tmp_path, 0)


def test_every_picture_is_seen_as_it_is_and_changed(data):
    sample = folders.find(data)["train"][0]
    drawn = token_features.conditions_of(sample, copies=3, seed=0)
    assert drawn[0] == "clean"
    assert len(set(drawn)) == 4
    assert drawn[1] in ("web", "hard")  # thresholds are set by them
    assert not {"web", "hard"} & set(drawn[2:])
    assert token_features.conditions_of(sample, copies=0, seed=0) == ["clean"]
    assert drawn == token_features.conditions_of(sample, copies=3, seed=0)


def test_a_pictures_lead_is_the_mean_of_its_views_by_their_weights():
    views = TokenViews(
        torch.zeros(5, 1),
        np.array([True, True, True, False, False]),
        np.array([0, 0, 0, 1, 1]),
        np.array([0, 0, 0, 1, 1]),
        np.array([0, 0, 3, 0, 0]),
        np.array([1.0, 0.25, 1.0, 1.0, 1.0], np.float32),
    )
    leads = np.array([4.0, -1.0, 2.0, -3.0, -5.0])
    held_out = transformer_run._by_picture(views, leads, ["ai/a", "real/b"])
    assert held_out.leads == pytest.approx([3.0, 2.0, -4.0])
    assert held_out.is_ai.tolist() == [True, True, False]
    assert held_out.source.tolist() == ["ai/a", "ai/a", "real/b"]


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
    assert not loaded.config.abstention.decides  # ten pictures of each class
    assert loaded.config.abstention.split == transformer_run.RULE.split
    assert "No verdicts" in (folder / "README.md").read_text()
    assert (folder / transformer_run.TOWER).read_bytes() == tower.read_bytes()
    prediction = Detector(loaded).predict(drawing(300, 260))
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.heatmap.shape == (260, 300)
    assert np.isfinite(prediction.heatmap).all()
