"""What is closed stays closed wherever the page is served, and everything else answers there."""

import contextlib
import threading

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from gradio_client import Client, handle_file
from helpers import PATIENCE, free_port, get, is_up, wait_until
from starlette.applications import Starlette
from starlette.routing import Mount

from realitycheck.web import routes, server
from realitycheck.web.page import build_demo
from realitycheck.web.service import Service

SHUT = (
    "gradio_api/deep_link?session_hash=x",
    "gradio_api/file=http://127.0.0.1:9/",
    "gradio_api/file=https://127.0.0.1:9/",
    "gradio_api/file/http://127.0.0.1:9/",
    "gradio_api/proxy=http://127.0.0.1:9/",
    "gradio_api/proxy%3Dhttp://127.0.0.1:9/",
    "gradio_api/%66ile=http://127.0.0.1:9/",
    "gradio_api/process_recording",
    "gradio_api/component_server",
    "gradio_api/component_server/",
)
OPEN = (
    "",
    "config",
    "healthz",
    "gradio_api/info",
    "gradio_api/queue/status",
    "theme.css",
    "share.png",
)


@pytest.fixture(scope="module")
def service(quick):
    started = Service(str(quick))
    yield started
    started.close()


@contextlib.contextmanager
def launched(service, port, root_path):
    demo = build_demo(service)
    options = {"server_port": port, "root_path": root_path}
    thread = threading.Thread(target=server.launch, args=(demo,), kwargs=options)
    thread.start()
    try:
        url = f"http://127.0.0.1:{port}{routes.sub_path(root_path)}"
        wait_until(lambda: is_up(url), lambda: f"nothing answers at {url}")
        yield
    finally:
        demo.close(verbose=False)
        thread.join(PATIENCE)


def assert_closed_and_open(url, picture_file=None):
    with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
        for path in SHUT:
            for method in ("GET", "POST", "HEAD"):
                answer = http.request(method, f"{url}/{path}")
                assert answer.status_code == 404, (method, path)
                assert answer.text == ("" if method == "HEAD" else "Not found."), (method, path)
    for path in OPEN:
        assert get(f"{url}/{path}")[0] == 200, path
    if picture_file is not None:
        client = Client(url + "/", verbose=False)
        *_, report = client.predict(handle_file(picture_file), api_name="/predict")
        assert report["verdict"] in ("ai", "real", "uncertain")


@pytest.fixture
def picture_file(picture, tmp_path):
    picture.save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.mark.parametrize(
    "root_path",
    [
        "",
        "/demo",
        "demo/",
        "/a/b/c",
        "http://127.0.0.1:{}/demo",
        "/gradio_api",
        "/config",
        "/gradio_api/proxy=",
        "/gradio_api/file=http",
        "/gradio_api/deep_link",
    ],
)
def test_below_a_sub_path(service, picture_file, root_path):
    port = free_port()
    root_path = root_path.format(port)
    with launched(service, port, root_path):
        below = f"http://127.0.0.1:{port}{routes.sub_path(root_path)}"
        assert_closed_and_open(below, picture_file)
        # As a proxy asks that cuts the sub-path off.
        assert_closed_and_open(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("outer", "inner"), [("", "/check"), ("/outer", "/inner/check"), ("", "/gradio_api")]
)
def test_mounted_in_another_app(service, picture_file, outer, inner):
    app = within = server.mount(FastAPI(), build_demo(service), inner)
    if outer:  # the inner app starts its queue when it is told of its start
        app = Starlette(
            routes=[Mount(outer, within)],
            lifespan=lambda _: within.router.lifespan_context(within),
        )
    port = free_port()
    # A client's heartbeat would keep it for 15 s longer.
    options = {"port": port, "log_level": "critical", "timeout_graceful_shutdown": 1}
    running = uvicorn.Server(uvicorn.Config(app, **options))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        url = f"http://127.0.0.1:{port}{outer}{inner}"
        wait_until(lambda: is_up(url), lambda: f"nothing answers at {url}")
        assert_closed_and_open(url, picture_file)
    finally:
        running.should_exit = True
        thread.join(PATIENCE)


def test_a_sub_path_is_read_from_any_root_path():
    found = {
        root: routes.sub_path(root)
        for root in ("", "/", "a", "/a/", "a/b", "https://x.org", "https://x.org/a/b/")
    }
    assert list(found.values()) == ["", "", "/a", "/a", "/a/b", "", "/a/b"]
