import base64
import io
import re
from dataclasses import replace

import pytest
from helpers import ROOT, drawing
from PIL import Image, PngImagePlugin

from realitycheck.verdict_card import card, headline


@pytest.fixture(scope="module")
def prediction(detector):
    return detector.predict(ROOT / "examples" / "cat.jpg", explain=False)


def test_what_a_prompt_shows(prediction):
    shown = repr(prediction)
    lines = shown.splitlines()
    assert len(lines) <= 10
    assert lines[0].startswith("cat.jpg, ")
    assert prediction.verdict in lines[0]
    assert f"ai {prediction.probabilities['ai']:.1%}" in lines[0]
    assert lines[1] == headline(prediction.report())
    assert prediction.model["sha256"][:12] in lines[-1]
    assert str(prediction) == shown


def test_a_prompt_shows_ten_lines_whatever_there_is_to_say(detector):
    prediction = detector.predict(generated(), explain=False)
    (finding,) = prediction.provenance
    warnings = [f"warning {i}" for i in range(30)]
    much = replace(prediction, warnings=warnings, provenance=[finding] * 30)
    assert len(repr(much).splitlines()) <= 10
    assert "warning 0" in repr(much)
    assert finding.says in repr(much)
    assert finding.says in much._repr_html_()


def generated() -> bytes:
    """A picture whose file tells of the generator behind it."""
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1")
    buffer = io.BytesIO()
    drawing(100, 100).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def test_a_prompt_shows_no_pixels(detector, picture):
    prediction = detector.predict(picture)
    assert "picture, 300 x 240 px" in repr(prediction)
    assert "array" not in repr(prediction)
    assert len(repr(prediction)) < 2000


def test_what_a_notebook_shows(prediction):
    html = prediction._repr_html_()
    assert card(prediction.report()) in html  # the same as on the page
    (encoded,) = re.findall(r"data:image/jpeg;base64,([^']+)'", html)
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as small:
        assert max(small.size) == 256
        width, height = prediction.picture.image.size
        assert small.width / small.height == pytest.approx(width / height, rel=0.02)
    assert prediction.picture.image.size == (width, height)  # left as it was


def test_a_notebook_runs_nothing_a_file_says(prediction):
    evil = "<script>alert('x')</script>"
    html = replace(prediction, warnings=[evil])._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
