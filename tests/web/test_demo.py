"""The demo as visitors meet it: app.py in its own process, the real client, curl."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from helpers import PATIENCE, ROOT, drawing, get, page_config
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from realitycheck.wording import DESCRIPTION

DOCUMENT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
AI_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF
xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description
xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
e:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>
</r:RDF></x:xmpmeta>"""
PORT = 7860  # the one the README's snippets name


@pytest.fixture
def file(picture, tmp_path):
    picture.save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def test_health(server):
    assert get(server + "/healthz") == (200, b'{"status":"ok"}')


def test_predict_returns_label_overlay_and_report(client, file, detector):
    label, overlay, report = client.predict(handle_file(file), api_name="/predict")
    expected = detector.predict(file)
    assert label["label"] == expected.verdict
    shares = {c["label"]: c["confidence"] for c in label["confidences"]}
    assert shares == pytest.approx(expected.probabilities, abs=1e-4)
    assert Image.open(overlay).width == 300
    assert report["verdict"] == expected.verdict
    assert report["probabilities"] == pytest.approx(expected.probabilities, abs=1e-4)
    assert report["picture"]["sha256"] == expected.report()["picture"]["sha256"]
    assert report["model"]["sha256"] == detector.checkpoint.sha256


def test_the_label_is_uncertain_where_the_verdict_is(client, tmp_path):
    Image.new("RGB", (400, 300), "teal").save(tmp_path / "flat.png")  # withheld, whatever p is
    label, _, report = client.predict(handle_file(tmp_path / "flat.png"), api_name="/predict")
    assert report["verdict"] == "uncertain"
    assert label["label"] == "uncertain"
    assert {c["label"]: c["confidence"] for c in label["confidences"]} == pytest.approx(
        report["probabilities"]
    )


def test_what_the_file_says_reaches_the_client(client, picture, tmp_path):
    picture.save(tmp_path / "made.jpg", xmp=AI_XMP)
    *_, report = client.predict(handle_file(tmp_path / "made.jpg"), api_name="/predict")
    (finding,) = report["provenance"]
    assert finding["points_to"] == "ai"
    assert report["verdict"] == _unsaid(client, picture, tmp_path)["verdict"]
    (row,) = client.predict([handle_file(tmp_path / "made.jpg")], api_name="/predict_batch")
    assert row["provenance"] == report["provenance"]
    assert "AI" in row["origin"]
    assert _unsaid(client, picture, tmp_path)["origin"] == ""


def test_metadata_that_holds_half_a_character_is_shown_somehow(client, picture, tmp_path):
    graph = {"1": {"class_type": "KSampler \ud800", "inputs": {"text": "cat \ud83d"}}}
    chunks = PngInfo()
    chunks.add_text("prompt", json.dumps(graph))
    chunks.add_text("Software", "half \\ud800")
    picture.save(tmp_path / "half.png", pnginfo=chunks)
    *_, report = client.predict(handle_file(tmp_path / "half.png"), api_name="/predict")
    assert report["verdict"]
    (row,) = client.predict([handle_file(tmp_path / "half.png")], api_name="/predict_batch")
    assert row["verdict"] == report["verdict"]


def _unsaid(client, picture, tmp_path):
    picture.save(tmp_path / "unsaid.jpg")
    (row,) = client.predict([handle_file(tmp_path / "unsaid.jpg")], api_name="/predict_batch")
    return row


def test_the_api_has_its_promised_shape(client):
    described = client.view_api(return_format="dict")["named_endpoints"]
    assert list(described) == ["/predict", "/predict_batch"]
    kinds = {
        name: [value["component"] for value in end["returns"]] for name, end in described.items()
    }
    assert kinds == {"/predict": ["Label", "Image", "Json"], "/predict_batch": ["Json"]}
    parameters = [p["parameter_name"] for end in described.values() for p in end["parameters"]]
    assert parameters == ["picture", "pictures"]


def test_a_batch_has_a_row_for_every_file(client, file, detector, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    files = [handle_file(path) for path in (file, tmp_path / "bad.jpg", file)]
    first, bad, again = client.predict(files, api_name="/predict_batch")
    assert first["file"] == "picture.png"
    assert first["probabilities"] == pytest.approx(detector.predict(file).probabilities, abs=1e-4)
    assert set(first) == {
        "file",
        "verdict",
        "probabilities",
        "warnings",
        "origin",
        "provenance",
        "model",
        "family",
    }
    assert set(bad) == {"file", "error"}
    assert "not a picture" in bad["error"]
    assert again == first


def test_a_batch_has_its_limits(client, server, uploads, file):
    with pytest.raises(AppError, match="Choose pictures first"):
        client.predict([], api_name="/predict_batch")
    sent = {"path": str(shutil.copy(file, uploads)), "meta": {"_type": "gradio.FileData"}}
    answer = raw_call(server, [sent] * 201, "predict_batch")
    assert "event: error" in answer
    assert "201 pictures are too many: send at most 200 at once." in answer


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no picture", "not a picture"),
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
    ],
)
def test_bad_pictures_get_a_sentence(client, tmp_path, content, words):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(content)
    with pytest.raises(AppError, match=words):
        client.predict(handle_file(bad), api_name="/predict")


def test_no_picture_at_all(client):
    with pytest.raises(AppError, match="Choose a picture first"):
        client.predict(None, api_name="/predict")


