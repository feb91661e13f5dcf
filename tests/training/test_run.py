import csv
import json
import math
import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from helpers import FULL, ROOT
from PIL import Image
from saving import QUICK_CONFIG, lively_network, save

from realitycheck import checkpoints
from realitycheck.cli import main
from realitycheck.committee.stack import Stack
from realitycheck.data.folders import find
from realitycheck.errors import DataError, RealityCheckError
from realitycheck.training import optimization, run
from realitycheck.training.distillation import Taught
from realitycheck.training.initial import starting_model
from realitycheck.training.loop import validate
from realitycheck.training.recipe import RECIPES
from realitycheck.training.run import fit

# A head on features that are made once: an epoch takes no time.
QUICK = replace(FULL, arch="efficientnet_b0", frozen=True, cache_features=True, epochs=4)
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
    arguments = ["--epochs", 8, "--crop-sizes", 32, "--view-size", 64, "--lr", "1e-3"]
    done = run_script(folder, *SMALL, *arguments, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 8/8" in done.stdout
    names = {"RealityCheck", "RealityCheck.pth", "history.csv", "curves.png", "state.pt"}
    assert {p.name for p in tmp_path.iterdir()} == names
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 9)]
    assert Image.open(tmp_path / "curves.png").size[0] > 500
    loaded = checkpoints.load(tmp_path / "RealityCheck")
    assert loaded.config.classes == ("ai", "real")
    assert loaded.config.calibrated
    assert loaded.record().training[-1]["pictures_seen"] == 8 * 24
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


@pytest.mark.parametrize("cache", [False, True])
def test_training_learns(folder, tmp_path, accelerator, full, cache):
    recipe = replace(full, epochs=12, lr=1e-3, strength=0.0, ema=0.0, label_smoothing=0.0)
    recipe = replace(recipe, cache_pixels=cache, copies=1 + cache)
    model, history = fit(recipe, find(folder), tmp_path, accelerator, workers=0)
    assert len(history) == 12
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert max(row["val_balanced_acc"] for row in history) > 0.9
    assert not model.training


def test_blended_pictures_of_sources_drawn_alike_teach_too(folder, tmp_path, accelerator, full):
    recipe = replace(full, epochs=12, lr=1e-3, strength=0.0, ema=0.0, by_source=True, mixup=0.3)
    _, history = fit(recipe, find(folder), tmp_path, accelerator, workers=0)
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert max(row["val_balanced_acc"] for row in history) > 0.9


@pytest.mark.parametrize("cache", [False, True])
def test_a_network_learns_what_its_teacher_says(folder, tmp_path, accelerator, full, cache):
    """A teacher that calls every picture the opposite, and counts alone."""
    splits = find(folder)
    opposite = ((0.0, 1.0), (1.0, 0.0))
    taught = Taught("f" * 64, {sample.path: opposite[sample.label] for sample in splits["train"]})
    recipe = replace(full, epochs=12, lr=1e-3, strength=0.0, ema=0.0, label_smoothing=0.0)
    recipe = replace(recipe, teacher="t", teacher_share=1.0, cache_pixels=cache, mixup=0.1)
    _, history = fit(recipe, splits, tmp_path, accelerator, taught=taught, workers=0)
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert min(row["val_balanced_acc"] for row in history) < 0.1
    assert max(row["train_acc"] for row in history) > 0.9  # of what was learned from
    longer, other = replace(recipe, epochs=13), replace(taught, sha256="0" * 64)
    with pytest.raises(RealityCheckError, match="weights of the teacher"):
        fit(longer, splits, tmp_path, accelerator, taught=other, workers=0, resume=True)
    _, history = fit(longer, splits, tmp_path, accelerator, taught=taught, workers=0, resume=True)
    assert len(history) == 13


