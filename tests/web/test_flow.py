"""The way of a picture over the page, in a real browser: chosen, waited for, answered, kept."""

import json

import pytest
from browsing import (
    DESKTOP,
    EXAMPLES,
    NARROW,
    PATIENCE,
    PHONE,
    WIDE,
    answered,
    choose,
    found_by_axe,
    ready,
    upload,
)
from demo_server import running
from PIL import Image

from realitycheck.wording import ANOTHER, ASK_AGAIN, CHECKED_HERE, IN_BROWSER, MAKE_REPORT

pytestmark = pytest.mark.slow

# A picture as from a screen's clipboard.
COPY = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 200, height: 160});
  canvas.getContext("2d").fillRect(20, 20, 90, 90);
  const blob = await new Promise(done => canvas.toBlob(done, "image/png"));
  await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
}"""
# Lets go of a file over the page's heading, far from where files are dropped.
DROP = """async (name) => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 220, height: 160});
  canvas.getContext("2d").fillRect(30, 30, 90, 90);
  const blob = await new Promise(done => canvas.toBlob(done, "image/png"));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([blob], name, {type: "image/png"}));
  const over = new DragEvent("dragover", {dataTransfer, bubbles: true, cancelable: true});
  document.querySelector("h1").dispatchEvent(over);
  const drop = new DragEvent("drop", {dataTransfer, bubbles: true, cancelable: true});
  document.querySelector("h1").dispatchEvent(drop);
  return over.defaultPrevented && drop.defaultPrevented;
}"""


def open_at(browser, url, viewport=DESKTOP, **options):
    """Opens a demo that is not everybody's."""
    page = browser.new_context(viewport=viewport, **options).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    ready(page)
    return page


def name_of_answer(page) -> str:
    """Name of the file in the last line of what was checked."""
    return page.locator("#history li span").first.text_content().split(" · ")[1]


