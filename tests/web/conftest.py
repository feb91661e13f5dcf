"""One running demo for all tests of the page that need no other."""

import os

import pytest
from gradio_client import Client
from helpers import start_app


@pytest.fixture(scope="session")
def uploads(tmp_path_factory):
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="session")
def server(uploads, tmp_path_factory):
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(uploads)}
    with start_app(tmp_path_factory.mktemp("server"), env=environment) as url:
        yield url


@pytest.fixture(scope="session")
def client(server, tmp_path_factory):
    return Client(server, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))
