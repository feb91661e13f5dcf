import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest
from helpers import PATIENCE, ROOT, drawing
from PIL import Image

from realitycheck import __version__
from realitycheck.cli import main
from realitycheck.data import splitting
from realitycheck.errors import PictureError
from realitycheck.scan import local
from realitycheck.wording import QUICK


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


@pytest.fixture
def stopping(monkeypatch):
    """Gives what lets a scan meet a signal, or an error, behind its second row."""

    def stop(happens):
        whole = local.scan

        def scan(*arguments):
            for number, row in enumerate(whole(*arguments)):
                if number == 2:
                    happens()
                yield row

        monkeypatch.setattr(local, "scan", scan)
        return lambda: monkeypatch.setattr(local, "scan", whole)

    return stop


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_stopped_scan_keeps_its_rows(pictures, tmp_path, capsys, stopping, number, status, form):
    whole_again = stopping(lambda: os.kill(os.getpid(), number))
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
    kept = tmp_path / "table.csv.partial.jsonl"
    assert f"Their rows are in {kept}. The same command goes on from there." in printed.err
    # A row may be written and not yet counted.
    assert len(kept.read_text().splitlines()) in (3, 4)
    whole_again()
    assert main([str(pictures), *options]) == 1
    told = capsys.readouterr().out
    assert f"Going on with {kept}: " in told
    assert "were done before" in told
    with target.open(newline="") as file:
        assert sorted(row["file"] for row in csv.DictReader(file)) == [
            str(pictures / name) for name in ("a.png", "broken.jpg", "inner/a.png")
        ]
    assert not kept.exists()


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.JSONL"])
def test_the_suffix_says_how_rows_are_written(pictures, tmp_path, capsys, name):
    if name == "rows.parquet":
        pytest.importorskip("pyarrow")
    target = tmp_path / "out" / name
    assert main(["scan", str(pictures), "--out", str(target)]) == 1
    told = capsys.readouterr().out
    assert re.search(r"^3 pictures: .*, 1 not examined \(\d+ s, [\d.]+ a second\)\.$", told, re.M)
    assert f"  {pictures / 'broken.jpg'}: This is not a picture" in told
    assert f"Wrote {target}." in told
    assert [path.name for path in target.parent.iterdir()] == [name]
    if name == "rows.JSONL":
        main(["scan", str(pictures), "--json"])
        printed = capsys.readouterr()
        assert printed.out == target.read_text()
        assert "3 pictures: " in printed.err


