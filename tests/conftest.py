"""Fixtures that several tests share."""

import logging
import os
import signal

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that reached for the Hub would fail at once
# Graphs made of random weights would fill the cache; tests of engines choose for themselves.
os.environ.setdefault("REALITYCHECK_ENGINE", "pytorch")

# Test processes side by side: more threads than cores, which wait by running, would fight.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what runs in its background; tests send it to themselves and to the demo.
    signal.signal(signal.SIGINT, signal.default_int_handler)

import shutil
from copy import deepcopy

import numpy as np
import pytest
import torch
from helpers import drawing
from hypothesis import settings
from loopback_hub import TOKEN, LoopbackHub, client_of
from PIL import Image
from saving import HUB_CONFIG, HUB_REPO, QUICK_CONFIG, lively_network, save, save_two

from realitycheck import checkpoints
from realitycheck.committee.cnn import build_model
from realitycheck.detector import Detector
from realitycheck.publish.push import push

settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)  # of .ci/run
settings.load_profile("quick")


@pytest.fixture(autouse=True)
def silent_library():
    """Undoes what a command run in this process sets up: the library logs, and prints nothing."""
    yield
    log = logging.getLogger("realitycheck")
    log.handlers.clear()
    log.setLevel(logging.NOTSET)
    log.propagate = True


@pytest.fixture
def picture() -> Image.Image:
    return drawing(300, 240)


@pytest.fixture(scope="session")
def detector() -> Detector:
    return Detector.from_pretrained(checkpoints.BUNDLE)


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """A checkpoint that answers in hundredths of a second: for tests of all but the answer."""
    folder = tmp_path_factory.mktemp("quick") / "RealityCheck"
    # The bundle's figures, for what shows them.
    save(folder, lively_network(), QUICK_CONFIG, checkpoints.read_record(checkpoints.BUNDLE))
    return folder


@pytest.fixture(scope="session")
def two(tmp_path_factory):
    """As `quick`, of two members."""
    folder = tmp_path_factory.mktemp("two") / "RealityCheck"
    save_two(folder)
    return folder


@pytest.fixture
def quick_by_default(quick, monkeypatch):
    """The quick checkpoint in place of the bundled one, in commands too that tests start."""
    monkeypatch.setenv("REALITYCHECK_MODEL", str(quick))


@pytest.fixture(scope="session")
def quick_detector(quick) -> Detector:
    return Detector.from_pretrained(quick)


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


# --- a checkpoint, and a Hub on this machine that holds it ----------------------------------------


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A checkpoint as training leaves it."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "RealityCheck"
    save(folder, build_model("efficientnet_b0", 2).eval(), HUB_CONFIG)
    (folder.parent / "curves.png").write_bytes(b"a picture")
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    shutil.copytree(saved.parent, tmp_path / "Models")
    return tmp_path / "Models" / "RealityCheck"


@pytest.fixture
def server():
    with LoopbackHub() as running:
        yield running


@pytest.fixture
def owner(server, tmp_path, monkeypatch):
    """This process as the client of `server`, with a token and an empty cache."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with client_of(server.url, tmp_path / "cache", monkeypatch.context):
        yield server


@pytest.fixture(scope="session")
def pushed(saved, tmp_path_factory):
    """A Hub that `saved` was pushed to, no longer running."""
    context = pytest.MonkeyPatch.context
    with LoopbackHub() as hub, context() as patch:
        patch.setenv("HF_TOKEN", TOKEN)
        with client_of(hub.url, tmp_path_factory.mktemp("cache"), context):
            push(saved, HUB_REPO)
    return hub


@pytest.fixture
def published(owner, pushed):
    owner.repos, owner.lfs = deepcopy(pushed.repos), dict(pushed.lfs)
    return owner
