"""What several tests share: pictures drawn here, and the demo in a process of its own."""

import contextlib
import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from realitycheck.committee.cnn import MEAN, STD
from realitycheck.committee.views import Preprocessing
from realitycheck.config import Config, MemberConfig
from realitycheck.training.recipe import RECIPES

ROOT = Path(__file__).parent.parent
PATIENCE = 240  # s; a busy machine takes its time
# One client for all calls: to make one costs more than most calls do. It keeps no connection, which
# a server may close just when it is used again.
HTTP = httpx.Client(timeout=PATIENCE, limits=httpx.Limits(max_keepalive_connections=0))
# The full recipe, as small as it goes.
FULL = replace(
    RECIPES["full"],
    weights="none",
    crop_sizes=(32,),
    view_size=64,
    epochs=2,
    batch_size=4,
    precision="fp32",
)


def write_manifest(root: Path, rows: list[dict[str, str]]) -> None:
    """Writes a folder's manifest, whose columns are those of the first row."""
    with (root / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def wait_until(true: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Asks again and again, for `PATIENCE` at most; fails with what `otherwise` says then."""
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            pytest.fail(otherwise())
        time.sleep(0.05)


def is_up(url: str) -> bool:
    """Whether a demo answers there."""
    with contextlib.suppress(OSError):
        return get(f"{url}/healthz")[0] == 200
    return False


def get(url: str) -> tuple[int, bytes]:
    """Status and body of a page, errors included."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def page_config(server: str, language: str = "en") -> dict:
    """What the page is made of, with the texts that a browser of a language shows."""
    config = json.loads(get(server + "/config")[1])
    texts = config["i18n_translations"][language]

    def shown(value):
        found = re.fullmatch(r"__i18n__({.*})", value) if isinstance(value, str) else None
        return texts[json.loads(found[1])["key"]] if found else value

    for part in config["components"]:
        part["props"] = {name: shown(value) for name, value in part["props"].items()}
    return config


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
        process.wait(PATIENCE)


def _wait_until_up(process: subprocess.Popen, url: str, log: Path) -> None:
    def failed() -> str:
        return f"app.py did not come up:\n{log.read_text()}"

    wait_until(lambda: process.poll() is not None or is_up(url), failed)
    assert process.poll() is None, failed()


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


def picture_share(pixels) -> float:
    """Share of a crop that is picture, of a picture whose pixels each have a value of their own."""
    values = np.asarray(pixels).reshape(-1, 3) @ np.array([1 << 16, 1 << 8, 1])
    return len(np.unique(values)) / len(values)


def numbered(width, height):
    """A picture in which no two pixels are alike."""
    numbers = np.random.default_rng(0).choice(1 << 24, width * height, replace=False)
    planes = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=-1)
    return Image.fromarray(np.uint8(planes.reshape(height, width, 3)))


def fill(folder: Path, count: int, seed: int) -> None:
    """Makes a folder of `count` different drawings."""
    folder.mkdir(parents=True)
    for i in range(count):
        drawing(96, 80, seed + i).save(folder / f"{i:03}.png")


def new_config(**changes) -> Config:
    """The configuration of one ResNet-50 that tells `ai` from `real`, not calibrated."""
    member = MemberConfig("resnet50", "resnet50", Preprocessing("native", 176, MEAN, STD))
    return Config(("ai", "real"), "ai", (member,), **changes)


VERSION_4 = ROOT / "tests" / "recorded" / "version-4-config.json"
VERSION_4_WEIGHTS = "489fdfd:realitycheck/weights/model.safetensors"  # in this repository's history


def make_version_4(folder: Path) -> Path:
    """A directory as version 4 wrote it: config of format 1 and the weights it names."""
    folder.mkdir(parents=True)
    shutil.copy(VERSION_4, folder / "config.json")
    with (folder / "model.safetensors").open("wb") as file:
        told = subprocess.run(["git", "show", VERSION_4_WEIGHTS], cwd=ROOT, stdout=file)
    if told.returncode:
        pytest.skip("needs version 4's weights, which lie in the history of a full clone")
    return folder
