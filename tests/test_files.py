"""Full disks, quotas, limits and closed folders: a sentence, and what was there before is whole."""

import csv
import errno
import os
import sys

import pytest
import torch
from helpers import ROOT, drawing
from limits import file_size_limit, on_a_small_disk, open_folder, read_only
from saving import config_of, save
from torch import nn

from realitycheck import checkpoints, cli
from realitycheck.errors import RealityCheckError, WriteError
from realitycheck.evaluation import report
from realitycheck.files import atomic_write, check_writable, sha256
from realitycheck.results import Interval
from realitycheck.training import record
from realitycheck.training.recipe import RECIPES

LIMIT = 3000  # bytes; every writer below wants more
CONFIG = config_of("resnet50")


def network() -> nn.Module:
    return nn.Linear(100, 100)


def save_checkpoint(folder):
    save(folder / "RealityCheck", network(), CONFIG)


def save_half(folder):
    save(folder / "Half", network(), CONFIG, half=True)


def save_state(folder):
    model = network()
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer)
    run = record.Run(RECIPES["full"], model, model, None, optimizer, scheduler)
    run.history = [{"epoch": 1, "train_loss": 1, "val_loss": 1, "train_acc": 1, "val_acc": 1}]
    record.write(run, folder)


def save_curves(folder):
    row = {"epoch": 1, "train_loss": 1, "val_loss": 1, "train_acc": 1, "val_acc": 1}
    record.plot_curves([row], folder / "curves.png")


def save_metrics(folder):
    groups = {f"generator {number}": Interval(0.5, 0.4, 0.6) for number in range(100)}
    report.write_metrics(folder, report.Report({}, explanations={"test": groups}))


def save_table(folder):
    with atomic_write(folder / "t.csv") as temporary, temporary.open("w") as file:
        csv.writer(file).writerows([["a", "b"]] * 2000)


WRITERS = [save_checkpoint, save_half, save_state, save_curves, save_metrics, save_table]


def contents(folder):
    return {p.relative_to(folder): sha256(p) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("write", WRITERS)
def test_a_limit_on_file_sizes_leaves_the_old_files_whole(write, tmp_path):
    write(tmp_path)
    before = contents(tmp_path)
    torch.manual_seed(7)
    with file_size_limit(LIMIT), pytest.raises(WriteError) as caught:
        write(tmp_path)
    assert "larger than a file may be there; what was there before is whole" in str(caught.value)
    assert "ulimit -f" in str(caught.value)
    after = contents(tmp_path)
    unchanged = {name for name, digest in before.items() if after.get(name) == digest}
    # The history is short enough to be written; what failed is what the message names.
    assert set(before) - unchanged <= {p for p in before if p.name == "history.csv"}
    assert set(after) == set(before)


@pytest.mark.parametrize("write", WRITERS)
def test_nothing_is_left_of_a_first_file_that_could_not_be_written(write, tmp_path):
    with file_size_limit(LIMIT), pytest.raises(WriteError, match="nothing was left behind"):
        write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"history.csv"}


def test_a_pth_and_its_config_stay_together(tmp_path):
    """The `.pth` is written first and fits; its directory does not: both stay as they were."""
    save(tmp_path / "RealityCheck", network(), CONFIG)
    before = contents(tmp_path)
    documents = {"README.md": "x" * 200_000}
    with file_size_limit(100_000), pytest.raises(WriteError):
        checkpoints.save(tmp_path / "RealityCheck", [network()], CONFIG, record.Record(), documents)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("write", WRITERS)
def test_a_closed_folder(write):
    with open_folder() as folder:
        write(folder)
        before = contents(folder)
        with read_only(folder), pytest.raises(WriteError, match="you may not write there") as error:
            write(folder)
        assert "Write to another folder" in str(error.value)
        assert contents(folder) == before


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "your quota on this disk is used up"),
        (errno.EROFS, "read-only"),
    ],
)
def test_what_the_system_says_in_words(tmp_path, number, words):
    path = tmp_path / "a.txt"
    path.write_text("old")
    plain = OSError(number, os.strerror(number))
    hidden = RuntimeError("unexpected pos 64 vs 0")  # as PyTorch raises it
    hidden.__context__ = plain
    of_rust = ValueError(f"I/O error: {os.strerror(number)} (os error {number})")
    for error in (plain, hidden, of_rust):
        with pytest.raises(WriteError, match=words):
            fail_to_write(path, error)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]


def fail_to_write(path, error):
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        raise error