def test_a_name_that_says_no_form_is_refused_before_anything_is_read(pictures, tmp_path, capsys):
    (tmp_path / "folder.csv").mkdir()
    for name, said in (
        ("rows.xlsx", "not by .xlsx"),
        ("rows", "no suffix"),
        ("folder.csv", "folder"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["scan", str(pictures), "--out", str(tmp_path / name), "--model", "/missing"])
        assert stopped.value.code == 2
        assert said in capsys.readouterr().err


def test_a_scan_of_something_else_is_not_mixed_in(pictures, tmp_path, capsys, stopping):
    target = str(tmp_path / "rows.csv")

    def fail():
        raise PictureError("The first scan ends here.")

    whole_again = stopping(fail)
    assert main(["scan", str(pictures), "--out", target]) == 2
    whole_again()
    other = ["scan", str(pictures / "a.png"), "--out", target]
    assert main(other) == 2
    told = capsys.readouterr().err
    assert f'its pictures ["{pictures}"], not ["{pictures / "a.png"}"]' in told
    assert main([*other, "--restart"]) == 0
    with open(target, newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == [str(pictures / "a.png")]


def test_rows_of_the_quick_mode_say_so_and_are_not_mixed_with_others(
    pictures, tmp_path, capsys, stopping
):
    target = tmp_path / "rows.csv"

    def fail():
        raise PictureError("The first scan ends here.")

    whole_again = stopping(fail)
    full = ["scan", str(pictures), "--out", str(target)]
    assert main(full) == 2
    whole_again()
    assert main([*full, "--quick"]) == 2
    assert "its model's mode full, not quick" in capsys.readouterr().err
    assert main([*full, "--quick", "--restart"]) == 1
    assert QUICK in capsys.readouterr().out.splitlines()
    with target.open(newline="") as file:
        examined = [row for row in csv.DictReader(file) if not row["error"]]
    assert len(examined) == 2
    for row in examined:
        assert row["model"].endswith(" quick")
        assert row["warnings"].startswith(QUICK)
    assert main(full) == 1
    assert QUICK not in capsys.readouterr().out
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert not any(row["model"].endswith(" quick") or QUICK in row["warnings"] for row in rows)


def test_the_bar_shows_rate_and_time_left(pictures, tmp_path, capsys, monkeypatch):
    with zipfile.ZipFile(pictures / "more.zip", "w") as archive:
        archive.write(pictures / "a.png", "a.png")
        archive.write(pictures / "a.png", "b.png")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["scan", str(pictures), "--out", str(tmp_path / "rows.csv")]) == 1
    last = capsys.readouterr().err.split("\r")[-1]
    assert re.search(r"100%.* 5/5 \[\d\d:\d\d<\d\d:\d\d, *[\d.]+ pictures/s\]", last)


def test_exit_codes_are_in_the_help_and_in_the_documents(capsys):
    with pytest.raises(SystemExit):
        main(["scan", "--help"])
    shown, document = capsys.readouterr().out, (ROOT / "docs" / "api.md").read_text()
    for code in (0, 1, 2, 130, 143):
        assert re.search(rf"\b{code}\b", shown[shown.index("exit status") :])
        assert re.search(rf"^\| {code} \|", document, re.M)


@pytest.mark.slow
def test_a_scan_that_is_killed_at_any_moment_has_every_picture_once(
    tmp_path, quick_by_default, quick_detector
):
    """Ten times at random moments: while it starts, scans, and writes its table."""
    chance = random.Random()
    root = tmp_path / "pictures"
    root.mkdir()
    contents = {}
    for number in range(150):
        path = root / f"{number:03}.jpg"
        drawing(400, 300, number % 120).save(path, quality=95)
        if number % 10 == 9:
            path.write_bytes(path.read_bytes()[: 200 + number])
        contents[str(path)] = path.read_bytes()
    with (
        zipfile.ZipFile(root / "050.zip", "w") as one,
        tarfile.open(root / "z.tar.gz", "w:gz") as two,
    ):
        for number in range(120, 150):
            one.write(root / f"{number:03}.jpg", f"{number}.jpg")
            two.add(root / f"{number - 60:03}.jpg", f"{number}.jpg")
            contents[f"{root / '050.zip'}!/{number}.jpg"] = contents[str(root / f"{number:03}.jpg")]
            contents[f"{root / 'z.tar.gz'}!/{number}.jpg"] = contents[
                str(root / f"{number - 60:03}.jpg")
            ]
    target, kept = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.partial.jsonl"
    command = [sys.executable, "-m", "realitycheck", "scan", str(root), "--out", str(target)]
    kills = 0
    for wanted in [*sorted(chance.sample(range(len(contents)), 9)), len(contents)]:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            if kept.exists() and kept.read_bytes().count(b"\n") > wanted:
                time.sleep(chance.random() * 0.05)
                process.kill()
                kills += process.wait(PATIENCE) == -signal.SIGKILL
            time.sleep(0.002)
        if target.exists():
            break
    assert kills >= 5
    subprocess.run(command, cwd=ROOT, check=False, timeout=PATIENCE)
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert sorted(row["file"] for row in rows) == sorted(contents)
    assert not kept.exists()
    expected = quick_detector.predict_batch(contents[row["file"]] for row in rows)
    for row, answer in zip(rows, expected, strict=True):
        if isinstance(answer, PictureError):
            assert row["error"] == str(answer)
        else:
            assert row["probabilities"] == pytest.approx(answer.probabilities, abs=1e-4)


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
