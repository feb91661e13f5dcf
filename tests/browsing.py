"""What tests of the page in a real browser share: its flags, its windows, and a visitor's moves."""

import shutil

from helpers import ROOT

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
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
PATIENCE = 60_000  # ms


def ready(page) -> None:
    """Waits until the page takes pictures and shows what becomes of them."""
    page.locator("#picture input[type=file]").wait_for(state="attached")
    page.locator("#verdict [aria-live]").wait_for(state="attached")


def upload(page, file="temple.jpg"):
    """Chooses a picture, one of the examples or any other, and waits for its answer."""
    choose(page, file)
    answered(page)


def choose(page, file):
    """Chooses a file. What was answered before it counts no more."""
    page.evaluate("document.querySelector('#verdict .rc-verdict')?.classList.add('old')")
    page.set_input_files("#picture input[type=file]", EXAMPLES / file)


def answered(page):
    """Waits for the answer about a picture."""
    page.locator("#verdict .rc-verdict:not(.old)").wait_for()
    page.locator("#viewer .rc-picture").wait_for()


def found_by_axe(page) -> list[str]:
    """What axe-core calls serious or worse."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{fault['id']}: {[node['html'][:200] for node in fault['nodes'][:3]]}"
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
