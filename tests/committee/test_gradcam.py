import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import drawing
from PIL import Image, ImageOps
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from realitycheck.committee import cnn, gradcam, transformer
from realitycheck.committee.committee import Member
from realitycheck.committee.views import Preprocessing, View, evaluation_views

NATIVE = Preprocessing("native", 176, cnn.MEAN, cnn.STD)


def member_of(network, arch="resnet50"):
    return cnn.member(arch, arch, NATIVE, network)


def features_of(member, pixels):
    with torch.inference_mode():
        return member.backbone(pixels)


@pytest.fixture(scope="module")
def member():
    torch.manual_seed(0)
    return member_of(cnn.build_model("resnet50", 2).eval().requires_grad_(False))


def tokens_to_grid(tokens):
    """224 / 16 patches a side behind the class token: written apart from the member's own."""
    return tokens[:, 1:].reshape(len(tokens), 14, 14, -1).permute(0, 3, 1, 2)


@functools.cache
def random_network(arch, side, seed):
    torch.manual_seed(seed)
    network = cnn.build_model(arch, 2).train()
    with torch.no_grad():
        # Fresh batch norms let signals die out: some batches give them their statistics.
        for _ in range(0 if arch == "vit_b_16" else 20):
            network(torch.randn(4, 3, side, side))
        network.eval()
        for weight in getattr(network, cnn.architecture(arch).head_name).parameters():
            weight.mul_(8)
    return network


def lively_network(arch, pixels, class_index):
    """A random network whose map for this class is not all dark, and that map."""
    layer_of = {
        "resnet50": lambda network: network.layer4,
        "efficientnet_b0": lambda network: network.features,
        "vit_b_16": lambda network: network.encoder.layers[-2],
    }[arch]
    reshape = tokens_to_grid if arch == "vit_b_16" else None
    for seed in range(10):
        network = random_network(arch, pixels.shape[-1], seed).requires_grad_(True)
        with GradCAM(network, [layer_of(network)], reshape) as cam:
            expected = cam(pixels, [ClassifierOutputTarget(class_index)])[0]
        if expected.max() > 0.9:
            return network.requires_grad_(False), expected
    raise AssertionError("every random network's map is dark")


@pytest.mark.parametrize("class_index", [0, 1])
@pytest.mark.parametrize("arch", ["resnet50", "efficientnet_b0", "vit_b_16"])
def test_equals_grad_cam_with_hooks_on_the_whole_network(arch, class_index):
    side = cnn.architecture(arch).input_size or 96
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    network, expected = lively_network(arch, pixels, class_index)
    member = member_of(network, arch)
    features = features_of(member, pixels)
    maps = gradcam.class_maps(member, features, [class_index])[0]
    view = View(drawing(side, side), (0, 0, side, side), "native")
    ours = gradcam.stitch(maps, [view], (side, side))
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() < 1e-4
    assert torch.allclose(member.head(features), network(pixels), rtol=1e-3)


def test_equals_the_formula(member):
    """Grad-CAM written out with autograd: relu(sum over channels of mean gradient x feature)."""
    features = features_of(member, torch.randn(2, 3, 64, 64))
    maps = gradcam.class_maps(member, features, [1])[0]
    leaf = features.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(member.head(leaf)[:, 1].sum(), leaf)
    expected = torch.relu((gradient.mean(dim=(2, 3), keepdim=True) * leaf).sum(dim=1))
    assert np.allclose(maps, expected.detach().numpy(), rtol=1e-4, atol=1e-9)


def test_one_pass_for_both_classes_equals_a_pass_for_each(member):
    features = features_of(member, torch.randn(2, 3, 64, 64))
    both = gradcam.class_maps(member, features, [0, 1])
    alone = [gradcam.class_maps(member, features, [index])[0] for index in (0, 1)]
    assert np.array_equal(both, np.stack(alone))


def test_a_token_head_explains_either_class():
    """A logit that never moves has no map: the photograph's side would always be dark."""
    torch.manual_seed(0)
    head = transformer.TokenHead([(transformer.FEATURES, 8)], ai_index=0)
    features = torch.randn(3, transformer.FEATURES, requires_grad=True)
    logits = head(features)
    assert torch.allclose(logits[:, 0], -logits[:, 1])
    for index in (0, 1):
        (gradient,) = torch.autograd.grad(logits[:, index].sum(), features, retain_graph=True)
        assert gradient.abs().sum() > 0


