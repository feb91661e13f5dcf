import numpy as np
import pytest
from helpers import drawing
from PIL import Image

from realitycheck.committee import views
from realitycheck.committee.cnn import MEAN, STD
from realitycheck.committee.views import Preprocessing

NATIVE = Preprocessing("native", 176, MEAN, STD)


@pytest.mark.parametrize(
    ("size", "most"),
    [
        ((64, 64), 1),
        ((176, 176), 1),
        ((180, 100), 1),
        ((300, 300), 4),
        ((4000, 3000), 14),
        ((3000, 4000), 14),
        ((20000, 70), 14),
        ((70, 20000), 14),
        ((320, 1200), 14),
    ],
)
def test_views_are_few_square_and_together_see_the_whole_picture(size, most):
    image = Image.new("RGB", size)
    found = views.evaluation_views(image, NATIVE)
    assert 1 <= len(found) <= most
    seen = np.zeros((50, 50), bool)
    x, y = (np.linspace(0, side, 50) for side in size)
    for view in found:
        assert view.pixels.size == (176, 176)
        left, top, right, bottom = view.box
        seen |= ((y >= top - 10) & (y <= bottom + 10))[:, None] & (
            (x >= left - 10) & (x <= right + 10)
        )
    assert seen.all()


def test_native_views_are_untouched_pixels():
    image = drawing(400, 300)
    for view in views.evaluation_views(image, NATIVE):
        assert view.kind == "native"
        assert np.array_equal(np.asarray(view.pixels), np.asarray(image.crop(view.box)))


def test_large_pictures_are_also_seen_small():
    found = views.evaluation_views(drawing(1600, 1200), NATIVE)
    assert {view.kind for view in found} == {"native", "resized"}


def test_whole_mode_is_one_resized_square():
    (view,) = views.evaluation_views(drawing(400, 300), Preprocessing("whole", 224, MEAN, STD))
    assert view.pixels.size == (224, 224)
    assert view.box == (0, 0, 400, 300)


def test_small_pictures_are_mirrored_not_enlarged():
    image = drawing(100, 80)
    padded, left, top = views.pad_to(image, 176)
    assert padded.size == (176, 176)
    inner = padded.crop((left, top, left + 100, top + 80))
    assert np.array_equal(np.asarray(inner), np.asarray(image))


def test_preprocessing_refuses_nonsense():
    with pytest.raises(ValueError, match="mode"):
        Preprocessing("other", 176, MEAN, STD)
    with pytest.raises(ValueError, match="size"):
        Preprocessing("native", 0, MEAN, STD)
