"""“This is wrong?” in a real browser, with a Hub on this machine."""

import os
import shutil

import pytest
from demo_server import wait_for
from helpers import drawing, start_app
from loopback_hub import TOKEN, LoopbackHub
from PIL import ExifTags, Image

from realitycheck.wording import GERMAN

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
PHONE = {"width": 390, "height": 844}
REPO = ("datasets", "owner/feedback")


@pytest.fixture
def page(quick, tmp_path, request):
    """A phone at a demo that takes feedback, its Hub beside it as `page.hub`."""
    from playwright.sync_api import sync_playwright

    with LoopbackHub() as hub, sync_playwright() as playwright:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"},
            "HF_ENDPOINT": hub.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(tmp_path / "hub"),
            "HF_TOKEN": TOKEN,
        }
        options = ["--model", str(quick), "--feedback", REPO[1]]
        with start_app(tmp_path, options=options, env=environment) as url:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            locale = getattr(request, "param", "en-GB")
            page = browser.new_page(viewport=PHONE, has_touch=True, locale=locale)
            page.set_default_timeout(60_000)
            page.goto(url)
            page.hub = hub
            yield page
            browser.close()


def found_by_axe(page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{fault['id']}: {[node['html'][:200] for node in fault['nodes'][:3]]}"
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


def choose(page, path):
    page.set_input_files("#picture input[type=file]", path)
    page.locator("#feedback").wait_for()


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_a_visitor_says_what_it_is_by_keyboard_and_it_arrives(page, tmp_path):
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)

    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Jane Doe"
    drawing(300, 240).save(tmp_path / "mine.jpg", exif=exif)
    choose(page, tmp_path / "mine.jpg")
    part = page.locator("#feedback")
    assert not part.get_by_role("radio").first.is_visible()
    wait_for(lambda: REPO in page.hub.repos, "the dataset")
    part.get_by_role("button", name="This is wrong?").focus()
    press(page, "Enter")
    part.get_by_text("which is private").wait_for()
    assert found_by_axe(page) == []

    part.get_by_role("button", name="Send").click()  # nothing is said yet
    part.get_by_text("Choose what the picture truly is").wait_for()
    part.get_by_role("radio").first.focus()
    press(page, "Tab", "Space")  # Gradio gives each a name of its own: arrows move nothing
    expect(part.get_by_role("radio", name="Made by an AI")).to_be_checked()
    part.get_by_role("button", name="Send").click()
    part.get_by_text("needs your consent").wait_for()
    assert found_by_axe(page) == []

    for box in part.get_by_role("checkbox").all():
        box.focus()
        press(page, "Space")
        expect(box).to_be_checked()
    shot = os.environ.get("SCREENSHOTS")
    if shot:
        page.screenshot(path=f"{shot}/feedback.png", full_page=True)
    narrow = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert narrow
    part.get_by_role("button", name="Send").focus()
    press(page, "Enter")
    part.get_by_text("Thank you: your answer and the picture").wait_for()
    assert not part.get_by_role("button", name="Send").is_visible()
    assert found_by_axe(page) == []
    if shot:
        page.screenshot(path=f"{shot}/feedback-sent.png", full_page=True)

    choose(page, tmp_path / "mine.jpg")  # the next picture is asked about anew
    part.get_by_text("Thank you").wait_for(state="detached")


@pytest.mark.parametrize("page", ["de-DE"], indirect=True)
def test_a_german_visitor_is_asked_in_german(page, tmp_path):
    says = GERMAN.FEEDBACK
    drawing(300, 240).save(tmp_path / "mine.jpg")
    choose(page, tmp_path / "mine.jpg")
    part = page.locator("#feedback")
    wait_for(lambda: REPO in page.hub.repos, "the dataset")
    part.get_by_role("button", name=says["open"]).click()
    part.get_by_text("er ist nicht öffentlich").wait_for()
    part.get_by_label(says["real"]).check()
    part.get_by_label(says["to_owner"]).check()
    part.get_by_label(says["picture"]).check()
    assert found_by_axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if shot := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{shot}/feedback-german.png", full_page=True)
    part.get_by_role("button", name=says["send"]).click()
    part.get_by_text("Danke: Ihre Antwort und das Bild").wait_for()
