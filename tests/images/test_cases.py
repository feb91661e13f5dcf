"""Files after public bug reports: what is right for each stands in cases.json.

The inputs lie in tests/inputs; those that a test can draw are drawn in the other modules here.
"""

import json
import re

import pytest
from helpers import ROOT

from realitycheck import images
from realitycheck.errors import PictureError
from realitycheck.images import provenance

INPUTS = ROOT / "tests" / "inputs"
CASES = json.loads((ROOT / "tests" / "images" / "cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']} {case['input']}")
def test_a_reported_file(case):
    expect, file = case["expect"], INPUTS / case["input"]
    findings = provenance.examine(file.read_bytes())
    said = " ".join(" ".join(finding.report().values()) for finding in findings)
    error, warnings = "", ""
    try:
        warnings = " ".join(images.read(file).warnings)
    except PictureError as refused:
        error = str(refused)
    if "examined" in expect:
        assert (not error) == expect["examined"], case["why"]
    if "origin_ai" in expect:
        assert any(one.points_to == "ai" for one in findings) == expect["origin_ai"], case["why"]
    if expect.get("ai_first"):
        assert findings[0].points_to == "ai"
    for pattern in expect.get("origin_says", []):
        assert re.search(pattern, said), case["why"]
        # A table says it too, unless it takes more than the first sentence.
        if len(findings) == 1:
            assert re.search(pattern, provenance.summary(findings))
    for pattern in expect.get("warnings_say", []):
        assert re.search(pattern, warnings), case["why"]
    for pattern in expect.get("error_says", []):
        assert re.search(pattern, error), case["why"]
    for pattern in expect.get("error_not", []):
        assert not re.search(pattern, error), case["why"]
