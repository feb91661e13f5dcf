import csv
import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from realitycheck.views import evaluation_views, to_batch

from realitycheck import checkpoints, data, model, training
from realitycheck.errors import CheckpointError, DataError, RealityCheckError
from realitycheck.training import RECIPES
from train import main as command

ROOT = Path(__file__).parent.parent
SMALL = ["--weights", "none", "--batch-size", "4", "--workers", "0", "--precision", "fp32"]
FULL = replace(
    RECIPES["full"],
    weights="none",
    crop_sizes=(32,),
    view_size=64,
    epochs=2,
    batch_size=4,
    precision="fp32",
)


@pytest.fixture(scope="module")
def accelerator():
    return training.make_accelerator("fp32")


def run_script(*arguments, launcher=(), **options):
    return subprocess.run(
        [sys.executable, *launcher, "train.py", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


def test_a_pretext_gives_weights_to_start_from(folder, tmp_path, accelerator):
    shutil.copytree(folder, tmp_path / "data")
    files = sorted((tmp_path / "data").rglob("*.png"))
    rows = [f"{f.relative_to(tmp_path / 'data')},{i % 2}" for i, f in enumerate(files)]
    (tmp_path / "data" / "manifest.csv").write_text("\n".join(["file,source", *rows]))
    small = [*SMALL, "--epochs", "1", "--crop-sizes", "32", "--view-size", "64"]
    output = ["--output", str(tmp_path / "start")]
    assert command([str(tmp_path / "data"), *small, *output, "--pretext", "source"]) == 0
    start = tmp_path / "start" / "RealityCheck.pth"
    state = checkpoints.read_tensors(start)
    assert len(state["fc.5.bias"]) == 4
    model = training.starting_model(replace(FULL, weights=str(start)), 2)
    assert torch.equal(model.conv1.weight, state["conv1.weight"])
    assert len(model.fc[5].bias) == 2


@pytest.mark.slow
def test_the_command_trains_calibrates_and_saves_what_the_detector_loads(folder, tmp_path):
    arguments = ["--epochs", 4, "--crop-sizes", 32, "--view-size", 64, "--lr", "1e-3"]
    done = run_script(folder, *SMALL, *arguments, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 4/4" in done.stdout
    names = {"RealityCheck", "RealityCheck.pth", "history.csv", "curves.png", "state.pt"}
    assert {p.name for p in tmp_path.iterdir()} == names
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert Image.open(tmp_path / "curves.png").size[0] > 500
    loaded = checkpoints.load(tmp_path / "RealityCheck")
    assert loaded.config.classes == ["ai", "real"]
    assert loaded.config.calibrated
    assert loaded.config.training["pictures_seen"] == 4 * 24
    bare = checkpoints.load(tmp_path / "RealityCheck.pth")
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(bare.model.state_dict()[name], tensor)
    measured = run_script(
        folder, "--evaluate", tmp_path / "RealityCheck", "--output", tmp_path / "m", "--workers", 0
    )
    assert measured.returncode == 0, measured.stderr
    # Flat colour against noise: whatever was learned must tell them apart.
    figures = json.loads((tmp_path / "m" / "metrics.json").read_text())["sets"]["test"]["clean"]
    assert figures["auc"]["value"] > 0.9
    assert "accuracy on AI" in measured.stdout
    assert "Results" not in (tmp_path / "RealityCheck" / "README.md").read_text()


def test_training_learns(folder, tmp_path, accelerator):
    recipe = replace(FULL, epochs=6, lr=1e-3, strength=0.0, ema=0.0)
    model, history = training.fit(recipe, data.find(folder), tmp_path, accelerator, workers=0)
    assert len(history) == 6
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert max(row["val_balanced_acc"] for row in history) > 0.9
    assert not model.training


@pytest.mark.slow
@pytest.mark.parametrize("cached", [False, True])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    folder, tmp_path, accelerator, monkeypatch, cached
):
    splits = data.find(folder)
    recipe = replace(FULL, epochs=3, frozen=cached, cache_features=cached)
    if cached:
        start = training.starting_model(replace(FULL, seed=5), 2)
        torch.save(start.state_dict(), tmp_path / "start.pth")
        recipe = replace(recipe, weights=str(tmp_path / "start.pth"))
    straight, history = training.fit(recipe, splits, tmp_path / "a", accelerator, workers=0)

    class Killed(Exception):
        pass

    def die_in_the_second_epoch(row, epochs):
        if row["epoch"] == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training, "_report", die_in_the_second_epoch)
        with pytest.raises(Killed):
            training.fit(recipe, splits, tmp_path / "b", accelerator, workers=0)
    resumed, again = training.fit(
        recipe, splits, tmp_path / "b", accelerator, workers=0, resume=True
    )
    assert [row["epoch"] for row in again] == [1, 2, 3]
    for before, after in zip(history, again, strict=True):
        assert after["train_loss"] == pytest.approx(before["train_loss"], rel=1e-4)
        assert after["val_loss"] == pytest.approx(before["val_loss"], rel=1e-4)
    for name, tensor in straight.state_dict().items():
        assert torch.allclose(resumed.state_dict()[name].float(), tensor.float(), atol=1e-4), name


def test_resuming_refuses_other_choices_and_damage(folder, tmp_path, accelerator):
    splits = data.find(folder)
    with pytest.raises(RealityCheckError, match="nothing to resume"):
        training.fit(FULL, splits, tmp_path, accelerator, workers=0, resume=True)
    training.fit(replace(FULL, epochs=1), splits, tmp_path, accelerator, workers=0)
    changed = replace(FULL, epochs=1, lr=0.5)
    with pytest.raises(RealityCheckError, match=r"lr = 0\.0006, not 0\.5"):
        training.fit(changed, splits, tmp_path, accelerator, workers=0, resume=True)
    other = replace(splits, classes=["fake", "photo"])
    with pytest.raises(RealityCheckError, match="classes"):
        training.fit(replace(FULL, epochs=1), other, tmp_path, accelerator, workers=0, resume=True)
    state = tmp_path / "state.pt"
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(RealityCheckError, match="damaged"):
        training.fit(replace(FULL, epochs=1), splits, tmp_path, accelerator, workers=0, resume=True)


@pytest.mark.parametrize("cache", [False, True])
def test_the_papers_recipe_trains_the_head_alone(folder, tmp_path, accelerator, cache):
    start = training.starting_model(replace(FULL, weights="none"), 2)
    torch.save(start.state_dict(), tmp_path / "start.pth")
    recipe = replace(
        RECIPES["paper"],
        weights=str(tmp_path / "start.pth"),
        view_size=64,
        crop_sizes=(64,),
        epochs=2,
        batch_size=8,
        precision="fp32",
        cache_features=cache,
    )
    model, history = training.fit(recipe, data.find(folder), tmp_path, accelerator, workers=0)
    assert len(history) == 2
    for name, tensor in start.state_dict().items():
        same = torch.equal(model.state_dict()[name], tensor)
        assert same != name.startswith("fc."), name


def test_cached_copies_are_augmented_and_residuals_are_fitted(
    folder, tmp_path, accelerator, monkeypatch
):
    seen = []
    whole = training._cached_features

    def watched(*args):
        seen.extend(whole(*args))
        return seen[-2:]

    monkeypatch.setattr(training, "_cached_features", watched)
    recipe = replace(
        FULL,
        arch="resnet50_residuals",
        frozen=True,
        cache_features=True,
        copies=3,
        feature_noise=0.5,
        strength=4.0,
        view_size=96,
        epochs=1,
    )
    splits = data.find(folder)
    trained, _ = training.fit(recipe, splits, tmp_path, accelerator, workers=0)
    (features, labels), (tested, _) = (part.tensors for part in seen)
    count = len(splits["train"])
    assert trained.residuals.fitted
    assert features.shape == (3 * count, 2048 + model.RESIDUAL_WIDTH)
    assert torch.equal(labels, labels[:count].repeat(3))
    assert len(tested) == len(splits["val"])
    clean, first, second = features.split(count)
    assert not torch.allclose(clean, first)
    assert not torch.allclose(first, second)
    # The first copy is what the detector will see.
    sample = splits["train"][5]
    picture = Image.open(sample.path).convert("RGB")
    (view,) = evaluation_views(picture, recipe.preprocessing)
    trained.fc = torch.nn.Identity()
    with torch.inference_mode():
        found = trained(to_batch([view.pixels], recipe.preprocessing))
    assert torch.allclose(found[0], clean[5], atol=1e-2)


def test_features_are_noisy_only_while_the_classifier_trains():
    torch.manual_seed(0)
    received = torch.nn.Identity()
    training._disturb_features(received, 0.5)
    features = torch.ones(100, 64)
    model.train_mode(received)
    noise = received(features) - features
    assert noise.mean().abs() < 0.05
    assert noise.std() == pytest.approx(0.5, rel=0.1)
    assert torch.equal(received.eval()(features), features)


def test_the_papers_recipe_is_as_written():
    recipe = RECIPES["paper"]
    assert recipe.arch == "resnet50"
    assert recipe.weights == "imagenet"
    assert recipe.frozen
    assert (recipe.optimizer, recipe.lr, recipe.epochs) == ("adam", 1e-3, 10)
    assert (recipe.label_smoothing, recipe.ema, recipe.cosine) == (0, 0, False)
    assert recipe.preprocessing.mode == "whole"


def test_learning_rate_rises_and_falls():
    recipe = replace(FULL, warmup=0.1)
    rates = [training.rate(recipe, step, 100) for step in range(101)]
    assert rates[:10] == pytest.approx([i / 10 for i in range(1, 11)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    assert training.rate(RECIPES["paper"], 50, 100) == 1


def test_crop_sizes_grow_in_equal_shares():
    recipe = replace(FULL, crop_sizes=(64, 96, 128), epochs=7)
    assert [recipe.crop_size(e) for e in range(7)] == [64, 64, 64, 96, 96, 128, 128]


def test_recipe_takes_the_size_of_its_architecture():
    vit = training.for_architecture(FULL, "vit_b_16")
    assert (vit.arch, vit.view_size, vit.crop_sizes) == ("vit_b_16", 224, (224,))
    assert training.for_architecture(FULL, FULL.arch) == FULL


def test_moving_average_forgets_its_start():
    average = training._moving_average(0.999)
    value = torch.zeros(1)
    for update in range(50):
        value = average(value, torch.ones(1), torch.tensor(update))
    assert value.item() > 0.99
    counter = torch.tensor(7)
    assert average(torch.tensor(3), counter, torch.tensor(5)) is counter


def test_wrong_choices_are_named(folder, tmp_path, accelerator):
    with pytest.raises(RealityCheckError, match="--view-size 224"):
        replace(FULL, arch="vit_b_16")
    with pytest.raises(RealityCheckError, match="frozen"):
        replace(FULL, cache_features=True)
    with pytest.raises(CheckpointError, match="alexnet"):
        replace(FULL, arch="alexnet")
    for wrong in (
        {"dropout": 2},
        {"copies": 2},
        {"feature_noise": -1},
        {"label_smoothing": -1},
        {"lr": 0},
        {"view_size": 0},
    ):
        with pytest.raises(RealityCheckError, match="--"):
            replace(FULL, **wrong)
    recipe = replace(FULL, batch_size=64)
    with pytest.raises(DataError, match="--batch-size"):
        training.fit(recipe, data.find(folder), tmp_path, accelerator, workers=0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing-folder"], "There is no folder"),
        (["DATA", "--weights", "missing.pth"], "no weights file"),
        (["DATA", "--ai-class", "robot"], "--ai-class"),
        (["DATA", "--arch", "alexnet"], "Choose one of"),
        (["DATA", "--resume", "--weights", "none"], "nothing to resume"),
        (["DATA", "--evaluate", "missing/dir/x"], "no checkpoint"),
    ],
)
def test_mistakes_end_in_a_sentence(folder, tmp_path, arguments, words, capsys):
    arguments = [str(folder) if a == "DATA" else a for a in arguments]
    # Accelerate keeps one precision per process, and other tests here chose it.
    options = ["--precision", "fp32", "--output", str(tmp_path / "out")]
    assert command([*arguments, *options]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_train_one_model(folder, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = [
        *("-m", "torch.distributed.run", "--nproc_per_node", "2"),
        *("--master_port", str(port)),
    ]
    done = run_script(
        *(folder, *SMALL, "--epochs", "2", "--crop-sizes", "32", "--view-size", "64"),
        *("--lr", "1e-3", "--batch-size", "8", "--output", tmp_path),
        launcher=launcher,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 2/2") == 1
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    # One process would see all 24 pictures in three batches; two drop the odd third.
    assert [row["pictures"] for row in rows] == ["16", "16"]
    assert checkpoints.load(tmp_path / "RealityCheck").config.calibrated


def test_a_model_that_learned_nothing_is_still_saved(folder, tmp_path, monkeypatch, capsys):
    def hopeless(*arguments):
        raise RealityCheckError("nothing was learned")

    monkeypatch.setattr("realitycheck.evaluation.calibrate", hopeless)
    arguments = ["--epochs", "1", "--crop-sizes", "32", "--view-size", "64"]
    assert command([str(folder), *SMALL, *arguments, "--output", str(tmp_path)]) == 1
    assert "nothing was learned" in capsys.readouterr().err
    assert not checkpoints.load(tmp_path / "RealityCheck").config.calibrated


def test_an_output_that_cannot_be_written_is_noticed_before_training(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert command([str(folder), *SMALL, "--output", str(tmp_path / "file")]) == 1
    printed = capsys.readouterr()
    assert "file" in printed.err
    assert "epoch 1" not in printed.out


@pytest.mark.slow
def test_training_needs_neither_gradio_nor_grad_cam():
    code = (
        "import sys\n"
        "sys.modules['gradio'] = sys.modules['pytorch_grad_cam'] = None\n"
        "import train, realitycheck.training, realitycheck.evaluation\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
