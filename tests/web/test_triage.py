"""Many pictures: a call for each, answers kept on disk to open and to pack, turns in the queue."""

import base64
import csv
import io
import json
import re
import secrets
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from helpers import HTTP, PATIENCE, ROOT, drawing, free_port
from limits import file_size_limit
from PIL import Image

from realitycheck import images, verdict_card
from realitycheck.web import batch, calls, triage, triage_html, triage_kept, triage_zip
from realitycheck.web import server as server_module
from realitycheck.web.answer import About, Answer
from realitycheck.web.triage_kept import Kept
from realitycheck.wording import WORDS

EVIL = "<script>alert(1)</script>\"' onerror=x.jpg"
AI_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF
xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description
xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
e:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>
</r:RDF></x:xmpmeta>"""


def call(server, name, sent, session=None):
    """What the page's browser gets: each event's name and what it carries."""
    base = f"{server}/gradio_api/call/{name}"
    session = session or secrets.token_hex(6)
    body = json.dumps({"data": [sent], "session_hash": session})  # httpx encodes no half letters
    joined = HTTP.post(base, content=body, headers={"Content-Type": "application/json"}).json()
    said = HTTP.get(f"{base}/{joined['event_id']}").text
    return [
        (word, json.loads(data)) for word, data in re.findall(r"event: (\w+)\ndata: (.*)", said)
    ]


def answer(server, name, sent, session=None):
    word, carried = call(server, name, sent, session)[-1]
    assert word == "complete", carried
    return carried[0]


def upload(server, data, name="picture.png"):
    (path,) = HTTP.post(f"{server}/gradio_api/upload", files={"files": (name, data)}).json()
    return path


def file_of(seed=0, **options) -> bytes:
    buffer = io.BytesIO()
    drawing(200, 160, seed).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An upload folder of this process."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


# --- one picture of many, over the wire -------------------------------------------------------


def test_a_picture_becomes_a_tile(server, detector):
    found = answer(server, "triage", {"file": upload(server, file_of(), "a.jpg")})
    expected = detector.predict(file_of())
    assert found["file"] == "a.jpg"
    assert found["kind"] == expected.verdict
    assert found["said"] is False
    shown = Image.open(io.BytesIO(base64.b64decode(found["thumbnail"].split(",")[1])))
    assert shown.size == (200, 160)
    at = verdict_card.mark(expected.report())
    assert found["reason"] == (f"{at} of 100 towards AI-made" if at else expected.warnings[0])


def test_its_answer_opens_in_full_without_the_picture(server, detector):
    path = upload(server, file_of(), "a.jpg")
    found = answer(server, "triage", {"file": path})
    Path(path).unlink()  # no new upload, and none is looked at again
    opened = answer(server, "triage_open", found["kept"])
    assert opened["gone"] is False
    assert verdict_card.card(detector.predict(file_of()).report()) in opened["html"]
    assert opened["html"].count("class='rc-map'") == 2
    assert "rc-evidence" in opened["html"]


def test_what_the_file_says_stands_first(server):
    sent = file_of(xmp=AI_XMP)
    found = answer(server, "triage", {"file": upload(server, sent, "made.jpg")})
    assert found["said"] is True
    assert "AI" in found["reason"]
    assert found["suspicion"] >= 3


@pytest.mark.parametrize("data", [b"no picture", b"\0", file_of()[:900]])
def test_what_cannot_be_read_has_a_tile_and_a_sentence(server, data):
    found = answer(server, "triage", {"file": upload(server, data, "bad.png")})
    assert (found["kind"], found["thumbnail"]) == ("unread", "")
    assert found["reason"].endswith(".")
    opened = answer(server, "triage_open", found["kept"])
    assert found["reason"] in opened["html"]


def test_what_is_too_large_to_be_sent_is_listed_too(server):
    size = images.MAX_BYTES + 1
    found = answer(server, "triage", {"name": "../../huge.png", "size": size})
    assert found["file"] == "huge.png"
    assert found["reason"] == str(images.too_many_bytes(size))
    found = answer(server, "triage", {"name": "lost.png"})
    assert found["reason"] == WORDS["lost"]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        str(ROOT / "README.md"),
        "",
        "\0",
        "answers",
        "/tmp/\ud800",
        "http://127.0.0.1/x",
    ],
)
def test_nobody_elses_files_are_opened(server, path):
    found = answer(server, "triage", {"file": path})
    assert found["kind"] == "unread"
    assert "not a picture you uploaded" in found["reason"]


@pytest.mark.parametrize(
    "sent", [None, 7, "a", [], {}, {"file": 7}, {"name": None}, [{"file": "a"}]]
)
def test_what_is_no_picture_is_refused_in_words(server, sent):
    word, carried = call(server, "triage", sent)[-1]
    assert (word, carried["error"]) == ("error", "No picture was sent.")


@pytest.mark.parametrize("token", [None, 7, "", "0" * 32, "../answers", {"a": 1}, "\0" * 32])
def test_a_token_that_names_nothing_is_answered_in_words(server, token):
    opened = answer(server, "triage_open", token)
    assert opened["gone"] is True
    assert "deleted within the hour" in opened["html"]


# --- all in one file --------------------------------------------------------------------------


def test_all_is_packed_in_the_order_of_the_page(server, detector):
    session = secrets.token_hex(6)
    sent = [(file_of(1), "same.jpg"), (b"nothing", "same.jpg"), (file_of(2), "same.jpg")]
    tokens = [
        answer(server, "triage", {"file": upload(server, data, name)}, session)["kept"]
        for data, name in sent
    ]
    *progress, (_, (found,)) = call(server, "triage_pack", tokens, session)
    assert progress[0] == ("generating", [{"done": 0, "of": 3}])
    assert found["missing"] == 0
    data = HTTP.get(f"{server}/gradio_api/file={found['file']}").content
    assert len(data) == found["bytes"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "maps/001-same.jpg",
            "reports/001-same.html",
            "maps/003-same.jpg",
            "reports/003-same.html",
            "verdicts.csv",
            "verdicts.json",
        ]
        table = list(csv.DictReader(io.TextIOWrapper(archive.open("verdicts.csv"))))
        held = json.loads(archive.read("verdicts.json"))
        report = archive.read("reports/003-same.html").decode()
        assert Image.open(archive.open("maps/003-same.jpg")).width == 200
    expected = detector.predict(file_of(2)).report()
    assert verdict_card.card(expected) in report
    assert "Does the answer survive" not in report  # nobody asked
    assert [row["file"] for row in table] == ["same.jpg"] * 3
    assert table[1]["error"] == held[1]["error"] != ""
    assert held[2]["verdict"] == table[2]["verdict"] == expected["verdict"]


def test_answers_whose_time_is_over_are_counted(server, uploads):
    first, second = (
        answer(server, "triage", {"file": upload(server, file_of(seed), "a.jpg")})["kept"]
        for seed in (3, 4)
    )
    (uploads / triage_kept.FOLDER / f"{first}.zip").unlink()
    assert answer(server, "triage_pack", [first, second])["missing"] == 1
    assert answer(server, "triage_open", first)["gone"] is True
    word, carried = call(server, "triage_pack", [first])[-1]
    assert word == "error"
    assert "deleted within the hour" in carried["error"]


@pytest.mark.parametrize("tokens", [None, [], "x", {"a": 1}, ["x"] * (batch.BATCH + 1)])
def test_what_cannot_be_packed_is_refused_in_words(server, tokens):
    word, carried = call(server, "triage_pack", tokens)[-1]
    assert (word, "at most" in carried["error"]) == ("error", True)


# --- without a server -------------------------------------------------------------------------


@pytest.fixture
def one() -> Answer:
    report = {
        "verdict": "ai",
        "probabilities": {"ai": 0.9, "real": 0.1},
        "warnings": [],
        "provenance": [],
        "witnesses": [{"name": "transformer", "p_ai": 0.9}],
        "views": [],
        "picture": {"name": EVIL, "format": "PNG", "width": 9, "height": 9, "sha256": "a" * 64},
        "model": {
            "ai_class": "ai",
            "source": "bundled",
            "revision": None,
            "version": 5,
            "sha256": "b" * 64,
            "calls": {},
            "thresholds": {"ai": 0.8, "real": 0.2},
        },
    }
    maps = {("transformer", "ai"): b"first", ("transformer", "real"): b"second"}
    return Answer(report, file_of(), maps, file_of(1))


def told(one: Answer, verdict: str, p_ai: float, **more) -> Answer:
    shares = {"ai": p_ai, "real": 1 - p_ai}
    return replace(one, report={**one.report, "verdict": verdict, "probabilities": shares, **more})


SAID = {"says": f"The file says {EVIL}.", "where": "x", "points_to": "ai", "trust": "t"}


def test_the_order_is_by_suspicion(one):
    answers = [
        told(one, "real", 0.1, provenance=[SAID]),
        told(one, "ai", 0.9),
        told(one, "ai", 0.85),
        told(one, "uncertain", 0.7),
        told(one, "uncertain", 0.99, warnings=["Too small."]),  # withheld: its number says nothing
        told(one, "uncertain", 0.3),
        told(one, "real", 0.15),
        told(one, "real", 0.05, provenance=[{**SAID, "points_to": "camera"}]),
    ]
    tiles = [triage_html.tile(Kept("a", found)) for found in answers]
    tiles.append(triage_html.tile(Kept("a", error="Broken.")))
    order = [tile["suspicion"] for tile in tiles]
    assert order == sorted(order, reverse=True)
    assert [tile["said"] for tile in tiles] == [True] + [False] * 8
    assert tiles[4]["reason"] == "Too small."
    assert tiles[1]["reason"] == "90 of 100 towards AI-made"
    assert tiles[8]["reason"] == "Broken."


def test_the_answer_comes_back_as_it_was(one, folder):
    token = triage_kept.keep(Kept(EVIL, one))
    assert triage_kept.read(token) == Kept(EVIL, one)
    assert triage_kept.read(triage_kept.keep(Kept("a", error="b"))) == Kept("a", error="b")


def test_words_from_outside_never_become_markup(one):
    html = triage_html.opened(Kept(EVIL, told(one, "ai", 0.9, provenance=[SAID])))
    html += triage_html.opened(Kept(EVIL, error=EVIL))
    assert "<script" not in html
    assert "&lt;script" in html


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a/b\\c:d*.jpg", "b_c_d_"),
        ("..jpg", "picture"),
        ("\u202egnp.exe.jpg", "_gnp.exe"),
        ("two\nlines.jpg", "two_lines"),
        ("x" * 300 + ".jpg", "x" * 150),
        ("half \udc83.jpg", "half _"),
    ],
)
def test_names_in_the_archive_fit_every_system(one, folder, name, stem):
    about = About(one.report["model"], ("ai", "real"), "ai", None)
    archive = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch, zipfile.ZipFile(archive, "w") as file:
        patch.setattr(triage_zip.report, "contents", lambda *_: one.report)
        patch.setattr(triage_zip.report, "html", lambda *_: "text")
        triage_zip._add(file, 7, Kept(name, one), about)
    assert zipfile.ZipFile(archive).namelist() == [
        f"maps/007-{stem}.jpg",
        f"reports/007-{stem}.html",
    ]


def test_who_leaves_while_it_is_packed_leaves_no_half_file(folder):
    tokens = [triage_kept.keep(Kept("a", error="b")) for _ in range(12)]
    kept = {path for path in folder.rglob("*") if path.is_file()}
    packing = triage_zip.pack(tokens, About({}, ("ai", "real"), "ai", None))
    assert [next(packing)["done"], next(packing)["done"]] == [0, 10]
    assert {path for path in folder.rglob("*") if path.is_file()} > kept
    packing.close()
    assert {path for path in folder.rglob("*") if path.is_file()} == kept


def test_a_disk_without_room_loses_no_verdict(one, folder):
    class Service:
        def check(self, path):
            return one

    Image.new("RGB", (9, 9)).save(folder / "a.png")
    with file_size_limit(100):
        found = triage.examined(Service(), {"file": str(folder / "a.png")})
    assert (found["kind"], found["kept"]) == ("ai", "")
    assert "could not write" in found["unkept"]
    token = triage_kept.keep(Kept("a", one))
    with file_size_limit(100), pytest.raises(gr.Error, match="could not write"):
        list(triage_zip.pack([token], About({}, ("ai", "real"), "ai", None)))
    assert [path.name for path in folder.rglob("*") if path.is_file()] != []
    assert not [path for path in folder.rglob(".*") if path.is_file()]


def test_the_browser_has_every_word_and_none_in_vain():
    script = (server_module.STATIC / "batch.js").read_text(encoding="utf-8")
    assert set(re.findall(r"words\.(\w+)", script)) == set(WORDS)


# --- turns ------------------------------------------------------------------------------------


def test_a_batch_of_nobody_ends(monkeypatch):
    asked = []
    monkeypatch.setattr(calls, "deserted", lambda: asked.append(1) or len(asked) > 3)
    rows = list(batch.batch_answers(SimpleNamespace(check=None), ["none.jpg"] * 50))
    assert len(rows) == 3


def test_an_event_knows_when_its_visitor_has_left():
    begun, ended = threading.Event(), threading.Event()

    def wait(sent):
        begun.set()
        while not calls.deserted():
            if ended.wait(0.02):  # set at the test's end, if nothing else does
                return "waited for"
        ended.set()
        return "deserted"

    with calls.Blocks(analytics_enabled=False) as demo:
        box = gr.Textbox()
        gr.Button().click(wait, box, box, api_name="wait")
    demo.queue(api_open=False).launch(
        prevent_thread_lock=True, quiet=True, server_port=free_port(), server_name="127.0.0.1"
    )
    try:
        base = f"{demo.local_url}gradio_api/call/wait"
        event = HTTP.post(base, json={"data": ["x"]}).json()["event_id"]
        with httpx.stream("GET", f"{base}/{event}", timeout=PATIENCE):
            assert begun.wait(PATIENCE)
            assert not ended.wait(0.3)
        assert ended.wait(PATIENCE)
    finally:
        ended.set()
        demo.close(verbose=False)
