import csv
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
import torch
from helpers import FULL, fill
from PIL import Image

from realitycheck.cli import main
from realitycheck.data import augment
from realitycheck.data.dataset import EpochSampler
from realitycheck.data.folders import find
from realitycheck.data.samples import Sample, Splits
from realitycheck.errors import RealityCheckError
from realitycheck.training import loaders, pixels
from realitycheck.training.pixels import cached_pixels, free_memory, set_transforms
from realitycheck.training.recipe import RECIPES
from realitycheck.training.run import fit

CACHED = replace(FULL, cache_pixels=True, copies=3, crop_sizes=(32, 48))
WHOLE = replace(RECIPES["paper"], view_size=64, crop_sizes=(64,), cache_pixels=True)
ALONE = SimpleNamespace(device=torch.device("cpu"), num_processes=1, process_index=0)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    for number, name in enumerate(("train/ai", "train/real", "val/ai", "val/real")):
        fill(root / name, 6, 100 * number)
    return find(root)


def epoch_of(train, seed, epoch=0):
    order = EpochSampler(train.labels, seed, balanced=True)
    order.set_epoch(epoch)
    return train.__getitems__(list(order))


@pytest.mark.parametrize("recipe", [CACHED, WHOLE])
def test_an_epoch_depends_on_the_seed_alone(splits, recipe):
    def run(seed, epoch=0):
        train, _ = cached_pixels(replace(recipe, seed=seed), splits, ALONE)
        return epoch_of(train, seed, epoch)

    first, labels = run(1)
    side = 64 if recipe is WHOLE else 32
    assert first.shape == (12, 3, side, side)
    assert sorted(labels.tolist()) == [0] * 6 + [1] * 6
    assert torch.equal(first, run(1)[0])
    assert not torch.equal(first, run(2)[0])
    assert not torch.equal(first, run(1, epoch=1)[0])


def test_a_picture_is_augmented_alike_in_whatever_process(splits):
    """With the loaders' way too: a draw brings its seed."""
    train, _ = cached_pixels(CACHED, splits, ALONE)
    order = list(EpochSampler(train.labels, 0, balanced=True))
    whole, _ = train.__getitems__(order)
    halves = [train.__getitems__(order[half])[0] for half in (slice(6), slice(6, 12))]
    assert torch.allclose(torch.cat(halves), whole, atol=1e-6)
    found = []
    for workers in (0, 2):
        pictures = loaders.PictureSet(splits["train"], loaders.train_transform(FULL, 0))
        sampler = EpochSampler(pictures.labels, 0, balanced=True)
        torch.manual_seed(workers)
        loader = loaders.make_loader(pictures, FULL, workers, sampler)
        found.append(torch.cat([batch for batch, _ in loader]))
    assert torch.equal(*found)


@pytest.mark.parametrize("recipe", [CACHED, WHOLE])
def test_validation_sees_what_it_sees_without_the_cache(splits, recipe):
    train, val = cached_pixels(recipe, splits, ALONE)
    pictures = loaders.PictureSet(splits["val"], lambda image: image)
    for epoch in range(recipe.epochs):
        set_transforms(recipe, epoch, train, val)
        pictures.transform = loaders.validation_transform(recipe, epoch)
        batch, labels = val.__getitems__(list(range(len(val))))
        assert labels.tolist() == pictures.labels
        for index, one in enumerate(batch):
            assert torch.allclose(one, pictures[index][0], atol=1e-6)


@pytest.mark.parametrize(("copies", "resaved"), [(4, 2), (3, 2), (5, 2)])
def test_the_last_versions_are_resaved(splits, monkeypatch, copies, resaved):
    monkeypatch.setattr(augment, "reencode", lambda image, *_: Image.new("RGB", image.size))
    train, _ = cached_pixels(replace(CACHED, copies=copies), splits, ALONE)
    saved = (train._squares == 0).flatten(2).all(dim=2)
    assert saved.tolist() == [[False] * (copies - resaved) + [True] * resaved] * 12


def test_a_single_version_is_resaved_by_chance(splits, monkeypatch):
    monkeypatch.setattr(augment, "reencode", lambda image, *_: Image.new("RGB", image.size))
    train, _ = cached_pixels(replace(CACHED, copies=1), splits, ALONE)
    assert 0 < (train._squares == 0).flatten(2).all(dim=2).sum() < 12


def test_unreadable_pictures_are_left_out(splits, tmp_path, caplog):
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    broken = [Sample(tmp_path / "broken.png", 0), *splits["train"]]
    both = Splits(splits.root, splits.classes, {**splits.sets, "train": broken})
    train, _ = cached_pixels(CACHED, both, ALONE)
    assert len(train) == 12
    assert "1 of 13 pictures" in caplog.text
    assert [sample.path for sample in train.samples] == [s.path for s in splits["train"]]
    assert train._squares[0].max() == 0
    assert train.__getitems__([0])[0].std() > 0


def test_what_does_not_fit_is_refused_before_any_picture_is_read(splits, monkeypatch):
    monkeypatch.setattr(pixels, "free_memory", lambda: 2**18)
    monkeypatch.setattr(pixels, "PixelSet", None)
    with pytest.raises(RealityCheckError, match=r"need 0\.00 GB, and 0\.00 GB.*fewer --copies"):
        cached_pixels(CACHED, splits, ALONE)
    # 12 pictures by 3 squares of 60 px, and 12 by 2 of 48 px.
    need = 12 * 3 * 3 * 60**2 + 12 * 2 * 3 * 48**2
    place = torch.device("cpu")
    monkeypatch.setattr(pixels, "free_memory", lambda: 2 * need / pixels.MEMORY_SHARE)
    assert pixels._place(need, ALONE) == place
    two = SimpleNamespace(device=place, num_processes=2)
    assert pixels._place(need, two) == place
    with pytest.raises(RealityCheckError, match="in each of 2 processes"):
        pixels._place(need + 1, two)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")  # the other one is on another machine
    assert pixels._place(need + 1, two) == place


def test_a_containers_limit_counts(tmp_path):
    available = psutil.virtual_memory().available
    assert free_memory(tmp_path / "none") == pytest.approx(available, rel=0.2)
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path) == pytest.approx(available, rel=0.2)
    (tmp_path / "memory.max").write_text("100000\n")
    (tmp_path / "memory.current").write_text("70000\n")
    (tmp_path / "memory.stat").write_text("anon 20000\ninactive_file 50000\n")
    assert free_memory(tmp_path) == 80000


def test_a_run_tells_how_long_it_waited(folder, tmp_path, accelerator, full, caplog):
    caplog.set_level("INFO")
    recipe = replace(full, cache_pixels=True, epochs=1)
    fit(recipe, find(folder), tmp_path, accelerator, workers=0)
    with (tmp_path / "history.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert 0 < float(row["data_wait"]) < 1
    assert f"data wait {float(row['data_wait']):.0%}" in caplog.text
    with pytest.raises(RealityCheckError, match="cache_pixels = True, not False"):
        fit(replace(full, epochs=1), find(folder), tmp_path, accelerator, workers=0, resume=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cache-features", "--frozen"], "drop --cache-pixels"),
        (["--recipe", "transformer"], "drop --cache-pixels"),
        (["--copies", "0"], "--copies is 1, or more"),
    ],
)
def test_choices_that_make_no_sense_end_in_a_sentence(folder, tmp_path, capsys, options, words):
    arguments = ["train", str(folder), "--cache-pixels", "--output", str(tmp_path)]
    assert main([*arguments, *options]) == 1
    assert words in capsys.readouterr().err
