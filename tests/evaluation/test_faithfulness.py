import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from realitycheck.committee.cnn import MEAN, STD
from realitycheck.committee.committee import Member
from realitycheck.committee.views import Preprocessing
from realitycheck.config import Config, MemberConfig
from realitycheck.data.folders import find
from realitycheck.data.samples import Sample
from realitycheck.errors import DataError
from realitycheck.evaluation import faithfulness

SIDE = 64


class Roughness(nn.Module):
    """How smooth and how rough a picture's cells are."""

    def forward(self, pixels):
        grey = nn.functional.pad(pixels.mean(dim=1, keepdim=True), (0, 1, 0, 0), mode="replicate")
        steps = nn.functional.avg_pool2d(grey.diff(dim=3).abs(), 16)
        rough = torch.tanh(4 * steps)
        return torch.cat([1 - rough, rough], dim=1)


PREPROCESSING = Preprocessing("native", SIDE, MEAN, STD)
CONFIG = Config(("ai", "real"), "ai", (MemberConfig("rough", "resnet50", PREPROCESSING),))


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    root = tmp_path_factory.mktemp("faithfulness")
    rng = np.random.default_rng(0)
    for label, rough in (("ai", 0.0), ("real", 1.0)):
        (root / "test" / label).mkdir(parents=True)
        for i in range(8):
            pixels = 127 + rough * rng.normal(size=(SIDE, SIDE, 3)) * 60
            # A smooth strip in photographs, a rough one in the others.
            pixels[:, :12] = 127 + (1 - rough) * rng.normal(size=(SIDE, 12, 3)) * 60
            name = root / "test" / label / f"{i}.png"
            Image.fromarray(np.uint8(np.clip(pixels, 0, 255))).save(name)
    return find(root)["test"]


def foreseeable():
    """A member one can foresee: smooth cells speak for the AI class, rough ones against it."""
    classifier = nn.Linear(2, 2, bias=False)
    classifier.weight.data = torch.tensor([[4.0, 0], [0, 4.0]])
    backbone, head = Roughness(), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier)
    network = nn.Sequential(backbone, head).eval().requires_grad_(False)
    return Member("rough", PREPROCESSING, network, backbone, head, lambda features: features)


def test_a_map_that_is_right_beats_a_random_one(samples):
    found = faithfulness.measure(foreseeable(), CONFIG, samples, most=12)
    assert found["patch"].low > 0.4
    assert found["patch_before"].high < found["patch"].low
    assert found["patch_random"].low < 0.25 < found["patch_random"].high
    assert found["deletion"].low > max(0.0, found["deletion_random"].high)
    assert found["deletion"].count == 12
    assert found["patch"].count == 6
    report = "\n".join(faithfulness.lines("test", found))
    assert f"{found['patch'].value:.3f}" in report


def test_a_map_of_the_wrong_places_is_found_out(samples, monkeypatch):
    right = faithfulness._map

    def wrong(*args):
        heatmap, class_index = right(*args)
        return 1 - heatmap, class_index

    monkeypatch.setattr(faithfulness, "_map", wrong)
    found = faithfulness.measure(foreseeable(), CONFIG, samples, most=12)
    assert found["deletion"].high < 0
    assert found["patch"].high < 0.2


def test_the_same_pictures_give_the_same_figures(samples):
    first, second = (faithfulness.measure(foreseeable(), CONFIG, samples, most=4) for _ in range(2))
    for name in ("patch", "patch_before", "patch_random"):
        assert first[name] == second[name]
    assert first["deletion"].count == 4


def test_one_class_is_not_enough(samples, tmp_path, caplog):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    found = [Sample(broken, 0), *(sample for sample in samples if sample.label == 1)]
    with pytest.raises(DataError, match=r"two pictures or more of each class: 1 of 9: This is not"):
        faithfulness.measure(foreseeable(), CONFIG, found)
    assert f"{broken}: This is not a picture" in caplog.text
