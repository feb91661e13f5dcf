from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from realitycheck.committee.views import Preprocessing
from realitycheck.data.folders import find
from realitycheck.training import run
from realitycheck.training.adversarial import Attack

PREPROCESSING = Preprocessing("whole", 8, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
LOSS = nn.CrossEntropyLoss()
STD = torch.tensor(PREPROCESSING.std).view(1, 3, 1, 1)
MEAN = torch.tensor(PREPROCESSING.mean).view(1, 3, 1, 1)


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(192), nn.Dropout(0.5), nn.Linear(192, 2))


def accelerator_of(index=0, count=1):
    """A stand-in for one of several processes."""
    return SimpleNamespace(
        device=torch.device("cpu"),
        num_processes=count,
        process_index=index,
        autocast=lambda: torch.autocast("cpu", enabled=False),
    )


def batch(count=8):
    torch.manual_seed(2)
    pixels = torch.rand(count, 3, 8, 8)
    pixels[0] = 0  # as dark as can be
    return (pixels - MEAN) / STD, torch.arange(count) % 2


def pixels_of(inputs):
    return inputs * STD + MEAN


@pytest.mark.parametrize("soft", [False, True])
def test_half_of_a_batch_is_changed_a_little_and_for_the_worse(soft):
    model = network().train()
    inputs, labels = batch()
    labels = nn.functional.one_hot(labels, 2).float() if soft else labels
    before = inputs.clone()
    changed = Attack(model, LOSS, 2.0, PREPROCESSING, accelerator_of())(inputs, labels)
    assert torch.equal(inputs, before)
    assert torch.equal(changed[1::2], inputs[1::2])
    difference = 255 * (pixels_of(changed) - pixels_of(inputs))[::2]
    assert 1.9 < difference.abs().max() <= 2 + 1e-3
    assert pixels_of(changed).min() >= -1e-6
    assert pixels_of(changed).max() <= 1 + 1e-6
    model.eval()
    with torch.inference_mode():
        worse = LOSS(model(changed[::2]), labels[::2]) - LOSS(model(inputs[::2]), labels[::2])
    assert worse > 0.01


def test_the_network_is_left_as_it_was():
    model = network().train()
    model[2].eval()  # as a frozen part is
    state = {name: value.clone() for name, value in model.state_dict().items()}
    Attack(model, LOSS, 2.0, PREPROCESSING, accelerator_of())(*batch())
    assert [layer.training for layer in model] == [True, True, False, True]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("count", [6, 8])
def test_processes_change_pictures_as_one_would(count):
    model, (inputs, labels) = network(), batch(count)
    torch.manual_seed(3)
    whole = Attack(model, LOSS, 4.0, PREPROCESSING, accelerator_of())(inputs, labels)
    for index, rows in enumerate(torch.arange(count).chunk(2)):
        torch.manual_seed(3)
        attack = Attack(model, LOSS, 4.0, PREPROCESSING, accelerator_of(index, 2))
        assert torch.allclose(attack(inputs[rows], labels[rows]), whole[rows], atol=1e-6)


def test_it_learns_from_them_too(folder, tmp_path, accelerator, full, monkeypatch):
    seen = []

    class Watched(Attack):
        def __call__(self, inputs, labels):
            changed = super().__call__(inputs, labels)
            seen.append((labels.shape, (changed != inputs).flatten(1).any(dim=1).tolist()))
            return changed

    monkeypatch.setattr(run, "Attack", Watched)
    recipe = replace(full, epochs=12, lr=1e-3, strength=0.0, ema=0.0, adversarial=2.0, mixup=0.1)
    model, history = run.fit(recipe, find(folder), tmp_path, accelerator, workers=0)
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert max(row["val_balanced_acc"] for row in history) > 0.9
    assert not model.training
    assert seen[0] == ((recipe.batch_size, 2), [True, False] * (recipe.batch_size // 2))
    assert len(seen) == 12 * (24 // recipe.batch_size)
