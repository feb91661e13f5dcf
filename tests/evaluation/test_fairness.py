"""Kinds of pictures: by the manifest's words, by the pixels, by the year in EXIF."""

import io
from dataclasses import replace

import numpy as np
import pytest
from helpers import drawing
from PIL import Image
from saving import QUICK_CONFIG

from realitycheck import images
from realitycheck.evaluation import fairness, metrics
from realitycheck.evaluation.fairness import Traits
from realitycheck.publish import card
from realitycheck.results import Interval, Record
from realitycheck.tables import most_accused
from realitycheck.web import model_html

PLAIN = Traits(grey=False, night=False, year=None)


def in_file(image: Image.Image, tag: int = 36867, date: str = "") -> images.Picture:
    """A picture as read from a JPEG whose EXIF has a date."""
    exif = Image.Exif()
    if date:
        exif.get_ifd(34665)[tag] = date
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80, exif=exif)
    return images.read(buffer.getvalue())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("portrait, wedding, newborn", {"portraits", "wedding", "newborn"}),
        ("studio portrait", {"portraits"}),
        ("fashion, wedding stock", {"fashion", "stock"}),
        ("game screenshot (Minecraft shaders)", {"screenshots"}),
        ("digital-painting, 3d-render", {"art"}),
        ("art/mixed", {"art", "mixed"}),
        ("portrait, event, night", {"portraits", "event", "night or dark"}),
        ("party", {"party"}),
        ("phone", {"phone"}),
        ("scan", {"scans"}),
        ("", set()),
    ],
)
def test_the_manifests_words_name_kinds(content, expected):
    assert fairness.kinds([content], [PLAIN]) == [expected]


def test_grey_and_night_are_read_from_the_pixels():
    bright = drawing(300, 200)
    grey = bright.convert("L").convert("RGB")
    dark = bright.point(lambda level: level // 4)
    spot = grey.copy()  # one coloured thing in a grey picture
    spot.paste((200, 30, 30), (0, 0, 60, 60))
    found = [fairness.traits_of(in_file(image)) for image in (bright, grey, dark, spot)]
    assert [traits.grey for traits in found] == [False, True, False, False]
    assert [traits.night for traits in found] == [False, False, True, False]
    assert fairness.kinds(["food"] * 2, found[1:3]) == [{"food", "grey"}, {"food", "night or dark"}]


def test_the_year_comes_from_exif():
    image = drawing(80, 80)
    taken = fairness.traits_of(in_file(image, date="2004:05:06 07:08:09")).year
    scanned = fairness.traits_of(in_file(image, 36868, "2014:05:06 07:08:09")).year
    assert (taken, scanned) == (2004, 2014)
    assert [fairness.era(year) for year in (taken, scanned, 2015)] == [
        *("before 2005", "2005 to 2014", "2015 or later")
    ]
    for date in ("", "0000:00:00 00:00:00", "2004-05-06"):
        assert fairness.era(fairness.traits_of(in_file(image, date=date)).year) == "not known"
    assert fairness.traits_of(images.read(image)).year is None


def accused(**kinds):
    """Figures of a set in which kinds were called `ai` so often, as (share, pictures)."""
    p_ai, is_ai = np.array([0.9, 0.1]), np.array([True, False])
    found = metrics.summarise(p_ai, is_ai, np.array(["ai", "real"]), ["", ""])
    groups = {name: Interval(share, 0, 1, count) for name, (share, count) in kinds.items()}
    eras = {"not known": Interval(0.9, 0, 1, 90), "2005 to 2014": Interval(0.2, 0, 1, 30)}
    return replace(found, real_kinds_called_ai=groups, real_eras_called_ai=eras)


@pytest.fixture
def measured(monkeypatch):
    monkeypatch.setattr(metrics, "RESAMPLES", 10)
    return accused(
        portraits=(0.1, 40), rare=(1.0, 29), stock=(0.3, 30), art=(0.05, 99), scans=(0.0, 99)
    )


def test_the_worst_three_kinds_have_enough_pictures(measured):
    assert list(most_accused(measured)) == ["stock", "taken 2005 to 2014", "portraits"]
    none = replace(measured, real_eras_called_ai={}, real_kinds_called_ai={})
    assert most_accused(none) == {}


def test_card_and_page_name_the_worst_kinds(measured):
    record = Record(metrics={"unseen": {"clean": measured}})
    text = card.text(QUICK_CONFIG, record)
    assert "- unseen: stock 30.0 (0.0-100.0) % of 30, taken 2005 to 2014 20.0 " in text
    assert "kinds with 30 pictures or more" in text
    assert "Skin tone is left out" in text
    assert "| unseen | not known | 90.0 (0.0-100.0) | 90 |" in text
    page = model_html.weakest(record.metrics)
    assert "called AI there: stock (30.0 (0.0-100.0) %), taken 2005 to 2014" in page
    # What was measured before kinds were told so is not explained by rules of today.
    old = replace(measured, real_eras_called_ai={})
    assert "Skin tone" not in card.text(QUICK_CONFIG, Record(metrics={"unseen": {"clean": old}}))
