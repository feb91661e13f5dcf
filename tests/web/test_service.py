"""The detector's own process: same answers, and it comes back when it dies."""

import io
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import PATIENCE, wait_until
from PIL import Image

from realitycheck.detector import PERTURBED
from realitycheck.errors import CheckpointError, PictureError
from realitycheck.web.answer import About
from realitycheck.web.service import Service

THREADS = 2


@pytest.fixture(scope="module")
def running(quick):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", str(THREADS))  # of its process
        started = Service(str(quick))
        started.about()
    yield started
    started.close()


@pytest.fixture
def file(picture, tmp_path):
    picture.save(tmp_path / "picture.png")
    return str(tmp_path / "picture.png")


def test_it_answers_as_the_detector_does(running, detector, file):
    answer = running.check(file)
    expected = detector.predict(file)
    assert answer.report["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
    assert tuple(answer.maps) == detector.config.classes
    shown = {Image.open(io.BytesIO(jpeg)).size for jpeg in (answer.picture, *answer.maps.values())}
    assert shown == {expected.picture.image.size}
    assert Image.open(io.BytesIO(answer.overlay)).width == expected.picture.image.width
    name, lit = max(expected.heatmaps.items(), key=lambda item: item[1].max())
    assert lit.max() > 0.9
    layer = Image.open(io.BytesIO(answer.maps[name]))
    assert layer.mode == "RGBA"
    assert np.asarray(layer)[np.unravel_index(lit.argmax(), lit.shape)][3] >= 250
    assert running.about() == About(
        model=detector.checkpoint.describe(),
        classes=detector.config.classes,
        ai_class="ai",
        record=detector.checkpoint.record(),
    )


def test_once_started_it_uses_every_core(running):
    running.about()
    assert running._pool.submit(torch.get_num_threads).result() == THREADS


def test_it_asks_again_after_changes(running, detector, file):
    asked = running.check_perturbed(file)
    first = next(asked)  # before the others are asked about
    rows = [first, *asked]
    assert [row["condition"] for row in rows] == ["clean", *PERTURBED]
    assert rows[0]["probabilities"] == pytest.approx(detector.predict(file).probabilities, abs=1e-5)
    with pytest.raises(PictureError, match="no file"):
        list(running.check_perturbed("/missing.png"))


def test_a_bad_file_costs_only_its_own_answer(running, file, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"nothing")
    with pytest.raises(PictureError, match="not a picture"):
        running.check(str(tmp_path / "bad.png"))
    assert running.check(file).report["verdict"]


def test_after_a_crash_the_next_visitor_is_answered(running, file):
    (process,) = running._pool._processes.values()
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(PictureError, match="starting again"):
        running.check(file)
    assert running.check(file).report["verdict"]


def test_a_missing_checkpoint_is_said_in_words():
    lost = Service("/missing/model")
    try:
        with pytest.raises(CheckpointError, match="no checkpoint"):
            lost.about()
    finally:
        lost.close()


PARENT = """
import os, sys
from realitycheck.web.service import Service
if __name__ == "__main__":
    service = Service(sys.argv[1])
    service.about()
    print(*service._pool._processes, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_it_ends_when_its_server_is_killed(tmp_path, quick):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    done = subprocess.run(
        [sys.executable, str(script), str(quick)],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        timeout=PATIENCE,
    )
    worker = int(done.stdout)

    def outlived() -> str:
        os.kill(worker, signal.SIGKILL)
        return "the detector's process outlived its server"

    wait_until(lambda: not _alive(worker), outlived)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
