"""The examples on the page: answered once and kept, and said what they truly are."""

import time

import pytest

from realitycheck.errors import PictureError
from realitycheck.web import gallery
from realitycheck.web.gallery import Gallery
from realitycheck.web.service import Service
from realitycheck.wording import GERMAN, OUTCOMES, TRUTHS


@pytest.fixture(scope="module")
def service(quick):
    started = Service(str(quick))
    yield started
    started.close()


def counted(service, monkeypatch) -> list[str]:
    """What the service is asked from now on."""
    asked, check = [], service.check

    def counting(path):
        asked.append(path)
        return check(path)

    monkeypatch.setattr(service, "check", counting)
    return asked


def test_an_example_is_asked_about_once_for_each_checkpoint(service, monkeypatch):
    shown, asked = Gallery(service), counted(service, monkeypatch)
    first, second = shown.examples[:2]
    answer = shown.answer(first)
    assert answer.report["picture"]["name"] == first.file
    assert shown.answer(first) is answer
    assert asked == [str(first.path)]
    shown.answer(second)
    about = service.about()
    other = {**about.model, "sha256": "another"}
    monkeypatch.setattr(service, "about", lambda: type(about)(other, about.classes, "ai", {}))
    assert shown.answer(first) is not answer
    assert asked == [str(e.path) for e in (first, second, first)]


def test_all_are_prepared_once_nobody_asks(service, monkeypatch):
    monkeypatch.setattr(gallery, "QUIET", 0.05)
    shown, asked = Gallery(service), counted(service, monkeypatch)
    service.wait()
    shown.prepare()
    end = time.monotonic() + 60
    while len(shown._answers) < len(shown.examples) and time.monotonic() < end:
        time.sleep(0.02)
    assert asked == [str(example.path) for example in shown.examples]
    shown.answer(shown.examples[-1])
    assert len(asked) == len(shown.examples)


def test_whoever_asks_goes_before_the_examples(service, picture, tmp_path):
    picture.save(tmp_path / "picture.png")
    before = time.monotonic()
    service.check(str(tmp_path / "picture.png"))
    assert service.idle_for() <= time.monotonic() - before
    time.sleep(0.1)
    assert service.idle_for() >= 0.1
    with service._counted():
        assert service.idle_for() == 0


@pytest.mark.parametrize("error", [PictureError("broke down"), RuntimeError("shut down")])
def test_whatever_ends_the_service_ends_the_preparing(service, monkeypatch, error):
    asked = []

    def ended(path):
        asked.append(path)
        raise error

    monkeypatch.setattr(gallery, "QUIET", 0.01)
    monkeypatch.setattr(service, "check", ended)
    Gallery(service)._ask_all()  # without an error
    assert len(asked) == 1


def test_the_truth_says_how_the_verdict_fared(service):
    shown = Gallery(service)
    ai = next(example for example in shown.examples if example.label == "ai")
    report = shown.answer(ai).report
    for verdict, outcome in (("ai", "True"), ("real", "False"), ("uncertain", "uncertain")):
        told = shown.truth({**report, "verdict": verdict})
        assert OUTCOMES[outcome] in told
        assert TRUTHS["ai"] in told
        assert ai.licence in told
    other = {**report, "picture": {**report["picture"], "sha256": "another"}}
    assert shown.truth(other) == ""


def test_the_strip_gives_nothing_away(service):
    shown = Gallery(service)
    strip = shown.strip()
    assert strip.count("<button") == len(shown.examples)
    for example in shown.examples:
        assert example.file not in strip
        assert example.made_by not in strip
        assert GERMAN.said(example.subject) in shown.strip(GERMAN)
    pictures = shown.thumbnails()
    assert len(set(pictures)) == len(shown.examples)
    assert all(picture.startswith("data:image/jpeg;base64,") for picture in pictures)
