"""Calls as people write them by hand: whatever does not fit is answered with a sentence."""

import asyncio
import base64
import json
import re
import urllib.request
import uuid

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from helpers import HTTP, PATIENCE, ROOT

from realitycheck.web import calls

CAT = ROOT / "examples" / "cat.jpg"
META = {"_type": "gradio.FileData"}
FORBIDDEN = ("verbose error reporting", "validation error", "Traceback", "pydantic", "null")


@pytest.fixture(scope="module")
def uploaded(server):
    return upload(server, CAT.read_bytes())


def upload(server, data, name="cat.jpg"):
    answer = HTTP.post(f"{server}/gradio_api/upload", files={"files": (name, data)})
    (path,) = answer.json()
    return path


def call(server, data, route="predict", version="call"):
    """What a plain HTTP client gets: the event's name and what it carries."""
    base = f"{server}/gradio_api/{version}/{route}"
    # Written out, because httpx cannot encode half a surrogate.
    headers = {"Content-Type": "application/json"}
    answer = HTTP.post(base, content=json.dumps(data), headers=headers)
    event = answer.json()["event_id"]
    said = HTTP.get(f"{server}/gradio_api/call/{route}/{event}").text
    name, carried = re.findall(r"event: (\w+)\ndata: (.*)", said)[-1]
    return name, json.loads(carried)


def assert_sentence(text, *words):
    assert re.match(r"[A-Z/].*\.$", text, re.DOTALL), text
    assert len(re.findall(r"[A-Za-z]{2,}", text)) >= 3
    for word in FORBIDDEN:
        assert word not in text
    for word in words:
        assert word in text


def file(path, **more):
    return {"path": path, "meta": META, **more}


PRIVATE = "http://127.0.0.1:9/photo.jpg"
BASE64 = "data:image/jpeg;base64," + base64.b64encode(CAT.read_bytes()[:3000]).decode()
SINGLE = {
    "nothing": ([], "Nothing was sent"),
    "null": ([None], "Choose a picture first"),
    "a path": ([str(CAT)], "handle_file"),
    "base64": ([BASE64], "base64"),
    "bare base64": ([BASE64.split(",")[1]], "base64"),
    "an address as text": ([PRIVATE], "handle_file"),
    "a private address": ([file(PRIVATE, url=PRIVATE)], "Download it"),
    "an address alone": ([{"url": PRIVATE, "meta": META}], "Download it"),
    "an address and no path": ([{"path": None, "url": PRIVATE, "meta": META}], "."),
    "a file address": ([file("file:///etc/passwd")], "."),
    "a list": ([[file("@")]], "/predict_batch"),
    "a list of paths": ([[str(CAT)]], "/predict_batch"),
    "no meta": ([{"path": "/etc/passwd"}], "uploaded"),
    "wrong meta": ([{"path": "/etc/passwd", "meta": {"_type": "x"}}], "uploaded"),
    "meta of text": ([{"path": "@", "meta": "gradio.FileData"}], "gradio.FileData"),
    "not uploaded": ([file("/etc/passwd")], "uploaded"),
    "a folder": ([file("/tmp")], "."),
    "no path": ([file("")], "uploaded"),
    "a number for a path": ([file(7)], "."),
    "a list for a path": ([file(["@"])], "."),
    "a zero byte": ([file("\0")], "."),
    "a number": ([7], "No file"),
    "a truth": ([True], "No file"),
    "an empty object": ([{}], "uploaded"),
    "an empty list": ([[]], "/predict_batch"),
    "half a surrogate": (["\ud800"], "handle_file"),
    "half a surrogate as a path": ([file("/tmp/\ud800")], "."),
}


def filled(data, path):
    return json.loads(json.dumps(data).replace('"@"', json.dumps(path)))


@pytest.mark.parametrize("name", SINGLE)
def test_what_does_not_fit_predict(server, uploaded, name):
    data, words = SINGLE[name]
    event, carried = call(server, {"data": filled(data, uploaded)})
    assert event == "error"
    assert_sentence(carried["error"], words)


