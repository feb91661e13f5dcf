"""The page in a real browser: Debian's Chromium, driven by Playwright, checked by axe-core.

Screenshots go to $SCREENSHOTS, or a temporary folder; docs/demo.png is such a one of
examples/lens.jpg without its margins, 840 px wide, in 256 colours.
"""

import re

import pytest
from browsing import DESKTOP, NARROW, PHONE, WIDE, answered, found_by_axe, upload
from helpers import start_app
from PIL import Image

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with start_app(tmp_path_factory.mktemp("server")) as url:
        yield url


def shown_map(page) -> str:
    """The class whose map is on show, as the line under it says too."""
    side = page.locator("#viewer .rc-map:visible").get_attribute("data-class")
    assert page.locator("#viewer .rc-says:visible").get_attribute("data-class") == side
    return side


def test_upload_gives_verdict_map_and_doubts(open_page, pictures):
    page = open_page()
    upload(page)
    assert "towards AI-made" in page.locator("#verdict").inner_text()
    assert page.locator("#verdict [aria-live=polite] .rc-verdict").count() == 1
    assert "of 100" in page.locator("#verdict").inner_text().lower()
    assert "proves nothing" in page.locator("#evidence").inner_text()
    page.wait_for_timeout(500)  # the bars move into place
    page.screenshot(path=pictures / "demo.png")


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
        if page.evaluate("document.activeElement.closest('#strip button') !== null"):
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


def test_the_base_rates_of_about_follow_the_slider(open_page, pictures):
    page = open_page()
    page.get_by_role("tab", name="About").click()
    said = page.locator("#base-rates output")
    assert "If 10 of 100 pictures" in said.inner_text()
    page.locator("#base-rates input").press("ArrowRight")
    assert "If 20 of 100 pictures" in said.inner_text()
    page.screenshot(path=pictures / "about.png", full_page=True)


ZONES = {
    "flux.jpg": "Very likely AI-made.",
    "zimage.jpg": "Probably AI-made.",
    "flower-retouched.jpg": "Uncertain: no call either way.",
    "cat.jpg": "Probably a photograph or human-made.",
    "flux2.jpg": "Very likely a photograph or human-made.",
}


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_zone_is_in_view_without_scrolling(open_page, pictures, name, scheme):
    page = open_page(PHONE, scheme, has_touch=True)
    upload(page, name)
    assert page.locator("#verdict h2").inner_text() == ZONES[name]
    page.wait_for_timeout(800)  # the page moves by itself at most so far that it all fits
    for viewport in (PHONE, DESKTOP):
        page.set_viewport_size(viewport)
        page.evaluate("scrollTo(0, 0)")
        scale = page.locator("#verdict .rc-track").bounding_box()
        assert scale["y"] + scale["height"] < viewport["height"] - 60
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert found_by_axe(page) == []
        shot = f"zone-{name}-{viewport['width']}-{scheme}.png"
        page.screenshot(path=pictures / shot, full_page=True)


# What is smaller than can be read or hit, of what is seen; labels for screen readers alone are not.
SMALL = """() => {
  const seen = (e) => e.offsetParent && e.checkVisibility({visibilityProperty: true})
    && !getComputedStyle(e).clipPath.startsWith("inset(50%");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  for (let text; text = walker.nextNode();) {
    const holder = text.parentElement;
    if (!text.textContent.trim() || !seen(holder) || holder.closest("[style*='clip'], label.float"))
      continue;
    const size = parseFloat(getComputedStyle(holder).fontSize);
    if (size < 16) found.push(`${text.textContent.trim().slice(0, 40)}: ${size} px`);
  }
  for (const target of document.querySelectorAll("button, summary, a[href], label:has(input)"))
    if (seen(target) && target.offsetHeight < 40 && !target.closest("p, li:not(:has(button))"))
      found.push(`${target.ariaLabel ?? target.innerText}: ${target.offsetHeight} px high`);
  return found;
}"""


def test_text_can_be_read_and_buttons_be_hit(open_page):
    page = open_page(PHONE, has_touch=True)
    assert page.evaluate(SMALL) == []
    page.locator("#strip button").nth(5).click()
    page.locator("#truth .rc-truth").wait_for()
    answered(page)
    page.get_by_role("button", name="Make the report").click()
    page.locator("#report a").first.wait_for()
    for folded in page.locator("#check summary").all():
        folded.click()
    assert (
        page.locator("#verdict p")
        .last.evaluate("e => getComputedStyle(e).fontFamily")
        .startswith("system-ui")
    )
    assert page.evaluate(SMALL) == []
    page.get_by_role("tab", name="About").click()
    page.wait_for_timeout(300)
    assert page.evaluate(SMALL) == []


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
