"""Visitors with many pictures beside others: turns, deserters, other people's files, a kill."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from demo_server import META, Server, wait_for
from helpers import drawing

from realitycheck.web.page import QUEUE
from realitycheck.web.triage import LANES
from realitycheck.web.triage_kept import FOLDER

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(watched_server):
    return watched_server


@pytest.fixture
def picture(server, tmp_path):
    drawing(96, 80).save(tmp_path / "a.png")
    (found,) = server.upload([("a.png", (tmp_path / "a.png").read_bytes())])
    return found


def said(text: str) -> dict:
    """What the queue says at an event's end."""
    messages = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    (done,) = (message for message in messages if message["msg"] == "process_completed")
    return done["output"]


def triage(server: Server) -> int:
    return server.events(["json"])["triage"]


def kept(server: Server) -> int:
    return len(list((server.uploads / FOLDER).glob("*.zip")))


def test_a_single_picture_passes_the_batches(server, picture):
    many = QUEUE - 4
    with server.frozen_detector():
        for i in range(many):
            assert server.join(triage(server), [{"file": picture["path"]}], f"many{i}")[0] == 200
        single = server.events(["image"])["examine"]
        assert server.join(single, [picture], "single")[0] == 200
        wait_for(lambda: server.waiting() == many - LANES, "the first in the detector's queue")
    with server.listen("single") as stream:
        assert any(b'"success":true' in line for line in stream)
    assert server.waiting() > many / 2
    wait_for(lambda: server.waiting() == 0, "an empty queue")


def test_who_leaves_a_batch_leaves_nothing_to_do(server, picture):
    before = kept(server)
    with server.frozen_detector():
        for i in range(12):
            status, body = server.join(triage(server), [{"file": picture["path"]}], f"left{i}")
            assert status == 200, body
            with server.listen(f"left{i}") as stream:
                stream.readline()
        wait_for(lambda: server.waiting() == 0, "an empty queue")
    assert said(server.ask(triage(server), [{"file": picture["path"]}]))["data"][0]["kept"]
    assert kept(server) - before <= LANES + 1


def test_who_leaves_the_batch_of_the_api_stops_it(server, picture):
    predict_batch = server.events(["file"])["predict_batch"]
    begun = time.monotonic()
    assert '"success":true' in server.ask(predict_batch, [[picture] * 10])
    ten = time.monotonic() - begun
    assert server.join(predict_batch, [[picture] * 200], "left")[0] == 200
    with server.listen("left") as stream:
        assert any(b"process_starts" in line for line in stream)
    begun = time.monotonic()
    assert '"success":true' in server.ask(predict_batch, [[picture]])
    assert time.monotonic() - begun < 10 * ten  # it would have taken twenty


def attacks(outside: Path, link: Path, server: Server) -> list:
    paths = ["/etc/passwd", str(outside), str(link), f"file://{outside}", str(server.uploads)]
    paths += [str(server.uploads / os.path.relpath(outside, server.uploads)), "\0", "x" * 10_000]
    return [
        *({"file": path} for path in paths),
        *({"path": path, "meta": META} for path in paths),
        *({"file": {"path": path, "meta": META}} for path in paths),
        *({"name": path, "size": 10**30} for path in paths),
        *paths,
        *([path] for path in paths),
    ]


def test_no_event_opens_or_tells_of_a_file_of_the_server(server, tmp_path):
    outside, link = tmp_path / "private.png", server.uploads / "link.png"
    drawing(300, 240, 50).save(outside)
    link.symlink_to(outside)
    try:
        for number in server.events(["json"]).values():
            for attack in attacks(outside, link, server):
                text = server.ask(number, [attack])
                assert "process_completed" in text
                for leak in ("root:", "image/jpeg;base64", "rc-verdict", "realitycheck.zip"):
                    assert leak not in text
                assert "Traceback" not in text
    finally:
        link.unlink()


def test_answers_are_nobodys_uploads(server, picture):
    """An answer's file may be fetched by its token, and is no picture, and no picture is one."""
    token = said(server.ask(triage(server), [{"file": picture["path"]}]))["data"][0]["kept"]
    file = server.uploads / FOLDER / f"{token}.zip"
    found = said(server.ask(triage(server), [{"file": str(file)}]))["data"][0]
    assert found["kind"] == "unread"
    (sent,) = server.upload([("0" * 32 + ".zip", file.read_bytes())])
    opened = server.events(["json"])["triage_open"]
    name = Path(sent["path"]).parent.name
    for asked in ("0" * 32, sent["path"], f"../{name}/{'0' * 32}", name[:32]):
        assert said(server.ask(opened, [asked]))["data"][0]["gone"]


def test_after_a_kill_of_the_detector_the_others_are_answered(server, picture):
    os.kill(server.detector(), signal.SIGKILL)
    answers = [
        said(server.ask(triage(server), [{"file": picture["path"]}]))["data"][0] for _ in range(3)
    ]
    assert "starting again" in answers[0]["reason"]
    assert [answer["kind"] == "unread" for answer in answers] == [True, False, False]
