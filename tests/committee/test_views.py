from dataclasses import replace

import numpy as np
import pytest
from helpers import drawing
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

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
        ((320, 1200), 14),
        ((2400, 300), 14),
        ((90, 700), 14),
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


SHAPES = [
    (1, 10000),
    (60, 5000),
    (224, 224),
    (10000, 300),
    (64, 64),
    (70, 20000),
    (100, 100),
    (1600, 300),
    (700, 150),
    (87, 300),
    (2000, 3),
]


def check_shares(size, mode, side):
    image = Image.new("RGB", size)
    found = views.evaluation_views(image, Preprocessing(mode, side, MEAN, STD))
    assert 1 <= len(found) <= 14
    for view in found:
        assert view.pixels.size == (side, side)
        left, top, right, bottom = view.box
        inside = max(0, min(right, size[0]) - max(left, 0)) * max(
            0, min(bottom, size[1]) - max(top, 0)
        )
        assert inside >= 0.499 * (right - left) * (bottom - top), view
        # A panorama is not squeezed into a square either.
        assert 1 / 4.1 <= (right - left) / (bottom - top) <= 4.1


@pytest.mark.parametrize("mode", views.MODES)
@pytest.mark.parametrize("size", SHAPES)
def test_a_view_never_holds_more_mirror_than_picture(size, mode):
    for side in (176, 224):
        check_shares(size, mode, side)


@given(
    st.tuples(st.integers(1, 600), st.floats(1, 200), st.booleans()),
    st.sampled_from(views.MODES),
    st.sampled_from([32, 176, 224]),
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_shape_half_of_a_view_is_picture(shape, mode, side):
    short, ratio, upright = shape
    long = min(20_000, int(short * ratio))
    check_shares((short, long) if upright else (long, short), mode, side)


@pytest.mark.parametrize("mode", views.MODES)
@pytest.mark.parametrize("size", [(5000, 60), (60, 5000), (9000, 300), (90, 4000)])
def test_a_view_of_a_panorama_shows_what_its_box_names(size, mode):
    """The picture's red rises along its length, so that red tells where a view was cut."""
    wide = size[0] > size[1]
    ramp = Image.linear_gradient("L")
    ramp = (ramp.transpose(Image.Transpose.ROTATE_90) if wide else ramp).resize(size)
    for view in views.evaluation_views(
        Image.merge("RGB", (ramp, ramp, ramp)), Preprocessing(mode, 176, MEAN, STD)
    ):
        first, last = view.box[not wide], view.box[2 + (not wide)]
        middle = (first + last) / 2 / max(size)
        assert view.pixels.getpixel((88, 88))[0] == pytest.approx(255 * middle, abs=3)


@pytest.mark.parametrize(("mode", "least"), [("native", 8), ("whole", 8), ("centre", 4)])
@pytest.mark.parametrize("size", [(10000, 300), (300, 10000)])
def test_a_panorama_is_cut_along_its_length(size, mode, least):
    found = views.evaluation_views(Image.new("RGB", size), Preprocessing(mode, 176, MEAN, STD))
    axis = size[1] > size[0]
    places = sorted((v.box[axis] + v.box[2 + axis]) / 2 for v in found if v.kind != "native")
    assert len(places) == least
    steps = np.diff(places)
    assert np.allclose(steps, steps[0], atol=2)
    assert places[0] < 2500
    assert places[-1] > 7500


def test_a_picture_up_to_four_to_one_is_seen_as_before():
    """Where a picture is neither long nor narrow, nothing is cut or enlarged."""
    for size in ((1200, 300), (300, 1200), (500, 125), (4000, 3000), (126, 126)):
        found = views.evaluation_views(Image.new("RGB", size), NATIVE)
        assert all(view.box[2] - view.box[0] >= 176 for view in found)
    (whole,) = views.evaluation_views(
        Image.new("RGB", (1200, 300)), Preprocessing("whole", 224, MEAN, STD)
    )
    assert whole.box == (0, 0, 1200, 300)


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


@pytest.mark.parametrize(
    ("mode", "size", "kinds"),
    [
        ("centre", (700, 500), ["whole"]),
        ("centre", (1200, 300), ["whole"] * 4),
        ("whole", (700, 500), ["whole"]),
        ("native", (1600, 1200), ["resized"]),
        ("native", (200, 150), ["native"] * 2),
    ],
)
def test_quick_mode_looks_at_the_whole_made_small(mode, size, kinds):
    found = views.evaluation_views(drawing(*size), Preprocessing(mode, 176, MEAN, STD))
    quick = views.quick_views(found)
    assert [view.kind for view in quick] == kinds
    assert all(view in found for view in quick)


@pytest.mark.parametrize("size", [(1000, 750), (401, 977), (2100, 1000), (300, 96), (90, 97)])
def test_part_of_a_small_copy_is_as_cut_from_the_whole_copy(size):
    image = ImageOps.equalize(drawing(*size))
    factor = 96 / min(size)
    copy = image.resize(
        tuple(max(96, round(side * factor)) for side in size),
        Image.Resampling.BICUBIC,
        reducing_gap=3.0,
    )
    found = views.evaluation_views(image, Preprocessing("centre", 96, MEAN, STD))
    whole = [view for view in found if view.kind == "whole"]
    assert whole
    for view in whole:
        x, y = (
            round(start * side / full)
            for start, side, full in zip(view.box[:2], copy.size, size, strict=True)
        )
        cut = np.asarray(copy.crop((x, y, x + 96, y + 96)), np.int16)
        differing = np.abs(cut - np.asarray(view.pixels))
        # What is averaged before both begins at another pixel.
        assert differing.max() <= 6
        assert differing.mean() < 0.5


def test_views_at_the_pictures_own_scale_may_count_less():
    preprocessing = Preprocessing("centre", 96, MEAN, STD, native_weight=0.25)
    for size, expected in (((300, 240), [1.6, 0.4]), ((100, 96), [1.0])):
        found = views.evaluation_views(drawing(*size), preprocessing)
        assert views.view_shares(found).flatten().tolist() == pytest.approx(expected)
        # As if there were no weights at all, where a mode knows none.
        same = views.evaluation_views(drawing(*size), replace(NATIVE, native_weight=0.25))
        assert set(views.view_shares(same).flatten().tolist()) == {1.0}
    for wrong in (0.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="native_weight must be a positive number"):
            Preprocessing("centre", 96, MEAN, STD, native_weight=wrong)


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


@pytest.mark.parametrize("mode", views.MODES)
def test_bars_are_no_part_of_a_view(mode):
    image, preprocessing = drawing(400, 300), Preprocessing(mode, 176, MEAN, STD)
    plain = views.evaluation_views(image, preprocessing)
    framed = views.evaluation_views(ImageOps.expand(image, (50, 80), "black"), preprocessing)
    assert len(framed) == len(plain)
    for one, other in zip(framed, plain, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert np.subtract(one.box, other.box) == pytest.approx((50, 80, 50, 80))
