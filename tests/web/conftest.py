"""One running demo for all tests of the page that need no other."""

import os

import pytest
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


@pytest.fixture(scope="session")
def client(server, tmp_path_factory):
    return Client(server, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))
