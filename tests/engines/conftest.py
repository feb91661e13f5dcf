"""A network that is converted in a moment, and a cache of graphs of its own."""

from dataclasses import replace

import pytest
import torch
from helpers import new_config
from torch import nn

from realitycheck.checkpoints import Checkpoint
from realitycheck.committee.cnn import MEAN, STD
from realitycheck.committee.committee import Member
from realitycheck.committee.views import Preprocessing
from realitycheck.engines import cache, choice


@pytest.fixture
def graphs(tmp_path, monkeypatch):
    """An empty cache of graphs, and no engine that the tests ask for."""
    monkeypatch.setattr(cache, "_graphs", lambda: tmp_path / "graphs")
    monkeypatch.delenv(choice.VARIABLE)
    (tmp_path / "graphs").mkdir()
    return tmp_path / "graphs"


class Tiny(nn.Module):
    """A convolution, and a head with two answers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    network = Tiny().eval().requires_grad_(False)
    preprocessing = Preprocessing("whole", 32, MEAN, STD)
    halves = network, network.backbone, network.head
    member = Member("tiny", preprocessing, *halves, to_grid=lambda features: features)
    config = new_config()
    described = replace(config.members[0], name="tiny", preprocessing=preprocessing)
    config = replace(config, members=(described,))
    folder = tmp_path_factory.mktemp("tiny")
    return Checkpoint((member,), config, str(folder), None, folder, "a" * 64)
