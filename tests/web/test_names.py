"""Files of any name, in any bytes, through every way of the page and the API."""

import csv
import io
import json
import re
import secrets
import zipfile
from urllib.parse import quote

import gradio as gr
import pytest
from helpers import HTTP, ROOT, get
from limits import file_size_limit

from realitycheck.web import uploads

META = {"_type": "gradio.FileData"}
CAT = (ROOT / "examples" / "cat.jpg").read_bytes()
BOUNDARY = b"no-file-here-holds-this"
NAMES = (
    b"caf\xe9.jpg",  # Latin-1
    b"\x83e\x83X\x83g.jpg",  # Shift JIS
    b"\xff\xfe\xfd.jpg",
    b"\xed\xa0\x80.jpg",  # half a surrogate in UTF-8
    b"two\nlines.jpg",
    b"tab\tbell\x07.jpg",
    "\u732b \U0001f5bc\u200d\U0001f3a8.jpg".encode(),
    "\u202egpj.exe".encode(),
    b"-dash.jpg",
    b"=1+1.jpg",
    b"photo [2] {3} (4).jpg",
    b"<b>&amp;.jpg",
    b"50%25 100%.jpg",
    b"..jpg",
    b"C:\\dir\\x.jpg",
    b"a" * 400 + b".jpg",
    ("\U0001f5bc" * 200 + ".jpg").encode(),
    ("e\u0301" * 90 + ".jpg").encode(),
    b"no suffix",
    b"\xc2\xa0.jpg",
)


def upload(server, name):
    says = b'Content-Disposition: form-data; name="files"; filename="' + name + b'"'
    body = b"--" + BOUNDARY + b"\r\n" + says + b"\r\n\r\n" + CAT + b"\r\n--" + BOUNDARY + b"--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY.decode()}
    answer = HTTP.post(f"{server}/gradio_api/upload", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return {"path": answer.json()[0], "meta": META}


@pytest.fixture(scope="module")
def sent(server):
    return [upload(server, name) for name in NAMES if b"\n" not in name]


def api_call(server, route, data):
    base = f"{server}/gradio_api/call/{route}"
    event = HTTP.post(base, json={"data": data}).json()["event_id"]
    said = HTTP.get(f"{base}/{event}").text
    name, carried = re.findall(r"event: (\w+)\ndata: (.*)", said)[-1]
    assert name == "complete", carried
    return json.loads(carried)


def page_event(server, name, data):
    """What the page's own event of this name answers."""
    config = json.loads(get(server + "/config")[1])
    (number,) = (e["id"] for e in config["dependencies"] if e["api_name"] == name)
    session = secrets.token_hex(6)
    body = {"fn_index": number, "data": data, "session_hash": session}
    HTTP.post(f"{server}/gradio_api/queue/join", json=body).raise_for_status()
    url = f"{server}/gradio_api/queue/data?session_hash={session}"
    messages = [json.loads(m) for m in re.findall(r"data: (.*)", HTTP.get(url).text)]
    (done,) = (m for m in messages if m["msg"] == "process_completed")
    assert done["success"], done
    last = [m["output"]["data"] for m in messages if m["msg"] == "process_generating"]
    return done["output"]["data"], last


def fetched(server, file):
    return HTTP.get(f"{server}/gradio_api/file={quote(file['path'])}")


def test_a_name_with_a_line_break_is_taken_or_refused(server):
    says = b"Content-Disposition: form-data; name=files; filename=two\nlines.jpg"
    body = b"--x\r\n" + says + b"\r\n\r\nx\r\n--x--"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = HTTP.post(f"{server}/gradio_api/upload", content=body, headers=headers)
    assert answer.status_code in (200, 400)


def test_the_batch_endpoint(server, sent):
    (rows,) = api_call(server, "predict_batch", [sent])
    assert [row.get("verdict") for row in rows] == [rows[0]["verdict"]] * len(sent)
    assert all(row["file"] for row in rows)


def test_the_single_endpoint(server, sent):
    for file in sent:
        *_, report = api_call(server, "predict", [file])
        assert report["verdict"]
        assert report["picture"]["name"]


def test_the_archive_to_download(server, sent):
    tiles = [api_call(server, "triage", [{"file": file["path"]}])[0] for file in sent]
    assert all(tile["file"] for tile in tiles)
    (found,) = api_call(server, "triage_pack", [[tile["kept"] for tile in tiles]])
    with zipfile.ZipFile(io.BytesIO(fetched(server, {"path": found["file"]}).content)) as archive:
        names = archive.namelist()
        table = io.TextIOWrapper(archive.open("verdicts.csv"), encoding="utf-8", newline="")
        rows = list(csv.DictReader(table))
        held = json.loads(archive.read("verdicts.json"))
    assert len(names) == len(set(names)) == 2 * len(sent) + 2
    assert not any("\\" in name or ".." in name.split("/") for name in names)
    assert len(rows) == len(sent)
    assert {row["verdict"] for row in rows} == {rows[0]["verdict"]}
    assert all("origin" in row for row in rows)
    assert [row["verdict"] for row in held] == [row["verdict"] for row in rows]
    assert all(row["provenance"] == [] for row in held)


def test_the_report_to_keep(server, sent):
    for file in sent:
        (_, _, made), _ = page_event(server, "ask_again_1", [file])
        page, held = made["value"]
        assert "RealityCheck report" in fetched(server, page).text
        assert fetched(server, held).json()["picture"]["name"]


def test_names_of_any_length_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    for stem in ("a" * 1000, "\U0001f5bc" * 300, "half \ud800", "e\u0301" * 500):
        path = uploads.to_cache(f"{stem}.json", "text")
        assert path.endswith(".json")
        with open(path, encoding="utf-8") as file:
            assert file.read() == "text"


def test_a_disk_without_room_is_told_and_leaves_no_half_file(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with file_size_limit(10), pytest.raises(gr.Error) as caught:
        uploads.to_cache("report.json", "text " * 100)
    assert "it would be larger than a file may be there" in caught.value.message
    assert str(tmp_path) not in caught.value.message
    assert str(tmp_path) in caplog.text
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
