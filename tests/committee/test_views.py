import numpy as np
import pytest
from conftest import drawing
from PIL import Image
from realitycheck.views import Preprocessing

from realitycheck import views

NATIVE = Preprocessing("native", 176)


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
    (view,) = views.evaluation_views(drawing(400, 300), Preprocessing("whole", 224))
    assert view.pixels.size == (224, 224)
    assert view.box == (0, 0, 400, 300)


def test_small_pictures_are_mirrored_not_enlarged():
    image = drawing(100, 80)
    padded, left, top = views.pad_to(image, 176)
    assert padded.size == (176, 176)
    inner = padded.crop((left, top, left + 100, top + 80))
    assert np.array_equal(np.asarray(inner), np.asarray(image))


def test_conditions_degrade_and_never_enlarge():
    image = drawing(1000, 700)
    sizes = {name: change(image).size for name, change in views.CONDITIONS.items()}
    assert sizes["clean"] == (1000, 700)
    assert max(sizes["web"]) == 768
    assert max(sizes["hard"]) == 512
    assert sizes["half"] == (500, 350)
    assert sizes["crop"] == (698, 490)
    assert sizes["screenshot"] == (800, 560)
    assert sizes["q50"] == (1000, 700)
    small = drawing(100, 100)
    assert views.CONDITIONS["web"](small).size == (100, 100)
    assert not np.array_equal(np.asarray(views.CONDITIONS["hard"](small)), np.asarray(small))


def test_preprocessing_refuses_nonsense():
    with pytest.raises(ValueError, match="mode"):
        Preprocessing("other")
    with pytest.raises(ValueError, match="size"):
        Preprocessing(size=0)


def test_lower_quality_changes_more():
    pixels = np.asarray(drawing(200, 160), int)
    change = [
        np.abs(np.asarray(views.CONDITIONS[name](drawing(200, 160)), int) - pixels).mean()
        for name in ("q90", "q70", "q50")
    ]
    assert 0 < change[0] < change[1] < change[2]
