"""Answers a second of the demo with many visitors at once, and how long each of them waits.

python benchmarks/load.py [--against FOLDER] [--clients 1 10 40 100]

Each visitor sends a picture of their own to `/predict`, waits for the answer, and sends it again at
once; one whom the queue has no room for is told so, and comes back after a second. Every answer
must be about its sender's picture. With --against, another checkout is asked in turn with this one,
so that both meet the same machine.
"""

import argparse
import contextlib
import hashlib
import http.client
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
MB = 2**20
LATER = 1  # seconds after which who was refused comes back
BOUNDARY = "no-file-here-holds-this"
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


@dataclass
class Told:
    """What visitors of one round were told."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    engine: str = ""


class Demo:
    """A checkout's demo in a process of its own."""

    def __init__(self, checkout: Path, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [sys.executable, "app.py", "--port", str(self.port)]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        with log.open("w") as said:
            self.process = subprocess.Popen(
                command, cwd=checkout, env=environment, stdout=said, stderr=said
            )
        while True:
            if self.process.poll() is not None:
                sys.exit(f"{checkout}: app.py ended:\n{log.read_text()}")
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5)
                return
            time.sleep(0.1)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def ask(self, picture: bytes) -> dict | None:
        """The report about a picture; None where the queue is full."""
        form = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n'
        body = form.encode() + b"\r\n" + picture + f"\r\n--{BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        status, answer = self._post("upload", body, kind)
        assert status == 200, answer
        sent = {"path": json.loads(answer)[0], "meta": {"_type": "gradio.FileData"}}
        body = json.dumps({"data": [sent]}).encode()
        status, answer = self._post("call/predict", body, "application/json")
        if status == 503:
            assert b"Queue is full" in answer, answer
            return None
        assert status == 200, answer
        address = f"http://127.0.0.1:{self.port}/gradio_api/call/predict/"
        with urllib.request.urlopen(address + json.loads(answer)["event_id"], timeout=600) as said:
            lines = said.read().decode().splitlines()
        assert "event: complete" in lines, lines
        return json.loads(lines[lines.index("event: complete") + 1].removeprefix("data: "))[2]

    def _post(self, route: str, body: bytes, kind: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        with contextlib.closing(connection):
            connection.request("POST", f"/gradio_api/{route}", body, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def memory(self) -> list[float]:
        """MB of the server, and of the detector's process."""
        pid = str(self.process.pid)
        children = [
            entry.name
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit()
            and _stat(entry, 1) == pid
            and b"spawn_main" in (entry / "cmdline").read_bytes()
        ]
        return [_resident(process) for process in (pid, *children)]

    def processor_seconds(self) -> float:
        """What both processes have used of the processor."""
        ticks = 0
        for entry in Path("/proc").iterdir():
            if entry.name == str(self.process.pid) or _stat(entry, 1) == str(self.process.pid):
                ticks += int(_stat(entry, 11)) + int(_stat(entry, 12))
        return ticks / os.sysconf("SC_CLK_TCK")


def pictures(size: tuple[int, int], count: int) -> list[bytes]:
    """JPEG files of a size, made of the examples; no two are the same."""
    found = []
    examples = sorted((ROOT / "examples").glob("*.jpg"))
    for number in range(count):
        with Image.open(examples[number % len(examples)]) as image:
            copy = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        copy.save(buffer, "JPEG", quality=90 - number % 10, comment=str(number))
        found.append(buffer.getvalue())
    return found


def _stat(entry: Path, position: int) -> str:
    """A field of a process behind its name."""
    with contextlib.suppress(OSError):
        return (entry / "stat").read_text().rpartition(")")[2].split()[position]
    return ""


def _resident(pid: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def visit(demo: Demo, files: list[bytes], seconds: float) -> tuple[Told, float]:
    """Lets one visitor per file ask for so long; what they were told, and how long it took."""
    told, end = Told(), time.perf_counter() + seconds
    lock, start = threading.Lock(), threading.Barrier(len(files))

    def visitor(file: bytes) -> None:
        digest = hashlib.sha256(file).hexdigest()
        start.wait()
        while (asked := time.perf_counter()) < end:
            report = demo.ask(file)
            with lock:
                if report is None:
                    told.refused += 1
                else:
                    assert report["picture"]["sha256"] == digest, "somebody else's answer"
                    told.seconds.append(time.perf_counter() - asked)
                    told.engine = report["model"].get("engine", "")
            if report is None:
                time.sleep(LATER)

    started = time.perf_counter()
    with ThreadPoolExecutor(len(files)) as pool:
        list(pool.map(visitor, files))
    return told, time.perf_counter() - started


def row(told: Told, seconds: float, used: float) -> list[float]:
    """Of the table: rates, waits and processor time."""
    cuts = [0.0] * 99
    if len(told.seconds) > 1:
        cuts = statistics.quantiles(told.seconds, n=100, method="inclusive")
    count = len(told.seconds)
    return [
        count / seconds,
        cuts[49],
        cuts[94],
        cuts[98],
        told.refused,
        1000 * used / max(1, count),
    ]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout")
    p.add_argument("--clients", type=int, nargs="+", default=[1, 10, 40, 100])
    p.add_argument("--seconds", type=float, default=20, help="of a round")
    p.add_argument("--runs", type=int, default=3, help="rounds of each")
    p.add_argument("--size", type=int, nargs=2, default=(1600, 1200), help="of the pictures, px")
    args = p.parse_args()
    files = pictures(tuple(args.size), max(args.clients))
    assert len(set(files)) == len(files)
    checkouts = [ROOT, *([args.against.resolve()] if args.against else [])]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        demos = []
        for number, checkout in enumerate(checkouts):
            demos.append(Demo(checkout, Path(folder) / f"{number}.log"))
            stack.callback(demos[-1].close)
            visit(demos[-1], files[:8], 1)
        told = measure(demos, files, args)
        known = set(Path("/proc/cpuinfo").read_text().split())
        flags = " ".join(flag for flag in FLAGS if flag in known)
        load = " ".join(f"{value:.1f}" for value in os.getloadavg())
        print(f"{len(os.sched_getaffinity(0))} cores ({flags}), {told.engine}; load {load}")
        for demo, checkout in zip(demos, checkouts, strict=True):
            server, *detector = (f"{value:.0f} MB" for value in demo.memory())
            print(f"{checkout}: server {server}, detector {' '.join(detector)}")


def measure(demos: list[Demo], files: list[bytes], args: argparse.Namespace) -> Told:
    """Prints the table; gives what was told last."""
    columns = ("answers/s", "p50 s", "p95 s", "p99 s", "refused", "ms CPU", "ratio", "MB")
    print(f"{'clients':>8}{'':>6}" + "".join(f"{name:>10}" for name in columns), flush=True)
    for clients in args.clients:
        rounds: list[list[list[float]]] = [[] for _ in demos]
        for _ in range(args.runs):
            for demo, found in zip(demos, rounds, strict=True):
                before = demo.processor_seconds()
                told, seconds = visit(demo, files[:clients], args.seconds)
                found.append(row(told, seconds, demo.processor_seconds() - before))
        for name, demo, found in zip(("this", "other"), demos, rounds, strict=False):
            # Pair by pair: the machine's speed drifts between rounds.
            ratio = statistics.median(a[0] / b[0] for a, b in zip(found, rounds[-1], strict=True))
            rate, *waits, refused, used = map(statistics.median, zip(*found, strict=True))
            print(
                f"{clients:8}{name:>6}{rate:10.2f}" + "".join(f"{w:10.2f}" for w in waits), end=""
            )
            print(f"{refused:10.0f}{used:10.0f}{ratio:10.2f}{sum(demo.memory()):10.0f}", flush=True)
    return told


if __name__ == "__main__":
    main()
