import numpy as np
import pytest
import torch
from conftest import drawing
from PIL import Image

from realitycheck import explain, model
from realitycheck.residuals import BINS, Residuals, counted
from realitycheck.views import Preprocessing, to_batch

SHAPE = Preprocessing(size=96)


def batch(*pictures):
    return to_batch(list(pictures), SHAPE)


def photograph(seed=0):
    return drawing(96, 96, seed)


def test_a_flat_picture_has_one_kind_of_run():
    statistics = Residuals(4)
    found = statistics.frequencies(batch(Image.new("RGB", (96, 96), (7, 90, 200))))[0, 0]
    # Of every histogram the run of three zeros, and nothing else.
    assert sorted(found.unique().tolist()) == [0, 1]
    histograms = 2 * (3 * (2 * 5 + 2) + 7)
    assert found.sum() == histograms


def test_histograms_done_by_hand():
    # Columns of 0 and 1: a difference along the rows is +1, -1, +1, ...; cut to levels 3, 1, 3.
    columns = np.tile(np.arange(96) % 2, (96, 1)).astype(np.uint8)
    grey = Image.fromarray(np.stack([columns + 100] * 3, axis=2))
    statistics = Residuals(4)
    found = statistics.frequencies(batch(grey))[0, 0]
    along = found[: statistics.along.shape[1]]
    kinds = statistics.along.argmax(dim=1)
    # Along: half the runs alternate (across the columns), half are zeros (along the columns).
    assert along[kinds[3 * 25 + 1 * 5 + 3]] == pytest.approx(0.5)
    assert along[kinds[2 * 25 + 2 * 5 + 2]] == pytest.approx(0.5)
    # Across: three equal differences one under the other.
    across = found[len(along) : 2 * len(along)]
    assert across[kinds[3 * 25 + 3 * 5 + 3]] == pytest.approx(0.5)


def test_counts_are_numpys_and_cells_add_up():
    rng = np.random.default_rng(0)
    runs = torch.from_numpy(rng.integers(0, BINS, (3, 2, 50, 71), dtype=np.uint8))
    whole = counted(runs, (1, 1))
    assert whole.shape == (3, 2, 1, BINS)
    for picture, found in zip(runs.flatten(0, 1), whole.flatten(0, 2), strict=True):
        assert found.tolist() == np.bincount(picture.numpy().ravel(), minlength=BINS).tolist()
    cells = counted(runs, (2, 3))
    assert torch.equal(cells.sum(dim=2), whole[:, :, 0])
    corner = np.bincount(runs[1, 1, :25, :24].numpy().ravel(), minlength=BINS)
    assert cells[1, 1, 0].tolist() == corner.tolist()


def test_a_negative_and_a_turned_picture_have_the_same_statistics():
    statistics = Residuals(4)
    image = photograph()
    turned = image.transpose(Image.Transpose.TRANSPOSE)
    negative = Image.fromarray(255 - np.asarray(image))
    found = statistics.frequencies(batch(image, turned, negative))[:, 0]
    assert torch.allclose(found[0], found[1], atol=1e-6)
    assert torch.allclose(found[0], found[2], atol=1e-6)


def test_pictures_in_one_batch_do_not_mix():
    statistics = Residuals(4)
    pictures = [photograph(seed) for seed in range(3)]
    together = statistics.frequencies(batch(*pictures), (3, 3))
    alone = torch.cat([statistics.frequencies(batch(picture), (3, 3)) for picture in pictures])
    assert torch.equal(together, alone)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


def test_fitted_statistics_are_white():
    statistics = Residuals(6)
    assert not statistics.fitted
    pixels = batch(*(photograph(seed) for seed in range(16)))
    statistics.fit(statistics.frequencies(pixels)[:, 0])
    assert statistics.fitted
    found = statistics(pixels, (1, 1)).flatten(1)
    assert torch.allclose(found.mean(dim=0), torch.zeros(6), atol=1e-2)
    assert torch.allclose(torch.cov(found.T), torch.eye(6), atol=2e-2)
    # Cells of equal size: their mean is the whole, but for the border of the runs.
    cells = statistics(pixels, (3, 3)).mean(dim=(2, 3))
    assert torch.corrcoef(torch.stack([cells[:, 0], found[:, 0]]))[0, 1] > 0.99


def test_mixed_precision_changes_nothing():
    statistics = Residuals(6)
    pixels = batch(*(photograph(seed) for seed in range(8)))
    statistics.fit(statistics.frequencies(pixels)[:, 0])
    expected = statistics(pixels, (2, 2))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(statistics(pixels, (2, 2)), expected)


def test_fewer_pictures_than_channels_leave_channels_empty():
    statistics = Residuals(16)
    statistics.fit(statistics.frequencies(batch(*map(photograph, range(5))))[:, 0])
    found = statistics(batch(photograph(9)), (2, 2))
    assert found[0, :4].abs().min() > 0
    assert not found[0, 4:].any()
    assert found.isfinite().all()


def test_a_fine_difference_that_shrinking_the_picture_loses_is_seen():
    rng = np.random.default_rng(0)
    level = rng.integers(90, 160, (16, 1, 1, 3))
    noisy = [np.uint8(part + rng.integers(-1, 2, (96, 96, 3))) for part in level[:8]]
    flat = [np.uint8(part + np.zeros((96, 96, 3))) for part in level[8:]]
    statistics = Residuals(2)
    found = statistics.frequencies(batch(*map(Image.fromarray, noisy + flat)))[:, 0]
    statistics.fit(found)
    first = ((found - statistics.mean) @ statistics.projection)[:, 0]
    assert (first[:8].min() > first[8:].max()) or (first[:8].max() < first[8:].min())


def test_weights_of_a_plain_resnet_load_and_maps_explain_both_halves():
    torch.manual_seed(0)
    plain = model.build_model("resnet50", 2)
    network = model.build_model("resnet50_residuals", 2)
    fresh = model.load_pretrained(network, "resnet50_residuals", plain.state_dict())
    assert {name.split(".")[0] for name in fresh} == {"fc", "residuals"}
    pixels = batch(photograph())
    network.residuals.fit(
        network.residuals.frequencies(batch(*(photograph(s) for s in range(30))))[:, 0]
    )
    network.eval().requires_grad_(False)
    features, head = model.split(network)
    with torch.inference_mode():
        found = features(pixels)
        assert torch.allclose(head(found), network(pixels), atol=1e-5)
    assert found.shape == (1, 2048 + model.RESIDUAL_WIDTH, 3, 3)
    # A classifier that listens to the statistics alone: its map must come from them.
    first = head[3][0]
    first.weight[:, :2048] = 0
    maps, logits = explain.class_maps(head, found, 0)
    other, _ = explain.class_maps(head, torch.cat([found[:, :2048] * 3, found[:, 2048:]], 1), 0)
    assert np.allclose(maps, other, atol=1e-6)
    assert logits.shape == (1, 2)
