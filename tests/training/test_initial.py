import pytest
import torch
import torchvision

from realitycheck.committee.cnn import build_model
from realitycheck.errors import CheckpointError
from realitycheck.training import initial


def test_imagenet_style_weights_fill_the_backbone_and_leave_the_head():
    torch.manual_seed(0)
    imagenet = torchvision.models.resnet50(weights=None)
    ours = build_model("resnet50", 2)
    fresh = initial.load_pretrained(ours, "resnet50", imagenet.state_dict())
    assert torch.equal(ours.layer3[2].conv2.weight, imagenet.layer3[2].conv2.weight)
    assert fresh
    assert all(name.startswith("fc.") for name in fresh)


def test_weights_of_another_architecture_are_refused():
    state = build_model("efficientnet_b0", 2).state_dict()
    with pytest.raises(CheckpointError, match="not a resnet50"):
        initial.load_pretrained(build_model("resnet50", 2), "resnet50", state)


def test_imagenet_weights_come_from_torchs_cache_or_say_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = torchvision.models.EfficientNet_B0_Weights.DEFAULT

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    with pytest.raises(CheckpointError, match="--weights FILE") as refused:
        initial.imagenet_state("efficientnet_b0")
    assert weights.url in str(refused.value)
    cached = tmp_path / "hub" / "checkpoints" / weights.url.rsplit("/", 1)[1]
    cached.parent.mkdir(parents=True, exist_ok=True)
    state = torchvision.models.efficientnet_b0(weights=None).state_dict()
    torch.save(state, cached)
    assert str(cached) in str(refused.value)
    loaded = initial.imagenet_state("efficientnet_b0")
    assert torch.equal(loaded["classifier.1.weight"], state["classifier.1.weight"])
    named = initial.imagenet_state("efficientnet_b0", "EfficientNet_B0_Weights.IMAGENET1K_V1")
    assert torch.equal(named["classifier.1.weight"], state["classifier.1.weight"])
    for wrong in ("ResNet50_Weights.DEFAULT", "EfficientNet_B0_Weights.BEST", "No_Weights.X"):
        with pytest.raises(CheckpointError, match=r"EfficientNet_B0_Weights\.IMAGENET1K_V1"):
            initial.imagenet_state("efficientnet_b0", wrong)
