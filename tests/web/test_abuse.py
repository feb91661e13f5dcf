"""The demo as people misuse it: crowds, deserters, hostile files and addresses, kills."""

import json
import os
import re
import secrets
import signal
import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fuzz
import hostile
import pytest
from demo_server import (
    LAST,
    MB,
    META,
    MULTIPART,
    PATIENCE,
    Server,
    alive,
    assert_right_kind,
    part,
    running,
    single_answer,
    wait_for,
)
from gradio_client import Client, handle_file
from gradio_client.client import Status
from gradio_client.utils import QueueError
from helpers import drawing, get

from realitycheck import checkpoints, images
from realitycheck.detector import Detector
from realitycheck.files import sha256
from realitycheck.web.page import QUEUE

pytestmark = pytest.mark.slow
# Well above what is measured, and less than a few of the largest pictures take.
GROWTH = 250 * MB
MANY = 50  # pictures that one call gets done while `PATIENCE` lasts, on any machine


@pytest.fixture(scope="module")
def detector():
    """With the bundled weights, as this server: a crowd is to wait for answers that take time."""
    return Detector.from_pretrained(checkpoints.BUNDLE)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("server")) as found:
        yield found


def saved(folder: Path, seed: int) -> Path:
    drawing(96, 80, seed).save(folder / f"{seed}.png")
    return folder / f"{seed}.png"


def probabilities(client: Client, file: Path) -> dict[str, float]:
    job = client.submit(handle_file(file), api_name="/predict")
    return job.result(timeout=PATIENCE)[2]["probabilities"]


@pytest.fixture
def still_right(server, detector, tmp_path):
    """Checks after a test that the server answers a normal visitor as ever."""
    before = server.detector()
    yield
    file = saved(tmp_path, 99)
    found = probabilities(Client(server.url, verbose=False), file)
    assert found == pytest.approx(detector.predict(file).probabilities, abs=1e-4)
    assert server.detector() == before, "the detector crashed"


# --- crowds -----------------------------------------------------------------------------------


def test_a_crowd_is_answered_each_for_their_own_picture(server, detector, tmp_path, still_right):
    crowd = 40
    files = [saved(tmp_path, seed) for seed in range(crowd)]
    expected = [detector.predict(file, explain=False).probabilities for file in files]
    assert len({round(values["ai"], 4) for values in expected}) > crowd * 3 / 4
    clients = [Client(server.url, verbose=False) for _ in range(crowd)]
    start = threading.Barrier(crowd)

    def visit(client: Client, file: Path) -> dict[str, float] | None:
        start.wait(PATIENCE)
        try:
            return probabilities(client, file)
        except QueueError:
            return None

    sizes = []
    for _ in range(3):
        with ThreadPoolExecutor(crowd) as pool:
            answers = list(pool.map(visit, clients, files))
        for answer, values in zip(answers, expected, strict=True):
            assert answer is None or answer == pytest.approx(values, abs=1e-4)
        assert sum(answer is not None for answer in answers) >= QUEUE
        sizes.append(server.memory())
    print(f"crowds: {[size // MB for size in sizes]} MB")
    assert sizes[-1] - sizes[0] < GROWTH


def test_whom_the_queue_has_no_room_for_is_told_to_come_back(server, tmp_path, still_right):
    (picture,) = server.upload([("a.png", saved(tmp_path, 1).read_bytes())])
    predict = server.events(["image"])["predict"]
    with server.frozen_detector():
        answers = [server.join(predict, [picture], f"full{i}") for i in range(QUEUE + 3)]
        assert [status for status, _ in answers] == [200] * (QUEUE + 1) + [503] * 2
        assert "Queue is full" in answers[-1][1]
        with pytest.raises(QueueError, match="try again"):
            probabilities(Client(server.url, verbose=False), tmp_path / "1.png")
    wait_for(lambda: server.waiting() == 0, "an empty queue")


# --- deserters --------------------------------------------------------------------------------


def test_who_leaves_the_queue_leaves_no_gap(server, tmp_path, still_right):
    (picture,) = server.upload([("a.png", saved(tmp_path, 2).read_bytes())])
    predict = server.events(["image"])["predict"]
    with server.frozen_detector():
        for i in range(2 * QUEUE):
            status, body = server.join(predict, [picture], f"left{i}")
            assert status == 200, body
            with server.listen(f"left{i}") as stream:
                assert b"estimation" in stream.readline()
            # The first is being examined, and waits for nobody.
            wait_for(lambda: server.waiting() == 0, "a place in the queue again")


