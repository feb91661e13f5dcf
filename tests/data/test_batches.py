import numpy as np
import pytest
import torch
from helpers import drawing, numbered, picture_share
from torchvision.transforms.v2 import functional as tv

from realitycheck.committee.views import Preprocessing
from realitycheck.data import augment, batches
from realitycheck.data.batches import NUMBERS, PaperBatch, Pictures, PlainBatch, TrainingBatch

AS_IT_IS = Preprocessing("native", 176, (0, 0, 0), (1, 1, 1))  # levels divided by 255
WHOLE = Preprocessing("whole", 40, (0, 0, 0), (1, 1, 1))
CPU = torch.device("cpu")


def squares(versions=1, side=40, count=3):
    drawn = [drawing(side, side, seed) for seed in range(count * versions)]
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in drawn]))
    return pixels.view(count, versions, side, side, 3)


def batch(transform, kept, numbers, rows=None):
    rows = list(range(len(numbers))) if rows is None else rows
    return transform(Pictures(kept, rows, numbers, CPU))


def numbers(count, seed=0):
    return torch.rand((count, NUMBERS), generator=torch.Generator().manual_seed(seed))


def levels(pixels):
    """Colours of the pixels of [3, H, W]."""
    values = (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).reshape(-1, 3)
    return {tuple(pixel) for pixel in values.tolist()}


@pytest.mark.parametrize("strength", [1.0, 4.0])
def test_a_picture_is_changed_alike_whatever_its_batch(strength):
    kept, drawn = squares(4, 40, 30), numbers(30)
    changed = TrainingBatch(32, AS_IT_IS, strength)
    whole = batch(changed, kept, drawn)
    assert whole.shape == (30, 3, 32, 32)
    assert whole.is_contiguous(memory_format=torch.channels_last)
    for row in range(30):
        alone = batch(changed, kept, drawn[row : row + 1], [row])
        assert torch.allclose(alone[0], whole[row], atol=1e-6)
    assert not torch.allclose(whole, batch(changed, kept, numbers(30, seed=1)))


def test_strength_zero_only_crops_flips_and_chooses_a_version():
    kept = squares(2, 40, 1)
    found = batch(TrainingBatch(32, AS_IT_IS, strength=0), kept, numbers(60), [0] * 60)
    possible = set()
    for version in kept[0].permute(0, 3, 1, 2):
        for left in range(9):
            for top in range(9):
                crop = version[:, top : top + 32, left : left + 32]
                possible |= {crop.numpy().tobytes(), crop.flip(2).numpy().tobytes()}
    crops = [(crop * 255).round().to(torch.uint8).numpy().tobytes() for crop in found]
    assert set(crops) <= possible
    assert len(set(crops)) > 30


def test_turns_are_those_of_the_loaders():
    kept = squares()
    drawn = torch.full((3, NUMBERS), 0.99)
    drawn[:, 3:5] = 0  # no flip; a turn
    drawn[:, 5] = torch.tensor([0.1, 0.5, 0.9])
    drawn[:, 0:3] = 0
    found = batch(TrainingBatch(32, AS_IT_IS), kept, drawn)
    for pixels, square, turn in zip(found, kept, augment.RandomQuarterTurn.TURNS, strict=True):
        corner = tv.to_pil_image(square[0, :32, :32].permute(2, 0, 1)).transpose(turn)
        assert torch.equal((pixels * 255).round().to(torch.uint8), tv.pil_to_tensor(corner))


def test_colour_and_blur_are_torchvisions():
    kept = squares()
    drawn = torch.zeros((3, NUMBERS))
    drawn[:, 4] = 0.99  # no turn
    drawn[0, 11] = drawn[1, 11] = 0.99  # no blur
    drawn[1, 6] = drawn[2, 6] = 0.99  # no colour
    drawn[0, 7:11] = torch.tensor([0.0, 0.999, 0.5, 0.999])
    drawn[2, 12] = 0.999
    found = batch(TrainingBatch(32, AS_IT_IS), kept, drawn)
    crops = kept[:, 0, :32, :32].permute(0, 3, 1, 2) / 255
    coloured = tv.adjust_brightness(crops[0], 0.8)
    coloured = tv.adjust_hue(tv.adjust_contrast(coloured, 1.2), 0.02)
    expected = coloured, crops[1], tv.gaussian_blur(crops[2], [5, 5], [2.0, 2.0])
    for pixels, one in zip(found, expected, strict=True):
        assert torch.allclose(pixels, one, atol=1e-5)


@pytest.mark.parametrize(
    ("versions", "strength", "resaved"),
    [(4, 1.0, 2), (5, 1.0, 2), (2, 2.4, 1), (3, 2.5, 3), (4, 0.0, 0), (1, 1.0, 0)],
)
def test_versions_are_drawn_as_often_as_the_loaders_save_anew(versions, strength, resaved):
    assert batches.resaved_versions(versions, strength) == resaved
    drawn = (torch.arange(1000) + 0.5) / 1000
    found = TrainingBatch(32, AS_IT_IS, strength)._versions(drawn, versions)
    counts = found.bincount(minlength=versions)
    assert (counts > 0).all()
    if 0 < resaved < versions:
        share = augment.chance(augment.RESAVED, strength)
        assert counts[-resaved:].sum() == pytest.approx(1000 * share, abs=1)
        assert counts[-1] == pytest.approx(1000 * share / resaved, abs=1)


@pytest.mark.parametrize("size", [(96, 96), (20, 400), (400, 20), (60, 60), (50, 900), (300, 300)])
@pytest.mark.parametrize("crop", [96, 48])
def test_a_crop_of_a_square_never_holds_more_mirror_than_picture(size, crop):
    image, side = numbered(*size), round(batches.MARGIN * 96)
    generator = torch.Generator().manual_seed(0)
    cut = augment.RandomScaledCrop(side, p=0.6, generator=generator)
    kept = torch.from_numpy(np.stack([np.asarray(cut(image)) for _ in range(5)]))[None]
    found = batch(TrainingBatch(crop, AS_IT_IS, strength=0), kept, numbers(30), [0] * 30)
    for pixels in (found * 255).round():
        assert picture_share(pixels.permute(1, 2, 0).int()) >= 0.49


def test_rotation_and_flip_of_the_papers_recipe_are_torchvisions():
    kept, drawn = squares(), torch.zeros((3, NUMBERS))
    drawn[:, 1] = torch.tensor([0.0, 0.5, 0.8])
    drawn[2, 2] = 0.9
    found = batch(PaperBatch(WHOLE), kept, drawn)
    pictures = kept[:, 0].permute(0, 3, 1, 2)
    turned = tv.rotate(pictures[0], -15), pictures[1], tv.rotate(pictures[2], 9).flip(2)
    for pixels, expected in zip(found, turned, strict=True):
        assert levels(pixels) == levels(expected / 255)
        assert torch.allclose(pixels, expected / 255, atol=1e-6)


def test_plain_squares_lie_in_the_corner():
    kept = squares(2)
    found = batch(PlainBatch(1, 32, AS_IT_IS), kept, numbers(3))
    assert torch.allclose(found, kept[:, 1, :32, :32].permute(0, 3, 1, 2) / 255)
