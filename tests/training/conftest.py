from dataclasses import replace

import pytest
import torch
from helpers import FULL, drawing, write_manifest
from safetensors.torch import save_file

from realitycheck.committee import cnn, transformer
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


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Five sources of each class, two pictures each, named by a manifest."""
    root = tmp_path_factory.mktemp("sources")
    rows = []
    for label in ("ai", "real"):
        (root / "train" / label).mkdir(parents=True)
        for source in range(5):
            for number in range(2):
                image = drawing(240, 230, seed=20 * source + number)
                if label == "ai":
                    image = image.point(lambda value: value // 4)  # what a random tower can tell
                name = f"train/{label}/{source}-{number}.png"
                image.save(root / name)
                rows.append({"file": name, "set": f"{label} source {source}"})
    write_manifest(root, rows)
    return root


@pytest.fixture(scope="session")
def tower(tmp_path_factory):
    """A tower with random weights."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("tower") / "tower.safetensors"
    save_file(transformer.build_tower().state_dict(), file)
    return file