@pytest.mark.slow
def test_the_command_asks_the_teacher(folder, tmp_path):
    teacher = tmp_path / "Teacher"
    save(teacher, lively_network(), QUICK_CONFIG)
    options = [
        "--epochs",
        "1",
        "--crop-sizes",
        "32",
        "--view-size",
        "64",
        "--arch",
        "resnet50_half",
    ]
    options += ["--teacher", str(teacher), "--adversarial", "2", "--output", str(tmp_path / "out")]
    assert command([str(folder), *SMALL, *options]) == 0
    loaded = checkpoints.load(tmp_path / "out" / "RealityCheck")
    step = loaded.record().training[-1]
    assert (step["teacher"], step["teacher_share"], step["adversarial"]) == ("Teacher", 0.5, 2.0)
    assert len(list((tmp_path / "out" / "teacher").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("cached", ["", "features", "pixels"])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    folder, tmp_path, accelerator, full, monkeypatch, cached
):
    splits = find(folder)
    recipe = replace(full, epochs=3)
    if cached == "pixels":
        recipe = replace(recipe, cache_pixels=True, copies=3, crop_sizes=(32, 48))
    if cached == "features":
        recipe = replace(recipe, frozen=True, cache_features=True)
        start = starting_model(replace(full, seed=5), 2)
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


def test_resuming_refuses_other_choices_and_damage(folder, tmp_path, accelerator, full):
    splits = find(folder)
    with pytest.raises(RealityCheckError, match="nothing to resume"):
        fit(full, splits, tmp_path, accelerator, workers=0, resume=True)
    fit(replace(full, epochs=1), splits, tmp_path, accelerator, workers=0)
    changed = replace(full, epochs=1, weight_decay=0.5)
    with pytest.raises(RealityCheckError, match=r"weight_decay = 0\.05, not 0\.5.*only epochs, lr"):
        fit(changed, splits, tmp_path, accelerator, workers=0, resume=True)
    other = replace(splits, classes=["fake", "photo"])
    with pytest.raises(RealityCheckError, match="classes"):
        fit(replace(full, epochs=1), other, tmp_path, accelerator, workers=0, resume=True)
    state = tmp_path / "state.pt"
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(RealityCheckError, match="damaged"):
        fit(replace(full, epochs=1), splits, tmp_path, accelerator, workers=0, resume=True)


def spoiled(monkeypatch, epoch: int, loss: float = math.nan):
    """From now on the validation loss of an epoch, counted from 1, is no number."""
    validate, calls = run.validate, []

    def spoil(*arguments):
        calls.append(1)
        found = validate(*arguments)
        return (loss, *found[1:]) if len(calls) == epoch else found

    monkeypatch.setattr(run, "validate", spoil)


@pytest.mark.parametrize(
    ("recipe", "loss"), [(QUICK, math.nan), (replace(QUICK, name="paper", ema=0.0), math.inf)]
)
def test_numbers_that_end_leave_the_best_epoch_and_a_way_on(
    folder, tmp_path, accelerator, monkeypatch, caplog, recipe, loss
):
    splits = find(folder)
    with monkeypatch.context() as patch:
        spoiled(patch, 3, loss)
        model, history = fit(recipe, splits, tmp_path, accelerator, workers=0)
    assert [row["epoch"] for row in history] == [1, 2]
    assert all(math.isfinite(value) for row in history for value in row.values())
    (told,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "validation loss is no longer a number in epoch 3 of 4" in told
    assert "pass --resume with a lower --lr (such as " in told
    state = torch.load(tmp_path / "state.pt")
    assert len(state["history"]) == 2
    for name, tensor in model.state_dict().items():
        assert tensor.isfinite().all()
        assert torch.equal(tensor, state["best"][name]), name
    lower = replace(recipe, lr=recipe.lr / 4, epochs=5, precision="auto")
    _, again = fit(lower, splits, tmp_path, accelerator, workers=0, resume=True)
    assert again[:2] == history
    assert len(again) == 5
    assert again[2]["lr"] == pytest.approx(lower.lr * optimization.rate(lower, 3 * 6, 5 * 6))
    with pytest.raises(RealityCheckError, match="5 epochs behind it already"):
        fit(recipe, splits, tmp_path, accelerator, workers=0, resume=True)


def test_a_first_epoch_without_numbers_leaves_nothing(folder, tmp_path, accelerator, monkeypatch):
    spoiled(monkeypatch, 1)
    with pytest.raises(RealityCheckError, match=r"in the first epoch.*start again with a lower"):
        fit(QUICK, find(folder), tmp_path, accelerator, workers=0)
    assert not list(tmp_path.iterdir())


def test_a_rate_that_is_far_too_high_ends_training(folder, tmp_path, accelerator, caplog):
    wild = replace(QUICK, optimizer="sgd", lr=1000, warmup=0.0, epochs=9)
    _, history = fit(wild, find(folder), tmp_path, accelerator, workers=0)
    assert 0 < len(history) < 9
    assert "is no longer a number in epoch" in caplog.text


def test_weights_that_the_last_step_spoiled_are_not_kept(
    folder, tmp_path, accelerator, monkeypatch, caplog
):
    train, calls = run.train_one_epoch, []

    def spoil(model, *arguments):
        found = train(model, *arguments)
        calls.append(1)
        if len(calls) == 2:  # unseen by the moving average, which is tested
            next(model.parameters()).data.view(-1)[0] = math.nan
        return found

    monkeypatch.setattr(run, "train_one_epoch", spoil)
    _, history = fit(QUICK, find(folder), tmp_path, accelerator, workers=0)
    assert len(history) == 1
    state = torch.load(tmp_path / "state.pt")["model"]
    assert all(tensor.isfinite().all() for tensor in state.values())
    assert "last step is no longer a number in epoch 2" in caplog.text


def test_an_unfinished_run_is_not_written_over(folder, tmp_path, accelerator, monkeypatch):
    splits = find(folder)
    with monkeypatch.context() as patch:
        spoiled(patch, 2)
        fit(QUICK, splits, tmp_path, accelerator, workers=0)
    state = tmp_path / "state.pt"
    before = state.read_bytes()
    with pytest.raises(RealityCheckError, match=r"unfinished, after 1 of 4 epochs.*--resume"):
        fit(QUICK, splits, tmp_path, accelerator, workers=0)
    assert state.read_bytes() == before
    state.write_bytes(before[:5000])  # nothing that could be resumed
    short = replace(QUICK, epochs=1)
    fit(short, splits, tmp_path, accelerator, workers=0)
    fit(short, splits, tmp_path, accelerator, workers=0)  # a finished run may be followed


def test_a_state_without_numbers_is_neither_resumed_nor_kept(folder, tmp_path, accelerator):
    """As versions before 5 wrote them."""
    short = replace(QUICK, epochs=1)
    fit(short, find(folder), tmp_path, accelerator, workers=0)
    state = torch.load(tmp_path / "state.pt")
    next(iter(state["model"].values())).fill_(math.nan)
    state["recipe"]["epochs"] = 3
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(RealityCheckError, match=r"no longer numbers\. Start without --resume"):
        fit(replace(short, epochs=3), find(folder), tmp_path, accelerator, workers=0, resume=True)
    fit(short, find(folder), tmp_path, accelerator, workers=0)


def test_the_command_saves_what_there_was_and_says_so_by_its_status(
    folder, tmp_path, monkeypatch, capsys
):
    spoiled(monkeypatch, 2)
    arguments = [str(folder), *SMALL, "--arch", "efficientnet_b0", "--frozen", "--cache-features"]
    arguments += ["--view-size", "64", "--epochs", "3", "--lr", "5e-4", "--output", str(tmp_path)]
    monkeypatch.setattr("realitycheck.publish.push.prepare", lambda *_: None)
    # One epoch may teach it nothing.
    monkeypatch.setattr("realitycheck.evaluation.calibration.fit_stack", lambda *_: Stack())
    assert command([*arguments, "--push-to-hub", "owner/name"]) == 1
    told = capsys.readouterr()
    assert told.err.count("--resume") == 1
    assert "Not published" in told.out
    assert not checkpoints.load(tmp_path / "RealityCheck").config.abstention.decides
    assert command(arguments) == 1
    assert "unfinished, after 1 of 3 epochs" in capsys.readouterr().err
    # What is not asked for anew stays as it was.
    monkeypatch.setattr(run, "validate", validate)
    at = arguments.index("--epochs")
    assert command([*arguments[:at], *arguments[at + 4 :], "--resume", "--precision", "fp32"]) == 0
    state = torch.load(tmp_path / "state.pt")
    assert (state["recipe"]["epochs"], state["recipe"]["lr"]) == (3, 5e-4)
    assert len(state["history"]) == 3


@pytest.mark.parametrize("cache", ["", "cache_features", "cache_pixels"])
def test_the_papers_recipe_trains_the_head_alone(folder, tmp_path, accelerator, full, cache):
    start = starting_model(replace(full, weights="none"), 2)
    torch.save(start.state_dict(), tmp_path / "start.pth")
    recipe = replace(
        RECIPES["paper"],
        arch=full.arch,
        weights=str(tmp_path / "start.pth"),
        view_size=64,
        crop_sizes=(64,),
        epochs=2,
        batch_size=8,
        precision="fp32",
        **({cache: True} if cache else {}),
    )
    model, history = fit(recipe, find(folder), tmp_path, accelerator, workers=0)
    assert len(history) == 2
    for name, tensor in start.state_dict().items():
        same = torch.equal(model.state_dict()[name], tensor)
        assert same != name.startswith("fc."), name


def test_learning_rate_rises_and_falls():
    recipe = replace(FULL, warmup=0.1)
    rates = [optimization.rate(recipe, step, 100) for step in range(101)]
    assert rates[:10] == pytest.approx([i / 10 for i in range(1, 11)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    assert optimization.rate(RECIPES["paper"], 50, 100) == 1


def test_moving_average_forgets_its_start():
    average = optimization._moving_average(0.999)
    value = torch.zeros(1)
    for update in range(50):
        value = average(value, torch.ones(1), torch.tensor(update))
    assert value.item() > 0.99
    counter = torch.tensor(7)
    assert average(torch.tensor(3), counter, torch.tensor(5)) is counter


def test_too_few_pictures_for_a_batch(folder, tmp_path, accelerator, full):
    recipe = replace(full, batch_size=64)
    with pytest.raises(DataError, match="--batch-size"):
        fit(recipe, find(folder), tmp_path, accelerator, workers=0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing-folder"], "There is no folder"),
        (["DATA", "--weights", "missing.pth"], "no weights file"),
        (["DATA", "--ai-class", "robot"], "--ai-class"),
        (["DATA", "--arch", "alexnet"], "Choose one of"),
        (["DATA", "--recipe", "resnet50", "--arch", "resnet50_half"], "no ImageNet weights"),
        (["DATA", "--by-source", "--no-balanced"], "drop --no-balanced"),
        (["DATA", "--frozen", "--cache-features", "--mixup", "0.2"], "--mixup take pictures"),
        (["DATA", "--frozen", "--cache-features", "--adversarial", "2"], "drop them"),
        (["DATA", "--teacher", "missing/dir/x", "--weights", "none"], "missing"),
        (["DATA", "--adversarial", "400"], "255 or less"),
        (["DATA", "--teacher-share", "0", "--teacher", "bundled"], "--teacher-share"),
        (["DATA", "--recipe", "families", "--adversarial", "2"], "--adversarial is for"),
        (["DATA", "--recipe", "transformer", "--teacher", "owner/name"], "--teacher is for"),
        (["DATA", "--recipe", "transformer", "--adversarial", "2"], "--adversarial is for"),
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


def test_a_model_that_learned_nothing_is_still_saved(folder, tmp_path, monkeypatch, capsys, full):
    def hopeless(*arguments):
        raise RealityCheckError("nothing was learned")

    monkeypatch.setattr("realitycheck.evaluation.calibration.fit_stack", hopeless)
    arguments = ["--arch", full.arch, "--epochs", "1", "--crop-sizes", "32", "--view-size", "64"]
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
