import csv
import json
import os
import signal
import subprocess
import sys

import pytest
from helpers import PATIENCE, ROOT, drawing
from PIL import Image

from realitycheck import __version__
from realitycheck.cli import main
from realitycheck.data import splitting
from realitycheck.errors import PictureError
from realitycheck.scan import local, rows


@pytest.fixture
def pictures(tmp_path, quick_by_default):
    root = tmp_path / "pictures"
    (root / "inner").mkdir(parents=True)
    drawing(200, 150).save(root / "a.png")
    drawing(150, 200, 1).save(root / "inner" / "a.png")
    (root / "broken.jpg").write_bytes(b"broken")
    (root / "notes.txt").write_text("no picture by name")
    return root


def test_json_has_a_row_per_picture(pictures, capsys):
    assert main([str(pictures), "--json"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["file"] for row in rows] == [
        str(pictures / name) for name in ("a.png", "broken.jpg", "inner/a.png")
    ]
    good, bad, _ = rows
    names = {"file", "verdict", "probabilities", "warnings", "origin", "provenance", "model"}
    assert set(good) == {*names, "family"}
    assert set(good["probabilities"]) == {"ai", "real"}
    assert set(bad) == {"file", "error"}
    assert "not a picture" in bad["error"]


def test_csv_is_written_whole(pictures, tmp_path):
    table = tmp_path / "out" / "table.csv"
    (pictures / "=SUM(A1).png").write_bytes((pictures / "a.png").read_bytes())
    assert main([str(pictures), "--csv", str(table)]) == 1
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    names = ["file", "verdict", "ai", "real", "warnings", "origin", "model", "family", "error"]
    assert list(rows[0]) == names
    good = [row for row in rows if not row["error"]]
    assert len(good) == 3
    for row in good:
        assert float(row["ai"]) + float(row["real"]) == pytest.approx(1, abs=2e-4)
    assert [p.name for p in table.parent.iterdir()] == ["table.csv"]


def test_plain_lines_and_exit_status(pictures, capsys):
    assert main([str(pictures / "a.png")]) == 0
    (line, *_) = capsys.readouterr().out.splitlines()
    assert line.startswith(str(pictures / "a.png") + ": ")
    assert "%" in line
    assert main([str(pictures / "broken.jpg")]) == 1
    assert "error: This is not a picture" in capsys.readouterr().out


def test_heatmaps_of_equal_names_do_not_overwrite_each_other(pictures, tmp_path, capsys):
    assert main([str(pictures), "--heatmaps", str(tmp_path / "maps")]) == 1
    maps = sorted((tmp_path / "maps").iterdir())
    assert len(maps) == 2
    assert all(path.name.startswith("a.") for path in maps)
    assert all(Image.open(path).width in (200, 150) for path in maps)


@pytest.mark.parametrize("arguments", [[], ["/missing"], ["EMPTY"], ["x", "--json", "--csv", "y"]])
def test_wrong_usage_is_status_2(arguments, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    arguments = [str(tmp_path / "empty") if a == "EMPTY" else a for a in arguments]
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_missing_model_is_named(pictures, capsys):
    assert main([str(pictures), "--model", "/missing/model"]) == 2
    assert "no checkpoint /missing/model" in capsys.readouterr().err


def test_scan_may_be_named_or_left_out(pictures, capsys):
    file = str(pictures / "a.png")
    assert main([file, "--json"]) == 0
    short = capsys.readouterr().out
    assert main(["scan", file, "--json"]) == 0
    assert capsys.readouterr().out == short


def test_the_version_and_every_command_are_in_the_help(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert __version__ in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for command in ("scan", "serve", "train", "evaluate", "calibrate", "export", "push"):
        assert command in shown


def test_a_link_to_nothing_has_a_row(pictures, tmp_path, capsys):
    (pictures / "gone.jpg").symlink_to("nowhere/gone.jpg")
    assert main([str(pictures), "--json"]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 4
    assert "nowhere/gone.jpg" in found[-1]["error"]
    # Where nothing else is in the folder, that is said too.
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "gone.jpg").symlink_to("nothing")
    assert main([str(tmp_path / "links")]) == 1
    assert "gone.jpg: error: This is a link to nothing" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_stopped_scan_keeps_its_rows(
    pictures, tmp_path, capsys, monkeypatch, number, status, form
):
    def stopping(*_):
        for i in range(2):
            yield rows.failed(f"{i}.jpg", PictureError("No picture."))
        os.kill(os.getpid(), number)
        yield rows.failed("late.jpg", PictureError("Too late."))

    monkeypatch.setattr(local, "scan", stopping)
    target = tmp_path / "table.csv"
    target.write_text("older")
    before = signal.getsignal(signal.SIGTERM)
    options = ["--csv", str(target)] if form == "csv" else ["--json"]
    assert main([str(pictures), *options]) == status
    assert signal.getsignal(signal.SIGTERM) is before
    printed = capsys.readouterr()
    assert "stopped after 2 of 3 pictures." in printed.err
    assert target.read_text() == "older"
    if form == "json":
        assert len(printed.out.splitlines()) == 2
        return
    partial = tmp_path / "table.partial.csv"
    assert f"Their rows are in {partial}." in printed.err
    with partial.open(newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["0.jpg", "1.jpg"]


def test_classes_that_mean_nothing_are_asked_for_before_a_picture_is_read(
    tmp_path, capsys, monkeypatch
):
    def never(_):
        raise AssertionError("a picture was read")

    monkeypatch.setattr(splitting, "_perceptual_hash", never)
    for name in ("cats", "dogs"):
        (tmp_path / "data" / name).mkdir(parents=True)
        drawing(96, 80).save(tmp_path / "data" / name / "a.png")
    for recipe in ("full", "transformer"):
        arguments = ["train", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
        assert main([*arguments, "--recipe", recipe]) == 1
        assert "--ai-class" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("door", [["-m", "realitycheck"], ["train.py"]])
def test_the_other_doors_lead_to_the_same_commands(door):
    done = subprocess.run(
        [sys.executable, *door, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "usage: realitycheck" in done.stdout
