"""A local Ray of two actors: every picture once, the rows of a local scan, whatever dies.

The first of them with more pictures:
REALITYCHECK_CLUSTER_PICTURES=5000 python -m pytest -n 0 -s -m slow tests/scan -k is_killed_and
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import PATIENCE, ROOT, drawing, wait_until

from realitycheck import __version__, checkpoints
from realitycheck.cli import main
from realitycheck.errors import RealityCheckError
from realitycheck.scan import cluster, connection, local, stores
from realitycheck.scan.journal import Journal

pytestmark = pytest.mark.slow
PICTURES = int(os.environ.get("REALITYCHECK_CLUSTER_PICTURES", "300"))
KEY = "testing"  # of the made-up S3
SETTING = {"pictures": ["all"]}


@pytest.fixture(scope="module")
def ray(quick):
    """Ray on this machine, as the command starts it, with two cores."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[dev]'")
    os.environ |= {**connection.SETTINGS, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY}
    connection.start("", cores=2)
    yield ray
    ray.shutdown()


def actors() -> list[int]:
    """Processes of this Ray that examine pictures."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            title = (folder / "cmdline").read_bytes()
            if b"ray::" in title and b"Examiner" in title and os.getpid() in parents(folder.name):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def parents(pid: str) -> list[int]:
    found = []
    while pid != "0" and len(found) < 9:
        stat = Path(f"/proc/{pid}/stat").read_text()
        pid = stat.rpartition(")")[2].split()[1]
        found.append(int(pid))
    return found


def draw(root: Path, count: int) -> Path:
    """Pictures, a broken one in every tenth place."""
    root.mkdir()
    for number in range(count):
        path = root / f"{number:05}.png"
        drawing(96, 80, number).save(path)
        if number % 10 == 9:
            path.write_bytes(path.read_bytes()[:300])
    return root


def locally(detector, root, target) -> dict[str, dict]:
    with Journal(target, SETTING) as journal:
        for _ in local.scan(detector, local.Items(*local.find([root])), None, journal):
            pass
        return {row["file"]: row for row in journal.all()}


def scan_of(paths, detector, quick) -> cluster.Scan:
    wanted = (__version__, detector.checkpoint.sha256)
    return cluster.Scan(stores.find(list(map(str, paths))), str(quick), wanted)


def same(rows: list[dict], expected: dict[str, dict]) -> None:
    assert sorted(row["file"] for row in rows) == sorted(expected)
    for row in rows:
        other = dict(expected[row["file"]])
        assert row.keys() == other.keys()
        if "error" not in row:
            assert row.pop("probabilities") == pytest.approx(other.pop("probabilities"), abs=1e-4)
        assert row == other


def test_an_actor_is_killed_and_every_picture_has_the_row_of_a_local_scan(
    ray, tmp_path, quick, quick_detector
):
    root = draw(tmp_path / "pictures", PICTURES)
    started = time.monotonic()
    expected = locally(quick_detector, root, tmp_path / "local.csv")
    alone = time.monotonic() - started
    killed = []
    with Journal(tmp_path / "cluster.csv", SETTING) as journal:
        started = time.monotonic()
        for number, _ in enumerate(scan_of([root], quick_detector, quick).rows(journal)):
            if number == PICTURES // 10:
                killed = actors()[:1]
                os.kill(killed[0], signal.SIGKILL)
        together = time.monotonic() - started
        rows = list(journal.all())
    assert killed
    assert killed[0] not in actors()
    assert len(rows) == PICTURES
    assert sum("error" in row for row in rows) == PICTURES // 10
    same(rows, expected)
    print(f"{PICTURES} pictures: {alone:.0f} s by one process, {together:.0f} s by two actors")


def test_a_stopped_scan_goes_on_and_odd_names_are_read_too(ray, tmp_path, quick, quick_detector):
    root = draw(tmp_path / "pictures", 70)
    for name in (
        "a b#1?.png",
        "%41.png",
        "two\nlines.png",
        "猫.png",
        "*.png",
        "no suffix",
        "=a.png",
    ):
        drawing(96, 80, 99).save(root / name, "PNG")
    expected = locally(quick_detector, root, tmp_path / "local.csv")
    with Journal(tmp_path / "cluster.csv", SETTING) as journal:
        rows = scan_of([root], quick_detector, quick).rows(journal)
        for _ in range(40):
            next(rows)
        rows.close()
    (root / "00000.png").write_bytes((root / "00001.png").read_bytes())
    expected[str(root / "00000.png")] = {
        **expected[str(root / "00001.png")],
        "file": str(root / "00000.png"),
    }
    scan = scan_of([root], quick_detector, quick)
    with Journal(tmp_path / "cluster.csv", SETTING, marks=scan.marks()) as journal:
        assert 30 <= journal.rows <= 40
        again = sum(1 for _ in scan.rows(journal))
        assert again == 77 - journal.rows + again
        same(list(journal.all()), expected)


def test_a_picture_that_brings_actors_down_costs_only_itself(
    ray, tmp_path, quick, quick_detector, monkeypatch
):
    class Deadly(cluster.Examiner):
        """Brought down by a picture, as a fault in a native decoder would do it."""

        def __call__(self, files):
            if any("00007" in path for path in files.column("path").to_pylist()):
                os.kill(os.getpid(), 9)
            return super().__call__(files)

    root = draw(tmp_path / "pictures", 40)
    expected = locally(quick_detector, root, tmp_path / "local.csv")
    monkeypatch.setattr(cluster, "Examiner", Deadly)
    with Journal(tmp_path / "cluster.csv", SETTING) as journal:
        rows = list(scan_of([root], quick_detector, quick).rows(journal))
        deadly = str(root / "00007.png")
        (row,) = (row for row in rows if row["file"] == deadly)
        assert "died each time" in row["error"]
        expected[deadly] = row
        same(rows, expected)
    scan = scan_of([root], quick_detector, quick)
    with Journal(tmp_path / "cluster.csv", SETTING, marks=scan.marks()) as journal:
        assert len(journal.done) == 39


def test_files_that_go_away_meanwhile_are_named(ray, tmp_path, quick, quick_detector):
    root = draw(tmp_path / "pictures", 12)
    scan = scan_of([root], quick_detector, quick)
    (root / "00003.png").unlink()
    with Journal(tmp_path / "cluster.csv", SETTING) as journal:
        rows = {row["file"]: row for row in scan.rows(journal)}
    assert len(rows) == 12
    assert "cannot be opened" in rows[str(root / "00003.png")]["error"]


def test_machines_with_other_weights_are_refused(ray, tmp_path, quick):
    root = draw(tmp_path / "pictures", 3)
    scan = cluster.Scan(stores.find([str(root)]), str(quick), (__version__, "0" * 64))
    with (
        Journal(tmp_path / "cluster.csv", SETTING) as journal,
        pytest.raises(RealityCheckError, match="gave up: A machine of the cluster has"),
    ):
        list(scan.rows(journal))


def test_an_actor_answers_in_the_quick_mode(tmp_path, quick):
    pyarrow = pytest.importorskip("pyarrow")
    file = draw(tmp_path / "pictures", 1) / "00000.png"
    wanted = (__version__, checkpoints.find(quick).checkpoint.sha256)
    files = pyarrow.table({"path": [str(file)], "bytes": [file.read_bytes()]})
    for mode, is_quick in (("quick", True), ("full", False)):
        (answer,) = cluster.Examiner(str(quick), wanted, is_quick)(files).to_pylist()
        assert json.loads(answer["row"])["model"]["mode"] == mode


@pytest.fixture
def bucket(ray, monkeypatch):
    """A bucket on an S3 of this machine, its URI, and what it asks for."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    boto3 = pytest.importorskip("boto3")
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY,
    )
    client.create_bucket(Bucket="bucket")
    yield client, f"?scheme=http&endpoint_override={host}:{port}&region=us-east-1"
    running.stop()