def raw_call(server: str, payload: dict | list, endpoint: str = "predict") -> str:
    """What the server answers to a request written by hand, unlike any the client would send."""
    body = json.dumps({"data": [payload]}).encode()
    request = urllib.request.Request(
        f"{server}/gradio_api/call/{endpoint}", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        event = json.load(answer)["event_id"]
    return get(f"{server}/gradio_api/call/{endpoint}/{event}")[1].decode()


def test_paths_named_by_a_client_are_not_opened(server, uploads, file):
    link = uploads / "link.png"
    link.symlink_to(file)
    attacks = [
        str(file),
        str(ROOT / "README.md"),
        str(ROOT / "examples" / ".." / "README.md"),
        "/etc/passwd",
        "/proc/self/environ",
        str(uploads),
        str(uploads / ".." / file.parent.name / file.name),
        str(link),
        "",
        "\0",
    ]
    for attack in attacks:
        for extra in ({}, {"meta": {"_type": "gradio.FileData"}}, {"url": f"file://{attack}"}):
            named = {"path": attack, **extra}
            assert "event: error" in raw_call(server, named)
            batch = raw_call(server, [named], "predict_batch")
            assert "event: error" in batch or "not a picture you uploaded" in batch, batch
    for attack in ("/etc/passwd", str(ROOT / "README.md"), str(ROOT / "requirements.txt")):
        for route in ("/gradio_api/file=", "/file="):
            assert get(server + route + attack)[0] in (403, 404)


def test_visitors_at_once_each_get_their_own_answer(client, detector, tmp_path):
    files = []
    for seed in range(6):
        files.append(tmp_path / f"{seed}.png")
        drawing(200, 180, seed).save(files[-1])
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda f: client.predict(handle_file(f), api_name="/predict"), files)
        )
    expected = [detector.predict(file).probabilities for file in files]
    assert len({round(probabilities["ai"], 3) for probabilities in expected}) == 6
    for alone, (_, _, report) in zip(expected, answers, strict=True):
        assert report["probabilities"] == pytest.approx(alone, abs=1e-4)


def test_the_queue_cannot_be_skipped(server, uploads):
    uploaded = shutil.copy(ROOT / "examples" / "cat.jpg", uploads)
    example = {"path": str(uploaded), "meta": {"_type": "gradio.FileData"}}
    assert "event: complete" in raw_call(server, example)
    for route in ("/gradio_api/run/predict", "/gradio_api/api/predict"):
        request = urllib.request.Request(
            server + route,
            json.dumps({"data": [example]}).encode(),
            {"Content-Type": "application/json"},
        )
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(request, timeout=PATIENCE)


def test_the_page_names_model_limits_and_accuracy(server, detector):
    config = page_config(server)
    text = "\n".join(
        str(part["props"].get("value"))
        for part in config["components"]
        if part["type"] in ("markdown", "html")
    )
    assert detector.checkpoint.sha256[:12] in text
    assert "not proof" in text
    assert "How far to trust it" in text
    called = detector.checkpoint.describe()["calls"]["clean"]["ai"]
    of_hundred = int(100 * called["ai"] / sum(called.values()) + 0.5)
    assert f"Of 100 AI-made pictures from sources it had never seen, it called {of_hundred}" in text
    figure = detector.checkpoint.record().metrics["unseen"]["clean"].balanced_accuracy.value
    assert f"{100 * figure:.1f}" in text
    assert config["title"] == "RealityCheck"
    image = next(p["props"] for p in config["components"] if p["props"].get("label") == "Picture")
    assert image["sources"] == ["upload", "webcam", "clipboard"]


def test_shared_links_are_described(server):
    status, html = get(server + "/")
    assert status == 200
    assert html.decode().count('property="og:title"') == 1
    assert DESCRIPTION in html.decode()
    assert b"Click to try out the app" not in html
    assert b"<svg" in get(server + "/favicon.ico")[1]
    (picture,) = re.findall(r'property="og:image" content="([^"]+)"', html.decode())
    assert picture.startswith(server)
    status, data = get(picture)
    assert status == 200
    assert len(data) < 50_000
    assert Image.open(io.BytesIO(data)).size == (1200, 630)
    with urllib.request.urlopen(server + "/theme.css", timeout=10) as styles:
        assert b"system-ui" in styles.read()


def snippet(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return found


def test_the_pages_own_snippet_works(server, tmp_path):
    config = page_config(server)
    (text,) = (
        part["props"]["value"]
        for part in config["components"]
        if part["type"] == "markdown" and "```python" in part["props"]["value"]
    )
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    shutil.copy(ROOT / "examples" / "cat.jpg", tmp_path / "picture.jpg")
    done = subprocess.run(
        [sys.executable, "-c", code.replace(f"http://127.0.0.1:{PORT}", server)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^picture.jpg (ai|real|uncertain) None$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    "name",
    [
        b"picture.jpg",
        b"photo [2].jpg",
        b"a;b,c&d.jpg",
        b'5" \\ back.jpg',
        b"it's $HOME `id` 100%.jpg",
        b"-o.jpg",
        b"@x.jpg",
        b"two\nlines.jpg",
        "\u732b \U0001f5bc.jpg".encode(),
        b"caf\xe9.jpg",
        b"no suffix",
    ],
)
def test_the_documented_curl_calls_work(server, tmp_path, name):
    code = snippet("bash", "curl").replace(f"http://127.0.0.1:{PORT}", server).encode()
    assert code.count(b"=picture.jpg ") == 1
    code = code.replace(b"=picture.jpg ", b"='" + name.replace(b"'", b"'\\''") + b"' ")
    shutil.copy(ROOT / "examples" / "cat.jpg", os.fsencode(tmp_path) + b"/" + name)
    done = subprocess.run(
        [b"bash", b"-ec", code], cwd=tmp_path, capture_output=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert b"event: complete" in done.stdout
    assert b'"verdict"' in done.stdout


def test_a_missing_model_ends_in_a_sentence():
    done = subprocess.run(
        [sys.executable, "app.py", "--model", "/missing/model"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert "no checkpoint /missing/model" in done.stderr
    assert "Traceback" not in done.stderr