BATCH = {
    "nothing": ([], "Nothing was sent"),
    "null": ([None], "Choose pictures first"),
    "an empty list": ([[]], "Choose pictures first"),
    "a file": ([file("@")], "put it in a list"),
    "a path": ([str(CAT)], "handle_file"),
    "paths": ([[str(CAT)]], "handle_file"),
    "base64": ([[BASE64]], "base64"),
    "no meta": ([[{"path": "@"}]], "gradio.FileData"),
    "one of two without meta": ([[file("@"), {"path": "@"}]], "gradio.FileData"),
    "a private address": ([[file(PRIVATE, url=PRIVATE)]], "Download it"),
    "one not uploaded": ([[file("@"), file("/etc/passwd")]], "uploaded"),
    "a list of lists": ([[[file("@")]]], "No file"),
    "nulls": ([[None, None]], "No file"),
    "a number": ([7], "list of files"),
}


@pytest.mark.parametrize("name", BATCH)
def test_what_does_not_fit_predict_batch(server, uploaded, name):
    data, words = BATCH[name]
    event, carried = call(server, {"data": filled(data, uploaded)}, "predict_batch")
    assert event == "error"
    assert_sentence(carried["error"], words)


def test_the_right_calls(server, uploaded):
    event, carried = call(server, {"data": [file(uploaded)]})
    assert (event, carried[2]["verdict"] in ("ai", "real", "uncertain")) == ("complete", True)
    event, carried = call(server, {"data": [[file(uploaded)]]}, "predict_batch")
    assert (event, carried[0][0]["file"]) == ("complete", "cat.jpg")
    event, carried = call(server, {"picture": file(uploaded)}, version="call/v2")
    assert event == "complete"


def test_the_python_client_gets_the_sentence_too(server, tmp_path):
    client = Client(server, verbose=False, download_files=tmp_path)
    for data, route in ((str(CAT), "/predict"), ([str(CAT)], "/predict_batch")):
        with pytest.raises(AppError, match="handle_file") as caught:
            client.predict(data, api_name=route)
        assert_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("call/predict", b""),
        ("call/predict", b"{"),
        ("call/predict", b"[]"),
        ("call/predict", b'"text"'),
        ("call/predict", b"\xff\xfe"),
        ("call/predict", b'{"data": "text"}'),
        ("call/predict", b'{"data": null}'),
        ("call/predict", b"{}"),
        ("call/nothing", b'{"data": []}'),
        ("call/", b'{"data": []}'),
        ("call/v2/predict", b"{}"),
        ("call/v2/predict", b'{"wrong": 1}'),
        ("call/v2/predict", b"[]"),
        ("call/v2/nothing", b"{}"),
        ("queue/join", b"{}"),
        ("queue/join", b'{"data": [], "fn_index": 999, "session_hash": "x"}'),
        ("queue/join", b'{"data": [], "fn_index": "x", "session_hash": "x"}'),
        ("run/predict", b'{"data": []}'),
        ("upload", b"no form"),
    ],
)
def test_requests_that_cannot_be_read(server, route, body):
    headers = {"Content-Type": "application/json"}
    answer = HTTP.post(f"{server}/gradio_api/{route}", content=body, headers=headers)
    assert answer.status_code >= 400
    text = answer.text
    if answer.headers["content-type"].startswith("application/json"):
        text = answer.json()["detail"]
    assert isinstance(text, str)
    assert len(text) > 8
    for word in FORBIDDEN[:4]:
        assert word not in text


def test_an_event_of_nobody_ends(server):
    url = f"{server}/gradio_api/call/predict/{uuid.uuid4().hex}"
    with HTTP.stream("GET", url) as answer:
        assert next(answer.iter_text()) == 'event: error\ndata: "404: Not Found"\n\n'


def test_the_form_may_come_without_a_type(server, uploaded):
    body = json.dumps({"data": [file(uploaded)]}).encode()
    request = urllib.request.Request(f"{server}/gradio_api/call/predict", body)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=PATIENCE)
    assert "call cannot be read" in json.load(caught.value)["detail"]


@pytest.mark.parametrize(
    ("visibility", "words"), [("private", "Hier ist etwas schiefgegangen"), ("public", "Something")]
)
def test_what_failed_is_told_in_the_visitor_s_language_and_to_programs_in_english(
    visibility, words, caplog
):
    def fail():
        raise RuntimeError("secret")

    with calls.Blocks() as demo:
        gr.Button().click(fail, api_visibility=visibility)
    (event,) = demo.fns.values()
    request = gr.Request(headers={"accept-language": "de-DE,de;q=0.9"})
    with pytest.raises(gr.Error) as caught:
        asyncio.run(demo.process_api(event, [], request=request))
    assert caught.value.message.startswith(words)
    assert "secret" not in caught.value.message
    assert "An event failed." in caplog.text
