"""The tab for many pictures in a real browser: as it fills, filtered, opened, packed, disturbed.

Screenshots go to $SCREENSHOTS, or a temporary folder.
"""

import csv
import io
import os
import signal
import zipfile
from pathlib import Path

import pytest
from browsing import found_by_axe
from demo_server import wait_for
from helpers import drawing
from playwright.sync_api import expect

from realitycheck.images import MAX_BYTES
from realitycheck.web.batch import BATCH
from realitycheck.web.triage_kept import FOLDER

pytestmark = pytest.mark.slow
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 120_000  # ms
AI_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF
xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description
xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
e:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>
</r:RDF></x:xmpmeta>"""
EVIL = "<img src=x onerror=alert(1)>.jpg"
KINDS = ("ai", "uncertain", "real", "unread")


@pytest.fixture(scope="module")
def server(watched_server):
    return watched_server


@pytest.fixture
def open_tab(server, browser):
    """Opens the tab; at the end no script must have failed."""
    contexts, problems = [], []

    def opened(viewport=WIDE, scheme="light", **options):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.goto(server.url)
        page.get_by_role("tab", name="Batch").click()
        page.locator("#batch .rc-drop").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="module")
def load(tmp_path_factory) -> list[Path]:
    """Pictures of both kinds, two of one name, one that says what it is, and three of no use."""
    folder = tmp_path_factory.mktemp("load")
    (folder / "again").mkdir()
    for seed in range(9):
        drawing(260, 200, seed).save(folder / f"{seed}.png")
    drawing(260, 200, 9).save(folder / "again" / "0.png")
    drawing(260, 200, 10).save(folder / EVIL, xmp=AI_XMP)
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "huge.png").write_bytes(bytes(MAX_BYTES + 1))
    return sorted(path for path in folder.rglob("*") if path.is_file())


def choose(page, files) -> None:
    page.set_input_files("#batch input[type=file]", files)


def finished(page, count: int) -> None:
    expect(page.locator(".rc-count")).to_have_text(f"{count} of {count} checked", timeout=PATIENCE)


def tiles(page):
    return page.locator(".rc-grid li:visible")


def kind_of(tile) -> str:
    (kind,) = (k for k in KINDS if tile.locator(f".rc-badge.rc-{k}").count())
    return kind


def chip(page, kind: str):
    return page.locator(f".rc-chip[data-kind={kind}]")


def number(page, kind: str) -> int:
    return int(chip(page, kind).locator("b").inner_text())


def test_it_fills_sorts_and_filters(open_tab, load):
    page = open_tab()
    choose(page, load)
    tiles(page).first.wait_for()
    assert page.locator(".rc-done progress").is_visible()
    finished(page, len(load))
    assert tiles(page).count() == len(load)
    assert "File says AI" in tiles(page).first.inner_text()
    kinds = [kind_of(tile) for tile in tiles(page).all()]
    rest = kinds[1:]
    assert rest == sorted(rest, key=KINDS.index)
    assert kinds[-3:] == ["unread"] * 3
    assert {"ai", "real"} <= set(kinds)
    text = page.locator(".rc-grid").inner_text()
    assert text.count("0.png") == 2
    assert f"the limit is {MAX_BYTES >> 20} MB" in text
    for kind in KINDS:
        chip(page, kind).click()
        assert tiles(page).count() == kinds.count(kind) == number(page, kind)
        assert chip(page, kind).get_attribute("aria-pressed") == "true"
        assert f"{kinds.count(kind)} shown" in page.locator(".rc-heard").inner_text()
    chip(page, "said").click()
    assert tiles(page).count() == number(page, "said") == 1
    chip(page, "all").click()
    assert tiles(page).count() == number(page, "all") == len(load)


def test_an_answer_opens_in_full_without_a_new_upload(open_tab, load):
    page = open_tab()
    choose(page, load)
    finished(page, len(load))
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    tiles(page).first.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    dialog.locator(".rc-verdict").wait_for()
    assert dialog.locator(".rc-viewer .rc-map:visible").get_attribute("data-class") == "ai"
    dialog.get_by_role("radio", name="photograph or human-made").check()
    assert dialog.locator(".rc-viewer .rc-map:visible").get_attribute("data-class") == "real"
    assert "generative AI" in dialog.locator(".rc-evidence").inner_text()
    assert not dialog.get_by_role("button", name="Check this picture again").is_visible()
    assert not any("/upload" in url for url in sent)
    expect(dialog.locator(".rc-place")).to_have_text(f"1 of {len(load)}")
    assert dialog.get_by_role("button", name="Picture before").is_disabled()
    dialog.get_by_role("button", name="Next picture").click()
    expect(dialog.locator(".rc-place")).to_have_text(f"2 of {len(load)}")
    expect(dialog.locator(".rc-verdict")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).not_to_be_visible()
    expect(tiles(page).nth(1).get_by_role("button")).to_be_focused()


def test_by_keyboard_alone(open_tab, load):
    page = open_tab()
    choose(page, load)
    finished(page, len(load))
    page.locator(".rc-anew").focus()
    page.keyboard.press("Tab")
    expect(tiles(page).first.get_by_role("button")).to_be_focused()
    page.keyboard.press("End")
    expect(tiles(page).last.get_by_role("button")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(tiles(page).nth(1).get_by_role("button")).to_be_focused()
    page.keyboard.press("ArrowDown")
    below = page.evaluate("document.activeElement.getBoundingClientRect().left")
    assert below == tiles(page).nth(1).get_by_role("button").bounding_box()["x"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.locator(".rc-verdict").wait_for()
    expect(dialog.get_by_role("heading").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".rc-place")).to_have_text(f"3 of {len(load)}")
    page.keyboard.press("Escape")
    expect(tiles(page).nth(2).get_by_role("button")).to_be_focused()
    page.keyboard.press("Tab")  # the grid is one stop
    assert page.evaluate("!document.activeElement.closest('.rc-grid')")


def test_all_is_downloaded_in_one_file(open_tab, load, tmp_path):
    page = open_tab()
    choose(page, load)
    finished(page, len(load))
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all").click()
    assert download.value.suggested_filename == "realitycheck.zip"
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open("verdicts.csv"), "utf-8")))
        names = archive.namelist()
    shown = [tile.locator(".rc-name").inner_text() for tile in tiles(page).all()]
    assert [row["file"] for row in rows] == shown
    examined = len(load) - 3
    assert sum(name.startswith("maps/") for name in names) == examined
    assert sum(name.startswith("reports/") for name in names) == examined
    page.get_by_role("link", name="save realitycheck.zip").wait_for()
    assert found_by_axe(page) == []


def test_a_second_load_joins_the_first(open_tab, load):
    page = open_tab()
    choose(page, load[:7])
    tiles(page).first.wait_for()
    page.evaluate(  # dropped, beside a folder with two pictures and something else
        """() => {
          const file = (name, type) => new File(["no picture"], name, {type});
          const leaf = (name) => ({isFile: true, name, file: (done) => done(file(name))});
          const leaves = ["in.JPG", "in.png", "notes.txt", ".x.png"].map(leaf);
          let read = 0;
          const folder = {isDirectory: true, name: "folder", createReader: () => ({
            readEntries: (done) => done(read++ ? [] : leaves),
          })};
          const drop = new Event("drop", {bubbles: true, cancelable: true});
          Object.defineProperty(drop, "dataTransfer", {value: {
            items: [{webkitGetAsEntry: () => folder}, {webkitGetAsEntry: () => null}],
            files: [file("folder"), file("beside.png")],
          }});
          document.querySelector(".rc-drop").dispatchEvent(drop);
        }"""
    )
    finished(page, 10)
    text = page.locator(".rc-grid").inner_text()
    assert all(name in text for name in ("in.JPG", "in.png", "beside.png"))
    assert not any(name in text for name in ("notes.txt", ".x.png"))
    page.get_by_role("tab", name="Check").click()
    page.get_by_role("tab", name="Batch").click()
    assert tiles(page).count() == 10
    page.get_by_role("button", name="Start over").click()
    expect(page.locator(".rc-bench")).not_to_be_visible()
    choose(page, load[:1])
    finished(page, 1)


def kept(server) -> int:
    return len(list((server.uploads / FOLDER).glob("*.zip")))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    for seed in range(BATCH + 3):
        drawing(90, 80, seed).save(folder / f"{seed}.png")
    return sorted(folder.iterdir())


def test_two_hundred_at_most_and_nothing_goes_on_for_nobody(open_tab, server, many):
    page = open_tab()
    choose(page, many)
    note = page.locator(".rc-note")
    expect(note).to_have_text(f"{BATCH} pictures at most: 3 were left out.")
    tiles(page).nth(3).wait_for()
    expect(note).to_be_visible()  # no answer takes it away
    page.close()
    wait_for(lambda: server.waiting() == 0, "an empty queue")
    page = open_tab()
    choose(page, many[:1])
    finished(page, 1)  # behind all that was still on its way
    before = kept(server)
    page.wait_for_timeout(1500)
    assert kept(server) == before < BATCH


def test_a_visitor_takes_two_places_at_a_time(open_tab, server, many):
    page = open_tab()
    with server.frozen_detector():
        choose(page, many[:10])
        page.wait_for_timeout(2000)
        assert server.waiting() == 0  # two are being examined, and eight are not yet sent
        assert page.locator(".rc-count").inner_text() == "0 of 10 checked"
    finished(page, 10)


def test_two_hundred_are_checked(open_tab, many):
    page = open_tab()
    choose(page, many[:BATCH])
    finished(page, BATCH)
    assert sum(number(page, kind) for kind in KINDS) == BATCH


def test_the_batch_goes_on_when_the_detector_dies(open_tab, server, many):
    page = open_tab()
    choose(page, many[:30])
    tiles(page).nth(3).wait_for()
    os.kill(server.detector(), signal.SIGKILL)
    finished(page, 30)
    assert 1 <= number(page, "unread") <= 3  # what was on its way
    chip(page, "unread").click()
    for _ in range(number(page, "unread")):
        tiles(page).first.get_by_role("button").click()
        page.get_by_role("dialog").get_by_text("is starting again").wait_for()
        page.get_by_role("button", name="Check this picture again").click()
        finished(page, 30)
    assert number(page, "unread") == 0


def test_the_batch_goes_on_when_the_connection_comes_back(open_tab, many):
    page = open_tab()
    choose(page, many[:12])
    tiles(page).nth(2).wait_for()
    page.context.set_offline(True)
    expect(page.locator(".rc-note")).to_have_text("No connection. Trying again.")
    page.context.set_offline(False)
    finished(page, 12)
    assert number(page, "unread") == 0
    expect(page.locator(".rc-note")).not_to_be_visible()


def test_a_crowd_is_waited_for(open_tab, many):
    page = open_tab()
    refused = []

    def refuse(route):
        refused.append(route)
        route.fulfill(status=503, json={"detail": "Queue is full."})

    page.route("**/call/triage", refuse, times=3)
    choose(page, many[:3])
    expect(page.locator(".rc-note")).to_contain_text("The server is busy.")
    finished(page, 3)
    assert len(refused) == 3
    assert number(page, "unread") == 0


def test_an_answer_that_is_gone_can_be_had_again(open_tab, server, load):
    page = open_tab()
    choose(page, load[:1])
    finished(page, 1)
    for file in (server.uploads / FOLDER).iterdir():
        file.unlink()
    page.get_by_role("button", name="Download all").click()
    expect(page.locator(".rc-packed")).to_contain_text("deleted within the hour")
    tiles(page).first.get_by_role("button").click()
    page.get_by_role("dialog").get_by_text("deleted within the hour").wait_for()
    page.get_by_role("button", name="Check this picture again").click()
    finished(page, 1)
    tiles(page).first.get_by_role("button").click()
    page.get_by_role("dialog").locator(".rc-verdict").wait_for()


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_in_every_state(open_tab, pictures, load, viewport, scheme):
    page = open_tab(viewport, scheme, has_touch=viewport is PHONE)

    def look(state):
        assert found_by_axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        small = page.evaluate(
            """[...document.querySelectorAll("#batch button, #batch summary, #batch label")]
              .filter(e => e.checkVisibility() && e.offsetHeight < 40)
              .map(e => `${e.className} ${e.offsetHeight}`)"""
        )
        assert small == []
        page.screenshot(path=pictures / f"batch-{state}-{viewport['width']}-{scheme}.png")

    look("empty")
    choose(page, load)
    tiles(page).nth(4).wait_for()
    look("filling")
    finished(page, len(load))
    look("filled")
    chip(page, "unread").click()
    look("filtered")
    tiles(page).first.get_by_role("button").click()
    page.get_by_role("dialog").locator(".rc-error").wait_for()
    look("unreadable")
    page.keyboard.press("Escape")
    chip(page, "all").click()
    tiles(page).nth(1).get_by_role("button").click()
    page.get_by_role("dialog").locator(".rc-verdict").wait_for()
    look("opened")
