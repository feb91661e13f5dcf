"""Fixtures that several tests share."""

import logging
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that reached for the Hub would fail at once

import shutil

import numpy as np
import pytest
import torch
from helpers import drawing
from loopback_hub import TOKEN, LoopbackHub, client_of
from PIL import Image
from saving import HUB_CONFIG, HUB_REPO, save

from realitycheck import checkpoints
from realitycheck.committee.cnn import build_model
from realitycheck.detector import Detector
from realitycheck.publish.push import push


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


@pytest.fixture
def published(owner, saved):
    push(saved, HUB_REPO)
    owner.requests.clear()
    return owner
