from dataclasses import replace

import pytest
from helpers import FULL

from realitycheck.errors import CheckpointError, RealityCheckError
from realitycheck.training.recipe import RECIPES, for_architecture


def test_the_papers_recipe_is_as_written():
    recipe = RECIPES["paper"]
    assert recipe.arch == "resnet50"
    assert recipe.weights == "imagenet"
    assert recipe.frozen
    assert (recipe.optimizer, recipe.lr, recipe.epochs) == ("adam", 1e-3, 10)
    assert (recipe.label_smoothing, recipe.ema, recipe.cosine) == (0, 0, False)
    assert recipe.preprocessing.mode == "whole"


def test_crop_sizes_grow_in_equal_shares():
    recipe = replace(FULL, crop_sizes=(64, 96, 128), epochs=7)
    assert [recipe.crop_size(e) for e in range(7)] == [64, 64, 64, 96, 96, 128, 128]


def test_recipe_takes_the_size_of_its_architecture():
    vit = for_architecture(FULL, "vit_b_16")
    assert (vit.arch, vit.view_size, vit.crop_sizes) == ("vit_b_16", 224, (224,))
    assert for_architecture(FULL, FULL.arch) == FULL


def test_wrong_choices_are_named():
    with pytest.raises(RealityCheckError, match="--view-size 224"):
        replace(FULL, arch="vit_b_16")
    with pytest.raises(RealityCheckError, match="frozen"):
        replace(FULL, cache_features=True)
    with pytest.raises(CheckpointError, match="alexnet"):
        replace(FULL, arch="alexnet")
    for wrong in (
        {"dropout": 2},
        {"copies": 2},
        {"feature_noise": -1},
        {"label_smoothing": -1},
        {"lr": 0},
        {"lr": float("nan")},
        {"lr": 1e40},
        {"weight_decay": float("inf")},
        {"view_size": 0},
    ):
        with pytest.raises(RealityCheckError, match="--"):
            replace(FULL, **wrong)
