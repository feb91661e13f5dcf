"""The example pictures: where they come from, and what the page promises to show with them."""

import json
from pathlib import Path

import pytest

from realitycheck import images, verdict_card
from realitycheck.web.gallery import Example

EXAMPLES = Path(__file__).parent.parent / "examples"
ENTRIES = [Example(**entry) for entry in json.loads((EXAMPLES / "examples.json").read_text())]
MOST_BYTES = 150_000


def test_every_example_is_readable_and_has_its_origin_stated():
    origins = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.glob("*.jpg"):
        assert images.read(path).format == "JPEG"
        assert path.stat().st_size <= MOST_BYTES
        assert f"`{path.name}`" in origins


def test_the_page_shows_eight_half_of_them_by_ai():
    assert len({entry.file for entry in ENTRIES}) == 8
    assert sorted(entry.label for entry in ENTRIES) == 4 * ["ai"] + 4 * ["real"]
    for entry in ENTRIES:
        assert entry.made_by.endswith(".")
        assert entry.licence in ("CC0", "CC BY 2.0", "MIT", "public domain")
        assert " ai" not in f" {entry.subject} ".lower()  # a guess is not given away


@pytest.mark.slow
def test_they_show_every_zone_and_both_mistakes(detector):
    found = {e.file: detector.predict(EXAMPLES / e.file, explain=False) for e in ENTRIES}
    assert {verdict_card.zone(answer.report()) for answer in found.values()} == {
        "real-strong",
        "real",
        "uncertain",
        "ai",
        "ai-strong",
    }
    wrong = {
        (entry.label, found[entry.file].verdict)
        for entry in ENTRIES
        if found[entry.file].verdict not in (entry.label, "uncertain")
    }
    assert wrong == {("ai", "real"), ("real", "ai")}
    said = [e.file for e in ENTRIES for one in found[e.file].provenance if one.points_to == "ai"]
    assert said == ["lens.jpg"]
