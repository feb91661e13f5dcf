import csv
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from helpers import FULL, ROOT
from PIL import Image

from realitycheck import checkpoints
from realitycheck.cli import main
from realitycheck.data.folders import find
from realitycheck.errors import DataError, RealityCheckError
from realitycheck.training import run
from realitycheck.training.initial import starting_model
from realitycheck.training.recipe import RECIPES
from realitycheck.training.run import fit

SMALL = ["--weights", "none", "--batch-size", "4", "--workers", "0", "--precision", "fp32"]


def command(arguments):
    return main(["train", *arguments])


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
    assert loaded.config.classes == ("ai", "real")
    assert loaded.config.calibrated
    assert loaded.record().training[-1]["pictures_seen"] == 4 * 24
    bare = checkpoints.load(tmp_path / "RealityCheck.pth")
    state = bare.members[0].network.state_dict()
    for name, tensor in loaded.members[0].network.state_dict().items():
        assert torch.equal(state[name], tensor)
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
    recipe = replace(FULL, epochs=12, lr=1e-3, strength=0.0, ema=0.0, label_smoothing=0.0)
    model, history = fit(recipe, find(folder), tmp_path, accelerator, workers=0)
    assert len(history) == 12
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert max(row["val_balanced_acc"] for row in history) > 0.9
    assert not model.training


@pytest.mark.slow
@pytest.mark.parametrize("cached", [False, True])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    folder, tmp_path, accelerator, monkeypatch, cached
):
    splits = find(folder)
    recipe = replace(FULL, epochs=3, frozen=cached, cache_features=cached)
    if cached:
        start = starting_model(replace(FULL, seed=5), 2)
        torch.save(start.state_dict(), tmp_path / "start.pth")
        recipe = replace(recipe, weights=str(tmp_path / "start.pth"))
    straight, history = fit(recipe, splits, tmp_path / "a", accelerator, workers=0)

    class Killed(Exception):
        pass

    def die_in_the_second_epoch(row, epochs):
        if row["epoch"] == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run, "_report", die_in_the_second_epoch)
        with pytest.raises(Killed):
            fit(recipe, splits, tmp_path / "b", accelerator, workers=0)
    resumed, again = fit(recipe, splits, tmp_path / "b", accelerator, workers=0, resume=True)
    assert [row["epoch"] for row in again] == [1, 2, 3]
    for before, after in zip(history, again, strict=True):
        assert after["train_loss"] == pytest.approx(before["train_loss"], rel=1e-4)
        assert after["val_loss"] == pytest.approx(before["val_loss"], rel=1e-4)
    for name, tensor in straight.state_dict().items():
        assert torch.allclose(resumed.state_dict()[name].float(), tensor.float(), atol=1e-4), name


def test_resuming_refuses_other_choices_and_damage(folder, tmp_path, accelerator):
    splits = find(folder)
    with pytest.raises(RealityCheckError, match="nothing to resume"):
        fit(FULL, splits, tmp_path, accelerator, workers=0, resume=True)
    fit(replace(FULL, epochs=1), splits, tmp_path, accelerator, workers=0)
    changed = replace(FULL, epochs=1, lr=0.5)
    with pytest.raises(RealityCheckError, match=r"lr = 0\.0006, not 0\.5"):
        fit(changed, splits, tmp_path, accelerator, workers=0, resume=True)
    other = replace(splits, classes=["fake", "photo"])
    with pytest.raises(RealityCheckError, match="classes"):
        fit(replace(FULL, epochs=1), other, tmp_path, accelerator, workers=0, resume=True)
    state = tmp_path / "state.pt"
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(RealityCheckError, match="damaged"):
        fit(replace(FULL, epochs=1), splits, tmp_path, accelerator, workers=0, resume=True)


@pytest.mark.parametrize("cache", [False, True])
def test_the_papers_recipe_trains_the_head_alone(folder, tmp_path, accelerator, cache):
    start = starting_model(replace(FULL, weights="none"), 2)
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
    model, history = fit(recipe, find(folder), tmp_path, accelerator, workers=0)
    assert len(history) == 2
    for name, tensor in start.state_dict().items():
        same = torch.equal(model.state_dict()[name], tensor)
        assert same != name.startswith("fc."), name


def test_learning_rate_rises_and_falls():
    recipe = replace(FULL, warmup=0.1)
    rates = [run.rate(recipe, step, 100) for step in range(101)]
    assert rates[:10] == pytest.approx([i / 10 for i in range(1, 11)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    assert run.rate(RECIPES["paper"], 50, 100) == 1


def test_moving_average_forgets_its_start():
    average = run._moving_average(0.999)
    value = torch.zeros(1)
    for update in range(50):
        value = average(value, torch.ones(1), torch.tensor(update))
    assert value.item() > 0.99
    counter = torch.tensor(7)
    assert average(torch.tensor(3), counter, torch.tensor(5)) is counter


def test_too_few_pictures_for_a_batch(folder, tmp_path, accelerator):
    recipe = replace(FULL, batch_size=64)
    with pytest.raises(DataError, match="--batch-size"):
        fit(recipe, find(folder), tmp_path, accelerator, workers=0)


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
def test_two_processes_train_one_model(folder, tmp_path, accelerator):
    # Something that tells the classes apart already: four steps alone teach too little.
    recipe = replace(FULL, epochs=4, lr=1e-3, strength=0.0, label_smoothing=0.0)
    start, _ = fit(recipe, find(folder), tmp_path / "alone", accelerator, workers=0)
    torch.save(start.state_dict(), tmp_path / "start.pth")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = [
        *("-m", "torch.distributed.run", "--nproc_per_node", "2"),
        *("--master_port", str(port)),
    ]
    done = run_script(
        *(folder, *SMALL, "--epochs", "2", "--crop-sizes", "32", "--view-size", "64"),
        *("--weights", tmp_path / "start.pth"),
        *("--lr", "1e-4", "--batch-size", "8", "--output", tmp_path),
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

    monkeypatch.setattr("realitycheck.evaluation.calibration.fit_stack", hopeless)
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
        "import train, realitycheck.cli, realitycheck.training.run, realitycheck.evaluation.run\n"
        "import realitycheck.evaluation.calibration, realitycheck.evaluation.figures\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
