"""Loader processes: as many as shared memory bears; when one is lost, the run ends in words."""

import gc
import multiprocessing
import os
import signal
import sys
import time
from collections import namedtuple

import pytest
import torch
from helpers import ROOT
from limits import with_shared_memory
from torch.utils.data import Dataset

from realitycheck.data import loading
from realitycheck.errors import RealityCheckError

MB = 2**20


class Numbers(Dataset):
    """Items of which one does something to the process that loads it."""

    def __init__(self, act=lambda: None):
        self.act = act

    def __len__(self):
        return 8

    def __getitem__(self, position):
        if position == 5:
            self.act()
        return torch.full((4,), float(position))


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    """Else PyTorch waits 5 s for every lost process when a loader is let go."""
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.2)
    yield
    gc.collect()


@pytest.fixture
def memory(monkeypatch):
    """Sets how much shared memory is free."""
    loading._tell.cache_clear()

    def set_free(size):
        usage = namedtuple("usage", "total used free")(size, 0, size)
        monkeypatch.setattr(loading.shutil, "disk_usage", lambda path: usage)

    return set_free


def load(act=lambda: None, workers=2, **options):
    with loading.worker_errors():
        return list(loading.make_loader(Numbers(act), 2, workers, **options))


@pytest.mark.parametrize(
    ("free", "batch", "workers"),
    [(64, 0, 4), (64, 40, 0), (64, 12, 1), (64, 9, 2), (1000, 40, 4), (0.5, 0, 0), (0, 1, 0)],
)
def test_no_more_processes_than_shared_memory_bears(memory, caplog, free, batch, workers):
    memory(int(free * MB))
    for _ in range(2):
        loader = loading.make_loader(Numbers(), 2, 4, batch_bytes=batch * MB)
        assert loader.num_workers == workers
    assert caplog.text.count("Shared memory") == (workers < 4)
    assert ("--shm-size" in caplog.text) == (workers < 4)


def test_several_training_processes_share_it(memory):
    memory(64 * MB)
    alone, both = (
        loading.make_loader(Numbers(), 2, 4, batch_bytes=6 * MB, sharing=n).num_workers
        for n in (1, 2)
    )
    assert (alone, both) == (4, 1)


def test_a_system_without_semaphores_loads_in_one_process(memory, monkeypatch, caplog):
    def refused():
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(loading.multiprocessing, "Semaphore", refused)
    assert len(load()) == 4
    assert "Permission denied" in caplog.text


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def run_out():
    raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left")


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (die, r"process was lost.*--workers"),
        (lambda: os._exit(3), r"process was lost.*--workers"),
        (run_out, r"Shared memory ran out.*--workers.*--shm-size"),
    ],
)
def test_a_lost_process_ends_in_a_sentence(act, says):
    with pytest.raises(RealityCheckError, match=says):
        load(act)
    gc.collect()  # while it lives, PyTorch says so again at the end of any other process


def test_a_process_lost_while_it_hands_over_a_batch_is_lost_too():
    reader, writer = multiprocessing.Pipe(duplex=False)
    writer.close()
    with pytest.raises(RealityCheckError, match="process was lost"), loading.worker_errors():
        reader.recv()


def test_a_loss_signalled_while_another_sign_of_it_is_looked_at_is_told_too(monkeypatch):
    look, signals = loading._sentence, ["DataLoader worker (pid 7) exited unexpectedly"]

    def interrupted(error):
        if signals:
            raise RuntimeError(signals.pop())
        return look(error)

    monkeypatch.setattr(loading, "_sentence", interrupted)
    with pytest.raises(RealityCheckError, match="process was lost"), loading.worker_errors():
        raise ConnectionResetError


def test_silence_ends_in_a_sentence(monkeypatch):
    monkeypatch.setattr(loading, "PATIENCE", 0.2)
    with pytest.raises(RealityCheckError, match=r"gave nothing for 0 minutes.*--workers 0"):
        load(lambda: time.sleep(1))


def test_other_errors_stay_as_they_are():
    def wrong():
        raise RuntimeError("a mistake in the code")

    with pytest.raises(RuntimeError, match="a mistake in the code"):
        load(wrong)
    with pytest.raises(EOFError), loading.worker_errors():
        raise EOFError
    with pytest.raises(OSError, match="full"), loading.worker_errors():
        raise OSError(28, "full", "table.csv")


@pytest.mark.slow
@pytest.mark.parametrize("size", ["64m", "16k"])
def test_training_and_measuring_work_with_little_shared_memory(folder, tmp_path, size):
    """Docker's default, and next to none, where not even a queue can be made."""
    out = tmp_path / "out"
    arguments = ["--weights", "none", "--arch", "efficientnet_b0", "--epochs", "1"]
    arguments += ["--batch-size", "24", "--crop-sizes", "192", "--view-size", "192"]
    command = [sys.executable, "-m", "realitycheck", "train", folder, *arguments]
    done = with_shared_memory(size, [*command, "--workers", "4", "--output", out], cwd=ROOT)
    assert "epoch 1/1" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Shared memory") == 1
    command = [sys.executable, "-m", "realitycheck", "evaluate", folder]
    command += ["--model", out / "RealityCheck", "--workers", "2", "--output", out]
    done = with_shared_memory(size, command, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Shared memory") == (size == "16k")
