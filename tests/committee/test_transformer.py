"""The transformer's head by itself, as another engine's backbone needs it."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from realitycheck import checkpoints
from realitycheck.committee import gradcam, transformer
from realitycheck.engines import choice
from realitycheck.errors import CheckpointError


@pytest.fixture(scope="module")
def found():
    return checkpoints.find(checkpoints.BUNDLE)


@pytest.fixture(scope="module")
def whole(found):
    return found.load().members[0]


@pytest.fixture(scope="module")
def alone(found):
    return found.load_heads().members[0]


@pytest.fixture(scope="module")
def features(whole):
    pixels = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return whole.backbone(pixels)


def test_backbone_and_head_make_the_network(whole, features):
    pixels = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(whole.read(features)[0], whole.network(pixels), atol=1e-4)


def test_a_head_alone_gives_the_same_answers_and_maps(whole, alone, features):
    assert isinstance(alone.backbone, nn.Identity)
    with torch.inference_mode():
        assert torch.allclose(alone.head(features), whole.head(features), atol=1e-4)
    assert alone.families == whole.families > 0
    assert alone.read(features)[1].shape == (2, alone.families)
    ours, reference = (gradcam.class_maps(m, features, [0, 1]) for m in (alone, whole))
    assert abs(ours - reference).max() < 1e-3 * reference.max()
    assert (reference.max(axis=(1, 2, 3)) > 0).all()


def test_only_its_tensors_are_read():
    assert transformer.in_head("tower.blocks.8.norm1.weight")
    assert transformer.in_head("head.mean")
    assert not transformer.in_head("tower.blocks.7.norm1.weight")
    assert not transformer.in_head("tower.patch_embed.proj.weight")


def test_missing_tensors_are_an_error_in_words(found, monkeypatch):
    monkeypatch.setattr(transformer, "in_head", lambda name: name.startswith("head."))
    with pytest.raises(CheckpointError, match="are not those of a vit_base_patch16"):
        found.load_heads()


def test_a_graph_that_is_there_needs_no_backbone(found, monkeypatch):
    monkeypatch.setattr(choice.Place, "remembered", lambda *_: choice.OPENVINO)
    monkeypatch.delenv(choice.VARIABLE)
    monkeypatch.setattr(choice, "_read_open_vino", lambda *_: lambda pixels: pixels)
    (member,) = choice.with_heads(found).members
    assert member.engine is not None
    assert isinstance(member.backbone, nn.Identity)
    monkeypatch.setattr(choice, "_read_open_vino", lambda *_: None)
    assert choice.with_heads(found) is None
    assert choice.with_heads(found, choice.PYTORCH) is None


def test_it_loads_without_what_only_the_backbone_needs():
    """Timm and torchvision take two seconds to import."""
    code = (
        "import sys; from realitycheck import checkpoints; "
        "assert checkpoints.find(checkpoints.BUNDLE).load_heads(); "
        "assert not {'timm', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
