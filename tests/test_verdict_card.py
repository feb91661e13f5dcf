"""The verdict's card: zones, scale, track record and base rates, computed from the record alone."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest

from realitycheck import verdict_card
from realitycheck.track_record import track_record
from realitycheck.verdict_card import BASE_RATES, card, headline, withheld, zone
from realitycheck.wording import ENDS, HEADLINES, LANGUAGES, NEXT_STEPS

CALLS = {
    "clean": {
        "ai": {"ai": 190, "uncertain": 100, "real": 10},
        "real": {"ai": 5, "uncertain": 145, "real": 250},
    },
    "web": {
        "ai": {"ai": 150, "uncertain": 130, "real": 20},
        "real": {"ai": 10, "uncertain": 190, "real": 200},
    },
}


def report(verdict: str, p_ai: float, calls=CALLS, warnings=()) -> dict:
    """So much of a report as the card needs."""
    return {
        "verdict": verdict,
        "probabilities": {"made": p_ai, "taken": 1 - p_ai},
        "warnings": list(warnings),
        "model": {"ai_class": "made", "thresholds": {"ai": 0.8, "real": 0.2}, "calls": calls},
    }


def test_a_family_is_one_small_line_and_never_certain():
    named = report("ai", 0.9) | {"family": {"name": "A & <B>", "probability": 0.9999}}
    assert (
        "<p class='rc-small'>Resembles pictures by A &amp; &lt;B&gt; (99 %). A resemblance, not "
        "proof.</p>"
    ) in card(named)
    named["family"]["probability"] = 0.729
    assert "(72 %)" in card(named)
    for unknown in (report("ai", 0.9), report("ai", 0.9) | {"family": None}):
        assert "Resembles" not in card(unknown)


def says(text: str) -> list[str]:
    return json.loads(unescape(re.search(r"data-says='([^']*)'", text)[1]))


@pytest.mark.parametrize(
    ("verdict", "p_ai", "expected"),
    [
        ("real", 0.03, "real-strong"),
        ("real", 0.05, "real"),
        ("real", 0.2, "real"),
        ("uncertain", 0.21, "uncertain"),
        ("uncertain", 0.99, "uncertain"),  # withheld
        ("ai", 0.8, "ai"),
        ("ai", 0.95, "ai"),
        ("ai", 0.97, "ai-strong"),
    ],
)
def test_the_headline_follows_verdict_and_zone(verdict, p_ai, expected):
    found = report(verdict, p_ai)
    assert zone(found) == expected
    assert headline(found) == HEADLINES[expected]
    assert f"<h2>{HEADLINES[expected]}</h2>" in card(found)
    assert NEXT_STEPS[verdict] in card(found)


def test_nothing_is_very_likely_where_nothing_was_measured():
    assert zone(report("ai", 0.999, {})) == "ai"
    assert zone(report("real", 0.001, {})) == "real"


def test_five_zones_have_five_headlines():
    assert len(set(HEADLINES.values())) == 5


def test_the_scale_has_its_band_and_a_marker():
    text = card(report("uncertain", 0.65))
    assert "--rc-low:20%;--rc-high:80%" in text
    assert "left:65%" in text
    assert "65 of 100 towards AI-made; between 20 and 80 it makes no call." in text
    assert all(end in text for end in ENDS)
    (label,) = re.findall(r"aria-label='(From [^']*)'", text)
    assert "65 of 100" in label


@pytest.mark.parametrize(
    ("verdict", "p_ai", "at"),
    [
        ("uncertain", 0.7999, 79),  # never on the far side of a threshold, however it is rounded
        ("uncertain", 0.2001, 21),
        ("ai", 0.8, 80),
        ("real", 0.2, 20),
        ("ai", 0.9999, 99),  # nothing is certain
        ("real", 0.0001, 1),
    ],
)
def test_the_marker_never_contradicts_the_headline(verdict, p_ai, at):
    text = card(report(verdict, p_ai))
    assert f"left:{at}%" in text
    assert f"{at} of 100 towards" in text


def test_a_marker_never_contradicts_thresholds_that_are_not_whole():
    found = report("ai", 0.8372)
    found["model"]["thresholds"] = {"ai": 0.8372, "real": 0.1397}
    assert "left:84%" in card(found)
    found |= {"verdict": "uncertain", "probabilities": {"made": 0.8371, "taken": 0.1629}}
    assert "left:83%" in card(found)
    found |= {"verdict": "real", "probabilities": {"made": 0.1397, "taken": 0.8603}}
    assert "left:14%" in card(found)


def test_a_withheld_verdict_shows_no_number():
    for p_ai in (0.97, 0.03):
        found = report("uncertain", p_ai, warnings=["Most of it is <flat>."])
        assert withheld(found)
        text = card(found)
        assert "rc-marker" not in text
        assert "--rc-low:0%;--rc-high:100%" in text
        assert "No call for this picture: Most of it is &lt;flat&gt;." in text
        assert not re.search(r"\b(97|3) of 100", text)
    assert not withheld(report("uncertain", 0.5))
    assert not withheld(report("ai", 0.9))


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("ai", "97 were right (93 once"),  # 190 of 195, and 150 of 160
        ("real", "96 were right (90 once"),  # 250 of 260, and 200 of 220
        ("uncertain", "no call on 35 (46 once"),  # 245 and 320 of 700
    ],
)
def test_the_track_record_is_counted(verdict, words):
    assert words in card(report(verdict, {"ai": 0.9, "real": 0.1, "uncertain": 0.5}[verdict]))


def test_without_a_record_nothing_is_said():
    for verdict, p_ai in (("ai", 0.9), ("real", 0.1), ("uncertain", 0.5)):
        text = card(report(verdict, p_ai, {}))
        assert "Of 100" not in text
        assert "<details>" not in text
    few = {"clean": {"ai": {"ai": 20, "uncertain": 1}, "real": {"ai": 0, "uncertain": 1}}}
    assert "were right" not in card(report("ai", 0.9, few))
    assert "<details>" not in card(report("ai", 0.9, few))
    only = {"clean": CALLS["clean"]}
    assert "97 were right." in card(report("ai", 0.9, only))


def test_rare_mistakes_are_not_none():
    calls = {"clean": {"ai": {"ai": 400, "real": 0}, "real": {"ai": 0, "real": 300}}}
    text = card(report("ai", 0.9, calls))
    assert "99 were right" in text
    assert "about 99 of 100" in says(text)[-1]


@pytest.mark.parametrize(
    ("verdict", "p_ai", "rate", "words"),
    [
        # 190 of 300 AI pictures and 5 of 400 others are called AI.
        ("ai", 0.9, 10, "If 1 of 100 pictures are AI-made, about 33 of 100 such calls are right."),
        ("ai", 0.9, 1, "If 1 of 1,000 pictures are AI-made, about 4 of 100"),
        ("ai", 0.9, 500, "If 50 of 100 pictures are AI-made, about 98 of 100"),
        # 250 of 400 photographs and 10 of 300 others are called real.
        ("real", 0.1, 900, "If 90 of 100 pictures are AI-made, about 67 of 100 such calls are"),
        # 100 of 300 and 145 of 400 are left open.
        ("uncertain", 0.5, 500, "about 47 of 100 left open are AI-made."),
    ],
)
def test_base_rates_by_bayes(verdict, p_ai, rate, words):
    assert words in says(card(report(verdict, p_ai)))[BASE_RATES.index(rate)]


def test_the_base_rate_control_begins_where_it_says():
    text = card(report("ai", 0.9))
    (value,) = re.findall(r"value='(\d+)'", text)
    assert f"<output>{says(text)[int(value)]}</output>" in text
    assert f"max='{len(says(text)) - 1}'" in text


@pytest.mark.parametrize("words", LANGUAGES.values())
def test_the_card_has_at_most_ninety_words(words):
    for verdict, p_ai in (("ai", 0.9), ("real", 0.1), ("uncertain", 0.5)):
        text = re.sub(r"<[^>]*>", " ", card(report(verdict, p_ai), words))
        assert 30 < len(text.split()) <= 90


def test_the_bundled_record_has_counts(detector):
    record = detector.checkpoint.record()
    calls = detector.checkpoint.describe()["calls"]
    assert calls == track_record(record.metrics)
    assert calls["clean"] == record.metrics["unseen"]["clean"].confusion
    rule = detector.config.abstention
    assert detector.checkpoint.describe()["thresholds"] == {"ai": rule.ai, "real": rule.real}


def test_a_damaged_record_leaves_the_weights_working(tmp_path, detector):
    (tmp_path / "record.json").write_text("{")
    broken = replace(detector.checkpoint, folder=tmp_path, old_record=None)
    assert broken.describe()["calls"] == {}
    told = broken.describe() | {"calls": detector.checkpoint.describe()["calls"]}
    assert told == detector.checkpoint.describe()


def test_styles_come_along_where_there_are_none():
    text = verdict_card.styled(report("ai", 0.9))
    assert text.startswith("<style>")
    assert ".rc-track" in text
    assert text.endswith(card(report("ai", 0.9)))