def test_other_errors_stay_what_they_are(tmp_path):
    for error in (ValueError("x"), RuntimeError("y"), FileNotFoundError(2, "no", "/elsewhere")):
        with pytest.raises(type(error)) as caught:
            fail_to_write(tmp_path / "a.txt", error)
        assert caught.value is error
    inner = WriteError("of another file")
    with pytest.raises(WriteError) as caught:
        fail_to_write(tmp_path / "a.txt", inner)
    assert caught.value is inner
    assert isinstance(inner, RealityCheckError)
    assert isinstance(inner, OSError)


def test_names_that_are_taken(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(WriteError, match="a file is in the place of a folder"),
        atomic_write(tmp_path / "file" / "below"),
    ):
        pass
    for name, make in (("folder", "write_text"), ("file", "mkdir")):
        arguments = ["x"] if make == "write_text" else []
        with (
            pytest.raises(WriteError, match="Choose another name"),
            atomic_write(tmp_path / name) as temporary,
        ):
            getattr(temporary, make)(*arguments)
    with pytest.raises(WriteError, match="too long"), atomic_write(tmp_path / ("n" * 300)) as t:
        t.write_text("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_whose_new_name_is_refused_comes_back(tmp_path, monkeypatch):
    old = tmp_path / "model"
    old.mkdir()
    (old / "a").write_text("old")
    rename, calls = type(old).rename, []

    def refuse_second(self, target):
        calls.append(target)
        if len(calls) == 2:
            raise PermissionError(errno.EACCES, "no", str(self), None, str(target))
        return rename(self, target)

    monkeypatch.setattr(type(old), "rename", refuse_second)
    with pytest.raises(WriteError), atomic_write(old) as temporary:
        temporary.mkdir()
    assert (old / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_whether_a_folder_can_be_written_is_found_out_before(tmp_path):
    check_writable(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match="in the place of a folder"):
        check_writable(tmp_path / "file" / "below")
    with open_folder() as folder, read_only(folder), pytest.raises(WriteError, match="may not"):
        check_writable(folder)


# --- the commands -------------------------------------------------------------------------------


def test_training_into_a_closed_folder_is_refused_before_it_starts(
    folder, capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr("realitycheck.training.run.fit", lambda *_, **__: pytest.fail("trained"))
    (tmp_path / "file").write_text("x")
    output = str(tmp_path / "file" / "below")
    assert cli.main(["train", str(folder), "--output", output, "--weights", "none"]) == 1
    assert "a file is in the place of a folder" in capsys.readouterr().err


@pytest.mark.usefixtures("quick_by_default")
def test_a_table_that_may_not_grow(tmp_path, capsys):
    table = tmp_path / "verdicts.csv"
    table.write_text("old")
    for number in range(60):
        drawing(64, 64).save(tmp_path / f"{number} {'long' * 40}.jpg")
    with file_size_limit(8 * 1024):
        status = cli.main(["scan", str(tmp_path), "--csv", str(table)])
    assert status == 2
    said = capsys.readouterr().err
    assert "larger than a file may be there" in said
    assert "goes on where this one stopped" in said
    assert table.read_text() == "old"


def check_small_disk(done, kept):
    assert done.returncode in (1, 2)
    assert "the disk is full; what was there before is whole. Make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpected pos" not in done.stderr
    there = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines() if line[:6] != "kept: ")
    assert there == {str(name): str(size) for name, size in kept.items()}


@pytest.mark.usefixtures("quick_by_default")
@pytest.mark.parametrize("half", [[], ["--half"]])
def test_a_checkpoint_on_a_full_disk(tmp_path, half):
    disk = tmp_path / "disk"
    save(disk / "model", network(), CONFIG)
    kept = {p.relative_to(disk): p.stat().st_size for p in disk.rglob("*") if p.is_file()}
    command = [sys.executable, "-m", "realitycheck", "export", disk / "model", *half]
    done = on_a_small_disk(disk, "2m", command, {**os.environ, "PYTHONPATH": str(ROOT)})
    check_small_disk(done, kept)


@pytest.mark.usefixtures("quick_by_default")
def test_maps_and_a_table_on_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "verdicts.csv").write_text("old")
    command = [sys.executable, "-m", "realitycheck", ROOT / "examples", "--heatmaps", disk / "maps"]
    options = ["--csv", disk / "verdicts.csv"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = on_a_small_disk(disk, "100k", [*command, *options], environment)
    assert done.returncode == 2
    assert "could not be written because the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert "verdicts.csv 3" in done.stdout.splitlines()
    assert not any(line.startswith(("maps/.", ".")) for line in done.stdout.splitlines())
