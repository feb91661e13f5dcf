import pytest
import torch
import torchvision
from torch import nn

from realitycheck import model
from realitycheck.errors import CheckpointError


@pytest.mark.parametrize("arch", list(model.ARCHITECTURES))
def test_split_halves_make_the_whole(arch):
    torch.manual_seed(0)
    whole = model.build_model(arch, 3).eval()
    features, head = model.split(whole)
    side = model.architecture(arch).input_size or 64
    pictures = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        expected = whole(pictures)
        assert torch.allclose(head.eval()(features.eval()(pictures)), expected, atol=1e-5)
    assert expected.shape == (2, 3)


def test_head_is_the_papers():
    head = model.build_model("resnet50", 2).fc
    kinds = [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert [type(layer) for layer in head] == kinds
    assert [(m.in_features, m.out_features) for m in head if isinstance(m, nn.Linear)] == [
        (2048, 1000),
        (1000, 500),
        (500, 2),
    ]


def test_imagenet_style_weights_fill_the_backbone_and_leave_the_head():
    torch.manual_seed(0)
    imagenet = torchvision.models.resnet50(weights=None)
    ours = model.build_model("resnet50", 2)
    fresh = model.load_pretrained(ours, "resnet50", imagenet.state_dict())
    assert torch.equal(ours.layer3[2].conv2.weight, imagenet.layer3[2].conv2.weight)
    assert fresh
    assert all(name.startswith("fc.") for name in fresh)


def test_weights_of_another_architecture_are_refused():
    state = model.build_model("efficientnet_b0", 2).state_dict()
    with pytest.raises(CheckpointError, match="not a resnet50"):
        model.load_pretrained(model.build_model("resnet50", 2), "resnet50", state)
    with pytest.raises(CheckpointError, match="resnet50, resnet50_residuals"):
        model.architecture("alexnet")


def test_imagenet_weights_come_from_torchs_cache_or_say_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = torchvision.models.EfficientNet_B0_Weights.DEFAULT

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    with pytest.raises(CheckpointError, match="--weights FILE") as refused:
        model.imagenet_state("efficientnet_b0")
    assert weights.url in str(refused.value)
    cached = tmp_path / "hub" / "checkpoints" / weights.url.rsplit("/", 1)[1]
    cached.parent.mkdir(parents=True, exist_ok=True)
    state = torchvision.models.efficientnet_b0(weights=None).state_dict()
    torch.save(state, cached)
    assert str(cached) in str(refused.value)
    loaded = model.imagenet_state("efficientnet_b0")
    assert torch.equal(loaded["classifier.1.weight"], state["classifier.1.weight"])
    named = model.imagenet_state("efficientnet_b0", "EfficientNet_B0_Weights.IMAGENET1K_V1")
    assert torch.equal(named["classifier.1.weight"], state["classifier.1.weight"])
    for wrong in ("ResNet50_Weights.DEFAULT", "EfficientNet_B0_Weights.BEST", "No_Weights.X"):
        with pytest.raises(CheckpointError, match=r"EfficientNet_B0_Weights\.IMAGENET1K_V1"):
            model.imagenet_state("efficientnet_b0", wrong)


def test_frozen_backbone_keeps_its_batch_norms_in_eval_mode():
    network = model.build_model("resnet50", 2)
    model.freeze_backbone(network, "resnet50")
    model.train_mode(network)
    assert not any(m.training for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    assert network.fc[4].training
    trainable = {name for name, p in network.named_parameters() if p.requires_grad}
    assert trainable == {f"fc.{i}.{kind}" for i in (0, 2, 5) for kind in ("weight", "bias")}
    before = network.bn1.running_mean.clone()
    network(torch.randn(4, 3, 32, 32))
    assert torch.equal(network.bn1.running_mean, before)


def test_unfrozen_model_trains_everywhere():
    network = model.build_model("efficientnet_b0", 2)
    model.train_mode(network)
    assert all(m.training for m in network.modules() if isinstance(m, nn.BatchNorm2d))


def test_a_classifier_trained_by_itself_keeps_its_dropout():
    head = model.make_head(8, 2)
    model.train_mode(head)
    assert head[4].training


def test_frequency_stem_is_an_orthonormal_bank():
    network = model.build_model("resnet50", 2)
    model.frequency_stem(network)
    bank = network.conv1.weight.detach().flatten(1)
    assert bank.shape == (64, 147)
    assert torch.allclose(bank @ bank.T, torch.eye(64), atol=1e-5)
    flat = network.conv1(torch.ones(1, 3, 21, 21))[0, :, 5, 5]
    # Only the lowest luminance filter answers to a flat grey area.
    assert (flat.abs() > 1e-4).sum() == 1
