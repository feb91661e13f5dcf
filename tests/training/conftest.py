from dataclasses import replace

import pytest
from helpers import FULL

from realitycheck.committee import cnn
from realitycheck.training.loop import make_accelerator


@pytest.fixture(scope="session")
def accelerator():
    # Accelerate keeps one precision per process.
    return make_accelerator("fp32")


@pytest.fixture
def full(monkeypatch):
    """The full recipe on a ResNet-18, which is the same kind of network and far quicker."""
    resnet18 = replace(cnn.ARCHITECTURES["resnet50"], width=512)
    monkeypatch.setitem(cnn.ARCHITECTURES, "resnet18", resnet18)
    return replace(FULL, arch="resnet18")