def test_eight_threads_get_the_maps_one_thread_gets(member):
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(1, 3, 64, 64, generator=generator) for _ in range(40)]
    inputs = [features_of(member, batch) for batch in batches]

    def run(i):
        return gradcam.class_maps(member, inputs[i], [i % 2])[0], member.head(inputs[i])

    alone = [run(i) for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(run, list(range(40)) * 3))
    for i, (maps, logits) in enumerate(together):
        assert np.array_equal(maps, alone[i % 40][0])
        assert torch.equal(logits, alone[i % 40][1])


def test_leaves_no_hooks_and_no_gradients_behind(member):
    gradcam.class_maps(member, features_of(member, torch.randn(1, 3, 64, 64)), [0])
    modules = [*member.network.modules(), *member.head.modules()]
    assert not any(m._forward_hooks or m._backward_hooks for m in modules)
    assert all(p.grad is None for p in member.network.parameters())


def test_stitching_puts_heat_where_the_view_lay():
    image = drawing(1000, 500)
    views = evaluation_views(image, NATIVE)
    maps = np.zeros((len(views), 6, 6))
    hot = next(i for i, view in enumerate(views) if view.kind == "native" and view.box[0] > 500)
    maps[hot] = 1
    heatmap = gradcam.stitch(maps, views, image.size)
    assert heatmap.shape == (224, 448)
    left, top, right, bottom = (round(edge * 0.448) for edge in views[hot].box)
    inside = heatmap[top:bottom, left:right]
    assert inside[2:-2, 2:-2].min() > 0
    assert np.isclose(inside.sum(), heatmap.sum())
    assert heatmap.max() == pytest.approx(1, abs=1e-3)


def test_a_map_of_what_lies_within_bars_is_put_back_in_its_place():
    image = drawing(400, 300)
    framed = ImageOps.expand(image, (24, 0, 24, 148), "black")  # 448 px: a map's longest
    rng = np.random.default_rng(0)
    views = evaluation_views(image, NATIVE)
    maps = rng.random((len(views), 6, 6))
    moved = [replace(view, box=tuple(np.add(view.box, (24, 0, 24, 0)))) for view in views]
    heatmap = gradcam.stitch(maps, moved, framed.size, (24, 0, 424, 300))
    assert heatmap.shape == (448, 448)
    assert np.allclose(heatmap[:300, 24:424], gradcam.stitch(maps, views, image.size))
    assert not heatmap[300:].any()
    assert not heatmap[:, :24].any()
    sliver = (300, 0, 301, 64)  # where a map has less than a pixel for it
    assert gradcam.stitch(maps[:1], views[:1], (90000, 64), sliver).shape == (1, 448)


def test_stitching_one_picture_of_every_shape():
    for size in ((64, 64), (176, 176), (100, 3000), (3000, 100), (5000, 4000)):
        views = evaluation_views(Image.new("RGB", size), NATIVE)
        heatmap = gradcam.stitch(np.ones((len(views), 6, 6)), views, size)
        assert max(heatmap.shape) == min(448, max(size))
        assert np.isfinite(heatmap).all()


def test_no_evidence_is_a_dark_map():
    view = View(drawing(64, 64), (0, 0, 64, 64), "native")
    assert not gradcam.stitch(np.zeros((1, 2, 2)), [view], (64, 64)).any()


@pytest.mark.parametrize("size", [None, (96, 80)])
def test_scaling_equals_the_packages(size):
    values = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
    ours = gradcam.to_unit(values, size)
    assert np.abs(ours - scale_cam_image(values[None], size)[0]).max() < 1e-6


def member_of_sum(clip):
    """Its logit is the sum of a grid's values: every place weighs the same."""
    head = nn.Sequential(nn.Flatten(), SumOf())
    return Member("sum", NATIVE, head, nn.Identity(), head, lambda grid: grid, clip=clip)


class SumOf(nn.Module):
    def forward(self, flat):
        return torch.stack([flat.sum(dim=1), -flat.sum(dim=1)], dim=1)


def test_vectors_far_longer_than_others_are_shortened_where_a_member_asks_for_it():
    features = torch.ones(1, 4, 3, 3)
    features[..., 0, 0] = 50
    plain = gradcam.class_maps(member_of_sum(None), features, [0])[0, 0]
    clipped = gradcam.class_maps(member_of_sum(1.5), features, [0])[0, 0]
    assert plain[0, 0] / plain[1, 1] == pytest.approx(50)
    assert clipped[0, 0] / clipped[1, 1] == pytest.approx(1.5)
    assert np.array_equal(clipped[1:], plain[1:])
    # Nothing is divided by nothing.
    assert not gradcam.class_maps(member_of_sum(1.5), torch.zeros(1, 4, 3, 3), [0]).any()
