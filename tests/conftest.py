"""Fixtures that several tests share."""

import logging
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that reached for the Hub would fail at once

import numpy as np
import pytest
from helpers import drawing
from PIL import Image

from realitycheck import checkpoints
from realitycheck.detector import Detector


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