def test_who_never_listens_is_answered_to_nobody(server, tmp_path, still_right):
    (picture,) = server.upload([("a.png", saved(tmp_path, 3).read_bytes())])
    examine = server.events(["image"])["examine"]
    before = server.memory()
    for i in range(2 * QUEUE):
        wait_for(lambda: server.waiting() < QUEUE, "a place in the queue")
        assert server.join(examine, [picture], f"deaf{i}")[0] == 200
    wait_for(lambda: server.waiting() == 0, "an empty queue")
    assert server.memory() - before < GROWTH


def break_off(server: Server) -> None:
    """Sends half a file."""
    before = set(server.uploads.glob("tmp*"))
    head = (
        "POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\n"
        f"Content-Length: 900000\r\nContent-Type: {MULTIPART}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as visitor:
        visitor.sendall(head.encode() + part("a.png", bytes(300_000)))
        wait_for(lambda: set(server.uploads.glob("tmp*")) - before, "half an upload")


def test_uploads_that_break_off_harm_nobody(server, still_right):
    for _ in range(2 * QUEUE):
        break_off(server)


# --- hostile files ----------------------------------------------------------------------------

ODD_NAMES = (
    "=1+1.png",
    "../../../../tmp/up.png",
    "..\\..\\up.png",
    "/etc/passwd",
    "ünï çødé 🖼.png",
    "\u202egnp.exe.jpg",
    "a" * 3000 + ".png",
    "🖼" * 300 + ".png",
    "%2e%2e%2fup.png",
    "<img src=x onerror=alert(1)>.png",
    "'; rm -rf ~ #.png",
    "nul",
    "no suffix",
    ".png",
    " ",
)


def batch_answer(server: Server, pictures: list[dict]) -> list[dict]:
    text = server.ask(server.events(["file"])["predict_batch"], [pictures])
    messages = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    (done,) = (message for message in messages if message["msg"] == "process_completed")
    assert done["success"], done
    return done["output"]["data"][0]


def test_hostile_files_get_an_answer_or_a_sentence(server, tmp_path, still_right):
    good = saved(tmp_path, 4).read_bytes()
    files = {**hostile.files(), **{name: good + name.encode() for name in ODD_NAMES}}
    assert len(files) >= 200
    before = server.memory()
    pictures = [picture for item in files.items() for picture in server.upload([item])]
    answers = []
    for start in range(0, len(pictures), MANY):
        answers += batch_answer(server, pictures[start : start + MANY])
    for answer in answers:
        assert "/" not in answer["file"]
        assert_right_kind(answer, server)
    assert sum("error" not in answer for answer in answers) > len(ODD_NAMES)
    for picture, answer in list(zip(pictures, answers, strict=True))[::4]:
        single = single_answer(server, picture)
        assert_right_kind(single, server)
        assert single.get("error") == answer.get("error")
    sizes = [server.memory()]
    largest = pictures[list(files).index(hostile.LARGEST)]
    for _ in range(5):
        assert_right_kind(single_answer(server, largest), server)
        sizes.append(server.memory())
    print(
        f"{len(files)} hostile files: {before // MB} MB, then {[size // MB for size in sizes]} MB"
    )
    # Freed memory is not all handed back at once: what counts is that it is used again.
    assert sizes[-1] - before < 2 * GROWTH
    assert sizes[-1] - sizes[0] < 100 * MB


def test_a_short_fuzz_run_over_the_live_server(server, still_right):
    wrong, told = fuzz.ask(server, 30, seed=1)
    assert wrong == [], told
    assert "refused" in told
    assert "predicted" in told


def test_a_file_that_climbs_out_is_refused_at_the_door(server, still_right):
    status, body = server.post("upload", part("..", b"x") + LAST, MULTIPART)
    assert status == 400
    assert "Traceback" not in body


def test_a_file_beyond_the_limit_is_refused_at_the_door(server, still_right):
    body = part("a.png", bytes(images.MAX_BYTES + 1)) + LAST
    assert server.post("upload", body, MULTIPART)[0] == 413


def test_the_checks_hold_after_a_click_on_an_example(server, still_right):
    session = secrets.token_hex(6)
    example = server.events([])["try_example"]
    assert '"success":true' in server.ask(example, [], session, {"number": 0})
    (bad,) = server.upload([("bad.png", b"nothing")])
    examine = server.events(["image"])["examine"]
    assert "not a picture we can read" in server.ask(examine, [bad], session)


# --- other people's files ---------------------------------------------------------------------


@pytest.fixture
def outside(server, tmp_path):
    """A picture the server could read and nobody uploaded, and a link to it among the uploads."""
    file = tmp_path / "private.png"
    drawing(300, 240, 50).save(file)
    server.uploads.mkdir(exist_ok=True)
    link = server.uploads / "link.png"
    link.symlink_to(file)
    yield file
    link.unlink(missing_ok=True)


def attacks(server: Server, outside: Path) -> list[dict]:
    paths = [
        "/etc/passwd",
        str(outside),
        str(server.uploads / "link.png"),
        str(server.uploads / os.path.relpath(outside, server.uploads)),
        f"file://{outside}",
    ]
    return [
        {"path": path, **extra}
        for path in paths
        for extra in ({}, {"meta": META}, {"meta": META, "url": f"file://{outside}"})
    ] + [{"url": f"file://{outside}", "meta": META, "path": None}, {"path": "", "meta": META}]


@pytest.mark.parametrize("number", [-1, 8, 10**20, True, 0.5, "0", "../cat.jpg", None, [0], {}])
def test_an_example_that_is_none_is_a_sentence(server, number, still_right):
    told = server.ask(server.events([])["try_example"], [], event={"number": number})
    assert "There is no such example" in told
    assert "probabilities" not in told


def assert_saw_nothing(text: str, outside: Path) -> None:
    for leak in (sha256(outside), "root:", "probabilities", "image/jpeg;base64"):
        assert leak not in text


def ways_in(server: Server) -> list[tuple[int, bool]]:
    """Number of each event that takes something, and whether that is a list."""
    kinds = (["image"], ["file"], ["json"])
    return [(number, kind == ["file"]) for kind in kinds for number in server.events(kind).values()]


def test_no_event_named_or_private_opens_a_file_of_the_server(server, outside, still_right):
    assert len(ways_in(server)) >= 6
    for number, is_list in ways_in(server):
        for attack in attacks(server, outside):
            text = server.ask(number, [[attack] if is_list else attack])
            assert "process_completed" in text
            assert_saw_nothing(text, outside)
    assert sha256(outside) not in server.left_files(links=False)
    (own,) = server.upload([("own.png", outside.read_bytes())])
    text = server.ask(server.events(["image"])["examine"], [own])
    assert sha256(outside) in text
    assert "image/jpeg;base64" in text


def test_no_side_door_opens_a_file_of_the_server(server, outside, still_right):
    for attack in attacks(server, outside):
        for name in ("predict", "predict_batch", "examine", "try_example"):
            for door in ("run", "api", "call", "call/v2"):
                status, body = server.post(f"{door}/{name}", {"data": [attack]})
                assert_saw_nothing(body, outside)
                assert status != 200 or "event_id" in body
        path = urllib.request.quote(str(attack["path"]))
        for route in ("gradio_api/file=", "file=", "gradio_api/file/", "static/", "assets/"):
            status, body = get(f"{server.url}/{route}{path}")
            assert status >= 400
            assert_saw_nothing(body.decode(errors="replace"), outside)
    wait_for(lambda: server.waiting() == 0, "an empty queue")


@pytest.mark.parametrize(
    "route", ["deep_link?session_hash=x", "file=http://example.com/", "proxy=http://example.com/"]
)
def test_what_the_page_never_asks_for_is_closed(server, route):
    assert get(f"{server.url}/gradio_api/{route}") == (404, b"Not found.")


@pytest.mark.parametrize("route", ["process_recording", "component_server"])
def test_what_the_page_never_sends_to_is_closed(server, route):
    assert server.post(route, b"x")[0] == 404


# --- addresses --------------------------------------------------------------------------------


@pytest.fixture
def canary():
    """A server of this machine that nobody may be sent to; its port and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found.server_port, asked
        found.shutdown()
        thread.join()


def test_nobody_is_sent_to_a_private_address(server, canary, still_right):
    port, asked = canary
    hosts = [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "user@127.0.0.1",
    ]
    addresses = [f"http://{host}:{port}/x.png" for host in hosts]
    addresses += ["http://169.254.169.254/latest/meta-data/", f"HTTP://127.0.0.1:{port}/x.png"]
    addresses += [
        f"https://127.0.0.1:{port}/x.png",
        "file:///etc/passwd",
        f"ftp://127.0.0.1:{port}",
    ]
    singles, lists = server.events(["image"]), server.events(["file"])
    for address in addresses:
        for named in (
            {"path": address, "meta": META},
            {"path": address, "url": address, "meta": META},
            {"url": address, "meta": META},
        ):
            for name in ("predict", "examine"):
                assert "probabilities" not in server.ask(singles[name], [named])
            assert "probabilities" not in server.ask(lists["predict_batch"], [[named]])
        for route in ("gradio_api/file=", "gradio_api/proxy=", "file=", "proxy="):
            assert get(f"{server.url}/{route}{address}")[0] >= 400
    assert asked == []
    assert get(f"http://127.0.0.1:{port}/seen")[0] == 200
    assert asked == ["/seen"]


# --- ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_stop_in_the_middle_of_a_job(end, detector, tmp_path):
    files = [handle_file(saved(tmp_path, seed)) for seed in range(MANY)]
    with running(tmp_path) as server:
        family = server.family()
        client = Client(server.url, verbose=False)
        job = client.submit(files, api_name="/predict_batch")
        wait_for(lambda: job.status().code == Status.PROCESSING, "the start of a job")
        server.process.send_signal(end)
        with pytest.raises(Exception) as caught:  # noqa: PT011
            job.result(timeout=PATIENCE)
        assert not isinstance(caught.value, TimeoutError)
        server.process.wait(PATIENCE)
    wait_for(lambda: not any(map(alive, family)), "the end of every process")
    with running(tmp_path, server.port) as again:
        found = probabilities(Client(again.url, verbose=False), tmp_path / "0.png")
    expected = detector.predict(tmp_path / "0.png").probabilities
    assert found == pytest.approx(expected, abs=1e-4)


SHORT_MEMORY = """
import sys
from realitycheck.web.service import Service
if __name__ == "__main__":
    service = Service()
    from realitycheck.web.page import build_demo
    from realitycheck.web.server import launch
    try:
        launch(build_demo(service, keep=5), server_port=int(sys.argv[1]))
    finally:
        service.close()
"""


def leave_everything(server: Server, folder: Path) -> None:
    """Does whatever makes the server write a file."""
    picture = saved(folder, 60).read_bytes()
    images, files = server.events(["image"]), server.events(["file"])
    for name, number in images.items():
        sent = server.upload([(f"{name}.png", picture)])
        assert '"success":true' in server.ask(number, sent), name
    for name, number in files.items():
        sent = server.upload([(f"{name}.png", picture)])
        assert '"success":true' in server.ask(number, [sent]), name
    (sent,) = server.upload([("triage.png", picture)])
    many = server.events(["json"])
    token = re.search(r'"kept":"(\w+)"', server.ask(many["triage"], [{"file": sent["path"]}]))[1]
    assert "realitycheck.zip" in server.ask(many["triage_pack"], [[token]])
    break_off(server)
    server.ask(images["examine"], [{"path": str(server.uploads), "meta": META}])  # a folder


def test_nothing_of_a_visitor_is_kept(tmp_path):
    script = tmp_path / "short_memory.py"
    script.write_text(SHORT_MEMORY)
    with running(tmp_path, command=(str(script),)) as server:
        for _ in range(2):  # the second time after a folder was named, see forget
            leave_everything(server, tmp_path)
            assert server.left_files()
            wait_for(lambda: not server.left_files(), "an empty folder")
        example = server.events([])["try_example"]
        assert '"success":true' in server.ask(example, [], event={"number": 0})
        leave_everything(server, tmp_path)
        page = urllib.request.urlopen(f"{server.url}/gradio_api/heartbeat/open", timeout=PATIENCE)
        server.process.terminate()
        server.process.wait(PATIENCE)
        page.close()
        assert not server.left_files()
