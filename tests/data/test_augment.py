import numpy as np
import pytest
import torch
from helpers import drawing, numbered, picture_share
from PIL import Image

from realitycheck.committee import views
from realitycheck.committee.cnn import MEAN, STD
from realitycheck.committee.views import Preprocessing
from realitycheck.data import augment

NATIVE = Preprocessing("native", 176, MEAN, STD)


def test_evaluation_and_training_normalise_alike():
    image = drawing(64, 64)
    batch = views.to_batch([image], NATIVE)
    trained_on = augment.centre_view(64, NATIVE)(image)
    assert batch.shape == (1, 3, 64, 64)
    assert torch.allclose(batch[0], trained_on, atol=1e-6)
    expected = (np.asarray(image)[5, 9] / 255 - MEAN) / STD
    assert np.allclose(batch[0, :, 5, 9], expected, atol=1e-5)


@pytest.mark.parametrize("size", [(300, 240), (50, 40), (65, 500)])
def test_training_views_have_one_size_and_depend_on_the_seed(size):
    changed = augment.training_view(48, NATIVE)
    image = drawing(*size)

    def run(seed):
        torch.manual_seed(seed)
        return torch.stack([changed(image) for _ in range(30)])

    assert run(1).shape == (30, 3, 48, 48)
    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_strength_zero_only_crops_and_flips():
    torch.manual_seed(0)
    image = drawing(200, 200)
    pixels = {tuple(p) for p in np.asarray(image).reshape(-1, 3)}
    changed = augment.training_view(
        32, Preprocessing("native", 176, (0, 0, 0), (1, 1, 1)), strength=0
    )
    for _ in range(10):
        values = (changed(image) * 255).round().to(torch.uint8).permute(1, 2, 0).reshape(-1, 3)
        assert {tuple(p) for p in values.numpy()} <= pixels


def test_a_picture_too_small_to_cut_from_is_shrunk_whole():
    image = drawing(96, 96)
    found = augment.RandomScaledCrop(96, scale=(0.8, 0.8), p=1.0)(image)
    assert found.size == (96, 96)
    smaller = [
        np.asarray(image.resize((77, 77), how))
        for how in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    ]
    middle = np.asarray(found)[9:86, 9:86]
    assert any(np.array_equal(middle, expected) for expected in smaller)


@pytest.mark.parametrize("size", [(96, 96), (20, 400), (400, 20), (60, 60), (50, 900), (300, 300)])
def test_a_training_crop_never_holds_more_mirror_than_picture(size):
    image = numbered(*size)
    crop = augment.RandomScaledCrop(96, p=0.6)
    for seed in range(20):
        torch.manual_seed(seed)
        found = crop(image)
        assert found.size == (96, 96)
        assert picture_share(found) >= 0.49
    assert picture_share(augment.Centre(96)(image)) >= 0.49


def test_a_crop_comes_from_anywhere_along_a_panorama():
    ramp = Image.linear_gradient("L").resize((40, 4000))
    image = Image.merge("RGB", (ramp, ramp, ramp))
    for crop in (augment.RandomScaledCrop(96, p=0), augment.WholeSquare(40, anywhere=True)):
        places = []
        for seed in range(30):
            torch.manual_seed(seed)
            places.append(np.asarray(crop(image)).mean())
        assert min(places) < 60
        assert max(places) > 195
    middle = augment.WholeSquare(40, anywhere=False)(image)
    assert middle.size == (40, 40)
    assert np.asarray(middle).mean() == pytest.approx(127.5, abs=2)
    ordinary = drawing(160, 40)
    whole = ordinary.resize((40, 40), Image.Resampling.BICUBIC)
    assert augment.WholeSquare(40, anywhere=True)(ordinary).tobytes() == whole.tobytes()


def test_a_large_picture_is_cut_before_it_is_shrunk():
    image = drawing(300, 300)
    changed = augment.RandomScaledCrop(64, scale=(0.5, 0.5), p=1.0)
    torch.manual_seed(0)
    found = changed(image)
    torch.manual_seed(0)
    monochrome = changed(Image.new("RGB", (300, 300), (9, 9, 9)))
    assert found.size == monochrome.size == (64, 64)
    assert monochrome.getcolors() == [(64 * 64, (9, 9, 9))]
    # 128 px of the picture, not a mirrored quarter of it.
    grid = np.asarray(found).astype(int)
    assert not np.array_equal(grid, grid[:, ::-1])
