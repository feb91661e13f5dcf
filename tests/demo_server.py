"""A running demo, and what a visitor of any kind can do to it: for tests, and for fuzzing."""

import contextlib
import http.client
import json
import math
import os
import secrets
import signal
import sys
import time
import urllib.request
from pathlib import Path

from helpers import ROOT, free_port, get, serve

from realitycheck.files import sha256

PATIENCE = 120  # seconds after which an answer counts as never
META = {"_type": "gradio.FileData"}
BOUNDARY = "no-file-here-holds-this"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
LAST = f"\r\n--{BOUNDARY}--\r\n".encode()
MB = 2**20


class Server:
    """A demo in a process of its own, and what a visitor can do to it."""

    def __init__(self, process, port: int, uploads: Path) -> None:
        self.process, self.port, self.uploads = process, port, uploads
        self.url = f"http://127.0.0.1:{port}"
        self.config = json.loads(get(self.url + "/config")[1])

    def post(self, route: str, body: dict | bytes, kind: str = "application/json"):
        """Status and body."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/gradio_api/{route}", data, {"Content-Type": kind}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def upload(self, files: list[tuple[str, bytes]]) -> list[dict]:
        """Sends files of any name; what names them in a call."""
        body = b"\r\n".join(part(name, data) for name, data in files) + LAST
        status, body = self.post("upload", body, MULTIPART)
        assert status == 200, body
        return [{"path": path, "meta": META} for path in json.loads(body)]

    def join(self, number: int, data: list, session: str, event=None) -> tuple[int, str]:
        """Asks for an event of the page by its number, with what the browser says of it."""
        body = {"fn_index": number, "data": data, "session_hash": session, "event_data": event}
        return self.post("queue/join", body)

    def ask(self, number: int, data: list, session: str | None = None, event=None) -> str:
        """Everything the queue says of an event of the page."""
        session = session or secrets.token_hex(6)
        status, body = self.join(number, data, session, event)
        if status != 200:
            return body
        said, end = b"", time.monotonic() + PATIENCE
        with self.listen(session) as stream:
            for line in stream:  # one every few seconds, while nothing else comes
                said += line
                assert time.monotonic() < end, f"no answer within {PATIENCE} s"
        return said.decode()

    def listen(self, session: str) -> http.client.HTTPResponse:
        """The stream of a session."""
        return urllib.request.urlopen(
            f"{self.url}/gradio_api/queue/data?session_hash={session}", timeout=PATIENCE
        )

    def events(self, inputs: list[str]) -> dict[str, int]:
        """Number of each event, named or private, that takes these kinds of inputs."""
        kinds = {part["id"]: part["type"] for part in self.config["components"]}
        return {
            event["api_name"]: event["id"]
            for event in self.config["dependencies"]
            if event["backend_fn"] and [kinds[i] for i in event["inputs"]] == inputs
        }

    def waiting(self) -> int:
        return json.loads(get(self.url + "/gradio_api/queue/status")[1])["queue_size"]

    def family(self) -> list[int]:
        """Process ids of the server and what it started."""
        return family_of(self.process.pid)

    def detector(self) -> int:
        """Process id of the detector."""
        (pid,) = (pid for pid in self.family() if b"spawn_main" in _proc(pid, "cmdline"))
        return pid

    @contextlib.contextmanager
    def frozen_detector(self):
        """Nothing is answered meanwhile."""
        pid = self.detector()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def memory(self) -> int:
        """Bytes of the server and the detector together."""
        return sum(resident(pid) for pid in self.family())

    def check_alive(self) -> None:
        """Fails where the demo no longer says that it is well."""
        status, body = get(self.url + "/healthz")
        assert (status, json.loads(body)) == (200, {"status": "ok"})

    def left_files(self, links: bool = True) -> set[str]:
        """SHA-256 of what lies in the upload folder."""
        found = (path for path in self.uploads.rglob("*") if links or not path.is_symlink())
        return {sha256(path) for path in found if path.is_file()}


def part(name: str, data: bytes) -> bytes:
    """A file as a form sends it."""
    says = f'Content-Disposition: form-data; name="files"; filename="{name}"'
    return f"--{BOUNDARY}\r\n{says}\r\n\r\n".encode() + data


def _proc(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def family_of(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _proc(int(entry.name), "stat")):
            parents[int(entry.name)] = int(stat.rpartition(b")")[2].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def resident(pid: int) -> int:
    lines = _proc(pid, "status").decode().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def alive(pid: int) -> bool:
    return _proc(pid, "stat").rpartition(b")")[2].split()[:1] not in ([], [b"Z"])


def wait_for(condition, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


@contextlib.contextmanager
def running(folder: Path, port: int | None = None, command=("app.py", "--port")):
    port = port or free_port()
    uploads = folder / "uploads"
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(uploads), "PYTHONPATH": str(ROOT)}
    full = [sys.executable, *command, str(port)]
    with serve(full, port, folder, cwd=ROOT, env=environment) as process:
        yield Server(process, port, uploads)


def assert_right_kind(answer: dict, server: Server) -> None:
    """Probabilities, or one sentence that tells nothing of the server."""
    if "probabilities" in answer:
        assert math.isclose(sum(answer["probabilities"].values()), 1, abs_tol=1e-4)
        assert answer["verdict"] in ("ai", "real", "uncertain")
        return
    sentence = answer["error"]
    assert sentence, answer
    assert sentence[0].isupper(), sentence
    assert sentence.endswith("."), sentence
    for leak in ("Traceback", "Error(", str(server.uploads), str(ROOT)):
        assert leak not in sentence, sentence


def single_answer(server: Server, picture: dict) -> dict:
    """What /predict says: a report, or an error."""
    text = server.ask(server.events(["image"])["predict"], [picture])
    messages = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    (done,) = (message for message in messages if message["msg"] == "process_completed")
    return done["output"]["data"][2] if done["success"] else done["output"]
