"""The detector's own process: same answers, and it comes back when it dies."""

import gc
import io
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import PATIENCE, drawing, wait_until
from PIL import Image

from realitycheck import images
from realitycheck.detector import PERTURBED
from realitycheck.errors import CheckpointError, PictureError
from realitycheck.files import sha256
from realitycheck.web.answer import About
from realitycheck.web.service import TOGETHER, Service, hear_of_its_end

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
    (member,) = detector.members
    assert tuple(answer.maps) == tuple((member.name, name) for name in detector.config.classes)
    shown = {Image.open(io.BytesIO(jpeg)).size for jpeg in (answer.picture, *answer.maps.values())}
    assert shown == {expected.picture.image.size}
    assert Image.open(io.BytesIO(answer.overlay)).width == expected.picture.image.width
    name, lit = max(expected.heatmaps.items(), key=lambda item: item[1].max())
    assert lit.max() > 0.9
    layer = Image.open(io.BytesIO(answer.maps[member.name, name]))
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


# --- many at once -----------------------------------------------------------------------------


@pytest.fixture
def sizes(running, monkeypatch):
    """How many pictures were asked about together, each time."""
    found, answer = [], running._answer

    def answered(asked):
        found.append(len(asked))
        answer(asked)

    monkeypatch.setattr(running, "_answer", answered)
    return found


def detector_of(service: Service) -> int:
    (pid,) = service._pool._processes
    return pid


def all_at_once(service: Service, files: list) -> list:
    """Answers, or errors, about files that all wait when the first of them is being examined."""

    def visit(file):
        try:
            return service.check(file)
        except Exception as error:
            return error

    wait_until(lambda: not service._pool._pending_work_items, lambda: "it is never ready")
    detector = detector_of(service)
    with ThreadPoolExecutor(len(files)) as visitors:
        os.kill(detector, signal.SIGSTOP)
        try:
            asked = [visitors.submit(visit, files[0])]  # nobody is with it
            wait_until(lambda: service._pool._pending_work_items, lambda: "nobody asked")
            asked += [visitors.submit(visit, file) for file in files[1:]]
            waiting = len(files) - 1
            wait_until(lambda: len(service._waiting._asked) == waiting, lambda: "too few came")
        finally:
            os.kill(detector, signal.SIGCONT)
        return [visit.result(PATIENCE) for visit in asked]


def saved(folder: Path, count: int) -> list[str]:
    """Files of drawings, no two the same, in turns of two sizes."""
    files = [folder / f"{seed}.png" for seed in range(count)]
    for seed, file in enumerate(files):
        drawing(96 + 40 * (seed % 2), 80, seed).save(file)
    return [str(file) for file in files]


def test_of_forty_visitors_at_once_each_gets_their_own_answer(running, detector, sizes, tmp_path):
    files = saved(tmp_path, 40)
    answers = all_at_once(running, files)
    for file, answer in zip(files, answers, strict=True):
        assert answer.report["picture"]["sha256"] == sha256(file)
        assert answer.report["picture"]["name"] == Path(file).name
        width, height = answer.report["picture"]["width"], answer.report["picture"]["height"]
        assert Image.open(io.BytesIO(answer.picture)).size == (width, height)
    for file, answer in list(zip(files, answers, strict=True))[::5]:
        alone = detector.predict(file).probabilities
        assert answer.report["probabilities"] == pytest.approx(alone, abs=1e-4)
    assert sizes == [1, *[TOGETHER] * 4, 40 - 1 - 4 * TOGETHER]


def test_bad_files_among_others_cost_nobody_else_the_answer(running, sizes, tmp_path):
    files = saved(tmp_path, 6)
    Path(files[2]).write_bytes(b"nothing")
    files[4] = "/missing.png"
    answers = all_at_once(running, files)
    assert sizes == [1, 5]
    assert "not a picture" in str(answers[2])
    assert "no file" in str(answers[4])
    for number in (0, 1, 3, 5):
        assert answers[number].report["picture"]["name"] == f"{number}.png"


def test_what_nobody_foresaw_stays_with_its_own_picture(running, sizes, tmp_path):
    files = saved(tmp_path, 4)
    files[2] = replace(images.read(files[2]), image=None)
    answers = all_at_once(running, files)
    assert sizes == [1, 3, 1, 1, 1]
    assert isinstance(answers[2], Exception)
    for number in (0, 1, 3):
        assert answers[number].report["picture"]["name"] == f"{number}.png"


def test_a_file_that_kills_the_detector_costs_only_its_own_answer(running, monkeypatch, tmp_path):
    files, answer, deaths = saved(tmp_path, 4), running._answer, []

    def deadly(asked):
        if any(one.arguments == (files[2],) for one in asked):
            deaths.append(len(asked))
            os.kill(detector_of(running), signal.SIGKILL)
        answer(asked)

    monkeypatch.setattr(running, "_answer", deadly)
    answers = all_at_once(running, files)
    assert deaths == [3, 1]
    assert isinstance(answers[2], PictureError)
    assert "starting again" in str(answers[2])
    for number in (0, 1, 3):
        assert answers[number].report["picture"]["name"] == f"{number}.png"
    assert running.check(files[0]).report["verdict"]


def test_a_missing_checkpoint_is_said_in_words():
    lost = Service("/missing/model")
    try:
        with pytest.raises(CheckpointError, match="no checkpoint"):
            lost.about()
    finally:
        lost.close()


PARENT = """
import os, sys
from realitycheck.web.service import TOGETHER, Service
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


def leave_while_answering():
    (answers,) = (found for found in gc.get_objects() if isinstance(found, SimpleQueue))
    os.write(answers._writer.fileno(), struct.pack("!i", 1000) + b"the first of 1,000 bytes")
    os._exit(1)


def test_its_end_waits_for_no_answer_that_was_half_written():
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    question = pool.submit(leave_while_answering)
    hear_of_its_end(pool)
    with pytest.raises(BrokenProcessPool):
        question.result(PATIENCE)
    ending = threading.Thread(target=pool.shutdown, daemon=True)
    ending.start()
    ending.join(PATIENCE)
    assert not ending.is_alive()