def test_pictures_on_s3_have_the_rows_of_a_local_scan(
    bucket, tmp_path, quick_by_default, quick_detector, capsys
):
    client, options = bucket
    root = draw(tmp_path / "pictures", 45)
    drawing(96, 80, 77).save(root / "no suffix", "PNG")
    expected = locally(quick_detector, root, tmp_path / "local.csv")
    for path in root.iterdir():
        client.put_object(Bucket="bucket", Key=f"in/{path.name}", Body=path.read_bytes())
    client.put_object(Bucket="bucket", Key="in/notes.txt", Body=b"text")
    client.put_object(Bucket="bucket", Key="in/readme", Body=b"text")
    client.put_object(Bucket="bucket", Key="elsewhere/a.png", Body=b"other")
    target = tmp_path / "rows.jsonl"
    arguments = ["scan", f"s3://bucket/in{options}", "--cluster", "--out", str(target)]
    assert main(arguments) == 1
    assert "46 pictures: " in capsys.readouterr().out
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    for row in rows:
        row["file"] = row["file"].replace("s3://bucket/in", str(root))
    for row in expected.values():
        if "model" in row:
            row["model"]["source"] = str(os.environ["REALITYCHECK_MODEL"])
    same(rows, expected)
    assert main([*arguments[:1], f"s3://bucket/gone{options}", *arguments[2:]]) == 2
    assert "There is nothing at s3://bucket/gone." in capsys.readouterr().err


def test_the_command_writes_parquet_and_stops_as_others_do(tmp_path, quick_by_default):
    parquet = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[dev]'")
    root = draw(tmp_path / "pictures", 160)
    target = tmp_path / "rows.parquet"
    command = [sys.executable, "-m", "realitycheck", "scan", str(root), "--out", str(target)]
    command.append("--cluster")
    kept, log = tmp_path / "rows.parquet.partial.jsonl", tmp_path / "log.txt"

    def start() -> subprocess.Popen:
        # Not by a pipe, which Ray's own processes would hold open.
        with log.open("w") as file:
            return subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)

    process = start()
    wait_until(
        lambda: (
            process.poll() is not None or (kept.exists() and kept.read_bytes().count(b"\n") > 20)
        ),
        log.read_text,
    )
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143, log.read_text()
    assert "The same command goes on from there" in log.read_text()
    assert start().wait(2 * PATIENCE) == 1, log.read_text()
    assert "were done before" in log.read_text()
    rows = parquet.read_table(target).to_pylist()
    assert sorted(row["file"] for row in rows) == sorted(map(str, root.iterdir()))
    assert sum(row["error"] is not None for row in rows) == 16
