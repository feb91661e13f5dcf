import pytest
import torch
from torch import nn

from realitycheck.committee import cnn
from realitycheck.errors import CheckpointError
from realitycheck.training.run import train_mode


@pytest.mark.parametrize("arch", list(cnn.ARCHITECTURES))
def test_split_halves_make_the_whole(arch):
    torch.manual_seed(0)
    whole = cnn.build_model(arch, 3).eval()
    halves = cnn.split(whole, arch)
    side = cnn.architecture(arch).input_size or 64
    pictures = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        expected = whole(pictures)
        assert torch.allclose(
            halves.head.eval()(halves.backbone.eval()(pictures)), expected, atol=1e-5
        )
    assert expected.shape == (2, 3)


def test_head_is_the_papers():
    head = cnn.build_model("resnet50", 2).fc
    kinds = [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert [type(layer) for layer in head] == kinds
    assert [(m.in_features, m.out_features) for m in head if isinstance(m, nn.Linear)] == [
        (2048, 1000),
        (1000, 500),
        (500, 2),
    ]


def test_half_a_resnet_has_half_the_channels_behind_its_stem():
    whole, half = (cnn.build_model(arch, 2).state_dict() for arch in ("resnet50", "resnet50_half"))
    assert half.keys() == whole.keys()
    for name, tensor in half.items():
        if name.startswith(("conv1", "bn1")) or not tensor.ndim:
            assert tensor.shape == whole[name].shape
        elif not name.startswith("fc."):
            assert 2 * len(tensor) == len(whole[name])


def test_an_unknown_architecture_is_refused():
    with pytest.raises(CheckpointError, match="resnet50, resnet50_half, efficientnet_b0, vit_b_16"):
        cnn.architecture("alexnet")


def test_frozen_backbone_keeps_its_batch_norms_in_eval_mode():
    network = cnn.build_model("resnet50", 2)
    cnn.freeze_backbone(network, "resnet50")
    train_mode(network)
    assert not any(m.training for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    assert network.fc[4].training
    trainable = {name for name, p in network.named_parameters() if p.requires_grad}
    assert trainable == {f"fc.{i}.{kind}" for i in (0, 2, 5) for kind in ("weight", "bias")}
    before = network.bn1.running_mean.clone()
    network(torch.randn(4, 3, 32, 32))
    assert torch.equal(network.bn1.running_mean, before)


def test_unfrozen_model_trains_everywhere():
    network = cnn.build_model("efficientnet_b0", 2)
    train_mode(network)
    assert all(m.training for m in network.modules() if isinstance(m, nn.BatchNorm2d))


def test_a_classifier_trained_by_itself_keeps_its_dropout():
    head = cnn.make_head(8, 2)
    train_mode(head)
    assert head[4].training