def test_a_picture_is_checked_wherever_it_is_dropped_or_pasted(open_page):
    page = open_page(DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    assert page.evaluate(DROP, "dropped.png")
    answered(page)
    page.wait_for_function("document.querySelector('#history li')")
    assert name_of_answer(page) == "dropped.png"
    page.evaluate(COPY)
    page.keyboard.press("Control+v")  # while an answer stands
    page.wait_for_function("document.querySelectorAll('#history li').length === 2")
    answered(page)
    page.get_by_role("button", name=ANOTHER).click()
    page.get_by_label("Paste from clipboard").click()
    answered(page)
    page.wait_for_function("document.querySelectorAll('#history li').length === 3")


def test_a_camera_s_picture_is_checked_by_itself(server, browser):
    # Not open_page: Gradio asks how far an upload without a name is, and fails harmlessly.
    page = open_at(browser, server, PHONE, permissions=["camera"])
    page.get_by_label("Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#picture video')?.videoWidth > 0")
    page.get_by_label("capture photo").click()
    answered(page)
    page.context.close()


@pytest.mark.parametrize("suffix", [".heic", ".tif"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_what_no_browser_draws_is_shown_all_the_same(open_page, tmp_path, suffix, viewport):
    file = tmp_path / f"picture{suffix}"
    Image.open(EXAMPLES / "temple.jpg").resize((320, 200)).save(file)
    page = open_page(viewport)
    upload(page, file)
    places = ["#viewer .rc-picture", *(["#again img"] if viewport == PHONE else [])]
    for place in places:
        image = page.locator(place)
        assert image.is_visible()
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 60
    assert not page.locator("#picture img").is_visible()


@pytest.fixture
def slow_server(tmp_path, quick):
    """A demo whose detector can be stopped."""
    command = ("app.py", "--model", str(quick), "--port")
    with running(tmp_path, command=command) as found:
        yield found


@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_one_skeleton_while_waiting(slow_server, browser, pictures, viewport, scheme):
    page = open_at(browser, slow_server.url, viewport, color_scheme=scheme)
    upload(page)  # what stands there while the second answer is waited for is not the first
    with slow_server.frozen_detector():
        choose(page, "cat.jpg")
        waiting = page.locator("#verdict .rc-waiting")
        waiting.wait_for()
        page.wait_for_timeout(700)
        assert waiting.locator("h2").inner_text() == IN_BROWSER["waiting"]
        box = waiting.bounding_box()
        assert box["y"] + box["height"] < viewport["height"]
        spinning = page.locator("[data-testid=status-tracker]:not(.hide)")
        assert [one for one in spinning.all() if one.is_visible()] == []
        for part in ("#evidence", "#more", "#viewer", "#again", "#verdict .rc-verdict"):
            assert not page.locator(part).is_visible(), part
        assert found_by_axe(page) == []
        page.screenshot(path=pictures / f"waiting-{viewport['width']}-{scheme}.png")
    answered(page)
    assert not waiting.is_visible()
    page.context.close()


def test_progress_over_the_copies(slow_server, browser, pictures):
    page = open_at(browser, slow_server.url)
    upload(page)
    for button, place in ((ASK_AGAIN, "#survival"), (MAKE_REPORT, "#making")):
        with slow_server.frozen_detector():
            page.get_by_role("button", name=button).click()
            page.locator(f"{place} .rc-progress").wait_for()
            assert "0 of 7 copies" in page.locator(place).inner_text()
            assert page.get_by_role("button", name=button).count() == 0  # no second order
            assert found_by_axe(page) == []
            page.screenshot(path=pictures / f"progress-{place[1:]}.png")
        page.locator(f"{place} .rc-progress").wait_for(state="detached")
    assert page.locator("#survival tr").count() == 8
    page.context.close()


def test_the_answers_survival(open_page, pictures):
    page = open_page(DESKTOP)
    seen = """() => {
      window.seen = new Set();
      new MutationObserver(() => document.querySelectorAll("#survival .rc-progress").forEach(
        line => window.seen.add(line.innerText.trim())
      )).observe(document.body, {childList: true, subtree: true, characterData: true});
    }"""
    page.evaluate(seen)
    upload(page)
    page.get_by_role("button", name=ASK_AGAIN).click()
    page.locator("#survival table").wait_for()
    assert page.locator("#survival tr").nth(7).inner_text()
    counts = page.evaluate("[...window.seen]")
    assert counts[0] == "0 of 7 copies"
    assert len(counts) > 2
    page.screenshot(path=pictures / "survival.png", full_page=True)
    upload(page, "cat.jpg")
    assert not page.locator("#survival table").is_visible()  # it was of another picture


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP])
def test_each_copys_verdict_stands_under_its_head(open_page, viewport):
    page = open_page(viewport)
    upload(page)
    page.get_by_role("button", name=ASK_AGAIN).click()
    rows = page.locator("#survival tr")
    rows.nth(7).wait_for()
    head, verdict = (rows.nth(n).locator("th, td").last.bounding_box() for n in (0, 7))
    assert head["x"] == pytest.approx(verdict["x"], abs=1)
    assert head["x"] + head["width"] <= viewport["width"]


def test_the_report_opens_offline(open_page, browser, pictures, tmp_path):
    page = open_page()
    upload(page)
    page.get_by_role("button", name=MAKE_REPORT).click()
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
    assert "most like a photograph" in report.locator(".rc-says:visible").inner_text()
    assert held["picture"]["sha256"] in report.inner_text("body")
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert found_by_axe(report) == []
    report.screenshot(path=pictures / "report.png", full_page=True)
    context.close()


def test_the_history_stays_in_the_tab_and_can_be_cleared(open_page):
    page = open_page()
    history, summary = page.locator("#history"), page.locator("#history summary")
    assert not summary.is_visible()  # nothing is in it
    upload(page, "temple.jpg")
    summary.click()
    assert CHECKED_HERE in summary.inner_text()
    history.locator("li", has_text="temple.jpg").wait_for()
    assert history.locator("li img").get_attribute("src").startswith("data:image/jpeg")
    page.reload()
    summary.click()
    history.locator("li", has_text="temple.jpg").wait_for()
    page.get_by_role("button", name="Clear the list").click()
    summary.wait_for(state="hidden")
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_a_bad_picture_gets_a_sentence_that_stays(open_page, pictures, tmp_path, viewport):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    page = open_page(viewport)
    upload(page)
    choose(page, tmp_path / "bad.png")
    error = page.locator("#verdict .rc-error")
    error.wait_for()
    assert "not a picture we can read. Use JPEG" in error.inner_text()
    page.locator("#viewer .rc-picture").wait_for(state="detached")  # of the picture before
    assert page.locator("#evidence .rc-card").count() == 0
    page.wait_for_timeout(11_000)  # Gradio's own messages are gone after ten seconds
    assert error.is_visible()
    assert page.get_by_label("Drop an image file here to upload").is_visible()
    assert found_by_axe(page) == []
    page.screenshot(path=pictures / f"error-{viewport['width']}.png")
    upload(page)
    assert not error.is_visible()


def test_what_is_refused_at_the_door_is_told_in_the_card(server, browser, tmp_path):
    page = open_at(browser, server, PHONE)  # not open_page, for the reason above
    error = page.locator("#verdict .rc-error")
    choose(page, EXAMPLES / "README.md")
    error.wait_for()
    assert IN_BROWSER["no_picture"] in error.inner_text()
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(26 * 2**20)
    choose(page, tmp_path / "large.png")
    error.get_by_text(IN_BROWSER["too_large"]).wait_for()
    page.wait_for_timeout(1000)
    assert page.locator(".toast-body").count() == 0  # said once, where it stays
    upload(page)
    page.context.close()


def test_a_lost_server_is_told_in_the_card(tmp_path, quick, browser):
    command = ("app.py", "--model", str(quick), "--port")
    with running(tmp_path, command=command) as found:
        page = open_at(browser, found.url)
        upload(page)
    choose(page, "cat.jpg")
    page.locator("#verdict .rc-error").get_by_text(IN_BROWSER["no_server"]).wait_for()
    page.context.close()


def test_no_part_of_the_page_is_empty_or_dead(open_page):
    """Before a picture is there, and beside its answer."""
    page = open_page(DESKTOP)
    for _ in range(2):
        panel = page.locator("#check")
        dead = panel.locator("button:visible:disabled")
        assert dead.count() == 0
        empty = panel.locator(".rc-card:visible").filter(has_not_text="e")
        assert empty.count() == 0
        assert page.get_by_role("button", name="Check this picture").count() == 0
        upload(page)
