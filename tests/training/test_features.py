from dataclasses import replace

import pytest
import torch
from PIL import Image

from realitycheck.committee.views import evaluation_views, to_batch
from realitycheck.data.folders import find
from realitycheck.training import features
from realitycheck.training.run import fit, train_mode


def test_cached_copies_are_augmented(folder, tmp_path, accelerator, monkeypatch, full):
    seen = []
    whole = features.cached_features

    def watched(*args):
        seen.extend(whole(*args))
        return seen[-2:]

    monkeypatch.setattr(features, "cached_features", watched)
    recipe = replace(
        full,
        frozen=True,
        cache_features=True,
        copies=3,
        feature_noise=0.5,
        strength=4.0,
        view_size=96,
        epochs=1,
    )
    splits = find(folder)
    trained, _ = fit(recipe, splits, tmp_path, accelerator, workers=0)
    (received, labels), (tested, _) = (part.tensors for part in seen)
    count = len(splits["train"])
    assert received.shape == (3 * count, 512)
    assert torch.equal(labels, labels[:count].repeat(3))
    assert len(tested) == len(splits["val"])
    clean, first, second = received.split(count)
    assert not torch.allclose(clean, first)
    assert not torch.allclose(first, second)
    # The first copy is what the detector will see.
    sample = splits["train"][5]
    picture = Image.open(sample.path).convert("RGB")
    (view,) = evaluation_views(picture, recipe.preprocessing)
    trained.fc = torch.nn.Identity()
    with torch.inference_mode():
        found = trained(to_batch([view.pixels], recipe.preprocessing))
    assert torch.allclose(found[0], clean[5], atol=1e-2)


def test_features_are_noisy_only_while_the_classifier_trains(accelerator):
    torch.manual_seed(0)
    received = torch.nn.Identity()
    features.disturb(received, 0.5, accelerator)
    inputs = torch.ones(100, 64)
    train_mode(received)
    noise = received(inputs) - inputs
    assert noise.mean().abs() < 0.05
    assert noise.std() == pytest.approx(0.5, rel=0.1)
    assert torch.equal(received.eval()(inputs), inputs)
