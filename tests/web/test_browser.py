"""The page in a real browser: Debian's Chromium, driven by Playwright, checked by axe-core.

Screenshots go to $SCREENSHOTS, or a temporary folder; docs/demo.png is the one of that name without
its margins, 840 px wide, in 80 colours.
"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from helpers import ROOT, start_app
from PIL import Image

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
EXAMPLES = ROOT / "examples"
WIDE, NARROW = {"width": 1440, "height": 1100}, {"width": 360, "height": 780}
PATIENCE = 60_000  # ms


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with start_app(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_page(server, browser):
    """Opens the demo; at the end nothing must have failed or come from another host."""
    contexts, problems, hosts = [], [], set()

    def opened(viewport=WIDE, scheme="light", **options):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda r: hosts.add(r.url.split("/")[2]) if "//" in r.url else None)
        page.goto(server)
        page.get_by_role("button", name="Check this picture").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
    assert hosts == {server.split("//")[1]}


def upload(page, name="temple.jpg"):
    page.set_input_files("input[type=file] >> nth=0", EXAMPLES / name)
    answered(page)


def answered(page):
    page.locator("#viewer .rc-picture").wait_for()
    page.locator("#verdict .rc-verdict").wait_for()


def shown_map(page) -> str:
    return page.locator("#viewer .rc-map:visible").get_attribute("data-class")


def found_by_axe(page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{fault['id']}: {[node['html'][:200] for node in fault['nodes'][:3]]}"
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


def test_upload_gives_verdict_map_and_doubts(open_page, pictures):
    page = open_page()
    upload(page)
    assert "towards AI-made" in page.locator("#verdict").inner_text()
    assert page.locator("#verdict [aria-live=polite] .rc-verdict").count() == 1
    assert "of 100" in page.locator("#verdict").inner_text().lower()
    assert "proves nothing" in page.locator("#evidence").inner_text()
    page.wait_for_timeout(500)  # the bars move into place
    page.screenshot(path=pictures / "demo.png")


def test_an_example_is_one_click_away(open_page, pictures):
    page = open_page()
    page.locator("[role=gridcell] img").last.click()
    answered(page)
    page.screenshot(path=pictures / "example.png", full_page=True)


def test_the_base_rate_control_follows_hand_and_keyboard(open_page):
    page = open_page()
    upload(page)
    page.locator("#verdict summary").click()
    slider, said = page.get_by_label("Share of AI-made pictures"), page.locator("#verdict output")
    before = said.inner_text()
    slider.fill("0")
    assert "1 of 1,000" in said.inner_text()
    slider.press("ArrowRight")
    assert "2 of 1,000" in said.inner_text()
    assert slider.get_attribute("aria-valuetext") == said.inner_text() != before
    assert found_by_axe(page) == []


def test_the_map_has_a_switch_and_a_handle(open_page, pictures):
    page = open_page()
    upload(page)
    assert shown_map(page) == "ai"  # of a photograph too
    page.locator("#viewer").get_by_role("radio", name="photograph or human-made").check()
    assert shown_map(page) == "real"
    layer, handle = page.locator("#viewer .rc-map:visible"), page.get_by_label("Show the map up")
    clip = "e => getComputedStyle(e).clipPath"
    assert layer.evaluate(clip) == "inset(0px 0% 0px 0px)"
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert layer.evaluate(clip) == "inset(0px 3% 0px 0px)"
    box = page.locator("#viewer .rc-stage").bounding_box()
    page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 0.7 * box["height"])
    uncovered = float(re.search(r"0px ([\d.]+)%", layer.evaluate(clip))[1])
    assert 55 < uncovered < 65
    knob = page.locator("#viewer .rc-knob").bounding_box()
    assert abs(knob["x"] + knob["width"] / 2 - box["x"] - 0.4 * box["width"]) < 12
    page.screenshot(path=pictures / "map.png")


def test_a_finger_moves_the_handle(open_page):
    page = open_page(NARROW, has_touch=True)
    upload(page)
    stage = page.locator("#viewer .rc-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.touchscreen.tap(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    clip = page.locator("#viewer .rc-map:visible").evaluate("e => getComputedStyle(e).clipPath")
    assert 60 < float(re.search(r"0px ([\d.]+)%", clip)[1]) < 80


def test_by_keyboard_alone(open_page):
    page = open_page()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('[role=gridcell]') !== null"):
            break
    page.keyboard.press("Enter")
    answered(page)
    page.get_by_role("radio", name="Where it looks AI-made").focus()
    before = shown_map(page)
    page.keyboard.press("ArrowDown")
    assert shown_map(page) != before
    page.get_by_role("tab", name="Batch").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Drop up to 200 pictures").wait_for()


def test_the_answers_survival(open_page, pictures):
    page = open_page()
    upload(page)
    page.get_by_role("button", name="Re-save, shrink and cut it").click()
    assert page.locator("#survival tr").nth(7).inner_text()
    page.screenshot(path=pictures / "survival.png", full_page=True)
    page.get_by_label("Remove Image").click()
    page.locator("#survival table").wait_for(state="detached")


def test_the_report_opens_offline(open_page, browser, pictures, tmp_path):
    page = open_page()
    upload(page)
    page.get_by_role("button", name="Keep a report").click()
    page.get_by_role("button", name="Make the report").click()
    for name in ("html", "json"):
        with page.expect_download() as download:
            page.locator(f"#report a[download$='.{name}']").click()
        download.value.save_as(tmp_path / f"report.{name}")
    held = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert held["verdict"]
    assert len(held["survival"]) == 7

    context = browser.new_context(viewport=NARROW, offline=True)
    report, asked = context.new_page(), []
    report.on("request", lambda r: asked.append(r.url))
    report.goto((tmp_path / "report.html").as_uri())
    assert report.locator(".rc-map:visible").get_attribute("data-class") == "ai"
    report.get_by_role("radio", name="photograph or human-made").check()
    assert report.locator(".rc-map:visible").get_attribute("data-class") == "real"
    assert held["picture"]["sha256"] in report.inner_text("body")
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert found_by_axe(report) == []
    report.screenshot(path=pictures / "report.png", full_page=True)
    context.close()


def test_the_history_stays_in_the_tab_and_can_be_cleared(open_page):
    page = open_page()
    page.get_by_role("button", name="Checked in this tab").click()
    history = page.locator("#history")
    history.get_by_text("Nothing was checked").wait_for()
    upload(page, "temple.jpg")
    history.locator("li", has_text="temple.jpg").wait_for()
    assert history.locator("li img").get_attribute("src").startswith("data:image/jpeg")
    page.reload()
    page.get_by_role("button", name="Checked in this tab").click()
    history.locator("li", has_text="temple.jpg").wait_for()
    page.get_by_role("button", name="Clear the list").click()
    history.get_by_text("Nothing was checked").wait_for()
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0


def test_the_base_rate_table_follows_the_slider(open_page, pictures):
    page = open_page()
    page.get_by_role("tab", name="About").click()
    table = page.locator("#base-rates table")
    assert "5.0%" in table.inner_text()
    number = page.get_by_label("number input for Share of AI pictures")
    number.fill("25")
    number.press("Enter")
    page.locator("#base-rates th", has_text="25.0%").wait_for()
    page.screenshot(path=pictures / "about.png", full_page=True)


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_a_bad_picture_gets_a_sentence_that_stays(open_page, pictures, tmp_path, viewport):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    page = open_page(viewport)
    upload(page)
    page.set_input_files("input[type=file] >> nth=0", tmp_path / "bad.png")
    error = page.locator("#verdict .rc-error")
    error.wait_for()
    assert "not a picture we can read. Use JPEG" in error.inner_text()
    page.locator("#viewer .rc-picture").wait_for(state="detached")  # of the picture before
    assert page.locator("#evidence .rc-card").count() == 0
    page.wait_for_timeout(11_000)  # Gradio's own messages are gone after ten seconds
    assert error.is_visible()
    assert found_by_axe(page) == []
    page.screenshot(path=pictures / f"error-{viewport['width']}.png")
    page.get_by_label("Remove Image").click()
    upload(page)


PHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize("name", ["flux.jpg", "cat.jpg", "temple.jpg"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_verdict_is_in_view_without_scrolling(open_page, pictures, name, scheme):
    page = open_page(PHONE, scheme, has_touch=True)
    upload(page, name)
    page.wait_for_timeout(800)  # the page moves by itself at most so far that it all fits
    page.evaluate("scrollTo(0, 0)")
    scale = page.locator("#verdict .rc-track").bounding_box()
    assert scale["y"] + scale["height"] < PHONE["height"] - 60
    page.screenshot(path=pictures / f"phone-{name}-{scheme}.png", full_page=True)


def test_text_can_be_read_and_buttons_be_hit(open_page):
    page = open_page(PHONE, has_touch=True)
    upload(page)
    sizes = "e => [getComputedStyle(e).fontSize, getComputedStyle(e).fontFamily]"
    for text in ("#verdict p", "#evidence p", "#viewer p"):
        size, family = page.locator(text).last.evaluate(sizes)
        assert float(size[:-2]) >= 16
        assert family.startswith("system-ui")
    small = page.evaluate(
        """[...document.querySelectorAll("#check button, #check summary, .rc-sides label")]
          .filter(e => e.offsetParent && e.offsetHeight < 40 && !e.closest("table"))
          .map(e => `${e.tagName} ${e.ariaLabel ?? e.innerText} ${e.offsetHeight}`)"""
    )
    assert small == []


def test_paste_and_webcam(open_page):
    page = open_page(permissions=["clipboard-read", "clipboard-write", "camera"])
    page.evaluate(
        """async () => {
          const canvas = Object.assign(document.createElement("canvas"), {width: 200, height: 160});
          canvas.getContext("2d").fillRect(20, 20, 90, 90);
          const blob = await new Promise(done => canvas.toBlob(done, "image/png"));
          await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
        }"""
    )
    page.get_by_label("Paste from clipboard").click()
    page.get_by_role("button", name="Check this picture").click()
    answered(page)
    first = page.locator("#verdict").inner_text()
    page.get_by_label("Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.get_by_label("capture photo").click()
    page.get_by_role("button", name="Check this picture").click()
    page.wait_for_function("old => document.querySelector('#verdict').innerText !== old", arg=first)


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")]
)
def test_accessible_at_every_width_and_scheme(open_page, pictures, viewport, scheme):
    page = open_page(viewport, scheme)
    assert found_by_axe(page) == []
    upload(page)
    for name in ("Check", "Batch", "About"):
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(300)
        assert found_by_axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        path = pictures / f"{name.lower()}-{viewport['width']}-{scheme}.png"
        page.screenshot(path=path, full_page=True)
        assert Image.open(path).width == viewport["width"]
