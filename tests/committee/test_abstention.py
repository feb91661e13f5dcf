"""Each caveat, on a picture that has it and on one that has not; and the verdict they lead to."""

import io

import numpy as np
import pytest
from helpers import ROOT, drawing
from PIL import Image, ImageDraw, ImageOps

from realitycheck import images
from realitycheck.committee.abstention import (
    COLOURLESS_AI_ODDS,
    COLOURLESS_REAL_ODDS,
    Abstention,
    Caveat,
    decide,
    flat_share,
    image_caveats,
    is_grey,
    neighbour_correlation,
    prediction_caveats,
)
from realitycheck.images.perturbations import reencode

RULE = Abstention(ai=0.8, real=0.3)
SIDE = 176
TEMPLE = Image.open(ROOT / "examples" / "temple.jpg").convert("RGB")  # 640 x 427


def saved(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def about(source) -> list[Caveat]:
    picture = images.read(source)
    return list(image_caveats(picture.image, picture.data, SIDE))


def test_a_plain_photograph_gives_no_reason(picture):
    assert about(saved(picture, quality=90)) == []
    assert about(picture) == []  # pixels alone, without a file
    assert list(prediction_caveats(0.9, [0.9, 0.8], RULE)) == []


def test_a_probability_between_the_thresholds():
    (caveat,) = prediction_caveats(0.5, [0.5, 0.6], RULE)
    assert "between 30% and 80%" in caveat.sentence
    assert list(prediction_caveats(0.3, [0.3, 0.2], RULE)) == []  # a threshold itself decides


@pytest.mark.parametrize(
    ("parts", "abstains"), [([0.9, 0.9, 0.1], False), ([0.9, 0.9, 0.9, 0.1, 0.1], True)]
)
def test_parts_that_disagree(parts, abstains):
    (caveat,) = prediction_caveats(0.9, parts, RULE)
    assert f"{parts.count(0.1)} of the {len(parts)} parts" in caveat.sentence
    assert caveat.abstains == abstains
    assert list(prediction_caveats(0.9, [0.9, 0.9, 0.9, 0.1], RULE)) == []


@pytest.mark.parametrize(("height", "abstains"), [(100, False), (80, True)])
def test_a_small_picture(height, abstains):
    (caveat,) = about(drawing(300, height))
    assert f"300 x {height} px" in caveat.sentence
    assert caveat.abstains == abstains


@pytest.mark.parametrize(("size", "times"), [((3000, 200), 15), ((200, 1700), 8)])
def test_a_panorama_of_which_little_is_seen(size, times):
    (caveat,) = about(drawing(*size))
    assert f"{times} times as long" in caveat.sentence
    assert not caveat.abstains
    assert about(drawing(1600, 200)) == []


def test_a_narrow_strip_gets_no_verdict():
    small, long = about(drawing(70, 2000))
    assert "70 x 2000 px" in small.sentence
    assert small.abstains
    assert "28 times as long" in long.sentence


@pytest.mark.parametrize(("quality", "abstains"), [(50, False), (20, True)])
def test_strong_compression(picture, quality, abstains):
    caveat = about(saved(picture, quality=quality))[0]
    assert f"quality about {quality}" in caveat.sentence
    assert caveat.abstains == abstains


@pytest.mark.parametrize(("quality", "abstains"), [(50, False), (20, True)])
def test_strong_compression_outlives_another_saving(quality, abstains):
    poor = reencode(TEMPLE, "JPEG", quality)
    for again in (saved(poor, "PNG"), saved(poor, quality=95), poor):
        (caveat,) = about(again)
        assert "before it was saved this way" in caveat.sentence
        assert f"quality about {quality}" in caveat.sentence
        assert caveat.abstains == abstains
    assert about(reencode(TEMPLE, "JPEG", 75)) == []


def test_a_strongly_compressed_webp():
    (caveat,) = about(saved(TEMPLE, "WEBP", quality=5))
    assert "as bad as JPEG quality about 2" in caveat.sentence
    assert caveat.abstains
    assert about(saved(TEMPLE, "WEBP", quality=75)) == []


@pytest.mark.parametrize(("short", "abstains"), [(120, False), (70, True)])
def test_an_enlarged_thumbnail(short, abstains):
    size = (round(short * 640 / 427), short)
    thumbnail = TEMPLE.resize(size, Image.Resampling.LANCZOS)
    (caveat,) = about(thumbnail.resize(TEMPLE.size, Image.Resampling.BICUBIC))
    assert f"Enlarged from about {size[0]} x {size[1]} px: small pictures" in caveat.sentence
    assert caveat.abstains == abstains


def test_bars_are_cut_off_before_all_else():
    dark = ImageOps.expand(TEMPLE, (0, 300), "black")
    (caveat,) = about(dark)  # no word of flat colour or darkness
    assert "Bars of one colour" in caveat.sentence
    assert "640 x 427 px" in caveat.sentence
    assert not caveat.abstains
    poor = ImageOps.expand(reencode(TEMPLE, "JPEG", 20), (13, 21), "white")
    assert [caveat.abstains for caveat in about(poor)] == [False, True]
    small = ImageOps.expand(TEMPLE.resize((240, 160)), 60, "black")
    assert "Only 240 x 160 px" in about(small)[1].sentence


def test_a_drawn_screenshot(picture):
    drawn = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(drawn).text((20, 20), "Settings", fill="black")
    (caveat,) = about(drawn)
    assert "flat colour" in caveat.sentence
    assert caveat.abstains
    assert flat_share(drawn) > 0.9 > 0.4 > flat_share(picture)


def test_darkness(picture):
    dark = picture.point(lambda value: value // 8)
    (caveat,) = about(dark)
    assert "dark" in caveat.sentence
    assert caveat.abstains
    assert not list(about(picture.point(lambda value: value // 3)))


def test_noise(picture):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8))
    (caveat,) = about(noise)
    assert "noise" in caveat.sentence
    assert caveat.abstains
    assert neighbour_correlation(noise) < 0.1 < 0.9 < neighbour_correlation(picture)
    assert neighbour_correlation(Image.new("RGB", (200, 200))) == 1


@pytest.mark.parametrize(
    ("p_ai", "verdict"),
    [(0.81, "ai"), (0.8, "ai"), (0.79, "uncertain"), (0.31, "uncertain"), (0.3, "real")],
)
def test_the_thresholds_decide(p_ai, verdict):
    decision = decide(p_ai, [p_ai], [], RULE)
    assert decision.verdict == verdict
    assert bool(decision.caveats) == (verdict == "uncertain")


@pytest.mark.parametrize(("p_ai", "verdict"), [(0.9, "ai"), (0.1, "real")])
def test_a_weighty_caveat_forbids_any_verdict(p_ai, verdict):
    light, weighty = Caveat("light"), Caveat("weighty", abstains=True)
    assert decide(p_ai, [p_ai], [light], RULE).verdict == verdict
    decision = decide(p_ai, [p_ai], [light, weighty], RULE)
    assert decision.verdict == "uncertain"
    assert decision.caveats == (light, weighty)


def test_a_caveat_may_ask_for_a_surer_verdict():
    light, doubt = Caveat("light"), Caveat("doubt", real_odds=2.0)
    for odds, verdict in ((0.3 / 0.7 / 1.9, "uncertain"), (0.3 / 0.7 / 2.1, "real")):
        p_ai = odds / (1 + odds)
        decision = decide(p_ai, [p_ai], [light, doubt], RULE)
        assert decision.verdict == verdict
        assert decision.rule.real == pytest.approx(0.3 / (0.3 + 0.7 * 2))
        assert set(decision.caveats) >= {light, doubt}
        assert decide(p_ai, [p_ai], [light], RULE).verdict == "real"
    assert decide(0.8, [0.8], [light, doubt], RULE).verdict == "ai"  # which asks for no more
    decision = decide(0.8, [0.8], [doubt, Caveat("both", ai_odds=3.0)], RULE)
    assert decision.verdict == "uncertain"
    assert decision.rule == RULE.stricter(3.0, 2.0)


def test_a_picture_without_colour():
    grey = TEMPLE.convert("L").convert("RGB")
    for source in (grey, saved(grey, quality=90), saved(TEMPLE.convert("L"), "PNG")):
        (caveat,) = about(source)
        assert "no colour" in caveat.sentence
        assert not caveat.abstains
        assert caveat.real_odds == COLOURLESS_REAL_ODDS > 1
        assert caveat.ai_odds == COLOURLESS_AI_ODDS > 1
    assert is_grey(ImageOps.colorize(TEMPLE.convert("L"), "black", "#fff8f4"))  # as paper tints it
    one_red_corner = grey.copy()
    one_red_corner.paste("red", (0, 0, 80, 80))
    for coloured in (one_red_corner, Image.blend(grey, TEMPLE, 0.5)):
        assert not is_grey(coloured)
        assert about(coloured) == []


def test_parts_that_disagree_forbid_a_verdict():
    assert decide(0.9, [0.9, 0.9, 0.1], [], RULE).verdict == "ai"
    split = decide(0.9, [0.9, 0.9, 0.1, 0.1], [], RULE)
    assert split.verdict == "uncertain"
    assert split.caveats[0].abstains
    # With a rule of its own, the same parts may still be answered.
    lenient = Abstention(ai=0.8, real=0.3, against=0.3, split=0.6)
    assert decide(0.9, [0.9, 0.9, 0.1, 0.1], [], lenient).verdict == "ai"


def test_a_stricter_rule_asks_for_other_odds():
    stricter = RULE.stricter(2, 3)
    assert stricter.ai / (1 - stricter.ai) == pytest.approx(2 * 0.8 / 0.2)
    assert stricter.real / (1 - stricter.real) == pytest.approx(0.3 / 0.7 / 3)
    assert not RULE.undecided().stricter(3, 3).decides
    odd = Abstention(ai=0.8593718758608923, real=0.18981906149064132)
    assert odd.stricter(1.0, 1.0) == odd
    assert odd.stricter(1.0, 2.0).ai == odd.ai


@pytest.mark.parametrize("p_ai", [0.0, 0.4, 1.0])
def test_without_thresholds_there_is_no_verdict(p_ai):
    decision = decide(p_ai, [p_ai], [], RULE.undecided())
    assert decision.verdict == "uncertain"
    assert "no verdicts" in decision.caveats[0].sentence
    assert RULE.decides
    assert Abstention(ai=1.0, real=0.2).decides


@pytest.mark.parametrize(("ai", "real"), [(0.4, 0.6), (1.2, 0.5), (0.5, -0.1)])
def test_thresholds_that_make_no_sense_are_refused(ai, real):
    with pytest.raises(ValueError, match="real <= ai"):
        Abstention(ai=ai, real=real)
