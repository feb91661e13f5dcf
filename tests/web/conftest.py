"""One running demo, and one browser, for all tests of the page that need no other."""

import os
from pathlib import Path

import pytest
from browsing import CHROMIUM, FLAGS, PATIENCE, WIDE, ready
from demo_server import running
from gradio_client import Client
from helpers import start_app


@pytest.fixture(scope="session")
def uploads(tmp_path_factory):
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="session")
def detector(quick_detector):
    """What the demo answers with here; the README's commands ask one with the bundled weights."""
    return quick_detector


@pytest.fixture(scope="session")
def server(uploads, quick, tmp_path_factory):
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(uploads)}
    options = ["--model", str(quick)]
    with start_app(tmp_path_factory.mktemp("server"), options=options, env=environment) as url:
        yield url


@pytest.fixture(scope="module")
def watched_server(quick, tmp_path_factory):
    """A demo of a module's own, whose queue, files and processes can be looked at."""
    command = ("app.py", "--model", str(quick), "--port")
    with running(tmp_path_factory.mktemp("server"), command=command) as found:
        yield found


@pytest.fixture(scope="session")
def client(server, tmp_path_factory):
    return Client(server, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


@pytest.fixture(scope="module")  # not longer: while it runs, asyncio.run works nowhere else
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Where screenshots go: $SCREENSHOTS, or a temporary folder."""
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
        ready(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
    assert hosts == {server.split("//")[1]}
