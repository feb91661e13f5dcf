import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from helpers import ROOT, free_port
from torch import nn
from torchvision.ops import StochasticDepth

from realitycheck.training.processes import own_rows, train_as_one

SCRIPT = Path(__file__).parent / "fit_script.py"
CPU = torch.device("cpu")


def process(index, count=2):
    return SimpleNamespace(num_processes=count, process_index=index, device=CPU)


@pytest.fixture
def group(tmp_path):
    """A group of this process alone."""
    store = f"file://{tmp_path / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_one_process_keeps_its_layers():
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5))
    layers = list(model)
    train_as_one(model, process(0, count=1))
    assert list(model) == layers


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.Dropout(0.4), (8, 6)), (StochasticDepth(0.5, "row"), (8, 3, 2, 2))],
)
def test_processes_drop_what_one_would(layer, shape):
    inputs = torch.randn(shape)
    torch.manual_seed(3)
    whole = layer(inputs)
    assert (whole == 0).any()
    for index, rows in enumerate(inputs.chunk(2)):
        model = nn.Sequential(layer)
        train_as_one(model, process(index))
        torch.manual_seed(3)
        assert torch.allclose(model(rows), own_rows(whole, 2, index))
        assert torch.equal(model.eval()(rows), rows)
        layer.train()


def test_a_joined_batch_norm_is_a_batch_norm(group):
    """Of a group of one; the slow tests below have two."""
    torch.manual_seed(0)
    norms = [nn.BatchNorm2d(3), nn.BatchNorm2d(3)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.copy_(torch.tensor([1.0, 2.0, -0.5]))
            norm.bias.copy_(torch.tensor([0.5, 0.0, 1.0]))
    usual, joined = (nn.Sequential(norm) for norm in norms)
    train_as_one(joined, process(0))
    assert joined[0].weight is norms[1].weight  # which an optimizer may know already
    for _ in range(3):
        inputs = torch.randn(4, 3, 5, 5) * 3 + 1
        found = []
        for model in (usual, joined):
            given = inputs.clone().requires_grad_()
            outputs = model(given)
            outputs.square().sum().backward()
            found.append((outputs, given.grad))
        for ours, theirs in zip(*found, strict=True):
            assert torch.allclose(ours, theirs, atol=1e-4)
    states = [model.eval().state_dict() for model in (usual, joined)]
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[0].items():
        assert torch.allclose(states[1][name].float(), tensor.float(), atol=1e-5), name
    assert torch.allclose(joined(inputs), usual(inputs), atol=1e-5)


def rows(folder, output, workers, launcher=(), **changes):
    done = subprocess.run(
        [*(launcher or [sys.executable]), SCRIPT, folder, output, workers, json.dumps(changes)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with (output / "history.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"arch": "resnet18"},
        {"arch": "resnet18", "cache_pixels": True, "copies": 4},
        {
            "arch": "efficientnet_b0",
            "frozen": True,
            "cache_features": True,
            "feature_noise": 0.5,
        },
    ],
)
def test_two_processes_have_the_losses_of_one(folder, tmp_path, changes):
    """Of 24 pictures both train on 20, and test on 12 in batches of 10 and 2."""
    accelerate = Path(sys.executable).with_name("accelerate")
    launcher = [accelerate, "launch", "--multi_gpu", "--num_processes", "2"]
    launcher += ["--main_process_port", str(free_port())]
    one = rows(folder, tmp_path / "one", "0", batch_size=10, **changes)
    two = rows(*(folder, tmp_path / "two", "1", list(map(str, launcher))), batch_size=5, **changes)
    assert len(one) == len(two) == 2
    for alone, together in zip(one, two, strict=True):
        assert alone["pictures"] == together["pictures"] == "20"
        for name in ("train_loss", "val_loss"):
            assert float(together[name]) == pytest.approx(float(alone[name]), rel=1e-3), name
