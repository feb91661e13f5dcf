"""What several tests share: pictures drawn here, and one detector."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that reached for the Hub would fail at once

import numpy as np
import pytest
from PIL import Image

from realitycheck import checkpoints
from realitycheck.detector import Detector

ROOT = Path(__file__).parent.parent


def get(url: str) -> tuple[int, bytes]:
    """Status and body of a page, errors included."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@contextlib.contextmanager
def start_app(logs: Path, *, options=(), python=sys.executable, cwd=ROOT, env=os.environ):
    """Runs app.py in a process of its own; gives its address once it is up."""
    port = free_port()
    command = [python, "app.py", "--port", str(port), *options]
    with serve(command, port, logs, cwd=cwd, env=env):
        yield f"http://127.0.0.1:{port}"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serve(command: list, port: int, logs: Path, **options):
    """Runs a demo in a process of its own; gives that process once the demo is up."""
    log = logs / "app.log"
    process = subprocess.Popen(command, stdout=log.open("w"), stderr=subprocess.STDOUT, **options)
    try:
        _wait_until_up(process, f"http://127.0.0.1:{port}", log)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_up(process: subprocess.Popen, url: str, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            if get(url + "/healthz")[0] == 200:
                return
        time.sleep(0.1)
    pytest.fail(f"app.py did not come up:\n{log.read_text()}")


def drawing(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture with smooth and rough parts; each seed gives clearly another one."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    angle, waves = rng.uniform(0, np.pi), rng.uniform(2, 12)
    smooth = np.sin(waves * (np.cos(angle) * x + np.sin(angle) * y))[..., None] * rng.normal(size=3)
    blobs = sum(
        np.exp(-((x - rng.uniform()) ** 2 + (y - rng.uniform()) ** 2) / 0.02)[..., None]
        * rng.normal(size=3)
        for _ in range(6)
    )
    rough = rng.normal(size=(height, width, 3)) * 0.1 * (x > 0.5)[..., None]
    return Image.fromarray(np.uint8(np.clip(127 + 60 * (smooth + blobs + rough), 0, 255)))


@pytest.fixture
def picture() -> Image.Image:
    return drawing(300, 240)


@pytest.fixture(scope="session")
def detector() -> Detector:
    return Detector.from_pretrained(checkpoints.BUNDLE)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """An ImageFolder with train, val and test: `ai` is smooth, `real` is noise."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6), ("test", 6)):
        for label in ("ai", "real"):
            (root / split / label).mkdir(parents=True)
            for i in range(count):
                level = rng.integers(60, 200, 3)
                spread = 0 if label == "ai" else 50
                pixels = np.clip(level + rng.normal(size=(96, 96, 3)) * spread, 0, 255)
                name = f"{split}{i}.png"
                Image.fromarray(np.uint8(pixels)).save(root / split / label / name)
    return root
