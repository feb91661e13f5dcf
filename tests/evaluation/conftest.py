import pytest
import torch
from helpers import new_config

from realitycheck import checkpoints
from realitycheck.committee.cnn import build_model
from realitycheck.results import Record


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A random ResNet-50 as a checkpoint directory."""
    torch.manual_seed(0)
    network = build_model("resnet50", 2).eval()
    folder = tmp_path_factory.mktemp("models") / "RealityCheck"
    checkpoints.save(folder, [network], new_config(), Record(), {}, half=True)
    return folder
